// SPDX-License-Identifier: MIT

import { abi, errno } from "./abi.ts";
import { IrqRefused } from "./errors.ts";
import type { Port } from "./port.ts";

/**
 * A device's interrupts.
 *
 * @example MSI if the driver enabled it, else INTx
 * ```ts
 * import type { Device } from "./mod.ts";
 *
 * function interrupt({ irq }: Device): void {
 *   if (irq.vectors > 0) irq.raise(0);
 *   else irq.assert();
 * }
 * ```
 */
export interface Irq {
  /** MSI vectors that the driver has enabled; 0 while it uses none. */
  readonly vectors: number;
  /**
   * Sends a message. A masked vector becomes pending, and is delivered when the
   * driver unmasks it.
   *
   * @param vector Number of the vector (default 0).
   * @throws {IrqRefused} when there is no such vector, the driver has not
   * enabled it, or bus mastering is off.
   * @throws {Unplugged} when the device is off the bus.
   */
  raise(vector?: number): void;
  /**
   * Asserts INTx: a level, until {@link Irq.deassert}.
   *
   * @throws {IrqRefused} when the device has no interrupt pin.
   * @throws {Unplugged} when the device is off the bus.
   */
  assert(): void;
  /**
   * Deasserts INTx.
   *
   * @throws {IrqRefused} when the device has no interrupt pin.
   * @throws {Unplugged} when the device is off the bus.
   */
  deassert(): void;
}

/** The interrupts of the device at a port. */
export class PortIrq implements Irq {
  readonly #port: Port;

  constructor(port: Port) {
    this.#port = port;
  }

  get vectors(): number {
    return this.#port.status(abi["status.vectors"]);
  }

  raise(vector = 0): void {
    if (!Number.isInteger(vector) || vector < 0 || vector > 0xffff_ffff) {
      throw new IrqRefused(
        "no-vector",
        `cannot raise vector ${vector}: vectors are numbered from 0`,
      );
    }
    this.#call(abi.IRQ_RAISE, { vector, tried: `raise vector ${vector}` });
  }

  assert(): void {
    this.#call(abi.IRQ_ASSERT, { vector: 0, tried: "assert INTx" });
  }

  deassert(): void {
    this.#call(abi.IRQ_DEASSERT, { vector: 0, tried: "deassert INTx" });
  }

  #missing(operation: number): string {
    if (operation !== abi.IRQ_RAISE) {
      return 'no interrupt pin. Give it interruptPin: "A"';
    }
    return this.#port.hasMsi
      ? "no such vector. Ask for more with msi({ vectors })"
      : "no MSI capability. Add msi() to its capabilities";
  }

  #call(
    operation: number,
    { vector, tried }: { vector: number; tried: string },
  ): void {
    const port = this.#port;
    port.mustBeOpen(tried);
    // The handler reads the device with interrupts off: should a thread of ours
    // be woken for that, it may well be put on the very CPU that waits for it.
    port.rouse();
    const { calls } = port.runtime;
    const returned = calls.barkeep_irq(port.device, operation, vector);
    if (returned >= 0) return;
    switch (-returned) {
      case errno.ERANGE:
        throw new IrqRefused(
          "no-vector",
          `cannot ${tried}: the device has ${this.#missing(operation)}`,
        );
      case errno.EAGAIN:
        throw new IrqRefused(
          "not-enabled",
          `cannot ${tried}: the driver has enabled ${this.vectors} vectors. ` +
            "Wait for the vector event, or use assert() while irq.vectors is 0",
        );
      case errno.EACCES:
        throw new IrqRefused(
          "no-bus-master",
          `cannot ${tried}: bus mastering is off. The driver has to call pci_set_master()`,
        );
    }
    throw port.error(tried, returned);
  }
}
