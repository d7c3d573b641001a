// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { cached, cachePath, hash } from "./cache.ts";
import { decompress } from "./decompress.ts";
import type { Kernel } from "./packages.ts";

/**
 * The file to give to QEMU: the kernel proper, taken out of its bootable
 * image, so that no guest spends seconds on decompressing it in emulation. An
 * image of another make is returned as it is.
 *
 * @example
 * ```ts
 * const image = await bootImage(await kernelNamed("6.1"));
 * ```
 */
export async function bootImage(kernel: Kernel): Promise<string> {
  const { size, mtimeMs } = statSync(kernel.image);
  const name = hash(kernel.image, String(size), String(mtimeMs));
  return await cached(
    cachePath(`vmlinux-${kernel.release}-${name}`),
    (temporary) => {
      const image = readFileSync(kernel.image);
      const payload = payloadOf(image);
      const vmlinux = payload && decompress(payload);
      const bootable = vmlinux && hasEntry(bytes(vmlinux));
      writeFileSync(temporary, bootable ? vmlinux : image);
      return Promise.resolve();
    },
  );
}

const bytes = (data: Uint8Array): Buffer =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Documentation/arch/x86/boot.rst has the offsets. */
function payloadOf(image: Buffer): Uint8Array | undefined {
  if (image.toString("latin1", 0x202, 0x206) !== "HdrS") return undefined;
  const setupSectors = image.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + image.readUInt32LE(0x248);
  const end = start + image.readUInt32LE(0x24c);
  // The last four bytes are the length of the decompressed kernel.
  return image.subarray(start, end - 4);
}

const ptNote = 4;

/** XEN_ELFNOTE_PHYS32_ENTRY: where QEMU enters an uncompressed kernel. */
const entryNote = 18;

function hasEntry(elf: Buffer): boolean {
  if (elf.toString("latin1", 0, 4) !== "\x7fELF") return false;
  const headers = Number(elf.readBigUInt64LE(0x20));
  const headerSize = elf.readUInt16LE(0x36);
  const count = elf.readUInt16LE(0x38);
  for (let i = 0; i < count; i++) {
    const header = headers + i * headerSize;
    if (elf.readUInt32LE(header) !== ptNote) continue;
    const offset = Number(elf.readBigUInt64LE(header + 0x08));
    const size = Number(elf.readBigUInt64LE(header + 0x20));
    if (noteTypes(elf.subarray(offset, offset + size)).includes(entryNote)) {
      return true;
    }
  }
  return false;
}

/** Types of the notes whose owner is Xen. */
function noteTypes(notes: Buffer): number[] {
  const types: number[] = [];
  const aligned = (length: number): number => (length + 3) & ~3;
  let at = 0;
  while (at + 12 <= notes.length) {
    const nameSize = notes.readUInt32LE(at);
    const dataSize = notes.readUInt32LE(at + 4);
    const owner = notes.toString("latin1", at + 12, at + 15);
    if (owner === "Xen") types.push(notes.readUInt32LE(at + 8));
    at += 12 + aligned(nameSize) + aligned(dataSize);
  }
  return types;
}
