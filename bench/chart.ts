// SPDX-License-Identifier: MIT
import { isOutside, type Row } from "./report.ts";

/** The rows of one run. */
export interface ChartPart {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** Pixels. */
const layout = {
  width: 900,
  labels: 250,
  bars: 440,
  row: 34,
  bar: 11,
  head: 78,
  foot: 12,
} as const;

/** Times the floor, at the right edge; what is longer is cut off there. */
const scaleEnd = 6;

const colour = {
  p50: "#2a6fb0",
  p99: "#a9c8e6",
  missed: "#c0392b",
  floor: "#222",
  contract: "#e08a00",
  grid: "#e4e4e4",
} as const;

/**
 * Draws p50 and p99 of each path as bars whose unit is the path's floor, with
 * marks where the floor and the contract are.
 *
 * @returns The text of an SVG file.
 *
 * @example
 * ```ts
 * writeFileSync("bench.svg", chart([{ title: "Bun", rows }]));
 * ```
 */
export function chart(parts: readonly ChartPart[]): string {
  let top = 0;
  const drawn = parts.map((part) => {
    const rows = part.rows.filter(({ floorP50 }) => floorP50 !== undefined);
    const text = drawPart({ title: part.title, rows }, top);
    top += layout.head + rows.length * layout.row + layout.foot;
    return text;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${layout.width}" ` +
    `height="${top}" viewBox="0 0 ${layout.width} ${top}" ` +
    `font-family="sans-serif" font-size="12">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n` +
    `${drawn.join("")}</svg>\n`;
}

/** Where so many times the floor is. */
function x(ratio: number): number {
  const clipped = Math.min(Math.max(ratio, 0), scaleEnd);
  return Math.round(layout.labels + clipped / scaleEnd * layout.bars);
}

function drawPart({ title, rows }: ChartPart, top: number): string {
  const first = top + layout.head;
  const last = first + rows.length * layout.row;
  const lines: string[] = [];
  lines.push(text(title, { x: 10, y: top + 20, weight: "bold" }));
  lines.push(drawLegend(top + 40));
  for (let ratio = 0; ratio <= scaleEnd; ratio++) {
    const stroke = ratio === 1 ? colour.floor : colour.grid;
    lines.push(line(x(ratio), { from: first - 6, to: last, stroke }));
    const label = ratio === 1 ? "floor" : `${ratio} ×`;
    const y = first - 12;
    lines.push(text(label, { x: x(ratio), y, anchor: "middle" }));
  }
  rows.forEach((row, index) => {
    lines.push(drawRow(row, first + index * layout.row));
  });
  return lines.join("");
}

function drawLegend(y: number): string {
  const entry = (label: string, at: number, fill: string): string =>
    `<rect x="${at}" y="${y - 9}" width="10" height="10" fill="${fill}"/>\n` +
    text(label, { x: at + 15, y });
  return entry("p50", layout.labels, colour.p50) +
    entry("p50, outside the contract", layout.labels + 60, colour.missed) +
    entry("p99", layout.labels + 240, colour.p99) +
    entry("contract", layout.labels + 300, colour.contract);
}

function drawRow(row: Row, top: number): string {
  const { title, p50, p99, floorP50 = NaN, contract } = row;
  const missed = isOutside(row);
  const fill = missed ? colour.missed : colour.p50;
  const middle = top + layout.bar + 5;
  const micro = (nanoseconds: number): string =>
    (nanoseconds / 1000).toFixed(2);
  const note = `${micro(p50)}, ${micro(p99)} µs${missed ? ", missed" : ""}`;
  return [
    text(title, { x: layout.labels - 8, y: middle + 2, anchor: "end" }),
    bar(top + 4, { ratio: p50 / floorP50, fill }),
    bar(top + 4 + layout.bar, { ratio: p99 / floorP50, fill: colour.p99 }),
    contract === undefined ? "" : line(x(contract), {
      from: top + 2,
      to: top + 6 + 2 * layout.bar,
      stroke: colour.contract,
    }),
    text(note, { x: layout.labels + layout.bars + 12, y: middle + 2 }),
  ].join("");
}

function bar(
  y: number,
  { ratio, fill }: { ratio: number; fill: string },
): string {
  const width = x(ratio) - layout.labels;
  return `<rect x="${layout.labels}" y="${y}" width="${width}" ` +
    `height="${layout.bar}" fill="${fill}"/>\n`;
}

function line(
  x: number,
  { from, to, stroke }: { from: number; to: number; stroke: string },
): string {
  return `<line x1="${x}" y1="${from}" x2="${x}" y2="${to}" ` +
    `stroke="${stroke}" stroke-width="2"/>\n`;
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly anchor?: "start" | "middle" | "end";
  readonly weight?: "bold";
}

function text(
  content: string,
  { x, y, anchor = "start", weight }: Place,
): string {
  const bold = weight ? ` font-weight="${weight}"` : "";
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${bold}>` +
    `${escaped(content)}</text>\n`;
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

function escaped(content: string): string {
  return content.replace(/[&<>]/g, (found) => entities[found] ?? found);
}
