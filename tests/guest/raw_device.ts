// SPDX-License-Identifier: MIT

/**
 * Device files opened and plugged without the library.
 *
 * @module
 */
import assert from "node:assert/strict";
import { eventually } from "./harness.ts";
import {
  errno,
  ioctls,
  loadRaw,
  plugFields,
  type RawPlug,
  rawPlug,
  struct,
} from "./raw.ts";

/** An open device file; nothing is plugged. */
export async function openFile() {
  const library = await loadRaw();
  const file = library.raw_open();
  assert.ok(file >= 0, `open: ${file}`);
  return {
    file,
    call: (number: number, argument: Uint8Array) =>
      library.raw_ioctl(file, number, argument),
    callAt: (number: number, address: bigint) =>
      library.raw_ioctl_at(file, number, address),
    map: (offset: bigint, bytes: number, options: {
      protection?: number;
      flags?: number;
      then?: number;
    } = {}) => {
      const { protection = 1, flags = 1, then = -1 } = options;
      return library.raw_map(
        file,
        offset,
        BigInt(bytes),
        protection,
        flags,
        then,
      );
    },
    [Symbol.dispose]: () => void library.raw_close(file),
  };
}

/** One with a device that nobody serves, and nobody accesses. */
export async function openPlugged(change: (plug: RawPlug) => void = () => {}) {
  const opened = await openFile();
  const plug = rawPlug();
  change(plug);
  assert.equal(opened.call(ioctls.plug.number, plug.argument), 0);
  await eventually(
    () => opened.call(ioctls.wait.number, struct(ioctls.wait)) === 0,
    "the first event",
  );
  const domain = new DataView(plug.argument.buffer)
    .getUint32(plugFields.domain, true);
  return { ...opened, domain };
}

/** What a struct needs to be taken by a device that is plugged. */
export const valid: Record<keyof typeof ioctls, number> = {
  info: 0,
  plug: -errno.EBUSY,
  unplug: 0,
  wait: 0,
  wake: 0,
  // It has neither vectors nor a pin, but the struct was read.
  irq: -errno.ERANGE,
  config: 0,
  dma: 0,
};

/** The ioctls; unplug last, since it ends the device. */
export const order = [
  "info",
  "plug",
  "wait",
  "wake",
  "irq",
  "config",
  "dma",
  "unplug",
] as const;

/** Bytes of the first version of a struct that has grown since. */
export const first: Partial<Record<keyof typeof ioctls, number>> = { plug: 72 };
