// SPDX-License-Identifier: MIT

/**
 * `/dev/barkeep` without the library, and the structs of its header by hand.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { abi } from "../../ffi/abi.ts";
import { cached, cachePath, hash } from "../../kernel/vm/cache.ts";
import { run } from "../../kernel/vm/process.ts";
import { zig } from "../../kernel/vm/zig.ts";

const [source = "", ...headers] = [
  "./raw.c",
  "../../kernel/uapi/barkeep.h",
  "../../kernel/uapi/barkeep_memory.h",
].map((file) => fileURLToPath(new URL(file, import.meta.url)));

/** Builds `raw.c`, on the host; returns the library's path. */
export function buildRaw(): Promise<string> {
  const contents = [source, ...headers].map((file) => readFileSync(file));
  const name = `raw-${hash(...contents)}.so`;
  return cached(cachePath("tests", name), async (temporary) => {
    const flags = ["-shared", "-fPIC", "-O2", "-fvisibility=hidden", "-Wall"];
    const target = ["-target", "x86_64-linux-gnu.2.28"];
    const command = [await zig(), "cc", ...target, ...flags];
    const { status, stderr } = await run([...command, "-o", temporary, source]);
    assert.equal(status, 0, stderr);
  });
}

/** errno values. */
export const errno = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  ENOMEM: 12,
  EBUSY: 16,
  EACCES: 13,
  EFAULT: 14,
  ENODEV: 19,
  EINVAL: 22,
  ENOTTY: 25,
  ENOSPC: 28,
  ERANGE: 34,
  E2BIG: 7,
  EUSERS: 87,
  EOPNOTSUPP: 95,
  ETIMEDOUT: 110,
} as const;

/** Ioctls: their number, and the size of their struct. */
export const ioctls = {
  info: { number: 0xb700, size: 24 },
  plug: { number: 0xb701, size: 96 },
  unplug: { number: 0xb702, size: 8 },
  wait: { number: 0xb703, size: 16 },
  wake: { number: 0xb704, size: 8 },
  irq: { number: 0xb705, size: 16 },
  config: { number: 0xb706, size: 24 },
  dma: { number: 0xb707, size: 56 },
} as const;

/** Offsets of fields of `struct barkeep_plug`. */
export const plugFields = {
  flags: 4,
  config: 8,
  writeMask: 16,
  clearMask: 24,
  notify: 32,
  bars: 40,
  regions: 48,
  regionCount: 56,
  ringEntries: 60,
  timeout: 64,
  domain: 68,
  registers: 72,
  watches: 80,
  registerCount: 88,
  watchCount: 92,
} as const;

interface Library {
  raw_open(): number;
  raw_close(device: number): number;
  raw_ioctl(device: number, number: number, argument: Uint8Array): number;
  raw_ioctl_at(device: number, number: number, address: bigint): number;
  raw_map(
    device: number,
    offset: bigint,
    bytes: bigint,
    protection: number,
    flags: number,
    then: number,
  ): number;
  raw_scribble(
    device: number,
    entries: number,
    stop: number,
    seed: bigint,
  ): number;
  raw_random_ioctls(
    device: number,
    count: number,
    structs: Uint8Array,
    memory: number,
    outcomes: Uint32Array,
    seed: bigint,
  ): number;
  raw_fenced(bytes: bigint): number;
  raw_wait(device: number, entries: number, timeout: bigint): number;
}

interface Ffi {
  dlopen(
    path: string,
    symbols: Record<string, { args: string[]; returns: string }>,
  ): { symbols: unknown };
  ptr(memory: ArrayBuffer): number;
  readonly read: { u32(at: number): number };
}

const specifier: string = "bun:ffi";
let ffi: Ffi | undefined;

/** Maps a file into this process and loads its first 4 bytes. */
export async function readOwn(fd: number, bytes: number): Promise<number> {
  const { dlopen, read } = await import(specifier) as Ffi;
  const { symbols } = dlopen("libc.so.6", {
    mmap: {
      args: ["ptr", "u64", "i32", "i32", "i32", "i64"],
      returns: "ptr",
    },
    munmap: { args: ["ptr", "u64"], returns: "i32" },
  });
  const libc = symbols as {
    mmap(
      at: null,
      bytes: number,
      protection: number,
      flags: number,
      fd: number,
      offset: number,
    ): number;
    munmap(at: number, bytes: number): number;
  };
  const [readable, shared] = [1, 1];
  const at = libc.mmap(null, bytes, readable, shared, fd, 0);
  const value = read.u32(at);
  libc.munmap(at, bytes);
  return value;
}

/** The library; its path is in `BARKEEP_RAW`. */
export async function loadRaw(): Promise<Library> {
  ffi = await import(specifier) as Ffi;
  const i32 = "i32";
  const u32 = "u32";
  const u64 = "u64";
  return ffi.dlopen(process.env.BARKEEP_RAW ?? "", {
    raw_open: { args: [], returns: i32 },
    raw_close: { args: [i32], returns: i32 },
    raw_ioctl: { args: [i32, u32, "ptr"], returns: i32 },
    raw_ioctl_at: { args: [i32, u32, u64], returns: i32 },
    raw_map: { args: [i32, u64, u64, i32, i32, i32], returns: i32 },
    raw_random_ioctls: {
      args: [i32, u32, "ptr", "ptr", "ptr", u64],
      returns: i32,
    },
    raw_fenced: { args: [u64], returns: "ptr" },
    raw_wait: { args: [i32, u32, u64], returns: i32 },
    raw_scribble: { args: [i32, u32, i32, u64], returns: i32 },
  }).symbols as Library;
}

/** Where memory of this process is, once {@link loadRaw} has been called. */
export function address(memory: Uint8Array<ArrayBuffer>): bigint {
  assert.ok(ffi, "loadRaw() comes first");
  // What is small moves when it is first asked for its buffer.
  return BigInt(ffi.ptr(memory.buffer) + memory.byteOffset);
}

/** A struct with its size filled in, and room behind it. */
export function struct(
  { size }: { size: number },
  { room = 0 }: { room?: number } = {},
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size + room);
  new DataView(bytes.buffer).setUint32(0, size + room, true);
  return bytes;
}

/** Sets a field of 32 or 64 bits. */
export function set(
  bytes: Uint8Array<ArrayBuffer>,
  offset: number,
  value: number | bigint,
): void {
  const view = new DataView(bytes.buffer);
  if (typeof value === "bigint") view.setBigUint64(offset, value, true);
  else view.setUint32(offset, value, true);
}

/** What a plug points to, to be changed before it is used. */
export interface RawPlug {
  readonly argument: Uint8Array<ArrayBuffer>;
  readonly config: Uint8Array<ArrayBuffer>;
  readonly bars: Uint8Array<ArrayBuffer>;
  readonly regions: Uint8Array<ArrayBuffer>;
  /** Keeps the rest in memory. */
  readonly keep: readonly unknown[];
}

/** A plug of a device with BAR 0 of 8 KiB, which the kernel takes. */
export function rawPlug({ room = 0 }: { room?: number } = {}): RawPlug {
  const argument = struct(ioctls.plug, { room });
  const config = new Uint8Array(abi.CONFIG_SIZE);
  const masks = [1, 2].map(() => new Uint8Array(abi.CONFIG_SIZE));
  const notify = new Uint8Array(abi.CONFIG_SIZE / 32);
  const bars = new Uint8Array(abi.BARS * abi["sizeof bar"]);
  const regions = new Uint8Array(4 * abi["sizeof region"]);
  set(config, 0, 0xc0de_1234);
  set(config, 8, 0xff00_0000);
  set(bars, 0, 8192n);
  set(regions, 8, 4096n);
  const point = (offset: number, memory: Uint8Array<ArrayBuffer>): void =>
    set(argument, offset, address(memory));
  point(plugFields.config, config);
  point(plugFields.writeMask, masks[0] ?? config);
  point(plugFields.clearMask, masks[1] ?? config);
  point(plugFields.notify, notify);
  point(plugFields.bars, bars);
  point(plugFields.regions, regions);
  set(argument, plugFields.ringEntries, 256);
  set(argument, plugFields.timeout, 1000);
  set(argument, plugFields.domain, abi.ANY);
  return { argument, config, bars, regions, keep: [masks, notify] };
}
