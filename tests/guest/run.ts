// SPDX-License-Identifier: MIT

/**
 * Runs the cases in the VM and prints a line of JSON for each: those that are for
 * `BARKEEP_MACHINE`, a name in `machines.ts`. An argument is a pattern that the
 * names have to match:
 *
 * ```sh
 * bun kernel/vm.ts -- bun tests/guest/run.ts BAR
 * bun kernel/vm.ts --cpus 1 --env BARKEEP_MACHINE=one -- bun tests/guest/run.ts
 * ```
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readSync,
} from "node:fs";
import { constants } from "node:fs";
import process from "node:process";
import { logLine, lost, scanLog } from "../../kernel/vm/log.ts";
import { cases } from "./all.ts";
import { eventually, type GuestCase, modules } from "./harness.ts";

/** How a case went. */
export interface Outcome {
  readonly name: string;
  /** What went wrong, if something did. */
  readonly error?: string;
  readonly milliseconds: number;
  /** It is over its limit, and still does what it does. */
  readonly late?: true;
}

/** Of a case that is over its limit. */
class Late extends Error {}

/** The kernel's log as it grows, to say in which case something was logged. */
class KernelLog {
  readonly #file = openSync(
    "/dev/kmsg",
    constants.O_RDONLY | constants.O_NONBLOCK,
  );
  readonly #record = new Uint8Array(8192);

  /** What is wrong in what was logged since the last call. */
  problems(): string[] {
    const lines: string[] = [];
    for (;;) {
      try {
        const bytes = readSync(this.#file, this.#record);
        const text = new TextDecoder().decode(this.#record.subarray(0, bytes));
        lines.push(logLine(text));
      } catch (error) {
        const { code } = error as { code?: string };
        // EPIPE: some was overwritten; EAGAIN: that was all.
        if (code === "EPIPE") lines.push(lost);
        else if (code === "EAGAIN") return scanLog(lines.join("\n"));
        else throw error;
      }
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

async function limited({ body, limit }: GuestCase): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Late(`it takes longer than ${limit} s`);
    timer = setTimeout(() => reject(error), limit * 1000);
  });
  try {
    await Promise.race([body(), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Cards that a case left behind would be the next one's trouble. */
async function allUnplugged(): Promise<void> {
  const cards = () =>
    readdirSync("/sys/bus/pci/devices").filter((name) => /^01/.test(name));
  await eventually(
    () => cards().length === 0,
    `the unplug of ${cards()} after the test`,
  );
}

/** All of it: what caused it, and what it kept from being told. */
function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause, error: later, suppressed } = error as
    & Error
    & Partial<SuppressedError>;
  const more = [later, suppressed, cause].filter((one) => one !== undefined);
  const own = `${error.message}\n${error.stack ?? ""}`;
  return [own, ...more.map(told)].join("\n");
}

async function runCase(one: GuestCase, log: KernelLog): Promise<Outcome> {
  const start = performance.now();
  const errors: string[] = [];
  let late: true | undefined;
  try {
    await limited(one);
    await allUnplugged();
  } catch (error) {
    errors.push(told(error));
    if (error instanceof Late) late = true;
  }
  const problems = log.problems();
  if (problems.length > 0) errors.push("kernel log:", ...problems);
  if (errors.length > 0 && one.seed !== undefined) {
    errors.push(`BARKEEP_SEED=${one.seed} repeats it`);
  }
  return {
    name: one.name,
    error: errors.length > 0 ? errors.join("\n") : undefined,
    milliseconds: Math.round(performance.now() - start),
    late,
  };
}

if (import.meta.main) {
  const pattern = new RegExp(process.argv[2] ?? "");
  const wanted = process.env.BARKEEP_MACHINE ?? "two";
  const log = new KernelLog();
  log.problems(); // the boot's are not ours
  execFileSync("insmod", [`${modules}/exerciser.ko`]);
  execFileSync("insmod", [`${modules}/bench.ko`]);
  let late = false;
  const kernel = existsSync("/sys/kernel/debug/kmemleak") ? "debug" : "stock";
  const chosen = cases.filter((one) =>
    one.machine === wanted && pattern.test(one.name) &&
    (one.kernel ?? kernel) === kernel
  );
  for (const one of chosen) {
    const outcome = await runCase(one, log);
    process.stdout.write(`${JSON.stringify(outcome)}\n`);
    // What it does would be the next one's trouble.
    late = outcome.late === true;
    if (late) break;
  }
  log.close();
  process.exit(late ? 1 : 0);
}
