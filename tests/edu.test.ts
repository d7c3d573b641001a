// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { helperPath } from "../ffi/helper.ts";
import { runInVm } from "../kernel/vm.ts";
import type { Findings } from "./guest/edu_oracle.ts";

const guest = fileURLToPath(
  new URL("./guest/edu_oracle.ts", import.meta.url),
);

/** One boot: QEMU's edu device and ours, under one driver. */
async function bothDevices(kernel: string): Promise<Findings[]> {
  // The VM sees what is built here, and loses what it builds itself.
  await helperPath();
  const { status, stdout, stderr, problems } = await runInVm({
    kernel,
    command: ["taskset", "--cpu-list", "0", process.execPath, guest],
    qemu: ["-device", "edu"],
    capture: true,
    timeout: 180,
  });
  assert.deepEqual(problems, [], "the guest's kernel complained");
  assert.equal(status, 0, `the guest's part failed:\n${stderr}`);
  return JSON.parse(stdout);
}

for (const kernel of ["6.1", "6.12"]) {
  describe(`edu on Linux ${kernel}`, () => {
    let boot: Promise<Findings[]> | undefined;
    const findings = async (interrupts: string): Promise<Findings> => {
      boot ??= bothDevices(kernel);
      const found = (await boot).find((one) => one.interrupts === interrupts);
      assert.ok(found, `nothing found by ${interrupts}`);
      return found;
    };

    for (const interrupts of ["MSI", "INTx"]) {
      const limit = { timeout: 300_000 };

      test(
        `QEMU's device passes its driver's self-test by ${interrupts}`,
        limit,
        async () => {
          const { qemu } = await findings(interrupts);
          assert.ok(qemu.includes("id 0x010000ed"));
          assert.ok(qemu.includes(`3 interrupts (${interrupts})`));
          assert.equal(qemu.at(-1), "passed");
        },
      );

      test(
        `our device shows its driver by ${interrupts} what QEMU's shows`,
        limit,
        async () => {
          const { qemu, ours } = await findings(interrupts);
          assert.deepEqual(ours, qemu);
        },
      );
    }
  });
}
