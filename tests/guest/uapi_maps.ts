// SPDX-License-Identifier: MIT

/**
 * Mappings of the device file.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { guestTest, plug } from "./harness.ts";
import { errno } from "./raw.ts";
import { openFile, openPlugged } from "./raw_device.ts";

/** Where the pieces of a device file are, as in its header. */
const pieces = {
  status: 0n,
  control: 1n << 40n,
  ring: 2n << 40n,
  completions: 3n << 40n,
  bar0: 8n << 40n,
} as const;

const sizes = {
  status: 4096,
  control: 4096,
  ring: 256 * 64,
  completions: 4096,
  bar0: 8192,
} as const;

const names = Object.keys(pieces) as (keyof typeof pieces)[];
const both = 3;
const shared = 1;
const privately = 2;

guestTest(
  "each piece of the file is mapped with its exact size only",
  async () => {
    using device = await openPlugged();
    for (const name of names) {
      const at = pieces[name];
      assert.equal(device.map(at, sizes[name]), 0, name);
      for (const bytes of [4096, 8192, 32768, sizes[name] * 2]) {
        if (bytes === sizes[name]) continue;
        assert.equal(device.map(at, bytes), -errno.EINVAL, `${name} ${bytes}`);
      }
      assert.equal(device.map(at + 4096n, sizes[name]), -errno.EINVAL, name);
    }
    for (const at of [4n, 7n, 9n, 13n, 14n, 100n].map((n) => n << 40n)) {
      assert.equal(device.map(at, 4096), -errno.EINVAL, at.toString(16));
    }
  },
);

guestTest(
  "what the kernel writes cannot be mapped writable, nor made so",
  async () => {
    using device = await openPlugged();
    for (const name of ["status", "ring"] as const) {
      const bytes = sizes[name];
      const at = pieces[name];
      assert.equal(device.map(at, bytes, { protection: both }), -errno.EPERM);
      assert.equal(device.map(at, bytes, { then: both }), -errno.EACCES);
      assert.equal(device.map(at, bytes, { then: 0 }), 0);
    }
    for (const name of ["control", "completions", "bar0"] as const) {
      const bytes = sizes[name];
      const at = pieces[name];
      assert.equal(device.map(at, bytes, { protection: both }), 0, name);
      assert.equal(device.map(at, bytes, { then: both }), 0, name);
    }
  },
);

guestTest("a model's children have none of its mappings", async () => {
  await using _ = await plug();
  const areas = readFileSync("/proc/self/smaps", "utf8")
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((area) => area.split("\n", 1)[0]?.endsWith(" /dev/barkeep"));
  assert.ok(areas.length >= names.length, String(areas.length));
  for (const area of areas) {
    assert.match(area, /^VmFlags:.* dc( |$)/m, "not to be copied by fork()");
  }
});

guestTest(
  "private mappings, and any before the plug, are refused",
  async () => {
    using device = await openPlugged();
    using fresh = await openFile();
    for (const name of names) {
      const at = pieces[name];
      assert.equal(
        device.map(at, sizes[name], { flags: privately }),
        -errno.EINVAL,
      );
      for (const protection of [1, both]) {
        const options = { protection, flags: shared };
        assert.equal(fresh.map(at, sizes[name], options), -errno.ENODEV, name);
      }
    }
  },
);
