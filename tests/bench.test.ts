// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { chart } from "../bench/chart.ts";
import type { Path, Sample } from "../bench/path.ts";
import { paths } from "../bench/paths.ts";
import {
  floorsOf,
  isOutside,
  percentile,
  type Round,
  type Row,
  summarise,
  table,
} from "../bench/report.ts";

const sample = (p50: number, p99 = 2 * p50): Sample => ({
  p50,
  p99,
  mean: p50,
  count: 100,
});

/** A round of one scene, with p50 by name. */
const round = (scene: string, p50: Record<string, number>): Round =>
  Object.fromEntries(
    Object.entries({ nothing: 1, ...p50 }).map(
      ([name, time]) => [`${scene}/${name}`, sample(time)],
    ),
  );

const read: Path = {
  title: "read",
  scene: "handlers",
  how: { by: "driver", name: "answered" },
  floors: ["fault", "handoff"],
  contract: 1.5,
  runtime: true,
  oneCpu: true,
};

const crowdedRead: Path = {
  ...read,
  title: "read: 64 devices",
  scene: "crowd",
  against: "handlers",
  contract: 1.2,
  runtime: false,
  oneCpu: false,
};

function rowOf(rows: readonly Row[], title: string): Row {
  const found = rows.find((row) => row.title === title);
  assert.ok(found, `no row "${title}"`);
  return found;
}

test("percentiles are of the sorted values, and not beyond the last", () => {
  assert.equal(percentile([30, 10, 20], 50), 20);
  assert.equal(percentile([4, 3, 2, 1], 50), 3);
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.equal(percentile(hundred, 99), 100);
  assert.equal(percentile([7], 100), 7);
  assert.ok(Number.isNaN(percentile([], 50)));
});

test("a ratio is the median of those to the floors of the same round", () => {
  // The machine is ten times as slow in the second round, floors and all.
  const rounds = [
    round("handlers", { fault: 60, handoff: 40, answered: 140 }),
    round("handlers", { fault: 600, handoff: 400, answered: 1300 }),
    round("handlers", { fault: 50, handoff: 50, answered: 120 }),
  ];
  const rows = summarise([read], { runtime: "bun", rounds });
  const row = rowOf(rows, "read");
  assert.equal(row.ratio, 1.3);
  assert.equal(row.p50, 140);
  assert.equal(row.p99, 280);
  assert.equal(row.floorP50, 100);
  assert.equal(row.floor, "fault + handoff");
  assert.equal(rowOf(rows, "fault").p50, 60);
  assert.equal(rowOf(rows, "the clock itself").p50, 1);
});

test("many devices are compared with one, floors corrected", () => {
  // Three times as slow a machine, and 1.1 times as slow a path on it.
  const rounds = [{
    ...round("handlers", { fault: 60, handoff: 40, answered: 100 }),
    ...round("crowd", { fault: 180, handoff: 120, answered: 330 }),
  }];
  const rows = summarise([read, crowdedRead], { runtime: "bun", rounds });
  const row = rowOf(rows, "read: 64 devices");
  assert.equal(row.floorP50, 300);
  assert.equal(row.ratio, 1.1);
  assert.equal(row.floor, "alone");
});

test("many mappings are compared with one, in the same way", () => {
  const mapped = paths.find(({ scene }) => scene === "mapped");
  assert.ok(mapped);
  assert.deepEqual([mapped.against, mapped.contract], ["handlers", 1.2]);
  const rounds = [{
    ...round("handlers", { irq_work: 50, mapped: 60 }),
    ...round("mapped", { irq_work: 100, mapped: 180 }),
  }];
  const row = rowOf(
    summarise([mapped], { runtime: "deno", rounds }),
    mapped.title,
  );
  assert.equal(row.floor, "alone");
  assert.equal(row.ratio, 1.5);
  assert.ok(isOutside(row), "whatever serves the model");
});

test("what a scene makes slower corrects for no path in it", () => {
  const compared = paths.filter(({ against }) => against !== undefined);
  assert.equal(compared.length, 4);
  for (const { title, floors } of compared) {
    assert.ok(!floors.includes("fault"), `${title}: ${floors}`);
    assert.ok(floors.length > 0, title);
  }
});

test("a round that lacks a path or a floor is an error that names it", () => {
  const rounds = [round("handlers", { fault: 60, answered: 100 })];
  assert.throws(
    () => summarise([read], { runtime: "bun", rounds }),
    /"handlers\/handoff" was not measured/,
  );
});

test("what costs more than the contract is outside, and marked", () => {
  const at = (answered: number): Row[] =>
    summarise([read], {
      runtime: "bun",
      rounds: [round("handlers", { fault: 50, handoff: 50, answered })],
    });
  assert.ok(!at(150).some(isOutside), "1.5 is at most 1.5");
  assert.ok(isOutside(rowOf(at(151), "read")));
  assert.match(table(at(150)), /^read .* 1\.50 +1\.50 +met$/m);
  assert.match(table(at(151)), /^read .* 1\.51 +1\.50 +MISSED$/m);
  assert.match(table(at(151)), /^fault +0\.05 +0\.10$/m);
});

test("a floor of no time at all is outside, not met by accident", () => {
  const rounds = [round("handlers", { fault: 0, handoff: 0, answered: 0 })];
  const rows = summarise([read], { runtime: "bun", rounds });
  assert.ok(isOutside(rowOf(rows, "read")));
});

test("what has no contract is never outside", () => {
  const rounds = [round("handlers", { fault: 1, handoff: 1, answered: 900 })];
  const { contract: _, ...reported } = read;
  const rows = summarise([reported], { runtime: "bun", rounds });
  assert.ok(!rows.some(isOutside));
  assert.equal(rowOf(rows, "read").ratio, 450);
});

test("Deno may take 1.5 times as long, where it has a part in it", () => {
  const rounds = [{
    ...round("handlers", { fault: 50, handoff: 50, answered: 220 }),
    ...round("crowd", { fault: 50, handoff: 50, answered: 220 }),
  }];
  const paths = [read, crowdedRead];
  const deno = summarise(paths, { runtime: "deno", rounds });
  const bun = summarise(paths, { runtime: "bun", rounds });
  assert.equal(rowOf(deno, "read").contract, 2.25);
  assert.equal(rowOf(deno, "read: 64 devices").contract, 1.2);
  assert.ok(!deno.some(isOutside));
  assert.ok(isOutside(rowOf(bun, "read")));
});

test("instructions are a column of their own, without the clock's", () => {
  const rounds = [round("handlers", { fault: 60, handoff: 40, answered: 140 })];
  const counted = [
    round("handlers", { nothing: 20, fault: 520, answered: 2020 }),
    round("handlers", { nothing: 20, fault: 520, answered: 9020 }),
    round("handlers", { nothing: 20, fault: 520, answered: 2020 }),
  ];
  const rows = summarise([read], { runtime: "bun", rounds, counted });
  assert.equal(rowOf(rows, "read").instructions, 2000);
  assert.equal(rowOf(rows, "fault").instructions, 500);
  assert.equal(rowOf(rows, "handoff").instructions, undefined);
  assert.match(table(rows), /instructions/);
  assert.doesNotMatch(
    table(summarise([read], { runtime: "bun", rounds })),
    /instructions/,
  );
});

test("the chart has bars in units of the floor, and is cut off at the end", () => {
  const rows: Row[] = [
    { title: "fault", p50: 500, p99: 600 },
    {
      title: "a < b & c",
      p50: 1000,
      p99: 80000,
      floor: "fault",
      floorP50: 500,
      ratio: 2,
      contract: 1.15,
    },
  ];
  const svg = chart([{ title: "Bun", rows }]);
  const drawn = [...svg.matchAll(/<rect x="250" .*width="(\d+)" height="11"/g)];
  const [p50 = NaN, p99 = NaN] = drawn.map(([, width]) => Number(width));
  assert.equal(drawn.length, 2, "two bars, and none for what is a floor");
  assert.ok(Math.abs(p50 - p99 * 2 / 6) <= 1, `${p50} of ${p99}`);
  assert.match(svg, /a &lt; b &amp; c/);
  assert.match(svg, /1\.00, 80\.00 µs, missed/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  assert.equal(svg.match(/</g)?.length, svg.match(/>/g)?.length);
});

test("a chart of two runtimes is as high as both", () => {
  const rows: Row[] = [{ title: "a", p50: 1, p99: 2, floorP50: 1, ratio: 1 }];
  const height = (svg: string): number =>
    Number(/height="(\d+)" viewBox/.exec(svg)?.[1]);
  const one = chart([{ title: "Bun", rows }]);
  const two = chart([{ title: "Bun", rows }, { title: "Deno", rows }]);
  assert.equal(height(two), 2 * height(one));
});

test("no two paths have one title, and all floors are named once", () => {
  const titles = paths.map(({ title }) => title);
  assert.equal(new Set(titles).size, titles.length);
  assert.deepEqual(
    floorsOf(paths).toSorted(),
    ["fault", "handoff", "irq_work", "memcpy", "syscall"],
  );
});
