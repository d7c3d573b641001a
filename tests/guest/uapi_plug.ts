// SPDX-License-Identifier: MIT

/**
 * Plugs that make no sense, and those that just do.
 *
 * @module
 */
import assert from "node:assert/strict";
import { guestTest } from "./harness.ts";
import {
  errno,
  ioctls,
  plugFields,
  type RawPlug,
  rawPlug,
  set,
} from "./raw.ts";
import { openFile, openPlugged } from "./raw_device.ts";

/** Invalid plugs: what is wrong, and how to make it so. */
const invalid: [string, (plug: RawPlug) => void][] = [
  ["a BAR that is no power of two", ({ bars }) => set(bars, 0, 12288n)],
  ["a BAR below a page", ({ bars }) => set(bars, 0, 2048n)],
  ["a BAR that is too large", ({ bars }) => set(bars, 0, 1n << 29n)],
  ["a BAR as large as can be", ({ bars }) => set(bars, 0, 1n << 63n)],
  ["BARs that are too large together", ({ bars }) => {
    set(bars, 0, 1n << 28n);
    set(bars, 16, 4096n);
  }],
  ["flags on a BAR that is not there", ({ bars }) => set(bars, 16 + 8, 1)],
  ["a 64-bit BAR at index 5", ({ bars }) => {
    set(bars, 80, 4096n);
    set(bars, 88, 1);
  }],
  ["a BAR in the upper half of a 64-bit one", ({ bars }) => {
    set(bars, 8, 1);
    set(bars, 16, 4096n);
  }],
  ["the header type of a bridge", ({ config }) => set(config, 0x0c, 0x01_0000)],
  ["a multi-function header", ({ config }) => set(config, 0x0c, 0x80_0000)],
  ["a BAR register that is not 0", ({ config }) => set(config, 0x10, 8)],
  ["an Expansion ROM", ({ config }) => set(config, 0x30, 1)],
  ["an interrupt pin E", ({ config }) => set(config, 0x3c, 0x500)],
  ["a capability inside the header", ({ config }) => set(config, 0x34, 0x30)],
  ["a misaligned capability", ({ config }) => set(config, 0x34, 0x42)],
  ["a capability that leaves the list's part", ({ config }) => {
    set(config, 0x34, 0xf8);
    set(config, 0xf8, 0x10);
  }],
  ["a capability list that loops", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x5009);
    set(config, 0x50, 0x4009);
  }],
  ["a capability that is its own next", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x4009);
  }],
  ["capabilities that overlap", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x4401);
    set(config, 0x44, 0x09);
  }],
  ["MSI twice", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x6005);
    set(config, 0x60, 0x05);
  }],
  ["MSI with 128 vectors", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x000e_0005);
  }],
  ["an extended capability list that loops", ({ config }) => {
    set(config, 0x100, 0x2001_0003);
    set(config, 0x200, 0x1001_0003);
  }],
  ["a region past its BAR", ({ regions }) => set(regions, 0, 8192n)],
  ["a region that leaves its BAR", ({ regions }) => set(regions, 8, 12288n)],
  ["a region whose end overflows", ({ regions }) => {
    set(regions, 0, 4096n);
    set(regions, 8, 0xffff_ffff_ffff_f000n);
  }],
  ["a region of a part of a page", ({ regions }) => set(regions, 8, 2048n)],
  ["a region at a part of a page", ({ regions }) => set(regions, 0, 2048n)],
  ["an empty region", ({ regions }) => set(regions, 8, 0n)],
  ["a region of a BAR that is not there", ({ regions }) => set(regions, 16, 1)],
  ["a region of BAR 6", ({ regions }) => set(regions, 16, 6)],
  ["a policy that is not there", ({ regions }) => set(regions, 20, 3)],
  [
    "too many regions",
    ({ argument }) => set(argument, plugFields.regionCount, 1025),
  ],
  ...[0, 3, 128, 255, 131072, 2 ** 31].map((entries) =>
    [
      `a ring of ${entries}`,
      ({ argument }: RawPlug) => set(argument, plugFields.ringEntries, entries),
    ] as [
      string,
      (plug: RawPlug) => void,
    ]
  ),
  ["no timeout", ({ argument }) => set(argument, plugFields.timeout, 0)],
  [
    "a timeout of over ten minutes",
    ({ argument }) => set(argument, plugFields.timeout, 600_000_001),
  ],
];

guestTest(
  "a plug that makes no sense is EINVAL, and the file can still plug",
  async () => {
    using device = await openFile();
    for (const [what, change] of invalid) {
      const plug = rawPlug();
      set(plug.argument, plugFields.regionCount, 1);
      change(plug);
      const outcome = device.call(ioctls.plug.number, plug.argument);
      assert.equal(outcome, -errno.EINVAL, what);
    }
    const plug = rawPlug();
    set(plug.argument, plugFields.regionCount, 1);
    assert.equal(device.call(ioctls.plug.number, plug.argument), 0);
  },
);

guestTest("the limits themselves are taken", async () => {
  const limits: ((plug: RawPlug) => void)[] = [
    ({ argument }) => set(argument, plugFields.ringEntries, 65536),
    ({ argument }) => set(argument, plugFields.timeout, 600_000_000),
    ({ bars }) => set(bars, 0, 4096n),
    ({ bars }) => set(bars, 80, 4096n),
    ({ config }) => {
      set(config, 0x34, 0xfc);
      set(config, 0xfc, 0x09);
    },
  ];
  for (const change of limits) {
    using _device = await openPlugged(change);
  }
});
