// SPDX-License-Identifier: MIT

/**
 * Loads and stores to BARs that user space maps, by each door that there is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import type { DeviceSpec } from "../../mod.ts";
import { functionPath, guestTest, plug } from "./harness.ts";
import { errno } from "./raw.ts";
import {
  keeping,
  mapped,
  memoryOf,
  mixed,
  page,
  plugAlone,
} from "./user_card.ts";
import { UserDriver } from "./user_driver.ts";

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
    assert.equal(await driver.read(0), 0);
    assert.deepEqual(heard.splice(0), [["read", 0, 4]]);
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
    await driver.write(page + 0x3c, 0x2);
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
      await driver.write(4 * page - 4, 0x62);
      assert.equal(await driver.read(0), 0);
      await card.device.unplug({ surprise: true });
      await card.device.gone;
      await card[Symbol.asyncDispose]();
      // Memory that was freed would be somebody else's by now.
      for (let round = 0; round < 20; round++) {
        new Uint8Array(1 << 20).fill(round);
      }
      for (const at of [0, page, 4 * page - 4]) {
        assert.equal(await driver.read(at), 0xffff_ffff);
      }
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

guestTest(
  "a load of a user-space driver that has a uprobe is emulated",
  async () => {
    const { handlers } = keeping();
    await using card = await plugAlone(mixed, handlers);
    using driver = await mapped(card);
    await driver.write(8, 0x1234);
    await driver.write(page + 8, 0x4321);
    assert.equal(
      await driver.run("probed", page + 8),
      0x1_0000_4321n,
      "memory",
    );
    assert.equal(await driver.run("probed", 8), 0x1_0000_1234n, "a register");
    assert.equal(await driver.read(8), 0x1234, "it goes on");
  },
  { kernel: "stock" },
);

guestTest(
  "a driver that inserts pages for user space may refuse them from now on",
  async () => {
    const { handlers } = keeping();
    const revoked = "/sys/module/exerciser/parameters/user_revoked";
    await using card = await plug(mixed, handlers);
    const path = `/sys/kernel/debug/exerciser/${card.address}-insert`;
    using driver = await UserDriver.map(path, 4 * page);
    await driver.write(4, 0x77);
    assert.equal(await driver.read(4), 0x77);
    writeFileSync(revoked, "1");
    try {
      for (const at of [4, page, 2 * page]) {
        assert.equal(await driver.try("read", 4, at), "SIGBUS");
      }
    } finally {
      writeFileSync(revoked, "0");
    }
    for (const at of [4, page, 2 * page]) {
      await driver.write(at, at + 1);
      assert.equal(await driver.read(at), at + 1);
    }
  },
);
