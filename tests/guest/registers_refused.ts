// SPDX-License-Identifier: MIT

/**
 * Declarations of registers that plug refuses, and the most that it takes.
 *
 * @module
 */
import assert from "node:assert/strict";
import { pcie } from "../../mod.ts";
import { guestTest } from "./harness.ts";
import {
  type CardOptions,
  type RawRegister,
  RegisterCard,
  tryPlug,
} from "./register_card.ts";
import { errno, ioctls, loadRaw, plugFields, rawPlug, set } from "./raw.ts";

const good: RawRegister = { offset: 0x10, width: 4, readable: 0xffn };

const refused: Record<string, {
  registers: RawRegister[];
  error?: number;
  options?: CardOptions;
}> = {
  "two that are the same": { registers: [good, good] },
  // Refused after them: what is left of them is found in the end.
  "a good one of a device without a vendor": {
    registers: [good],
    options: { spec: { id: { vendor: 0xffff, device: 1 } } },
  },
  "two that overlap": {
    registers: [good, { offset: 0x13, width: 1 }],
  },
  "a wide one around a narrow one": {
    registers: [{ offset: 0x12, width: 2 }, { offset: 0x10, width: 8 }],
  },
  "an array that runs into another register": {
    registers: [{ offset: 0, width: 4, count: 8, stride: 8 }, good],
  },
  "one behind the end of its BAR": { registers: [{ ...good, offset: 8192 }] },
  "one whose offset is beyond all": {
    registers: [{ ...good, offset: 2 ** 53 - 8 }],
  },
  "an array that runs over the end of its BAR": {
    registers: [{ ...good, count: 2048, stride: 4 }],
  },
  "an array whose stride is beyond all": {
    registers: [{ ...good, count: 65536, stride: 0xffff_fffc }],
  },
  "one in a BAR that is not there": { registers: [{ ...good, bar: 1 }] },
  "one in BAR 6": { registers: [{ ...good, bar: 6 }] },
  "one in BAR 2^32-1": { registers: [{ ...good, bar: 0xffff_ffff }] },
  "an offset that is no multiple of the width": {
    registers: [{ ...good, offset: 0x12 }],
  },
  "a stride that is no multiple of the width": {
    registers: [{ ...good, count: 2, stride: 6 }],
  },
  "an array without a stride": { registers: [{ ...good, count: 2 }] },
  "a stride of one that is no array": {
    registers: [{ ...good, stride: 4 }],
  },
  "an array of none": { registers: [{ ...good, count: 0 }] },
  "one in a page of memory": {
    registers: [good],
    options: { spec: { bars: [{ size: 8192, trap: [[4096, 4096]] }] } },
  },
  "one in a shadow page": {
    registers: [good],
    options: { spec: { bars: [{ size: 8192, shadow: [[0, 4096]] }] } },
  },
  "an array into a page of memory": {
    registers: [{ ...good, count: 2, stride: 4096 }],
    options: { spec: { bars: [{ size: 8192, trap: [[0, 4096]] }] } },
  },
  "one more than 4096 declarations": {
    registers: Array.from(
      { length: 4097 },
      (_, n) => ({ offset: n, width: 1 }),
    ),
  },
  "65537 elements in one array": {
    registers: [{ offset: 0, width: 1, count: 65537, stride: 1 }],
    options: { spec: { bars: [{ size: 1 << 20 }] } },
  },
  "65537 elements in two arrays": {
    registers: [
      { offset: 0, width: 1, count: 65536, stride: 1 },
      { offset: 65536, width: 1 },
    ],
    options: { spec: { bars: [{ size: 1 << 20 }] } },
  },
  "2^32-1 declarations": {
    registers: [good],
    options: { count: 0xffff_ffff },
  },
  "an unknown flag": {
    registers: [{ ...good, flags: 32 }],
    error: errno.EOPNOTSUPP,
  },
  "the last of the flags": {
    registers: [{ ...good, flags: 0x8000_0000 }],
    error: errno.EOPNOTSUPP,
  },
  "a reserved word": {
    registers: [{ ...good, reserved: 1 }],
    error: errno.EOPNOTSUPP,
  },
};

for (const width of [0, 3, 5, 6, 7, 16, 32, 0x8000_0000]) {
  refused[`a width of ${width}`] = {
    registers: [{ offset: 0, width }],
  };
}

const masks = [
  "reset",
  "readable",
  "write",
  "writeOneClear",
  "writeOneSet",
  "writeZeroClear",
  "readClear",
  "readSet",
] as const;

for (const mask of masks) {
  for (const width of [1, 2, 4]) {
    refused[`${mask} above a width of ${width}`] = {
      registers: [{ offset: 0, width, [mask]: 1n << BigInt(8 * width) }],
    };
  }
}

const exclusive = [masks.slice(2, 6), masks.slice(6)];

for (const names of exclusive) {
  for (const [index, first] of names.entries()) {
    for (const second of names.slice(index + 1)) {
      refused[`a bit in both ${first} and ${second}`] = {
        registers: [{
          offset: 0,
          width: 8,
          [first]: 3n << 62n,
          [second]: 1n << 63n,
        }],
      };
    }
  }
}

guestTest(
  "declarations of registers that make no sense are refused",
  async () => {
    for (
      const [name, { registers, options, error }] of Object.entries(refused)
    ) {
      const spec = { bars: [{ size: 8192 }], ...options?.spec };
      const { runtime, file, returned } = await tryPlug(
        registers,
        { ...options, spec },
      );
      try {
        assert.equal(-returned, error ?? errno.EINVAL, name);
      } finally {
        runtime.calls.barkeep_close(file);
      }
    }
  },
);

guestTest("declarations that are not there are EFAULT", async () => {
  const library = await loadRaw();
  const file = library.raw_open();
  const plug = rawPlug({ room: 24 });
  set(plug.argument, plugFields.registers, 8n);
  set(plug.argument, plugFields.registerCount, 1);
  const { number } = ioctls.plug;
  assert.equal(library.raw_ioctl(file, number, plug.argument), -errno.EFAULT);
  // Nothing of it is left: the file can still be plugged.
  set(plug.argument, plugFields.registerCount, 0);
  assert.equal(library.raw_ioctl(file, number, plug.argument), 0);
  library.raw_close(file);
});

guestTest("what can be declared together works together", async () => {
  // Masks that may share bits, registers back to back, a BAR full of them.
  await using card = await RegisterCard.plug([
    {
      offset: 0,
      width: 8,
      readable: 2n ** 64n - 1n,
      write: 1n << 63n,
      readClear: 1n << 63n,
      reset: 2n ** 64n - 1n,
    },
    ...Array.from({ length: 4096 - 8 }, (_, n) => ({
      offset: 8 + n,
      width: 1,
      readable: 0xffn,
      reset: BigInt(n & 0xff),
    })),
  ]);
  assert.equal(await card.read(0, 8), 2n ** 64n - 1n);
  assert.equal(await card.read(0, 8), 2n ** 63n - 1n);
  assert.equal(await card.read(8, 4), 0x0302_0100n);
  const last = 4096 - 8 - 4 & 0xff;
  for (let n = 0; n < 4; n++) {
    const at = 4096 - 4 + n;
    assert.equal(await card.read(at, 1), BigInt(last + n & 0xff), `${at}`);
  }
});

guestTest(
  "4096 declarations of 65536 elements are taken, and reset",
  async () => {
    const registers = Array.from({ length: 4096 }, (_, n) => ({
      offset: n * 4,
      width: 4,
      count: 16,
      stride: 16384,
      readable: 0xffff_ffffn,
      write: 0xffff_ffffn,
      reset: BigInt(n),
    }));
    await using card = await RegisterCard.plug(registers, {
      spec: { bars: [{ size: 1 << 18 }], capabilities: [pcie()] },
    });
    const last = 15 * 16384 + 4095 * 4;
    assert.equal(await card.read(last, 4), 4095n);
    await card.write(last, 4, 0n);
    await card.while(card.driver.run("reset"));
    assert.equal(await card.read(last, 4), 4095n);
    assert.equal(card.memory.getUint32(4 * 77, true), 77);
  },
);
