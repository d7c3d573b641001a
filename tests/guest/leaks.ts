// SPDX-License-Identifier: MIT

/**
 * What is left when all devices have gone.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { eventually, guestTest, sleep } from "./harness.ts";

/** Ours, those that use others before these. */
const modules = ["exerciser", "bench", "edu", "barkeep"];

const isLoaded = (module: string): boolean =>
  readFileSync("/proc/modules", "utf8").split("\n").some((line) =>
    line.startsWith(`${module} `)
  );

/** The kernel's search for memory that nothing points to any more. */
const kmemleak = "/sys/kernel/debug/kmemleak";

guestTest(
  "after all of it, our modules can be removed, and nothing has leaked",
  async () => {
    for (const module of modules.filter(isLoaded)) {
      await eventually(
        () => spawnSync("rmmod", [module]).status === 0,
        `rmmod ${module}`,
      );
    }
    // Once is not enough: a pointer may have been on its way, in a register.
    for (let scan = 0; scan < 2; scan++) {
      await sleep(5000);
      writeFileSync(kmemleak, "scan");
    }
    assert.equal(readFileSync(kmemleak, "utf8"), "");
  },
  { debug: true },
);
