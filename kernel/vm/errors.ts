// SPDX-License-Identifier: GPL-2.0-only

import { BarkeepError } from "../../ffi/errors.ts";

/** Exit statuses of the throw-away VM that are not the command's own. */
export const exit = {
  /** The command line was wrong (`EX_USAGE`). */
  usage: 64,
  /** The host lacks something that could not be installed (`EX_UNAVAILABLE`). */
  unavailable: 69,
  /** The guest's kernel complained, or the VM itself failed (`EX_SOFTWARE`). */
  software: 70,
  /** The time limit ended the run, as in timeout(1). */
  timeout: 124,
} as const;

/** What names a {@link VmError}; stable, for programs to act on. */
export type VmErrorCode =
  | "BAD_OPTION"
  | "NOT_PREPARED"
  | "NO_CACHE"
  | "NO_KERNEL"
  | "DOWNLOAD_FAILED"
  | "BUILD_FAILED"
  | "NO_ZIG"
  | "VM_FAILED";

const statuses: Record<VmErrorCode, number> = {
  BAD_OPTION: exit.usage,
  NOT_PREPARED: exit.unavailable,
  NO_CACHE: exit.unavailable,
  NO_KERNEL: exit.unavailable,
  DOWNLOAD_FAILED: exit.unavailable,
  BUILD_FAILED: exit.software,
  NO_ZIG: exit.unavailable,
  VM_FAILED: exit.software,
};

/**
 * The VM could not do what was asked of it. The message says what was tried,
 * what was found and what to do.
 *
 * @example
 * ```ts
 * try {
 *   await runInVm({ command: ["true"], kernel: "5.10" });
 * } catch (error) {
 *   if (error instanceof VmError) process.exit(error.status);
 * }
 * ```
 */
export class VmError extends BarkeepError {
  /** Names the kind of failure. */
  override readonly code: VmErrorCode;

  /**
   * Makes one.
   *
   * @param code Names the kind of failure.
   * @param message What was tried, what was found, what to do.
   */
  constructor(code: VmErrorCode, message: string) {
    super(code, message);
    this.code = code;
  }

  /** The exit status that a command line should end with. */
  get status(): number {
    return statuses[this.code];
  }
}
