// SPDX-License-Identifier: MIT

import { abi, errno } from "./abi.ts";
import {
  type BarkeepError,
  DmaFault,
  type DmaMapping,
  type DmaReason,
  hex,
} from "./errors.ts";
import type { Port } from "./port.ts";

/** One copy between host memory, by bus address, and the model's. */
export type DmaSegment =
  /** The device reads host memory. */
  | { readonly from: number | bigint; readonly to: Uint8Array }
  /** The device writes host memory. */
  | { readonly from: Uint8Array; readonly to: number | bigint };

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
  readonly #result = new DataView(new ArrayBuffer(abi["sizeof dma"]));

  constructor(port: Port) {
    this.#port = port;
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
    const left = segments.map(checked).filter(({ bytes }) => bytes.length > 0);
    let first = 0;
    while (first < left.length) {
      const batch = left.slice(first, first + abi.DMA_SEGMENTS_MAX);
      first += this.#copy(batch, first);
    }
  }

  /** Returns how many segments were copied; fewer than all after a signal. */
  #copy(segments: readonly Segment[], first: number): number {
    const { runtime, device } = this.#port;
    const size = abi["sizeof dma_segment"];
    const table = new DataView(new ArrayBuffer(segments.length * size));
    segments.forEach(({ address, bytes, operation }, index) => {
      const at = index * size;
      const buffer = runtime.addressOf(bytes);
      table.setBigUint64(
        at + abi["dma_segment.address"],
        BigInt(address),
        true,
      );
      table.setBigUint64(at + abi["dma_segment.buffer"], buffer, true);
      table.setBigUint64(
        at + abi["dma_segment.length"],
        BigInt(bytes.length),
        true,
      );
      table.setUint32(at + abi["dma_segment.operation"], operation, true);
    });
    const result = this.#result;
    const { calls } = runtime;
    const returned = calls.barkeep_dma(device, table, segments.length, result);
    if (returned >= 0) return segments.length;
    const done = result.getUint32(abi["dma.done"], true);
    if (returned === -errno.EINTR) return done;
    const segment = segments[done];
    if (returned === -errno.EACCES && segment) {
      throw this.#fault(segment, first + done);
    }
    throw this.#port.error("do DMA", returned);
  }

  #fault(
    { address: start, bytes, operation }: Segment,
    segment: number,
  ): BarkeepError {
    const result = this.#result;
    const wide = (offset: number): number =>
      Number(result.getBigUint64(offset, true));
    const length = wide(abi["dma.nearest_length"]);
    const direction =
      directions[result.getUint32(abi["dma.nearest_direction"], true)] ??
        "both";
    return new DmaFault({
      start: Number(start),
      address: wide(abi["dma.address"]),
      length: bytes.length,
      operation: operation === abi.DMA_READ ? "read" : "write",
      reason: reasons[result.getUint32(abi["dma.reason"], true)] ?? "unmapped",
      nearest: length > 0
        ? { address: wide(abi["dma.nearest_address"]), length, direction }
        : undefined,
      segment,
    });
  }
}

interface Segment {
  readonly address: number | bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly operation: number;
}

/** Shared memory is not taken: not every FFI knows its address. */
function isOwn(bytes: unknown): bytes is Uint8Array<ArrayBuffer> {
  return bytes instanceof Uint8Array && bytes.buffer instanceof ArrayBuffer;
}

const addressEnd = 1n << 64n;

/** Whether it can only have been meant as an address. */
function isNumeric(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function isAddress(value: unknown): value is number | bigint {
  if (typeof value === "bigint") return value >= 0n && value < addressEnd;
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function checked({ from, to }: DmaSegment): Segment {
  const outwards = from instanceof Uint8Array ||
    !((to as unknown) instanceof Uint8Array) && isNumeric(to);
  const address: unknown = outwards ? to : from;
  const bytes: unknown = outwards ? from : to;
  if (!isAddress(address)) {
    throw new RangeError(
      `DMA at ${
        String(address)
      }: a bus address is a whole number below 2^53, ` +
        "or a bigint below 2^64",
    );
  }
  if (!isOwn(bytes)) {
    const shared = bytes instanceof Uint8Array;
    throw new TypeError(
      `DMA at ${hex(address)}: the bytes are ` +
        (shared
          ? "shared: copy them (bytes.slice())"
          : `${named(bytes)}: give a Uint8Array`),
    );
  }
  return {
    address,
    bytes,
    operation: outwards ? abi.DMA_WRITE : abi.DMA_READ,
  };
}

/** What a value is, as messages say it: `an Array`, `a number`. */
function named(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const name = typeof value === "object"
    ? value.constructor?.name ?? "object"
    : typeof value;
  return `${/^[AEIOaeio]/.test(name) ? "an" : "a"} ${name}`;
}
