// SPDX-License-Identifier: MIT

/** `true` where the types are the same; `deno check` looks at it. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

/** Does not compile where the types differ. */
export function same<A, B>(_: Same<A, B>): void {}
