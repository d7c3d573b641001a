// SPDX-License-Identifier: GPL-2.0-only

/** What makes a kernel log line a report of something wrong. */
const reports: readonly RegExp[] = [
  /\bWARNING: /,
  /\bBUG:? /,
  /\bkernel BUG at\b/,
  /\bOops: /,
  /\bKernel panic\b/,
  /\bCall Trace:/,
  /\bgeneral protection fault\b/,
  /\bunable to handle (page fault|kernel)/i,
  /\bINFO: possible (recursive locking|circular locking|irq lock inversion)/,
  /\bINFO: (trying to register non-static key|suspicious RCU usage)/,
  /\bINFO: inconsistent lock state/,
  /\binconsistent \{.*\} usage\b/,
  /\brcu: INFO: .*(stall|starved)/,
  /\bINFO: rcu\w* .*stall/,
  /\bINFO: task .* blocked for more than\b/,
  /\bsoft lockup\b/,
  /\bhard LOCKUP\b/,
  /\bscheduling while atomic\b/,
  /\bsleeping function called from invalid context\b/,
  /\bUBSAN: /,
  /\bKASAN: /,
  /\bKCSAN: /,
  // What a scan found is for whoever asked for it.
  /\bkmemleak: Kernel memory leak detector disabled\b/,
  /\bDEBUG_LOCKS_WARN_ON\b/,
  /\bturning off the locking correctness validator\b/,
  /\bODEBUG: /,
  /\bdebugfs: .* already present\b/,
  /\bsysfs: cannot create duplicate\b/,
  /\b(page allocation failure|vmalloc error): /,
  /\brefcount_t: /,
  /\blist_(add|del) corruption\b/,
  /\bnobody cared\b/,
  /\bbad page state\b/i,
  /\bkernel log records were lost\b/,
];

/** In place of records that were overwritten before they were read. */
export const lost = "kernel log records were lost";

/**
 * What a stock kernel says at boot with nothing of ours in it. Keep this list
 * tiny: each entry hides a line for good.
 */
const harmless: readonly RegExp[] = [];

/** Most lines of context shown after a report. */
const contextAfter = 60;

const endOfReport = /---\[ end trace|---\[ end Kernel panic/;

/**
 * Turns a record of `/dev/kmsg` into a line as dmesg shows it.
 *
 * @example
 * ```ts
 * logLine("4,12,2500000,-;hello\n"); // "[    2.500000] hello"
 * ```
 */
export function logLine(record: string): string {
  const semicolon = record.indexOf(";");
  const [, , time = "0"] = record.slice(0, semicolon).split(",");
  // Continuation lines that begin with a space are a dictionary for journald.
  const [text = ""] = record.slice(semicolon + 1).split("\n");
  const seconds = Math.floor(Number(time) / 1e6);
  const fraction = String(Number(time) % 1e6).padStart(6, "0");
  return `[${String(seconds).padStart(5)}.${fraction}] ${text}`;
}

/**
 * The reports in a kernel log, each with the lines that follow it.
 *
 * @example
 * ```ts
 * scanLog("[    1.000000] WARNING: CPU: 0 at kernel/fork.c:1\n").length; // 1
 * ```
 */
export function scanLog(log: string): string[] {
  const lines = log.split("\n");
  const found: string[] = [];
  let shownTo = -1;
  lines.forEach((line, index) => {
    if (index <= shownTo || !isReport(line)) return;
    const context = lines.slice(index + 1, index + 1 + contextAfter);
    const end = context.findIndex((next) => endOfReport.test(next));
    shownTo = index + (end < 0 ? context.length : end + 1);
    found.push(lines.slice(index, shownTo + 1).join("\n").trimEnd());
  });
  return found;
}

function isReport(line: string): boolean {
  return reports.some((pattern) => pattern.test(line)) &&
    !harmless.some((pattern) => pattern.test(line));
}
