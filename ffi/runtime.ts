// SPDX-License-Identifier: MIT

import process from "node:process";
import { abi, checkAbi } from "./abi.ts";
import { BarkeepError } from "./errors.ts";
import { helperPath } from "./helper.ts";
import type { Calls, Memory } from "./symbols.ts";

/** What a runtime has to offer; `bun.ts` and `deno.ts` are the two. */
export interface Runtime {
  /** The C helper's functions. */
  readonly calls: Calls;
  /**
   * The bytes at an address, without a finalizer: they are the kernel's, and
   * whoever mapped them sees to it that they stay readable for ever.
   */
  toArrayBuffer(address: bigint, bytes: number): ArrayBuffer;
  /** The address of memory, which must be kept alive while it is used. */
  addressOf(memory: Memory): number;
  /**
   * Makes the process's waiter.
   *
   * @param onReady Called with the token of each device that became ready.
   */
  createWaiter(onReady: (token: number) => void): Waiter;
}

/**
 * Waits in the kernel for many devices at once, off the event loop. While a
 * device is armed the process stays alive.
 */
export interface Waiter {
  /** Has the device reported once, when it has an event or is gone. */
  arm(device: number, token: number): void;
  /** Takes that back. */
  disarm(device: number): void;
}

let loaded: Promise<Runtime> | undefined;

/**
 * Loads the C helper into this runtime, building it first if need be.
 *
 * @throws {AbiMismatch} when helper and library disagree about the header.
 * @throws {BarkeepError} `NO_RUNTIME` in neither Bun nor Deno.
 */
export function loadRuntime(): Promise<Runtime> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Runtime> {
  const bun = "bun" in process.versions;
  if (!bun && !("Deno" in globalThis)) {
    throw new BarkeepError(
      "NO_RUNTIME",
      "this runtime has no foreign function interface that barkeep knows. Run the file with Bun or Deno",
    );
  }
  const path = await helperPath();
  const runtime = bun
    ? await (await import("./bun.ts")).loadBun(path)
    : (await import("./deno.ts")).loadDeno(path);
  checkAbi(constants(runtime.calls));
  return runtime;
}

function constants(calls: Calls): string {
  const text = new Uint8Array(8192);
  const length = calls.barkeep_constants(text, text.length);
  if (length < 0) throw systemError("read the helper's constants", length);
  return new TextDecoder().decode(text.subarray(0, length));
}

/** An error that the UAPI does not document for what was tried. */
export function systemError(tried: string, returned: number): BarkeepError {
  return new BarkeepError(
    "SYSTEM",
    `cannot ${tried}: errno ${-returned}. The UAPI (version ${abi.ABI}) documents no such ` +
      `outcome; the kernel's log may say more`,
  );
}
