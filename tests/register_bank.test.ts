// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { registerBank } from "../ffi/register_bank.ts";
import { checkWaits, RegisterEvents } from "../ffi/register_events.ts";
import { layOutRegisters } from "../ffi/register_layout.ts";
import { bits, type Handlers, on, type Registers, registers } from "../mod.ts";
import { id, map } from "./register_map.ts";
import { same } from "./same.ts";

function bank(): { regs: Registers<typeof map.specs>; view: DataView } {
  const buffer = new ArrayBuffer(8192);
  return { regs: registerBank(map, buffer), view: new DataView(buffer) };
}

test("a register's value is the BAR's memory, unsigned and little-endian", () => {
  const { regs, view } = bank();
  regs.id.value = -2;
  assert.equal(view.getUint32(0, true), 0xffff_fffe);
  assert.equal(regs.id.value, 0xffff_fffe);
  regs.flags.value = 0x1ff;
  assert.equal(view.getUint16(0x24, true), 0xff);
  regs.level.value = 0x8001;
  assert.equal(view.getUint32(0x24, true), 0x8001_00ff);
  regs.address.value = -1n;
  assert.equal(view.getBigUint64(0x28, true), 0xffff_ffff_ffff_ffffn);
  view.setBigUint64(0x28, 5n, true);
  assert.equal(regs.address.value, 5n);
});

test("set() and clear() change the bits of their mask only", () => {
  const { regs } = bank();
  regs.id.value = 0x8000_00f0;
  regs.id.set(0x0f);
  assert.equal(regs.id.value, 0x8000_00ff);
  regs.id.clear(0x8000_000f);
  assert.equal(regs.id.value, 0xf0);
  regs.flags.set(0x81);
  regs.flags.clear(1);
  assert.equal(regs.flags.value, 0x80);
  assert.equal(regs.level.value, 0);
  regs.address.set(0x8000_0000_0000_0001n);
  regs.address.clear(1n);
  assert.equal(regs.address.value, 0x8000_0000_0000_0000n);
});

test("a field is its bits, and leaves the others alone", () => {
  const { regs } = bank();
  regs.status.value = 0xffff_ff0e;
  regs.status.mode = 5;
  assert.equal(regs.status.value, 0xffff_ff5e);
  assert.equal(regs.status.mode, 5);
  regs.status.interrupt = 1;
  regs.status.computing = 1;
  assert.equal(regs.status.value, 0xffff_ffdf);
  regs.status.mode = 0;
  regs.status.computing = 0;
  assert.equal(regs.status.value, 0xffff_ff8e);
  assert.equal(regs.status.interrupt, 1);
});

test("a field of 8 bytes is a bigint only where it has more than 32 bits", () => {
  const { regs } = bank();
  regs.address.low = 0xfff;
  regs.address.page = 0xab_cdef_0123n;
  regs.address.enable = 1;
  assert.equal(regs.address.value, 0x800a_bcde_f012_3fffn);
  assert.equal(regs.address.page, 0xab_cdef_0123n);
  assert.equal(regs.address.low, 0xfff);
  assert.equal(regs.address.enable, 1);
  const halves = registers({
    both: { at: 8, width: 8, fields: { low: bits(31, 0), high: bits(63, 32) } },
  });
  const { both } = registerBank(halves, new ArrayBuffer(4096));
  same<[typeof both.low, typeof both.high], [number, number]>(true);
  both.high = 0xffff_fffe;
  both.low = 0x8000_0000;
  assert.equal(both.value, 0xffff_fffe_8000_0000n);
  assert.deepEqual([both.high, both.low], [0xffff_fffe, 0x8000_0000]);
  const longer = registers({
    one: { at: 8, width: 8, fields: { low: bits(32, 0), high: bits(63, 33) } },
  });
  const { one } = registerBank(longer, new ArrayBuffer(4096));
  same<[typeof one.low, typeof one.high], [bigint, number]>(true);
  one.low = 0x1_8000_0000n;
  assert.deepEqual([one.low, one.high], [0x1_8000_0000n, 0]);
});

test("a whole 32-bit register can be a field", () => {
  const whole = registers({ one: { at: 0, fields: { all: bits(31, 0) } } });
  const { one } = registerBank(whole, new ArrayBuffer(4096));
  for (const value of [0, 0x8000_0001, 0xffff_ffff]) {
    one.all = value;
    assert.equal(one.all, value);
  }
});

test("an array's registers are apart by their stride", () => {
  const { regs, view } = bank();
  assert.equal(regs.queue.length, 64);
  regs.queue.at(3).value = 7;
  assert.equal(view.getUint32(0x1018, true), 7);
  assert.equal(regs.queue.at(3), regs.queue.at(3));
  for (const index of [-1, 64, 1.5]) {
    assert.throws(() => regs.queue.at(index), /no queue\.at\(.*0 to 63/);
  }
});

test("an array of registers has no value of its own", () => {
  const { regs } = bank();
  const queue = regs.queue as { value?: number };
  assert.throws(() => queue.value = 1, {
    name: "TypeError",
    message: /^queue is an array of registers .*: use queue\.at\(i\)$/,
  });
  assert.throws(() => queue.value, /use queue\.at\(i\)/);
  assert.deepEqual(Object.keys(queue), ["length", "at"]);
});

test("a register refuses values that it cannot hold", () => {
  const { regs } = bank();
  assert.throws(() => regs.id.value = 2 ** 32, RangeError);
  assert.throws(() => regs.id.set(1.5), /cannot put 1\.5 \(number\) into id/);
  assert.throws(() => regs.id.value = 1n as never, TypeError);
  assert.throws(() => regs.address.value = 1 as never, /give it a bigint/);
  assert.throws(
    () => regs.status.mode = 8,
    /cannot put 8 \(number\) into status\.mode: give it a number from 0 to 7/,
  );
  assert.throws(() => regs.status.mode = -1, RangeError);
  assert.throws(() => regs.status.mode = true as never, TypeError);
  assert.throws(() => regs.address.page = 1n << 40n, RangeError);
  assert.throws(() => regs.address.page = 1 as never, TypeError);
  assert.throws(() => regs.queue.at(0).value = NaN, /queue\.at\(0\)/);
  assert.throws(() => (regs as { id: unknown }).id = 0, TypeError);
  assert.equal(regs.status.value, 0);
});

test("on() refuses what is not plugged, or one register of an array", () => {
  const { regs } = bank();
  assert.throws(
    () => on(regs.queue, () => {}),
    /on\(\) was given an object, which is no register of a plugged device/,
  );
  assert.throws(
    () => on(regs.queue.at(1), () => {}),
    /queue\.at\(1\) is one of an array: on\(queue, \(value, index\) => …\)/,
  );
});

test("on() names registers that there are", () => {
  const { regs } = bank();
  const bars = [{ size: 8192, registers: map }];
  new RegisterEvents(layOutRegisters({ id, bars })).own(0, regs);
  const typo = (regs as Record<string, unknown>)["quue"] as typeof regs.queue;
  assert.throws(
    () => on(typo, () => {}),
    /given undefined, .*: give it one of a BAR's registers \(.*\bqueue\b.*\)/,
  );
  assert.throws(() => on(regs.status.mode as never, () => {}), /was given 0,/);
});

test("reads that wait for a model that answers none are a mistake", () => {
  const waiting = registers({
    a: { at: 0, wait: "both" },
    b: { at: 4, wait: "read" },
    wide: { at: 8, width: 8, wait: "read" },
    written: { at: 16, wait: "write" },
    told: { at: 20, tell: "both" },
  });
  const found = (handlers: Handlers): string[] => {
    const mistakes: string[] = [];
    const say = (mistake: string): void => void mistakes.push(mistake);
    checkWaits(0, { specs: waiting.specs, bank: regs, handlers, say });
    return mistakes.map((mistake) => mistake.split(" waits")[0] ?? "");
  };
  const regs = registerBank(waiting, new ArrayBuffer(4096));
  const bars = [{ size: 4096, registers: waiting }];
  new RegisterEvents(layOutRegisters({ id, bars })).own(0, regs);
  const [a, b, wide] = ["a", "b", "wide"].map((n) => `bars[0].registers.${n}`);
  assert.deepEqual(found({}), [a, b, wide]);
  on(regs.a, () => {});
  assert.deepEqual(found({}), [a, b, wide], "writes are not reads");
  on(regs.a, { read: () => 1 });
  assert.deepEqual(found({}), [b, wide]);
  assert.deepEqual(found({ read: () => 0 }), [wide]);
  assert.deepEqual(found({ read: () => 0, read64: () => 0n }), []);
});
