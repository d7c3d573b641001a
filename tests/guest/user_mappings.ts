// SPDX-License-Identifier: MIT

/**
 * BARs that user space maps, by each door that there is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import {
  type Device,
  type DeviceSpec,
  type Event,
  type Handlers,
  open,
} from "../../mod.ts";
import {
  eventually,
  functionPath,
  guestTest,
  isPresent,
  plain,
  plug,
  sleep,
  sysfs,
} from "./harness.ts";
import { errno, readOwn } from "./raw.ts";
import { protection, UserDriver } from "./user_driver.ts";

const page = 4096;

/** A BAR of a trapped page, a page of memory, a shadow page and memory. */
const mixed: Partial<DeviceSpec> = {
  bars: [{ size: 4 * page, trap: [[0, page]], shadow: [[2 * page, page]] }],
};

/** A device without a driver in the kernel: that would keep user space out. */
async function plugAlone(
  spec: Partial<DeviceSpec>,
  handlers: Handlers,
): Promise<AsyncDisposable & { device: Device; address: string }> {
  const device = await open({ ...plain, ...spec });
  const served = device.serve(handlers);
  served.catch(() => {});
  const address = await device.plugged;
  await writeFile(functionPath(address, "enable"), "1");
  return {
    device,
    address,
    async [Symbol.asyncDispose]() {
      await device.unplug();
      await device.gone;
      await served;
    },
  };
}

/** A process that has mapped all of a {@link mixed} BAR, as sysfs has it. */
const mapped = ({ address }: { address: string }): Promise<UserDriver> =>
  UserDriver.map(functionPath(address, "resource0"), 4 * page);

/** A model that keeps what is written, and a record of who asked. */
function keeping(): {
  handlers: Handlers;
  view: DataView;
  heard: [string, number, number, number?][];
} {
  const view = new DataView(new ArrayBuffer(4 * page));
  const heard: [string, number, number, number?][] = [];
  const handlers: Handlers = {
    read(offset, width) {
      heard.push(["read", offset, width]);
      if (width === 1) return view.getUint8(offset);
      if (width === 2) return view.getUint16(offset, true);
      return view.getUint32(offset, true);
    },
    write(offset, value, width) {
      heard.push(["write", offset, width, value]);
      if (width === 1) view.setUint8(offset, value);
      else if (width === 2) view.setUint16(offset, value, true);
      else view.setUint32(offset, value, true);
    },
  };
  return { handlers, view, heard };
}

const memoryOf = (device: Device): DataView =>
  new DataView(device.bars[0]?.buffer ?? new ArrayBuffer(0));

guestTest(
  "a user-space driver's loads and stores through resource0 reach the model",
  async () => {
    const { handlers, heard } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    await driver.write(0x20, 0xfedc_ba98);
    await driver.write(0x24, 0x1234, 2);
    await driver.write(0x26, 0x56, 1);
    assert.equal(await driver.read(0x20), 0xfedc_ba98);
    assert.equal(await driver.read(0x24, 2), 0x1234);
    assert.equal(await driver.read(0x26, 1), 0x56);
    assert.deepEqual(heard, [
      ["write", 0x20, 4, 0xfedc_ba98],
      ["write", 0x24, 2, 0x1234],
      ["write", 0x26, 1, 0x56],
      ["read", 0x20, 4],
      ["read", 0x24, 2],
      ["read", 0x26, 1],
    ]);
    await driver.run("write", 8, 0x40, 0x1122_3344_5566_7788n);
    assert.equal(await driver.run("read", 8, 0x40), 0x1122_3344_5566_7788n);
  },
);

guestTest(
  "rep movs of a user-space driver moves every byte, across policies too",
  async () => {
    const { handlers, view } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    const memory = memoryOf(card.device);
    await driver.run("out", 100, 300);
    await driver.read(0);
    let sum = 0;
    for (let at = 0; at < 300; at++) {
      assert.equal(view.getUint8(100 + at), at % 256);
      sum += at % 256;
    }
    assert.equal(await driver.run("in", 100, 300), BigInt(sum));
    await driver.run("out", page - 100, 200);
    await driver.read(0);
    assert.equal(view.getUint8(page - 1), 99);
    assert.equal(memory.getUint8(page), 100, "memory begins where it does");
    assert.equal(memory.getUint8(page + 99), 199);
    await driver.run("move", page, 0x800, 50);
    await driver.read(0);
    assert.equal(view.getUint8(0x800 + 49), 149);
  },
);

guestTest(
  "memory pages of a user-space driver are the model's, shadow pages answer reads",
  async () => {
    const { handlers, heard } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    const memory = memoryOf(card.device);
    memory.setUint32(page + 8, 0xcafe_f00d, true);
    assert.equal(await driver.read(page + 8), 0xcafe_f00d);
    await driver.write(3 * page + 4, 0x600d_600d);
    assert.equal(memory.getUint32(3 * page + 4, true), 0x600d_600d);
    assert.deepEqual(heard, []);
    memory.setUint32(2 * page + 16, 77, true);
    assert.equal(await driver.read(2 * page + 16), 77);
    await driver.write(2 * page + 16, 78);
    assert.equal(memory.getUint32(2 * page + 16, true), 78);
    assert.equal(await driver.read(0), 0);
    assert.deepEqual(heard, [
      ["write", 2 * page + 16, 4, 78],
      ["read", 0, 4],
    ]);
  },
);

guestTest(
  "a part of a BAR, and resource0_wc, can be mapped as well",
  async () => {
    const { handlers, heard } = keeping();
    const bars: DeviceSpec["bars"] = [
      { size: 4 * page, prefetchable: true, trap: [[0, page]] },
    ];
    await using card = await plugAlone({ bars }, handlers);
    const path = functionPath(card.address, "resource0_wc");
    using part = await UserDriver.map(path, page, { offset: page });
    using whole = await UserDriver.map(path, 4 * page);
    memoryOf(card.device).setUint32(page + 12, 5, true);
    assert.equal(await part.read(12), 5);
    await part.write(16, 6);
    assert.equal(await whole.read(page + 16), 6);
    await whole.write(0x10, 7);
    assert.equal(await whole.read(0x10), 7);
    assert.deepEqual(heard, [["write", 0x10, 4, 7], ["read", 0x10, 4]]);
  },
);

guestTest(
  "16-byte SSE moves and locked instructions of a user-space driver arrive whole",
  async () => {
    const { handlers, heard, view } = keeping();
    await using card = await plugAlone(mixed, handlers);
    const path = functionPath(card.address, "resource0");
    using driver = await UserDriver.map(path, 4 * page);
    const [low, high] = [0x1122_3344_5566_7788n, 0x0100_0000_0000_0001n];
    for (const at of [0x40, 2 * page, 3 * page]) {
      await driver.run("write", 16, at, low);
      assert.equal(await driver.run("read", 16, at), 0n, "low ^ high");
      await driver.run("write", 8, at + 8, high);
      assert.equal(await driver.run("read", 16, at), low ^ high);
    }
    await driver.read(0);
    assert.equal(view.getBigUint64(0x40, true), low);
    assert.equal(view.getBigUint64(0x48, true), high);
    heard.length = 0;
    await driver.write(0x80, 40);
    assert.equal(await driver.run("add", 0x80, 2), 40n);
    assert.equal(await driver.read(0x80), 42);
    assert.deepEqual(heard, [
      ["write", 0x80, 4, 40],
      ["read", 0x80, 4],
      ["write", 0x80, 4, 42],
      ["read", 0x80, 4],
    ]);
  },
);

guestTest(
  "a user-space driver's write to a watched range is memory, and an event",
  async () => {
    const { handlers, heard } = keeping();
    const bars: DeviceSpec["bars"] = [
      { size: 2 * page, trap: [[0, page]], watch: [{ offset: page + 0x40 }] },
    ];
    await using card = await plugAlone({ bars }, handlers);
    const path = functionPath(card.address, "resource0");
    using driver = await UserDriver.map(path, 2 * page);
    await driver.write(page + 0x40, 0xd00b);
    await driver.write(page + 0x44, 0x1);
    assert.equal(await driver.read(page + 0x40), 0xd00b);
    assert.equal(await driver.read(page + 0x44), 1);
    assert.equal(memoryOf(card.device).getUint32(page + 0x40, true), 0xd00b);
    assert.equal(await driver.read(0), 0);
    assert.deepEqual(heard, [
      ["write", page + 0x40, 4, 0xd00b],
      ["read", 0, 4],
    ]);
  },
);

guestTest(
  "system calls that get a pointer into a mapping: EFAULT if it traps, else they work",
  async () => {
    const { handlers, heard } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    const fault = `errno ${errno.EFAULT}`;
    const memory = memoryOf(card.device);
    memory.setBigUint64(page, 0x0102_0304_0506_0708n, true);
    for (const name of ["write", "read", "vmread", "vmwrite", "splice"]) {
      assert.equal(await driver.try("syscall", name, 0), fault, name);
    }
    for (const name of ["memread", "memwrite"]) {
      assert.equal(await driver.try("syscall", name, 0), "errno 5", name);
    }
    assert.deepEqual(heard, []);
    for (const at of [page, 3 * page]) {
      memory.setBigUint64(at, 0x0102_0304_0506_0708n, true);
      for (const name of ["write", "memread"]) {
        const value = await driver.run("syscall", name, at);
        assert.equal(value, 0x0102_0304_0506_0708n, name);
      }
      for (const name of ["read", "memwrite"]) {
        memory.setBigUint64(at, 0n, true);
        await driver.run("syscall", name, at);
        assert.equal(memory.getBigUint64(at, true), 0x1122_3344_5566_7788n);
      }
      // Its pages are not to be had by others, as those of any device.
      for (const name of ["vmread", "vmwrite", "splice"]) {
        assert.equal(await driver.try("syscall", name, at), fault, name);
      }
    }
  },
);

guestTest(
  "mappings are split, moved, protected and inherited as those of any device",
  async () => {
    const { handlers, view } = keeping();
    await using card = await plugAlone(mixed, handlers);
    const path = functionPath(card.address, "resource0");
    using driver = await UserDriver.map(path, 4 * page);
    view.setUint32(4, 0xa, true);
    memoryOf(card.device).setUint32(3 * page, 0xb, true);
    assert.equal(await driver.run("fork", 4, 4), 0xan);
    assert.equal(await driver.run("fork", 4, 3 * page), 0xbn);
    await driver.run("remap", 4 * page);
    assert.equal(await driver.read(4), 0xa);
    assert.equal(await driver.read(3 * page), 0xb);
    await driver.run("protect", 0, page, protection.read);
    assert.equal(await driver.read(4), 0xa);
    assert.equal(await driver.try("write", 4, 4, 1), "SIGSEGV");
    assert.equal(view.getUint32(4, true), 0xa);
    await driver.run("unmap", page, page);
    assert.equal(await driver.try("read", 4, page), "SIGSEGV");
    assert.equal(await driver.read(4), 0xa);
    assert.equal(await driver.read(3 * page), 0xb);
    assert.equal(await driver.try("call", 8), "SIGBUS", "it cannot be run");
    assert.equal(
      await driver.try("map", path, 0, 4 * page, protection.both, "private"),
      `errno ${errno.EINVAL}`,
    );
  },
);

guestTest(
  "what may only be read stays so, for the far side of a string move too",
  async () => {
    const { handlers, heard } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await UserDriver.map(
      functionPath(card.address, "resource0"),
      page,
      { access: protection.read },
    );
    assert.equal(await driver.try("move", 0, 0x100, 4), "SIGSEGV");
    assert.equal(heard.filter(([kind]) => kind === "write").length, 0);
    assert.equal(await driver.read(0), 0);
  },
);

guestTest(
  "a user-space driver that waits for the model can be killed",
  async () => {
    let asked = 0;
    const device = await open({ ...plain, timeout: 300_000 });
    const served = (async () => {
      for await (const event of device) {
        // Never answered.
        if ((event as Event).kind === "read") asked++;
      }
    })();
    served.catch(() => {});
    const address = await device.plugged;
    await writeFile(functionPath(address, "enable"), "1");
    using driver = await UserDriver.map(
      functionPath(address, "resource0"),
      page,
    );
    void driver.try("read", 4, 0);
    await eventually(() => asked > 0, "the read");
    await sleep(50);
    driver.kill();
    assert.equal(await driver.ended, "SIGKILL");
    await device.unplug();
    await device.gone;
    await served;
  },
);

guestTest(
  "a process whose thread waits for the model can map memory meanwhile",
  async () => {
    const device = await open({ ...plain, timeout: 60_000 });
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: done, resolve: answer } = Promise.withResolvers<void>();
    const served = (async () => {
      for await (const event of device) {
        if (event.kind !== "read") continue;
        ask();
        await done;
        event.complete(0x77);
      }
    })();
    served.catch(() => {});
    const address = await device.plugged;
    await writeFile(functionPath(address, "enable"), "1");
    const path = functionPath(address, "resource0");
    using driver = await UserDriver.map(path, page);
    await driver.run("start", 4, 0);
    await asked;
    await driver.run("churn", 100);
    answer();
    assert.equal(await driver.run("join"), 0x77n);
    await device.unplug();
    await device.gone;
    await served;
  },
);

guestTest(
  "a model that reads its own device through resource0 gets all-ones in time",
  async () => {
    const card = await plugAlone({ timeout: 100 }, { read: () => 1 });
    const fd = openSync(functionPath(card.address, "resource0"), "r+");
    assert.equal(await readOwn(fd, page), 0xffff_ffff);
    closeSync(fd);
    await card[Symbol.asyncDispose]();
  },
);

guestTest(
  "/dev/mem maps a BAR that no driver has, and reads and writes none",
  async () => {
    const { handlers } = keeping();
    const first = (address: string): number =>
      Number(sysfs(address, "resource").split(" ")[0]);
    {
      await using card = await plugAlone(mixed, handlers);
      const offset = first(card.address);
      using driver = await UserDriver.map("/dev/mem", 4 * page, { offset });
      await driver.write(8, 0x1234);
      assert.equal(await driver.read(8), 0x1234);
      memoryOf(card.device).setUint32(page, 9, true);
      assert.equal(await driver.read(page), 9);
      const fd = openSync("/dev/mem", "r+");
      const bytes = new Uint8Array(4);
      for (const at of [offset, offset + page]) {
        assert.throws(() => readSync(fd, bytes, 0, 4, at), { code: "EFAULT" });
        assert.throws(() => writeSync(fd, bytes, 0, 4, at), { code: "EFAULT" });
      }
      closeSync(fd);
    }
    await using card = await plug(mixed, handlers);
    using driver = new UserDriver();
    for (
      const [path, offset, code] of [
        ["/dev/mem", first(card.address), errno.EPERM],
        [functionPath(card.address, "resource0"), 0, errno.EINVAL],
      ] as const
    ) {
      assert.equal(
        await driver.try("map", path, offset, page, protection.both, "shared"),
        `errno ${code}`,
        "its driver's alone",
      );
    }
  },
);

guestTest(
  "a card pulled under a user-space driver reads as all-ones",
  async () => {
    const { handlers } = keeping();
    const card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    assert.equal(await driver.read(0), 0);
    assert.equal(await driver.read(page), 0);
    await card.device.unplug({ surprise: true });
    await card.device.gone;
    assert.ok(!isPresent(card.address));
    assert.equal(await driver.read(0), 0xffff_ffff);
    assert.equal(await driver.read(page), 0xffff_ffff);
    assert.equal(
      await driver.read(3 * page),
      0xffff_ffff,
      "not touched before",
    );
    await driver.write(0, 1);
    await driver.write(page, 1);
    await card[Symbol.asyncDispose]();
  },
);

guestTest(
  "while memory decode is off a user-space driver reads all-ones",
  async () => {
    const { handlers, heard } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    await writeFile(functionPath(card.address, "enable"), "0");
    execFileSync("setpci", ["-s", card.address, "COMMAND=0"]);
    assert.equal(await driver.read(0), 0xffff_ffff);
    assert.equal(await driver.read(3 * page), 0xffff_ffff);
    assert.deepEqual(heard, []);
    execFileSync("setpci", ["-s", card.address, "COMMAND=2"]);
    assert.equal(await driver.read(0), 0);
    assert.equal(await driver.read(3 * page), 0);
  },
);

for (
  const way of [
    "remap",
    "insert",
    "mixed",
    "eager",
    "mixed_insert",
    "mixed_remap",
    "mixed_eager",
  ]
) {
  guestTest(
    `a kernel driver that maps a BAR for user space by way "${way}" is served`,
    async () => {
      const { handlers, heard, view } = keeping();
      await using card = await plug(mixed, handlers);
      using driver = await UserDriver.map(
        `/sys/kernel/debug/exerciser/${card.address}-${way}`,
        4 * page,
      );
      const memory = memoryOf(card.device);
      view.setUint32(8, 0x51, true);
      assert.equal(await driver.read(8), 0x51);
      await driver.write(12, 0x52);
      assert.equal(await driver.read(12), 0x52);
      assert.equal(heard.length, 3);
      memory.setUint32(3 * page, 0x53, true);
      assert.equal(await driver.read(3 * page), 0x53);
      await driver.write(page, 0x54);
      assert.equal(memory.getUint32(page, true), 0x54);
      await driver.write(2 * page, 0x55);
      assert.equal(await driver.read(2 * page), 0x55);
      assert.equal(await driver.run("fork", 4, 3 * page), 0x53n);
      assert.equal(await driver.run("fork", 4, 8), 0x51n);
      assert.equal(
        await driver.try("syscall", "vmread", page),
        `errno ${errno.EFAULT}`,
      );
    },
  );

  guestTest(
    `what is mapped by way "${way}" outlives its device`,
    async () => {
      const { handlers } = keeping();
      const card = await plug(mixed, handlers);
      using driver = await UserDriver.map(
        `/sys/kernel/debug/exerciser/${card.address}-${way}`,
        4 * page,
      );
      await driver.write(page, 0x61);
      assert.equal(await driver.read(0), 0);
      await card.device.unplug({ surprise: true });
      await card.device.gone;
      await card[Symbol.asyncDispose]();
      // Memory that was freed would be somebody else's by now.
      for (let round = 0; round < 20; round++) {
        new Uint8Array(1 << 20).fill(round);
      }
      assert.equal(await driver.read(page), 0xffff_ffff);
      assert.equal(await driver.read(0), 0xffff_ffff);
    },
  );
}

guestTest(
  "pages that a kernel driver refuses are not served for those around them",
  async () => {
    const { handlers, heard } = keeping();
    await using card = await plug({ bars: [{ size: 4 * page }] }, handlers);
    using driver = await UserDriver.map(
      `/sys/kernel/debug/exerciser/${card.address}-ends`,
      4 * page,
    );
    await driver.write(4, 1);
    await driver.write(3 * page, 2);
    assert.equal(await driver.read(4), 1);
    assert.equal(await driver.read(3 * page), 2);
    const before = heard.length;
    for (const at of [page, 2 * page]) {
      assert.equal(await driver.try("read", 4, at), "SIGBUS");
    }
    assert.equal(heard.length, before);
  },
);

guestTest(
  "a user-space driver that is stepped through stops behind each load",
  async () => {
    const { handlers } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    assert.equal(await driver.run("step", page), 0x01_01_01n, "of memory");
    assert.equal(await driver.run("step", 8), 0x01_01_01n, "of a register");
  },
);
