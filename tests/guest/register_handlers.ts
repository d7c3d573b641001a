// SPDX-License-Identifier: MIT

/**
 * What `on()` is told of accesses to declared registers, and what becomes of it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ModelFailed, on, registers } from "../../mod.ts";
import { eventually, guestTest, plug, sleep } from "./harness.ts";
import { patiently } from "./patience.ts";
import { deaf } from "./registers.ts";

guestTest("on() is told of writes, with the index in an array", async () => {
  const map = registers({
    doorbell: { at: 0x100, count: 8, stride: 8, access: "wo", tell: "write" },
    address: { at: 0x200, width: 8, tell: "write" },
    quiet: { at: 0x208 },
  });
  const told: unknown[] = [];
  const { heard, handlers } = deaf();
  const bars = [{ size: 4096, registers: map }] as const;
  await using card = await plug({ bars }, handlers);
  const { driver } = card;
  const regs = card.device.bars[0].registers;
  on(regs.doorbell, (...access) => void told.push(access));
  on(regs.address, { write: (...access) => void told.push(access) });
  await driver.write(0x100, 0xfedcba98);
  await driver.write(0x138, 7);
  await driver.write(0x10a, 0xabcd, { width: 2 });
  await driver.run("write", 0, 0x200, 8, "0x8000000000000001");
  await driver.write(0x204, 0x12345678);
  await driver.write(0x208, 1);
  await driver.write(0x10c, 1);
  await driver.read(0);
  assert.deepEqual(told, [
    [0xfedcba98, 0, 0b1111],
    [7, 7, 0b1111],
    [0xabcd0000, 1, 0b1100],
    [0x8000000000000001n, 0, 0xff],
    [0x12345678_00000000n, 0, 0xf0],
  ]);
  assert.equal(regs.address.value, 0x12345678_00000001n);
  assert.equal(regs.doorbell.at(1).value, 0xabcd0000);
  assert.deepEqual(heard, [
    ["write", 0x10c, 1, 4, 0, 0b1111],
    ["read", 0, 4, 0],
  ], "what is declared nowhere is the device's handlers'");
});

guestTest("on() answers reads that wait, each once", async () => {
  const map = registers({
    fifo: { at: 0, count: 2, access: "ro", wait: "read" },
    clock: { at: 8, width: 8, access: "ro", wait: "read" },
    slow: { at: 16, access: "ro", wait: "read" },
  });
  let next = 0;
  await using card = await plug({ bars: [{ size: 4096, registers: map }] });
  const { driver } = card;
  const regs = card.device.bars[0].registers;
  on(regs.fifo, { read: (index) => (index + 1) << 28 | ++next });
  on(regs.clock, { read: () => 0xfedcba98_76543210n });
  on(regs.slow, {
    async read() {
      await sleep(20);
      return -2;
    },
  });
  assert.equal(await driver.read(0), 0x10000001);
  assert.equal(await driver.read(4), 0x20000002);
  assert.equal(await driver.read(3, 1), 0x10);
  assert.equal(await driver.run("read", 0, 8, 8), "0xfedcba9876543210");
  assert.equal(await driver.read(12), 0xfedcba98);
  assert.equal(await driver.read(16), 0xfffffffe);
  assert.equal(next, 3);
});

guestTest("on() is told of reads that the kernel has answered", async () => {
  const map = registers({
    events: { at: 0, access: "rc", tell: "read" },
    wide: { at: 8, width: 8, access: "ro", reset: 5, tell: "both" },
  });
  const told: unknown[] = [];
  const { heard, handlers } = deaf();
  const bars = [{ size: 4096, registers: map }] as const;
  await using card = await plug({ bars }, handlers);
  const regs = card.device.bars[0].registers;
  regs.events.value = 0x80000010;
  on(regs.events, { read: (...access) => void told.push(access) });
  on(regs.wide, {
    read: (...access) => void told.push(access),
    write: (...access) => void told.push(access),
  });
  assert.equal(await card.driver.read(0), 0x80000010);
  assert.equal(await card.driver.read(1, 1), 0);
  await card.driver.run("read", 0, 8, 8);
  await card.driver.write(8, 9);
  await card.driver.read(0x100);
  assert.deepEqual(told, [
    [0, 0b1111, 0x80000010],
    [0, 0b0010, 0],
    [0, 0xff, 5n],
    [9n, 0, 0x0f],
  ]);
  assert.equal(heard.length, 1);
});

guestTest(
  "a write that waits completes when its handler's promise has settled",
  async () => {
    const map = registers({
      start: { at: 0, count: 2, wait: "write" },
      result: { at: 8, access: "ro" },
      wide: { at: 16, width: 8, wait: "write" },
    });
    await using card = await plug({ bars: [{ size: 4096, registers: map }] });
    const { driver } = card;
    const regs = card.device.bars[0].registers;
    on(regs.start, async (value, index) => {
      await sleep(20);
      regs.result.value = value + index;
    });
    on(regs.wide, (value) => void (regs.wide.value = ~value));
    for (let value = 1; value <= 3; value++) {
      await driver.write(0, value);
      assert.equal(await driver.read(8), value);
      await driver.write(4, value);
      assert.equal(await driver.read(8), value + 1);
    }
    await driver.run("write", 0, 16, 8, "0x00000000ffffffff");
    assert.equal(await driver.run("read", 0, 16, 8), "0xffffffff00000000");
    assert.equal(card.device.counters.timeouts, 0);
  },
);

guestTest(
  "a write that waits in vain goes on after the timeout, and is reported",
  async () => {
    const map = registers({ start: { at: 0, wait: "write" }, id: { at: 4 } });
    const bars = [{ size: 4096, registers: map }] as const;
    await using card = await plug({ bars, timeout: patiently(1000) });
    const regs = card.device.bars[0].registers;
    let calls = 0;
    on(regs.start, () => ++calls === 1 ? new Promise(() => {}) : undefined);
    await card.driver.write(0, 1);
    const fault = await card.told("fault");
    assert.deepEqual([fault.reason, fault.access], ["timeout", "write"]);
    assert.deepEqual([fault.register, fault.index], ["start", 0]);
    assert.equal(fault.offset, 0);
    assert.equal(card.device.counters.timeouts, 1);
    // The kernel waits for less once somebody has not answered.
    await card.driver.write(0, 2);
    await eventually(() => calls === 2, "the handler of the next write");
    assert.equal(regs.start.value, 2);
  },
);

guestTest(
  "told registers without a handler of their own are the device's handlers'",
  async () => {
    const map = registers({
      doorbell: { at: 0, tell: "write" },
      fifo: { at: 4, access: "ro", wait: "read" },
      wide: { at: 8, width: 8, wait: "both" },
      counter: { at: 16, access: "rc", tell: "read" },
    });
    const heard: unknown[] = [];
    const bars = [{ size: 4096, registers: map }] as const;
    await using card = await plug({ bars }, {
      read: (...access) => (heard.push(access), 0x77),
      write: (...access) => void heard.push(access),
      read64: (...access) => (heard.push(access), 0x8000_0000_0000_0001n),
      write64: (...access) => void heard.push(access),
    });
    await card.driver.write(1, 0xab, { width: 1 });
    assert.equal(await card.driver.read(4), 0x77);
    await card.driver.run("write", 0, 8, 8, 5);
    assert.equal(await card.driver.run("read", 0, 8, 8), "0x8000000000000001");
    await card.driver.read(16);
    assert.deepEqual(heard, [
      [0, 0xab00, 4, 0, 0b0010],
      [4, 4, 0],
      [8, 5n, 8, 0, 0xff],
      [8, 8, 0],
    ]);
  },
);

guestTest(
  "odd accesses to an exact register are the device's handlers'",
  async () => {
    const map = registers({
      id: { at: 0, access: "ro", reset: 0x010000ed, exact: true },
      wide: { at: 8, width: 8, exact: true, reset: 1 },
    });
    const { heard, handlers } = deaf();
    const bars = [{ size: 4096, registers: map }] as const;
    await using card = await plug({ bars }, handlers);
    const { driver } = card;
    assert.equal(await driver.read(0), 0x010000ed);
    assert.equal(await driver.read(0, 1), 0);
    assert.equal(await driver.read(2, 2), 0);
    assert.equal(await driver.run("read", 0, 0, 8), "0x0");
    await driver.write(8, 5);
    assert.equal(await driver.run("read", 0, 8, 8), "0x1");
    assert.deepEqual(heard, [
      ["read", 0, 1, 0],
      ["read", 2, 2, 0],
      ["read", 0, 4, 0],
      ["read", 4, 4, 0],
      ["write", 8, 5, 4, 0, 0b1111],
    ]);
  },
);

guestTest("two devices of one map have registers of their own", async () => {
  const map = registers({ one: { at: 0, tell: "write" } });
  const bars = [null, { size: 4096, registers: map }] as const;
  await using first = await plug({ bars });
  await using second = await plug({ bars });
  const told: string[] = [];
  on(first.device.bars[1].registers.one, () => void told.push("first"));
  on(second.device.bars[1].registers.one, () => void told.push("second"));
  await second.driver.write(0, 5, { bar: 1 });
  assert.equal(await second.driver.read(0, 4, { bar: 1 }), 5);
  assert.equal(await first.driver.read(0, 4, { bar: 1 }), 0);
  await second.driver.read(4, 4, { bar: 1 });
  assert.deepEqual(told, ["second"]);
});

guestTest("two BARs of one map have registers of their own", async () => {
  const map = registers({ one: { at: 0, tell: "write" } });
  const bar = { size: 4096, registers: map } as const;
  await using card = await plug({ bars: [bar, null, bar] as const });
  const [first, , second] = card.device.bars;
  const told: string[] = [];
  on(first.registers.one, () => void told.push("first"));
  on(second.registers.one, () => void told.push("second"));
  await card.driver.write(0, 1);
  await card.driver.write(0, 2, { bar: 2 });
  assert.equal(await card.driver.read(0), 1);
  assert.equal(await card.driver.read(0, 4, { bar: 2 }), 2);
  await card.driver.read(4);
  assert.deepEqual(told, ["first", "second"]);
});

guestTest(
  "a register's handler that throws unplugs the device, and is named",
  async () => {
    const map = registers({
      queue: { at: 0, count: 4, wait: "write" },
      fifo: { at: 0x40, access: "ro", wait: "read" },
    });
    const bars = [{ size: 4096, registers: map }] as const;
    const failure = async (offset: number): Promise<ModelFailed> => {
      await using card = await plug({ bars });
      const regs = card.device.bars[0].registers;
      on(regs.queue, () => {
        throw new Error("planted");
      });
      on(regs.fifo, { read: () => "seven" as never });
      const access = offset === 0x40
        ? card.driver.read(offset)
        : card.driver.write(offset, 1);
      await access.catch((error) => assert.match(String(error), /gone$/));
      const reason = await card.served.then(() => undefined, (error) => error);
      assert.ok(reason instanceof ModelFailed, String(reason));
      return reason;
    };
    assert.match((await failure(8)).message, /a write of queue\.at\(2\): plan/);
    assert.match(
      (await failure(0x40)).message,
      /a read of fifo: it returned seven \(string\); return -2\^31 to/,
    );
  },
);

guestTest("a register's handler that failed is not called again", async () => {
  const map = registers({ queue: { at: 0, count: 8, tell: "write" } });
  const bars = [{ size: 4096, registers: map }] as const;
  await using card = await plug({ bars });
  const heard: number[] = [];
  on(card.device.bars[0].registers.queue, async (_value, index) => {
    heard.push(index);
    // The others come meanwhile.
    await sleep(50);
    throw new Error("planted");
  });
  await card.driver.run("fill", 0, 0, 32, 1);
  await assert.rejects(card.served, /a write of queue\.at\(0\): planted/);
  await card.device.gone;
  assert.deepEqual(heard, [0]);
});

guestTest("on() refuses handlers that would hear of nothing", async () => {
  const map = registers({ plain: { at: 0 }, told: { at: 4, tell: "write" } });
  await using card = await plug({ bars: [{ size: 4096, registers: map }] });
  const regs = card.device.bars[0].registers;
  assert.throws(
    () => on(regs.plain, () => {}),
    /on\(plain\) would hear of no write: .* tell: "write" or wait: "write"/,
  );
  assert.throws(
    () => on(regs.told, { read: () => 0 }),
    /on\(told\) would hear of no read/,
  );
  assert.throws(
    () => on(regs.told, { wrote() {} } as never),
    /on\(told\) has a key "wrote" that means nothing: did you mean write\?/,
  );
});
