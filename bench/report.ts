// SPDX-License-Identifier: MIT

/** What the bench driver measured of one path in one round, in nanoseconds. */
export interface Sample {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
  /** Iterations measured. */
  readonly count: number;
}

/** One round: every path, one after the other, by its name. */
export type Round = Readonly<Record<string, Sample>>;

/** One line of the result. */
export interface Row {
  readonly path: string;
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
}

interface Path {
  readonly title: string;
  readonly name: string;
  readonly floors?: readonly string[];
  readonly contract?: number;
}

const trap = ["fault"];
const handover = ["fault", "handoff"];

/** With the model as handlers. */
const served: readonly Path[] = [
  { title: "nothing: the clock itself", name: "nothing" },
  { title: "fault", name: "fault" },
  { title: "handoff", name: "handoff" },
  { title: "memcpy of 64 KiB", name: "memcpy" },
  { title: "irq_work to self", name: "irq_work" },
  { title: "posted write", name: "posted", floors: trap, contract: 1.15 },
  {
    title: "read, answered by the kernel",
    name: "shadow",
    floors: trap,
    contract: 1.15,
  },
  {
    title: "read, answered by a handler",
    name: "answered",
    floors: handover,
    contract: 1.5,
  },
  {
    title: "the same, interrupts off",
    name: "answered_atomic",
    floors: handover,
  },
  {
    title: "write, handler, visible",
    name: "doorbell",
    floors: handover,
    contract: 2,
  },
];

/** With the model as a loop. */
const iterated: readonly Path[] = [
  {
    title: "read, answered in for await",
    name: "answered",
    floors: handover,
    contract: 2.5,
  },
  { title: "write, for await, visible", name: "doorbell", floors: handover },
];

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/**
 * Condenses the rounds to one row a path: medians, and ratios to floors that
 * were measured in the same round, so that a machine that is busier in some
 * rounds than in others does not distort them.
 *
 * @throws {Error} when a round lacks a path.
 *
 * @example
 * ```ts
 * console.log(table(summarise(measured)));
 * ```
 */
export function summarise(
  measured: { served: readonly Round[]; iterated: readonly Round[] },
): Row[] {
  return [
    ...served.map((path) => row(path, measured.served)),
    ...iterated.map((path) => row(path, measured.iterated)),
  ];
}

function row(
  { title, name, floors, contract }: Path,
  rounds: readonly Round[],
): Row {
  const p50 = (round: Round): number => sample(round, name).p50;
  const result = {
    path: title,
    p50: median(rounds.map(p50)),
    p99: median(rounds.map((round) => sample(round, name).p99)),
  };
  if (!floors) return result;
  const floor = (round: Round): number =>
    floors.reduce((sum, each) => sum + sample(round, each).p50, 0);
  return {
    ...result,
    floor: floors.join(" + "),
    floorP50: median(rounds.map(floor)),
    ratio: median(rounds.map((round) => p50(round) / floor(round))),
    contract,
  };
}

function sample(round: Round, name: string): Sample {
  const found = round[name];
  if (!found) throw new Error(`the path "${name}" was not measured`);
  return found;
}

/** The rows as a table for people; times in microseconds. */
export function table(rows: readonly Row[]): string {
  const micro = (nanoseconds?: number): string =>
    nanoseconds === undefined ? "" : (nanoseconds / 1000).toFixed(2);
  const cells = rows.map((row) => [
    row.path,
    micro(row.p50),
    micro(row.p99),
    row.floor ?? "",
    micro(row.floorP50),
    row.ratio?.toFixed(2) ?? "",
    row.contract === undefined ? "" : `<= ${row.contract}`,
    verdict(row),
  ]);
  const head = [
    "path",
    "p50 µs",
    "p99 µs",
    "floor",
    "µs",
    "ratio",
    "contract",
    "",
  ];
  const lines = [head, ...cells];
  const widths = head.map((_, column) =>
    Math.max(...lines.map((line) => line[column]?.length ?? 0))
  );
  const left = new Set([0, 3, 7]);
  return lines.map((line) =>
    line.map((cell, column) => {
      const width = widths[column] ?? 0;
      return left.has(column) ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  ).join("\n");
}

function verdict({ ratio, contract }: Row): string {
  if (ratio === undefined || contract === undefined) return "";
  return ratio <= contract ? "met" : "missed";
}
