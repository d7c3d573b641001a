// SPDX-License-Identifier: MIT

/**
 * What accesses, interrupts and copies cost, against what the machine itself
 * takes for the parts they are made of.
 *
 * ```sh
 * bun bench/all.ts --json bench.json --svg bench.svg
 * ```
 *
 * @module
 */
import { paths } from "./paths.ts";
import { main } from "./run.ts";

if (import.meta.main) await main(paths);
