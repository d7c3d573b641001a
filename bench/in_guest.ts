// SPDX-License-Identifier: MIT

/**
 * The part of the bench that runs where `/dev/barkeep` is: serves the bench
 * device, has its driver measure it or measures itself, and prints the rounds
 * as JSON. Its argument is a {@link Plan}.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { cpus, release } from "node:os";
import process from "node:process";
import { loadRuntime } from "../ffi/runtime.ts";
import { Driver, whileAwake } from "./driver.ts";
import {
  clock,
  type Floor,
  floors,
  type How,
  type Sample,
  type Scene,
  type Stage,
} from "./path.ts";
import { paths } from "./paths.ts";
import { percentile, type Round } from "./report.ts";
import { inScene, memoryOf } from "./scenes.ts";

/** What to measure, how often. */
export interface Plan {
  /** Titles. */
  readonly paths: readonly string[];
  readonly floors: readonly Floor[];
  /** Rounds before those that count: the JIT compiles in them. */
  readonly warmUp: number;
  readonly rounds: number;
  /** Iterations of a path in one round. */
  readonly count: number;
}

/** What it prints. */
export interface Measured {
  readonly conditions: Conditions;
  readonly rounds: readonly Round[];
}

/** What the numbers were measured on. */
export interface Conditions {
  readonly kernel: string;
  readonly runtime: "bun" | "deno";
  readonly version: string;
  readonly processor: string;
  readonly rounds: number;
  /** Iterations of a path in one round. */
  readonly count: number;
}

/** What the scenes have to measure, each once in a round. */
function programme(plan: Plan): Map<Scene, Map<string, How>> {
  const scenes: Map<Scene, Map<string, How>> = new Map();
  const add = (scene: Scene, how: How): void => {
    let hows = scenes.get(scene);
    if (!hows) {
      const first: How[] = [
        clock,
        ...plan.floors.map((name) => floors[name].how),
      ];
      hows = new Map(first.map((how) => [how.name, how]));
      scenes.set(scene, hows);
    }
    hows.set(how.name, how);
  };
  for (const { title, how, scene, against } of paths) {
    if (!plan.paths.includes(title)) continue;
    if (against) add(against, how);
    add(scene, how);
  }
  return scenes;
}

async function measureScene(
  scene: Scene,
  hows: Iterable<How>,
  plan: Plan,
): Promise<Round[]> {
  const callKernel = await infoCall();
  return await inScene(scene, async (device, address) => {
    using driver = new Driver(address);
    const stage = {
      device,
      memory: memoryOf(device),
      buffer: driver.buffer,
      callKernel,
    };
    const rounds: Round[] = [];
    for (let round = 0; round < plan.warmUp + plan.rounds; round++) {
      const samples: Record<string, Sample> = {};
      for (const how of hows) {
        const { name, divisor = 1 } = how;
        const count = Math.ceil(plan.count / divisor);
        samples[`${scene}/${name}`] = how.by === "driver"
          ? await driver.measure(name, count)
          : await sampled(how, { stage, count });
      }
      if (round >= plan.warmUp) rounds.push(samples);
    }
    return rounds;
  });
}

async function sampled(
  { sample, awake }: Extract<How, { by: "model" }>,
  { stage, count }: { stage: Stage; count: number },
): Promise<Sample> {
  const act = (): number[] => sample(stage, count);
  const times = awake ? await whileAwake(act) : act();
  return {
    p50: percentile(times, 50),
    p99: percentile(times, 99),
    mean: times.reduce((sum, time) => sum + time, 0) / times.length,
    count: times.length,
  };
}

/** A call that asks `/dev/barkeep` for what it always is. */
async function infoCall(): Promise<() => void> {
  const { calls } = await loadRuntime();
  const file = calls.barkeep_open(new TextEncoder().encode("/dev/barkeep\0"));
  if (file < 0) throw new Error(`cannot open /dev/barkeep: errno ${-file}`);
  const out = new Uint32Array(2);
  return () => calls.barkeep_info(file, out);
}

function conditions({ rounds, count }: Plan): Conditions {
  const { bun, deno } = process.versions;
  return {
    kernel: release(),
    runtime: deno ? "deno" : "bun",
    version: (deno ?? bun) as string,
    processor: cpus()[0]?.model ?? "unknown",
    rounds,
    count,
  };
}

if (import.meta.main) {
  const plan: Plan = JSON.parse(process.argv[2] ?? "");
  execFileSync("insmod", [`${process.env.BARKEEP_MODULES}/bench.ko`]);
  try {
    const rounds: Round[] = Array.from({ length: plan.rounds }, () => ({}));
    for (const [scene, hows] of programme(plan)) {
      const measured = await measureScene(scene, [...hows.values()], plan);
      measured.forEach((round, index) => {
        rounds[index] = { ...rounds[index], ...round };
      });
    }
    const measured: Measured = { conditions: conditions(plan), rounds };
    process.stdout.write(JSON.stringify(measured));
  } finally {
    execFileSync("rmmod", ["bench"]);
  }
}
