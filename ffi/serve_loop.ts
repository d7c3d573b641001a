// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import { byteEnables, type Piece, SplitAccess } from "./access.ts";
import { hex, ModelFailed } from "./errors.ts";
import { decodeNotice } from "./decode.ts";
import type { Awaitable, Handlers } from "./handlers.ts";
import { isWord } from "./mistakes.ts";
import { type Consumer, type Poller, progress } from "./poller.ts";
import type { Port } from "./port.ts";
import { RegisterEvents } from "./register_events.ts";
import { noSlot, readKind, type Ring, writeKind } from "./ring.ts";

/** Events that one poll handles at most, so that other devices get theirs. */
const budget = 16;

/** Milliseconds between looks at a read that should have timed out. */
const recheck = 5;

/** How an access of some BAR and width reaches its handler. */
const route = { split: 0, number: 1, bigint: 2 } as const;

type Read = NonNullable<Handlers["read"]>;
type Write = NonNullable<Handlers["write"]>;

const absent: Read = () => -1;
const ignore: Write = () => {};

/** Bytes 0 to width - 1. */
const allBytes = Uint8Array.of(0, 0x1, 0x3, 0, 0xf, 0, 0, 0, 0xff);

/**
 * Answers a device's events with handlers, without a promise or an allocation
 * for an access whose handler has none.
 */
export class ServeLoop implements Consumer {
  readonly ring: Ring;
  readonly device: number;
  readonly spin: number;
  active = false;
  idleSince = 0;
  token = -1;
  readonly #port: Port;
  readonly #poller: Poller;
  #handlers: Handlers;
  #read: Read;
  #write: Write;
  #registers: RegisterEvents;
  /** A {@link route} for `bar << 4 | width`. */
  readonly #routes = new Uint8Array(abi.BARS << 4 | 0xf);
  /** Offset bits that have to be 0 for that, by BAR. */
  readonly #alignment = new Uint8Array(abi.BARS);
  #failure: ModelFailed | undefined;
  #blocked = false;
  /** Counts the promises waited for; a late one knows by it that it is. */
  #turn = 0;
  readonly #finish: () => void;
  /** Settles when the device is off the bus; rejects if the model failed. */
  readonly done: Promise<void>;

  constructor(port: Port, poller: Poller, handlers: Handlers) {
    this.ring = port.ring;
    this.device = port.device;
    this.spin = port.spin;
    this.#port = port;
    this.#poller = poller;
    this.#handlers = handlers;
    this.#read = handlers.read?.bind(handlers) ?? absent;
    this.#write = handlers.write?.bind(handlers) ?? ignore;
    this.#registers = port.registers;
    for (const [bar, { min, max }] of port.widths.entries()) {
      this.#alignment[bar] = min - 1;
      for (let width: number = min; width <= max; width *= 2) {
        const kind = width === 8 ? route.bigint : route.number;
        this.#routes[bar << 4 | width] = kind;
      }
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.#finish = () => {
      const failure = this.#failure ?? port.failure;
      if (failure) reject(failure);
      else resolve();
    };
    poller.add(this);
  }

  /** Whether a handler's promise keeps later events waiting. */
  get stuck(): boolean {
    return this.#blocked;
  }

  /** Lets go of the device, whose remaining accesses are all-ones. */
  gone(): void {
    this.#poller.remove(this);
    this.#port.unplugged();
    this.#finish();
  }

  poll(): number {
    const ring = this.ring;
    if (!ring.ready()) return progress.idle;
    try {
      let left = budget;
      do {
        const shape = ring.shape();
        const kind = shape & 0xffff;
        const bar = shape >>> 16 & 0xff;
        const width = shape >>> 24;
        const offset = ring.offset();
        const register = ring.register();
        const direct = register === 0 && kind <= writeKind &&
          (offset & this.#alignment[bar]!) === 0 &&
          this.#routes[bar << 4 | width] === route.number;
        let pending: Awaitable<void> | undefined;
        if (!direct) {
          if (kind === abi.EVENT_UNPLUGGED) return this.#unplugged();
          pending = this.#other(kind);
        } else if (kind === readKind) {
          const value = this.#read(offset, width, bar);
          if (isWord(value)) {
            ring.complete(ring.slot(), ring.ticket(), value, 0);
          } else {
            pending = this.#readLater(value);
          }
        } else {
          pending = this.#write(
            offset,
            ring.value(0) >>> 0,
            width,
            bar,
            allBytes[width]!,
          );
        }
        if (pending !== undefined) {
          this.#block(pending);
          return progress.away;
        }
        ring.release();
        if (ring.owesWake()) this.#port.wake();
      } while (--left > 0 && ring.ready());
    } catch (error) {
      this.#failAtHead(error);
      this.#next();
    }
    return progress.worked;
  }

  /** Accesses to registers, those that take more than one call, rare events. */
  #other(kind: number): Promise<void> | undefined {
    const ring = this.ring;
    if (kind <= writeKind && ring.register() !== 0) {
      return ring.slot() === noSlot
        ? this.#registerTold(kind)
        : this.#registerWaits(kind);
    }
    if (kind === readKind || kind === writeKind) {
      const bar = ring.shape() >>> 16 & 0xff;
      const widths = this.#port.widths[bar] ?? { min: 1, max: 4 };
      const access = new SplitAccess(ring, widths);
      return kind === readKind
        ? this.#readPieces(access, 0)
        : this.#writePieces(access, 0);
    }
    const event = decodeNotice(ring, this.#port.registers.place(ring));
    if (!event) return undefined;
    // The model that failed in its driver's probe has no device any more.
    if (event.kind === "plugged" && !this.#failure) this.#port.plugged();
    const handler = this.#handlers[event.kind] as
      | ((event: unknown) => Awaitable<void>)
      | undefined;
    return promiseOf(handler?.call(this.#handlers, event));
  }

  /** The kernel has answered the read, or taken the write. */
  #registerTold(kind: number): Promise<void> | undefined {
    const ring = this.ring;
    const register = ring.register();
    if (kind === writeKind) return this.#registerWrite(register);
    const read = this.#registers.reads[register];
    if (!read) return undefined;
    const value = ring.shape() >>> 24 === 8
      ? ring.wideValue()
      : ring.value(0) >>> 0;
    const index = this.#registers.index(register, ring.offset());
    return promiseOf(read(index, ring.byteEnables(), value));
  }

  /** The driver waits until the access is completed. */
  #registerWaits(kind: number): Promise<void> | undefined {
    const ring = this.ring;
    const register = ring.register();
    const slot = ring.slot();
    const ticket = ring.ticket();
    const turn = this.#turn;
    if (kind === writeKind) {
      const pending = this.#registerWrite(register);
      if (!pending) return void ring.complete(slot, ticket, 0, 0);
      return pending.then(() => {
        if (turn === this.#turn) ring.complete(slot, ticket, 0, 0);
      });
    }
    const width = ring.shape() >>> 24;
    const value = this.#registerRead(register, width);
    if (!(value instanceof Promise)) {
      return this.#answer(slot, ticket, width, value);
    }
    return value.then((value) => {
      if (turn === this.#turn) this.#answer(slot, ticket, width, value);
    });
  }

  #registerRead(register: number, width: number): Awaitable<unknown> {
    const ring = this.ring;
    const offset = ring.offset();
    const read = this.#registers.reads[register];
    if (read) {
      const index = this.#registers.index(register, offset);
      return read(index, ring.byteEnables(), width === 8 ? 0n : 0);
    }
    const bar = ring.shape() >>> 16 & 0xff;
    if (width !== 8) return this.#read(offset, width, bar);
    const handlers = this.#handlers;
    return handlers.read64 ? handlers.read64(offset, width, bar) : -1n;
  }

  #registerWrite(register: number): Promise<void> | undefined {
    const ring = this.ring;
    const offset = ring.offset();
    const enables = ring.byteEnables();
    const shape = ring.shape();
    const bar = shape >>> 16 & 0xff;
    const width = shape >>> 24;
    const write = this.#registers.writes[register];
    if (width === 8) {
      const value = ring.wideValue();
      if (write) {
        const index = this.#registers.index(register, offset);
        return promiseOf(write(value, index, enables));
      }
      const handlers = this.#handlers;
      return promiseOf(handlers.write64?.(offset, value, width, bar, enables));
    }
    const value = ring.value(0) >>> 0;
    return promiseOf(
      write
        ? write(value, this.#registers.index(register, offset), enables)
        : this.#write(offset, value, width, bar, enables),
    );
  }

  #answer(
    slot: number,
    ticket: number,
    width: number,
    value: unknown,
  ): undefined {
    if (width !== 8 && isWord(value)) {
      this.ring.complete(slot, ticket, value, 0);
    } else {
      const wide = BigInt(checked(value, width));
      const low = Number(wide & 0xffffffffn);
      this.ring.complete(slot, ticket, low, Number(wide >> 32n));
    }
  }

  #readPieces(access: SplitAccess, from: number): Promise<void> | undefined {
    const turn = this.#turn;
    for (let index = from; index < access.pieces.length; index++) {
      const piece = access.pieces[index]!;
      const value = this.#readPiece(piece, access.bar);
      if (value instanceof Promise) {
        return value.then((value) => {
          if (turn !== this.#turn) return;
          access.put(piece, checked(value, piece.width));
          return this.#readPieces(access, index + 1);
        });
      }
      access.put(piece, checked(value, piece.width));
    }
    access.complete(this.ring);
    return undefined;
  }

  #readPiece(
    { offset, width }: Piece,
    bar: number,
  ): Awaitable<number | bigint> {
    if (width !== 8) return this.#read(offset, width, bar);
    const handlers = this.#handlers;
    return handlers.read64 ? handlers.read64(offset, width, bar) : -1n;
  }

  #writePieces(access: SplitAccess, from: number): Promise<void> | undefined {
    const { bar, pieces } = access;
    for (let index = from; index < pieces.length; index++) {
      const piece = pieces[index]!;
      const { offset, width } = piece;
      const enables = byteEnables(piece);
      const handlers = this.#handlers;
      const pending = promiseOf(
        width === 8
          ? handlers.write64?.(
            offset,
            access.value64(piece),
            width,
            bar,
            enables,
          )
          : this.#write(offset, access.value(piece), width, bar, enables),
      );
      if (pending) {
        return pending.then(() => this.#writePieces(access, index + 1));
      }
    }
    return undefined;
  }

  async #readLater(value: Awaitable<number>): Promise<void> {
    const slot = this.ring.slot();
    const ticket = this.ring.ticket();
    const turn = this.#turn;
    const word = checked(await value, 4);
    if (turn !== this.#turn) return;
    this.ring.complete(slot, ticket, Number(word), 0);
  }

  /**
   * Takes no event until a handler's promise has settled, or the kernel no
   * longer waits for the read that it is to answer.
   */
  #block(pending: Promise<void>): void {
    this.#blocked = true;
    const { ring } = this;
    const shape = ring.shape();
    const offset = ring.offset();
    const register = ring.register();
    const turn = this.#turn;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const goOn = (): void => {
      clearTimeout(timer);
      if (turn !== this.#turn) return;
      this.#turn++;
      this.#blocked = false;
      if (this.#port.closed) return;
      this.#next();
      this.#poller.add(this);
    };
    pending.then(goOn, (error: unknown) => {
      if (turn === this.#turn) this.#failAtHead(error);
      else {
        const where = this.#port.registers.describe(register, offset);
        this.#fail(
          error,
          `${describeAccess(shape, offset, where)} (timed out)`,
        );
      }
      goOn();
    });
    if ((shape & 0xffff) > writeKind) return;
    const slot = ring.slot();
    if (slot === noSlot) return;
    const ticket = ring.ticket();
    const look = (): void => {
      if (this.#port.closed || !ring.waits(slot, ticket)) goOn();
      else timer = setTimeout(look, recheck);
    };
    timer = setTimeout(look, this.#port.timeout + 1);
  }

  #next(): void {
    this.ring.release();
    if (this.ring.owesWake()) this.#port.wake();
  }

  /** The handler of the event at the head failed. */
  #failAtHead(error: unknown): void {
    if (this.#port.closed) return;
    const ring = this.ring;
    this.#fail(error, this.#describe());
    const access = (ring.shape() & 0xffff) <= writeKind;
    const slot = ring.slot();
    if (access && slot !== noSlot) ring.refuse(slot, ring.ticket());
  }

  /** The event at the head, as messages have it. */
  #describe(): string {
    const ring = this.ring;
    const shape = ring.shape();
    const kind = shape & 0xffff;
    if (kind !== readKind && kind !== writeKind) {
      return decodeNotice(ring)?.kind ?? `event ${kind}`;
    }
    const offset = ring.offset();
    const where = this.#port.registers.describe(ring.register(), offset);
    return describeAccess(shape, offset, where);
  }

  /** A model that failed is a card pulled from its slot. */
  #fail(error: unknown, where: string): void {
    if (this.#port.closed) return;
    this.#failure ??= failure(error, where);
    this.#handlers = {};
    this.#read = absent;
    this.#write = ignore;
    this.#registers = new RegisterEvents([]);
    this.#port.unplug({ surprise: true });
  }

  async #finishAfter(last: () => Awaitable<void>): Promise<void> {
    try {
      await last();
    } catch (error) {
      this.#failure ??= failure(error, "unplugged");
    }
    this.#finish();
  }

  #unplugged(): number {
    const event = decodeNotice(this.ring);
    this.ring.release();
    this.#port.unplugged();
    this.#finishAfter(() =>
      event?.kind === "unplugged"
        ? this.#handlers.unplugged?.(event)
        : undefined
    );
    return progress.away;
  }
}

/** A handler's value, or an error that says what it should have been. */
function checked(value: unknown, width: number): number | bigint {
  if (width === 8 ? typeof value === "bigint" : isWord(value)) {
    return width === 8
      ? BigInt.asUintN(64, value as bigint)
      : BigInt.asUintN(32, BigInt(value as number));
  }
  const wanted = width === 8
    ? "a bigint, or the promise of one"
    : "-2^31 to 2^32-1 (`x >>> 0` makes one), or the promise of it";
  const found = value === undefined
    ? "nothing"
    : `${String(value)} (${typeof value})`;
  throw new WrongValue(`it returned ${found}; return ${wanted}`);
}

/** What a handler returned cannot be read; its own stack tells nobody more. */
class WrongValue extends TypeError {}

function failure(error: unknown, where: string): ModelFailed {
  const reason = error instanceof Error ? error.message : String(error);
  return new ModelFailed(
    `the model failed in its handler of ${where}: ${reason}`,
    error instanceof WrongValue ? undefined : { cause: error },
  );
}

function promiseOf(value: unknown): Promise<void> | undefined {
  return value instanceof Promise ? value : undefined;
}

/** An access as messages have it: `where` names the register, if it is one. */
function describeAccess(
  shape: number,
  offset: number,
  where: string | undefined,
): string {
  const kind = (shape & 0xffff) === readKind ? "read" : "write";
  if (where) return `a ${kind} of ${where}`;
  return `a ${shape >>> 24}-byte ${kind} of BAR ${shape >>> 16 & 0xff} at ${
    hex(offset)
  }`;
}
