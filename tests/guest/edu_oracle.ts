// SPDX-License-Identifier: MIT

/**
 * QEMU's edu device and ours on one bus, under one driver, by MSI and by INTx:
 * it must find no difference.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { guestTest, modules } from "./harness.ts";
import { ModelProcess } from "./model_process.ts";

const driver = "/sys/bus/pci/drivers/edu";

function selftest(address: string): string[] {
  const text = readFileSync(`${driver}/${address}/selftest`, "utf8");
  return text.trimEnd().split("\n");
}

/** What the driver noted about the two devices, line by line. */
function compare(ours: string, interrupts: "MSI" | "INTx") {
  const option = interrupts === "INTx" ? ["intx=1"] : [];
  // What waits for the model must not keep it from running.
  const insmod = ["-c", "0", "insmod", `${modules}/edu.ko`, ...option];
  execFileSync("taskset", insmod);
  try {
    const bound = readdirSync(driver).filter((name) => name.includes(":"));
    const [qemu = "none", ...more] = bound.filter((name) => name !== ours);
    assert.ok(bound.includes(ours), `the driver bound ${bound}`);
    assert.deepEqual(more, []);
    return { qemu: selftest(qemu), ours: selftest(ours) };
  } finally {
    execFileSync("rmmod", ["edu"]);
  }
}

for (const interrupts of ["MSI", "INTx"] as const) {
  guestTest(
    `our edu device shows its driver by ${interrupts} what QEMU's shows`,
    async () => {
      await using model = new ModelProcess("../../devices/edu.ts", {
        cpus: "1",
      });
      const { qemu, ours } = compare(await model.plugged(), interrupts);
      assert.ok(qemu.includes("id 0x010000ed"));
      assert.ok(qemu.includes(`3 interrupts (${interrupts})`));
      assert.equal(qemu.at(-1), "passed");
      assert.deepEqual(ours, qemu);
      model.signal("SIGINT");
      await model.ends(0);
    },
    { limit: 120 },
  );
}
