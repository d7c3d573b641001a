// SPDX-License-Identifier: MIT

/**
 * What the host sees of a device that was plugged.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  BadSpec,
  type Capability,
  msi,
  open,
  pcie,
  PlugFailed,
  pm,
  vendor,
} from "../../mod.ts";
import { guestTest, isPresent, plain, plug, sysfs } from "./harness.ts";

const lspci = (address: string, ...options: string[]): string =>
  execFileSync("lspci", ["-D", "-s", address, ...options], {
    encoding: "utf8",
  });

guestTest(
  "sysfs and lspci show the ids, class and revision given",
  async () => {
    const id = {
      vendor: 0x1234,
      device: 0xbabe,
      subsystemVendor: 0x5678,
      subsystem: 0x9abc,
      revision: 0x42,
      class: 0x058000,
    };
    await using card = await plug({ id });
    const shown = (file: string): number => Number(sysfs(card.address, file));
    assert.deepEqual({
      vendor: shown("vendor"),
      device: shown("device"),
      subsystemVendor: shown("subsystem_vendor"),
      subsystem: shown("subsystem_device"),
      revision: shown("revision"),
      class: shown("class"),
    }, id);
    assert.equal(
      lspci(card.address, "-n").trim(),
      `${card.address} 0580: 1234:babe (rev 42)`,
    );
  },
);

/** Flags of <linux/ioport.h>. */
const resource = { memory: 0x200, prefetch: 0x2000, wide: 0x100000 } as const;

guestTest(
  "BARs have the sizes and types given, and lie where their width allows",
  async () => {
    await using card = await plug({
      bars: [
        { size: 4096 },
        { size: 1 << 20, bits: 64, prefetchable: true },
        null,
        { size: 1 << 16, prefetchable: true },
        { size: 8192, bits: 64 },
      ],
    });
    const bars = sysfs(card.address, "resource").split("\n").slice(0, 6)
      .map((line) => line.split(" ").map(Number) as [number, number, number])
      .map(([start, end, flags]) => ({
        start,
        size: end && end - start + 1,
        prefetch: (flags & resource.prefetch) !== 0,
        wide: (flags & resource.wide) !== 0,
        memory: (flags & resource.memory) !== 0,
      }));
    const sizes = [4096, 1 << 20, 0, 1 << 16, 8192, 0];
    assert.deepEqual(bars.map(({ size }) => size), sizes);
    const flagged = (key: "prefetch" | "wide" | "memory"): number[] =>
      bars.flatMap((bar, number) => bar[key] ? [number] : []);
    assert.deepEqual(flagged("memory"), [0, 1, 3, 4]);
    assert.deepEqual(flagged("prefetch"), [1, 3]);
    assert.deepEqual(flagged("wide"), [1, 4]);
    for (const { start, size, wide } of bars) {
      assert.equal(start % (size || 1), 0, "a BAR is aligned to its size");
      if (size && !wide) assert.ok(start + size <= 2 ** 32);
    }
  },
);

/** Functions that the kernel has a quirk for, and what that says of all-ones. */
const quirks = [
  {
    // Its list of capabilities begins far behind its BAR.
    name: "an xHCI, which looks whether memory is decoded",
    id: { vendor: 0x1234, device: 0xc0de, class: 0x0c0330 },
    complaint: "xHCI HW not ready",
  },
  {
    name: "a ConnectX-4, which does not look",
    id: { vendor: 0x15b3, device: 0x1013 },
  },
];

for (const { name, id, complaint } of quirks) {
  guestTest(
    `while a function is found, no quirk reaches its BAR: that of ${name}`,
    async () => {
      const heard: number[] = [];
      await using card = await plug({ id }, {
        read: (offset) => (heard.push(offset), 0xffff_0000),
      });
      assert.deepEqual(heard, []);
      const log = execFileSync("dmesg", { encoding: "utf8" });
      if (complaint) assert.ok(!log.includes(complaint), complaint);
      assert.equal(await card.driver.read(0x10), 0xffff_0000);
      assert.deepEqual(heard, [0x10]);
    },
  );
}

guestTest("the host walks the capabilities given, in their order", async () => {
  await using card = await plug({
    capabilities: [
      pm(),
      msi({ vectors: 4, maskable: true }),
      pcie({ type: "endpoint", speed: 3, width: 4 }),
      vendor(new Uint8Array([1, 2, 3])),
    ],
  });
  const text = lspci(card.address, "-vv");
  const found = [...text.matchAll(/Capabilities: \[(\w+)\] (.*)/g)]
    .map(([, at, what]) => `${at} ${what}`);
  assert.equal(found.length, 4, text);
  assert.match(found[0] ?? "", /^40 Power Management version 3/);
  assert.match(found[1] ?? "", /^48 MSI: .*Count=1\/4 Maskable\+ 64bit\+/);
  assert.match(found[2] ?? "", /^60 Express \(v2\) Endpoint/);
  assert.match(found[3] ?? "", /^9c Vendor Specific Information: Len=06/);
  assert.match(text, /LnkCap:.*Speed 8GT\/s, Width x4/);
});

guestTest(
  "two devices of one process get domains 0100 and 0101, and a free one is used again",
  async () => {
    await using first = await plug({}, { read: () => 1 });
    await using second = await plug({}, { read: () => 2 });
    assert.equal(first.address, "0100:00:00.0");
    assert.equal(second.address, "0101:00:00.0");
    assert.equal(await first.driver.read(0), 1);
    assert.equal(await second.driver.read(0), 2);
    await first[Symbol.asyncDispose]();
    assert.ok(!isPresent(first.address));
    assert.equal(await second.driver.read(0), 2, "the other goes on");
    await using third = await plug({}, { read: () => 3 });
    assert.equal(third.address, "0100:00:00.0");
    assert.equal(await third.driver.read(0), 3);
    assert.equal(await second.driver.read(0), 2);
  },
);

guestTest(
  "a device plugged after another is gone gets its domain again",
  async () => {
    for (let round = 0; round < 5; round++) {
      const handled = await plug({}, { read: () => round });
      assert.equal(handled.address, "0100:00:00.0");
      assert.equal(await handled.driver.read(0), round);
      await handled[Symbol.asyncDispose]();
      const iterated = await plug({}, (event) => {
        if (event.kind === "read") event.complete(~round >>> 0);
      });
      assert.equal(iterated.address, "0100:00:00.0");
      assert.equal(await iterated.driver.read(0), ~round >>> 0);
      await iterated[Symbol.asyncDispose]();
    }
    // By name; another would be refused.
    for (let round = 0; round < 5; round++) {
      await using device = await open({ ...plain, domain: 0x123 });
      assert.equal(await device.plugged, "0123:00:00.0");
    }
  },
);

guestTest("a domain that is taken is refused by name", async () => {
  await using card = await plug({ domain: 0x123 });
  assert.equal(card.address, "0123:00:00.0");
  await assert.rejects(
    open({ ...plain, domain: 0x123 }),
    (error) => error instanceof PlugFailed && /taken/.test(error.message),
  );
});

guestTest(
  "a header type, which is not the model's, is BadSpec and named",
  async () => {
    for (
      const spec of [
        { ...plain, headerType: 1 },
        { ...plain, id: { ...plain.id, headerType: 1 } },
      ]
    ) {
      await assert.rejects(open(spec), (error) => {
        assert.ok(error instanceof BadSpec, String(error));
        assert.equal(error.mistakes.length, 1);
        assert.match(
          error.message,
          /has a key "headerType" that means nothing: there may be /,
        );
        return true;
      });
    }
  },
);

guestTest(
  "config space that only the kernel finds invalid is PlugFailed with advice",
  async () => {
    const byHand = (name: string, bytes: number[]): Capability => ({
      name,
      bytes: Uint8Array.from(bytes),
      writeMask: new Uint8Array(bytes.length),
      clearMask: new Uint8Array(bytes.length),
    });
    const lists = [
      [byHand("MSI-X", [0x11, 0, 3, 0, 0, 0, 0, 0, 0, 8, 0, 0])],
      // Version 2, whose registers would run into the next one.
      [byHand("short", [0x10, 0, 2, 0]), byHand("next", [0x09, 0, 3, 0])],
    ];
    for (const capabilities of lists) {
      await assert.rejects(open({ ...plain, capabilities }), (error) => {
        assert.ok(error instanceof PlugFailed, String(error));
        assert.equal(error.errno, 22);
        assert.match(
          error.message,
          /EINVAL.*Look at capabilities made by hand/,
        );
        return true;
      });
    }
    await using card = await plug({});
    assert.equal(card.address, "0100:00:00.0");
  },
);

guestTest(
  "a BAR, a vector and bytes that are not there are named",
  async () => {
    await using card = await plug({});
    const { bars, irq, dma } = card.device;
    assert.equal(bars[0].buffer.byteLength, 4096);
    assert.throws(() => bars[5].buffer, /no BAR 5: give bars\[5\]/);
    assert.throws(() => irq.raise(0), /no MSI capability. Add msi\(\)/);
    assert.throws(
      () => dma.write(4096, new Uint8Array(new SharedArrayBuffer(4))),
      /the bytes are shared: copy them/,
    );
    const notBytes: [unknown, string][] = [
      [[1, 2], "an Array"],
      [new Uint16Array(1), "a Uint16Array"],
      [new ArrayBuffer(2), "an ArrayBuffer"],
      [undefined, "undefined"],
      ["x", "a string"],
      [5, "a number"],
    ];
    for (const [bytes, what] of notBytes) {
      assert.throws(() => dma.write(4096, bytes as never), {
        name: "TypeError",
        message: `DMA at 0x1000: the bytes are ${what}: give a Uint8Array`,
      });
    }
  },
);

guestTest(
  "after the unplug, calls throw Unplugged and views are zeros",
  async () => {
    const { device, driver, ...card } = await plug({
      bars: [{ size: 8192, trap: [[0, 4096]] }],
    });
    await driver.write(4096, 0x55);
    const bytes = new Uint8Array(device.bars[0]?.buffer ?? new ArrayBuffer(0));
    assert.equal(bytes[4096], 0x55);
    await card[Symbol.asyncDispose]();
    assert.ok(!isPresent(card.address));
    assert.equal(bytes.length, 8192);
    assert.ok(bytes.every((byte) => byte === 0));
    const calls = [
      () => device.irq.raise(),
      () => device.dma.read(0, 4),
      () => device.config.read32(0),
    ];
    for (const call of calls) assert.throws(call, { code: "UNPLUGGED" });
    await assert.rejects(device.serve({}), { code: "UNPLUGGED" });
    await assert.rejects(async () => {
      for await (const event of device) assert.fail(event.kind);
    }, { code: "UNPLUGGED" });
  },
);
