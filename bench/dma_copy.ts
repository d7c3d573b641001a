// SPDX-License-Identifier: MIT
import type { DmaSegment } from "../mod.ts";
import { copyBytes, type Path, timed } from "./path.ts";
import { main } from "./run.ts";

/** Of one call: as many in either direction. */
const segments = 16;

/** One segment of 64 KiB, where one call has many. */
export const path: Path = {
  title: "DMA of 64 KiB",
  scene: "handlers",
  how: {
    by: "model",
    name: "dma",
    divisor: 20,
    sample({ device, buffer }, count) {
      const bytes = new Uint8Array(copyBytes);
      const copies = Array.from(
        { length: segments },
        (_, index): DmaSegment =>
          index % 2 === 0
            ? { from: buffer, to: bytes }
            : { from: bytes, to: buffer },
      );
      const times = timed(count, () => device.dma.copy(copies));
      return times.map((time) => time / segments);
    },
  },
  floors: ["memcpy"],
  contract: 1.25,
  runtime: true,
};

if (import.meta.main) await main([path]);
