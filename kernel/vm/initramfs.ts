// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached, cachePath, hash } from "./cache.ts";
import { archive, device, directory, file } from "./cpio.ts";
import { decompress } from "./decompress.ts";
import { VmError } from "./errors.ts";
import type { Kernel } from "./packages.ts";
import { run, say } from "./process.ts";
import { zig } from "./zig.ts";

/** What the guest's init is to do; init.c reads it as `/job`. */
export interface Job {
  /** Program and arguments. */
  readonly command: readonly string[];
  /** The command's whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** The command's working directory. */
  readonly cwd: string;
  /** Path of a module to load before the command starts. */
  readonly module?: string;
  /** Whether the command's standard input is passed on. */
  readonly input: boolean;
  /** Size of the terminal that the command gets, if it gets one. */
  readonly tty?: { readonly columns: number; readonly rows: number };
}

/** What stands between a bare kernel and the host's root file system. */
const guestModules = [
  "virtio_pci",
  "virtio_console",
  "9pnet_virtio",
  "9p",
  "overlay",
];

/**
 * The initramfs for one job: a part that is the same for every run on a
 * kernel, from the cache, and the job.
 *
 * @throws {VmError} `BUILD_FAILED` when init could not be compiled, `NO_KERNEL`
 * when the kernel lacks a module that the VM stands on.
 *
 * @example
 * ```ts
 * writeFileSync(path, await initramfs(kernel, job));
 * ```
 */
export async function initramfs(kernel: Kernel, job: Job): Promise<Buffer> {
  const init = await buildInit();
  const modules = modulesToLoad(kernel);
  const path = cachePath(
    `initramfs-${kernel.release}-${hash(basename(init), ...modules)}.cpio`,
  );
  const base = readFileSync(
    await cached(path, (temporary) => {
      const files = [
        directory("dev"),
        directory("proc"),
        directory("sys"),
        device("dev/console", 5, 1),
        file("init", readFileSync(init)),
      ];
      for (const module of modules) {
        const image = readFileSync(join(kernel.modules, module));
        files.push(file(loadName(module), decompress(image)));
      }
      writeFileSync(temporary, archive(files));
      return Promise.resolve();
    }),
  );
  const entries: [string, string][] = [
    ...modules.map((module): [string, string] => ["load", loadName(module)]),
    ...describe(job),
    ["release", kernel.release],
    ["modules", kernel.modules],
  ];
  const text = entries.map(([key, value]) => `${key}\0${value}\0`).join("");
  return Buffer.concat([base, archive([file("job", Buffer.from(text))])]);
}

function describe(job: Job): [string, string][] {
  const entries: [string, string][] = [["cwd", job.cwd]];
  for (const argument of job.command) entries.push(["arg", argument]);
  for (const [name, value] of Object.entries(job.env)) {
    entries.push(["env", `${name}=${value}`]);
  }
  if (job.module) entries.push(["module", job.module]);
  if (job.input) entries.push(["input", ""]);
  if (job.tty) entries.push(["tty", `${job.tty.columns}x${job.tty.rows}`]);
  return entries;
}

const initSources = ["init.c", "init_command.c", "init_frames.c"];

const besides = (file: string): string =>
  fileURLToPath(new URL(file, import.meta.url));

async function buildInit(): Promise<string> {
  const sources = initSources.map(besides);
  const contents = [...sources, besides("init.h")].map((file) =>
    readFileSync(file)
  );
  const path = cachePath(`init-${hash(...contents)}`);
  return await cached(path, async (temporary) => {
    const compiler = await zig();
    say("building the guest's init (the compiler's first run takes a while)");
    const { status, stderr } = await run([
      compiler,
      "cc",
      "-target",
      "x86_64-linux-musl",
      "-static",
      "-O2",
      "-s",
      "-Wall",
      "-o",
      temporary,
      ...sources,
    ]);
    if (status !== 0) {
      throw new VmError(
        "BUILD_FAILED",
        `zig cc could not build ${sources[0]} (status ${status}):\n${stderr}`,
      );
    }
  });
}

const moduleName = (path: string): string =>
  basename(path).replace(/\.ko(\.[a-z]+)?$/, "").replaceAll("-", "_");

const loadName = (path: string): string => `${moduleName(path)}.ko`;

/** The files of {@link guestModules} and what they need, in loading order. */
function modulesToLoad(kernel: Kernel): string[] {
  const dependencies = new Map<string, string[]>();
  const paths = new Map<string, string>();
  const table = readFileSync(join(kernel.modules, "modules.dep"), "utf8");
  for (const line of table.split("\n")) {
    const [path, needed = ""] = line.split(":");
    if (!path) continue;
    paths.set(moduleName(path), path);
    dependencies.set(path, needed.split(" ").filter((name) => name));
  }
  const builtin = new Set(
    readFileSync(join(kernel.modules, "modules.builtin"), "utf8")
      .split("\n").map(moduleName),
  );
  const ordered = new Set<string>();
  const add = (path: string): void => {
    for (const needed of dependencies.get(path) ?? []) add(needed);
    ordered.add(path);
  };
  for (const name of guestModules) {
    const path = paths.get(name);
    if (path) add(path);
    else if (!builtin.has(name)) {
      throw new VmError(
        "NO_KERNEL",
        `kernel ${kernel.release} has no ${name} in ${kernel.modules}, and the VM needs it; choose another --kernel`,
      );
    }
  }
  return [...ordered];
}
