// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { path as atomicRead } from "./atomic_read.ts";
import { path as declaredRead } from "./declared_read.ts";
import { path as dmaCopy } from "./dma_copy.ts";
import { path as forAwaitRead } from "./for_await_read.ts";
import { path as handlerRead } from "./handler_read.ts";
import { path as idleLatency } from "./idle_latency.ts";
import { path as interrupt } from "./interrupt.ts";
import { path as kernelRead } from "./kernel_read.ts";
import { paths as manyDevices } from "./many_devices.ts";
import { path as postedWrite } from "./posted_write.ts";
import { path as visibleWrite } from "./visible_write.ts";

/** All that is measured, in the order of the table. */
export const paths: readonly Path[] = [
  postedWrite,
  kernelRead,
  declaredRead,
  handlerRead,
  atomicRead,
  forAwaitRead,
  visibleWrite,
  interrupt,
  dmaCopy,
  ...manyDevices,
  idleLatency,
];
