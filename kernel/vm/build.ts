// SPDX-License-Identifier: GPL-2.0-only

import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cached, cachePath, hash } from "./cache.ts";
import { VmError } from "./errors.ts";
import { type Kernel, kernelNamed } from "./packages.ts";
import { prepare } from "./prepare.ts";
import { run, say } from "./process.ts";

const kernelDirectory = fileURLToPath(new URL("..", import.meta.url));

/** Whether there is a module to build at all. */
export function hasModules(): boolean {
  return existsSync(join(kernelDirectory, "Kbuild"));
}

/**
 * Builds `kernel/` for one kernel with that kernel's own Kbuild, unless the
 * same sources were built for it before. Compiler warnings go to standard
 * error.
 *
 * @returns the directory that holds `barkeep.ko` and the sample drivers.
 *
 * @throws {VmError} `BUILD_FAILED` with what the compiler said, `NO_KERNEL`
 * when the kernel's headers are missing.
 *
 * @example
 * ```ts
 * const modules = await buildModules("6.12");
 * await run(["insmod", `${modules}/barkeep.ko`]);
 * ```
 */
export async function buildModules(
  kernel: string,
  options: { directory?: string } = {},
): Promise<string> {
  const from = options.directory ?? kernelDirectory;
  const target = await kernelNamed(kernel);
  if (!existsSync(join(target.headers, "Makefile"))) {
    throw new VmError(
      "NO_KERNEL",
      `cannot build modules for ${target.release}: no headers in ${target.headers}.\n` +
        `Install linux-headers-${target.release}, or choose another --kernel`,
    );
  }
  const sources = sourcesIn(from);
  const contents = sources.flatMap((file) => [
    file,
    readFileSync(join(from, file)),
  ]);
  const name = `${target.release}-${hash(target.headers, ...contents)}`;
  return await cached(cachePath("modules", name), async (temporary) => {
    await prepare("build");
    await build(target, { from, sources, to: temporary });
  });
}

/** The VM's own files are not the module's. */
function sourcesIn(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((file) => /\.[chS]$|(^|\/)(Kbuild|Makefile)$/.test(file))
    .filter((file) => !file.startsWith("vm/"))
    .sort();
}

interface Build {
  readonly from: string;
  readonly sources: readonly string[];
  readonly to: string;
}

async function build(kernel: Kernel, { from, sources, to }: Build) {
  say(`building modules for Linux ${kernel.release}`);
  // In a copy: the source tree stays clean, and two builds do not meet.
  const copy = mkdtempSync(`${to}-`);
  try {
    for (const file of sources) {
      mkdirSync(dirname(join(copy, file)), { recursive: true });
      cpSync(join(from, file), join(copy, file));
    }
    const { status, stdout, stderr } = await run([
      "make",
      "-C",
      kernel.headers,
      `M=${copy}`,
      `-j${availableParallelism()}`,
      "W=1",
      // So that a WARNING names the file that a person can edit.
      `KCFLAGS=-fmacro-prefix-map=${copy}/=kernel/`,
      // Type information for BPF takes pahole, and nobody here reads it.
      "CONFIG_DEBUG_INFO_BTF_MODULES=",
      "modules",
    ]);
    // The compiler's complaints, about the files that a person can edit.
    const place = relative(process.cwd(), from) || ".";
    const complaints = stderr
      .replaceAll(copy, place)
      .split("\n")
      .filter((line) => line && !noise.some((pattern) => pattern.test(line)))
      .join("\n");
    if (complaints) process.stderr.write(`${complaints}\n`);
    if (status !== 0) {
      throw new VmError(
        "BUILD_FAILED",
        `the modules do not build for Linux ${kernel.release} (make ended with ${status}); ` +
          (complaints ? "see above" : `it said:\n${stdout}`),
      );
    }
    mkdirSync(to);
    const modules = readdirSync(copy, { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ko"));
    for (const file of modules) {
      renameSync(join(copy, file), join(to, basename(file)));
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** What make says on standard error though nothing is wrong. */
const noise: readonly RegExp[] = [];
