// SPDX-License-Identifier: MIT

/**
 * Runs the cases in the VM and prints a line of JSON for each. An argument is a
 * pattern that the names have to match:
 *
 * ```sh
 * bun kernel/vm.ts -- bun tests/guest/run.ts BAR
 * ```
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { constants } from "node:fs";
import process from "node:process";
import { logLine, scanLog } from "../../kernel/vm/log.ts";
import { cases } from "./all.ts";
import { eventually, type GuestCase, modules } from "./harness.ts";

/** How a case went. */
export interface Outcome {
  readonly name: string;
  /** What went wrong, if something did. */
  readonly error?: string;
  readonly milliseconds: number;
}

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
        if ((error as { code?: string }).code === "EPIPE") continue;
        return scanLog(lines.join("\n"));
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
    const error = new Error(`it takes longer than ${limit} s`);
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

function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.message}\n${error.stack ?? ""}`;
}

async function runCase(one: GuestCase, log: KernelLog): Promise<Outcome> {
  const start = performance.now();
  const errors: string[] = [];
  try {
    await limited(one);
    await allUnplugged();
  } catch (error) {
    errors.push(told(error));
  }
  const problems = log.problems();
  if (problems.length > 0) errors.push("kernel log:", ...problems);
  return {
    name: one.name,
    error: errors.length > 0 ? errors.join("\n") : undefined,
    milliseconds: Math.round(performance.now() - start),
  };
}

if (import.meta.main) {
  const pattern = new RegExp(process.argv[2] ?? "");
  const log = new KernelLog();
  log.problems(); // the boot's are not ours
  execFileSync("insmod", [`${modules}/exerciser.ko`]);
  execFileSync("insmod", [`${modules}/bench.ko`]);
  for (const one of cases.filter(({ name }) => pattern.test(name))) {
    process.stdout.write(`${JSON.stringify(await runCase(one, log))}\n`);
  }
  log.close();
  process.exit();
}
