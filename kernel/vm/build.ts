// SPDX-License-Identifier: GPL-2.0-only

import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cached, cachePath, hash, locked } from "./cache.ts";
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
  const path = cachePath("modules", name);
  await cached(path, async (temporary) => {
    await prepare("build");
    await build(target, { from, sources, to: temporary });
  });
  // Shown each time: the cache must not hide a warning.
  process.stderr.write(readFileSync(join(path, warningsFile), "utf8"));
  return path;
}

const warningsFile = "warnings.txt";

/** The VM's own files are not the module's. */
function sourcesIn(directory: string): string[] {
  return filesIn(directory)
    .filter((file) => /\.[chS]$|(^|\/)(Kbuild|Makefile)$/.test(file))
    .filter((file) => !file.startsWith("vm/"))
    .sort();
}

interface Build {
  readonly from: string;
  readonly sources: readonly string[];
  readonly to: string;
}

/**
 * Builds in a copy, so that the source tree stays clean. The copy of our own
 * sources stays for the next build, which then compiles only what has changed,
 * unless there were warnings: those have to come again.
 */
async function build(kernel: Kernel, { from, sources, to }: Build) {
  say(`building modules for Linux ${kernel.release}`);
  const copy = cachePath("build", `${kernel.release}-${hash(from)}`);
  await locked(copy, async () => {
    let stays = from === kernelDirectory;
    try {
      refresh(copy, { from, sources });
      const complaints = await make(kernel, copy);
      if (complaints) stays = false;
      mkdirSync(to);
      writeFileSync(join(to, warningsFile), complaints);
      const modules = filesIn(copy).filter((file) => file.endsWith(".ko"));
      for (const file of modules) {
        cpSync(join(copy, file), join(to, basename(file)));
      }
    } finally {
      if (!stays) rmSync(copy, { recursive: true });
    }
  });
}

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" });

/** Makes a copy's sources those of `from`; an unchanged file keeps its age. */
function refresh(copy: string, source: Omit<Build, "to">): void {
  mkdirSync(copy, { recursive: true });
  const wanted = new Set(source.sources);
  for (const file of sourcesIn(copy)) {
    // modpost's own, which make knows how to renew
    if (!wanted.has(file) && !file.endsWith(".mod.c")) rmSync(join(copy, file));
  }
  for (const file of source.sources) {
    const to = join(copy, file);
    const contents = readFileSync(join(source.from, file));
    if (existsSync(to) && readFileSync(to).equals(contents)) continue;
    mkdirSync(dirname(to), { recursive: true });
    writeFileSync(to, contents);
  }
  // A module that is built no more must not be taken for one that is.
  for (const file of filesIn(copy)) {
    if (file.endsWith(".ko")) rmSync(join(copy, file));
  }
}

/** Returns what the compiler complained of. */
async function make(kernel: Kernel, copy: string): Promise<string> {
  const { status, stdout, stderr } = await run([
    "make",
    "-C",
    kernel.headers,
    ...(kernel.make ?? []),
    `M=${copy}`,
    `-j${availableParallelism()}`,
    "W=1",
    // So that a WARNING names the file that a person can edit.
    `KCFLAGS=-fmacro-prefix-map=${copy}/=kernel/`,
    // Type information for BPF takes pahole, and nobody here reads it.
    "CONFIG_DEBUG_INFO_BTF_MODULES=",
    "modules",
  ]);
  // About the files that a person can edit, not about our copy of them.
  const complaints = stderr.replaceAll(copy, "kernel");
  if (status === 0) return complaints;
  process.stderr.write(complaints);
  throw new VmError(
    "BUILD_FAILED",
    `the modules do not build for Linux ${kernel.release} (make ended with ${status}); ` +
      (complaints ? "see above" : `it said:\n${stdout}`),
  );
}
