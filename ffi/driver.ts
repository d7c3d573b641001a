// SPDX-License-Identifier: MIT

import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { BadSpec, BarkeepError } from "./errors.ts";

const devices = "/sys/bus/pci/devices";

function moduleDirectory(name: string): string {
  const directory = process.env.BARKEEP_MODULES;
  if (directory !== undefined) return directory;
  throw new BarkeepError(
    "SYSTEM",
    `cannot load the sample driver ${name}: BARKEEP_MODULES does not say where modules are`,
  );
}

/**
 * Checks that there is a sample driver of this name.
 *
 * @throws {BadSpec} when there is not, with those that there are.
 */
export function checkDriver(name: string): void {
  const directory = moduleDirectory(name);
  if (existsSync(join(directory, `${name}.ko`))) return;
  const names = readdirSync(directory).filter((file) =>
    file.endsWith(".ko") && file !== "barkeep.ko"
  ).map((file) => file.slice(0, -".ko".length));
  throw new BadSpec([
    `driver is "${name}": there are ${names.sort().join(", ")}`,
  ]);
}

/**
 * Loads a sample driver, whose probe tests the device, and prints what it
 * reports. The event loop goes on: the model has to answer.
 *
 * @param name Of the module, in the directory that `BARKEEP_MODULES` names.
 * @returns whether the self-test passed.
 */
export async function exercise(
  name: string,
  options: { address: string; intx: boolean },
): Promise<boolean> {
  const parameters = options.intx ? ["intx=1"] : [];
  const module = join(moduleDirectory(name), `${name}.ko`);
  const status = await run("insmod", [module, ...parameters]);
  if (status !== 0) {
    console.error(`insmod ${module} ended with ${status}`);
    return false;
  }
  const report = await readReport(join(devices, options.address, "selftest"));
  for (const line of report) console.log(`driver: ${line}`);
  return report.at(-1) === "passed";
}

/**
 * Runs a command that finds the device's address in `BARKEEP_DEVICE`.
 *
 * @param options `signal`: ends it when aborted.
 * @returns its exit status, as a shell has it.
 */
export async function runCommand(
  [program = "", ...args]: readonly string[],
  { address, signal }: { address: string; signal?: AbortSignal },
): Promise<number> {
  const env = { ...process.env, BARKEEP_DEVICE: address };
  return await run(program, args, { env, signal });
}

/** A function as lspci shows it, from sysfs. */
export function summary(address: string): string[] {
  const read = (name: string): string =>
    readFileSync(join(devices, address, name), "utf8").trim();
  const number = (name: string, digits: number): string =>
    read(name).replace(/^0x/, "").padStart(digits, "0");
  const lines = [
    `${address} class ${number("class", 6)}: ${number("vendor", 4)}:` +
    `${number("device", 4)} (rev ${number("revision", 2)})`,
  ];
  read("resource").split("\n").slice(0, 6).forEach((line, bar) => {
    const [start = 0n, end = 0n] = line.split(" ").map(BigInt);
    if (end === 0n) return;
    lines.push(
      `  BAR ${bar}: memory at ${start.toString(16)} [size=${
        bytes(Number(end - start) + 1)
      }]`,
    );
  });
  return lines;
}

function bytes(size: number): string {
  return size < 2 ** 20 ? `${size / 1024}K` : `${size / 2 ** 20}M`;
}

async function readReport(path: string): Promise<string[]> {
  try {
    const text = await readFile(path, "utf8");
    return text.trim().split("\n");
  } catch (cause) {
    throw new BarkeepError(
      "SYSTEM",
      `cannot read ${path}: the driver did not bind to the device. Its reason is in the ` +
        "kernel's log (dmesg)",
      { cause },
    );
  }
}

/**
 * In the VM, drivers have the first CPU and the model has the others, with all
 * threads of its runtime: an interrupt handler that waits for the model must not
 * have interrupted a thread that the model in turn waits for.
 */
const onDriversCpu = process.env.BARKEEP_VM === "1"
  ? ["taskset", "--cpu-list", "0"]
  : [];

function run(
  program: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const [file = program, ...rest] = [...onDriversCpu, program, ...args];
    const child = spawn(file, rest, { stdio: "inherit", ...options });
    child.on("error", (cause) =>
      reject(
        new BarkeepError("SYSTEM", `cannot run ${file}: ${cause.message}`, {
          cause,
        }),
      ));
    child.on(
      "close",
      (status, signal) =>
        resolve(status ?? 128 + (signal ? constants.signals[signal] : 0)),
    );
  });
}
