// SPDX-License-Identifier: MIT

/**
 * Devices that `bench.ko` accesses, one after the other: each is answered and
 * scribbled on, as `raw_scribble()` does, and pulled when there is a line of input.
 * After another line comes the next one. Arguments: what its random words begin
 * with, and the completion timeout in milliseconds.
 *
 * @module
 */
import { readSync, writeSync } from "node:fs";
import process from "node:process";
import { abi } from "../../../ffi/abi.ts";
import { ioctls, loadRaw, plugFields, rawPlug, set } from "../raw.ts";

const page = 4096n;
const entries = 256;
const line = new Uint8Array(64);
const library = await loadRaw();
const seed = BigInt(process.argv[2] ?? 0);
const timeout = Number(process.argv[3] ?? 1000);

function plug(device: number): string {
  const { argument, config, bars, regions } = rawPlug();
  set(config, 0, 0xbe9c_1234);
  set(bars, 0, 4n * page);
  // The first page traps, as what no region names does.
  for (const policy of [abi.POLICY_SHADOW, abi.POLICY_MEMORY]) {
    const at = (policy - 1) * abi["sizeof region"];
    set(regions, at, BigInt(policy) * page);
    set(regions, at + 8, page);
    set(regions, at + 20, policy);
  }
  set(argument, plugFields.regionCount, 2);
  set(argument, plugFields.ringEntries, entries);
  set(argument, plugFields.timeout, timeout * 1000);
  const plugged = library.raw_ioctl(device, ioctls.plug.number, argument);
  if (plugged < 0) throw new Error(`no device: errno ${-plugged}`);
  const domain = new DataView(argument.buffer).getUint32(
    plugFields.domain,
    true,
  );
  return `${domain.toString(16).padStart(4, "0")}:00:00.0`;
}

for (let round = 0n;; round++) {
  const device = library.raw_open();
  const address = plug(device);
  writeSync(1, `plugged 1234:be9c as ${address}\n`);
  const outcome = library.raw_scribble(device, entries, 0, seed + round);
  if (outcome < 0) throw new Error(`cannot scribble: errno ${-outcome}`);
  readSync(0, line);
  library.raw_close(device);
  readSync(0, line);
}
