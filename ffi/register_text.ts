// SPDX-License-Identifier: MIT

import { hex } from "./errors.ts";
import type {
  RegisterField,
  RegisterSpec,
  RegisterSpecs,
} from "./registers.ts";

const titles = [
  "offset",
  "name",
  "access",
  "width",
  "reset",
  "model",
  "fields",
];

/** A map of registers as a Markdown table, by offset. */
export function registerText(specs: RegisterSpecs): string {
  const entries = Object.entries(specs);
  const digits = Math.max(2, ...entries.map(([, { at }]) => digitsOf(at)));
  const rows = entries
    .sort(([, a], [, b]) => a.at - b.at)
    .map(([name, spec]) => row(name, spec, { digits }));
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((cells) => cells[column]?.length ?? 0))
  );
  const line = (cells: readonly string[]): string => {
    const padded = cells.map((cell, at) => cell.padEnd(widths[at] ?? 0));
    return `| ${padded.join(" | ")} |`;
  };
  const rule = widths.map((width) => "-".repeat(width));
  return [titles, rule, ...rows].map(line).join("\n");
}

function digitsOf(value: number): number {
  return value.toString(16).length;
}

function row(
  name: string,
  spec: RegisterSpec,
  { digits }: { digits: number },
): string[] {
  const { at, width = 4, access = "rw", reset = 0, fields = {}, count } = spec;
  const { stride = width } = spec;
  const offset = `0x${at.toString(16).padStart(digits, "0")}`;
  return [
    count === undefined ? offset : `${offset} + ${stride} i`,
    count === undefined ? name : `${name}[${count}]`,
    access,
    String(width),
    reset > 9 ? hex(reset) : String(reset),
    modelText(spec),
    Object.entries(fields)
      .sort(([, a], [, b]) => a.low - b.low)
      .map(([name, field]) => fieldText(name, { field, access }))
      .join(", "),
  ];
}

/** What the model has to do with its accesses. */
function modelText({ wait, tell, exact }: RegisterSpec): string {
  return [
    wait ? `waits: ${wait}` : "",
    tell ? `told: ${tell}` : "",
    exact ? "exact" : "",
  ].filter(Boolean).join(", ");
}

function fieldText(
  name: string,
  { field, access }: { field: RegisterField; access: string },
): string {
  const { high, low } = field;
  const bits = high === low ? `${low}` : `${high}:${low}`;
  const own = field.access !== undefined && field.access !== access;
  return `${bits} ${name}${own ? ` (${field.access})` : ""}`;
}
