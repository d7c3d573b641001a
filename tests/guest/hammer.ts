// SPDX-License-Identifier: MIT

/**
 * The threads of `bench.ko` that access a device as fast as they can.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { eventually } from "./harness.ts";

const file = (address: string): string =>
  `/sys/kernel/debug/bench-${address}/hammer`;

/** Binds `bench.ko` to a device, should its probe have run into the timeout. */
export async function bindBench(address: string): Promise<void> {
  const bind = "/sys/bus/pci/drivers/bench/bind";
  await eventually(async () => {
    if (existsSync(file(address))) return true;
    await writeFile(bind, address).catch(() => {});
    return existsSync(file(address));
  }, `bench.ko on ${address}`);
}

/** Has so many threads access it; returns once those before have ended. */
export async function hammer(address: string, threads: number): Promise<void> {
  await writeFile(file(address), String(threads));
}

/** Accesses that they have done so far. */
export async function accesses(address: string): Promise<number> {
  const text = await readFile(file(address), "utf8");
  return Number(/(\d+) accesses/.exec(text)?.[1]);
}

/** Waits until they have done some more. */
export async function traffic(address: string, more: number): Promise<void> {
  const before = await accesses(address);
  await eventually(
    async () => await accesses(address) > before + more,
    `traffic on ${address}`,
  );
}
