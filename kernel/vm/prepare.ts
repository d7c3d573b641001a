// SPDX-License-Identifier: GPL-2.0-only

import { existsSync } from "node:fs";
import process from "node:process";
import { VmError } from "./errors.ts";
import { run, say } from "./process.ts";

/** What a part of the VM needs from the host, and who brings it. */
interface Need {
  /** Debian package. */
  readonly package: string;
  /** It is there when one of these files is. */
  readonly files: readonly string[];
}

const commandIn = (...names: string[]): string[] =>
  names.flatMap((name) => [`/usr/bin/${name}`, `/usr/sbin/${name}`]);

const perls = (): string[] =>
  ["5.34", "5.36", "5.38", "5.40"].map((version) =>
    `/usr/share/perl/${version}/Term/ANSIColor.pm`
  );

const needs: Record<"boot" | "build" | "kernel", readonly Need[]> = {
  boot: [
    { package: "qemu-system-x86", files: commandIn("qemu-system-x86_64") },
    { package: "kmod", files: commandIn("depmod") },
    { package: "xz-utils", files: commandIn("xz") },
    { package: "util-linux", files: commandIn("setpriv") },
  ],
  build: [
    { package: "make", files: commandIn("make") },
    { package: "gcc-12", files: commandIn("gcc-12") },
    // objtool of the headers is linked against it.
    { package: "libelf1", files: ["/usr/lib/x86_64-linux-gnu/libelf.so.1"] },
    // W=1 runs the kernel's kernel-doc check, which perl-base is too small for.
    { package: "perl", files: perls() },
  ],
  kernel: [
    { package: "make", files: commandIn("make") },
    { package: "gcc-12", files: commandIn("gcc-12") },
    { package: "libc6-dev", files: ["/usr/include/stdio.h"] },
    { package: "libelf-dev", files: ["/usr/include/gelf.h"] },
    { package: "flex", files: commandIn("flex") },
    { package: "bison", files: commandIn("bison") },
    { package: "bc", files: commandIn("bc") },
    { package: "kmod", files: commandIn("depmod") },
    { package: "xz-utils", files: commandIn("xz") },
  ],
};

/**
 * Sees to it that the host has what booting or building needs: installs the
 * missing Debian packages, and says which.
 *
 * @throws {VmError} `NOT_PREPARED` with the command to run, when this user may
 * not install packages or there is no apt.
 *
 * @example
 * ```ts
 * await prepare("boot");
 * ```
 */
export async function prepare(purpose: keyof typeof needs): Promise<void> {
  const packages = missing(purpose);
  if (packages.length === 0) return;
  const install = [
    "apt-get",
    "-o",
    "DPkg::Lock::Timeout=600",
    "install",
    "-y",
    "--no-install-recommends",
    ...packages,
  ];
  const advice =
    `Run this as root, then try again:\n  apt-get update && apt-get install -y --no-install-recommends ${
      packages.join(" ")
    }`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new VmError(
      "NOT_PREPARED",
      `this machine lacks ${
        packages.join(", ")
      }, and only root with apt can install that.\n${advice}`,
    );
  }
  say(`installing ${packages.join(", ")} (once)`);
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  let result = await run(install, { env, show: true });
  if (result.status !== 0) {
    // A fresh machine has no package lists, or lists that name replaced files.
    await run(["apt-get", "update"], { env, show: true });
    result = await run(install, { env, show: true });
  }
  if (result.status !== 0 || missing(purpose).length > 0) {
    throw new VmError(
      "NOT_PREPARED",
      `apt-get could not install ${
        packages.join(", ")
      } (status ${result.status}).\n${advice}`,
    );
  }
}

function missing(purpose: keyof typeof needs): string[] {
  return needs[purpose]
    .filter((need) => !need.files.some((file) => existsSync(file)))
    .map((need) => need.package);
}
