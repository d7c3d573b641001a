// SPDX-License-Identifier: MIT

/**
 * What accesses to registers do, told in another way than the kernel's: a byte at a
 * time. And registers and accesses to compare the two with.
 *
 * @module
 */
import { flag, type RawEvent, type RawRegister } from "./register_card.ts";

/** Numbers that follow from a seed: xorshift32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** A whole number from 0 to below `limit`. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  /** One of these. */
  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** That many bytes. */
  bits(bytes: number): bigint {
    let bits = 0n;
    for (let n = 0; n < bytes; n++) bits = bits << 8n | BigInt(this.below(256));
    return bits;
  }
}

type Masks = Pick<
  RawRegister,
  | "readable"
  | "write"
  | "writeOneClear"
  | "writeOneSet"
  | "writeZeroClear"
  | "readClear"
  | "readSet"
>;

/** Access types, as masks of their bits. */
export const accessTypes: Record<string, (bits: bigint) => Masks> = {
  rw: (bits) => ({ readable: bits, write: bits }),
  ro: (bits) => ({ readable: bits }),
  wo: (bits) => ({ write: bits }),
  w1c: (bits) => ({ readable: bits, writeOneClear: bits }),
  w1s: (bits) => ({ readable: bits, writeOneSet: bits }),
  w0c: (bits) => ({ readable: bits, writeZeroClear: bits }),
  rc: (bits) => ({ readable: bits, readClear: bits }),
  rs: (bits) => ({ readable: bits, readSet: bits }),
  reserved: () => ({}),
};

/** Every access type in every width, bits and flags at random, gaps between. */
export function randomRegisters(random: Random): RawRegister[] {
  const registers: RawRegister[] = [];
  let end = 0;
  for (const type of [...Object.keys(accessTypes), "mixed", "mixed"]) {
    for (const width of [1, 2, 4, 8]) {
      const start = end + random.of([0, 0, 0, 1, 2, 3, 5]);
      const offset = Math.ceil(start / width) * width;
      const count = random.of([1, 1, 1, 2, 3]);
      const stride = count > 1 ? width * random.of([1, 1, 2, 3]) : 0;
      const masks = accessTypes[type]?.(
        random.of([2n ** BigInt(8 * width) - 1n, random.bits(width)]),
      ) ?? randomMasks(random, width);
      registers.push({
        ...masks,
        offset,
        width,
        count,
        stride,
        reset: random.bits(width),
        flags: random.of([
          0,
          0,
          0,
          flag.tellRead,
          flag.tellWrite,
          flag.tellRead | flag.tellWrite,
          flag.waitRead,
          flag.waitWrite,
          flag.exact,
          flag.exact | flag.tellWrite,
        ]),
      });
      end = offset + (count - 1) * stride + width;
    }
  }
  return registers;
}

function randomMasks(random: Random, width: number): Masks {
  const writes = [0n, 0n, 0n, 0n];
  const reads = [0n, 0n];
  for (let bit = 0n; bit < 8n * BigInt(width); bit++) {
    const write = random.below(5);
    if (write < 4) writes[write]! |= 1n << bit;
    const read = random.below(3);
    if (read < 2) reads[read]! |= 1n << bit;
  }
  const [write, writeOneClear, writeOneSet, writeZeroClear] = writes;
  const [readClear, readSet] = reads;
  return {
    readable: random.bits(width),
    write,
    writeOneClear,
    writeOneSet,
    writeZeroClear,
    readClear,
    readSet,
  };
}

/** Where a byte of the BAR belongs to a register. */
interface Place {
  readonly register: RawRegister;
  /** Of the register in the BAR. */
  readonly start: number;
  readonly number: number;
}

/** What the model answers for a byte, wherever it is asked. */
export function answerByte(offset: number): number {
  return (offset * 37 + 11) & 0xff;
}

/** The same for a whole access. */
export function answer({ offset, width }: RawEvent): bigint {
  let value = 0n;
  for (let n = width - 1; n >= 0; n--) {
    value = value << 8n | BigInt(answerByte(offset + n));
  }
  return value;
}

/** An event that has to come, or what all events for undeclared bytes add up to. */
export interface Expected {
  readonly place: Place | undefined;
  /** Bytes of the BAR that were accessed. */
  readonly bytes: number[];
}

/** Registers, byte by byte. */
export class Reference {
  readonly memory: Uint8Array;
  readonly #places: (Place | undefined)[] = [];

  constructor(registers: readonly RawRegister[], bytes: number) {
    this.memory = new Uint8Array(bytes);
    registers.forEach((register, index) => {
      for (let element = 0; element < (register.count ?? 1); element++) {
        const start = register.offset + element * (register.stride ?? 0);
        const place = { register, start, number: index + 1 };
        for (let n = 0; n < register.width; n++) {
          this.#places[start + n] = place;
          this.memory[start + n] = byteOf(register.reset, n);
        }
      }
    });
  }

  /** The register that this byte of an access is in. */
  place(byte: number, offset: number, width: number): Place | undefined {
    const place = this.#places[byte];
    if (!place || !((place.register.flags ?? 0) & flag.exact)) return place;
    const exact = offset === place.start && width === place.register.width;
    return exact ? place : undefined;
  }

  /** What a read gives. */
  read(offset: number, width: number): bigint {
    let value = 0n;
    for (let n = 0; n < width; n++) {
      const byte = this.#readByte(offset + n, offset, width);
      value |= BigInt(byte) << BigInt(8 * n);
    }
    return value;
  }

  #readByte(byte: number, offset: number, width: number): number {
    const place = this.place(byte, offset, width);
    if (!place) return answerByte(byte);
    const { register, start } = place;
    if ((register.flags ?? 0) & flag.waitRead) return answerByte(byte);
    const mask = (bits: bigint | undefined) => byteOf(bits, byte - start);
    const held = this.memory[byte]!;
    const readable = mask(register.readable);
    this.memory[byte] = held & ~mask(register.readClear) |
      mask(register.readSet);
    return held & readable | mask(register.reset) & ~readable & 0xff;
  }

  /** What a write does. */
  write(offset: number, width: number, value: bigint): void {
    for (let n = 0; n < width; n++) {
      const place = this.place(offset + n, offset, width);
      if (!place) continue;
      const { register, start } = place;
      const mask = (bits: bigint | undefined) =>
        byteOf(bits, offset + n - start);
      const written = byteOf(value, n);
      let held = this.memory[offset + n]!;
      held = held & ~mask(register.write) | written & mask(register.write);
      held &= ~(written & mask(register.writeOneClear));
      held |= written & mask(register.writeOneSet);
      held &= written | ~mask(register.writeZeroClear);
      this.memory[offset + n] = held;
    }
  }

  /** The accesses that the model has to hear of, in order. */
  told(offset: number, width: number, kind: "read" | "write"): Expected[] {
    const telling = kind === "read"
      ? flag.tellRead | flag.waitRead
      : flag.tellWrite | flag.waitWrite;
    const all: Expected[] = [];
    for (let byte = offset; byte < offset + width; byte++) {
      const place = this.place(byte, offset, width);
      const last = all.at(-1);
      if (last?.place === place && last?.bytes.at(-1) === byte - 1) {
        last.bytes.push(byte);
      } else {
        all.push({ place, bytes: [byte] });
      }
    }
    return all.filter(({ place }) =>
      !place || (place.register.flags ?? 0) & telling
    );
  }
}

function byteOf(bits: bigint | undefined, n: number): number {
  return Number((bits ?? 0n) >> BigInt(8 * n) & 0xffn);
}
