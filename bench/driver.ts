// SPDX-License-Identifier: MIT
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Sample } from "./path.ts";

/** Whoever starts a run is blocked until it is over; so a shell does. */
const script = `
  cd "/sys/kernel/debug/bench-$1" || exit
  while read path count; do
    echo "$path $count 0" > run && cat result || exit
  done`;

/** On the driver's CPU, which is 0; the model has the others. */
const driverCpu = ["--cpu-list", "0", "sh", "-c"];

/** The bench driver of one device. */
export class Driver implements Disposable {
  /** Bus address of the memory that it has mapped for DMA. */
  readonly buffer: number;
  readonly #shell: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  /** @param address PCI address of the device. */
  constructor(address: string) {
    const file = `/sys/kernel/debug/bench-${address}/buffer`;
    this.buffer = Number(readFileSync(file, "utf8"));
    this.#shell = spawn("taskset", [...driverCpu, script, "sh", address], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: this.#shell.stdout });
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /**
   * Has it measure one of its paths.
   *
   * @param name Of the path, as kernel/drivers/bench_paths.c has it.
   * @param count Iterations.
   * @throws {Error} when it could not; what the shell said is on stderr.
   */
  async measure(name: string, count: number): Promise<Sample> {
    this.#shell.stdin.write(`${name} ${count}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`the driver could not measure "${name}"`);
    const numbers = value.split(" ").slice(1).map(Number);
    const [p50 = NaN, p99 = NaN, mean = NaN, measured = NaN] = numbers;
    return { p50, p99, mean, count: measured };
  }

  [Symbol.dispose](): void {
    this.#shell.stdin.end();
  }
}

/** Keeps the driver's CPU awake while something is done. */
export async function whileAwake<Result>(act: () => Result): Promise<Result> {
  const busy = "echo; while :; do :; done";
  const child = spawn("taskset", [...driverCpu, busy], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await once(child.stdout, "data");
    return act();
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
}
