// SPDX-License-Identifier: MIT

/**
 * Config space as the host writes it, and what follows from that.
 *
 * @module
 */
import assert from "node:assert/strict";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import {
  BarkeepError,
  type Capability,
  msi,
  open,
  pcie,
  pm,
} from "../../mod.ts";
import { eventually, functionPath, guestTest, plain, plug } from "./harness.ts";

/** Config space from the host's side, by sysfs. */
export class HostConfig implements Disposable {
  readonly #file: number;

  constructor(address: string) {
    this.#file = openSync(functionPath(address, "config"), "r+");
  }

  read(offset: number, width: 1 | 2 | 4 = 4): number {
    const bytes = new Uint8Array(4);
    assert.equal(readSync(this.#file, bytes, 0, width, offset), width);
    return new DataView(bytes.buffer).getUint32(0, true);
  }

  write(offset: number, value: number, width: 1 | 2 | 4 = 4): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    assert.equal(writeSync(this.#file, bytes, 0, width, offset), width);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

const command = 0x04;
const memoryDecode = 0x2;
const busMaster = 0x4;

guestTest("a BAR is sized by writing all-ones to it", async () => {
  await using card = await plug({
    bars: [
      { size: 8192 },
      { size: 1 << 21, bits: 64, prefetchable: true },
      null,
      { size: 4096, prefetchable: true },
    ],
  }, { read: () => 1 });
  using config = new HostConfig(card.address);
  const before = [0x10, 0x14, 0x18, 0x1c, 0x20].map((at) => config.read(at));
  await card.driver.run("memory", 0);
  const sizing = [0x10, 0x14, 0x18, 0x1c, 0x20].map((at) => {
    config.write(at, 0xffff_ffff);
    return config.read(at);
  });
  assert.deepEqual(sizing, [
    0xffff_e000,
    0xffe0_000c,
    0xffff_ffff,
    0xffff_f008,
    0,
  ]);
  before.forEach((value, n) => config.write(0x10 + 4 * n, value));
  await card.driver.run("memory", 1);
  assert.equal(await card.driver.read(0), 1);
});

guestTest(
  "bits that are not writable stay, whatever width writes them",
  async () => {
    await using card = await plug({
      capabilities: [msi(), pcie()],
      interruptPin: "A",
    });
    using config = new HostConfig(card.address);
    const fixed = [0x00, 0x08, 0x28, 0x2c, 0x30, 0x34, 0x40, 0x50, 0xfc, 0x100];
    const before = fixed.map((at) => config.read(at));
    for (const at of fixed.filter((at) => at !== 0x40)) {
      config.write(at, ~config.read(at) >>> 0);
      config.write(at + 1, 0xff, 1);
      config.write(at + 2, 0xffff, 2);
    }
    assert.deepEqual(fixed.map((at) => config.read(at)), before);
    config.write(0x3c, 0xffff_ff0b);
    assert.equal(config.read(0x3c, 2), 0x010b, "line writable, pin not");
  },
);

/** Dword 4: read-write low half, cleared by ones in the upper. */
const masked: Capability = {
  name: "masked",
  bytes: Uint8Array.of(0x09, 0, 8, 0, 0x11, 0x22, 0xff, 0x0f),
  writeMask: Uint8Array.of(0, 0, 0, 0, 0xf0, 0xff, 0, 0),
  clearMask: Uint8Array.of(0, 0, 0, 0, 0, 0, 0xff, 0x0c),
  notify: true,
};

guestTest(
  "masks apply to writes: read-write bits change, write-1-to-clear bits clear",
  async () => {
    await using card = await plug({ capabilities: [masked] });
    using config = new HostConfig(card.address);
    assert.equal(config.read(0x44), 0x0fff_2211);
    config.write(0x44, 0x0000_55ee, 2);
    assert.equal(config.read(0x44), 0x0fff_55e1);
    config.write(0x46, 0xff01, 2);
    assert.equal(config.read(0x44), 0x03fe_55e1);
    config.write(0x46, 0, 2);
    assert.equal(config.read(0x44), 0x03fe_55e1, "zeros clear nothing");
    config.write(0x47, 0x04, 1);
    assert.equal(config.read(0x44), 0x03fe_55e1, "cleared bits are not set");
  },
);

guestTest(
  "writes to a dword with notify are config events with its new value",
  async () => {
    await using card = await plug({ capabilities: [masked], notify: [0x0c] });
    using config = new HostConfig(card.address);
    config.write(0x45, 0x77, 1);
    await card.told(
      "config",
      ({ offset, value }) => offset === 0x44 && value === 0x0fff_7711,
    );
    config.write(0x0c, 0x10, 1);
    await card.told(
      "config",
      ({ offset, value }) => offset === 0x0c && value === 0x10,
    );
    const others = card.notices.filter((notice) =>
      notice.kind === "config" && ![0x0c, 0x40, 0x44].includes(notice.offset)
    );
    assert.deepEqual(others, []);
  },
);

guestTest(
  "of what finds no room in the ring, the last value is told when there is",
  async () => {
    await using device = await open({ ...plain, ring: 256, notify: [0x0c] });
    const address = await device.plugged;
    // Nobody takes events.
    using config = new HostConfig(address);
    for (let n = 0; n < 300; n++) config.write(0x0c, n % 2, 1);
    config.write(0x0c, 0x5a, 1);
    config.write(command, config.read(command, 2) | 0x400, 2);
    const values: number[] = [];
    let disabled = false;
    const served = device.serve({
      config: ({ value }) => void values.push(value & 0xff),
      command: ({ interruptDisable }) => void (disabled = interruptDisable),
    });
    await eventually(() => values.at(-1) === 0x5a && disabled, "the last ones");
    assert.ok(values.length > 200 && values.length <= 256, "it was not full");
    await device.unplug();
    await device.gone;
    await served;
  },
);

guestTest(
  "the model reads and writes its own config space, but not the host's part",
  async () => {
    await using card = await plug({ capabilities: [masked, pm()] });
    const { config } = card.device;
    using host = new HostConfig(card.address);
    assert.equal(config.read32(0), 0xc0de_1234);
    config.write16(0x44, 0xabcd);
    assert.equal(host.read(0x44, 2), 0xabcd);
    config.write8(0x08, 0x99);
    assert.equal(host.read(0x08, 1), 0x99);
    const refused: Record<number, string> = {
      0x00: "Vendor ID (0x0 to 0x1), which stays as it was plugged",
      0x04: "Command (0x4 to 0x5), which belongs to the host",
      0x06: "Status (0x6 to 0x7), which",
      0x13: "BAR 0 (0x10 to 0x13), which",
      0x34: "the capability pointer (0x34), which",
      0x3c: "Interrupt Line (0x3c), which",
      0x41: "ID and next pointer of capability 0x9 (0x40 to 0x41), which",
      [0x48 + 3]: "PM Capabilities (0x4a to 0x4b), which",
      [0x48 + 4]: "PM Control/Status (0x4c to 0x4d), which",
    };
    for (const [key, what] of Object.entries(refused)) {
      const offset = Number(key);
      const start = "cannot write 1 byte of config space at " +
        `0x${offset.toString(16)}: it would change ${what}`;
      assert.throws(
        () => config.write8(offset, config.read8(offset) ^ 1),
        (error) => {
          assert.ok(error instanceof BarkeepError, String(error));
          const { code, message } = error;
          assert.equal(code, "CONFIG_REFUSED");
          assert.ok(message.startsWith(start), message);
          assert.match(message, /\. Write next to it only$/);
          return true;
        },
      );
    }
    assert.throws(
      () => config.write32(0x0c, config.read32(0x0c) ^ 0x10000),
      /^BarkeepError: cannot write 4 bytes of .* at 0xc: .* Header Type \(0xe\)/,
    );
    config.write32(0, config.read32(0));
    assert.throws(
      () => config.write8(-1, 0),
      /cannot write 1 byte of config space at -1: it has 4096 bytes/,
    );
    assert.throws(() => config.read32(4094), RangeError);
  },
);

guestTest("the Command register is told of, bit by bit", async () => {
  await using card = await plug();
  await card.told("command", ({ memory, busMaster }) => memory && busMaster);
  await card.driver.run("master", 0);
  await card.told("command", ({ memory, busMaster }) => memory && !busMaster);
  using config = new HostConfig(card.address);
  config.write(command, config.read(command, 2) | 0x400, 2);
  await card.told("command", ({ interruptDisable }) => interruptDisable);
});

guestTest(
  "with memory decode off, reads are all-ones and writes go nowhere",
  async () => {
    let accesses = 0;
    await using card = await plug({
      bars: [{ size: 8192, shadow: [[4096, 4096]] }],
    }, {
      read: () => ++accesses,
      write: () => void accesses++,
    });
    assert.equal(await card.driver.read(0), 1);
    await card.driver.run("memory", 0);
    assert.equal(await card.driver.read(0), 0xffff_ffff);
    assert.equal(await card.driver.read(4096, 2), 0xffff);
    await card.driver.write(0, 1);
    await card.driver.write(4096, 1);
    await card.told("command", ({ memory }) => !memory);
    assert.equal(accesses, 1);
    await card.driver.run("memory", 1);
    assert.equal(await card.driver.read(0), 2);
    assert.equal(await card.driver.read(4096), 0, "the write was dropped");
  },
);

guestTest(
  "a Function Level Reset is told, and restores config space",
  async () => {
    await using card = await plug({ capabilities: [pcie(), masked] }, {
      read: () => 1,
    });
    using config = new HostConfig(card.address);
    const at = 0x40 + 0x3c;
    config.write(at + 4, 0xffff, 2);
    assert.notEqual(config.read(at + 4), 0x0fff_2211);
    await card.driver.run("reset");
    assert.equal((await card.told("reset")).cause, "flr");
    assert.equal(config.read(at + 4), 0x0fff_2211);
    // The driver saved and restored what is the host's.
    assert.equal(config.read(command, 2) & memoryDecode, memoryDecode);
    assert.equal(await card.driver.read(0), 1);
    assert.equal(
      card.notices.filter(({ kind }) => kind === "reset").length,
      1,
    );
  },
);

guestTest("a device without FLR has no such reset", async () => {
  await using card = await plug({ capabilities: [pcie({ flr: false })] });
  await assert.rejects(card.driver.run("reset"));
  using config = new HostConfig(card.address);
  config.write(0x48, config.read(0x48, 2) | 0x8000, 2);
  await card.driver.read(0);
  assert.ok(!card.notices.some(({ kind }) => kind === "reset"));
});

guestTest(
  "D3hot and back is told as power events and a reset; BARs are off meanwhile",
  async () => {
    await using card = await plug({ capabilities: [pm()] }, { read: () => 1 });
    await card.driver.run("power", 3);
    assert.equal((await card.told("power")).state, 3);
    assert.equal(await card.driver.read(0), 0xffff_ffff);
    await card.driver.run("power", 0);
    await card.told("power", ({ state }) => state === 0);
    assert.equal((await card.told("reset")).cause, "d3hot");
    using config = new HostConfig(card.address);
    assert.equal(config.read(command, 2) & busMaster, 0, "as after a reset");
    await card.driver.run("memory", 1);
    assert.equal(await card.driver.read(0), 1);
  },
);

guestTest(
  "a power state is not entered that is not there, or from a lower one",
  async () => {
    for (const lower of [undefined, "d1", "d2"] as const) {
      const capabilities = [pm(lower ? { [lower]: true } : {})];
      await using card = await plug({ capabilities });
      using config = new HostConfig(card.address);
      const enter = (state: number): number => {
        config.write(0x44, state, 2);
        return config.read(0x44, 2) & 3;
      };
      for (const state of [1, 2] as const) {
        const there = lower === `d${state}`;
        assert.equal(enter(state), there ? state : 0, `D${state}: ${lower}`);
        assert.equal(enter(0), 0);
        assert.equal(enter(3), 3);
        assert.equal(enter(state), 3, `D3hot to D${state}: ${lower}`);
        assert.equal(enter(0), 0);
      }
    }
  },
);

guestTest("with No_Soft_Reset, D3hot and back is no reset", async () => {
  await using card = await plug({ capabilities: [pm({ noSoftReset: true })] }, {
    read: () => 1,
  });
  await card.driver.run("power", 3);
  await card.driver.run("power", 0);
  await eventually(
    () => card.notices.filter(({ kind }) => kind === "power").length === 2,
    "two power events",
  );
  assert.equal(await card.driver.read(0), 1);
  assert.ok(!card.notices.some(({ kind }) => kind === "reset"));
});
