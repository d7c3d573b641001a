// SPDX-License-Identifier: MIT

/**
 * Ioctls with anything at all in them.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { guestTest } from "./harness.ts";
import { errno, ioctls, loadRaw, rawPlug, struct } from "./raw.ts";

const count = Number(process.env.BARKEEP_IOCTLS || 100_000);
/** Calls of one open file; every other one has a device from the start. */
const each = 4000;
const seed = BigInt(process.env.BARKEEP_SEED || Date.now());

guestTest(
  `${count} random ioctls give errors that the header names, and harm nothing`,
  async () => {
    const library = await loadRaw();
    const memory = library.raw_fenced(32768n);
    assert.ok(memory, "memory for the structs");
    let succeeded = 0;
    for (let done = 0; done < count; done += each) {
      const file = library.raw_open();
      assert.ok(file >= 0, `open: ${file}`);
      if (done / each % 2 === 0) {
        const { argument } = rawPlug();
        const plugged = library.raw_ioctl(file, ioctls.plug.number, argument);
        assert.equal(plugged, 0);
      }
      const calls = Math.min(each, count - done);
      const start = seed + BigInt(done);
      const outcome = library.raw_random_ioctls(file, calls, memory, start);
      library.raw_close(file);
      assert.ok(outcome >= 0, `errno ${-outcome} is not in the header`);
      succeeded += outcome;
    }
    assert.ok(succeeded > count / 1000, `only ${succeeded} got through`);
    const file = library.raw_open();
    const info = struct(ioctls.info);
    assert.equal(library.raw_ioctl(file, ioctls.info.number, info), 0);
    const wake = struct(ioctls.wake);
    const outcome = library.raw_ioctl(file, ioctls.wake.number, wake);
    assert.equal(outcome, -errno.ENODEV);
    library.raw_close(file);
  },
  { limit: 60 + count / 500, seed },
);
