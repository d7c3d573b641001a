// SPDX-License-Identifier: MIT

import process from "node:process";

/**
 * A time in which something has to be done, in any unit: longer where
 * `BARKEEP_SLOW` says how many times as long as usual everything takes.
 *
 * @example
 * ```ts
 * const deadline = performance.now() + patiently(60_000);
 * ```
 */
export function patiently(time: number): number {
  return time * Number(process.env.BARKEEP_SLOW || 1);
}
