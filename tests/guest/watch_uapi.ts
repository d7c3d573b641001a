// SPDX-License-Identifier: MIT

/**
 * `struct barkeep_watch`, by hand.
 *
 * @module
 */
import assert from "node:assert/strict";
import { abi } from "../../ffi/abi.ts";
import { guestTest } from "./harness.ts";
import {
  address,
  errno,
  ioctls,
  loadRaw,
  plugFields,
  rawPlug,
  set,
} from "./raw.ts";

/** Offsets in `struct barkeep_plug`, and the bytes that it has grown by. */
const field = { watches: 80, watchCount: 92, end: 96 } as const;

/** Offsets in `struct barkeep_watch`. */
const at = { offset: 0, bar: 8, width: 12, reserved: 16 } as const;

const memoryPolicy = 2;

interface RawWatch {
  readonly offset?: bigint;
  readonly bar?: number;
  readonly width?: number;
  readonly reserved?: number;
}

/** The errno of a plug whose BAR 0 has a page of memory and then one that traps. */
async function plugWith(
  watches: readonly RawWatch[],
  { count = watches.length, pointer }: { count?: number; pointer?: bigint } =
    {},
): Promise<number> {
  const raw = await loadRaw();
  const room = Math.max(0, field.end - ioctls.plug.size);
  const { argument, regions } = rawPlug({ room });
  set(regions, abi["region.policy"], memoryPolicy);
  set(argument, plugFields.regionCount, 1);
  const size = abi["sizeof watch"];
  const bytes = new Uint8Array(Math.max(1, watches.length) * size);
  watches.forEach(({ offset = 0n, bar = 0, width = 4, reserved = 0 }, n) => {
    set(bytes, n * size + at.offset, offset);
    set(bytes, n * size + at.bar, bar);
    set(bytes, n * size + at.width, width);
    set(bytes, n * size + at.reserved, reserved);
  });
  set(argument, field.watches, pointer ?? address(bytes));
  set(argument, field.watchCount, count);
  const device = raw.raw_open();
  const outcome = raw.raw_ioctl(device, ioctls.plug.number, argument);
  raw.raw_close(device);
  return Math.abs(outcome);
}

guestTest(
  "what a watch may not be is EINVAL, and what it is not EOPNOTSUPP",
  async () => {
    const page = 4096n;
    const invalid: RawWatch[][] = [
      [{ width: 0 }],
      [{ width: 3 }],
      [{ width: 16 }],
      [{ width: 0xffff_ffff }],
      [{ offset: 2n }],
      [{ offset: 4n, width: 8 }],
      [{ offset: page }],
      [{ offset: 2n * page }],
      [{ offset: 2n ** 64n - 4n }],
      [{ bar: 1 }],
      [{ bar: 6 }],
      [{ bar: 0xffff_ffff }],
      [{}, {}],
      [{ offset: 8n, width: 8 }, { offset: 12n }],
      [{ offset: 12n, width: 1 }, { offset: 8n, width: 8 }],
    ];
    for (const watches of invalid) {
      const what = watches.map(({ offset = 0n, bar, width }) =>
        `${offset}/${bar}/${width}`
      );
      assert.equal(await plugWith(watches), errno.EINVAL, what.join(" "));
    }
    assert.equal(await plugWith([{ reserved: 1 }]), errno.EOPNOTSUPP);
    for (const count of [5, 0xffff_ffff]) {
      assert.equal(await plugWith([], { count }), errno.EINVAL);
    }
    assert.equal(await plugWith([], { count: 1, pointer: 0n }), errno.EFAULT);
    const four = [0n, 4n, 8n, 4092n].map((offset) => ({ offset }));
    assert.equal(await plugWith(four), 0, "nothing of these was kept");
  },
);
