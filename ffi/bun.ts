// SPDX-License-Identifier: MIT

import { connect, type NetConnectOpts, type Socket } from "node:net";
import type { Runtime, Waiter } from "./runtime.ts";
import { type Calls, type Memory, symbols } from "./symbols.ts";

/** The part of `bun:ffi` that is used; only Bun has its types. */
interface BunFfi {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: unknown };
  ptr(memory: Memory): number;
  toArrayBuffer(address: number, offset: number, bytes: number): ArrayBuffer;
}

const types = { i32: "i32", u32: "u32", buffer: "ptr" } as const;

/** Loads the helper into Bun. */
export async function loadBun(path: string): Promise<Runtime> {
  // Not a literal, since type checkers other than Bun's cannot resolve it.
  const specifier: string = "bun:ffi";
  const ffi: BunFfi = await import(specifier);
  const table = Object.entries(symbols).map(([name, parameters]) => [
    name,
    { args: parameters.map((type) => types[type]), returns: "i32" },
  ]);
  const calls = ffi.dlopen(path, Object.fromEntries(table)).symbols as Calls;
  return {
    calls,
    toArrayBuffer: (address, bytes) =>
      ffi.toArrayBuffer(Number(address), 0, bytes),
    addressOf: (memory) => ffi.ptr(memory),
    createWaiter: (onReady) => new BunWaiter(calls, onReady),
  };
}

/**
 * Bun's FFI only blocks, but its event loop takes a socket by number: a thread
 * of the helper waits, and writes the tokens there.
 */
class BunWaiter implements Waiter {
  readonly #calls: Calls;
  readonly #waiter = new Int32Array(2);
  readonly #socket: Socket;
  readonly #armed: Map<number, number> = new Map();
  #rest: Uint8Array = new Uint8Array(0);

  constructor(calls: Calls, onReady: (token: number) => void) {
    this.#calls = calls;
    check(calls.barkeep_waiter_create(this.#waiter));
    const fd = check(calls.barkeep_waiter_stream(this.#waiter));
    this.#socket = connect({ fd } as unknown as NetConnectOpts);
    this.#socket.on("data", (data: Uint8Array) => {
      const bytes = new Uint8Array(this.#rest.length + data.length);
      bytes.set(this.#rest);
      bytes.set(data, this.#rest.length);
      const words = bytes.length >>> 2;
      this.#rest = bytes.subarray(words * 4);
      for (const token of new Uint32Array(bytes.buffer, 0, words)) {
        this.#armed.delete(token);
        onReady(token);
      }
      this.#keepAlive();
    });
    this.#socket.unref();
  }

  arm(device: number, token: number): void {
    this.#armed.set(token, device);
    check(this.#calls.barkeep_waiter_arm(this.#waiter, device, token));
    this.#keepAlive();
  }

  disarm(device: number): void {
    check(this.#calls.barkeep_waiter_disarm(this.#waiter, device));
    for (const [token, armed] of this.#armed) {
      if (armed === device) this.#armed.delete(token);
    }
    this.#keepAlive();
  }

  #keepAlive(): void {
    if (this.#armed.size > 0) this.#socket.ref();
    else this.#socket.unref();
  }
}

function check(returned: number): number {
  if (returned >= 0) return returned;
  throw new Error(`cannot wait for devices: errno ${-returned}`);
}
