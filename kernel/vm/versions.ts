// SPDX-License-Identifier: GPL-2.0-only

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The version of a build tool, from `.tool-versions`, the one place that pins
 * them.
 *
 * @example
 * ```ts
 * toolVersion("zig"); // "0.12.0-dev.1286"
 * ```
 */
export function toolVersion(tool: "bun" | "deno" | "zig"): string {
  const file = fileURLToPath(new URL("../../.tool-versions", import.meta.url));
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const [name, version] = line.trim().split(/\s+/);
    if (name === tool && version) return version;
  }
  throw new Error(`${file} names no version of ${tool}; add a line for it`);
}
