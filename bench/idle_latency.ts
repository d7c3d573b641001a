// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A read by which a model is woken that sleeps: reported, not promised. */
export const path: Path = {
  title: "read, model asleep",
  scene: "handlers",
  how: { by: "driver", name: "answered_idle", divisor: 100 },
  floors: ["fault", "handoff"],
  runtime: true,
};

if (import.meta.main) await main([path]);
