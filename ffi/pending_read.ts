// SPDX-License-Identifier: MIT

import { byteEnables, type Piece, type SplitAccess } from "./access.ts";
import { CompletionRefused, hex } from "./errors.ts";
import type { Read64Event, ReadEvent } from "./events.ts";
import type { Port } from "./port.ts";
import type { RegisterPlace } from "./register_events.ts";

/** A read that the body of a `for await` is asked for. */
export interface PendingRead {
  readonly event: ReadEvent | Read64Event;
  /** Whether its body completed it. */
  readonly completed: boolean;
  /** Completes it as all-ones. */
  refuse(): void;
}

/** The usual read: as wide as the model wants it. Is its own event. */
export class DirectRead implements PendingRead, ReadEvent {
  readonly kind = "read";
  readonly bar: number;
  readonly offset: number;
  readonly width: 1 | 2 | 4;
  readonly byteEnables: number;
  readonly register?: string;
  readonly index?: number;
  readonly time: number;
  readonly cpu: number;
  readonly #port: Port;
  readonly #slot: number;
  readonly #ticket: number;
  #completed = false;

  /** Takes the read at the head of the ring. */
  constructor(port: Port) {
    const { ring } = port;
    const shape = ring.shape();
    this.bar = shape >>> 16 & 0xff;
    this.offset = ring.offset();
    this.width = (shape >>> 24) as 1 | 2 | 4;
    const place = port.registers.place(ring);
    this.register = place?.register;
    this.index = place?.index;
    this.byteEnables = place ? ring.byteEnables() : (1 << this.width) - 1;
    this.time = ring.time();
    this.cpu = ring.cpu();
    this.#port = port;
    this.#slot = ring.slot();
    this.#ticket = ring.ticket();
  }

  get event(): ReadEvent {
    return this;
  }

  get completed(): boolean {
    return this.#completed;
  }

  complete(value: number): boolean {
    if ((value | 0) !== value && (value >>> 0) !== value) {
      throw new RangeError(wrongValue(value, this.width));
    }
    if (this.#completed) throw again(this);
    this.#completed = true;
    const port = this.#port;
    const waits = !port.closed && port.ring.waits(this.#slot, this.#ticket);
    if (!waits) return false;
    port.ring.complete(this.#slot, this.#ticket, value, 0);
    if (port.ring.owesWake()) port.wake();
    return true;
  }

  refuse(): void {
    const port = this.#port;
    this.#completed = true;
    port.ring.refuse(this.#slot, this.#ticket);
    if (port.ring.owesWake()) port.wake();
  }
}

/** A piece of a read, or all of an 8-byte one. */
export class PieceRead implements PendingRead {
  readonly event: ReadEvent | Read64Event;
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

  refuse(): void {
    this.completed = true;
    this.#put(-1n);
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
    const { slot, ticket } = this.#access;
    if (port.closed || !port.ring.waits(slot, ticket)) return false;
    this.#put(BigInt(value));
    return true;
  }

  #put(value: bigint): void {
    const { ring } = this.#port;
    const access = this.#access;
    access.put(this.#piece, BigInt.asUintN(64, value));
    if (this.#piece !== access.pieces.at(-1)) return;
    access.complete(ring);
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
