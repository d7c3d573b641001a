// SPDX-License-Identifier: MIT

/**
 * What is left when all devices have gone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { eventually, guestTest, plug, sleep } from "./harness.ts";

/** Ours, those that use others before these. */
const modules = ["exerciser", "bench", "edu", "accessors", "barkeep"];

const isLoaded = (module: string): boolean =>
  readFileSync("/proc/modules", "utf8").split("\n").some((line) =>
    line.startsWith(`${module} `)
  );

/** The kernel's search for memory that nothing points to any more. */
const kmemleak = "/sys/kernel/debug/kmemleak";

/** What it finds; once is not enough, for a pointer may have been in a register. */
async function scan(): Promise<string> {
  for (let pass = 0; pass < 2; pass++) {
    // What is younger than five seconds may not be in its place yet.
    await sleep(6000);
    writeFileSync(kmemleak, "scan");
  }
  return readFileSync(kmemleak, "utf8");
}

guestTest(
  "after all of it, our modules can be removed, and nothing has leaked",
  async () => {
    {
      await using card = await plug();
      await card.driver.run("leak", 1024);
    }
    for (const module of modules.filter(isLoaded)) {
      await eventually(
        () => spawnSync("rmmod", [module]).status === 0,
        `rmmod ${module}`,
      );
    }
    const found = await scan();
    const sizes = [...found.matchAll(/\(size (?<size>\d+)\)/g)];
    assert.deepEqual(sizes.map(({ groups }) => groups?.size), ["1024"], found);
  },
  { kernel: "debug" },
);
