// SPDX-License-Identifier: MIT

import process from "node:process";

const slowness = Number(process.env.BARKEEP_SLOW || 1);

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
  return time * slowness;
}

/**
 * How often something is done: as the environment says, or else as often as is
 * usual, or as is bearable where everything takes longer.
 *
 * @example
 * ```ts
 * const count = times("BARKEEP_STREAM", { usual: 1_000_000, slow: 20_000 });
 * ```
 */
export function times(
  variable: string,
  { usual, slow = usual }: { usual: number; slow?: number },
): number {
  const asked = process.env[variable];
  return asked ? Number(asked) : slowness > 1 ? slow : usual;
}
