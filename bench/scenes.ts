// SPDX-License-Identifier: MIT
import { writeFileSync } from "node:fs";
import { type Device, type DeviceSpec, msi, open, registers } from "../mod.ts";
import { memoryWord, type Scene } from "./path.ts";

const pageSize = 4096;
const doorbell = 0x10;
/** What the driver reads; anything but all-ones, which would mean gone. */
const answer = 0x600d;
const crowd = 63;
const mappings = 4096;

/** The layout that kernel/drivers/bench_main.c expects. */
const spec: DeviceSpec = {
  id: { vendor: 0x1234, device: 0xbe9c },
  bars: [{
    size: 4 * pageSize,
    trap: [[0, pageSize]],
    shadow: [[pageSize, pageSize]],
    registers: registers({
      declared: { at: 0x20, access: "ro", reset: answer },
    }),
  }],
  capabilities: [msi()],
  // On a busy machine a model may not get a CPU for longer than cards take.
  timeout: 10_000,
};

/** What is done with the device that is measured, once it is on the bus. */
type Perform<Result> = (device: Device, address: string) => Promise<Result>;

const scenes: Record<
  Scene,
  <Result>(perform: Perform<Result>) => Promise<Result>
> = {
  handlers: withHandlers,
  loop: withLoop,
  crowd: withCrowd,
  mapped: withMappings,
};

/** Plugs what the scene has, performs, and unplugs it. */
export async function inScene<Result>(
  scene: Scene,
  perform: Perform<Result>,
): Promise<Result> {
  return await scenes[scene](perform);
}

async function withCrowd<Result>(perform: Perform<Result>): Promise<Result> {
  const others = await Promise.all(Array.from({ length: crowd }, plugIdle));
  try {
    return await withHandlers(perform);
  } finally {
    await Promise.all(others.map((device) => device.unplug()));
  }
}

/** The driver's own mapping goes on to be there, and to be used. */
async function withMappings<Result>(
  perform: Perform<Result>,
): Promise<Result> {
  return await withHandlers((device, address) => {
    const file = `/sys/kernel/debug/bench-${address}/mappings`;
    writeFileSync(file, String(mappings - 1));
    return perform(device, address);
  });
}

async function plugIdle(): Promise<Device> {
  const device = await open(spec);
  device.serve({ read: () => answer, write() {} });
  await device.plugged;
  return device;
}

async function withHandlers<Result>(
  perform: Perform<Result>,
): Promise<Result> {
  await using device = await open(spec);
  const memory = memoryOf(device);
  const served = device.serve({
    read: () => answer,
    write(offset, value) {
      if (offset === doorbell) memory[memoryWord.counter] = value;
    },
  });
  const result = await perform(device, await device.plugged);
  await device.unplug();
  await served;
  return result;
}

/** The same model as a loop. */
async function withLoop<Result>(perform: Perform<Result>): Promise<Result> {
  await using device = await open(spec);
  const memory = memoryOf(device);
  const performing = device.plugged
    .then((address) => perform(device, address))
    .finally(() => device.unplug());
  for await (const event of device) {
    if (event.kind === "read") event.complete(answer);
    else if (event.kind === "write" && event.offset === doorbell) {
      memory[memoryWord.counter] = event.value;
    }
  }
  return await performing;
}

/** The page of BAR 0 that is memory. */
export function memoryOf({ bars: [{ buffer }] }: Device): Uint32Array {
  return new Uint32Array(buffer, 2 * pageSize, 2);
}
