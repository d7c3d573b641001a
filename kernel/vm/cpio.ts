// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";

/** One file of an archive. */
export interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly major: number;
  readonly minor: number;
}

const nothing = new Uint8Array(0);

/** A regular file that may be executed. */
export const file = (name: string, data: Uint8Array): Entry => (
  { name, mode: 0o100755, data, major: 0, minor: 0 }
);

/** A directory. */
export const directory = (name: string): Entry => (
  { name, mode: 0o040755, data: nothing, major: 0, minor: 0 }
);

/** A character device. */
export const device = (name: string, major: number, minor: number): Entry => (
  { name, mode: 0o020600, data: nothing, major, minor }
);

/**
 * A cpio archive of the "newc" kind; the kernel takes several in a row.
 *
 * @example
 * ```ts
 * const bytes = archive([directory("dev"), file("init", program)]);
 * ```
 */
export function archive(entries: readonly Entry[]): Buffer {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const push = (chunk: Uint8Array): void => {
    const padding = (4 - chunk.length % 4) % 4;
    chunks.push(chunk, new Uint8Array(padding));
    length += chunk.length + padding;
  };
  const trailer = { ...file("TRAILER!!!", nothing), mode: 0 };
  [...entries, trailer].forEach((entry, index) => {
    const name = Buffer.from(`${entry.name}\0`);
    const fields = [
      entry.mode ? index + 1 : 0, // inode
      entry.mode,
      0, // uid
      0, // gid
      1, // links
      0, // mtime
      entry.data.length,
      0, // device the file is on
      0,
      entry.major,
      entry.minor,
      name.length,
      0, // checksum, unused in this kind
    ];
    const hex = fields.map((field) => field.toString(16).padStart(8, "0"));
    push(Buffer.concat([Buffer.from(`070701${hex.join("")}`), name]));
    push(entry.data);
  });
  return Buffer.concat(chunks, length);
}
