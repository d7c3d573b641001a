// SPDX-License-Identifier: MIT

import type { VmErrorCode } from "../kernel/vm/errors.ts";

/** What names a {@link BarkeepError}; stable, for programs to act on. */
export type ErrorCode =
  | "NO_MODULE"
  | "NOT_PERMITTED"
  | "ABI_MISMATCH"
  | "BAD_SPEC"
  | "PLUG_FAILED"
  | "UNPLUGGED"
  | "BUSY"
  | "DMA_FAULT"
  | "NO_MEMORY"
  | "IRQ_REFUSED"
  | "NO_BAR"
  | "CONFIG_REFUSED"
  | "COMPLETION_REFUSED"
  | "MODEL_FAILED"
  | "NO_RUNTIME"
  | "SYSTEM"
  | VmErrorCode;

/**
 * Base of everything that barkeep throws. The message says what was tried,
 * what was found and what to do.
 *
 * @example Telling them apart
 * ```ts
 * import { BarkeepError, open } from "./mod.ts";
 *
 * try {
 *   await using device = await open({ id: { vendor: 0x1234, device: 1 } });
 * } catch (error) {
 *   if (error instanceof BarkeepError) console.error(error.code);
 * }
 * ```
 */
export class BarkeepError extends Error {
  /** Names the kind of error. */
  readonly code: ErrorCode;

  /**
   * Makes one.
   *
   * @param code Names the kind of error.
   * @param message What was tried, what was found, what to do.
   * @param options `cause`: the error behind this one.
   */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** There is no `/dev/barkeep`: the kernel module is not loaded. */
export class NoModule extends BarkeepError {
  /**
   * Makes one.
   *
   * @param path The device node that is missing.
   */
  constructor(path: string) {
    super(
      "NO_MODULE",
      `cannot open ${path}: it does not exist, so the kernel module is not loaded here. ` +
        "Load it (insmod barkeep.ko), use serve(), which runs the device in a throw-away VM, " +
        "or run this file in one: npx -y bun kernel/vm.ts -- bun FILE",
    );
  }
}

/** `/dev/barkeep` is there, but this user may not open it. */
export class NotPermitted extends BarkeepError {
  /**
   * Makes one.
   *
   * @param path The device node.
   */
  constructor(path: string) {
    super(
      "NOT_PERMITTED",
      `cannot open ${path}: permission denied. Run as root, or give this user the node: ` +
        `sudo chown "$USER" ${path}. Whoever may open it can put hardware into this machine`,
    );
  }
}

/** The module, the C helper and this library were not built from one source. */
export class AbiMismatch extends BarkeepError {
  /**
   * Makes one.
   *
   * @param found What differs, and between whom.
   */
  constructor(found: string) {
    super(
      "ABI_MISMATCH",
      `${found}. Rebuild and reload the kernel module from the sources that ` +
        `this library came with (rmmod barkeep; insmod barkeep.ko)`,
    );
  }
}

/** A device specification has mistakes; all of them are in the message. */
export class BadSpec extends BarkeepError {
  /** One sentence per mistake. */
  readonly mistakes: readonly string[];

  /**
   * Makes one.
   *
   * @param mistakes One sentence per mistake.
   */
  constructor(mistakes: readonly string[]) {
    const list = mistakes.map((mistake) => `\n  - ${mistake}`).join("");
    const count = mistakes.length === 1
      ? "a mistake"
      : `${mistakes.length} mistakes`;
    super("BAD_SPEC", `the device's specification has ${count}:${list}`);
    this.mistakes = mistakes;
  }
}

/** The kernel did not take the device, or the bus did not come up with it. */
export class PlugFailed extends BarkeepError {
  /** The kernel's errno, a positive number. */
  readonly errno: number;

  /**
   * Makes one.
   *
   * @param errno The kernel's errno, a positive number.
   * @param reason What it means here, and what to do.
   */
  constructor(errno: number, reason: string) {
    super("PLUG_FAILED", `cannot plug the device: ${reason}`);
    this.errno = errno;
  }
}

/** The device has left the bus. */
export class Unplugged extends BarkeepError {
  /**
   * Makes one.
   *
   * @param tried What was tried on it.
   */
  constructor(tried: string) {
    super(
      "UNPLUGGED",
      `cannot ${tried}: the device is unplugged. Open a new one`,
    );
  }
}

/** Something else consumes the device's events already. */
export class Busy extends BarkeepError {
  /** Makes one. */
  constructor() {
    super(
      "BUSY",
      "cannot consume the device's events: a serve() or a for await loop does so already. " +
        "Each event goes to one consumer; let it hand on what others need",
    );
  }
}

/**
 * Why a DMA access was refused:
 *
 * - `unmapped`: the driver has mapped nothing there;
 * - `past-end`: it begins in a mapping, and runs past its end;
 * - `direction`: the mapping is for the other direction only;
 * - `stale`: the driver has unmapped what was there;
 * - `no-bus-master`: bus mastering is off in the Command register.
 */
export type DmaReason =
  | "unmapped"
  | "past-end"
  | "direction"
  | "stale"
  | "no-bus-master";

/** What a driver has mapped for DMA. */
export interface DmaMapping {
  /** Bus address of its first byte. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** Who may do what: the names are the device's view. */
  readonly direction: "both" | "device-reads" | "device-writes";
}

/** What a {@link DmaFault} is made of. Addresses are exact below 2^53. */
export interface DmaFaultDetails {
  /** Bus address where the refused segment begins. */
  readonly start: number;
  /** First bus address that was refused. */
  readonly address: number;
  /** Bytes of the refused segment. */
  readonly length: number;
  /** Whether the device was to read or to write host memory. */
  readonly operation: "read" | "write";
  /** Why. */
  readonly reason: DmaReason;
  /** The mapping nearest to the address, if there is any. */
  readonly nearest?: DmaMapping;
  /** Index of the refused segment; those before it were copied. */
  readonly segment: number;
}

const dmaReasons: Record<DmaReason, string> = {
  "unmapped": "the driver has mapped nothing there",
  "past-end": "it runs past the end of the driver's mapping",
  "direction": "the driver mapped it for the other direction only",
  "stale": "the driver has unmapped it",
  "no-bus-master": "bus mastering is off in the Command register",
};

/** The device accessed memory that its driver has not mapped for it. */
export class DmaFault extends BarkeepError implements DmaFaultDetails {
  readonly start: number;
  readonly address: number;
  readonly length: number;
  readonly operation: "read" | "write";
  readonly reason: DmaReason;
  readonly nearest?: DmaMapping;
  readonly segment: number;

  /**
   * Makes one.
   *
   * @param details What was refused, and why.
   */
  constructor(details: DmaFaultDetails) {
    const { start, address, length, operation } = details;
    const { reason, nearest, segment } = details;
    const from = address === start ? "" : ` from ${hex(address)} on`;
    super(
      "DMA_FAULT",
      `DMA ${operation} of ${length} bytes at ${hex(start)} refused${from}: ` +
        `${dmaReasons[reason]}. ` +
        (nearest
          ? `The nearest mapping is ${hex(nearest.address)} to ` +
            `${hex(nearest.address + nearest.length - 1)} ` +
            `(${nearest.direction.replace("-", " ")}). `
          : "Nothing is mapped for this device. ") +
        (reason === "no-bus-master"
          ? "The driver has to call pci_set_master() first"
          : "Compare with the address the driver gave the device"),
    );
    this.start = start;
    this.address = address;
    this.length = length;
    this.operation = operation;
    this.reason = reason;
    this.nearest = nearest;
    this.segment = segment;
  }
}

/** An interrupt that cannot be delivered. */
export class IrqRefused extends BarkeepError {
  /**
   * Why it cannot be delivered:
   *
   * - `no-vector`: the device has no such vector, or no interrupt pin;
   * - `not-enabled`: the driver has not enabled it;
   * - `no-bus-master`: bus mastering, which a message needs, is off.
   */
  readonly reason: "no-vector" | "not-enabled" | "no-bus-master";

  /**
   * Makes one.
   *
   * @param reason Why it cannot be delivered.
   * @param message What was tried, what was found, what to do.
   */
  constructor(reason: IrqRefused["reason"], message: string) {
    super("IRQ_REFUSED", message);
    this.reason = reason;
  }
}

/** A second completion of one read. */
export class CompletionRefused extends BarkeepError {
  /**
   * Makes one.
   *
   * @param found Why it came for nothing.
   */
  constructor(found: string) {
    super("COMPLETION_REFUSED", `cannot complete the read: ${found}`);
  }
}

/**
 * A handler of the model threw, or returned what no read can return; or, with
 * `serve()`, a timer or promise of it failed.
 */
export class ModelFailed extends BarkeepError {
  /**
   * Makes one.
   *
   * @param message Which handler, at which access, and what it did.
   * @param options `cause`: what it threw.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("MODEL_FAILED", message, options);
  }
}

/** `0x` and lower-case digits, as PCI tools write addresses. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
