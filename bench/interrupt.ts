// SPDX-License-Identifier: MIT
import { memoryWord, type Path, timed } from "./path.ts";
import { main } from "./run.ts";

/** Looks at the driver's counter before an interrupt counts as lost. */
const looks = 10_000_000;

/**
 * From `irq.raise()` until the model sees what the driver's handler has written
 * to memory. The handler runs on a CPU that is awake: out of its sleep it takes
 * as long as the machine takes.
 */
export const path: Path = {
  title: "MSI, driver's handler",
  scene: "handlers",
  how: {
    by: "model",
    name: "interrupt",
    awake: true,
    sample: ({ device, memory }, count) =>
      timed(count, () => {
        const seen = Atomics.load(memory, memoryWord.interrupts);
        device.irq.raise(0);
        for (let look = 0; look < looks; look++) {
          if (Atomics.load(memory, memoryWord.interrupts) !== seen) return;
        }
        throw new Error("the driver did not handle an interrupt");
      }),
  },
  floors: ["syscall", "irq_work"],
  contract: 2,
  runtime: true,
};

if (import.meta.main) await main([path]);
