// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A read that the model answers in a `for await` loop. */
export const path: Path = {
  title: "read, answered in for await",
  scene: "loop",
  how: { by: "driver", name: "answered" },
  floors: ["fault", "handoff"],
  contract: 2.5,
  runtime: true,
};

if (import.meta.main) await main([path]);
