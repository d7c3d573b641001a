// SPDX-License-Identifier: GPL-2.0-only

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";

/** How a helper program ended and what it said. */
export interface Finished {
  /** Exit status; 127 if there is no such program, 128 + signal if killed. */
  status: number;
  /** What it wrote on its standard output. */
  stdout: string;
  /** What it wrote on its standard error. */
  stderr: string;
}

/** How {@link run} starts a helper program. */
export interface RunOptions {
  /** Working directory. */
  cwd?: string;
  /** Added to this process's environment. */
  env?: Record<string, string>;
  /** Show both streams on our standard error while it runs. */
  show?: boolean;
}

/**
 * Where the program of this name is, of the directories of `PATH`.
 *
 * @example
 * ```ts
 * const compiler = onPath("zig") ?? await download();
 * ```
 */
export function onPath(program: string): string | undefined {
  return (process.env.PATH ?? "").split(delimiter)
    .filter((directory) => directory !== "")
    .map((directory) => join(directory, program))
    .find((path) => existsSync(path));
}

/**
 * Runs a helper program to its end; a status other than 0 is not an error here.
 *
 * @example
 * ```ts
 * const { status } = await run(["depmod", "-b", dir, release], { show: true });
 * ```
 */
export function run(
  command: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  const [program = "", ...args] = command;
  const env: Record<string, string | undefined> = {
    ...process.env,
    ...options.env,
  };
  // depmod, mkfs and their kin live where a user's PATH does not look.
  env.PATH = `${env.PATH ?? ""}:/usr/sbin:/sbin`;
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
      if (options.show) process.stderr.write(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
      if (options.show) process.stderr.write(text);
    });
    child.on(
      "error",
      (error) =>
        resolve({ status: 127, stdout, stderr: `${stderr}${error.message}` }),
    );
    child.on(
      "close",
      (status, signal) =>
        resolve({ status: status ?? (signal ? 128 : 1), stdout, stderr }),
    );
  });
}

/** Says something about our own doings, on standard error. */
export function say(text: string): void {
  process.stderr.write(`vm: ${text}\n`);
}
