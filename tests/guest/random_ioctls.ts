// SPDX-License-Identifier: MIT

/**
 * Ioctls with anything at all in them.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { guestTest } from "./harness.ts";
import { times } from "./patience.ts";
import {
  address,
  errno,
  ioctls,
  loadRaw,
  rawPlug,
  set,
  struct,
} from "./raw.ts";

const count = times("BARKEEP_IOCTLS", { usual: 1_000_000, slow: 100_000 });
/** Calls of one open file; every other one has a device from the start. */
const each = 4000;
const seed = BigInt(process.env.BARKEEP_SEED || Date.now());

type Name = keyof typeof ioctls;
type Errno = keyof typeof errno;
const names = Object.keys(ioctls) as Name[];

/** What the header has for all of them, but for ENODEV. */
const common: readonly Errno[] = [
  "E2BIG",
  "EINVAL",
  "EOPNOTSUPP",
  "EFAULT",
  "ENOMEM",
];

/** What it has for each besides. */
const own: Record<Name, readonly Errno[]> = {
  info: [],
  plug: ["EBUSY", "ENOSPC", "EUSERS"],
  unplug: ["ENODEV"],
  wait: ["ENODEV", "ETIMEDOUT", "EINTR"],
  wake: ["ENODEV"],
  irq: ["ENODEV", "ERANGE", "EAGAIN", "EACCES"],
  config: ["ENODEV", "EPERM"],
  dma: ["ENODEV", "EACCES", "EINTR"],
};

/** Bytes of each struct as {@link validStructs} lays them out; errnos counted. */
const room = 96;
const errnos = 256;

/** A device with an interrupt pin, so that each ioctl can succeed. */
function plugStruct() {
  const plug = rawPlug();
  set(plug.config, 0x3c, 0x100);
  return plug;
}

/** A struct of each kind that is taken; `keep` is what they point to. */
function validStructs(): { bytes: Uint8Array; keep: unknown } {
  const bytes = new Uint8Array(names.length * room);
  const plug = plugStruct();
  const buffer = new Uint8Array(4096);
  for (const [kind, name] of names.entries()) {
    const one = name === "plug" ? plug.argument : struct(ioctls[name]);
    if (name === "irq") set(one, 8, 1); // the pin
    if (name === "config") {
      set(one, 12, 4);
      set(one, 16, address(buffer));
    }
    bytes.set(one, kind * room);
  }
  return { bytes, keep: [plug, buffer] };
}

/** How often a kind had each errno. */
function outcomesOf(
  outcomes: Uint32Array,
  kind: number,
): Map<number, number> {
  const row = outcomes.subarray(kind * errnos, (kind + 1) * errnos);
  const counts = Array.from(row, (times, error) => [error, times] as const);
  return new Map(counts.filter(([, times]) => times > 0));
}

guestTest(
  "random ioctls give errors that the header has for them, and harm nothing",
  async () => {
    const library = await loadRaw();
    const memory = library.raw_fenced(32768n);
    assert.ok(memory, "memory for the structs");
    const { bytes, keep } = validStructs();
    const outcomes = new Uint32Array((names.length + 1) * errnos);
    for (let done = 0; done < count; done += each) {
      const file = library.raw_open();
      assert.ok(file >= 0, `open: ${file}`);
      if (done / each % 2 === 0) {
        const { argument } = plugStruct();
        const plugged = library.raw_ioctl(file, ioctls.plug.number, argument);
        assert.equal(plugged, 0);
      }
      const calls = Math.min(each, count - done);
      const start = seed + BigInt(done);
      library.raw_random_ioctls(file, calls, bytes, memory, outcomes, start);
      library.raw_close(file);
    }
    assert.ok(keep);
    for (const [kind, name] of names.entries()) {
      const counts = outcomesOf(outcomes, kind);
      const allowed = [0, ...[...common, ...own[name]].map((e) => errno[e])];
      for (const error of counts.keys()) {
        assert.ok(allowed.includes(error), `${name}: errno ${error}`);
      }
      assert.ok(counts.get(0), `no ${name} got through`);
    }
    const none = outcomesOf(outcomes, names.length);
    assert.deepEqual([...none.keys()], [errno.ENOTTY], "numbers of none");
    const file = library.raw_open();
    const info = struct(ioctls.info);
    assert.equal(library.raw_ioctl(file, ioctls.info.number, info), 0);
    const wake = struct(ioctls.wake);
    const outcome = library.raw_ioctl(file, ioctls.wake.number, wake);
    assert.equal(outcome, -errno.ENODEV);
    library.raw_close(file);
  },
  { limit: 60 + count / 2000, seed },
);
