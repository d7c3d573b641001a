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

const source = path("./fail_nth.c");

/** Builds `fail_nth.c`, on the host; returns the program's path. */
export function buildFailNth(): Promise<string> {
  const headers = ["barkeep.h", "barkeep_memory.h"].map((name) =>
    path(`../../kernel/uapi/${name}`)
  );
  const contents = [source, ...headers].map((file) => readFileSync(file));
  const name = `fail-nth-${hash(...contents)}`;
  return cached(cachePath("tests", name), async (temporary) => {
    const flags = ["-static", "-O2", "-Wall", "-Wextra", "-Werror"];
    const target = ["-target", "x86_64-linux-musl"];
    const command = [await zig(), "cc", ...target, ...flags];
    const { status, stderr } = await run([...command, "-o", temporary, source]);
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
    for (const call of ["open", "plug", "bind", "vectors", "mmap ring"]) {
      assert.ok((failures.get(call) ?? 0) > 0, `${call} of:\n${stdout}`);
    }
    process.stderr.write(`failures injected:\n${stdout}`);
  },
  { debug: true, limit: 200 },
);
