// SPDX-License-Identifier: MIT

import type { Ring } from "./ring.ts";
import type { Width } from "./spec.ts";

/** The widths that a BAR's model implements. */
export interface Widths {
  readonly min: Width;
  readonly max: Width;
}

/** A part of an access, of a width that the model implements. */
export interface Piece {
  /** Offset in the BAR. */
  readonly offset: number;
  /** Bytes. */
  readonly width: Width;
  /** First byte of the piece that belongs to the access. */
  readonly skip: number;
  /** Where in the access that byte is. */
  readonly start: number;
  /** How many bytes belong to it. */
  readonly length: number;
}

/**
 * Cuts an access into pieces: wider ones are split at the widest width that the
 * model implements; narrower or misaligned ones are widened to aligned pieces
 * of the narrowest.
 */
export function cut(
  offset: number,
  width: number,
  { min, max }: Widths,
): Piece[] {
  const end = offset + width;
  const widen = width < min || offset % min !== 0;
  const step = widen ? min : width > max ? max : width as Width;
  const pieces: Piece[] = [];
  for (let at = widen ? offset - offset % min : offset; at < end; at += step) {
    const from = Math.max(at, offset);
    const to = Math.min(at + step, end);
    pieces.push({
      offset: at,
      width: step,
      skip: from - at,
      start: from - offset,
      length: to - from,
    });
  }
  return pieces;
}

/** Byte enables of a piece: bit n is set for byte n. */
export function byteEnables({ skip, length }: Piece): number {
  return (1 << length) - 1 << skip;
}

/** An access that the model sees in pieces. */
export class SplitAccess {
  readonly bar: number;
  readonly slot: number;
  readonly ticket: number;
  readonly time: number;
  readonly cpu: number;
  readonly pieces: readonly Piece[];
  readonly #words = new Int32Array(4);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #scratch = new DataView(new ArrayBuffer(8));

  /** Takes the access at the head of the ring. */
  constructor(ring: Ring, widths: Widths) {
    const shape = ring.shape();
    this.bar = shape >>> 16 & 0xff;
    this.slot = ring.slot();
    this.ticket = ring.ticket();
    this.time = ring.time();
    this.cpu = ring.cpu();
    this.pieces = cut(ring.offset(), shape >>> 24, widths);
    for (let index = 0; index < 4; index++) {
      this.#words[index] = ring.value(index);
    }
  }

  /** What is written to a piece; bytes that do not belong to it are 0. */
  value(piece: Piece): number {
    this.#load(piece);
    if (piece.width === 1) return this.#scratch.getUint8(0);
    if (piece.width === 2) return this.#scratch.getUint16(0, true);
    return this.#scratch.getUint32(0, true);
  }

  /** The same of an 8-byte piece. */
  value64(piece: Piece): bigint {
    this.#load(piece);
    return this.#scratch.getBigUint64(0, true);
  }

  /** Puts what a piece reads as into its place. */
  put(piece: Piece, value: number | bigint): void {
    this.#scratch.setBigUint64(0, BigInt(value), true);
    const { skip, start, length } = piece;
    const bytes = new Uint8Array(this.#scratch.buffer, skip, length);
    this.#bytes.set(bytes, start);
  }

  /** Completes a read with what was put. */
  complete(ring: Ring): void {
    ring.completeWords(this.slot, this.ticket, this.#words);
  }

  #load({ skip, start, length }: Piece): void {
    this.#scratch.setBigUint64(0, 0n);
    const bytes = new Uint8Array(this.#scratch.buffer, skip, length);
    bytes.set(this.#bytes.subarray(start, start + length));
  }
}
