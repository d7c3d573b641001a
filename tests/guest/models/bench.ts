// SPDX-License-Identifier: MIT

/**
 * Devices that `bench.ko` accesses. Arguments: how many (default 1), and their
 * completion timeout in milliseconds. Plugs them when it gets a line of input, so
 * that starting a process and using it can overlap.
 *
 * @module
 */
import process from "node:process";
import { open } from "../../../mod.ts";
import { patiently } from "../patience.ts";

process.on("SIGINT", () => stop.abort());
const stop = new AbortController();
await new Promise((resolve) => process.stdin.once("data", resolve));
process.stdin.unref();
const served = Array.from(
  { length: Number(process.argv[2] ?? 1) },
  async () => {
    const device = await open({
      id: { vendor: 0x1234, device: 0xbe9c },
      bars: [{ size: 16384, trap: [[0, 4096]], shadow: [[4096, 4096]] }],
      timeout: patiently(Number(process.argv[3] ?? 10_000)),
    });
    const { signal } = stop;
    const done = device.serve({ read: () => 0x600d, write() {} }, { signal });
    console.log(`plugged 1234:be9c as ${await device.plugged}`);
    await done;
  },
);
await Promise.all(served);
process.exit();
