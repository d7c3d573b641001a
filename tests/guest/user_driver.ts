// SPDX-License-Identifier: MIT

/**
 * A driver in user space, in a process of its own: see `user_driver.c`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cached, cachePath, hash } from "../../kernel/vm/cache.ts";
import { run } from "../../kernel/vm/process.ts";
import { zig } from "../../kernel/vm/zig.ts";

const source = fileURLToPath(new URL("./user_driver.c", import.meta.url));

/** Builds it, on the host; returns the program's path. */
export function buildUserDriver(): Promise<string> {
  const name = `user-driver-${hash(readFileSync(source))}`;
  return cached(cachePath("tests", name), async (temporary) => {
    const flags = ["-static", "-O1", "-Wall", "-fno-sanitize=all"];
    const target = ["-target", "x86_64-linux-musl"];
    const command = [await zig(), "cc", ...target, ...flags];
    const { status, stderr } = await run([...command, "-o", temporary, source]);
    assert.equal(status, 0, stderr);
  });
}

/** Values of `PROT_READ` and `PROT_WRITE`. */
export const protection = { none: 0, read: 1, write: 2, both: 3 } as const;

/** The process; its path is in `BARKEEP_USER_DRIVER`. */
export class UserDriver implements Disposable {
  readonly #child = spawn(
    "taskset",
    ["-c", "0", process.env.BARKEEP_USER_DRIVER ?? ""],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  readonly #answers = createInterface({ input: this.#child.stdout })
    [Symbol.asyncIterator]();
  /** Settles with the signal that ended it, or null. */
  readonly ended: Promise<NodeJS.Signals | null> = new Promise((resolve) => {
    this.#child.on("exit", (_status, signal) => resolve(signal));
  });

  /** Starts one that maps a file. */
  static async map(
    path: string,
    bytes: number,
    { offset = 0, access = protection.both }: {
      offset?: number;
      access?: number;
    } = {},
  ): Promise<UserDriver> {
    const driver = new UserDriver();
    await driver.run("map", path, offset, bytes, access, "shared");
    return driver;
  }

  [Symbol.dispose](): void {
    this.#child.stdin.end();
  }

  /** Ends it as `kill -9` does. */
  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Gives a command; returns the answer, whatever it is. */
  async try(...command: (string | number | bigint)[]): Promise<string> {
    this.#child.stdin.write(`${command.join(" ")}\n`);
    const { value = "ended" }: { value?: string } = await this.#answers.next();
    return value;
  }

  /**
   * Gives a command that has to succeed.
   *
   * @throws when it fails, or ends in a signal.
   */
  async run(...command: (string | number | bigint)[]): Promise<bigint> {
    const answer = await this.try(...command);
    assert.match(answer, /^ok /, command.join(" "));
    return BigInt(answer.slice(3) === "0" ? 0 : answer.slice(3));
  }

  /** Loads up to 4 bytes. */
  async read(offset: number, width = 4): Promise<number> {
    return Number(await this.run("read", width, offset));
  }

  /** Stores up to 4 bytes. */
  async write(offset: number, value: number, width = 4): Promise<void> {
    await this.run("write", width, offset, value);
  }
}
