// SPDX-License-Identifier: MIT

/**
 * Models in processes of their own, for what a process can do to its device:
 * throw, stop, be killed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { eventually, isPresent } from "./harness.ts";

const processes = new Set<ChildProcess>();
process.on("exit", () => processes.forEach((child) => child.kill("SIGKILL")));

/** How a process ends: with an exit status, or by a signal. */
type End = number | NodeJS.Signals;

/** How a model ends that gets one of these. */
const endsBy: Readonly<Record<string, End>> = { SIGKILL: "SIGKILL", SIGINT: 0 };

/**
 * A model that runs. When it is disposed of, it fails the test that it ended in
 * another way than it was made to, or wrote to standard error, unless the test
 * looked at that itself.
 */
export class ModelProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #error = "";
  #errorAsked = false;
  #wanted: End | undefined;
  readonly #ended: Promise<End>;

  /**
   * Starts one.
   *
   * @param file Relative to this one.
   * @param options `cpus`: where it may run, by default everywhere.
   */
  constructor(
    file: string,
    { args = [], cpus = "0-1" }: { args?: string[]; cpus?: string } = {},
  ) {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const command = [process.execPath, path, ...args];
    this.#child = spawn("taskset", ["-c", cpus, ...command], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#child;
    assert.ok(stdout && stderr);
    const lines = createInterface({ input: stdout });
    lines.on("line", (line: string) => this.#lines.push(line));
    stderr.on("data", (data: Uint8Array) => {
      this.#error += new TextDecoder().decode(data);
    });
    processes.add(this.#child);
    this.#ended = new Promise((resolve) => {
      this.#child.on("close", (status, signal) => {
        processes.delete(this.#child);
        resolve(signal ?? status ?? 128);
      });
    });
  }

  /** Number of the process. */
  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** What it printed to standard output so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** What it printed to standard error so far, which then fails no test. */
  get error(): string {
    this.#errorAsked = true;
    return this.#error;
  }

  /** Waits for its end, which has to be this one. */
  async ends(wanted: End): Promise<void> {
    this.#wanted = wanted;
    assert.equal(await this.#ended, wanted, this.#error);
  }

  /** Waits for a line that matches, and returns the match. */
  line(pattern: RegExp): Promise<RegExpMatchArray> {
    return eventually(
      () => this.#lines.map((line) => pattern.exec(line)).find(Boolean),
      `${pattern} from a model that said: ${this.#lines} ${this.#error}`,
    );
  }

  /** The address of its device, once it is on the bus. */
  async plugged(): Promise<string> {
    return (await this.line(/^plugged \S+ as (\S+)$/))[1] ?? "";
  }

  /** The addresses of several, once they are. */
  allPlugged(count: number): Promise<string[]> {
    return eventually(() => {
      const addresses = this.#addresses();
      return addresses.length === count ? addresses : undefined;
    }, `${count} devices of a model that said: ${this.#lines} ${this.#error}`);
  }

  #addresses(): string[] {
    const plugged = this.#lines.map((line) => /^plugged .* as (.*)/.exec(line));
    return plugged.flatMap((match) => match?.[1] ?? []);
  }

  /** Gives it a line of input. */
  say(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#wanted ??= endsBy[signal];
    this.#child.kill(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { exitCode, signalCode } = this.#child;
    const running = exitCode === null && signalCode === null;
    this.#child.kill("SIGKILL");
    const end = await this.#ended;
    for (const address of this.#addresses()) await unplugged(address);
    const known = end === this.#wanted || running && end === "SIGKILL";
    assert.ok(known, `a model ended with ${end}: ${this.#error}`);
    if (!this.#errorAsked) assert.equal(this.#error, "", "of a model");
  }
}

/** Waits until a function is off the bus. */
export async function unplugged(address: string): Promise<void> {
  await eventually(() => !isPresent(address), `the unplug of ${address}`);
}
