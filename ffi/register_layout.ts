// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import type {
  RegisterAccess,
  RegisterAccesses,
  RegisterSpec,
} from "./registers.ts";
import type { DeviceSpec } from "./spec.ts";

/** Masks of `struct barkeep_register`, each of the bits that it applies to. */
const maskNames = [
  "readable",
  "write",
  "write_one_clear",
  "write_one_set",
  "write_zero_clear",
  "read_clear",
  "read_set",
] as const;

type MaskName = (typeof maskNames)[number];

/** The masks that a bit of each access type is in. */
export const accessMasks: Readonly<
  Record<RegisterAccess, readonly MaskName[]>
> = {
  rw: ["readable", "write"],
  ro: ["readable"],
  wo: ["write"],
  w1c: ["readable", "write_one_clear"],
  w1s: ["readable", "write_one_set"],
  w0c: ["readable", "write_zero_clear"],
  rc: ["readable", "read_clear"],
  rs: ["readable", "read_set"],
  reserved: [],
};

const none = 0;
const tellFlags: Record<RegisterAccesses, number> = {
  read: abi.REGISTER_TELL_READ,
  write: abi.REGISTER_TELL_WRITE,
  both: abi.REGISTER_TELL_READ | abi.REGISTER_TELL_WRITE,
};
const waitFlags: Record<RegisterAccesses, number> = {
  read: abi.REGISTER_WAIT_READ,
  write: abi.REGISTER_WAIT_WRITE,
  both: abi.REGISTER_WAIT_READ | abi.REGISTER_WAIT_WRITE,
};

/** A declared register, as the kernel and the dispatch of events take it. */
export interface RegisterLayout {
  readonly name: string;
  readonly bar: number;
  readonly at: number;
  readonly width: number;
  /** 1 for a single one. */
  readonly count: number;
  /** Bytes from one to the next; the width for a single one. */
  readonly stride: number;
  readonly flags: number;
  readonly reset: bigint;
  readonly masks: Readonly<Record<MaskName, bigint>>;
}

/** All registers of a device that has been checked, in their order. */
export function layOutRegisters(spec: DeviceSpec): RegisterLayout[] {
  return (spec.bars ?? []).flatMap((bar, index) =>
    Object.entries(bar?.registers?.specs ?? {}).map(([name, register]) => ({
      name,
      bar: index,
      ...layOut(register),
    }))
  );
}

function layOut(spec: RegisterSpec): Omit<RegisterLayout, "name" | "bar"> {
  const { at, width = 4, tell, wait, exact } = spec;
  return {
    at,
    width,
    count: spec.count ?? 1,
    stride: spec.stride ?? width,
    flags: (tell ? tellFlags[tell] : none) | (wait ? waitFlags[wait] : none) |
      (exact ? abi.REGISTER_EXACT : none),
    reset: BigInt(spec.reset ?? 0),
    masks: masksOf(spec),
  };
}

function masksOf(
  { width = 4, access = "rw", fields }: RegisterSpec,
): RegisterLayout["masks"] {
  const whole = { high: width * 8 - 1, low: 0, access };
  const masks = Object.fromEntries(
    maskNames.map((name) => [name, 0n]),
  ) as Record<MaskName, bigint>;
  for (const field of fields ? Object.values(fields) : [whole]) {
    for (const name of accessMasks[field.access ?? access]) {
      masks[name] |= fieldMask(field);
    }
  }
  return masks;
}

/** The bits of a field, in their places. */
export function fieldMask(
  { high, low }: { readonly high: number; readonly low: number },
): bigint {
  return (1n << BigInt(high - low + 1)) - 1n << BigInt(low);
}

/** An array of `struct barkeep_register`. */
export function packRegisters(
  layouts: readonly RegisterLayout[],
): Uint8Array<ArrayBuffer> {
  const size = abi["sizeof register"];
  // FFI cannot take the address of nothing.
  const bytes = new Uint8Array(Math.max(1, layouts.length * size));
  layouts.forEach((layout, index) => {
    const view = new DataView(bytes.buffer, index * size, size);
    const { at, reset, masks, bar, width, count, stride, flags } = layout;
    view.setBigUint64(abi["register.offset"], BigInt(at), true);
    view.setBigUint64(abi["register.reset"], reset, true);
    for (const name of maskNames) {
      view.setBigUint64(abi[`register.${name}`], masks[name], true);
    }
    view.setUint32(abi["register.bar"], bar, true);
    view.setUint32(abi["register.width"], width, true);
    view.setUint32(abi["register.count"], count, true);
    view.setUint32(abi["register.stride"], count > 1 ? stride : 0, true);
    view.setUint32(abi["register.flags"], flags, true);
  });
  return bytes;
}
