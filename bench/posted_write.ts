// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A write that the driver does not wait for. */
export const path: Path = {
  title: "posted write",
  scene: "handlers",
  how: { by: "driver", name: "posted" },
  floors: ["fault"],
  contract: 1.15,
  oneCpu: true,
};

if (import.meta.main) await main([path]);
