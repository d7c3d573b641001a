// SPDX-License-Identifier: MIT

/**
 * Runs in the VM, with QEMU's edu device on the bus: plugs ours beside it, has
 * one driver test both, by MSI and by INTx, and prints what it found as JSON.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** What the driver noted about the two devices, line by line. */
export interface Findings {
  readonly interrupts: "MSI" | "INTx";
  readonly qemu: readonly string[];
  readonly ours: readonly string[];
}

const driver = "/sys/bus/pci/drivers/edu";
const module = `${process.env.BARKEEP_MODULES}/edu.ko`;

/** Address of our device, once the model says that it is plugged. */
function plugged(lines: AsyncIterable<string>): Promise<string> {
  return (async () => {
    for await (const line of lines) {
      const found = /^plugged 1234:11e8 as (\S+)$/.exec(line);
      if (found?.[1]) return found[1];
    }
    throw new Error("the model ended before it was plugged");
  })();
}

function selftest(address: string): string[] {
  const text = readFileSync(`${driver}/${address}/selftest`, "utf8");
  return text.trimEnd().split("\n");
}

function compare(ours: string, interrupts: "MSI" | "INTx"): Findings {
  const option = interrupts === "INTx" ? ["intx=1"] : [];
  execFileSync("insmod", [module, ...option]);
  try {
    const bound = readdirSync(driver).filter((name) => name.includes(":"));
    const [qemu = "none", ...more] = bound.filter((name) => name !== ours);
    if (!bound.includes(ours) || more.length > 0) {
      throw new Error(`the driver bound ${bound}, not ${ours} and QEMU's`);
    }
    return { interrupts, qemu: selftest(qemu), ours: selftest(ours) };
  } finally {
    execFileSync("rmmod", ["edu"]);
  }
}

if (import.meta.main) {
  const model = fileURLToPath(new URL("../../devices/edu.ts", import.meta.url));
  // A CPU of its own: what waits for the model must not keep it from running.
  const child = spawn("taskset", ["--cpu-list", "1", process.execPath, model], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const lines = createInterface({ input: child.stdout });
  const ours = await plugged(lines);
  const findings = [compare(ours, "MSI"), compare(ours, "INTx")];
  child.kill("SIGINT");
  const status = await ended;
  if (status !== 0) throw new Error(`the model ended with ${status}`);
  process.stdout.write(JSON.stringify(findings));
}
