// SPDX-License-Identifier: MIT
import process from "node:process";
import type { Device } from "../mod.ts";

/** What was measured of one thing in one round, in nanoseconds. */
export interface Sample {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
  /** Iterations measured. */
  readonly count: number;
}

/**
 * The devices that are plugged while a path is measured:
 *
 * - `handlers`: one, whose model is handlers
 * - `loop`: one, whose model is a `for await` loop
 * - `crowd`: as `handlers`, and 63 more of the same process, mapped and idle
 * - `mapped`: as `handlers`, with 4,096 mappings of one of its pages
 */
export type Scene = "handlers" | "loop" | "crowd" | "mapped";

/** What the model's process has at hand to measure with. */
export interface Stage {
  readonly device: Device;
  /** The device's page of memory, which the driver writes. */
  readonly memory: Uint32Array;
  /** Bus address of the memory that the driver has mapped for DMA. */
  readonly buffer: number;
  /** The cheapest call into the kernel, by the way that all calls take. */
  readonly callKernel: () => void;
}

/** How one thing is measured. */
export type How = ByDriver | ByModel;

interface Measurement {
  /** Name in a round. */
  readonly name: string;
  /** Iterations are divided by this, for what takes long (default 1). */
  readonly divisor?: number;
}

/** By the bench driver, which has a path of this name. */
export interface ByDriver extends Measurement {
  readonly by: "driver";
}

/** By the model's process, which does it so many times. */
export interface ByModel extends Measurement {
  readonly by: "model";
  /** The driver's CPU is to be awake. */
  readonly awake?: boolean;
  /** Returns nanoseconds, each of one iteration. */
  readonly sample: (stage: Stage, count: number) => number[];
}

/** Bytes that floor and path copy. */
export const copyBytes = 65536;

/** Offsets in {@link Stage.memory}, in words. */
export const memoryWord = { counter: 0, interrupts: 1 } as const;

/** What the machine itself takes for the parts that accesses are made of. */
export const floors = {
  fault: { title: "fault", how: { by: "driver", name: "fault" } },
  handoff: { title: "handoff", how: { by: "driver", name: "handoff" } },
  memcpy: { title: "memcpy of 64 KiB", how: { by: "driver", name: "memcpy" } },
  irq_work: {
    title: "irq_work to self",
    how: { by: "driver", name: "irq_work" },
  },
  syscall: {
    title: "syscall by FFI",
    how: {
      by: "model",
      name: "syscall",
      sample: ({ callKernel }, count) => timed(count, callKernel),
    },
  },
} as const satisfies Record<string, { title: string; how: How }>;

/** The name of a floor. */
export type Floor = keyof typeof floors;

/** A floor, and whether one CPU is enough to measure it. */
export const oneCpuFloors: readonly Floor[] = ["fault", "irq_work"];

/** What the clock itself takes, in every sample of the driver. */
export const clock: ByDriver = { by: "driver", name: "nothing" };

/** A way that an access, an interrupt or a copy takes, and what it may cost. */
export interface Path {
  readonly title: string;
  readonly scene: Scene;
  readonly how: How;
  /** What it is compared with: the sum of these. */
  readonly floors: readonly Floor[];
  /**
   * Compares it with itself in another scene instead, where the floors correct
   * for what the machine did meanwhile. Not by `fault`: with the module loaded,
   * that is a look among all mappings as well.
   */
  readonly against?: Scene;
  /** p50 is to be at most so many times the floors; without, it is reported. */
  readonly contract?: number;
  /** The runtime has a part in it; then Deno may take 1.5 times as long. */
  readonly runtime?: boolean;
  /** One CPU is enough, so that its instructions can be counted. */
  readonly oneCpu?: boolean;
}

/**
 * Times something, over and over.
 *
 * @returns Nanoseconds of each time.
 *
 * @example
 * ```ts
 * const times = timed(1000, () => device.config.read32(0));
 * ```
 */
export function timed(count: number, act: () => void): number[] {
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const before = process.hrtime.bigint();
    act();
    times.push(Number(process.hrtime.bigint() - before));
  }
  return times;
}
