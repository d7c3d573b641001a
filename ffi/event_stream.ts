// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import { byteEnables, type Piece, SplitAccess, type Widths } from "./access.ts";
import { decodeNotice } from "./decode.ts";
import type {
  AnsweredEvent,
  Event,
  FaultEvent,
  Write64Event,
  WriteEvent,
} from "./events.ts";
import { DirectRead, PieceRead } from "./pending_read.ts";
import { type Consumer, type Poller, progress } from "./poller.ts";
import type { Port } from "./port.ts";
import type { RegisterPlace } from "./register_events.ts";
import { noSlot, type Ring, writeKind } from "./ring.ts";

/** The widths of a BAR that says nothing of them. */
const usual: Widths = { min: 1, max: 4 };

/** A device's events as an async iterator; one at a time. */
export class EventStream implements AsyncIterator<Event>, Consumer {
  readonly ring: Ring;
  readonly device: number;
  readonly spin: number;
  active = false;
  idleSince = 0;
  token = -1;
  readonly #port: Port;
  readonly #poller: Poller;
  readonly #onEnd: () => void;
  #ended = false;
  /** The body has an access that waits: it stays at the head until completed. */
  #holds = false;
  /** The head's index then. */
  #position = 0;
  /** The read that it is, or the piece of it, if no {@link DirectRead}. */
  #piece: PieceRead | undefined;
  #split: { access: SplitAccess; write: boolean; index: number } | undefined;
  #reported: FaultEvent | undefined;
  #next: PromiseWithResolvers<IteratorResult<Event>> | undefined;

  constructor(port: Port, poller: Poller, onEnd: () => void) {
    this.ring = port.ring;
    this.device = port.device;
    this.spin = port.spin;
    this.#port = port;
    this.#poller = poller;
    this.#onEnd = onEnd;
  }

  /** Whether the loop's body runs, or whoever else got the last event. */
  get stuck(): boolean {
    return !this.#ended && this.#next === undefined;
  }

  next(): Promise<IteratorResult<Event>> {
    this.#settle();
    if (this.#ended) return this.#last();
    if (this.#next) return this.#next.promise.then(() => this.next());
    if (
      this.#reported || this.#split ||
      this.#poller.soon(this.ring)
    ) {
      const event = this.#take();
      if (event) return Promise.resolve({ value: event, done: false });
    }
    this.#next = Promise.withResolvers();
    this.#poller.add(this);
    return this.#next.promise;
  }

  return(): Promise<IteratorResult<Event>> {
    this.#settle();
    this.#end();
    return Promise.resolve({ value: undefined, done: true });
  }

  poll(): number {
    const event = this.#take();
    if (!event) return progress.idle;
    const next = this.#next;
    this.#next = undefined;
    next?.resolve({ value: event, done: false });
    return progress.away;
  }

  gone(): void {
    this.#port.unplugged();
    this.#end();
  }

  /** The body is done with what it holds; it may have left a read undone. */
  #settle(): void {
    if (!this.#holds) return;
    this.#holds = false;
    const { ring } = this;
    const piece = this.#piece;
    this.#piece = undefined;
    const done = piece ? piece.completed : ring.head !== this.#position;
    if (done || this.#port.closed) return;
    if ((ring.shape() & 0xffff) === writeKind) {
      ring.complete(ring.slot(), ring.ticket(), 0, 0);
      this.#release();
    } else this.#refuse(piece);
  }

  /** Nobody completed a read. */
  #refuse(piece: PieceRead | undefined): void {
    const { ring } = this;
    const { bar, time, cpu } = where(ring);
    const { offset, width } = piece?.event ??
      { offset: ring.offset(), width: ring.shape() >>> 24 };
    this.#reported = {
      kind: "fault",
      reason: "uncompleted",
      access: "read",
      ...{ bar, offset, width, time, cpu },
      ...this.#port.registers.place(ring),
    };
    this.#port.uncompleted++;
    if (piece) return piece.refuse();
    ring.refuse(ring.slot(), ring.ticket());
    this.#release();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#poller.remove(this);
    this.#onEnd();
    const next = this.#next;
    this.#next = undefined;
    if (next) this.#last().then(next.resolve, next.reject);
  }

  #last(): Promise<IteratorResult<Event>> {
    const failure = this.#port.failure;
    if (failure) return Promise.reject(failure);
    return Promise.resolve({ value: undefined, done: true });
  }

  #take(): Event | undefined {
    if (this.#reported) {
      const event = this.#reported;
      this.#reported = undefined;
      return event;
    }
    if (this.#split) return this.#takePiece();
    const ring = this.ring;
    while (!this.#port.closed && ring.ready()) {
      const kind = ring.shape() & 0xffff;
      const event = kind <= writeKind
        ? this.#takeAccess(kind === writeKind)
        : decodeNotice(ring, this.#port.registers.place(ring));
      if (this.#holds) return event;
      this.#release();
      if (kind > writeKind) this.#heed(kind);
      if (event) return event;
    }
    return undefined;
  }

  /** It stays at the head until it is completed. */
  #hold(event: Event): Event {
    this.#holds = true;
    this.#position = this.ring.head;
    return event;
  }

  #release(): void {
    this.ring.release();
    if (this.ring.owesWake()) this.#port.wake();
  }

  /** What a notice is to the stream itself. */
  #heed(kind: number): void {
    if (kind === abi.EVENT_PLUGGED) this.#port.plugged();
    if (kind !== abi.EVENT_UNPLUGGED) return;
    this.#port.unplugged();
    this.#ended = true;
    this.#onEnd();
  }

  #takeAccess(write: boolean): Event | undefined {
    const ring = this.ring;
    if (ring.register() !== 0) return this.#takeRegister(write);
    const shape = ring.shape();
    const widths = this.#port.widths[shape >>> 16 & 0xff] ?? usual;
    const width = shape >>> 24;
    const direct = width <= 4 && width >= widths.min && width <= widths.max &&
      ring.offset() % widths.min === 0;
    if (direct) {
      return write ? writeEvent(ring) : this.#hold(new DirectRead(this.#port));
    }
    const access = new SplitAccess(ring, widths);
    this.#split = { access, write, index: 0 };
    return this.#takePiece();
  }

  /** An access to a register, which comes in one piece whatever its width. */
  #takeRegister(write: boolean): Event | undefined {
    const ring = this.ring;
    const place = this.#port.registers.place(ring);
    if (!place) return undefined;
    const width = ring.shape() >>> 24;
    const waits = ring.slot() !== noSlot;
    if (write) {
      const event = registerWrite(ring, place);
      return waits ? this.#hold(event) : event;
    }
    if (!waits) return answered(ring, place);
    if (width !== 8) return this.#hold(new DirectRead(this.#port, place));
    const access = new SplitAccess(ring, { min: 8, max: 8 });
    const piece = access.pieces[0]!;
    const register = { ...place, byteEnables: ring.byteEnables() };
    this.#piece = new PieceRead(this.#port, { access, piece, register });
    return this.#hold(this.#piece.event);
  }

  #takePiece(): Event | undefined {
    const split = this.#split;
    const piece = split?.access.pieces[split.index];
    if (!split || !piece) {
      this.#split = undefined;
      return undefined;
    }
    if (++split.index === split.access.pieces.length) this.#split = undefined;
    return split.write
      ? this.#writeEvent(split.access, piece)
      : this.#readEvent(split.access, piece);
  }

  #writeEvent(access: SplitAccess, piece: Piece): Event {
    const { offset, width } = piece;
    const { bar, time, cpu } = access;
    const where = { bar, offset, byteEnables: byteEnables(piece), time, cpu };
    return width === 8
      ? { kind: "write64", width, value: access.value64(piece), ...where }
      : { kind: "write", width, value: access.value(piece), ...where };
  }

  #readEvent(access: SplitAccess, piece: Piece): Event {
    this.#piece = new PieceRead(this.#port, { access, piece });
    return this.#hold(this.#piece.event);
  }
}

function writeEvent(ring: Ring): WriteEvent {
  const shape = ring.shape();
  const width = (shape >>> 24) as 1 | 2 | 4;
  return {
    kind: "write",
    bar: shape >>> 16 & 0xff,
    offset: ring.offset(),
    width,
    value: ring.value(0) >>> 0,
    byteEnables: (1 << width) - 1,
    time: ring.time(),
    cpu: ring.cpu(),
  };
}

function registerWrite(
  ring: Ring,
  place: RegisterPlace,
): WriteEvent | Write64Event {
  const byteEnables = ring.byteEnables();
  if (ring.shape() >>> 24 !== 8) {
    return { ...writeEvent(ring), ...place, byteEnables };
  }
  const value = ring.wideValue();
  return { kind: "write64", width: 8, value, ...where(ring), ...place };
}

function answered(ring: Ring, place: RegisterPlace): AnsweredEvent {
  const width = ring.shape() >>> 24;
  const value = width === 8 ? ring.wideValue() : ring.value(0) >>> 0;
  return { kind: "answered", width, value, ...where(ring), ...place };
}

function where(ring: Ring) {
  return {
    bar: ring.shape() >>> 16 & 0xff,
    offset: ring.offset(),
    byteEnables: ring.byteEnables(),
    time: ring.time(),
    cpu: ring.cpu(),
  };
}
