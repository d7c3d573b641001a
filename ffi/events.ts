// SPDX-License-Identifier: MIT

/** What all events say. */
export interface EventBase {
  /** Nanoseconds on CLOCK_MONOTONIC. */
  readonly time: number;
  /** CPU that the driver ran on. */
  readonly cpu: number;
}

/** Where an access went. */
export interface Access extends EventBase {
  /** BAR number, 0 to 5. */
  readonly bar: number;
  /** Bytes from the start of the BAR. */
  readonly offset: number;
  /** Bytes of the access; of one to a register, the register's. */
  readonly width: number;
  /** The name of the declared register that was accessed, if it is one. */
  readonly register?: string;
  /** Which of an array's registers it is; 0 for a single one. */
  readonly index?: number;
}

/** The driver reads, and waits for {@link ReadEvent.complete}. */
export interface ReadEvent extends Access {
  /** Tells it from other events. */
  readonly kind: "read";
  /** Bytes of the access. */
  readonly width: 1 | 2 | 4;
  /** Bit n: byte n is read; all of them but of a part of a register. */
  readonly byteEnables: number;
  /**
   * Gives the driver its value.
   *
   * @param value -2^31 to 2^32-1; the bytes above `width` are ignored.
   * @returns whether the driver got it. `false`: it waits no more, because the
   * read timed out, which is a `fault` event too, or the device is gone.
   * @throws {CompletionRefused} when it was completed before.
   * @throws {RangeError} when the value is out of that range, or not whole.
   */
  complete(value: number): boolean;
}

/** The driver reads 8 bytes of a BAR that declares `width: 8`. */
export interface Read64Event extends Access {
  /** Tells it from other events. */
  readonly kind: "read64";
  /** Bytes of the access. */
  readonly width: 8;
  /** Bit n: byte n is read; all of them but of a part of a register. */
  readonly byteEnables: number;
  /**
   * Gives the driver its value.
   *
   * @param value The lower 64 bits of it count.
   * @returns whether the driver got it, as {@link ReadEvent.complete}.
   * @throws {CompletionRefused} when it was completed before.
   * @throws {RangeError} when the value is no bigint.
   */
  complete(value: bigint): boolean;
}

/**
 * The driver wrote. A write that waits, which only one to a register does,
 * completes when the loop asks for the next event.
 */
export interface WriteEvent extends Access {
  /** Tells it from other events. */
  readonly kind: "write";
  /** Bytes of the access. */
  readonly width: 1 | 2 | 4;
  /** What it wrote, unsigned. */
  readonly value: number;
  /** Bit n: byte n was written; all of them but in a widened write. */
  readonly byteEnables: number;
}

/** The driver wrote 8 bytes to a BAR that declares `width: 8`. */
export interface Write64Event extends Access {
  /** Tells it from other events. */
  readonly kind: "write64";
  /** Bytes of the access. */
  readonly width: 8;
  /** What it wrote, unsigned. */
  readonly value: bigint;
  /** Bit n: byte n was written; all of them but in a widened write. */
  readonly byteEnables: number;
}

/** The kernel has answered a read of a register that tells of reads. */
export interface AnsweredEvent extends Access {
  /** Tells it from other events. */
  readonly kind: "answered";
  /** Name of the register. */
  readonly register: string;
  /** Which of an array's registers it is; 0 for a single one. */
  readonly index: number;
  /** What the driver read: a bigint of a register of 8 bytes. */
  readonly value: number | bigint;
  /** Bit n: byte n was read. */
  readonly byteEnables: number;
}

/** The host wrote to a dword of config space that `notify` names. */
export interface ConfigEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "config";
  /** Offset of the dword. */
  readonly offset: number;
  /** What the dword holds now. */
  readonly value: number;
}

/** The Command register changed. */
export interface CommandEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "command";
  /** The whole register. */
  readonly value: number;
  /** Whether the BARs are decoded. */
  readonly memory: boolean;
  /** Whether DMA and MSI are allowed. */
  readonly busMaster: boolean;
  /** Whether INTx is disabled. */
  readonly interruptDisable: boolean;
}

/** The power state changed. */
export interface PowerEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "power";
  /** 0 to 3, for D0 to D3hot. */
  readonly state: number;
}

/** The function was reset: the model goes back to its initial state. */
export interface ResetEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "reset";
  /** Function Level Reset, or return from D3hot. */
  readonly cause: "flr" | "d3hot";
}

/** The driver set up interrupts anew. */
export interface VectorEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "vector";
  /** MSI vectors enabled, 0 for none. */
  readonly enabled: number;
}

/** Something got no proper answer. */
export interface FaultEvent extends Access {
  /** Tells it from other events. */
  readonly kind: "fault";
  /**
   * `timeout`: an access waited too long: a read was all-ones, a write that
   * waits went on. `undecodable`: an instruction that cannot be emulated was
   * skipped. `link`: posted writes could not be delivered, so the device reads
   * as all-ones until unplugged; it is of no single access.
   * `memory`: the machine had no memory for a page of a BAR that was written.
   * `uncompleted`: the body of a `for await` left a read without completing it.
   */
  readonly reason:
    | "timeout"
    | "undecodable"
    | "link"
    | "memory"
    | "uncompleted";
  /** What the access was, where that is known. */
  readonly access?: "read" | "write";
}

/** The device is on the bus, and bound if there is a driver for it. */
export interface PluggedEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "plugged";
}

/** The device has left the bus. No event comes after this one. */
export interface UnpluggedEvent extends EventBase {
  /** Tells it from other events. */
  readonly kind: "unplugged";
}

/** What can happen to a device besides accesses. */
export type NoticeEvent =
  | ConfigEvent
  | CommandEvent
  | PowerEvent
  | ResetEvent
  | VectorEvent
  | FaultEvent
  | PluggedEvent
  | UnpluggedEvent;

/**
 * Everything that a device is told, told apart by `kind`.
 *
 * @example
 * ```ts
 * import type { Event } from "./mod.ts";
 *
 * function show(event: Event): string {
 *   return event.kind === "write" ? `wrote ${event.value}` : event.kind;
 * }
 * ```
 */
export type Event =
  | ReadEvent
  | Read64Event
  | WriteEvent
  | Write64Event
  | AnsweredEvent
  | NoticeEvent;
