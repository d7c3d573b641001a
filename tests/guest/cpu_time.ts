// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { sleep } from "./harness.ts";

/** Seconds of CPU that a process has had; a tick is 10 ms. */
function cpuTime(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Fails where a process uses the CPU, in these seconds. */
export async function assertIdle(pid: number, seconds: number): Promise<void> {
  const from = cpuTime(pid);
  await sleep(seconds * 1000);
  const share = (cpuTime(pid) - from) / seconds;
  assert.ok(share <= 0.1, `it used ${Math.round(share * 100)} % of a CPU`);
}
