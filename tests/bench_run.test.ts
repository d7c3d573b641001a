// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { paths } from "../bench/paths.ts";
import type { Result } from "../bench/run.ts";

const path = (relative: string): string =>
  fileURLToPath(new URL(relative, import.meta.url));

const run = (file: string, args: readonly string[]) =>
  spawnSync(process.execPath, [path(`../bench/${file}`), ...args], {
    encoding: "utf8",
  });

/** For a machine that has much else to do. */
const patient = { timeout: 900_000 };

test("the bench measures all paths, and writes JSON and SVG", patient, () => {
  const place = mkdtempSync(join(tmpdir(), "barkeep-test-"));
  try {
    const [json, svg] = [join(place, "b.json"), join(place, "b.svg")];
    const { status, stdout, stderr } = run("all.ts", [
      ...["--rounds", "2", "--count", "200", "--kernel", "6.12"],
      ...["--json", json, "--svg", svg],
    ]);
    assert.equal(status, 0, stderr);
    const { results: [result] }: { results: Result[] } = JSON.parse(
      readFileSync(json, "utf8"),
    );
    assert.ok(result);
    assert.equal(result.rounds.length, 2);
    const drawing = readFileSync(svg, "utf8");
    for (const { title } of paths) {
      const row = result.rows.find((row) => row.title === title);
      assert.ok(row, title);
      for (const time of [row.p50, row.p99, row.floorP50, row.ratio]) {
        assert.ok(time && time > 0, `${title}: ${JSON.stringify(row)}`);
      }
      assert.ok(row.p99 >= row.p50, title);
      assert.ok(stdout.includes(title), title);
      assert.ok(drawing.includes(title), title);
    }
  } finally {
    rmSync(place, { recursive: true });
  }
});

test("a mistake on the bench's command line is told, not measured", () => {
  for (
    const [args, message] of [
      [["--rounds", "0"], /--rounds takes a whole number above 0, not "0"/],
      [["--runtime", "node"], /--runtime takes bun or deno, not "node"/],
      [["--colour"], /BAD_OPTION: .*--colour.*\n.*--help/],
    ] as const
  ) {
    const { status, stderr } = run("all.ts", args);
    assert.equal(status, 64);
    assert.match(stderr, message);
  }
});

test("a file for a part of it has the same command line", () => {
  for (const file of ["posted_write.ts", "trap.ts"]) {
    const { status, stdout } = run(file, ["--help"]);
    assert.equal(status, 0);
    assert.match(stdout, /--check/);
  }
});
