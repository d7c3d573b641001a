// SPDX-License-Identifier: MIT

import { hex } from "./errors.ts";

/** Takes a mistake: one sentence. */
export type Say = (mistake: string) => void;

/** Says which keys mean nothing, and which may have been meant. */
export function unknownKeys(
  name: string,
  { of, known, otherKeys = [], say }: {
    of: object;
    known: object;
    otherKeys?: readonly string[];
    say: Say;
  },
): void {
  const keys = [...Object.keys(known), ...otherKeys];
  for (const key of Object.keys(of)) {
    if (!keys.includes(key)) say(unknownKey(name, { key, keys }));
  }
}

/** The sentence about a key that means nothing. */
export function unknownKey(
  name: string,
  { key, keys }: { key: string; keys: readonly string[] },
): string {
  const close = keys.find((known) => distance(key, known) <= 2);
  const hint = close ? `did you mean ${close}? There ` : "there ";
  return `${name} has a key "${key}" that means nothing: ${hint}may be ${
    keys.join(", ")
  }`;
}

/** Whether a value is a whole number of a range, both ends included. */
export function isWhole(value: unknown, from: number, to: number): boolean {
  return typeof value === "number" && Number.isInteger(value) &&
    value >= from && value <= to;
}

/** Whether a value is one of 32 bits, signed or not. */
export function isWord(value: unknown): value is number {
  return typeof value === "number" &&
    ((value | 0) === value || (value >>> 0) === value);
}

/**
 * A value as messages show it: a string in quotes, a whole number of 4096 or
 * more in hex.
 */
export function show(value: unknown): string {
  const whole = typeof value === "bigint" ||
    typeof value === "number" && Number.isInteger(value);
  if (whole && value >= 4096) return hex(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}

/** The same of what is no address and no bits: numbers are decimal. */
export function showCount(value: unknown): string {
  return typeof value === "number" ? String(value) : show(value);
}

/** What to do about an offset that is no multiple of a width. */
export function useMultiple(offset: unknown, width: number): string {
  const below = typeof offset === "number" && offset < 0;
  return `${below ? "offsets start at 0, " : ""}use a multiple of its width, ` +
    `${width}`;
}

/** How many letters have to be put in, left out or replaced. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let index = 0; index < from.length; index++) {
    const next = [index + 1];
    for (let other = 0; other < to.length; other++) {
      const replaced = (row[other] ?? 0) +
        (from[index] === to[other] ? 0 : 1);
      const shifted = Math.min(row[other + 1] ?? 0, next[other] ?? 0) + 1;
      next.push(Math.min(replaced, shifted));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
