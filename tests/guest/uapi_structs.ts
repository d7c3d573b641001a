// SPDX-License-Identifier: MIT

/**
 * Structs of `/dev/barkeep` as its header forbids: sizes, flags, reserved words, pointers.
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
  plugFields,
  rawPlug,
  set,
  struct,
} from "./raw.ts";
import { first, openFile, openPlugged, order, valid } from "./raw_device.ts";

guestTest("a struct of every size that is too short is EINVAL", async () => {
  using device = await openPlugged();
  for (const name of order) {
    const { number, size } = ioctls[name];
    const argument = struct({ size });
    for (let short = 0; short < (first[name] ?? size); short++) {
      set(argument, 0, short);
      const outcome = device.call(number, argument);
      assert.equal(outcome, -errno.EINVAL, `${name} ${short}`);
    }
  }
});

guestTest(
  "a struct of any size between its first version and now is taken",
  async () => {
    using device = await openPlugged();
    for (const name of order) {
      const { number, size } = ioctls[name];
      for (let short = first[name] ?? size; short < size; short++) {
        const argument = struct({ size });
        set(argument, 0, short);
        assert.equal(device.call(number, argument), valid[name], `${short}`);
      }
    }
    // What is behind its end is not looked at: it would be EFAULT.
    for (const short of [72, 73, 80, 87]) {
      using fresh = await openFile();
      const { argument } = rawPlug();
      set(argument, plugFields.registerCount, 1);
      set(argument, plugFields.watchCount, 1);
      set(argument, 0, short);
      const outcome = fresh.call(ioctls.plug.number, argument);
      assert.equal(outcome, 0, `${short}`);
    }
  },
);

guestTest(
  "a longer struct is taken if the excess is zero, else it is E2BIG",
  async () => {
    using device = await openPlugged();
    for (const name of order) {
      const { number, size } = ioctls[name];
      // Up to a page.
      for (const room of [8, 4096 - size]) {
        const argument = struct({ size }, { room });
        argument[size + room - 1] = 1;
        assert.equal(device.call(number, argument), -errno.E2BIG, name);
        argument[size + room - 1] = 0;
        assert.equal(device.call(number, argument), valid[name], name);
        if (name === "unplug") break;
      }
    }
  },
);

guestTest(
  "a struct of more than a page is E2BIG, whatever it holds",
  async () => {
    using device = await openPlugged();
    for (const name of order) {
      const { number, size } = ioctls[name];
      const argument = struct({ size }, { room: 8192 });
      assert.equal(device.call(number, argument), -errno.E2BIG, name);
    }
  },
);

guestTest("a plug by a longer struct of zeros plugs", async () => {
  using device = await openFile();
  const { argument } = rawPlug({ room: 64 });
  assert.equal(device.call(ioctls.plug.number, argument), 0);
});

/** Flags that the header has, by the ioctl's name. */
const flags: Partial<Record<keyof typeof ioctls, number>> = {
  plug: 1,
  unplug: 1,
  config: 1,
};

/** Each bit that is not among those that are known. */
const unknown = (known: number): number[] =>
  Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0)
    .filter((flag) => (flag & known) === 0);

guestTest("every flag that is not known is EOPNOTSUPP", async () => {
  using device = await openPlugged();
  for (const name of order) {
    const { number, size } = ioctls[name];
    for (const flag of unknown(flags[name] ?? 0)) {
      const argument = struct({ size });
      set(argument, 4, flag);
      const outcome = device.call(number, argument);
      assert.equal(outcome, -errno.EOPNOTSUPP, `${name} ${flag}`);
    }
  }
});

/** Structs that others point to: where their flags and reserved words are. */
const inner: Record<string, { flags?: [number, number]; reserved: number[] }> =
  {
    bars: { flags: [8, 3], reserved: [12] },
    regions: { flags: [24, 0], reserved: [28, 32, 36] },
    registers: { flags: [88, 31], reserved: [92, 96, 100] },
    watches: { reserved: [16, 20, 24, 28] },
    segments: { reserved: [28] },
  };

/** Words of a struct, set to what is not known there. */
function unknownWords(name: string): [at: number, value: number][] {
  const { flags, reserved } = inner[name]!;
  const bits = unknown(0);
  return [
    ...reserved.flatMap((at) => bits.map((bit) => [at, bit] as const)),
    ...(flags ? unknown(flags[1]).map((bit) => [flags[0], bit] as const) : []),
  ].map(([at, value]) => [at, value]);
}

guestTest(
  "unknown flags and reserved words in what a plug points to are EOPNOTSUPP",
  async () => {
    using fresh = await openFile();
    for (const name of ["bars", "regions", "registers", "watches"]) {
      const register = new Uint8Array(abi["sizeof register"]);
      set(register, 76, 4);
      set(register, 80, 1);
      const watch = new Uint8Array(abi["sizeof watch"]);
      set(watch, 12, 4);
      const plug = rawPlug();
      const memory = { bars: plug.bars, regions: plug.regions };
      const structs = { ...memory, registers: register, watches: watch };
      const argument = plug.argument;
      set(argument, plugFields.regionCount, 1);
      // A page of memory can be watched, one that traps have registers.
      set(plug.regions, 20, name === "watches" ? 2 : 0);
      set(argument, plugFields.registers, address(register));
      set(argument, plugFields.watches, address(watch));
      set(argument, plugFields.registerCount, name === "registers" ? 1 : 0);
      set(argument, plugFields.watchCount, name === "watches" ? 1 : 0);
      const changed = structs[name as keyof typeof structs];
      for (const [at, value] of unknownWords(name)) {
        const before = new DataView(changed.buffer).getUint32(at, true);
        set(changed, at, before | value);
        const outcome = fresh.call(ioctls.plug.number, argument);
        assert.equal(outcome, -errno.EOPNOTSUPP, `${name} ${at}: ${value}`);
        set(changed, at, before);
      }
      using other = await openFile();
      assert.equal(other.call(ioctls.plug.number, argument), 0, name);
    }
  },
);

guestTest("reserved words of a DMA segment are EOPNOTSUPP", async () => {
  using device = await openPlugged();
  const segment = new Uint8Array(abi["sizeof dma_segment"]);
  const dma = struct(ioctls.dma);
  set(dma, 8, address(segment));
  set(dma, 16, 1);
  for (const [at, value] of unknownWords("segments")) {
    set(segment, at, value);
    const outcome = device.call(ioctls.dma.number, dma);
    assert.equal(outcome, -errno.EOPNOTSUPP, `${value}`);
    set(segment, at, 0);
  }
});

/** Addresses where this process has nothing: low, not canonical, the kernel's. */
const nowhere = [
  8n,
  0x0000_7fff_ffff_f000n,
  0x0000_8000_0000_0000n,
  0x8000_0000_0000_0000n,
  0xffff_7fff_ffff_f000n,
  0xffff_8880_0000_1000n,
  0xffff_ffff_8100_0000n,
  2n ** 64n - 4096n,
  2n ** 64n - 1n,
];

guestTest("a pointer to nowhere is EFAULT", async () => {
  using device = await openPlugged();
  for (const name of order) {
    for (const at of [0n, ...nowhere]) {
      const outcome = device.callAt(ioctls[name].number, at);
      assert.equal(outcome, -errno.EFAULT, `${name} ${at.toString(16)}`);
    }
  }
});

guestTest("a pointer to nowhere inside a struct is EFAULT", async () => {
  using device = await openPlugged();
  using fresh = await openFile();
  for (const at of nowhere) {
    const where = at.toString(16);
    for (const flags of [0, 1]) {
      const config = struct(ioctls.config);
      set(config, 4, flags);
      set(config, 12, 4);
      set(config, 16, at);
      const outcome = device.call(ioctls.config.number, config);
      assert.equal(outcome, -errno.EFAULT, `config ${flags} ${where}`);
    }
    const dma = struct(ioctls.dma);
    set(dma, 8, at);
    set(dma, 16, 1);
    const outcome = device.call(ioctls.dma.number, dma);
    assert.equal(outcome, -errno.EFAULT, `segments ${where}`);
    for (
      const field of [
        "config",
        "writeMask",
        "clearMask",
        "notify",
        "bars",
        "regions",
        "registers",
        "watches",
      ] as const
    ) {
      const { argument } = rawPlug();
      set(argument, plugFields[field], at);
      set(argument, plugFields.regionCount, 1);
      set(argument, plugFields.registerCount, field === "registers" ? 1 : 0);
      set(argument, plugFields.watchCount, field === "watches" ? 1 : 0);
      const outcome = fresh.call(ioctls.plug.number, argument);
      assert.equal(outcome, -errno.EFAULT, `${field} ${where}`);
    }
  }
});
