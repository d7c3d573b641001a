// SPDX-License-Identifier: MIT
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** A read of a declared register, which the kernel answers too. */
export const path: Path = {
  title: "read of a declared register",
  scene: "handlers",
  how: { by: "driver", name: "declared" },
  floors: ["fault"],
  contract: 1.15,
  oneCpu: true,
};

if (import.meta.main) await main([path]);
