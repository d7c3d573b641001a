// SPDX-License-Identifier: MIT

/**
 * What processes do with their mappings of BARs, and what is done to them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { open } from "../../mod.ts";
import {
  functionPath,
  guestTest,
  isPresent,
  plain,
  plug,
  sleep,
  sysfs,
} from "./harness.ts";
import { errno, readOwn } from "./raw.ts";
import {
  keeping,
  mapped,
  memoryOf,
  mixed,
  page,
  plugAlone,
} from "./user_card.ts";
import { protection, UserDriver } from "./user_driver.ts";

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
    assert.equal(await driver.read(0), 0);
    assert.deepEqual(heard.splice(0), [["read", 0, 4]]);
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
    assert.equal(await driver.read(0), 0);
    assert.deepEqual(heard, [["read", 0, 4]]);
  },
);

guestTest("/proc/PID/mem goes from page to page of a BAR", async () => {
  const pages = 16;
  const bars = [{ size: pages * page, trap: [] }] as const;
  await using card = await plugAlone({ bars }, {});
  const path = functionPath(card.address, "resource0");
  using driver = await UserDriver.map(path, pages * page);
  const memory = memoryOf(card.device);
  // Not in their order, so that their memory is not either.
  for (let n = 0; n < pages; n++) {
    const at = n * 7 % pages * page;
    memory.setUint32(at, at + 1, true);
    memory.setUint32(at + page - 4, at + 2, true);
  }
  for (let at = page; at < pages * page; at += page) {
    const both = BigInt(at + 1) << 32n | BigInt(at - page + 2);
    assert.equal(await driver.run("syscall", "memread", at - 4), both);
    await driver.run("syscall", "memwrite", at - 4);
    assert.equal(memory.getBigUint64(at - 4, true), 0x1122_3344_5566_7788n);
  }
});

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
    assert.equal(await driver.read(8), 0);
    // A load is not repeated, so none was made that could not be stored.
    assert.deepEqual(heard, [["read", 8, 4]]);
  },
);

guestTest(
  "a user-space driver that waits for the model can be killed",
  async () => {
    const device = await open({ ...plain, timeout: 300_000 });
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: ended, resolve: goOn } = Promise.withResolvers<void>();
    const served = (async () => {
      for await (const event of device) {
        if (event.kind !== "read") continue;
        ask();
        // Else the loop's next turn would complete it.
        await ended;
        assert.equal(event.complete(1), false, "nobody waits for it");
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
    await asked;
    await sleep(50);
    driver.kill();
    assert.equal(await driver.ended, "SIGKILL");
    goOn();
    // It is not the model's fault.
    assert.equal(device.counters.timeouts, 0);
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
    for (const name of ["memread", "memwrite"]) {
      assert.equal(await driver.try("syscall", name, 3 * page), "errno 5");
    }
    await driver.write(4, 1);
    execFileSync("setpci", ["-s", card.address, "COMMAND=2"]);
    assert.equal(await driver.read(0), 0);
    assert.equal(await driver.read(3 * page), 0);
    assert.deepEqual(heard, [["read", 0, 4]]);
  },
);
