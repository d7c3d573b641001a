// SPDX-License-Identifier: GPL-2.0-only

import { createHash, randomUUID } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

/** Where all that is downloaded or built lives; deleting it is always safe. */
export function cachePath(...parts: string[]): string {
  const home = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  return join(home, "barkeep", ...parts);
}

/** A short content hash that names an entry of the cache. */
export function hash(...parts: (string | Uint8Array)[]): string {
  const sum = createHash("sha256");
  for (const part of parts) {
    sum.update(`${part.length}:`);
    sum.update(part);
  }
  return sum.digest("hex").slice(0, 16);
}

/**
 * Returns `path` in the cache, made by `make` if it is not there. `make` works
 * on a name of its own that is renamed into place, so of two processes that
 * need the same entry at once both may make it, and one's work is thrown away.
 *
 * @example
 * ```ts
 * const init = await cached(cachePath("init"), (to) => compile(to));
 * ```
 */
export async function cached(
  path: string,
  make: (temporary: string) => Promise<void>,
): Promise<string> {
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${randomUUID().slice(0, 8)}`;
  try {
    await make(temporary);
    renameSync(temporary, path);
  } catch (error) {
    if (!existsSync(path)) throw error;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  return path;
}
