// SPDX-License-Identifier: MIT

import { BadSpec } from "./errors.ts";
import { show, unknownKeys } from "./mistakes.ts";

/**
 * A capability of config space as data. The three arrays are of one length and
 * begin with the capability's own header; its *next* pointer is filled in where
 * the device is composed. A reset restores `bytes`.
 *
 * @example One that this library lacks
 * ```ts
 * import type { Capability } from "./mod.ts";
 *
 * const bridgeSubsystem: Capability = {
 *   name: "subsystem",
 *   bytes: new Uint8Array([0x0d, 0, 0, 0, 0x34, 0x12, 0x01, 0x00]),
 *   writeMask: new Uint8Array(8),
 *   clearMask: new Uint8Array(8),
 * };
 * ```
 */
export interface Capability {
  /** What messages call it. */
  readonly name: string;
  /** Initial contents: Capability ID, 0 for the pointer, then the rest. */
  readonly bytes: Uint8Array;
  /** Bits that the host can write. */
  readonly writeMask: Uint8Array;
  /** Bits that the host clears by writing 1. */
  readonly clearMask: Uint8Array;
  /** `true`: its writes are told to the model, as `config` events. */
  readonly notify?: boolean;
}

/** Values that an option may have. */
type Choices = Readonly<Record<string, readonly unknown[]>>;

const flag = [true, false];

/** Bytes from the end of the header to that of conventional config space. */
const room = 0x100 - 0x40;

/** Checks options: types do not hold for everyone who calls. */
function checkOptions(name: string, options: object, choices: Choices): void {
  const mistakes: string[] = [];
  const say = (mistake: string): void => void mistakes.push(mistake);
  unknownKeys(`${name}()`, { of: options, known: choices, say });
  for (const [key, value] of Object.entries(options)) {
    const allowed = choices[key];
    if (!allowed || value === undefined || allowed.includes(value)) continue;
    const list = allowed.map((choice) => JSON.stringify(choice)).join(", ");
    say(`${name}(): ${key} is ${show(value)}: use one of ${list}`);
  }
  if (mistakes.length > 0) throw new BadSpec(mistakes);
}

/** Options of {@link pm}. */
export interface PmOptions {
  /** Whether D3hot to D0 keeps the device's state (default `false`). */
  readonly noSoftReset?: boolean;
  /** Whether the D1 state is supported (default `false`). */
  readonly d1?: boolean;
  /** Whether the D2 state is supported (default `false`). */
  readonly d2?: boolean;
}

/**
 * PCI Power Management, version 3, without PME.
 *
 * @throws {BadSpec} for an option, or a value of one, that there is not.
 *
 * @example
 * ```ts
 * import { pm } from "./mod.ts";
 *
 * const capabilities = [pm({ noSoftReset: true })];
 * ```
 */
export function pm(options: PmOptions = {}): Capability {
  checkOptions("pm", options, { noSoftReset: flag, d1: flag, d2: flag });
  const capability = empty("pm()", { id: 0x01, length: 8 });
  const { bytes, writeMask } = views(capability);
  const capabilities = 3 | (options.d1 ? 1 << 9 : 0) |
    (options.d2 ? 1 << 10 : 0);
  bytes.setUint16(2, capabilities, true);
  bytes.setUint16(4, options.noSoftReset ? 1 << 3 : 0, true);
  writeMask.setUint16(4, 0b11, true); // PowerState
  return capability;
}

/** Options of {@link pcie}. */
export interface PcieOptions {
  /** Kind of function (default `"endpoint"`). */
  readonly type?: "endpoint" | "legacy-endpoint" | "integrated-endpoint";
  /** Link speed: 1 is 2.5 GT/s, 2 is 5, 3 is 8, 4 is 16, 5 is 32 (default 1). */
  readonly speed?: 1 | 2 | 3 | 4 | 5;
  /** Link width in lanes (default 1). */
  readonly width?: 1 | 2 | 4 | 8 | 16 | 32;
  /** Whether Function Level Reset is supported (default `true`). */
  readonly flr?: boolean;
}

const pcieTypes = {
  "endpoint": 0,
  "legacy-endpoint": 1,
  "integrated-endpoint": 9,
} as const;

/**
 * PCI Express, version 2.
 *
 * @throws {BadSpec} for an option, or a value of one, that there is not.
 *
 * @example
 * ```ts
 * import { pcie } from "./mod.ts";
 *
 * const capabilities = [pcie({ type: "endpoint", speed: 4, width: 4 })];
 * ```
 */
export function pcie(options: PcieOptions = {}): Capability {
  checkOptions("pcie", options, {
    type: Object.keys(pcieTypes),
    speed: [1, 2, 3, 4, 5],
    width: [1, 2, 4, 8, 16, 32],
    flr: flag,
  });
  const { type = "endpoint", speed = 1, width = 1, flr = true } = options;
  const capability = empty("pcie()", { id: 0x10, length: 0x3c });
  const { bytes, writeMask, clearMask } = views(capability);
  bytes.setUint16(0x02, 2 | pcieTypes[type] << 4, true);
  // Device Capabilities: role-based error reporting, as all since 1.1 have it.
  bytes.setUint32(0x04, 1 << 15 | (flr ? 1 << 28 : 0), true);
  // Device Control: relaxed ordering, no snoop, reads of up to 512 bytes.
  bytes.setUint16(0x08, 0x2810, true);
  writeMask.setUint16(0x08, 0x78ff, true);
  clearMask.setUint16(0x0a, 0x000f, true);
  bytes.setUint32(0x30, 0, true);
  writeMask.setUint16(0x28, 0x001f, true); // Device Control 2: timeout
  bytes.setUint32(0x24, 1 << 4, true);
  if (type === "integrated-endpoint") return capability; // has no link
  const link = speed | width << 4;
  bytes.setUint32(0x0c, link, true);
  writeMask.setUint16(0x10, 0x00c8, true); // Link Control: clocks, RCB
  bytes.setUint16(0x12, link, true);
  bytes.setUint32(0x2c, (1 << speed + 1) - 2, true); // supported speeds
  bytes.setUint16(0x30, speed, true);
  writeMask.setUint16(0x30, 0x000f, true); // Link Control 2: target speed
  return capability;
}

/** Options of {@link msi}. */
export interface MsiOptions {
  /** Vectors the device can ask for (default 1). */
  readonly vectors?: 1 | 2 | 4 | 8 | 16 | 32;
  /** Whether each vector can be masked (default `false`). */
  readonly maskable?: boolean;
  /** Whether the message address may have 64 bits (default `true`). */
  readonly address64?: boolean;
}

/**
 * Message Signalled Interrupts.
 *
 * @throws {BadSpec} for an option, or a value of one, that there is not.
 *
 * @example
 * ```ts
 * import { msi } from "./mod.ts";
 *
 * const capabilities = [msi({ vectors: 4, maskable: true })];
 * ```
 */
export function msi(options: MsiOptions = {}): Capability {
  checkOptions("msi", options, {
    vectors: [1, 2, 4, 8, 16, 32],
    maskable: flag,
    address64: flag,
  });
  const { vectors = 1, maskable = false, address64 = true } = options;
  const data = address64 ? 0x0c : 0x08;
  const length = maskable ? data + 12 : data + 4;
  const capability = empty("msi()", { id: 0x05, length });
  const { bytes, writeMask } = views(capability);
  const control = Math.log2(vectors) << 1 | (address64 ? 1 << 7 : 0) |
    (maskable ? 1 << 8 : 0);
  bytes.setUint16(2, control, true);
  writeMask.setUint16(2, 0x0071, true); // Enable, Multiple Message Enable
  writeMask.setUint32(4, 0xfffffffc, true);
  if (address64) writeMask.setUint32(8, 0xffffffff, true);
  writeMask.setUint16(data, 0xffff, true);
  if (maskable) writeMask.setUint32(data + 4, 2 ** vectors - 1, true);
  return capability;
}

/**
 * A vendor-specific capability: the host reads `contents`, and writes nothing.
 *
 * @param contents What follows the header of three bytes: 189 bytes at most.
 * @throws {BadSpec} when it is no Uint8Array, or too long.
 *
 * @example
 * ```ts
 * import { vendor } from "./mod.ts";
 *
 * const capabilities = [vendor(new Uint8Array([1, 2, 3, 4, 5]))];
 * ```
 */
export function vendor(contents: Uint8Array): Capability {
  if (!(contents instanceof Uint8Array)) {
    throw new BadSpec([`vendor() got ${contents}: give it a Uint8Array`]);
  }
  const length = 3 + contents.length;
  if (length > room) {
    throw new BadSpec([
      `vendor() got ${contents.length} bytes: ${room - 3} fit below 0x100`,
    ]);
  }
  const capability = empty("vendor()", { id: 0x09, length });
  capability.bytes[2] = length;
  capability.bytes.set(contents, 3);
  return capability;
}

interface Mutable extends Capability {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly writeMask: Uint8Array<ArrayBuffer>;
  readonly clearMask: Uint8Array<ArrayBuffer>;
}

function empty(
  name: string,
  { id, length }: { id: number; length: number },
): Mutable {
  const capability = {
    name,
    bytes: new Uint8Array(length),
    writeMask: new Uint8Array(length),
    clearMask: new Uint8Array(length),
  };
  capability.bytes[0] = id;
  return capability;
}

function views({ bytes, writeMask, clearMask }: Mutable) {
  return {
    bytes: new DataView(bytes.buffer),
    writeMask: new DataView(writeMask.buffer),
    clearMask: new DataView(clearMask.buffer),
  };
}
