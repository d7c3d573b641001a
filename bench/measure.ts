// SPDX-License-Identifier: MIT

/**
 * The part of the bench that runs where `/dev/barkeep` is: serves the bench
 * device, has the driver measure it, and prints the rounds as JSON.
 *
 * @module
 */
import { execFileSync, spawn } from "node:child_process";
import { cpus, release } from "node:os";
import process from "node:process";
import { type Device, type DeviceSpec, open } from "../mod.ts";
import type { Round, Sample } from "./report.ts";

/** What the model's process prints. */
export interface Measured {
  readonly conditions: Conditions;
  /** The model answers by handlers. */
  readonly served: readonly Round[];
  /** The model answers in a `for await` loop. */
  readonly iterated: readonly Round[];
}

/** What the numbers were measured on. */
export interface Conditions {
  readonly kernel: string;
  readonly runtime: string;
  readonly processor: string;
  readonly rounds: number;
  /** Iterations of a path in one round. */
  readonly count: number;
}

const pageSize = 4096;
const doorbell = 0x10;
const counter = 2 * pageSize;
/** What the driver reads; anything but all-ones, which would mean gone. */
const answer = 0x600d;

/** The layout that kernel/drivers/bench_main.c expects. */
const spec: DeviceSpec = {
  id: { vendor: 0x1234, device: 0xbe9c },
  bars: [{
    size: 4 * pageSize,
    trap: [[0, pageSize]],
    shadow: [[pageSize, pageSize]],
  }],
  // On a busy machine a model may not get a CPU for longer than cards take.
  timeout: 10_000,
};

const floors = ["nothing", "fault", "handoff", "memcpy", "irq_work"];
const handlers = [
  "posted",
  "shadow",
  "answered",
  "answered_atomic",
  "doorbell",
];
const iteration = ["fault", "handoff", "answered", "doorbell"];

/** What to do how often. */
interface Plan {
  readonly rounds: number;
  /** Iterations of a path in one round. */
  readonly count: number;
}

/** Rounds that do not count: the JIT compiles in them. */
const warmUp = 3;

/**
 * Runs each path in turn, round after round. A shell on the driver's CPU does,
 * because whoever starts a run is blocked until it is over.
 */
async function rounds(
  address: string,
  paths: readonly string[],
  plan: Plan,
): Promise<Round[]> {
  const script = `
    cd "/sys/kernel/debug/bench-$1" || exit
    for round in $(seq "$2"); do
      for path in $4; do
        echo "$path $3 0" > run && cat result || exit
      done
      echo
    done`;
  const times = String(warmUp + plan.rounds);
  const args = [address, times, String(plan.count), paths.join(" ")];
  const child = spawn(
    "taskset",
    ["--cpu-list", "0", "sh", "-c", script, "sh", ...args],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  let text = "";
  child.stdout.on("data", (data) => text += data);
  const status = await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (status !== 0) throw new Error(`the driver could not measure:\n${text}`);
  return text.trim().split("\n\n").slice(warmUp).map(round);
}

function round(text: string): Round {
  return Object.fromEntries(text.split("\n").map(sample));
}

function sample(line: string): [string, Sample] {
  const [path = "", ...numbers] = line.split(" ");
  const [p50 = NaN, p99 = NaN, mean = NaN, count = NaN] = numbers.map(Number);
  return [path, { p50, p99, mean, count }];
}

/** The model as handlers. */
async function withHandlers(plan: Plan): Promise<Round[]> {
  await using device = await open(spec);
  const memory = counterOf(device);
  const served = device.serve({
    read: () => answer,
    write(offset, value) {
      if (offset === doorbell) memory[0] = value;
    },
  });
  const address = await device.plugged;
  const measured = await rounds(address, [...floors, ...handlers], plan);
  await device.unplug();
  await served;
  return measured;
}

/** The same model as a loop. */
async function withLoop(plan: Plan): Promise<Round[]> {
  await using device = await open(spec);
  const memory = counterOf(device);
  const measuring = device.plugged
    .then((address) => rounds(address, iteration, plan))
    .finally(() => device.unplug());
  for await (const event of device) {
    if (event.kind === "read") event.complete(answer);
    else if (event.kind === "write" && event.offset === doorbell) {
      memory[0] = event.value;
    }
  }
  return await measuring;
}

function counterOf(device: Device): Uint32Array {
  const [bar] = device.bars;
  if (!bar) throw new Error("the bench device has no BAR 0");
  return new Uint32Array(bar.buffer, counter, 1);
}

function conditions(plan: Plan): Conditions {
  const { bun, deno } = process.versions;
  return {
    kernel: release(),
    runtime: deno ? `Deno ${deno}` : `Bun ${bun}`,
    processor: cpus()[0]?.model ?? "unknown",
    ...plan,
  };
}

if (import.meta.main) {
  const [rounds = NaN, count = NaN] = process.argv.slice(2).map(Number);
  const plan = { rounds, count };
  execFileSync("insmod", [`${process.env.BARKEEP_MODULES}/bench.ko`]);
  try {
    const served = await withHandlers(plan);
    const iterated = await withLoop(plan);
    const measured: Measured = {
      conditions: conditions(plan),
      served,
      iterated,
    };
    process.stdout.write(JSON.stringify(measured));
  } finally {
    execFileSync("rmmod", ["bench"]);
  }
}
