// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A read of a `shadow` page, which no model is asked about. */
export const path: Path = {
  title: "read, answered by the kernel",
  scene: "handlers",
  how: { by: "driver", name: "shadow" },
  floors: ["fault"],
  contract: 1.15,
  oneCpu: true,
};

if (import.meta.main) await main([path]);
