// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { path as dmaCopy } from "./dma_copy.ts";
import { path as idleLatency } from "./idle_latency.ts";
import { path as interrupt } from "./interrupt.ts";
import { paths as manyDevices } from "./many_devices.ts";
import { path as manyMappings } from "./many_mappings.ts";
import { paths as traps } from "./trap.ts";

/** All that is measured, in the order of the table. */
export const paths: readonly Path[] = [
  ...traps,
  interrupt,
  dmaCopy,
  ...manyDevices,
  manyMappings,
  idleLatency,
];
