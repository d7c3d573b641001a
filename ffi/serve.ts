// SPDX-License-Identifier: MIT

import { existsSync } from "node:fs";
import { relative } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { splitCommand } from "../kernel/vm/arguments.ts";
import { VmError } from "../kernel/vm/errors.ts";
import {
  isKernelName,
  kernelHelp,
  kernelNames,
} from "../kernel/vm/kernel_names.ts";
import { type BarOf, type Device, open } from "./device.ts";
import { checkDriver, exercise, runCommand, summary } from "./driver.ts";
import {
  AbiMismatch,
  BadSpec,
  BarkeepError,
  ModelFailed,
  NoModule,
  NotPermitted,
} from "./errors.ts";
import { faultText } from "./fault_text.ts";
import { checkHandlers, handlerNames, type Handlers } from "./handlers.ts";
import { helperPath } from "./helper.ts";
import { devicePath } from "./port.ts";
import { checkWaits } from "./register_events.ts";
import type { RegisterMap } from "./registers.ts";
import { type BarSpecs, checkSpec, type DeviceSpec } from "./spec.ts";

/** A device of one file: what it is, and how it behaves. */
export interface Model<Bars extends BarSpecs = BarSpecs>
  extends DeviceSpec<Bars>, Handlers {
  /**
   * Called once the device is open. Handlers that it returns take the place of
   * the model's own; it need not return any. For models that interrupt, do DMA
   * or have registers.
   *
   * @throws {BadSpec} from `serve()`, for a register whose reads wait, when
   * after it nothing answers them.
   */
  attach?(device: Device<Bars>): Handlers | void;
  /**
   * Sample driver among the kernel modules, such as `"edu"`. In the throw-away
   * VM it is loaded against the device, and its self-test decides the exit
   * status.
   */
  readonly driver?: string;
}

const ownKeys = ["attach", "driver"] as const;

const flags = {
  kernel: { type: "string" },
  shell: { type: "boolean" },
  intx: { type: "boolean" },
  timeout: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

const usage = `Plugs this device in. Where ${devicePath} exists that is this
machine, until Ctrl-C; elsewhere it is a throw-away VM. A command runs while the
device is plugged, and has its address in BARKEEP_DEVICE.

  --kernel NAME      use the VM, with ${kernelHelp}
  --shell            start a shell in the VM with the device plugged
  --intx             have the sample driver use INTx instead of MSI
  --timeout SECONDS  unplug after this time
  --help             this text

Exit status: the command's or the shell's own, else 0; 1 if the driver's
self-test or the model failed, or the device was unplugged before the command
ended; 64 wrong usage; 69 something is missing.
`;

const exit = { ok: 0, failed: 1, usage: 64, unavailable: 69 } as const;

interface Options {
  readonly args: readonly string[];
  /** Runs while the device is plugged. */
  readonly command?: readonly string[];
  readonly kernel?: string;
  readonly shell: boolean;
  readonly intx: boolean;
  /** Seconds. */
  readonly timeout?: number;
}

/**
 * The command line of a one-file device: plugs it into this host if
 * `/dev/barkeep` is there, else runs the same file in a throw-away VM, prints
 * where the device sits, and unplugs it on Ctrl-C. Ends the process.
 *
 * @example
 * ```ts
 * import { serve } from "./mod.ts";
 *
 * let count = 0;
 * await serve({
 *   id: { vendor: 0x1234, device: 0xc0de },
 *   bars: [{ size: 4096 }],
 *   read: (offset) => (offset === 0 ? count++ : 0),
 *   write(offset, value) {
 *     if (offset === 0) count = value;
 *   },
 * });
 * ```
 */
export async function serve<const Bars extends BarSpecs = BarSpecs>(
  model: Model<Bars>,
): Promise<void> {
  let status: number;
  try {
    status = await run(model, process.argv.slice(2));
  } catch (error) {
    status = report(error);
  }
  process.exit(status);
}

async function run(model: Model, args: string[]): Promise<number> {
  const options = parse(args);
  if (options === undefined) {
    process.stdout.write(
      `Usage: ${scriptName()} [options] [--] [command…]\n${usage}`,
    );
    return exit.ok;
  }
  if (typeof model !== "object" || model === null) {
    throw new BadSpec([
      `there is none: serve() needs a device, { id, bars, … }`,
    ]);
  }
  checkSpec(model, [...handlerNames, ...ownKeys]);
  checkHandlers(model, model);
  const inVm = process.env.BARKEEP_VM === "1";
  const here = inVm || options.kernel === undefined && existsSync(devicePath);
  if (!here) return await runInVm(options);
  return await serveHere(model, { ...options, inVm });
}

function parse(args: string[]): Options | undefined {
  const [own, command] = splitCommand(args, flags);
  const { tokens, values } = parseArgs({
    args: own,
    options: flags,
    strict: false,
    tokens: true,
  });
  const wrong: string[] = [];
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const flag = Object.entries(flags).find(([name]) => name === token.name);
    if (!flag) {
      wrong.push(token.rawName);
    } else if (flag[1].type === "string" && !token.value) {
      wrong.push(`${token.rawName} without a value`);
    } else if (flag[1].type === "boolean" && token.value !== undefined) {
      wrong.push(`${token.rawName} with a value`);
    }
  }
  const hasCommand = command.length > 0;
  if (hasCommand && values.shell) wrong.push("--shell with a command");
  if (!hasCommand && args.includes("--")) wrong.push("-- without a command");
  const { kernel } = values;
  if (typeof kernel === "string" && !isKernelName(kernel)) {
    wrong.push(`--kernel ${kernel} (there are ${kernelNames.join(", ")})`);
  }
  const timeout = values.timeout === undefined
    ? undefined
    : Number(values.timeout);
  if (timeout !== undefined && !(timeout > 0 && timeout < 2 ** 31 / 1000)) {
    wrong.push(`--timeout ${values.timeout} (give seconds above 0)`);
  }
  if (wrong.length > 0) throw new WrongUsage(wrong);
  if (values.help) return undefined;
  return {
    args,
    command: hasCommand ? command : undefined,
    kernel: typeof kernel === "string" ? kernel : undefined,
    shell: values.shell === true,
    intx: values.intx === true,
    timeout,
  };
}

class WrongUsage extends Error {
  constructor(wrong: readonly string[]) {
    super(
      `${scriptName()} does not understand ${wrong.join(", ")}; see --help`,
    );
  }
}

/** Runs this very file, with this very runtime, in the throw-away VM. */
async function runInVm(options: Options): Promise<number> {
  const vm = await import("../kernel/vm.ts");
  const script = process.argv[1];
  if (script === undefined) {
    throw new BarkeepError(
      "NO_RUNTIME",
      "cannot run this device in a VM: the runtime does not say which file it runs",
    );
  }
  // The VM sees our files, but none that it makes outlive it.
  await helperPath();
  const runtime = "bun" in process.versions ? [] : ["run", "-A"];
  const { status } = await vm.runInVm({
    // Not on the driver's CPU: see driver.ts.
    command: [
      "taskset",
      "--cpu-list",
      "1-1023",
      process.execPath,
      ...runtime,
      script,
      ...options.args,
    ],
    kernel: options.kernel,
    // A driver's interrupt handler that waits for the model has a CPU to
    // itself; runtimes have threads of their own besides the model's.
    cpus: 4,
    // The inner process ends in time; this is for a guest that does not.
    timeout: options.timeout && options.timeout + 60,
    env: { BARKEEP_VM: "1", DENO_NO_UPDATE_CHECK: "1" },
    tty: options.shell ? true : undefined,
  });
  return status;
}

/**
 * For the VM, whose CPUs may be off the host's for many milliseconds at a time,
 * so that what takes microseconds elsewhere does not.
 */
const patience = { spin: 50 } as const;

/** What a model is, without how it behaves. */
async function openModel(model: Model, inVm: boolean): Promise<Device> {
  const spec = Object.fromEntries(
    Object.entries(model).filter(([key]) =>
      !handlerNames.some((name) => name === key) &&
      !ownKeys.some((name) => name === key)
    ),
  );
  return await open({ ...(inVm ? patience : {}), ...spec, id: model.id });
}

/** How it behaves: by itself, or as `attach()` says. */
function attached(model: Model, device: Device): Handlers {
  const handlers = model.attach?.(device) ?? model;
  checkHandlers(handlers, model, { source: "attach() returned" });
  checkRegisterWaits(device, { model, handlers });
  const reporting: Handlers = Object.create(handlers);
  reporting.fault ??= (event) => console.error(faultText(event, model));
  return reporting;
}

async function serveHere(
  model: Model,
  options: Options & { inVm: boolean },
): Promise<number> {
  if (options.inVm && model.driver !== undefined) checkDriver(model.driver);
  const device = await openModel(model, options.inVm);
  let stray: ModelFailed | undefined;
  onStray((error) => {
    if (stray) return;
    stray = strayed(error);
    void device.unplug({ surprise: true });
  });
  const stop = new AbortController();
  const stopped = new Promise((resolve) =>
    stop.signal.addEventListener("abort", resolve)
  );
  const leave = new AbortController();
  let told = false;
  const served = device.serve(attached(model, device), { signal: stop.signal })
    .then(() => {
      if (stray) throw stray;
    });
  served.catch(() => {}); // awaited below, after what comes first
  const unhook = onSignal(() => stop.abort());
  const { timeout } = options;
  const timer = timeout && setTimeout(() => {
    console.log(`--timeout: ${timeout} s are over`);
    stop.abort();
  }, timeout * 1000);
  try {
    const address = await device.plugged.catch(() => undefined);
    if (address === undefined) {
      await served; // it knows why
      console.log("unplugged");
      return options.command ? exit.failed : exit.ok;
    }
    announce(model, address, options);
    // Who types into a shell keeps it when the model fails.
    const ended = options.shell
      ? served.catch(async (error) => {
        told = true;
        report(error);
        console.error("the device was pulled; this shell goes on");
        await stopped;
      })
      : served;
    const status = await Promise.race([
      work(model, { ...options, address, signal: leave.signal }),
      ended.then(() => options.command ? exit.failed : exit.ok),
    ]);
    await device.unplug();
    if (!told) await served;
    console.log("unplugged");
    return told ? exit.failed : status;
  } catch (error) {
    await device.unplug();
    if (!told) await served; // a model that failed is why
    throw error;
  } finally {
    leave.abort();
    clearTimeout(timer);
    unhook();
    showTimeouts(device);
  }
}

/** Says where the device is, and what was found there, unless a driver is to. */
function announce(
  { id: { vendor, device }, driver }: Model,
  address: string,
  { shell, command, inVm }: Options & { inVm: boolean },
): void {
  const digits = (value: number) => value.toString(16).padStart(4, "0");
  console.log(`plugged ${digits(vendor)}:${digits(device)} as ${address}`);
  if (!shell && !command && inVm && driver) return;
  for (const line of summary(address)) console.log(line);
}

function showTimeouts({ counters: { timeouts } }: Device): void {
  if (timeouts === 0) return;
  const what = timeouts === 1 ? "1 access was" : `${timeouts} accesses were`;
  console.error(`${what} not answered in time`);
}

type WithRegisters = { readonly registers: RegisterMap };

/** @throws {BadSpec} when reads of registers would wait for nobody. */
function checkRegisterWaits(
  device: Device,
  { model, handlers }: { model: Model; handlers: Handlers },
): void {
  const mistakes: string[] = [];
  const say = (mistake: string): void => void mistakes.push(mistake);
  model.bars?.forEach((spec, bar) => {
    if (!spec?.registers) return;
    const { registers: bank } = device.bars[bar] as BarOf<WithRegisters>;
    checkWaits(bar, { specs: spec.registers.specs, bank, handlers, say });
  });
  if (mistakes.length > 0) throw new BadSpec(mistakes);
}

/** What goes on while the device is plugged; returns an exit status. */
async function work(
  model: Model,
  options: Options & {
    inVm: boolean;
    address: string;
    /** Ends the command. */
    signal: AbortSignal;
  },
): Promise<number> {
  const { address, command, signal } = options;
  if (command) return await runCommand(command, { address, signal });
  if (options.shell) {
    console.log("the device is plugged until this shell ends");
    return await runCommand([process.env.SHELL ?? "/bin/sh"], { address });
  }
  if (options.inVm && model.driver !== undefined) {
    const passed = await exercise(model.driver, options);
    return passed ? exit.ok : exit.failed;
  }
  if (options.timeout === undefined) console.log("press Ctrl-C to unplug");
  return await new Promise(() => {}); // the race is against the end of serving
}

/**
 * Calls `take` with what timers and promises of the model throw, until the end
 * of the process. One runtime would go on with it, the other end at once.
 */
function onStray(take: (error: unknown) => void): void {
  process.on("uncaughtException", take);
  process.on("unhandledRejection", take);
}

function strayed(error: unknown): ModelFailed {
  const reason = error instanceof Error ? error.message : String(error);
  return new ModelFailed(
    `the model failed outside its handlers: ${reason}`,
    { cause: error },
  );
}

/**
 * Calls `stop` on the first SIGINT or SIGTERM; a later one ends us at once. Not
 * one right after it: npx and timeout pass on what the terminal sends us too.
 */
function onSignal(stop: () => void): () => void {
  let first: number | undefined;
  const received = (): void => {
    first ??= performance.now();
    if (performance.now() - first > 500) process.exit(130);
    stop();
  };
  process.on("SIGINT", received);
  process.on("SIGTERM", received);
  return () => {
    process.off("SIGINT", received);
    process.off("SIGTERM", received);
  };
}

/** Shows an error, and returns the exit status that goes with it. */
function report(error: unknown): number {
  if (error instanceof WrongUsage || error instanceof BadSpec) {
    console.error(error.message);
    return exit.usage;
  }
  if (error instanceof ModelFailed) {
    console.error(`${error.name}: ${withStack(error)}`);
    return exit.failed;
  }
  if (error instanceof VmError) {
    console.error(`vm: ${error.code}: ${error.message}`);
    return error.status;
  }
  if (error instanceof BarkeepError) {
    console.error(`${error.name}: ${error.message}`);
    const missing = [NoModule, NotPermitted, AbiMismatch];
    return missing.some((type) => error instanceof type)
      ? exit.unavailable
      : exit.failed;
  }
  console.error(error instanceof Error ? error.stack : error);
  return exit.failed;
}

/** The cause's stack begins with its message, which ends ours. */
function withStack({ message, cause }: ModelFailed): string {
  if (!(cause instanceof Error)) return message;
  const stack = cause.stack ?? "";
  return stack.includes(cause.message) && message.endsWith(cause.message)
    ? message.slice(0, message.length - cause.message.length) + stack
    : `${message}\n${stack}`;
}

function scriptName(): string {
  return relative(process.cwd(), process.argv[1] ?? "") || "this device";
}
