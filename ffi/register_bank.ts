// SPDX-License-Identifier: MIT

import { isWhole, isWord, show } from "./mistakes.ts";
import type { Register, RegisterArray, Registers } from "./register_types.ts";
import type { RegisterMap, RegisterSpec, RegisterSpecs } from "./registers.ts";

/** The registers of a map that has been checked, in a BAR's memory. */
export function registerBank<Specs extends RegisterSpecs>(
  { specs }: RegisterMap<Specs>,
  buffer: ArrayBuffer,
): Registers<Specs> {
  const bank: Record<string, object> = {};
  for (const [name, spec] of Object.entries(specs)) {
    bank[name] = spec.count === undefined
      ? makeRegister(name, spec, { buffer, at: spec.at })
      : makeArray(name, spec, { buffer, count: spec.count });
  }
  // Made by the names and the specifications that the type is made of.
  return Object.freeze(bank) as Registers<Specs>;
}

function makeArray(
  name: string,
  spec: RegisterSpec,
  { buffer, count }: { buffer: ArrayBuffer; count: number },
): RegisterArray<Register> {
  const { stride = spec.width ?? 4 } = spec;
  const made: Register[] = [];
  const make = (index: number): Register => {
    const own = `${name}.at(${index})`;
    const at = spec.at + index * stride;
    const register = makeRegister(own, spec, { buffer, at });
    elements.set(register, { own, array: name });
    return register;
  };
  const noValue = (): never => {
    throw new TypeError(
      `${name} is an array of registers and has no value: use ${name}.at(i)`,
    );
  };
  const array = {
    length: count,
    at(index: number): Register {
      if (!isWhole(index, 0, count - 1)) {
        throw new RangeError(
          `there is no ${name}.at(${index}): it has 0 to ${count - 1}`,
        );
      }
      return made[index] ??= make(index);
    },
  };
  Object.defineProperty(array, "value", { get: noValue, set: noValue });
  return Object.freeze(array);
}

/** Registers of arrays, with their names and the array's. */
const elements = new WeakMap<object, { own: string; array: string }>();

/** Its own name and the array's, if a register is one of an array. */
export function placeInArray(
  register: object,
): { own: string; array: string } | undefined {
  return elements.get(register);
}

interface Place {
  readonly buffer: ArrayBuffer;
  readonly at: number;
}

function makeRegister(
  name: string,
  spec: RegisterSpec,
  { buffer, at }: Place,
): Register {
  const { width = 4, fields = {} } = spec;
  const cell = width === 8
    ? wideCell(name, { words: new BigUint64Array(buffer), index: at / 8 })
    : narrowCell(name, {
      words: new arrays[width](buffer),
      index: at / width,
    });
  for (const [field, { high, low }] of Object.entries(fields)) {
    Object.defineProperty(cell.register, field, {
      ...cell.field(`${name}.${field}`, { high, low }),
      enumerable: true,
    });
  }
  return Object.freeze(cell.register);
}

const arrays = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array } as const;

interface Bits {
  readonly high: number;
  readonly low: number;
}

interface Cell {
  readonly register: Register;
  /** The property that is some bits of it. */
  field(name: string, bits: Bits): PropertyDescriptor;
}

/** A register of 1, 2 or 4 bytes. */
function narrowCell(
  name: string,
  { words, index }: {
    words: Uint8Array | Uint16Array | Uint32Array;
    index: number;
  },
): Cell {
  const word = (value: unknown): number => {
    if (isWord(value)) return value;
    throw new (typeof value === "number" ? RangeError : TypeError)(
      `cannot put ${String(value)} (${typeof value}) into ${name}: give it a ` +
        "number from -2^31 to 2^32-1 (`x >>> 0` makes one)",
    );
  };
  return {
    register: {
      get value(): number {
        return Atomics.load(words, index);
      },
      set value(value: number) {
        Atomics.store(words, index, word(value));
      },
      set: (mask: number) => void Atomics.or(words, index, word(mask)),
      clear: (mask: number) => void Atomics.and(words, index, ~word(mask)),
    },
    field(name, { high, low }) {
      const most = 2 ** (high - low + 1) - 1;
      const mask = most << low;
      return {
        get: () => (Atomics.load(words, index) & mask) >>> low,
        set(value: unknown) {
          if (!isFieldValue(value, most)) throw misfit(name, value, most);
          if (value === 0) return void Atomics.and(words, index, ~mask);
          if (value === most) return void Atomics.or(words, index, mask);
          let old = Atomics.load(words, index);
          for (;;) {
            const next = (old & ~mask | value << low) >>> 0;
            const found = Atomics.compareExchange(words, index, old, next);
            if (found === old) return;
            old = found;
          }
        },
      };
    },
  };
}

/** A register of 8 bytes. */
function wideCell(
  name: string,
  { words, index }: { words: BigUint64Array; index: number },
): Cell {
  const word = (value: unknown): bigint => {
    if (typeof value === "bigint") return BigInt.asUintN(64, value);
    throw new TypeError(
      `cannot put ${String(value)} (${typeof value}) into ${name}: it has 8 ` +
        "bytes, give it a bigint",
    );
  };
  return {
    register: {
      get value(): bigint {
        return Atomics.load(words, index);
      },
      set value(value: bigint) {
        Atomics.store(words, index, word(value));
      },
      set: (mask: bigint) => void Atomics.or(words, index, word(mask)),
      clear: (mask: bigint) =>
        void Atomics.and(words, index, BigInt.asUintN(64, ~word(mask))),
    },
    field: (name, { high, low }) =>
      wideField(name, { words, index, high, low }),
  };
}

function wideField(
  name: string,
  { words, index, high, low }: Bits & { words: BigUint64Array; index: number },
): PropertyDescriptor {
  const isBigint = high - low >= 32;
  const most = (1n << BigInt(high - low + 1)) - 1n;
  const shift = BigInt(low);
  const mask = most << shift;
  const others = BigInt.asUintN(64, ~mask);
  return {
    get() {
      const value = (Atomics.load(words, index) & mask) >> shift;
      return isBigint ? value : Number(value);
    },
    set(value: unknown) {
      const fits = isBigint
        ? typeof value === "bigint" && value >= 0n && value <= most
        : isFieldValue(value, Number(most));
      if (!fits) throw misfit(name, value, isBigint ? most : Number(most));
      const bits = BigInt(value as number | bigint) << shift;
      let old = Atomics.load(words, index);
      for (;;) {
        const next = old & others | bits;
        const found = Atomics.compareExchange(words, index, old, next);
        if (found === old) return;
        old = found;
      }
    },
  };
}

function isFieldValue(value: unknown, most: number): value is number {
  return isWhole(value, 0, most);
}

function misfit(
  name: string,
  value: unknown,
  most: number | bigint,
): RangeError | TypeError {
  const kind = typeof most;
  const found = typeof value;
  return new (found === kind ? RangeError : TypeError)(
    `cannot put ${show(value)} (${found}) into ${name}: give it a ${kind} ` +
      `from 0 to ${show(most)}`,
  );
}
