// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { abi } from "../ffi/abi.ts";
import { layOutPlug } from "../ffi/plug.ts";
import { type RegisterAccess, type RegisterMap, registers } from "../mod.ts";
import { id, map } from "./register_map.ts";

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
