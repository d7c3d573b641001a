// SPDX-License-Identifier: MIT

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { cached, cachePath, hash } from "../kernel/vm/cache.ts";
import { BarkeepError } from "./errors.ts";

const sources = [
  "barkeep.c",
  "barkeep.h",
  "../kernel/uapi/barkeep.h",
  "../kernel/uapi/barkeep_memory.h",
];

/** The C library and kernel interface of the oldest distribution we build for. */
const flags = [
  "-target",
  "x86_64-linux-gnu.2.28",
  "-std=c11",
  "-shared",
  "-fPIC",
  "-O2",
  "-fvisibility=hidden",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-s",
  "-lpthread",
];

/**
 * Path of the C helper library, built with `zig cc` on first use and kept
 * under the user's cache directory by what it was built from.
 *
 * @throws {BarkeepError} `SYSTEM` with what the compiler said.
 */
export function helperPath(): Promise<string> {
  const files = sources.map((name) =>
    fileURLToPath(new URL(name, import.meta.url))
  );
  const contents = files.map((file) => readFileSync(file));
  const name = hash(flags.join(" "), ...contents);
  const directory = cachePath("helper", name);
  return cached(join(directory, "libbarkeep.so"), async (temporary) => {
    // Loaded late: once the helper is there, no compiler has to be.
    const { zig } = await import("../kernel/vm/zig.ts");
    const { run } = await import("../kernel/vm/process.ts");
    const command = [await zig(), "cc", ...flags, "-o", temporary];
    const { status, stderr } = await run([...command, files[0] ?? ""]);
    if (status !== 0) {
      throw new BarkeepError(
        "SYSTEM",
        `cannot build the C helper (${
          command.join(" ")
        }), status ${status}:\n${stderr}`,
      );
    }
  });
}
