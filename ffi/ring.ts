// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";

/** The four pieces of shared memory that a ring is made of. */
export interface RingMemory {
  readonly status: ArrayBuffer;
  readonly control: ArrayBuffer;
  readonly ring: ArrayBuffer;
  readonly completions: ArrayBuffer;
}

// Word indices: every access is to a 32-bit word of an Int32Array, which is
// what runtimes compile to single loads and stores.
const entryShift = Math.log2(abi["sizeof event"] / 4);
const shapeWord = abi["event.kind"] / 4;
const offsetWord = abi["event.offset"] / 4;
const valueWord = abi["event.value"] / 4;
const timeWord = abi["event.time"] / 4;
const cpuWord = abi["event.cpu"] / 4;
const slotWord = abi["event.slot"] / 4;
const ticketWord = abi["event.ticket"] / 4;
const registerWord = abi["event.reg"] / 4;
const enablesWord = abi["event.byte_enables"] / 4;
const headWord = abi["control.head"] / 4;
const sleepingWord = abi["control.sleeping"] / 4;
const slotShift = Math.log2(abi["sizeof completion"] / 4);
const completionValue = abi["completion.value"] / 4;
const completionStatus = abi["completion.status"] / 4;
const completionTicket = abi["completion.ticket"] / 4;
const successful = abi.COMPLETION_SUCCESSFUL;
const unsupported = abi.COMPLETION_UNSUPPORTED;
const stateWord = abi["status.state"] / 4;
const sleepersWord = abi["status.sleepers"] / 4;
const waitingWord = abi["status.waiting"] / 4;

// For every event: to look something up in so large a table takes time in V8.
/** Kind of an event that is a read. */
export const readKind: number = abi.EVENT_READ;
/** Kind of an event that is a write; those above are no accesses. */
export const writeKind: number = abi.EVENT_WRITE;

/** {@link Ring.slot} of an event that waits for nothing. */
export const noSlot: number = abi.NO_SLOT | 0;

const own = new Int32Array(1);

/**
 * Has what is loaded over and over be loaded: compilers move no load of a typed array across a
 * store to another one, which might be of the same memory, and leave out no
 * store that changes what is there. An atomic access would do as well, for the
 * price of a locked instruction in JavaScriptCore and of a call in V8.
 */
function fence(): void {
  own[0]!++;
}

/**
 * The event ring and the completion slots, seen from the model. The fields are
 * those of the entry at the head, and valid while {@link Ring.ready} is true.
 *
 * Ordering: `sequence` is loaded before the rest of an entry; a completion's
 * `ticket` is stored after the rest of its slot, and the head after all else.
 * The CPU, an x86, reorders neither loads nor stores with their like, and
 * compilers are kept from it by {@link fence} and by stores being to arrays of
 * one type. {@link Ring.release} is a full barrier, the only one at each event:
 * what is completed before it is seen by then. So is {@link Ring.setSleeping},
 * after which the kernel looks at the ring. Atomics.load is of no use here:
 * JavaScriptCore compiles it to an addition of zero, which faults on memory that
 * is mapped read-only, as what the kernel writes is.
 */
export class Ring {
  readonly #entries: Int32Array;
  readonly #control: Int32Array;
  readonly #completions: Int32Array;
  readonly #status: Int32Array;
  readonly #mask: number;
  /** Index of the head entry: free-running, as an int32. */
  head: number;
  /** Index of the head entry's first word. */
  #at: number;

  constructor(memory: RingMemory) {
    this.#entries = new Int32Array(memory.ring);
    this.#control = new Int32Array(memory.control);
    this.#completions = new Int32Array(memory.completions);
    this.#status = new Int32Array(memory.status);
    this.#mask = (this.#entries.length >>> entryShift) - 1;
    this.head = this.#control[headWord]!;
    this.#at = (this.head & this.#mask) << entryShift;
  }

  /** Whether there is an event at the head. */
  ready(): boolean {
    if (this.#entries[this.#at] === (this.head + 1 | 0)) return true;
    fence();
    return false;
  }

  /** Moves on to the next event; its entry is the kernel's again. */
  release(): void {
    const head = this.head + 1 | 0;
    this.head = head;
    this.#at = (head & this.#mask) << entryShift;
    Atomics.store(this.#control, headWord, head);
  }

  /** Kind, BAR and width in one word: `kind | bar << 16 | width << 24`. */
  shape(): number {
    return this.#entries[this.#at + shapeWord]!;
  }

  /** Bytes from the start of the BAR or of config space. */
  offset(): number {
    // A BAR has 2^28 bytes at most, so the upper word is zero.
    return this.#entries[this.#at + offsetWord]!;
  }

  /** Word `index`, 0 to 3, of the value. */
  value(index: number): number {
    return this.#entries[this.#at + valueWord + index]!;
  }

  /** The value of an access of 8 bytes, unsigned. */
  wideValue(): bigint {
    const low = BigInt(this.value(0) >>> 0);
    return BigInt(this.value(1) >>> 0) << 32n | low;
  }

  /** Completion slot that the access waits in, or {@link noSlot}. */
  slot(): number {
    return this.#entries[this.#at + slotWord]!;
  }

  /** What its completion has to carry. */
  ticket(): number {
    return this.#entries[this.#at + ticketWord]!;
  }

  /** Number of the declared register plus one, or 0 for none. */
  register(): number {
    return this.#entries[this.#at + registerWord]!;
  }

  /** Of an access to a register: bit n is set where it touches byte n. */
  byteEnables(): number {
    return this.#entries[this.#at + enablesWord]!;
  }

  /** The driver's CPU. */
  cpu(): number {
    return this.#entries[this.#at + cpuWord]!;
  }

  /** Nanoseconds on CLOCK_MONOTONIC. */
  time(): number {
    const entries = this.#entries;
    const at = this.#at + timeWord;
    return entries[at + 1]! * 2 ** 32 + (entries[at]! >>> 0);
  }

  /** Completes an access of up to 8 bytes; {@link Ring.release} is to follow. */
  complete(slot: number, ticket: number, low: number, high: number): void {
    const completions = this.#completions;
    const at = slot << slotShift;
    completions[at + completionValue] = low;
    completions[at + completionValue + 1] = high;
    completions[at + completionStatus] = successful;
    completions[at + completionTicket] = ticket;
  }

  /** The same of a read of up to 16 bytes, with four words. */
  completeWords(slot: number, ticket: number, words: Int32Array): void {
    const completions = this.#completions;
    const at = slot << slotShift;
    completions.set(words, at + completionValue);
    completions[at + completionStatus] = successful;
    completions[at + completionTicket] = ticket;
  }

  /** The same of a read as Unsupported Request: all-ones. */
  refuse(slot: number, ticket: number): void {
    const completions = this.#completions;
    const at = slot << slotShift;
    completions[at + completionStatus] = unsupported;
    completions[at + completionTicket] = ticket;
  }

  /** Whether the access still waits in its slot. */
  waits(slot: number, ticket: number): boolean {
    fence();
    return this.#status[waitingWord + slot] === ticket;
  }

  /** Whether accesses sleep, so that the release just made owes a wake. */
  owesWake(): boolean {
    return this.#status[sleepersWord] !== 0;
  }

  /** Tells producers whether a wake-up is owed to us. */
  setSleeping(sleeping: boolean): void {
    Atomics.store(this.#control, sleepingWord, sleeping ? 1 : 0);
  }

  /** Whether the device is off the bus; events may be left all the same. */
  isGone(): boolean {
    fence();
    return this.#status[stateWord] === abi.STATE_GONE;
  }
}
