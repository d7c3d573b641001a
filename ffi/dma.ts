// SPDX-License-Identifier: MIT

import { abi, errno } from "./abi.ts";
import { checkSegment, type DmaSegment, SegmentTable } from "./dma_segments.ts";
import {
  type BarkeepError,
  DmaFault,
  type DmaMapping,
  type DmaReason,
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
   * Reads host memory.
   *
   * @param address Bus address.
   * @param length Bytes.
   * @throws {DmaFault} when the driver has not mapped all of it for reading.
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
    const to = new Uint8Array(length);
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

  /** Returns how many segments were copied; fewer than all after a signal. */
  #copy(segments: readonly DmaSegment[], first: number): number {
    const { runtime: { calls }, device } = this.#port;
    const count = this.#table.fill(segments, first);
    const result = this.#result;
    const words = this.#table.words;
    const returned = calls.barkeep_dma(device, words, count, result);
    if (returned >= 0) return count;
    const done = result.getUint32(abi["dma.done"], true);
    if (returned === -errno.EINTR) return done;
    const failed = segments[first + done];
    if (returned === -errno.EACCES && failed) {
      throw this.#fault(failed, first + done);
    }
    throw this.#port.error("do DMA", returned);
  }

  #fault({ from, to }: DmaSegment, segment: number): BarkeepError {
    const reads = to instanceof Uint8Array;
    const result = this.#result;
    const wide = (offset: number): number =>
      Number(result.getBigUint64(offset, true));
    const length = wide(abi["dma.nearest_length"]);
    const direction =
      directions[result.getUint32(abi["dma.nearest_direction"], true)] ??
        "both";
    return new DmaFault({
      start: Number(reads ? from : to),
      address: wide(abi["dma.address"]),
      length: reads ? to.length : (from as Uint8Array).length,
      operation: reads ? "read" : "write",
      reason: reasons[result.getUint32(abi["dma.reason"], true)] ?? "unmapped",
      nearest: length > 0
        ? { address: wide(abi["dma.nearest_address"]), length, direction }
        : undefined,
      segment,
    });
  }
}
