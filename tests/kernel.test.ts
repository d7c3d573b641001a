// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import {
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { helperPath } from "../ffi/helper.ts";
import { buildModules, runInVm, type VmResult } from "../kernel/vm.ts";
import { cachePath, makeDirectory } from "../kernel/vm/cache.ts";
import { cases } from "./guest/all.ts";
import { buildRaw } from "./guest/raw.ts";
import { buildUserDriver } from "./guest/user_driver.ts";
import type { Outcome } from "./guest/run.ts";

const path = (relative: string): string =>
  fileURLToPath(new URL(relative, import.meta.url));

/** Models killed in a row, with ten devices each. */
const kills = Number(process.env.BARKEEP_KILLS ?? 5);

/** Seconds for all that runs in one guest; a busy machine takes 20 for a kill. */
const limit = 380 + 20 * kills;

interface Boot {
  readonly result: VmResult;
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** Builds the module with another version of the ABI, and without drivers. */
async function otherAbi(kernel: string): Promise<string> {
  makeDirectory(cachePath("tests"));
  const directory = mkdtempSync(cachePath("tests", "other-abi-"));
  try {
    changeAbi(directory);
    return await buildModules(kernel, { directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function changeAbi(directory: string): void {
  cpSync(path("../kernel"), directory, {
    recursive: true,
    filter: (file) => !/kernel\/(vm|drivers|vm\.ts)$/.test(file),
  });
  const edit = (file: string, from: RegExp, to: string): void => {
    const text = readFileSync(join(directory, file), "utf8");
    assert.match(text, from);
    writeFileSync(join(directory, file), text.replace(from, to));
  };
  edit(
    "uapi/barkeep.h",
    /(?<define>#define BARKEEP_ABI\s+)\d+/,
    "$<define>9999",
  );
  edit("Kbuild", /^obj-m \+= drivers\/$/m, "");
}

/** One boot for all cases. The VM loses what it builds, so all is built here. */
async function boot(kernel: string): Promise<Boot> {
  await helperPath();
  const env = {
    BARKEEP_RAW: await buildRaw(),
    BARKEEP_USER_DRIVER: await buildUserDriver(),
    BARKEEP_OTHER_ABI: await otherAbi(kernel),
    BARKEEP_KILLS: String(kills),
    BARKEEP_SEED: process.env.BARKEEP_SEED ?? "",
  };
  const result = await runInVm({
    kernel,
    // CPU 0 is the driver's, which may not let go of it.
    command: ["taskset", "-c", "1", process.execPath, path("./guest/run.ts")],
    env,
    qemu: ["-device", "edu"],
    capture: true,
    timeout: limit,
  });
  const outcomes = new Map<string, Outcome>();
  for (const line of result.stdout.trim().split("\n")) {
    if (!line.startsWith("{")) continue;
    const outcome: Outcome = JSON.parse(line);
    outcomes.set(outcome.name, outcome);
  }
  return { result, outcomes };
}

for (const kernel of ["6.1", "6.12"]) {
  describe(`Linux ${kernel}`, () => {
    let booting: Promise<Boot> | undefined;
    const booted = (): Promise<Boot> => booting ??= boot(kernel);
    const patient = { timeout: (limit + 300) * 1000 };

    for (const { name } of cases) {
      test(name, patient, async () => {
        const outcome = (await booted()).outcomes.get(name);
        assert.ok(outcome, "the guest ended before it");
        if (outcome.error) assert.fail(outcome.error);
      });
    }

    test("the guest ran every case, and ended by itself", patient, async () => {
      const { result, outcomes } = await booted();
      assert.equal(outcomes.size, cases.length, result.stderr);
      assert.equal(result.status, 0, result.stderr);
    });

    test("the kernel's log has no complaint", patient, async () => {
      const { problems } = (await booted()).result;
      assert.deepEqual(problems, []);
    });
  });
}
