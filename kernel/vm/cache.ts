// SPDX-License-Identifier: GPL-2.0-only

import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { VmError } from "./errors.ts";
import { say } from "./process.ts";

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

/** Entries that this process is making. */
const underway = new Map<string, Promise<string>>();

/**
 * Returns `path` in the cache, made by `make` if it is not there. `make` works
 * on a name of its own that is renamed into place, so that an entry is whole
 * or absent. Others who need it meanwhile wait, in this process and in others.
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
  const making = underway.get(path) ?? makeLocked(path, make);
  underway.set(path, making);
  try {
    return await making;
  } finally {
    underway.delete(path);
  }
}

async function makeLocked(
  path: string,
  make: (temporary: string) => Promise<void>,
): Promise<string> {
  const temporary = `${path}.${randomUUID().slice(0, 8)}`;
  await locked(path, async () => {
    if (existsSync(path)) return;
    try {
      await make(temporary);
      renameSync(temporary, path);
    } catch (error) {
      // Two may hold the lock when its owner was killed; one is enough.
      if (!existsSync(path)) throw error;
    } finally {
      rmSync(temporary, { recursive: true, force: true });
    }
  });
  return path;
}

/**
 * Does something to `path` that only one process may do at a time.
 *
 * @example
 * ```ts
 * await locked(cachePath("build"), () => make(cachePath("build")));
 * ```
 */
export async function locked(
  path: string,
  act: () => Promise<void>,
): Promise<void> {
  makeDirectory(dirname(path));
  const unlock = await lock(`${path}.lock`);
  try {
    await act();
  } finally {
    unlock();
  }
}

/**
 * Makes a directory of the cache, and those above it.
 *
 * @throws {VmError} `NO_CACHE` when that cannot be done.
 */
export function makeDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw unwritable(path, error);
  }
}

function unwritable(path: string, error: unknown): VmError {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const reason = reasons[String(code)] ?? String(error);
  return new VmError(
    "NO_CACHE",
    `cannot write the cache ${path}: ${reason}. Set XDG_CACHE_HOME to a directory you own`,
  );
}

const reasons: Record<string, string> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOTDIR: "a part of that path is no directory",
  ENOENT: "that path cannot be made",
  ENOSPC: "the file system is full",
};

/** Looks at a lock before we say that we wait: a second of them. */
const quietLooks = 10;

/** The file names its owner, so that one who was killed does not block us. */
async function lock(path: string): Promise<() => void> {
  for (let looks = 0;; looks++) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (!isCode(error, "EEXIST")) throw unwritable(dirname(path), error);
    }
    if (!ownerAlive(path)) {
      rmSync(path, { force: true });
      continue;
    }
    if (looks === quietLooks) {
      say(
        `waiting for another process to make ${path.replace(/\.lock$/, "")} ` +
          `(if there is none, delete ${path})`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function ownerAlive(path: string): boolean {
  try {
    const owner = Number(readFileSync(path, "utf8"));
    // Empty: between its creation and the write of the number.
    if (owner > 0) process.kill(owner, 0);
    return true;
  } catch (error) {
    // No such file: ask for the lock again. Not ours to signal: alive.
    return !isCode(error, "ESRCH");
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
