// SPDX-License-Identifier: MIT

import { BadSpec } from "./errors.ts";
import type {
  CommandEvent,
  ConfigEvent,
  FaultEvent,
  NoticeEvent,
  PluggedEvent,
  PowerEvent,
  ResetEvent,
  UnpluggedEvent,
  VectorEvent,
} from "./events.ts";
import { unknownKey } from "./mistakes.ts";
import { type DeviceSpec, widths } from "./spec.ts";

/** What a handler returns: a value now, or the promise of one. */
export type Awaitable<T> = T | Promise<T>;

/**
 * How a device behaves, as functions. Where one returns a promise, the access
 * completes when that settles, and later ones wait, as on a real bus. Accesses
 * without a handler read as all-ones and are ignored as writes.
 *
 * @example
 * ```ts
 * import type { Handlers } from "./mod.ts";
 *
 * let scratch = 0;
 * const handlers: Handlers = {
 *   read: (offset) => (offset === 0 ? scratch : 0xffffffff),
 *   write(offset, value) {
 *     if (offset === 0) scratch = value;
 *   },
 * };
 * ```
 */
export interface Handlers {
  /**
   * The driver reads 1, 2 or 4 bytes of a BAR.
   *
   * @param offset Bytes from the start of the BAR.
   * @param width Bytes: 1, 2 or 4.
   * @param bar BAR number, 0 to 5.
   * @returns -2^31 to 2^32-1, or a promise of it; bytes above `width` are
   * ignored. What comes after the device's `timeout` is dropped.
   */
  read?(offset: number, width: number, bar: number): Awaitable<number>;
  /**
   * The driver writes 1, 2 or 4 bytes of a BAR. A promise is waited for without
   * a limit: while it does not settle, nothing that comes later is handled, and
   * reads time out.
   *
   * @param offset Bytes from the start of the BAR.
   * @param value What it wrote, unsigned.
   * @param width Bytes: 1, 2 or 4.
   * @param bar BAR number, 0 to 5.
   * @param byteEnables Bit n: byte n was written; all but in a widened write.
   */
  write?(
    offset: number,
    value: number,
    width: number,
    bar: number,
    byteEnables: number,
  ): Awaitable<void>;
  /**
   * The driver reads 8 bytes of a BAR that declares `width: 8`.
   *
   * @param offset Bytes from the start of the BAR.
   * @param width Bytes: 8.
   * @param bar BAR number, 0 to 5.
   * @returns The value, of which the lower 64 bits count, or a promise of it.
   */
  read64?(offset: number, width: number, bar: number): Awaitable<bigint>;
  /**
   * The driver writes 8 bytes to a BAR that declares `width: 8`.
   *
   * @param offset Bytes from the start of the BAR.
   * @param value What it wrote, unsigned.
   * @param width Bytes: 8.
   * @param bar BAR number, 0 to 5.
   * @param byteEnables Bit n: byte n was written; all but in a widened write.
   */
  write64?(
    offset: number,
    value: bigint,
    width: number,
    bar: number,
    byteEnables: number,
  ): Awaitable<void>;
  /** The host wrote to a dword of config space that `notify` names. */
  config?(event: ConfigEvent): Awaitable<void>;
  /** The Command register changed. */
  command?(event: CommandEvent): Awaitable<void>;
  /** The power state changed. */
  power?(event: PowerEvent): Awaitable<void>;
  /** The function was reset. */
  reset?(event: ResetEvent): Awaitable<void>;
  /** The driver set up interrupts anew. */
  vector?(event: VectorEvent): Awaitable<void>;
  /** Something got no proper answer. */
  fault?(event: FaultEvent): Awaitable<void>;
  /** The device is on the bus, and bound if there is a driver for it. */
  plugged?(event: PluggedEvent): Awaitable<void>;
  /** The device has left the bus. */
  unplugged?(event: UnpluggedEvent): Awaitable<void>;
}

/** The events that are no accesses; their handlers have these names. */
export const noticeKinds: readonly NoticeEvent["kind"][] = [
  "config",
  "command",
  "power",
  "reset",
  "vector",
  "fault",
  "plugged",
  "unplugged",
];

/** The names of all handlers. */
export const handlerNames: readonly (keyof Handlers)[] = [
  "read",
  "write",
  "read64",
  "write64",
  ...noticeKinds,
];

/**
 * Checks handlers against the BARs they are for.
 *
 * @param source Who gave them, for messages.
 * @throws {BadSpec} when there are none, one is no function or none that is
 * known, or an 8-byte one is missing.
 */
export function checkHandlers(
  handlers: Handlers,
  spec: DeviceSpec,
  { source = "serve() was given" }: { source?: string } = {},
): void {
  if (typeof handlers !== "object" || handlers === null) {
    throw new BadSpec([
      `${source} ${handlers}, not handlers: { read, write, … }`,
    ]);
  }
  if (handlers instanceof Promise) {
    throw new BadSpec([
      `${source} a promise; return the handlers, and await inside them`,
    ]);
  }
  const mistakes: string[] = misnamed(handlers);
  for (const name of handlerNames) {
    const type = typeof handlers[name];
    if (type !== "undefined" && type !== "function") {
      mistakes.push(`${name} is a ${type}: give a function, or leave it out`);
    }
  }
  const wide = (spec.bars ?? []).findIndex((bar) =>
    bar && widths(bar.width).max === 8
  );
  for (const [narrow, name] of pairs) {
    if (wide >= 0 && handlers[narrow] && !handlers[name]) {
      mistakes.push(
        `bars[${wide}] has width 8, and there is ${narrow} without ${name}: ` +
          `add ${name}, or declare width 4 to have 8-byte accesses split`,
      );
    }
  }
  if (mistakes.length > 0) throw new BadSpec(mistakes);
}

/** Methods of a plain object; a class may have what it likes. */
function misnamed(handlers: Handlers): string[] {
  if (Object.getPrototypeOf(handlers) !== Object.prototype) return [];
  const keys: readonly string[] = handlerNames;
  return Object.entries(handlers).flatMap(([key, value]) =>
    typeof value !== "function" || keys.includes(key) || key === "attach"
      ? []
      : [unknownKey("handlers", { key, keys })]
  );
}

const pairs = [["read", "read64"], ["write", "write64"]] as const;
