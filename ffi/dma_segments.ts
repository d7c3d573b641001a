// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import { hex } from "./errors.ts";
import type { Runtime } from "./runtime.ts";

/** One copy between host memory, by bus address, and the model's. */
export type DmaSegment =
  /** The device reads host memory. */
  | { readonly from: number | bigint; readonly to: Uint8Array }
  /** The device writes host memory. */
  | { readonly from: Uint8Array; readonly to: number | bigint };

const words = abi["sizeof dma_segment"] / 4;
const addressWord = abi["dma_segment.address"] / 4;
const bufferWord = abi["dma_segment.buffer"] / 4;
const lengthWord = abi["dma_segment.length"] / 4;
const operationWord = abi["dma_segment.operation"] / 4;

/** The segments of one call, as the kernel takes them. */
export class SegmentTable {
  /** As many as a call has had so far. */
  words: Uint32Array<ArrayBuffer> = new Uint32Array(words);
  readonly #runtime: Runtime;
  /** Buffers do not move, and to ask where they are takes time in Deno. */
  readonly #addresses: WeakMap<ArrayBufferLike, number> = new WeakMap();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Puts as many as one call takes, from one on; returns how many. */
  fill(segments: readonly DmaSegment[], first: number): number {
    const count = Math.min(segments.length - first, abi.DMA_SEGMENTS_MAX);
    if (this.words.length < count * words) {
      this.words = new Uint32Array(count * words);
    }
    for (let index = 0; index < count; index++) {
      this.#put(index * words, segments[first + index]!);
    }
    return count;
  }

  /**
   * Puts a read that only asks: its buffer is where none can be, which the
   * kernel minds when it has found nothing else wrong.
   */
  ask(address: number | bigint, length: number): void {
    this.words[operationWord] = abi.DMA_READ;
    this.#putWide(addressWord, address);
    this.#putWide(lengthWord, length);
    this.#putWide(bufferWord, 1n << 63n);
  }

  #put(at: number, { from, to }: DmaSegment): void {
    if (to instanceof Uint8Array) {
      this.words[at + operationWord] = abi.DMA_READ;
      this.#putPlaces(at, from as number | bigint, to);
    } else {
      this.words[at + operationWord] = abi.DMA_WRITE;
      this.#putPlaces(at, to, from as Uint8Array);
    }
  }

  #putPlaces(at: number, address: number | bigint, bytes: Uint8Array): void {
    this.#putWide(at + addressWord, address);
    this.#putWide(at + lengthWord, bytes.length);
    this.#putWide(at + bufferWord, bytes.length > 0 ? this.#find(bytes) : 0);
  }

  /** 64 bits; what is stored of a number is its lower 32. */
  #putWide(at: number, value: number | bigint): void {
    const table = this.words;
    if (typeof value === "bigint") {
      table[at] = Number(value & 0xffffffffn);
      table[at + 1] = Number(value >> 32n);
    } else {
      table[at] = value;
      table[at + 1] = value / 2 ** 32;
    }
  }

  #find({ buffer, byteOffset }: Uint8Array): number {
    let address = this.#addresses.get(buffer);
    if (address === undefined) {
      const all = new Uint8Array(buffer as ArrayBuffer);
      address = this.#runtime.addressOf(all);
      this.#addresses.set(buffer, address);
    }
    return address + byteOffset;
  }
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

/**
 * Says what is wrong with a segment.
 *
 * @throws {RangeError} when the address is no whole number, or out of range.
 * @throws {TypeError} when the bytes are no Uint8Array, or shared.
 */
export function checkSegment({ from, to }: DmaSegment): void {
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
}

/** What a value is, as messages say it: `an Array`, `a number`. */
function named(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  const name = typeof value === "object"
    ? value.constructor?.name ?? "object"
    : typeof value;
  return `${/^[AEIOaeio]/.test(name) ? "an" : "a"} ${name}`;
}
