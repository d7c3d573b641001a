// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A write, until the driver sees in memory what the model made of it. */
export const path: Path = {
  title: "write, handler, visible",
  scene: "handlers",
  how: { by: "driver", name: "doorbell" },
  floors: ["fault", "handoff"],
  contract: 2,
  runtime: true,
};

if (import.meta.main) await main([path]);
