// SPDX-License-Identifier: MIT

/**
 * The device that `bench.ko` accesses, until it is given a line of input: then
 * it answers nothing and scribbles on its pages, until it is given another.
 * Argument: what its random words begin with.
 *
 * @module
 */
import { readdirSync, readlinkSync, writeSync } from "node:fs";
import process from "node:process";
import { open } from "../../../mod.ts";
import { patiently } from "../patience.ts";
import { loadRaw } from "../raw.ts";

const library = await loadRaw();
const device = await open({
  id: { vendor: 0x1234, device: 0xbe9c },
  bars: [{ size: 16384, trap: [[0, 4096]], shadow: [[4096, 4096]] }],
  ring: 256,
  timeout: patiently(3000),
});
void device.serve({ read: () => 0x600d, write: () => {} });
console.log(`plugged 1234:be9c as ${await device.plugged}`);
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.pause();

const file = readdirSync("/proc/self/fd").find((fd) => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === "/dev/barkeep";
  } catch {
    return false;
  }
});
const control = 1n << 40n;
const completions = 3n << 40n;
writeSync(1, "scribbling\n");
const outcome = library.raw_scribble(
  Number(file),
  control,
  completions,
  0,
  BigInt(process.argv[2] ?? 0),
);
writeSync(1, outcome === 0 ? "scribbled\n" : `failed: ${outcome}\n`);
