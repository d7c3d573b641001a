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
import { debugSlowness } from "../kernel/vm/debug_kernel.ts";
import { cases } from "./guest/all.ts";
import { buildFailNth } from "./guest/fail_nth.ts";
import { type Machine, machines } from "./guest/machines.ts";
import { buildRaw } from "./guest/raw.ts";
import { buildUserDriver } from "./guest/user_driver.ts";
import { buildVectors } from "./guest/vectors.ts";
import type { Outcome } from "./guest/run.ts";

const path = (relative: string): string =>
  fileURLToPath(new URL(relative, import.meta.url));

/** Models killed in a row, with ten devices each. */
const kills = Number(process.env.BARKEEP_KILLS ?? 5);

/** What the cases do more of if asked to. */
const passed = [
  "BARKEEP_SEED",
  "BARKEEP_STREAM",
  "BARKEEP_IOCTLS",
  "BARKEEP_PROCESSES",
];

/** How many times as long as usual a kernel takes; `BARKEEP_SLOW`: anything. */
const slowness = (kernel: string): number =>
  Number(process.env.BARKEEP_SLOW || 1) *
  (kernel === "debug" ? debugSlowness : 1);

const killsOn = (kernel: string): number =>
  Math.ceil(kills / (kernel === "debug" ? debugSlowness : 1));

/** Seconds for all that runs in one guest; a busy machine takes 20 for a kill. */
const limit = (kernel: string): number =>
  slowness(kernel) * (380 + 20 * killsOn(kernel) + more("BARKEEP_STREAM", 500) +
    more("BARKEEP_IOCTLS", 2000) + more("BARKEEP_PROCESSES", 0.1));

/** Seconds for as much of it as is asked for, with so many a second. */
function more(name: string, each: number): number {
  return Number(process.env[name] ?? 0) / each;
}

interface Boot {
  readonly result: VmResult;
  readonly outcomes: ReadonlyMap<string, Outcome>;
}

/** A line of the module's sources, and what stands there instead. */
interface Edit {
  readonly file: string;
  readonly from: RegExp;
  readonly to: string;
}

/** Another version of the ABI. */
const otherAbi: Edit = {
  file: "uapi/barkeep.h",
  from: /(?<define>#define BARKEEP_ABI\s+)\d+/,
  to: "$<define>9999",
};

/** Registers change as if every exchange met somebody else's. */
const noExchange: Edit = {
  file: "register.c",
  from: /(?<define>#define REGISTER_TRIES\s+)\d+/,
  to: "$<define>0",
};

/** Builds the module with an edit, and without drivers. */
async function buildEdited(kernel: string, edit: Edit): Promise<string> {
  makeDirectory(cachePath("tests"));
  const directory = mkdtempSync(cachePath("tests", "edited-"));
  try {
    cpSync(path("../kernel"), directory, {
      recursive: true,
      filter: (file) => !/kernel\/(vm|drivers|vm\.ts)$/.test(file),
    });
    const drivers = { file: "Kbuild", from: /^obj-m \+= drivers\/$/m, to: "" };
    for (const { file, from, to } of [edit, drivers]) {
      const text = readFileSync(join(directory, file), "utf8");
      assert.match(text, from);
      writeFileSync(join(directory, file), text.replace(from, to));
    }
    return await buildModules(kernel, { directory });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** One boot for all its cases. The VM loses what it builds, so all is built here. */
async function boot(kernel: string, machine: Machine): Promise<Boot> {
  await helperPath();
  const { cpus, memory, model } = machines[machine];
  const env = {
    BARKEEP_RAW: await buildRaw(),
    BARKEEP_USER_DRIVER: await buildUserDriver(),
    BARKEEP_VECTORS: await buildVectors(),
    BARKEEP_OTHER_ABI: await buildEdited(kernel, otherAbi),
    BARKEEP_NO_EXCHANGE: await buildEdited(kernel, noExchange),
    BARKEEP_FAIL_NTH: await buildFailNth(),
    BARKEEP_MACHINE: machine,
    BARKEEP_KILLS: String(killsOn(kernel)),
    BARKEEP_SLOW: String(slowness(kernel)),
    ...Object.fromEntries(
      passed.map((name) => [name, process.env[name] ?? ""]),
    ),
  };
  const result = await runInVm({
    kernel,
    cpus,
    // The debug kernel knows what it needs.
    memory: kernel === "debug" ? undefined : memory,
    command: ["taskset", "-c", model, process.execPath, path("./guest/run.ts")],
    env,
    qemu: ["-device", "edu"],
    capture: true,
    timeout: limit(kernel),
  });
  const outcomes = new Map<string, Outcome>();
  for (const line of result.stdout.trim().split("\n")) {
    if (!line.startsWith("{")) continue;
    const outcome: Outcome = JSON.parse(line);
    outcomes.set(outcome.name, outcome);
  }
  return { result, outcomes };
}

/** Where the cases run. */
const machinesOf: Readonly<Record<string, readonly Machine[]>> = {
  "6.1": ["one", "two", "four"],
  "6.12": ["one", "two", "four"],
  debug: ["one", "two", "four"],
};

/** `BARKEEP_KERNELS=debug` chooses others. */
const kernels = (process.env.BARKEEP_KERNELS ?? "6.1,6.12").split(",");

for (const kernel of kernels) {
  const where = machinesOf[kernel];
  assert.ok(where, `BARKEEP_KERNELS: no kernel is called "${kernel}"`);
  for (const machine of where) {
    const { cpus } = machines[machine];
    describe(`Linux ${kernel} on ${machine} CPU${cpus > 1 ? "s" : ""}`, () => {
      let booting: Promise<Boot> | undefined;
      const booted = (): Promise<Boot> => booting ??= boot(kernel, machine);
      // Building the debug kernel takes a while, too.
      const patient = { timeout: (limit(kernel) + 3600) * 1000 };
      const kind = kernel === "debug" ? "debug" : "stock";
      const own = cases.filter((one) =>
        one.machine === machine && (one.kernel ?? kind) === kind
      );

      for (const { name } of own) {
        test(name, patient, async () => {
          const outcome = (await booted()).outcomes.get(name);
          assert.ok(outcome, "the guest ended before it");
          if (outcome.error) assert.fail(outcome.error);
        });
      }

      test(
        "the guest ran every case, and ended by itself",
        patient,
        async () => {
          const { result, outcomes } = await booted();
          assert.equal(outcomes.size, own.length, result.stderr);
          assert.equal(result.status, 0, result.stderr);
        },
      );

      test("the kernel's log has no complaint", patient, async () => {
        const { problems } = (await booted()).result;
        assert.deepEqual(problems, []);
      });
    });
  }
}
