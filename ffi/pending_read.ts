// SPDX-License-Identifier: MIT

import { byteEnables, type Piece, type SplitAccess } from "./access.ts";
import { CompletionRefused, hex } from "./errors.ts";
import type { Read64Event, ReadEvent } from "./events.ts";
import type { Port } from "./port.ts";
import type { RegisterPlace } from "./register_events.ts";

/**
 * The usual read, as wide as the model wants it: the event that the body of a
 * `for await` gets. It is at the ring's head until it is completed.
 */
export class DirectRead implements ReadEvent {
  // Declared only: what is defined first and assigned then costs twice.
  declare readonly kind: "read";
  declare readonly bar: number;
  declare readonly offset: number;
  declare readonly width: 1 | 2 | 4;
  declare readonly byteEnables: number;
  declare readonly register?: string;
  declare readonly index?: number;
  declare readonly time: number;
  declare readonly cpu: number;
  readonly #port: Port;
  readonly #head: number;

  /** Takes the read at the head of the ring. */
  constructor(port: Port, place?: RegisterPlace) {
    const { ring } = port;
    const shape = ring.shape();
    this.kind = "read";
    this.bar = shape >>> 16 & 0xff;
    this.offset = ring.offset();
    this.width = (shape >>> 24) as 1 | 2 | 4;
    this.byteEnables = place ? ring.byteEnables() : (1 << this.width) - 1;
    if (place) {
      this.register = place.register;
      this.index = place.index;
    }
    this.time = ring.time();
    this.cpu = ring.cpu();
    this.#port = port;
    this.#head = ring.head;
  }

  complete(value: number): boolean {
    if ((value | 0) !== value && (value >>> 0) !== value) {
      throw new RangeError(wrongValue(value, this.width));
    }
    const port = this.#port;
    const { ring } = port;
    if (ring.head !== this.#head) throw again(this);
    if (port.closed) return false;
    const slot = ring.slot();
    const ticket = ring.ticket();
    const waits = ring.waits(slot, ticket);
    if (waits) ring.complete(slot, ticket, value, 0);
    ring.release();
    if (ring.owesWake()) port.wake();
    return waits;
  }
}

/** A piece of a read, or all of an 8-byte one. */
export class PieceRead {
  readonly event: ReadEvent | Read64Event;
  /** Whether its body completed it. */
  completed = false;
  readonly #port: Port;
  readonly #access: SplitAccess;
  readonly #piece: Piece;

  constructor(
    port: Port,
    { access, piece, register }: {
      access: SplitAccess;
      piece: Piece;
      register?: RegisterPlace & { byteEnables: number };
    },
  ) {
    this.#port = port;
    this.#access = access;
    this.#piece = piece;
    const { offset, width } = piece;
    const { bar, time, cpu } = access;
    const enables = byteEnables(piece);
    const where = { bar, offset, byteEnables: enables, ...register, time, cpu };
    this.event = width === 8
      ? {
        kind: "read64",
        width,
        ...where,
        complete: (value: bigint) => this.#complete(value),
      }
      : {
        kind: "read",
        width,
        ...where,
        complete: (value: number) => this.#complete(value),
      };
  }

  /** Completes it as all-ones. */
  refuse(): void {
    this.completed = true;
    this.#put(-1n, true);
  }

  #complete(value: number | bigint): boolean {
    const { width } = this.#piece;
    const valid = typeof value === "bigint"
      ? width === 8
      : width < 8 && ((value | 0) === value || (value >>> 0) === value);
    if (!valid) throw new RangeError(wrongValue(value, width));
    if (this.completed) throw again(this.event);
    this.completed = true;
    const port = this.#port;
    if (port.closed) return false;
    const { slot, ticket } = this.#access;
    const waits = port.ring.waits(slot, ticket);
    this.#put(BigInt(value), waits);
    return waits;
  }

  #put(value: bigint, waits: boolean): void {
    const { ring } = this.#port;
    const access = this.#access;
    access.put(this.#piece, BigInt.asUintN(64, value));
    if (this.#piece !== access.pieces.at(-1)) return;
    if (waits) access.complete(ring);
    ring.release();
    if (ring.owesWake()) this.#port.wake();
  }
}

function wrongValue(value: unknown, width: number): string {
  const wanted = width === 8
    ? "a bigint"
    : "-2^31 to 2^32-1 (`x >>> 0` makes one)";
  return `a ${width}-byte read completes with ${wanted}, not ${String(value)}`;
}

function again(
  { width, bar, offset }: ReadEvent | Read64Event,
): CompletionRefused {
  return new CompletionRefused(
    `it was completed before (${width} bytes of BAR ${bar} at ${
      hex(offset)
    }). Complete each read once`,
  );
}
