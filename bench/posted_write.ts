// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/**
 * A write that the driver does not wait for. The model looks at the entry that is
 * filled: how often depends on its runtime.
 */
export const path: Path = {
  title: "posted write",
  scene: "handlers",
  how: { by: "driver", name: "posted" },
  floors: ["fault"],
  contract: 1.15,
  runtime: true,
  oneCpu: true,
};

if (import.meta.main) await main([path]);
