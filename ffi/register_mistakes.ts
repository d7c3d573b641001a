// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import { hex } from "./errors.ts";
import {
  isWhole,
  type Say,
  show,
  unknownKeys,
  useMultiple,
} from "./mistakes.ts";
import { accessMasks, fieldMask } from "./register_layout.ts";
import type { RegisterField, RegisterSpec } from "./registers.ts";
import type { BarSpec, PageRange } from "./spec.ts";

const specKeys: Record<keyof RegisterSpec, true> = {
  at: true,
  width: true,
  access: true,
  reset: true,
  tell: true,
  wait: true,
  fields: true,
  count: true,
  stride: true,
  exact: true,
};
const fieldKeys: Record<keyof RegisterField, true> = {
  high: true,
  low: true,
  access: true,
};
const accesses = ["read", "write", "both"];
/** What every register has, so that no field can be called so. */
const members = ["value", "set", "clear"];
const most = Number.MAX_SAFE_INTEGER;

/** A register whose place in its BAR makes sense. */
interface Placed {
  readonly name: string;
  readonly at: number;
  readonly width: number;
  readonly count: number;
  readonly stride: number;
}

/** Says all that is wrong with the maps of registers of a device's BARs. */
export function checkRegisters(
  bars: readonly (BarSpec | null)[],
  say: Say,
): void {
  let registers = 0;
  let elements = 0;
  bars.forEach((bar, index) => {
    if (bar?.registers === undefined) return;
    const name = `bars[${index}].registers`;
    const specs: unknown = bar.registers?.specs;
    if (typeof specs !== "object" || specs === null) {
      return say(`${name} is no map of registers: make one with registers()`);
    }
    const placed = Object.entries(specs).flatMap(([key, spec]) => {
      checkName(`${name} has a register "${key}"`, { key, say });
      return checkRegister(spec, { name: `${name}.${key}`, say });
    });
    registers += Object.keys(specs).length;
    for (const register of placed) {
      elements += register.count;
      checkPlace(register, { bar, say });
    }
    checkOverlaps(placed, say);
  });
  if (registers > abi.REGISTERS_MAX) {
    say(
      `bars have ${registers} registers: at most ${abi.REGISTERS_MAX} can be ` +
        "declared, make arrays of those that are alike",
    );
  }
  if (elements > abi.ELEMENTS_MAX) {
    say(
      `bars have ${elements} registers, counting those of arrays: at most ` +
        `${abi.ELEMENTS_MAX} can be declared`,
    );
  }
}

function checkName(
  has: string,
  { key, own = [], say }: { key: string; own?: readonly string[]; say: Say },
): void {
  if (!/^[A-Za-z_$][\w$]*$/.test(key)) {
    say(`${has}: use a name of letters and digits, which code can have too`);
  } else if (own.includes(key) || key in Object.prototype) {
    say(`${has}, which objects have anyway: give it another name`);
  }
}

/** Returns the register unless its place makes no sense. */
function checkRegister(
  spec: RegisterSpec,
  { name, say }: { name: string; say: Say },
): Placed[] {
  if (typeof spec !== "object" || spec === null) {
    say(`${name} is ${show(spec)}: give { at, … }`);
    return [];
  }
  unknownKeys(name, { of: spec, known: specKeys, say });
  const { at, width = 4, count = 1, stride = width, exact } = spec;
  if (exact !== undefined && typeof exact !== "boolean") {
    say(`${name}.exact is ${show(exact)}: use true or false`);
  }
  checkHeard(spec, { name, say });
  if (![1, 2, 4, 8].includes(width)) {
    say(`${name}.width is ${show(width)}: use 1, 2, 4 or 8`);
    return [];
  }
  checkBits(spec, { name, width, say });
  let sound = true;
  const wrong = (mistake: string): void => {
    sound = false;
    say(`${name}.${mistake}`);
  };
  if (at === undefined) {
    wrong("at is missing: give its offset in the BAR");
  } else if (!isWhole(at, 0, most) || at % width !== 0) {
    wrong(`at is ${show(at)}: ${useMultiple(at, width)}`);
  }
  if (!isWhole(count, 1, abi.ELEMENTS_MAX)) {
    wrong(`count is ${show(count)}: use 1 to ${hex(abi.ELEMENTS_MAX)}`);
  }
  if (spec.stride !== undefined && spec.count === undefined) {
    wrong("stride is that of an array: give count too, or leave it out");
  } else if (!isWhole(stride, width, most) || stride % width !== 0) {
    wrong(
      `stride is ${show(stride)}: use a multiple of its width, ${width}, ` +
        "so that the array's registers do not overlap",
    );
  }
  return sound ? [{ name, at, width, count, stride }] : [];
}

/** What the model hears of. */
function checkHeard(
  spec: RegisterSpec,
  { name, say }: { name: string; say: Say },
): void {
  const { tell, wait, access = "rw", fields } = spec;
  let sound = true;
  for (const key of ["tell", "wait"] as const) {
    if (spec[key] === undefined || accesses.includes(spec[key])) continue;
    sound = false;
    say(`${name}.${key} is ${show(spec[key])}: use "read", "write" or "both"`);
  }
  if (!sound || wait === undefined) return;
  if (tell === wait || tell !== undefined && wait === "both") {
    say(
      `${name}.tell is "${tell}" where wait is "${wait}": what waits for the ` +
        "model is told anyway, leave tell out",
    );
  } else if (tell === "both") {
    const other = wait === "read" ? "write" : "read";
    say(
      `${name}.tell is "both" where wait is "${wait}": what waits for the ` +
        `model is told anyway, use tell: "${other}"`,
    );
  }
  if (wait === "write") return;
  const kinds = [access, ...Object.values(fields ?? {}).map((f) => f?.access)];
  const wrong = kinds.find((kind) => kind === "rc" || kind === "rs");
  if (wrong) {
    say(
      `${name} has access "${wrong}" where wait is "${wait}": the model ` +
        'answers such a read, and does what it does; use access: "ro"',
    );
  } else if (!fields && (access === "wo" || access === "reserved")) {
    say(
      `${name} has access "${access}" where wait is "${wait}": nothing of it ` +
        'reads, so nothing waits; use access: "rw"',
    );
  }
}

function checkAccess(name: string, access: unknown, say: Say): void {
  const known = Object.keys(accessMasks);
  if (access !== undefined && !known.includes(String(access))) {
    say(`${name}.access is ${show(access)}: use one of ${known.join(", ")}`);
  }
}

/** Access types, the value after reset, and fields. */
function checkBits(
  spec: RegisterSpec,
  { name, width, say }: { name: string; width: number; say: Say },
): void {
  const { access, reset = 0, fields } = spec;
  checkAccess(name, access, say);
  const bits = width * 8;
  const whole = typeof reset === "bigint" || isWhole(reset, -most, most);
  if (!whole || BigInt(reset) < 0n || BigInt(reset) >> BigInt(bits)) {
    const more = whole ? "" : ", a bigint where it is 2^53 or more";
    say(
      `${name}.reset is ${show(reset)}: it has ${bits} bits, ` +
        `use 0 to ${show((1n << BigInt(bits)) - 1n)}${more}`,
    );
  }
  if (fields === undefined) return;
  if (typeof fields !== "object" || Object.keys(fields ?? {}).length === 0) {
    return say(
      `${name}.fields names no bits, so all would be reserved: leave it out`,
    );
  }
  const masks: { key: string; mask: bigint }[] = [];
  for (const [key, field] of Object.entries(fields)) {
    checkName(`${name} has a field "${key}"`, { key, own: members, say });
    const place = `${name}.fields.${key}`;
    if (typeof field !== "object" || field === null) {
      say(`${place} is ${show(field)}: use bit(n), or bits(high, low)`);
      continue;
    }
    const { high, low } = field;
    if (isWhole(low, 0, bits - 1) && isWhole(high, 0, low - 1)) {
      say(
        `${place} has its low bit ${low} above its high bit ${high}: the high ` +
          `bit comes first, bits(${low}, ${high})`,
      );
      continue;
    }
    if (!isWhole(high, 0, bits - 1) || !isWhole(low, 0, high)) {
      say(
        `${place} has the bits ${show(high)} to ${show(low)}: use bit(n), or ` +
          `bits(high, low), with numbers from 0 to ${bits - 1}`,
      );
      continue;
    }
    unknownKeys(place, { of: field, known: fieldKeys, say });
    checkAccess(place, field.access, say);
    const mask = fieldMask(field);
    const other = masks.find((one) => one.mask & mask);
    if (other) {
      say(
        `${place} overlaps ${name}.fields.${other.key}: a bit is in one of ` +
          "them at most",
      );
    }
    masks.push({ key, mask });
  }
}

/** Whether it is in its BAR, and in pages that trap. */
function checkPlace(
  { name, at, width, count, stride }: Placed,
  { bar, say }: { bar: BarSpec; say: Say },
): void {
  const end = at + (count - 1) * stride + width;
  if (end > bar.size) {
    return say(
      `${name} ends at ${hex(end)}, outside the BAR of ${hex(bar.size)} ` +
        "bytes: move it, or make the BAR larger",
    );
  }
  for (let index = 0; index < count; index++) {
    const start = at + index * stride;
    if (traps(bar, start)) continue;
    return say(
      `${name} has ${hex(start)} in a page that does not trap: put that page ` +
        "into the BAR's trap ranges, or leave it to memory",
    );
  }
}

function traps({ trap, shadow = [] }: BarSpec, offset: number): boolean {
  const within = ([start, length]: PageRange): boolean =>
    offset >= start && offset < start + length;
  return !shadow.some(within) && (trap?.some(within) ?? true);
}

function checkOverlaps(placed: readonly Placed[], say: Say): void {
  const elements = placed.flatMap((register) =>
    Array.from({ length: register.count }, (_, index) => {
      const start = register.at + index * register.stride;
      return { register, start, end: start + register.width };
    })
  ).sort((a, b) => a.start - b.start);
  const told = new Set<string>();
  let [last] = elements;
  for (const element of elements.slice(1)) {
    if (last && element.start < last.end) {
      const [one, other] = [last.register.name, element.register.name];
      const pair = `${one} and ${other}`;
      if (!told.has(pair) && !told.has(`${other} and ${one}`)) {
        say(
          `${pair} overlap at ${hex(element.start)}: a byte belongs to one ` +
            "register, move one of them",
        );
      }
      told.add(pair);
    }
    if (!last || element.end > last.end) last = element;
  }
}
