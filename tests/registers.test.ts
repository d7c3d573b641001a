// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { abi } from "../ffi/abi.ts";
import { layOutPlug } from "../ffi/plug.ts";
import { registerBank } from "../ffi/register_bank.ts";
import { checkWaits, RegisterEvents } from "../ffi/register_events.ts";
import { layOutRegisters } from "../ffi/register_layout.ts";
import type { KnownKeys } from "../ffi/registers.ts";
import { checkSpec } from "../ffi/spec.ts";
import {
  BadSpec,
  bit,
  bits,
  type Device,
  type DeviceSpec,
  type Handlers,
  type Model,
  on,
  open,
  type RegisterAccess,
  type RegisterArray,
  type RegisterMap,
  type RegisterOf,
  type Registers,
  registers,
  serve,
} from "../mod.ts";

const id = { vendor: 0x1234, device: 0xc0de };

const map = registers({
  id: { at: 0x00, access: "ro", reset: 0x010000ed },
  status: {
    at: 0x20,
    reset: 0x100,
    fields: {
      computing: bit(0, "ro"),
      mode: bits(6, 4),
      interrupt: bit(7, "w1c"),
    },
  },
  flags: { at: 0x24, width: 1, access: "w1s" },
  level: { at: 0x26, width: 2 },
  address: {
    at: 0x28,
    width: 8,
    reset: 0x8000_0000_0000_0000n,
    fields: { enable: bit(63), page: bits(51, 12), low: bits(11, 0, "rc") },
  },
  queue: { at: 0x1000, count: 64, stride: 8, access: "wo", tell: "write" },
});

const spec = { id, bars: [{ size: 8192, registers: map }] } as const;

/** The mistakes that are found in a map, without what comes before its name. */
function mistakes(
  specs: unknown,
  bar: Partial<Record<"size" | "trap" | "shadow", unknown>> = {},
): string[] {
  const registers = { specs } as RegisterMap;
  try {
    checkSpec({ id, bars: [{ size: 8192, ...bar, registers }] } as DeviceSpec);
    return [];
  } catch (error) {
    assert.ok(error instanceof BadSpec, String(error));
    return error.mistakes.map((mistake) => {
      assert.match(mistake, /^bars(\[0\]\.registers)? ?/);
      return mistake.replaceAll("bars[0].registers.", "");
    });
  }
}

function only(
  specs: unknown,
  expected: RegExp,
  bar?: Parameters<typeof mistakes>[1],
): void {
  const found = mistakes(specs, bar);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", expected);
}

/** The registers that are plugged, field by field of their struct. */
function plugged(map: RegisterMap): Record<string, bigint>[] {
  const { registers, numbers } = layOutPlug({
    id,
    bars: [null, { size: 8192, registers: map }],
  });
  const size = abi["sizeof register"];
  return Array.from({ length: numbers[5] ?? 0 }, (_, index) => {
    const view = new DataView(registers.buffer, index * size, size);
    const found: Record<string, bigint> = {};
    for (const [name, offset] of Object.entries(abi)) {
      if (!name.startsWith("register.")) continue;
      found[name.slice(9)] = offset < abi["register.bar"]
        ? view.getBigUint64(offset, true)
        : BigInt(view.getUint32(offset, true));
    }
    return found;
  });
}

function pluggedOne(
  specs: Parameters<typeof registers>[0],
): Record<string, bigint> {
  const [found = {}] = plugged(registers(specs));
  return found;
}

const zeros = {
  offset: 0n,
  reset: 0n,
  readable: 0n,
  write: 0n,
  write_one_clear: 0n,
  write_one_set: 0n,
  write_zero_clear: 0n,
  read_clear: 0n,
  read_set: 0n,
  bar: 1n,
  width: 4n,
  count: 1n,
  stride: 0n,
  flags: 0n,
};

test("a register is rw, of 4 bytes, 0 after reset, and told to nobody", () => {
  assert.deepEqual(pluggedOne({ control: { at: 8 } }), {
    ...zeros,
    offset: 8n,
    readable: 0xffff_ffffn,
    write: 0xffff_ffffn,
  });
});

test("each access type is its masks", () => {
  const masks: Record<RegisterAccess, Partial<typeof zeros>> = {
    rw: { readable: 0xffn, write: 0xffn },
    ro: { readable: 0xffn },
    wo: { write: 0xffn },
    w1c: { readable: 0xffn, write_one_clear: 0xffn },
    w1s: { readable: 0xffn, write_one_set: 0xffn },
    w0c: { readable: 0xffn, write_zero_clear: 0xffn },
    rc: { readable: 0xffn, read_clear: 0xffn },
    rs: { readable: 0xffn, read_set: 0xffn },
    reserved: {},
  };
  for (const [access, expected] of Object.entries(masks)) {
    const found = pluggedOne({
      one: { at: 0, width: 1, access: access as RegisterAccess },
    });
    assert.deepEqual(found, { ...zeros, width: 1n, ...expected }, access);
  }
});

test("fields have their own access, and bits of none are reserved", () => {
  const [, status, , , address] = plugged(map);
  assert.deepEqual(status, {
    ...zeros,
    offset: 0x20n,
    reset: 0x100n,
    readable: 0xf1n,
    write: 0x70n,
    write_one_clear: 0x80n,
  });
  assert.deepEqual(address, {
    ...zeros,
    offset: 0x28n,
    width: 8n,
    reset: 0x8000_0000_0000_0000n,
    readable: 0x800f_ffff_ffff_ffffn,
    write: 0x800f_ffff_ffff_f000n,
    read_clear: 0xfffn,
  });
});

test("an array is one register with a count and a stride", () => {
  const queue = plugged(map)[5];
  assert.deepEqual(queue, {
    ...zeros,
    offset: 0x1000n,
    write: 0xffff_ffffn,
    count: 64n,
    stride: 8n,
    flags: BigInt(abi.REGISTER_TELL_WRITE),
  });
  const dense = pluggedOne({ lane: { at: 0, width: 2, count: 3 } });
  assert.deepEqual([dense.count, dense.stride], [3n, 2n]);
  const one = pluggedOne({ lane: { at: 0, count: 1, stride: 64 } });
  assert.deepEqual([one.count, one.stride], [1n, 0n]);
});

test("tell, wait and exact are flags", () => {
  const flags = (spec: Record<string, unknown>): bigint | undefined =>
    pluggedOne({ one: { at: 0, ...spec } }).flags;
  assert.equal(flags({ tell: "read" }), 1n);
  assert.equal(flags({ tell: "write" }), 2n);
  assert.equal(flags({ tell: "both" }), 3n);
  assert.equal(flags({ wait: "read" }), 4n);
  assert.equal(flags({ wait: "write" }), 8n);
  assert.equal(flags({ wait: "both" }), 12n);
  assert.equal(flags({ tell: "write", wait: "read", exact: true }), 22n);
});

test("a device without registers plugs none", () => {
  const { registers, numbers } = layOutPlug({ id, bars: [{ size: 4096 }] });
  assert.equal(numbers[5], 0);
  assert.ok(registers.length > 0, "FFI wants an address");
});

test("a map prints as a table, by offset", () => {
  assert.equal(
    `${map}`,
    `
| offset       | name      | access | width | reset              | model       | fields                                        |
| ------------ | --------- | ------ | ----- | ------------------ | ----------- | --------------------------------------------- |
| 0x0000       | id        | ro     | 4     | 0x10000ed          |             |                                               |
| 0x0020       | status    | rw     | 4     | 0x100              |             | 0 computing (ro), 6:4 mode, 7 interrupt (w1c) |
| 0x0024       | flags     | w1s    | 1     | 0                  |             |                                               |
| 0x0026       | level     | rw     | 2     | 0                  |             |                                               |
| 0x0028       | address   | rw     | 8     | 0x8000000000000000 |             | 11:0 low (rc), 51:12 page, 63 enable          |
| 0x1000 + 8 i | queue[64] | wo     | 4     | 0                  | told: write |                                               |
`.trim(),
  );
  assert.match(
    String(registers({ b: { at: 4 }, a: { at: 0 } })),
    /^.*\n.*\n\| 0x00 .* a .*\n\| 0x04 .* b .*$/,
  );
  assert.match(
    String(
      registers({ a: { at: 0, wait: "read", tell: "write", exact: true } }),
    ),
    /\| waits: read, told: write, exact \|/,
  );
});

test("checkSpec() takes a map of every kind of register", () => {
  checkSpec({ ...spec });
  assert.deepEqual(mistakes({}), []);
  const interleaved = {
    head: { at: 0, count: 8, stride: 16 },
    tail: { at: 8, count: 8, stride: 16 },
    last: { at: 8188 },
  };
  assert.deepEqual(mistakes(interleaved), []);
});

test("checkSpec() refuses registers that overlap", () => {
  only(
    { a: { at: 0, width: 8 }, b: { at: 4 } },
    /^a and b overlap at 0x4: .*move one/,
  );
  only(
    { queue: { at: 0, count: 8, stride: 8 }, b: { at: 40, width: 1 } },
    /^queue and b overlap at 0x28/,
  );
  only(
    { wide: { at: 0, width: 8 }, in: { at: 1, width: 1 }, after: { at: 8 } },
    /^wide and in overlap at 0x1/,
  );
  assert.equal(
    mistakes({
      wide: { at: 0, width: 8 },
      one: { at: 0, width: 1 },
      two: { at: 4 },
    }).length,
    2,
  );
});

test("checkSpec() refuses registers outside their BAR", () => {
  only({ a: { at: 8192 } }, /^a ends at 0x2004, outside the BAR of 0x2000/);
  only(
    { a: { at: 0, count: 3, stride: 4096 } },
    /^a ends at 0x2004, outside the BAR/,
  );
});

test("checkSpec() refuses registers in pages that do not trap", () => {
  only(
    { a: { at: 4096 } },
    /^a has 0x1000 in a page that does not trap/,
    { trap: [[0, 4096]] },
  );
  only(
    { a: { at: 0, count: 2, stride: 4096 } },
    /^a has 0x1000 in a page that does not trap/,
    { shadow: [[4096, 4096]] },
  );
  assert.deepEqual(mistakes({ a: { at: 0 } }, { trap: [[0, 4096]] }), []);
});

test("checkSpec() refuses widths and offsets that no register has", () => {
  only({ a: { at: 0, width: 3 } }, /^a\.width is 3: use 1, 2, 4 or 8/);
  only({ a: { at: 0, width: 16 } }, /^a\.width is 16:/);
  only({ a: { at: 2 } }, /^a\.at is 2: use a multiple of its width, 4/);
  only({ a: { at: 4, width: 8 } }, /^a\.at is 4: .* 8/);
  only({ a: { at: -4 } }, /^a\.at is -4/);
  only({ a: { width: 4 } }, /^a\.at is missing: give its offset/);
});

test("checkSpec() refuses arrays whose registers have no place", () => {
  only({ a: { at: 0, width: 8, count: 2, stride: 4 } }, /^a\.stride is 4: .*8/);
  only({ a: { at: 0, count: 2, stride: 6 } }, /^a\.stride is 6/);
  only({ a: { at: 0, stride: 8 } }, /^a\.stride .*give count too/);
  only({ a: { at: 0, count: 0 } }, /^a\.count is 0: use 1 to 0x10000/);
});

test("checkSpec() refuses reset values outside their register", () => {
  only(
    { a: { at: 0, width: 1, reset: 256 } },
    /^a\.reset is 256: it has 8 bits, use 0 to 255/,
  );
  only({ a: { at: 0, reset: -1 } }, /^a\.reset is -1/);
  only({ a: { at: 0, width: 8, reset: 1n << 64n } }, /^a\.reset is 0x1/);
  only(
    { a: { at: 0, width: 8, reset: 2 ** 60 } },
    /^a\.reset .*a bigint where it is 2\^53 or more/,
  );
  only({ a: { at: 0, reset: 1.5 } }, /^a\.reset is 1\.5/);
});

test("checkSpec() refuses fields that overlap, or are outside their register", () => {
  only(
    { a: { at: 0, fields: { one: bits(4, 2), two: bit(4) } } },
    /^a\.fields\.two overlaps another field/,
  );
  only(
    { a: { at: 0, width: 1, fields: { one: bit(8) } } },
    /^a\.fields\.one has the bits 8 to 8: .*from 0 to 7/,
  );
  only(
    { a: { at: 0, fields: { one: bits(2, 3) } } },
    /low bit 3 above its high bit 2: .*bits\(3, 2\)/,
  );
  only(
    { a: { at: 0, fields: { one: 5 } } },
    /^a\.fields\.one is 5: use bit\(n\)/,
  );
  only({ a: { at: 0, fields: {} } }, /^a\.fields names no bits/);
});

test("checkSpec() refuses access types and keys that there are not", () => {
  only(
    { a: { at: 0, access: "r" } },
    /^a\.access is "r": use one of rw, ro, wo/,
  );
  only(
    { a: { at: 0, fields: { one: bit(0, "w" as "rw") } } },
    /^a\.fields\.one\.access is "w": use one of/,
  );
  only({ a: { at: 0, acces: "ro" } }, /"acces".*did you mean access\?/);
  only({ a: { at: 0, exact: 1 } }, /^a\.exact is 1/);
  only({ a: 5 }, /^a is 5: give \{ at, … \}/);
});

test("checkSpec() refuses names that objects have anyway", () => {
  for (const name of ["value", "set", "clear", "toString"]) {
    only(
      { a: { at: 0, fields: { [name]: bit(0) } } },
      new RegExp(`^a has a field "${name}", which objects have anyway`),
    );
  }
  assert.match(
    mistakes({ constructor: { at: 0 } })[0] ?? "",
    /has a register "constructor", which objects have anyway/,
  );
  assert.match(mistakes({ "a b": { at: 0 } })[0] ?? "", /letters and digits/);
});

test("checkSpec() refuses to tell of what waits, and to wait for nothing", () => {
  only({ a: { at: 0, tell: "reads" } }, /^a\.tell is "reads": use "read"/);
  only({ a: { at: 0, wait: true } }, /^a\.wait is true/);
  only({ a: { at: 0, tell: "read", wait: "read" } }, /leave tell out/);
  only({ a: { at: 0, tell: "write", wait: "both" } }, /leave tell out/);
  only({ a: { at: 0, tell: "both", wait: "read" } }, /use tell: "write"/);
  only({ a: { at: 0, access: "rc", wait: "read" } }, /use access: "ro"/);
  only({ a: { at: 0, access: "wo", wait: "both" } }, /nothing of it reads/);
  assert.deepEqual(
    mistakes({ a: { at: 0, tell: "read", wait: "write" } }),
    [],
  );
});

test("checkSpec() refuses more registers than the kernel takes", () => {
  const many = Array.from({ length: 4097 }, (_, n) => [`r${n}`, { at: 4 * n }]);
  const size = 1 << 20;
  only(Object.fromEntries(many), /4097 registers: at most 4096/, { size });
  only(
    {
      a: { at: 0, width: 1, count: 65536 },
      b: { at: 65536, width: 1 },
    },
    /65537 registers, counting those of arrays: at most 65536/,
    { size },
  );
});

test("checkSpec() lists all mistakes of a map at once, and refuses what is none", () => {
  const found = mistakes({
    a: { at: 2, access: "x", reset: -1, tell: "no" },
    b: { at: 0, width: 5 },
    c: { at: 16 },
    d: { at: 16, count: 2, stride: 2 },
  });
  assert.equal(found.length, 6, found.join("\n"));
  const plain = { id: { at: 0 } } as unknown as RegisterMap;
  assert.throws(
    () => checkSpec({ id, bars: [{ size: 4096, registers: plain }] }),
    /bars\[0\]\.registers is no map of registers: make one with registers\(\)/,
  );
});

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
  assert.throws(() => on(regs.queue, () => {}), /on\(\) was given what is no/);
  assert.throws(
    () => on(regs.queue.at(1), () => {}),
    /queue\.at\(1\) is one of an array: on\(queue, \(value, index\) => …\)/,
  );
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

/** `true` where the types are the same; `deno check` looks at it. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

function same<A, B>(_: Same<A, B>): void {}

test("a map types its registers, to the field", () => {
  type Regs = Registers<typeof map.specs>;
  same<
    keyof Regs,
    "id" | "status" | "flags" | "level" | "address" | "queue"
  >(true);
  same<Regs["id"]["value"], number>(true);
  same<Regs["address"]["value"], bigint>(true);
  same<Parameters<Regs["address"]["set"]>, [mask: bigint]>(true);
  same<
    keyof Regs["status"],
    "value" | "set" | "clear" | "computing" | "mode" | "interrupt"
  >(true);
  same<Regs["status"]["mode"], number>(true);
  same<Regs["address"]["enable"], number>(true);
  same<Regs["address"]["low"], number>(true);
  same<Regs["address"]["page"], bigint>(true);
  type Queue = (typeof map.specs)["queue"];
  same<Regs["queue"], RegisterArray<RegisterOf<Queue>>>(true);
  same<ReturnType<Regs["queue"]["at"]>["value"], number>(true);
});

test("a key of a register that means nothing is no type", () => {
  type Typo = { a: { at: 0; rest: 3 }; b: { at: 4; reset: 3 } };
  same<
    KnownKeys<Typo>,
    { a: { rest: never }; b: Record<never, never> }
  >(true);
  assert.deepEqual(mistakes({ a: { at: 0, reset: 3 } }), []);
});

test("open() and serve() give a model its registers typed", () => {
  const opened = async (): Promise<void> => {
    await using device = await open({
      id,
      bars: [{ size: 4096 }, null, { size: 8192, registers: map }],
    });
    same<keyof (typeof device.bars)[0], "buffer">(true);
    device.bars[2].registers.status.computing = 1;
    on(device.bars[2].registers.queue, (value, index) => {
      same<[typeof value, typeof index], [number, number]>(true);
    });
  };
  const nothingReturned = (): Promise<void> =>
    serve({
      ...spec,
      attach({ bars: [{ registers }] }) {
        registers.status.computing = 1;
      },
    });
  assert.equal(typeof nothingReturned, "function");
  const served = (): Promise<void> =>
    serve({
      ...spec,
      attach({ bars: [{ registers }] }) {
        on(registers.address, {
          write(value) {
            same<typeof value, bigint>(true);
          },
        });
        registers.address.page = 5n;
        return { read: () => registers.status.mode };
      },
    });
  assert.equal(typeof opened, typeof served);
});

test("a device types its BARs by their maps", () => {
  type Bars = Device<typeof spec.bars>["bars"];
  same<Bars[0]["registers"], Registers<typeof map.specs>>(true);
  same<keyof Bars[1], "buffer">(true);
  same<keyof Device["bars"][0], "buffer">(true);
  const model = {
    ...spec,
    attach({ bars: [{ registers }] }) {
      same<typeof registers, Registers<typeof map.specs>>(true);
      return { read: () => registers.id.value };
    },
  } satisfies Model<typeof spec.bars>;
  const any: Model = model;
  assert.equal(any.id, id);
});
