// SPDX-License-Identifier: MIT

import { abi, errno } from "./abi.ts";
import { checkSegment, type DmaSegment, SegmentTable } from "./dma_segments.ts";
import {
  BarkeepError,
  DmaFault,
  type DmaMapping,
  type DmaReason,
  hex,
} from "./errors.ts";
import type { Port } from "./port.ts";

export type { DmaSegment } from "./dma_segments.ts";

/**
 * A device's access to the memory that its driver mapped for it. Addresses are
 * bus addresses, as the driver gives them to the device: numbers below 2^53, or
 * bigints below 2^64, as registers of 8 bytes have them.
 *
 * @example
 * ```ts
 * import type { Device } from "./mod.ts";
 *
 * function invert({ dma }: Device, address: number): void {
 *   dma.write(address, dma.read(address, 512).map((byte) => ~byte));
 * }
 * ```
 */
export interface Dma {
  /**
   * Reads host memory. More than 1 MiB is checked before it is allocated, so a
   * `length` that a driver made up is refused and costs nothing.
   *
   * @param address Bus address.
   * @param length Bytes.
   * @throws {DmaFault} when the driver has not mapped all of it for reading.
   * @throws {BarkeepError} `NO_MEMORY` when the model has no room for it.
   * @throws {Unplugged} when the device is off the bus.
   * @throws {RangeError} when the address or the length is no whole number, or
   * out of range.
   */
  read(address: number | bigint, length: number): Uint8Array<ArrayBuffer>;
  /**
   * Writes host memory.
   *
   * @param address Bus address.
   * @param bytes What to write; not of a SharedArrayBuffer.
   * @throws {DmaFault} when the driver has not mapped all of it for writing.
   * @throws {Unplugged} when the device is off the bus.
   * @throws {RangeError} when the address is no whole number, or out of range.
   * @throws {TypeError} when the bytes are no Uint8Array, or shared.
   */
  write(address: number | bigint, bytes: Uint8Array): void;
  /**
   * Does many copies, in their order, with one call per 1024.
   *
   * @param segments What to copy; bytes are not of a SharedArrayBuffer.
   * @throws {DmaFault} at the first segment that is refused.
   * @throws {Unplugged} when the device is off the bus.
   * @throws {RangeError} when an address is no whole number, or out of range.
   * @throws {TypeError} when bytes are no Uint8Array, or shared.
   */
  copy(segments: readonly DmaSegment[]): void;
}

const reasons: Record<number, DmaReason> = {
  [abi.DMA_UNMAPPED]: "unmapped",
  [abi.DMA_PAST_END]: "past-end",
  [abi.DMA_DIRECTION]: "direction",
  [abi.DMA_STALE]: "stale",
  [abi.DMA_NO_MASTER]: "no-bus-master",
};

const directions: readonly DmaMapping["direction"][] = [
  "both",
  "device-reads",
  "device-writes",
];

/** Bytes that a read takes without asking first whether it is permitted. */
const readUnasked = 1 << 20;

/** A segment that was refused, as its error has it. */
interface Refused {
  readonly start: number;
  readonly length: number;
  readonly operation: "read" | "write";
  readonly segment: number;
}

/** The DMA of the device at a port. */
export class PortDma implements Dma {
  readonly #port: Port;
  readonly #table: SegmentTable;
  readonly #result = new DataView(new ArrayBuffer(abi["sizeof dma"]));

  constructor(port: Port) {
    this.#port = port;
    this.#table = new SegmentTable(port.runtime);
  }

  read(address: number | bigint, length: number): Uint8Array<ArrayBuffer> {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new RangeError(`DMA of ${length} bytes: give a whole number`);
    }
    if (length > readUnasked) this.#ask(address, length);
    const to = allocate(address, length);
    this.copy([{ from: address, to }]);
    return to;
  }

  write(address: number | bigint, bytes: Uint8Array): void {
    this.copy([{ from: bytes, to: address }]);
  }

  copy(segments: readonly DmaSegment[]): void {
    this.#port.mustBeOpen("do DMA");
    segments.forEach(checkSegment);
    let first = 0;
    while (first < segments.length) first += this.#copy(segments, first);
  }

  /** @throws {DmaFault} when a read would be refused; nothing is copied. */
  #ask(address: number | bigint, length: number): void {
    this.#port.mustBeOpen("do DMA");
    checkSegment({ from: address, to: new Uint8Array() });
    this.#table.ask(address, length);
    const returned = this.#call(1);
    if (returned === -errno.EACCES) {
      const start = Number(address);
      throw this.#fault({ start, length, operation: "read", segment: 0 });
    }
    // The buffer is nowhere: EFAULT says that nothing else is wrong.
    if (returned !== -errno.EFAULT && returned !== -errno.EINTR) {
      throw this.#port.error("do DMA", returned);
    }
  }

  /** Returns how many segments were copied; fewer than all after a signal. */
  #copy(segments: readonly DmaSegment[], first: number): number {
    const count = this.#table.fill(segments, first);
    const returned = this.#call(count);
    if (returned >= 0) return count;
    const done = this.#result.getUint32(abi["dma.done"], true);
    if (returned === -errno.EINTR) return done;
    const failed = segments[first + done];
    if (returned === -errno.EACCES && failed) {
      throw this.#fault(described(failed, first + done));
    }
    throw this.#port.error("do DMA", returned);
  }

  /** Hands over what is in the table; returns what the kernel does. */
  #call(count: number): number {
    const { runtime: { calls }, device } = this.#port;
    return calls.barkeep_dma(device, this.#table.words, count, this.#result);
  }

  #fault({ start, length, operation, segment }: Refused): DmaFault {
    const result = this.#result;
    const wide = (offset: number): number =>
      Number(result.getBigUint64(offset, true));
    const nearest = wide(abi["dma.nearest_length"]);
    const direction =
      directions[result.getUint32(abi["dma.nearest_direction"], true)] ??
        "both";
    return new DmaFault({
      start,
      address: wide(abi["dma.address"]),
      length,
      operation,
      reason: reasons[result.getUint32(abi["dma.reason"], true)] ?? "unmapped",
      nearest: nearest > 0
        ? {
          address: wide(abi["dma.nearest_address"]),
          length: nearest,
          direction,
        }
        : undefined,
      segment,
    });
  }
}

function described({ from, to }: DmaSegment, segment: number): Refused {
  const reads = to instanceof Uint8Array;
  return {
    start: Number(reads ? from : to),
    length: (reads ? to : from as Uint8Array).length,
    operation: reads ? "read" : "write",
    segment,
  };
}

/**
 * The buffer of a read that is permitted.
 *
 * @throws {BarkeepError} `NO_MEMORY` when the runtime has not so many bytes.
 */
export function allocate(
  address: number | bigint,
  length: number,
): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new BarkeepError(
      "NO_MEMORY",
      `cannot read ${length} bytes at ${hex(address)} by DMA: the driver has ` +
        "mapped them, but this runtime has no buffer so large. Read them in pieces",
      { cause },
    );
  }
}
