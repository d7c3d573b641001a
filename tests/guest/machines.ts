// SPDX-License-Identifier: MIT

/**
 * The machines on which cases run, by what is special about them.
 *
 * @module
 */

/** What a machine has. */
interface MachineSpec {
  readonly cpus: number;
  /** MiB. */
  readonly memory: number;
  /** Where the cases run, and with them the models of their process. */
  readonly model: string;
}

export const machines = {
  /** CPU 0 is the driver's, which may not let go of it. */
  two: { cpus: 2, memory: 1024, model: "1" },
  /** For what a driver does that keeps the model from running. */
  one: { cpus: 1, memory: 1024, model: "0" },
  /** For many drivers and many models at once. */
  four: { cpus: 4, memory: 6144, model: "1-3" },
} as const satisfies Record<string, MachineSpec>;

/** One of them. */
export type Machine = keyof typeof machines;
