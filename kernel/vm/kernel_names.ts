// SPDX-License-Identifier: GPL-2.0-only

/**
 * What `--kernel` understands, on every command line.
 *
 * @example
 * ```ts
 * console.log(`there are ${kernelNames.join(", ")}`);
 * ```
 */
export const kernelNames = ["6.1", "6.12", "debug", "host"] as const;

/** One of {@link kernelNames}. */
export type KernelName = (typeof kernelNames)[number];

/** The kernel where nobody asks for another. */
export const defaultKernel: KernelName = "6.12";

/** Whether there is a kernel of this name. */
export function isKernelName(name: string): name is KernelName {
  return kernelNames.some((known) => known === name);
}

/** The line of every `--help` about it. */
export const kernelHelp = `${
  kernelNames.join(", ")
} (default ${defaultKernel})`;
