// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { sleep } from "./harness.ts";
import { patiently } from "./patience.ts";

/** Seconds of CPU that a process has had; a tick is 10 ms. */
function cpuTime(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** How often the main thread of a process has gone to sleep. */
export function switchesOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(text)?.[1]);
}

/** Fails where a process uses the CPU, or wakes up, in these seconds. */
export async function assertIdle(
  pid: number,
  seconds: number,
  { switches = 50 }: { switches?: number } = {},
): Promise<void> {
  const before = { time: cpuTime(pid), switches: switchesOf(pid) };
  await sleep(seconds * 1000);
  const used = (cpuTime(pid) - before.time) / seconds;
  const woken = switchesOf(pid) - before.switches;
  const found = `it used ${
    Math.round(used * 100)
  } % of a CPU, in ${woken} parts`;
  assert.ok(used <= patiently(0.02), found);
  assert.ok(woken <= switches, found);
}
