// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import type { Capability } from "./capabilities.ts";
import { hex } from "./errors.ts";
import type { DeviceSpec } from "./spec.ts";

/** The whole config space of a function, as the kernel takes it. */
export interface ConfigSpace {
  /** What the host reads at first, and after a reset. */
  readonly image: Uint8Array<ArrayBuffer>;
  /** Bits that the host can write. */
  readonly writeMask: Uint8Array<ArrayBuffer>;
  /** Bits that the host clears by writing 1. */
  readonly clearMask: Uint8Array<ArrayBuffer>;
  /** One bit per dword whose writes the model is told. */
  readonly notify: Uint8Array<ArrayBuffer>;
}

/** Offsets in a type 0 header. */
export const header = {
  vendor: 0x00,
  device: 0x02,
  command: 0x04,
  status: 0x06,
  revision: 0x08,
  class: 0x09,
  cacheLine: 0x0c,
  subsystemVendor: 0x2c,
  subsystem: 0x2e,
  capabilities: 0x34,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
  end: 0x40,
} as const;

/** Memory Space, Bus Master, Parity Error Response, SERR#, Interrupt Disable. */
const commandWritable = 0x0546;
/** Errors that the host acknowledges. */
const statusClearable = 0xf900;
const statusCapabilities = 1 << 4;

/** The part of config space that conventional capabilities live in. */
const conventionalEnd = 0x100;

/**
 * Composes config space from a specification that has been checked.
 *
 * @example
 * ```ts
 * const { image } = composeConfigSpace({ id: { vendor: 0x1234, device: 1 } });
 * ```
 */
export function composeConfigSpace(spec: DeviceSpec): ConfigSpace {
  const space: ConfigSpace = {
    image: new Uint8Array(abi.CONFIG_SIZE),
    writeMask: new Uint8Array(abi.CONFIG_SIZE),
    clearMask: new Uint8Array(abi.CONFIG_SIZE),
    notify: new Uint8Array(abi.CONFIG_SIZE / 32),
  };
  const { id } = spec;
  const image = new DataView(space.image.buffer);
  const writeMask = new DataView(space.writeMask.buffer);
  const clearMask = new DataView(space.clearMask.buffer);
  const classCode = id.class ?? 0xff0000;
  image.setUint16(header.vendor, id.vendor, true);
  image.setUint16(header.device, id.device, true);
  image.setUint8(header.revision, id.revision ?? 0);
  image.setUint16(header.class, classCode & 0xffff, true);
  image.setUint8(header.class + 2, classCode >>> 16);
  image.setUint16(
    header.subsystemVendor,
    id.subsystemVendor ?? id.vendor,
    true,
  );
  image.setUint16(header.subsystem, id.subsystem ?? id.device, true);
  writeMask.setUint16(header.command, commandWritable, true);
  writeMask.setUint8(header.cacheLine, 0xff);
  clearMask.setUint16(header.status, statusClearable, true);
  if (spec.interruptPin) {
    image.setUint8(header.interruptPin, "ABCD".indexOf(spec.interruptPin) + 1);
    writeMask.setUint8(header.interruptLine, 0xff);
  }
  addCapabilities(space, spec.capabilities ?? []);
  for (const offset of spec.notify ?? []) setNotify(space, offset);
  return space;
}

function addCapabilities(
  space: ConfigSpace,
  capabilities: readonly Capability[],
): void {
  if (capabilities.length === 0) return;
  const image = new DataView(space.image.buffer);
  image.setUint16(header.status, statusCapabilities, true);
  let pointer: number = header.capabilities;
  for (const { capability, offset } of place(capabilities)) {
    image.setUint8(pointer, offset);
    pointer = offset + 1;
    space.image.set(capability.bytes, offset);
    image.setUint8(pointer, 0);
    space.writeMask.set(capability.writeMask, offset);
    space.clearMask.set(capability.clearMask, offset);
    if (!capability.notify) continue;
    for (let at = 0; at < capability.bytes.length; at += 4) {
      setNotify(space, offset + at);
    }
  }
}

function setNotify({ notify }: ConfigSpace, offset: number): void {
  const index = offset >>> 5;
  notify[index] = (notify[index] ?? 0) | 1 << (offset >>> 2 & 7);
}

/** Puts each capability at the next dword after the one before it. */
function place(capabilities: readonly Capability[]) {
  let offset: number = header.end;
  return capabilities.map((capability) => {
    const placed = { capability, offset };
    offset = offset + capability.bytes.length + 3 & ~3;
    return { ...placed, end: offset };
  });
}

/** What is wrong with a list of capabilities, one sentence each. */
export function capabilityMistakes(
  capabilities: readonly Capability[],
): string[] {
  const mistakes: string[] = [];
  const seen = new Set<number>();
  for (const capability of capabilities) {
    const { name, bytes, writeMask, clearMask } = capability;
    const id = bytes[0] ?? 0;
    if (bytes.length < 2 || id === 0) {
      mistakes.push(
        `capability ${name} has ${bytes.length} bytes and id ${hex(id)}: ` +
          "it begins with its Capability ID, not 0, and a byte for the pointer",
      );
    }
    if (
      writeMask.length !== bytes.length || clearMask.length !== bytes.length
    ) {
      mistakes.push(
        `capability ${name} has ${bytes.length} bytes, but masks of ` +
          `${writeMask.length} and ${clearMask.length}: make all three of one length`,
      );
    }
    if (writeMask.some((bits, index) => bits & (clearMask[index] ?? 0))) {
      mistakes.push(
        `capability ${name} has bits in both masks: a bit is either written ` +
          "or cleared by writing 1",
      );
    }
    if (id !== 0x09 && seen.has(id)) {
      mistakes.push(
        `capability ${name}: another one has the id ${hex(id)} already, ` +
          "and a host looks at the first only; leave one out",
      );
    }
    seen.add(id);
  }
  const end = place(capabilities).at(-1)?.end ?? 0;
  if (end > conventionalEnd) {
    const list = place(capabilities).map(({ capability, offset }) =>
      `${capability.name} ${capability.bytes.length} at ${hex(offset)}`
    ).join(", ");
    mistakes.push(
      `capabilities do not fit: they end at ${hex(end)}, and have to by ` +
        `${
          hex(conventionalEnd)
        } (${list}); shorten vendor() data or leave some out`,
    );
  }
  return mistakes;
}
