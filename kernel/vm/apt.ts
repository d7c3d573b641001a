// SPDX-License-Identifier: GPL-2.0-only

import process from "node:process";
import { VmError } from "./errors.ts";
import { run, say } from "./process.ts";

/** Has apt look for what is new, where this user may. */
export async function updateLists(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  say("updating the package lists");
  await run(["apt-get", "update"], { show: true });
}

/**
 * Downloads Debian packages, without installing them.
 *
 * @throws {VmError} `DOWNLOAD_FAILED` with what apt said.
 *
 * @example
 * ```ts
 * await download(["linux-source-6.12"], directory);
 * ```
 */
export async function download(
  packages: readonly string[],
  directory: string,
): Promise<void> {
  // Not as user _apt, who may not write into our cache.
  const command = [
    "apt-get",
    "-o",
    "APT::Sandbox::User=root",
    "download",
    ...packages,
  ];
  const options = { cwd: directory, show: true };
  let result = await run(command, options);
  if (result.status !== 0) {
    await updateLists();
    result = await run(command, options);
  }
  if (result.status === 0) return;
  throw new VmError(
    "DOWNLOAD_FAILED",
    `apt-get could not download ${
      packages.join(" ")
    }: ${result.stderr.trim()}\nRun apt-get update as root, then try again`,
  );
}
