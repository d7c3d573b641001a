// SPDX-License-Identifier: MIT
import { path as kernelRead } from "./kernel_read.ts";
import type { Path } from "./path.ts";
import { main } from "./run.ts";

/** The access that does least, through one of 4,096 mappings against the only one. */
export const path: Path = {
  ...kernelRead,
  title: `${kernelRead.title}: 4,096 mappings`,
  scene: "mapped",
  against: "handlers",
  floors: ["irq_work"],
  how: { by: "driver", name: "mapped" },
  contract: 1.2,
  oneCpu: false,
};

if (import.meta.main) await main([path]);
