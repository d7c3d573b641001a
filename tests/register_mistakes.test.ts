// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkSpec } from "../ffi/spec.ts";
import {
  BadSpec,
  bit,
  bits,
  type DeviceSpec,
  type RegisterMap,
} from "../mod.ts";
import { id, spec } from "./register_map.ts";

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

test("checkSpec() takes a map of every kind of register", () => {
  checkSpec({ ...spec });
  assert.deepEqual(mistakes({ a: { at: 0, reset: 3 } }), []);
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
  only(
    { a: { at: -4 } },
    /^a\.at is -4: offsets start at 0, use a multiple of its width, 4$/,
  );
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
    /^a\.fields\.two overlaps a\.fields\.one: a bit is in one of them at most$/,
  );
  only(
    { a: { at: 0, fields: { one: bit(0), two: bit(4), three: bits(5, 3) } } },
    /^a\.fields\.three overlaps a\.fields\.two:/,
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
