// SPDX-License-Identifier: MIT
import {
  clock,
  type Floor,
  floors,
  type Path,
  type Sample,
  type Scene,
} from "./path.ts";

/** One round: every scene's measurements, by `scene/name`. */
export type Round = Readonly<Record<string, Sample>>;

/** One line of the result. */
export interface Row {
  readonly title: string;
  /** Median over the rounds, nanoseconds. */
  readonly p50: number;
  /** Median over the rounds, nanoseconds. */
  readonly p99: number;
  /** What it is compared with, and how long that took, nanoseconds. */
  readonly floor?: string;
  readonly floorP50?: number;
  /** Median over the rounds of p50 / floor, both of the same round. */
  readonly ratio?: number;
  /** The ratio that the design promises at most. */
  readonly contract?: number;
  /** What one iteration executes, without the clock's own. */
  readonly instructions?: number;
}

/** What is summarised. */
export interface Rounds {
  readonly runtime: "bun" | "deno";
  readonly rounds: readonly Round[];
  /** Of a clock that counts instructions, if they were counted. */
  readonly counted?: readonly Round[];
}

/** A model in Deno may take so many times as long as one in Bun. */
const denoAllowance = 1.5;

const sceneTitles: Record<Scene, string> = {
  handlers: "alone",
  loop: "for await",
  crowd: "64 devices",
  mapped: "4,096 mappings",
};

/**
 * The value that so many per cent are not above.
 *
 * @example
 * ```ts
 * const middle = percentile([3, 1, 2], 50); // 2
 * ```
 */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const index = Math.floor(sorted.length * percent / 100);
  return sorted[Math.min(index, sorted.length - 1)] ?? NaN;
}

const median = (values: readonly number[]): number => percentile(values, 50);

/** Floors that the paths are compared with, each once. */
export function floorsOf(paths: readonly Path[]): Floor[] {
  return [...new Set(paths.flatMap((path) => path.floors))];
}

/**
 * Condenses the rounds to one row a floor and path: medians, and ratios to
 * floors that were measured in the same round, so that a machine that is busier
 * in some rounds than in others does not distort them.
 *
 * @throws {Error} when a round lacks a path or a floor.
 *
 * @example
 * ```ts
 * console.log(table(summarise(paths, { runtime: "bun", rounds })));
 * ```
 */
export function summarise(paths: readonly Path[], measured: Rounds): Row[] {
  const scene = paths[0]?.against ?? paths[0]?.scene ?? "handlers";
  const own = [
    { title: "the clock itself", name: clock.name },
    ...floorsOf(paths).map((name) => ({ ...floors[name], name })),
  ];
  return [
    ...own.map(({ title, name }) => ({
      title,
      ...times(`${scene}/${name}`, measured),
    })),
    ...paths.map((path) => row(path, measured)),
  ];
}

function times(
  name: string,
  { rounds, counted }: Rounds,
): Pick<Row, "p50" | "p99" | "instructions"> {
  const samples = rounds.map((round) => sample(round, name));
  const p50 = median(samples.map((each) => each.p50));
  const p99 = median(samples.map((each) => each.p99));
  if (!counted?.[0]?.[name]) return { p50, p99 };
  const instructions = counted.map((round) =>
    sample(round, name).p50 - sample(round, `handlers/${clock.name}`).p50
  );
  return { p50, p99, instructions: median(instructions) };
}

function row(path: Path, measured: Rounds): Row {
  const { title, scene, how, against, contract } = path;
  const { runtime, rounds } = measured;
  const p50 = (round: Round, scene: Scene): number =>
    sample(round, `${scene}/${how.name}`).p50;
  const sum = (round: Round, scene: Scene): number =>
    path.floors.reduce(
      (sum, floor) => sum + sample(round, `${scene}/${floor}`).p50,
      0,
    );
  const floor = (round: Round): number =>
    against
      ? p50(round, against) * sum(round, scene) / sum(round, against)
      : sum(round, scene);
  const allowance = path.runtime && runtime === "deno" ? denoAllowance : 1;
  return {
    title,
    ...times(`${scene}/${how.name}`, measured),
    floor: against ? sceneTitles[against] : path.floors.join(" + "),
    floorP50: median(rounds.map(floor)),
    ratio: median(rounds.map((round) => p50(round, scene) / floor(round))),
    contract: contract && contract * allowance,
  };
}

function sample(round: Round, name: string): Sample {
  const found = round[name];
  if (!found) throw new Error(`"${name}" was not measured`);
  return found;
}

/** Whether a row is outside the contract; what has none never is. */
export function isOutside({ ratio, contract }: Row): boolean {
  if (ratio === undefined || contract === undefined) return false;
  return !(ratio <= contract);
}

interface Column {
  readonly head: string;
  readonly left?: boolean;
  readonly cell: (row: Row) => string;
}

const micro = (nanoseconds?: number): string =>
  nanoseconds === undefined ? "" : (nanoseconds / 1000).toFixed(2);

const instructions: Column = {
  head: "instructions",
  cell: (row) => row.instructions?.toFixed(0) ?? "",
};

const columns: readonly Column[] = [
  { head: "", left: true, cell: (row) => row.title },
  { head: "p50 µs", cell: (row) => micro(row.p50) },
  { head: "p99 µs", cell: (row) => micro(row.p99) },
  { head: "floor", left: true, cell: (row) => row.floor ?? "" },
  { head: "µs", cell: (row) => micro(row.floorP50) },
  { head: "ratio", cell: (row) => row.ratio?.toFixed(2) ?? "" },
  { head: "contract", cell: (row) => row.contract?.toFixed(2) ?? "" },
  { head: "", left: true, cell: verdict },
];

function verdict(row: Row): string {
  if (row.contract === undefined) return "";
  return isOutside(row) ? "MISSED" : "met";
}

/** The rows as a table for people; times in microseconds. */
export function table(rows: readonly Row[]): string {
  const counted = rows.some((row) => row.instructions !== undefined);
  const shown = columns.toSpliced(3, 0, ...(counted ? [instructions] : []));
  const lines = [
    shown.map(({ head }) => head),
    ...rows.map((row) => shown.map(({ cell }) => cell(row))),
  ];
  const widths = shown.map((_, index) =>
    Math.max(...lines.map((line) => line[index]?.length ?? 0))
  );
  return lines.map((line) =>
    line.map((cell, index) => {
      const width = widths[index] ?? 0;
      return shown[index]?.left ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  ).join("\n");
}
