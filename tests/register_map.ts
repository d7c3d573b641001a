// SPDX-License-Identifier: MIT

/**
 * A map of every kind of register, and a device with it.
 *
 * @module
 */
import { bit, bits, registers } from "../mod.ts";

/** Vendor and device. */
export const id = { vendor: 0x1234, device: 0xc0de };

/** The map. */
export const map = registers({
  id: { at: 0x00, access: "ro", reset: 0x010000ed },
  status: {
    at: 0x20,
    reset: 0x100,
    fields: {
      computing: bit(0, "ro"),
      mode: bits(6, 4),
      interrupt: bit(7, "w1c"),
    },
  },
  flags: { at: 0x24, width: 1, access: "w1s" },
  level: { at: 0x26, width: 2 },
  address: {
    at: 0x28,
    width: 8,
    reset: 0x8000_0000_0000_0000n,
    fields: { enable: bit(63), page: bits(51, 12), low: bits(11, 0, "rc") },
  },
  queue: { at: 0x1000, count: 64, stride: 8, access: "wo", tell: "write" },
});

/** The device. */
export const spec = { id, bars: [{ size: 8192, registers: map }] } as const;
