// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { path as handlerRead } from "./handler_read.ts";
import { path as kernelRead } from "./kernel_read.ts";
import { path as postedWrite } from "./posted_write.ts";
import { main } from "./run.ts";

/** The ways an access can go, with 64 devices plugged against one. */
export const paths: readonly Path[] = [postedWrite, kernelRead, handlerRead]
  .map((path) => ({
    ...path,
    title: `${path.title}: 64 devices`,
    scene: "crowd",
    against: "handlers",
    floors: path.floors.map((floor) => floor === "fault" ? "irq_work" : floor),
    contract: 1.2,
    runtime: false,
    oneCpu: false,
  }));

if (import.meta.main) await main(paths);
