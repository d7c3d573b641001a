// SPDX-License-Identifier: MIT

/**
 * Everything that can fail inside a call does, one after the other.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cached, cachePath, hash } from "../../kernel/vm/cache.ts";
import { run } from "../../kernel/vm/process.ts";
import { zig } from "../../kernel/vm/zig.ts";
import { guestTest } from "./harness.ts";

const path = (relative: string): string =>
  fileURLToPath(new URL(relative, import.meta.url));

const sources = ["./fail_nth.c", "./fail_nth_calls.c"].map(path);

/** Builds the program on the host, and returns its path. */
export function buildFailNth(): Promise<string> {
  const headers = ["barkeep.h", "barkeep_memory.h"].map((name) =>
    path(`../../kernel/uapi/${name}`)
  );
  const read = [...sources, path("./fail_nth.h"), ...headers];
  const contents = read.map((file) => readFileSync(file));
  const name = `fail-nth-${hash(...contents)}`;
  return cached(cachePath("tests", name), async (temporary) => {
    const target = ["-target", "x86_64-linux-musl", "-static", "-O2"];
    const flags = [
      "-Wall",
      "-Wextra",
      "-Werror",
      "-Wno-missing-field-initializers",
    ];
    const command = [await zig(), "cc", ...target, ...flags, "-o", temporary];
    const { status, stderr } = await run([...command, ...sources]);
    assert.equal(status, 0, stderr);
  });
}

guestTest(
  "whatever fails inside a call, it says so, and the next one succeeds",
  async () => {
    const { status, stdout, stderr } = await run([
      process.env.BARKEEP_FAIL_NTH ?? "",
    ]);
    assert.equal(status, 0, stdout + stderr);
    const failures = new Map(
      stdout.trim().split("\n").map((line): [string, number] => {
        const [call = "", count] = line.split(": ");
        return [call, Number(count)];
      }),
    );
    assert.equal(failures.size, 24, stdout);
    // Each of them copies from or to user space, or allocates.
    for (const [call, count] of failures) assert.ok(count > 0, call);
    process.stderr.write(`failures injected:\n${stdout}`);
  },
  { kernel: "debug", limit: 200 },
);
