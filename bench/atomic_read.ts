// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** The same where the driver has interrupts off. */
export const path: Path = {
  title: "the same, interrupts off",
  scene: "handlers",
  how: { by: "driver", name: "answered_atomic" },
  floors: ["fault", "handoff"],
  runtime: true,
};

if (import.meta.main) await main([path]);
