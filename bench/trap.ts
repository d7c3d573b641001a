// SPDX-License-Identifier: MIT

/**
 * What an access costs, against what the machine itself takes for the parts it
 * is made of: a page fault, a cache line to another CPU and back.
 *
 * ```sh
 * bun bench/trap.ts --json trap.json
 * ```
 *
 * Where `/dev/barkeep` may be opened it measures this machine, else it boots the
 * throw-away VM. The driver runs on CPU 0, the model on the others. Floors and
 * paths are measured one after the other in each of many rounds, so that both
 * see the same machine; the table shows medians over the rounds. Each path is
 * warmed up before it is sampled, the first rounds are thrown away (the JIT
 * compiles in them), and the garbage collector is left alone, as in use.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { helperPath } from "../ffi/helper.ts";
import { runInVm, VmError } from "../kernel/vm.ts";
import type { Measured } from "./measure.ts";
import { summarise, table } from "./report.ts";

const usage = `Usage: bench/trap.ts [options]
Measures what accesses cost, and prints it beside the floors of the machine.

  --kernel NAME   use the VM, with 6.1, 6.12 or host
  --runtime NAME  bun or deno, for the model (default: what runs this)
  --rounds N      rounds that count (default 15, after 3 that do not)
  --count N       iterations of a path in one round (default 2000)
  --json FILE     write all that was measured there
  --help          this text

Without --kernel, and where /dev/barkeep is, it measures this machine; then
BARKEEP_MODULES must name the directory of bench.ko.
`;

const flags = {
  kernel: { type: "string" },
  runtime: { type: "string" },
  rounds: { type: "string", default: "15" },
  count: { type: "string", default: "2000" },
  json: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** The command that measures, on all CPUs but the driver's. */
function command(
  runtime: string | undefined,
  args: readonly string[],
): string[] {
  const script = fileURLToPath(new URL("./measure.ts", import.meta.url));
  const here = process.versions.deno ? "deno" : "bun";
  const wanted = runtime ?? here;
  const program = wanted === here ? process.execPath : wanted;
  const run = wanted === "deno" ? ["run", "-A"] : [];
  return ["taskset", "--cpu-list", "1-1023", program, ...run, script, ...args];
}

async function measure(
  command: readonly string[],
  kernel: string | undefined,
): Promise<Measured> {
  if (kernel === undefined && existsSync("/dev/barkeep")) {
    const [program = "", ...args] = command;
    return JSON.parse(execFileSync(program, args, { encoding: "utf8" }));
  }
  // The VM sees what is built here, and loses what it builds itself.
  await helperPath();
  const { status, stdout, stderr } = await runInVm({
    command,
    kernel,
    capture: true,
    timeout: 600,
  });
  if (status === 0) return JSON.parse(stdout);
  throw new Error(`the measurement ended with ${status}:\n${stderr}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: flags });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const args = [values.rounds, values.count];
  const measured = await measure(command(values.runtime, args), values.kernel);
  const rows = summarise(measured);
  const { kernel, runtime, processor, rounds, count } = measured.conditions;
  console.log(`${runtime} on Linux ${kernel}, ${processor}`);
  console.log(`medians of ${rounds} rounds of ${count}\n`);
  console.log(table(rows));
  if (values.json === undefined) return;
  writeFileSync(
    values.json,
    `${JSON.stringify({ rows, ...measured }, null, 2)}\n`,
  );
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    if (!(error instanceof VmError)) throw error;
    process.stderr.write(`vm: ${error.code}: ${error.message}\n`);
    process.exitCode = error.status;
  }
}
