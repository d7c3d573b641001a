// SPDX-License-Identifier: GPL-2.0-only

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { release as hostRelease } from "node:os";
import { join } from "node:path";
import { download, updateLists } from "./apt.ts";
import { cached, cachePath } from "./cache.ts";
import { debugKernel } from "./debug_kernel.ts";
import { VmError } from "./errors.ts";
import { isKernelName, type KernelName, kernelNames } from "./kernel_names.ts";
import { run, say } from "./process.ts";

/** A kernel that the VM can boot, with what it takes to build modules for it. */
export interface Kernel {
  /** As `uname -r` says it. */
  readonly release: string;
  /** The bootable image. */
  readonly image: string;
  /** What belongs at `/lib/modules/<release>`, with its `modules.dep`. */
  readonly modules: string;
  /** Where `make -C` builds modules for it. */
  readonly headers: string;
  /** Further arguments of that make. */
  readonly make?: readonly string[];
  /** MiB that a guest needs, where that is more than usual. */
  readonly memory?: number;
  /** How many times as long as usual things take, where that is longer. */
  readonly slow?: number;
}

/** How the packages of a series are called. */
const series: Record<Exclude<KernelName, "debug" | "host">, RegExp> = {
  "6.1": /^linux-image-(6\.1\.0-\d+-amd64)$/,
  "6.12": /^linux-image-(6\.12\.\d+\+deb\d+-amd64)$/,
};

/**
 * The kernel of a series (`"6.1"`, `"6.12"`), fetched from the distribution's
 * packages into the cache when it is not there yet, the `"debug"` kernel, built
 * from the distribution's sources, or the `"host"`'s own.
 *
 * @throws {VmError} `BAD_OPTION` for another name, `NO_KERNEL` when there is
 * none, `DOWNLOAD_FAILED` when it could not be fetched.
 *
 * @example
 * ```ts
 * const { release } = await kernelNamed("6.12");
 * ```
 */
export async function kernelNamed(name: string): Promise<Kernel> {
  if (!isKernelName(name)) {
    throw new VmError(
      "BAD_OPTION",
      `there is no kernel called "${name}"; choose one of ${
        kernelNames.join(", ")
      }`,
    );
  }
  if (name === "host") return hostKernel();
  if (name === "debug") return await debugKernel();
  const pattern = series[name];
  const root = cachePath("kernels", name);
  if (!existsSync(root)) await fetchKernel(pattern, root);
  const [release] = readdirSync(join(root, "lib/modules"));
  if (!release) {
    throw new VmError(
      "NO_KERNEL",
      `${root} holds no kernel; delete it and try again`,
    );
  }
  return {
    release,
    image: join(root, `boot/vmlinuz-${release}`),
    modules: join(root, "lib/modules", release),
    headers: join(root, `usr/src/linux-headers-${release}`),
  };
}

function hostKernel(): Kernel {
  const release = hostRelease();
  const image = `/boot/vmlinuz-${release}`;
  const modules = `/lib/modules/${release}`;
  const absent = [image, `${modules}/modules.dep`].filter((path) =>
    !existsSync(path)
  );
  if (absent.length > 0) {
    throw new VmError(
      "NO_KERNEL",
      `cannot boot this host's own kernel ${release}: no ${
        absent.join(" and no ")
      }.\nInstall the package that holds them, or choose --kernel ${
        Object.keys(series).join(" or --kernel ")
      }`,
    );
  }
  return { release, image, modules, headers: `${modules}/build` };
}

async function fetchKernel(pattern: RegExp, root: string): Promise<void> {
  let release = await newest(pattern);
  if (!release) {
    await updateLists();
    release = await newest(pattern);
  }
  if (!release) {
    throw new VmError(
      "NO_KERNEL",
      `apt knows no package like ${pattern.source}.\n` +
        "These kernels come from Debian 12 with its security updates: check /etc/apt/sources.list.d, run apt-get update as root, then try again",
    );
  }
  await cached(root, (to) => unpack(release, to, root));
}

/** Asked of apt each time, because point releases move on and replace another. */
async function newest(pattern: RegExp): Promise<string | undefined> {
  const { stdout } = await run([
    "apt-cache",
    "search",
    "--names-only",
    "^linux-image-6",
  ]);
  const numbers = (name: string): number[] =>
    (name.match(/\d+/g) ?? []).map(Number);
  return stdout.split("\n")
    .map((line) => pattern.exec(line.split(" ")[0] ?? "")?.[1])
    .filter((release) => release !== undefined)
    .sort((a, b) => compare(numbers(a), numbers(b)))
    .pop();
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/**
 * The packages of one kernel. The headers depend on the others, and kbuild's
 * own name differs between the series, so apt is asked for it.
 */
async function packagesOf(release: string): Promise<string[]> {
  const headers = `linux-headers-${release}`;
  const { stdout } = await run(["apt-cache", "depends", headers]);
  const names = [...stdout.matchAll(/Depends: (linux-(headers|kbuild)-\S+)/g)]
    .map((match) => match[1])
    .filter((name) => name !== undefined);
  return [`linux-image-${release}`, headers, ...new Set(names)];
}

async function unpack(
  release: string,
  to: string,
  root: string,
): Promise<void> {
  const downloads = join(to, "downloads");
  mkdirSync(downloads, { recursive: true });
  const packages = await packagesOf(release);
  say(`downloading Linux ${release} (about 100 MB, once)`);
  await download(packages, downloads);
  say(`unpacking Linux ${release}`);
  for (const file of readdirSync(downloads)) {
    const path = join(downloads, file);
    const { status, stderr } = await run(["dpkg", "-x", path, to]);
    if (status !== 0) {
      throw new VmError(
        "DOWNLOAD_FAILED",
        `dpkg could not unpack ${path}: ${stderr.trim()}\nIs the disk full?`,
      );
    }
  }
  rmSync(downloads, { recursive: true });
  relocate(release, to, root);
  await run(["depmod", "-b", to, release], { show: true });
}

/** Headers name each other by their place on an installed system. */
function relocate(release: string, to: string, root: string): void {
  const headers = `usr/src/linux-headers-${release}`;
  const makefile = join(to, headers, "Makefile");
  const text = readFileSync(makefile, "utf8");
  writeFileSync(
    makefile,
    text.replaceAll(" /usr/src/", ` ${join(root, "usr/src")}/`),
  );
  const common = headers.replace(/-amd64$/, "-common");
  const links = { build: headers, source: common };
  for (const [name, target] of Object.entries(links)) {
    const link = join(to, "lib/modules", release, name);
    rmSync(link, { force: true });
    symlinkSync(join(root, target), link);
  }
}
