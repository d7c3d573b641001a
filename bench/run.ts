// SPDX-License-Identifier: MIT
import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { helperPath } from "../ffi/helper.ts";
import { runInVm, VmError } from "../kernel/vm.ts";
import { onPath } from "../kernel/vm/process.ts";
import { kernelHelp } from "../kernel/vm/kernel_names.ts";
import { chart } from "./chart.ts";
import type { Conditions, Measured, Plan } from "./in_guest.ts";
import { oneCpuFloors, type Path } from "./path.ts";
import {
  floorsOf,
  isOutside,
  type Round,
  type Row,
  summarise,
  table,
} from "./report.ts";

const usage =
  `Usage: bench/all.ts [options], or another file of bench/ for a part
Measures what accesses cost, and prints it beside the floors of the machine.

  --kernel NAME   use the VM, with ${kernelHelp}
  --runtime NAME  bun or deno, for the model; may be repeated (default: what
                  runs this)
  --rounds N      rounds that count (default 15, after 3 that do not)
  --count N       iterations of a path in one round (default 2000)
  --instructions  count them too, where one CPU is enough: boots a slower VM
  --check         exit with 1 if anything is outside the contract
  --json FILE     write all that was measured there
  --svg FILE      draw it there
  --help          this text

Without --kernel, and where /dev/barkeep is, it measures this machine; then
BARKEEP_MODULES must name the directory of bench.ko. The driver runs on CPU 0,
the model on the others. Floors and paths are measured one after the other in
each of many rounds, so that both see the same machine; the table has medians
over the rounds.
`;

const flags = {
  kernel: { type: "string" },
  runtime: { type: "string", multiple: true },
  rounds: { type: "string", default: "15" },
  count: { type: "string", default: "2000" },
  instructions: { type: "boolean" },
  check: { type: "boolean" },
  json: { type: "string" },
  svg: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** What was measured with one runtime. */
export interface Result {
  readonly conditions: Conditions;
  readonly rows: readonly Row[];
  readonly rounds: readonly Round[];
  /** Of a clock that counts instructions, if they were counted. */
  readonly counted?: readonly Round[];
}

const warmUp = 3;
/** Instructions do not vary as times do. */
const counting = { warmUp: 1, rounds: 3, count: 100 };
/** Seconds for a VM, on a machine that has much else to do. */
const limit = 900;

const runtimes = ["bun", "deno"] as const;
type RuntimeName = (typeof runtimes)[number];

const here: RuntimeName = process.versions.deno ? "deno" : "bun";

/** The command that measures, on all CPUs but the driver's. */
function command(runtime: RuntimeName, plan: Plan): string[] {
  const script = fileURLToPath(new URL("./in_guest.ts", import.meta.url));
  const program = runtime === here ? process.execPath : runtime;
  const run = runtime === "deno" ? ["run", "-A"] : [];
  const args = [program, ...run, script, JSON.stringify(plan)];
  return ["taskset", "--cpu-list", "1-1023", ...args];
}

interface Place {
  readonly kernel?: string;
  /** The VM's clock counts instructions. */
  readonly icount?: boolean;
}

async function measure(
  command: readonly string[],
  { kernel, icount }: Place,
): Promise<Measured> {
  if (!icount && kernel === undefined && existsSync("/dev/barkeep")) {
    const [program = "", ...args] = command;
    return JSON.parse(execFileSync(program, args, { encoding: "utf8" }));
  }
  // The VM sees what is built here, and loses what it builds itself.
  await helperPath();
  const { status, stdout, stderr } = await runInVm({
    command,
    kernel,
    icount,
    capture: true,
    timeout: limit,
  });
  if (status === 0) return JSON.parse(stdout);
  throw new Error(`the measurement ended with ${status}:\n${stderr}`);
}

/** Those that one CPU is enough for, as a plan of their own. */
async function count(
  paths: readonly Path[],
  runtime: RuntimeName,
  kernel: string | undefined,
): Promise<readonly Round[]> {
  const plan = {
    paths: paths.filter(({ oneCpu }) => oneCpu).map(({ title }) => title),
    floors: oneCpuFloors,
    ...counting,
  };
  const place = { kernel, icount: true };
  return (await measure(command(runtime, plan), place)).rounds;
}

function parse() {
  const { values } = parsed();
  const names = values.runtime ?? [here];
  return {
    ...values,
    runtime: names.map(runtimeNamed),
    rounds: positive("--rounds", values.rounds),
    count: positive("--count", values.count),
  };
}

function parsed() {
  try {
    return parseArgs({ options: flags });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new VmError("BAD_OPTION", `${reason}\nSee bench/all.ts --help`);
  }
}

function runtimeNamed(name: string): RuntimeName {
  const found = runtimes.find((runtime) => runtime === name);
  if (!found) {
    throw new VmError(
      "BAD_OPTION",
      `--runtime takes bun or deno, not "${name}"`,
    );
  }
  if (found === here || onPath(found) !== undefined) return found;
  const run = found === "deno" ? "deno run -A" : "bun";
  throw new VmError(
    "BAD_OPTION",
    `--runtime ${found}: there is no ${found} in the PATH. Put it there, or ` +
      `run this file with it: npx -y ${run} bench/all.ts`,
  );
}

function positive(option: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new VmError(
    "BAD_OPTION",
    `${option} takes a whole number above 0, not "${text}"`,
  );
}

type Options = ReturnType<typeof parse>;

async function result(
  paths: readonly Path[],
  runtime: RuntimeName,
  { kernel, rounds, count: iterations, instructions }: Options,
): Promise<Result> {
  const plan = {
    paths: paths.map(({ title }) => title),
    floors: floorsOf(paths),
    warmUp,
    rounds,
    count: iterations,
  };
  const measured = await measure(command(runtime, plan), { kernel });
  const counted = instructions && paths.some(({ oneCpu }) => oneCpu)
    ? await count(paths, runtime, kernel)
    : undefined;
  const rows = summarise(paths, { runtime, counted, rounds: measured.rounds });
  return { ...measured, counted, rows };
}

/** What the numbers were measured on, in one line. */
function heading({ conditions }: Result): string {
  const { kernel, runtime, version, processor, rounds, count } = conditions;
  const name = runtime === "deno" ? "Deno" : "Bun";
  return `${name} ${version} on Linux ${kernel}, ${processor}: ` +
    `medians of ${rounds} rounds of ${count}`;
}

async function bench(paths: readonly Path[]): Promise<void> {
  const options = parse();
  if (options.help) {
    process.stdout.write(usage);
    return;
  }
  const results: Result[] = [];
  for (const runtime of options.runtime) {
    const measured = await result(paths, runtime, options);
    console.log(`${heading(measured)}\n\n${table(measured.rows)}\n`);
    results.push(measured);
  }
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ results }, null, 2)}\n`);
  }
  if (options.svg !== undefined) {
    const parts = results.map((each) => ({
      title: heading(each),
      rows: each.rows,
    }));
    writeFileSync(options.svg, chart(parts));
  }
  const outside = results.some(({ rows }) => rows.some(isOutside));
  if (options.check && outside) process.exitCode = 1;
}

/**
 * The command line of every file that measures.
 *
 * @param paths What to measure.
 *
 * @example
 * ```ts
 * if (import.meta.main) await main([path]);
 * ```
 */
export async function main(paths: readonly Path[]): Promise<void> {
  try {
    await bench(paths);
  } catch (error) {
    if (!(error instanceof VmError)) throw error;
    process.stderr.write(`bench: ${error.code}: ${error.message}\n`);
    process.exitCode = error.status;
  }
}
