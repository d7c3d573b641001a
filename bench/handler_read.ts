// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A read that the model answers by a handler. */
export const path: Path = {
  title: "read, answered by a handler",
  scene: "handlers",
  how: { by: "driver", name: "answered" },
  floors: ["fault", "handoff"],
  contract: 1.5,
  runtime: true,
};

if (import.meta.main) await main([path]);
