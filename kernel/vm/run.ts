// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";
import {
  closeSync,
  existsSync,
  openSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { constants, userInfo } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { accelerator } from "./accelerator.ts";
import { buildModules, hasModules } from "./build.ts";
import { cachePath, hash, makeDirectory } from "./cache.ts";
import { exit } from "./errors.ts";
import { type Guest, type GuestEnd, startGuest } from "./guest.ts";
import { initramfs } from "./initramfs.ts";
import { defaultKernel } from "./kernel_names.ts";
import { scanLog } from "./log.ts";
import { kernelNamed } from "./packages.ts";
import { prepare } from "./prepare.ts";
import { say } from "./process.ts";
import { type Input, passInput } from "./terminal.ts";
import { bootImage } from "./vmlinux.ts";

/** What to run in a throw-away VM, and in which. */
export interface VmOptions {
  /** Program and arguments; without it, the user's shell. */
  readonly command?: readonly string[];
  /** One of {@link kernelNames}; by default {@link defaultKernel}. */
  readonly kernel?: string;
  /** Seconds from boot until the VM is killed; by default there is no limit. */
  readonly timeout?: number;
  /** Default 2: a driver that spins needs another CPU for its model. */
  readonly cpus?: number;
  /** MiB, default 1024, or what the kernel needs. */
  readonly memory?: number;
  /** Added to the command's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory, default this process's. */
  readonly cwd?: string;
  /** Further QEMU arguments, such as `["-device", "edu"]`. */
  readonly qemu?: readonly string[];
  /** Further kernel command line parameters. */
  readonly append?: readonly string[];
  /**
   * Emulate the CPUs one after the other, with a clock that counts instructions:
   * one is a nanosecond.
   */
  readonly icount?: boolean;
  /** `false`: neither build `kernel/` nor load `barkeep.ko`. */
  readonly module?: boolean;
  /** Give the command a terminal (default: when it is a shell on one). */
  readonly tty?: boolean;
  /** Return the command's output instead of passing it through. */
  readonly capture?: boolean;
  /** File that gets the guest's kernel log. */
  readonly log?: string;
  /** Kills the VM. */
  readonly signal?: AbortSignal;
}

/** How a run went. */
export interface VmResult {
  /**
   * The command's exit status; 70 when the guest failed or its kernel
   * complained, 124 after the time limit, 130 after Ctrl-C.
   */
  readonly status: number;
  /** The command's output, where `capture` asked for it. */
  readonly stdout: string;
  readonly stderr: string;
  /** The guest's kernel log. */
  readonly log: string;
  /** Reports of something wrong in that log, each with its context. */
  readonly problems: readonly string[];
}

/**
 * Boots a throw-away VM, runs one command in it on a scratch copy of the
 * host's root file system, and ends it. Fetches and builds what is missing
 * first. The kernel's log is scanned afterwards, and a report in it makes the
 * run fail even if the command did not.
 *
 * @throws {VmError} when the VM could not be started at all.
 *
 * @example
 * ```ts
 * const { status, stdout } = await runInVm({
 *   command: ["uname", "-r"],
 *   kernel: "6.1",
 *   capture: true,
 * });
 * ```
 */
export async function runInVm(options: VmOptions = {}): Promise<VmResult> {
  await prepare("boot");
  const name = options.kernel ?? defaultKernel;
  const kernel = await kernelNamed(name);
  const modules = options.module !== false && hasModules()
    ? await buildModules(name)
    : undefined;
  const barkeep = modules && join(modules, "barkeep.ko");
  const { stdin, stdout } = process;
  const shell = !options.command?.length;
  const tty = options.tty ?? (shell && stdin.isTTY && stdout.isTTY === true);
  const takesInput = tty || (!options.capture && !stdin.isTTY);
  const machine = {
    accelerator: options.icount ? "tcg" as const : await accelerator(kernel),
    icount: options.icount,
    cpus: options.cpus ?? 2,
    memory: options.memory ?? kernel.memory ?? 1024,
    image: await bootImage(kernel),
    append: options.append ?? [],
    extra: options.qemu ?? [],
  };
  const job = {
    command: shell ? [process.env.SHELL ?? "/bin/sh"] : options.command ?? [],
    env: {
      ...guestEnvironment(modules),
      // For models, whose answers take longer then.
      ...(machine.accelerator === "tcg" ? { BARKEEP_EMULATED: "1" } : {}),
      ...(kernel.slow ? { BARKEEP_SLOW: String(kernel.slow) } : {}),
      ...options.env,
    },
    cwd: options.cwd ?? process.cwd(),
    module: barkeep && existsSync(barkeep) ? barkeep : undefined,
    input: takesInput,
    tty: tty
      ? { columns: stdout.columns ?? 80, rows: stdout.rows ?? 24 }
      : undefined,
  };

  const run = new Run(options);
  let guest: Guest | undefined = undefined;
  const input: Input | undefined = takesInput
    ? passInput(() => guest, { tty })
    : undefined;
  const image = await initramfs(kernel, job);
  try {
    for (let boots = 1;; boots++) {
      const mayRepeat = machine.accelerator === "tcg" && boots < bootsMax;
      guest = startGuest({
        machine,
        initramfs: image,
        onBegin: () => run.begin(),
        onOutput: (stream, data) => run.output(stream, data),
        onWantInput: () => input?.want(),
        onLog: (line) => run.logged(line),
      });
      run.watch(guest);
      if (mayRepeat) run.giveUpAfter(bootTime * (kernel.slow ?? 1), guest);
      const end = await guest.ended;
      run.unwatch();
      if (!mayRepeat || !run.neverCameUp(end)) return run.result(end);
      say("the emulated CPU lost the kernel while it booted; booting again");
    }
  } finally {
    input?.close();
    run.close();
  }
}

/**
 * QEMU's TCG now and then runs the trap instruction that a kernel puts for a
 * moment where it patches itself, when it is there no more: once, and the kernel
 * dies of it, or again and again, and it hangs. That is at boot, before anything
 * of ours. The last boot has all the time that the run has.
 */
const bootsMax = 3;

/** Seconds; some three where nothing else runs. */
const bootTime = 60;

function guestEnvironment(
  modules: string | undefined,
): Record<string, string> {
  const env: Record<string, string> = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: userInfo().homedir,
    USER: userInfo().username,
  };
  const passed = [
    "PATH",
    "HOME",
    "USER",
    "TERM",
    "LANG",
    "XDG_CACHE_HOME",
    "NO_COLOR",
    "FORCE_COLOR",
  ];
  for (const name of passed) {
    const value = process.env[name];
    if (value !== undefined) env[name] = value;
  }
  env.PATH = `${runtimeDirectory()}:${env.PATH}:/usr/sbin:/sbin`;
  if (modules) env.BARKEEP_MODULES = modules;
  return env;
}

/**
 * A directory with this runtime under the name that commands call it by. It is
 * often npx's, on nobody's PATH and called `bun.exe`.
 */
function runtimeDirectory(): string {
  const { execPath, versions } = process;
  const name = "bun" in versions ? "bun" : "deno" in versions ? "deno" : "node";
  if (basename(execPath) === name) return dirname(execPath);
  const directory = cachePath("runtimes", hash(execPath));
  makeDirectory(directory);
  const link = join(directory, name);
  if (!existsSync(link)) {
    rmSync(link, { force: true }); // it may point to what is gone
    symlinkSync(execPath, link);
  }
  return directory;
}

/** The state of one run: what was heard so far, and who wants it to end. */
class Run {
  #options: VmOptions;
  #begun = false;
  #gaveUp = false;
  #ended: number | undefined;
  #interrupts = 0;
  #log: string[] = [];
  #logFile: number | undefined;
  #captured = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  #cleanups: (() => void)[] = [];

  constructor(options: VmOptions) {
    this.#options = options;
    if (options.log) this.#logFile = openSync(options.log, "w");
  }

  begin(): void {
    this.#begun = true;
  }

  logged(line: string): void {
    this.#log.push(line);
    if (this.#logFile !== undefined) writeSync(this.#logFile, `${line}\n`);
  }

  output(stream: "stdout" | "stderr", data: Buffer): Promise<void> | void {
    if (this.#options.capture) {
      this.#captured[stream].push(Buffer.from(data));
      return;
    }
    const to = process[stream];
    if (to.write(data)) return;
    return new Promise((resolve) => {
      const go = (): void => {
        to.off("drain", go).off("close", go).off("error", go);
        resolve();
      };
      to.on("drain", go).on("close", go).on("error", go);
    });
  }

  /** Ends the guest on a time limit, a signal or an abort. */
  watch(guest: Guest): void {
    const end = (status: number): void => {
      this.#ended ??= status;
      guest.kill();
    };
    const on = (event: string, act: () => void): void => {
      process.on(event, act);
      this.#cleanups.push(() => process.off(event, act));
    };
    on("SIGINT", () => {
      if (++this.#interrupts > 1 || !this.#begun) return end(130);
      guest.signal(constants.signals.SIGINT);
    });
    on("SIGTERM", () => end(143));
    for (const to of [process.stdout, process.stderr]) {
      const broken = (): void => end(141);
      to.on("error", broken);
      this.#cleanups.push(() => to.off("error", broken));
    }
    on("SIGHUP", () => end(129));
    const abort = (): void => end(130);
    this.#options.signal?.addEventListener("abort", abort);
    if (this.#options.signal?.aborted) abort();
    this.#cleanups.push(() =>
      this.#options.signal?.removeEventListener("abort", abort)
    );
    const { timeout } = this.#options;
    if (timeout === undefined) return;
    const timer = setTimeout(() => {
      say(`time limit of ${timeout} s reached; killed the VM`);
      end(exit.timeout);
    }, timeout * 1000);
    this.#cleanups.push(() => clearTimeout(timer));
  }

  /** Ends a guest that has not said a word by then. */
  giveUpAfter(seconds: number, guest: Guest): void {
    this.#gaveUp = false;
    const timer = setTimeout(() => {
      if (this.#heard) return;
      this.#gaveUp = true;
      guest.kill();
    }, seconds * 1000);
    this.#cleanups.push(() => clearTimeout(timer));
  }

  get #heard(): boolean {
    return this.#begun || this.#log.length > 0;
  }

  result(end: GuestEnd): VmResult {
    const log = this.#log.map((line) => `${line}\n`).join("");
    const failed = end.status === undefined && this.#ended === undefined;
    const problems = scanLog(log);
    // A panic outruns the port; then the serial line has the end of the story.
    if (problems.length === 0 && end.status === undefined) {
      problems.push(...scanLog(end.serial));
    }
    for (const problem of problems) {
      process.stderr.write(`vm: the guest's kernel reports:\n${problem}\n`);
    }
    if (failed) this.#explain(end);
    if (end.status === undefined && this.#logFile !== undefined) {
      writeSync(this.#logFile, end.serial);
    }
    let status = this.#ended ?? end.status ?? exit.software;
    if (status === 0 && problems.length > 0) status = exit.software;
    return {
      status,
      stdout: Buffer.concat(this.#captured.stdout).toString(),
      stderr: Buffer.concat(this.#captured.stderr).toString(),
      log,
      problems,
    };
  }

  /** Whether the kernel died or hung before the first word of the guest's init. */
  neverCameUp(end: GuestEnd): boolean {
    return !this.#heard && this.#ended === undefined &&
      (this.#gaveUp || /Oops: int3/.test(end.serial));
  }

  unwatch(): void {
    for (const cleanup of this.#cleanups.splice(0)) cleanup();
  }

  close(): void {
    this.unwatch();
    if (this.#logFile !== undefined) closeSync(this.#logFile);
  }

  #explain(end: GuestEnd): void {
    const last = (text: string): string =>
      text.trimEnd().split("\n").slice(-20).join("\n");
    say(
      end.failure
        ? `the guest failed: ${end.failure}`
        : "the guest ended before its command did",
    );
    const log = last(this.#log.join("\n"));
    if (log) process.stderr.write(`last lines of its kernel log:\n${log}\n`);
    if (end.serial.trim() && scanLog(end.serial).length === 0) {
      process.stderr.write(`its serial console:\n${last(end.serial)}\n`);
    }
    if (end.qemu.trim()) process.stderr.write(`QEMU: ${last(end.qemu)}\n`);
  }
}
