// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { VmError } from "./errors.ts";

const formats: readonly {
  readonly magic: string;
  readonly unpack: (data: Uint8Array) => Buffer;
}[] = [
  { magic: "fd377a585a00", unpack: unxz },
  { magic: "28b52ffd", unpack: (data) => zstdDecompressSync(data) },
  { magic: "1f8b", unpack: (data) => gunzipSync(data) },
];

/**
 * Decompresses what the kernel's build compressed: xz, zstd or gzip, told by
 * the first bytes. Anything else comes back as it is.
 *
 * @throws {VmError} `BUILD_FAILED` when the data is damaged.
 *
 * @example
 * ```ts
 * const module = decompress(readFileSync("9p.ko.xz"));
 * ```
 */
export function decompress(data: Uint8Array): Uint8Array {
  const start = Buffer.from(data.subarray(0, 6)).toString("hex");
  const format = formats.find(({ magic }) => start.startsWith(magic));
  if (!format) return data;
  try {
    return format.unpack(data);
  } catch (error) {
    throw new VmError(
      "BUILD_FAILED",
      `cannot decompress a part of the kernel: ${error}.\n` +
        "Its package may be damaged: delete the kernel from the cache and try again",
    );
  }
}

/**
 * Neither runtime brings xz. From a file, because spawnSync of some runtimes
 * does not read the output before all input is written. What follows the first
 * stream is not looked at.
 */
function unxz(data: Uint8Array): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "barkeep-"));
  const file = join(directory, "data.xz");
  try {
    writeFileSync(file, data);
    const { status, stdout, stderr } = spawnSync(
      "xz",
      ["--decompress", "--stdout", "--single-stream", file],
      { maxBuffer: 1 << 30 },
    );
    if (status !== 0) throw new Error(`xz: ${stderr}`);
    return stdout;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
