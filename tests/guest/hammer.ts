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

/** What they have done so far. */
export interface Counts {
  readonly accesses: number;
  /** Reads that the model answered. */
  readonly answered: number;
  /** Milliseconds that one access took at most. */
  readonly longest: number;
  /** They found that the device is gone, and access it no more. */
  readonly gone: boolean;
}

/** Looks what they have done so far. */
export async function counts(address: string): Promise<Counts> {
  const text = await readFile(file(address), "utf8");
  const match = /(\d+) accesses, (\d+) answered, .* longest (\d+) ns/.exec(
    text,
  );
  return {
    accesses: Number(match?.[1]),
    answered: Number(match?.[2]),
    longest: Number(match?.[3]) / 1e6,
    gone: text.includes("gone"),
  };
}

/** Waits until the model has answered some more of their reads. */
export async function traffic(address: string, more: number): Promise<void> {
  const before = await counts(address);
  await eventually(
    async () => (await counts(address)).answered >= before.answered + more,
    `traffic on ${address}`,
  );
}
