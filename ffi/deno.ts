// SPDX-License-Identifier: MIT

import type { Runtime, Waiter } from "./runtime.ts";
import { type Calls, symbols } from "./symbols.ts";

/** The one function that blocks runs on a thread of Deno's pool. */
const blocking = "barkeep_waiter_wait";

/** Most devices that one return of the waiter names. */
const batch = 64;

type Wait = (
  waiter: Int32Array<ArrayBuffer>,
  tokens: Uint32Array<ArrayBuffer>,
  count: number,
) => Promise<number>;

/** Loads the helper into Deno. */
export function loadDeno(path: string): Runtime {
  const table = Object.entries(symbols).map(([name, parameters]) => [
    name,
    { parameters, result: "i32", nonblocking: name === blocking },
  ]);
  const library: unknown = Deno.dlopen(path, Object.fromEntries(table)).symbols;
  const calls = library as Calls;
  const wait = calls[blocking] as unknown as Wait;
  return {
    calls,
    toArrayBuffer(address, bytes) {
      const pointer = Deno.UnsafePointer.create(address);
      if (pointer === null) throw new RangeError("a null pointer has no bytes");
      return Deno.UnsafePointerView.getArrayBuffer(pointer, bytes);
    },
    addressOf: (memory) =>
      Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory))),
    createWaiter: (onReady) => new DenoWaiter(calls, { wait, onReady }),
  };
}

/** One call is out while any device is armed; it keeps the process alive. */
class DenoWaiter implements Waiter {
  readonly #calls: Calls;
  readonly #wait: Wait;
  readonly #onReady: (token: number) => void;
  readonly #waiter = new Int32Array(2);
  readonly #tokens = new Uint32Array(batch);
  readonly #armed: Map<number, number> = new Map();
  #waiting = false;

  constructor(
    calls: Calls,
    options: { wait: Wait; onReady: (token: number) => void },
  ) {
    this.#calls = calls;
    this.#wait = options.wait;
    this.#onReady = options.onReady;
    check(calls.barkeep_waiter_create(this.#waiter));
  }

  arm(device: number, token: number): void {
    this.#armed.set(token, device);
    check(this.#calls.barkeep_waiter_arm(this.#waiter, device, token));
    if (!this.#waiting) this.#run();
  }

  disarm(device: number): void {
    check(this.#calls.barkeep_waiter_disarm(this.#waiter, device));
    for (const [token, armed] of this.#armed) {
      if (armed === device) this.#armed.delete(token);
    }
    if (this.#armed.size === 0 && this.#waiting) {
      check(this.#calls.barkeep_waiter_interrupt(this.#waiter));
    }
  }

  async #run(): Promise<void> {
    this.#waiting = true;
    try {
      while (this.#armed.size > 0) {
        const found = check(
          await this.#wait(this.#waiter, this.#tokens, batch),
        );
        for (const token of this.#tokens.slice(0, found)) {
          this.#armed.delete(token);
          this.#onReady(token);
        }
      }
    } finally {
      this.#waiting = false;
    }
  }
}

function check(returned: number): number {
  if (returned >= 0) return returned;
  throw new Error(`cannot wait for devices: errno ${-returned}`);
}
