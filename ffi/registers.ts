// SPDX-License-Identifier: MIT

import { registerText } from "./register_text.ts";

/**
 * What a driver's accesses do to bits, as SystemRDL has it:
 *
 * - `rw`: reads as held, takes what is written
 * - `ro`: reads as held, ignores what is written
 * - `wo`: takes what is written, reads as in `reset`
 * - `w1c`, `w1s`, `w0c`: reads as held; writing 1 clears, writing 1 sets,
 *   writing 0 clears
 * - `rc`, `rs`: a read clears, or sets, what it returns; ignores what is written
 * - `reserved`: reads as in `reset`, ignores what is written
 */
export type RegisterAccess =
  | "rw"
  | "ro"
  | "wo"
  | "w1c"
  | "w1s"
  | "w0c"
  | "rc"
  | "rs"
  | "reserved";

/** Accesses of a driver that the model hears of. */
export type RegisterAccesses = "read" | "write" | "both";

/** Some bits of a register; {@link bit} and {@link bits} make one. */
export interface RegisterField<
  High extends number = number,
  Low extends number = number,
> {
  /** The highest bit. */
  readonly high: High;
  /** The lowest bit. */
  readonly low: Low;
  /** What accesses do to it (default: what they do to the register). */
  readonly access?: RegisterAccess;
}

/** A register, or an array of them, as {@link registers} takes it. */
export interface RegisterSpec {
  /** Bytes from the start of the BAR: a multiple of `width`. */
  readonly at: number;
  /** Bytes (default 4). The values of one of 8 are `bigint`s. */
  readonly width?: 1 | 2 | 4 | 8;
  /** What the driver's accesses do to its bits (default `"rw"`). */
  readonly access?: RegisterAccess;
  /** Value after plug and after each reset of the function (default 0). */
  readonly reset?: number | bigint;
  /**
   * Accesses that the model is told of, once the kernel has done them. The
   * driver does not wait: what it reads next, of any register that the kernel
   * answers, may be from before the model has heard.
   */
  readonly tell?: RegisterAccesses;
  /**
   * Accesses that wait for the model. A read is answered by it, whatever the
   * register holds. A write is done by the kernel, and then waits until the
   * model has handled it; so the driver finds what the model made of it. A
   * register whose write has an outcome that the driver reads elsewhere needs
   * `"write"`, or the register of the outcome `"read"`.
   */
  readonly wait?: RegisterAccesses;
  /** Names for bits. Those that no field has are `reserved`. */
  readonly fields?: Readonly<Record<string, RegisterField>>;
  /** Makes it an array of so many registers. */
  readonly count?: number;
  /** Bytes from one register of the array to the next (default: `width`). */
  readonly stride?: number;
  /**
   * Whether an access of any other width or offset than the register's own is
   * the handlers' `read` and `write`, as if nothing were declared there
   * (default `false`: it applies to the bytes that it touches).
   */
  readonly exact?: boolean;
}

/** Registers by name. */
export type RegisterSpecs = Readonly<Record<string, RegisterSpec>>;

/**
 * Makes keys that mean nothing errors where they stand, which is lost where a
 * type is inferred.
 *
 * @internal
 */
export type KnownKeys<Specs> = {
  [Name in keyof Specs]: {
    [Key in Exclude<keyof Specs[Name], keyof RegisterSpec>]: never;
  };
};

/**
 * A map of registers, as {@link registers} makes it. It prints as a Markdown
 * table.
 */
export interface RegisterMap<Specs extends RegisterSpecs = RegisterSpecs> {
  /** What it was made from. */
  readonly specs: Specs;
  /** A Markdown table of all registers, by offset. */
  toString(): string;
}

/**
 * Declares the registers of a BAR: the kernel answers the driver's accesses to
 * them, and the model reads and writes them by name.
 *
 * Mistakes in it are found when it is plugged, with those of the rest of the
 * device's specification.
 *
 * @example
 * ```ts
 * import { bit, on, open, registers } from "./mod.ts";
 *
 * const map = registers({
 *   id: { at: 0x00, access: "ro", reset: 0x010000ed },
 *   status: { at: 0x20, fields: { busy: bit(0, "ro"), interrupt: bit(7) } },
 *   doorbell: { at: 0x1000, access: "wo", tell: "write", count: 64 },
 * });
 * console.log(`${map}`);
 *
 * await using device = await open({
 *   id: { vendor: 0x1234, device: 0xc0de },
 *   bars: [{ size: 8192, registers: map }],
 * });
 * const regs = device.bars[0].registers;
 * on(regs.doorbell, (value, index) => {
 *   regs.status.busy = 1;
 *   console.log(`${value} to doorbell ${index}`);
 *   regs.status.busy = 0;
 * });
 * await device.serve({});
 * ```
 */
export function registers<const Specs extends RegisterSpecs>(
  specs: Specs & KnownKeys<Specs>,
): RegisterMap<Specs> {
  return { specs, toString: () => registerText(specs) };
}

/**
 * One bit of a register.
 *
 * @param number 0 for the lowest.
 * @param access What accesses do to it (default: what they do to the register).
 *
 * @example
 * ```ts
 * import { bit, registers } from "./mod.ts";
 *
 * registers({ control: { at: 0, fields: { start: bit(0), busy: bit(31, "ro") } } });
 * ```
 */
export function bit<const Bit extends number>(
  number: Bit,
  access?: RegisterAccess,
): RegisterField<Bit, Bit> {
  return bits(number, number, access);
}

/**
 * Bits of a register, both ends included. In a register of 8 bytes, the value
 * of more than 32 of them is a `bigint`.
 *
 * @param high The highest bit.
 * @param low The lowest bit.
 * @param access What accesses do to it (default: what they do to the register).
 *
 * @example
 * ```ts
 * import { bits, registers } from "./mod.ts";
 *
 * registers({ version: { at: 0, fields: { major: bits(31, 24), minor: bits(23, 16) } } });
 * ```
 */
export function bits<const High extends number, const Low extends number>(
  high: High,
  low: Low,
  access?: RegisterAccess,
): RegisterField<High, Low> {
  return access === undefined ? { high, low } : { high, low, access };
}
