// SPDX-License-Identifier: MIT

/**
 * What an access costs: the paths of {@link paths} and no others.
 *
 * ```sh
 * bun bench/trap.ts --json trap.json
 * ```
 *
 * @module
 */
import type { Path } from "./path.ts";
import { path as atomicRead } from "./atomic_read.ts";
import { path as declaredRead } from "./declared_read.ts";
import { path as forAwaitRead } from "./for_await_read.ts";
import { path as handlerRead } from "./handler_read.ts";
import { path as kernelRead } from "./kernel_read.ts";
import { path as postedWrite } from "./posted_write.ts";
import { main } from "./run.ts";
import { path as visibleWrite } from "./visible_write.ts";

/** The ways that an access takes, in the order of the table. */
export const paths: readonly Path[] = [
  postedWrite,
  kernelRead,
  declaredRead,
  handlerRead,
  atomicRead,
  forAwaitRead,
  visibleWrite,
];

if (import.meta.main) await main(paths);
