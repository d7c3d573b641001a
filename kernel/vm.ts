// SPDX-License-Identifier: GPL-2.0-only

/**
 * The throw-away VM: runs a command under a stock kernel, on a scratch copy of
 * this machine's root file system, and leaves no trace.
 *
 * ```sh
 * bun kernel/vm.ts --kernel 6.1 uname -r
 * ```
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { splitCommand } from "./vm/arguments.ts";
import { VmError } from "./vm/errors.ts";
import { kernelHelp } from "./vm/kernel_names.ts";
import { runInVm, type VmOptions } from "./vm/run.ts";

export { buildModules } from "./vm/build.ts";
export { exit, VmError, type VmErrorCode } from "./vm/errors.ts";
export { kernelNamed } from "./vm/packages.ts";
export { runInVm, type VmOptions, type VmResult } from "./vm/run.ts";
export { zig } from "./vm/zig.ts";

const usage = `Usage: kernel/vm.ts [options] [--] command [argument…]
Runs a command in a throw-away VM; without a command, a shell.

  --kernel NAME      ${kernelHelp}
  --timeout SECONDS  kill the VM after this time and exit with 124
  --cpus N           default 2
  --memory MIB       default 1024, or what the kernel needs
  --env NAME=VALUE   add to the command's environment; may be repeated
  --tty              give the command a terminal
  --log FILE         keep the guest's kernel log
  --icount           a nanosecond of the VM's clock is one instruction
  --no-module        do not build and load barkeep.ko
  --qemu ARGS        more QEMU arguments, split at spaces; may be repeated
  --append ARGS      more kernel parameters; may be repeated
  --help             this text

Exit status: the command's own; 64 wrong usage, 69 something is missing, 70 the
guest failed or its kernel complained, 124 time limit, 130 interrupted.
Ctrl-C goes to the command; a second one kills the VM. In a terminal, press
Ctrl-] three times to kill a VM that does not answer.
`;

const flags = {
  kernel: { type: "string" },
  timeout: { type: "string" },
  cpus: { type: "string" },
  memory: { type: "string" },
  env: { type: "string", multiple: true },
  tty: { type: "boolean" },
  log: { type: "string" },
  icount: { type: "boolean" },
  "no-module": { type: "boolean" },
  qemu: { type: "string", multiple: true },
  append: { type: "string", multiple: true },
  help: { type: "boolean", short: "h" },
} as const;

function parse(args: readonly string[]): VmOptions | "help" {
  const [own, command] = splitCommand(args, flags);
  const { values } = parseOwn(own);
  if (values.help) return "help";
  return {
    command,
    kernel: values.kernel,
    timeout: positive("--timeout", values.timeout),
    cpus: positive("--cpus", values.cpus),
    memory: positive("--memory", values.memory),
    env: Object.fromEntries((values.env ?? []).map(variable)),
    tty: values.tty,
    log: values.log,
    icount: values.icount,
    module: !values["no-module"],
    qemu: words(values.qemu),
    append: words(values.append),
  };
}

function parseOwn(args: string[]) {
  try {
    return parseArgs({ args, options: flags, allowPositionals: false });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new VmError("BAD_OPTION", `${reason}\nSee kernel/vm.ts --help`);
  }
}

function positive(option: string, text?: string): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new VmError(
    "BAD_OPTION",
    `${option} takes a number above 0, not "${text}"`,
  );
}

function variable(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  throw new VmError("BAD_OPTION", `--env takes NAME=VALUE, not "${text}"`);
}

function words(values: readonly string[] | undefined): string[] {
  return (values ?? []).flatMap((value) => value.split(/\s+/)).filter(Boolean);
}

async function main(): Promise<number> {
  const options = parse(process.argv.slice(2));
  if (options === "help") {
    process.stdout.write(usage);
    return 0;
  }
  const { status } = await runInVm(options);
  return status;
}

if (import.meta.main) {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof VmError)) throw error;
    process.stderr.write(`vm: ${error.code}: ${error.message}\n`);
    process.exitCode = error.status;
  }
}
