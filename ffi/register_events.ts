// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import { BadSpec } from "./errors.ts";
import type { Handlers } from "./handlers.ts";
import { type Say, show, unknownKeys } from "./mistakes.ts";
import { placeInArray } from "./register_bank.ts";
import type { RegisterLayout } from "./register_layout.ts";
import type {
  Register,
  RegisterArray,
  RegisterHandlers,
  RegisterWriteHandler,
} from "./register_types.ts";
import type { RegisterSpecs } from "./registers.ts";
import type { Ring } from "./ring.ts";

const handlerKeys: Record<keyof RegisterHandlers, true> = {
  read: true,
  write: true,
};

/** What an event says of the register that was accessed. */
export interface RegisterPlace {
  /** Its name in the map. */
  readonly register: string;
  /** Which of an array's registers; 0 for a single one. */
  readonly index: number;
}

/** Whose register an object is. */
const owners = new WeakMap<
  object,
  { events: RegisterEvents; number: number }
>();

/** What registers of devices are called, for messages. */
const listenable = new Set<string>();

/** As many as a message names. */
const named = 8;

/**
 * A device's registers as its events name them: by number, the first being 1.
 * Arrays have nothing at 0.
 */
export class RegisterEvents {
  readonly reads: (RegisterHandlers["read"] | undefined)[] = [undefined];
  readonly writes: (RegisterHandlers["write"] | undefined)[] = [undefined];
  readonly #layouts: readonly RegisterLayout[];
  readonly #at: Uint32Array;
  readonly #stride: Uint32Array;

  /** Takes them in the order in which they are plugged. */
  constructor(layouts: readonly RegisterLayout[]) {
    this.#layouts = layouts;
    this.#at = Uint32Array.of(0, ...layouts.map(({ at }) => at));
    this.#stride = Uint32Array.of(1, ...layouts.map(({ stride }) => stride));
    for (const _ of layouts) {
      this.reads.push(undefined);
      this.writes.push(undefined);
    }
  }

  /** Has {@link on} know a BAR's registers. */
  own(bar: number, bank: Readonly<Record<string, object>>): void {
    this.#layouts.forEach((layout, index) => {
      const register = layout.bar === bar ? bank[layout.name] : undefined;
      if (!register) return;
      owners.set(register, { events: this, number: index + 1 });
      listenable.add(layout.name);
    });
  }

  /** Which of an array's registers is at an offset; 0 for a single one. */
  index(number: number, offset: number): number {
    return (offset - this.#at[number]!) / this.#stride[number]! | 0;
  }

  /** What events say of the access at the head, if it is one to a register. */
  place(ring: Ring): RegisterPlace | undefined {
    const number = ring.register();
    const layout = this.#layouts[number - 1];
    if (!layout) return undefined;
    const index = this.index(number, ring.offset());
    return { register: layout.name, index };
  }

  /** Its name and index, for messages. */
  describe(number: number, offset: number): string | undefined {
    const layout = this.#layouts[number - 1];
    if (!layout) return undefined;
    const { name, count } = layout;
    return count === 1 ? name : `${name}.at(${this.index(number, offset)})`;
  }

  /**
   * Takes a register's handlers.
   *
   * @throws {BadSpec} when there is nothing that they would hear of.
   */
  listen(number: number, handlers: RegisterHandlers): void {
    const layout = this.#layouts[number - 1];
    if (!layout) return;
    const mistakes: string[] = [];
    const say = (mistake: string): void => void mistakes.push(mistake);
    const name = `on(${layout.name})`;
    unknownKeys(name, { of: handlers, known: handlerKeys, say });
    for (const [kind, flags] of heard) {
      const type = typeof handlers[kind];
      if (type === "undefined") continue;
      if (type !== "function") {
        say(`${name} was given a ${type} as ${kind}: give a function`);
      } else if ((layout.flags & flags) === 0) {
        say(
          `${name} would hear of no ${kind}: declare the register with ` +
            `tell: "${kind}" or wait: "${kind}"`,
        );
      }
    }
    if (mistakes.length > 0) throw new BadSpec(mistakes);
    this.reads[number] = handlers.read?.bind(handlers);
    this.writes[number] = handlers.write?.bind(handlers);
  }
}

function noRegister(given: unknown): string {
  const some = [...listenable].slice(0, named).join(", ");
  const more = listenable.size > named ? ", …" : "";
  return `on() was given ${show(given)}, which is no register of a plugged ` +
    "device: give it one of a BAR's registers" +
    (some ? ` (${some}${more})` : "");
}

const heard = [
  ["read", abi.REGISTER_TELL_READ | abi.REGISTER_WAIT_READ],
  ["write", abi.REGISTER_TELL_WRITE | abi.REGISTER_WAIT_WRITE],
] as const;

/**
 * Says which reads of a BAR's registers wait for a model that answers none.
 *
 * @param handlers The device's own, which registers without any fall to.
 */
export function checkWaits(
  bar: number,
  { specs, bank, handlers, say }: {
    specs: RegisterSpecs;
    bank: Readonly<Record<string, object>>;
    handlers: Handlers;
    say: Say;
  },
): void {
  for (const [name, { wait, width }] of Object.entries(specs)) {
    if (wait !== "read" && wait !== "both") continue;
    const owner = owners.get(bank[name] ?? {});
    const own = width === 8 ? "read64" : "read";
    if (owner?.events.reads[owner.number] || handlers[own]) continue;
    say(
      `bars[${bar}].registers.${name} waits for the model on reads, and ` +
        `neither on(${name}, { read }) nor a ${own} handler answers: add one, ` +
        "or leave wait out",
    );
  }
}

/**
 * Has handlers called for a register's accesses, or an array's, where its
 * declaration has the model told of them or has them wait for it. They take the
 * place of earlier ones. Without any, such an access is the device's own
 * handlers'. They are called by {@link Device.serve} and `serve()`; in a
 * `for await` loop the accesses are events.
 *
 * @param register A register of {@link Bar.registers}; of an array, all of it.
 * @param handlers For reads and writes, or a function for writes.
 * @throws {BadSpec} when it is no register, or one of an array, or when the
 * declaration lets the model hear of nothing.
 *
 * @example
 * ```ts
 * import { on, registers, serve } from "./mod.ts";
 *
 * const map = registers({
 *   doorbell: { at: 0x00, access: "wo", tell: "write", count: 8 },
 *   clock: { at: 0x20, access: "ro", width: 8, wait: "read" },
 * });
 * await serve({
 *   id: { vendor: 0x1234, device: 0xc0de },
 *   bars: [{ size: 4096, registers: map }],
 *   attach({ bars: [{ registers }] }) {
 *     on(registers.doorbell, (value, index) => console.log(index, value));
 *     on(registers.clock, { read: () => process.hrtime.bigint() });
 *   },
 * });
 * ```
 */
export function on<Value extends number | bigint>(
  register: Register<Value> | RegisterArray<Register<Value>>,
  handlers: RegisterHandlers<Value> | RegisterWriteHandler<Value>,
): void {
  const element = placeInArray(register);
  if (element) {
    const { own, array } = element;
    throw new BadSpec([
      `${own} is one of an array: on(${array}, (value, index) => …) hears of all`,
    ]);
  }
  const owner = owners.get(register);
  if (!owner) {
    throw new BadSpec([noRegister(register)]);
  }
  const given = typeof handlers === "function" ? { write: handlers } : handlers;
  owner.events.listen(owner.number, given);
}
