// SPDX-License-Identifier: MIT

import type { Awaitable } from "./handlers.ts";
import type { RegisterField } from "./registers.ts";

/**
 * A declared register. What the model stores in it the driver sees at once, and
 * the other way round; there is no trap and no system call. Its fields are
 * properties of it, besides these.
 */
export interface Register<Value extends number | bigint = number | bigint> {
  /**
   * All of it. A number to be stored is -2^31 to 2^32-1, of which the bytes of
   * the register count; of a bigint it is the lower 64 bits.
   *
   * @throws {RangeError} for a number out of that range, or not whole.
   * @throws {TypeError} for a number where a bigint is due, or the reverse.
   */
  value: Value;
  /** Sets bits, atomically: what the driver does to others is not lost. */
  set(mask: Value): void;
  /** Clears bits, as {@link Register.set} sets them. */
  clear(mask: Value): void;
}

/** An array of registers. */
export interface RegisterArray<Element> {
  /** How many there are. */
  readonly length: number;
  /**
   * One of them.
   *
   * @param index 0 to `length - 1`.
   * @throws {RangeError} when there is no such register.
   */
  at(index: number): Element;
}

/** The type of a register's value. */
export type RegisterValue<Spec> = Spec extends { readonly width: infer Width }
  ? Width extends 8 ? bigint : number
  : "width" extends keyof Spec ? number | bigint
  : number;

/** The type of a field's value. */
export type RegisterFieldValue<Spec, Field> = RegisterValue<Spec> extends number
  ? number
  : Field extends RegisterField<infer High, infer Low>
    ? Repeat<High> extends [...Repeat<Low>, ...Repeat<32>, ...0[]] ? bigint
    : number
  : never;

/**
 * A tuple of so many elements, to compare numbers by.
 *
 * @internal
 */
export type Repeat<Count extends number, Done extends 0[] = []> = number extends
  Count ? 0[]
  : Done["length"] extends Count ? Done
  : Repeat<Count, [...Done, 0]>;

/** A register with its fields. */
export type RegisterOf<Spec> =
  & Register<RegisterValue<Spec>>
  & (Spec extends { readonly fields: infer Fields } ? {
      -readonly [Name in keyof Fields]: RegisterFieldValue<Spec, Fields[Name]>;
    }
    : unknown);

/** The registers of a BAR, by name. */
export type Registers<Specs> = {
  readonly [Name in keyof Specs]: Specs[Name] extends { readonly count: number }
    ? RegisterArray<RegisterOf<Specs[Name]>>
    : RegisterOf<Specs[Name]>;
};

/** {@link RegisterHandlers.write} alone. */
export type RegisterWriteHandler<
  Value extends number | bigint = number | bigint,
> = (value: Value, index: number, byteEnables: number) => Awaitable<void>;

/** What a model does about a register's accesses; see {@link on}. */
export interface RegisterHandlers<
  Value extends number | bigint = number | bigint,
> {
  /**
   * Answers a read that waits, or is told of one that the kernel has answered.
   *
   * @param index Which of an array's registers it is; 0 for a single one.
   * @param byteEnables Bit n: byte n is read.
   * @param value What the kernel has answered; 0 for a read that waits.
   * @returns the register's value, or a promise of it, for a read that waits.
   */
  read?(
    index: number,
    byteEnables: number,
    value: Value,
  ): Awaitable<Value | void>;
  /**
   * Told of a write. One that waits completes when this has returned, or the
   * promise that it returned has settled.
   *
   * @param value What was written, unsigned; bytes that were not are 0. What
   * the register holds now is {@link Register.value}.
   * @param index Which of an array's registers it is; 0 for a single one.
   * @param byteEnables Bit n: byte n was written.
   */
  write?(value: Value, index: number, byteEnables: number): Awaitable<void>;
}
