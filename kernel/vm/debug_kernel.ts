// SPDX-License-Identifier: GPL-2.0-only

import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { download } from "./apt.ts";
import { cached, cachePath, hash } from "./cache.ts";
import { VmError } from "./errors.ts";
import type { Kernel } from "./packages.ts";
import { prepare } from "./prepare.ts";
import { run, say } from "./process.ts";

const source = "linux-source-6.12";

/** Kbuild takes it for whatever `gcc` is otherwise. */
const compiler: readonly string[] = ["CC=gcc-12", "HOSTCC=gcc-12"];

/** How many times as long as usual things take with all its checks. */
export const debugSlowness = 4;

/** What is added to tinyconfig. */
const fragment = fileURLToPath(new URL("../debug.config", import.meta.url));

/**
 * A kernel that reports a module's mistakes: the distribution's sources, built
 * once with `kernel/debug.config`.
 *
 * @throws {VmError} `DOWNLOAD_FAILED` when there are no sources, `BUILD_FAILED`
 * when they do not build, or do not know an option of the fragment.
 *
 * @example
 * ```ts
 * const { image } = await debugKernel();
 * ```
 */
export async function debugKernel(): Promise<Kernel> {
  const config = readFileSync(fragment, "utf8");
  const root = cachePath("kernels", `debug-${hash(config)}`);
  await cached(root, async (to) => {
    await prepare("kernel");
    await build(config, to);
  });
  const headers = join(root, "linux");
  const release = readFileSync(
    join(headers, "include/config/kernel.release"),
    "utf8",
  ).trim();
  return {
    release,
    image: join(root, "vmlinux"),
    modules: join(root, "lib/modules", release),
    headers,
    make: compiler,
    // KASAN takes an eighth for its shadow, and keeps what is freed for a while.
    memory: 2560,
    slow: debugSlowness,
  };
}

async function build(config: string, to: string): Promise<void> {
  const tree = join(to, "linux");
  mkdirSync(tree, { recursive: true });
  await unpack(to, tree);
  writeFileSync(join(tree, "kernel/configs/barkeep.config"), config);
  await make(tree, ["tinyconfig", "barkeep.config"]);
  checkConfig(config, readFileSync(join(tree, ".config"), "utf8"));
  say("building the debug kernel (once; it takes ten minutes on two CPUs)");
  await make(tree, [`-j${availableParallelism()}`, "vmlinux", "modules"]);
  await make(tree, [`INSTALL_MOD_PATH=${to}`, "modules_install"]);
  await shell(to, "mv linux/vmlinux .");
  for (const link of ["build", "source"]) {
    const [release = ""] = readdirSync(join(to, "lib/modules"));
    rmSync(join(to, "lib/modules", release, link), { force: true });
  }
  // What modules are built with stays; that is a tenth of it.
  await shell(
    tree,
    "rm -rf Documentation drivers fs net sound lib/*/; " +
      "find . -path ./scripts -prune -o -path ./tools -prune -o " +
      "-type f \\( -name '*.[oacS]' -o -name '.*.cmd' \\) -exec rm -f {} +",
  );
}

async function unpack(to: string, tree: string): Promise<void> {
  say("downloading the kernel's sources (about 140 MB, once)");
  await download([source], to);
  say("unpacking the kernel's sources");
  await shell(
    to,
    `dpkg --fsys-tarfile ${source}_*.deb | tar -xO --wildcards '*/${source}.tar.xz' | ` +
      `tar -xJ --strip-components=1 -C ${tree} && rm ${source}_*.deb`,
  );
}

/** An option that the kernel did not take would check nothing. */
function checkConfig(wanted: string, got: string): void {
  const lines = new Set(got.split("\n"));
  const missing = wanted.split("\n").filter((line) => {
    if (!line.startsWith("CONFIG_")) return false;
    const off = /^(?<name>\w+)=n$/.exec(line)?.groups?.name;
    return off ? lines.has(`${off}=y`) : !lines.has(line);
  });
  if (missing.length === 0) return;
  throw new VmError(
    "BUILD_FAILED",
    `the kernel does not take ${
      missing.join(", ")
    } of kernel/debug.config: something they depend on is missing there`,
  );
}

function make(tree: string, args: readonly string[]): Promise<void> {
  return succeed(["make", "-C", tree, ...compiler, ...args]);
}

function shell(directory: string, script: string): Promise<void> {
  return succeed(["bash", "-o", "pipefail", "-ec", script], directory);
}

async function succeed(
  command: readonly string[],
  cwd?: string,
): Promise<void> {
  const { status, stdout, stderr } = await run(command, { cwd });
  if (status === 0) return;
  const said = `${stdout}\n${stderr}`.trimEnd().split("\n").slice(-20);
  throw new VmError(
    "BUILD_FAILED",
    `${command.join(" ")} ended with ${status}:\n${said.join("\n")}`,
  );
}
