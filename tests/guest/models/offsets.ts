// SPDX-License-Identifier: MIT

/** Offsets of BAR 0 whose reads have an effect on `telling.ts`. */
export const offsets = {
  throw: 0x10,
  exit: 0x20,
  never: 0x30,
} as const;
