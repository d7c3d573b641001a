// SPDX-License-Identifier: MIT

/**
 * Declared registers, from a driver's accesses to a model's objects and events.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  bit,
  bits,
  type Event,
  type Handlers,
  open,
  pcie,
  registers,
} from "../../mod.ts";
import { hammer } from "./hammer.ts";
import { guestTest, plug, sleep } from "./harness.ts";
import { patiently } from "./patience.ts";

/** Handlers that nothing should come to. */
export function deaf(): { heard: unknown[]; handlers: Handlers } {
  const heard: unknown[] = [];
  const handlers: Handlers = {
    read: (...access) => (heard.push(["read", ...access]), 0),
    write: (...access) => void heard.push(["write", ...access]),
  };
  return { heard, handlers };
}

guestTest("the kernel answers registers by their access types", async () => {
  const map = registers({
    id: { at: 0x00, access: "ro", reset: 0x010000ed },
    scratch: { at: 0x04, reset: 0x11223344 },
    secret: { at: 0x08, access: "wo", reset: 0xffffffff },
    status: {
      at: 0x0c,
      reset: 0xf0,
      fields: { busy: bit(4, "ro"), error: bit(5, "w1c"), gone: bit(6, "w0c") },
    },
    events: { at: 0x10, access: "rc", reset: 0xabcd },
    lock: { at: 0x14, access: "rs" },
    request: { at: 0x18, width: 2, access: "w1s" },
    nothing: { at: 0x1a, width: 2, access: "reserved", reset: 0x5a5a },
    address: { at: 0x20, width: 8 },
  });
  const { heard, handlers } = deaf();
  const bars = [{ size: 4096, registers: map }] as const;
  await using card = await plug({ bars }, handlers);
  const { driver } = card;
  const regs = card.device.bars[0].registers;
  const after = async (
    offset: number,
    value: number,
    width = 4,
  ): Promise<number> => {
    await driver.write(offset, value, { width });
    return await driver.read(offset, width);
  };
  assert.equal(await after(0x00, 0), 0x010000ed);
  assert.equal(await after(0x04, 0xfedcba98), 0xfedcba98);
  assert.equal(regs.scratch.value, 0xfedcba98);
  assert.equal(await after(0x08, 0x12345678), 0xffffffff);
  assert.equal(regs.secret.value, 0x12345678);
  assert.equal(await after(0x0c, 0), 0xb0, "0 clears gone");
  assert.equal(await after(0x0c, 0xffffffff), 0x90, "1 clears error");
  assert.equal(await driver.read(0x10), 0xabcd);
  assert.equal(await driver.read(0x10), 0, "cleared by the read before");
  assert.equal(await driver.read(0x14), 0);
  assert.equal(await driver.read(0x14), 0xffffffff, "set by the read before");
  assert.equal(await after(0x18, 0x8000, 2), 0x8000);
  assert.equal(await after(0x18, 0x0001, 2), 0x8001);
  assert.equal(await after(0x1a, 0, 2), 0x5a5a);
  await driver.run("write", 0, 0x20, 8, "0x8123456789abcdef");
  assert.equal(regs.address.value, 0x8123456789abcdefn);
  assert.equal(await driver.read(0x24), 0x81234567);
  await driver.write(0x05, 0x77, { width: 1 });
  assert.equal(await driver.read(0x04), 0xfedc7798);
  assert.deepEqual(heard, []);
});

guestTest("a driver sees at once what the model stores", async () => {
  const map = registers({
    status: {
      at: 0x20,
      fields: { busy: bit(0, "ro"), mode: bits(7, 4, "ro") },
    },
    cause: { at: 0x24, access: "w1c" },
    lanes: { at: 0x100, width: 1, count: 4, stride: 16, access: "ro" },
  });
  await using card = await plug({ bars: [{ size: 4096, registers: map }] });
  const { driver } = card;
  const regs = card.device.bars[0].registers;
  regs.status.busy = 1;
  regs.status.mode = 0xa;
  assert.equal(await driver.read(0x20), 0xa1);
  regs.status.busy = 0;
  assert.equal(await driver.read(0x20), 0xa0);
  regs.cause.set(0x80000011);
  await driver.write(0x24, 0x10);
  assert.equal(regs.cause.value, 0x80000001);
  regs.cause.clear(1);
  assert.equal(await driver.read(0x24), 0x80000000);
  for (let lane = 0; lane < 4; lane++) regs.lanes.at(lane).value = lane + 1;
  assert.equal(await driver.read(0x130, 1), 4);
});

/** What the threads of `bench.ko` access, in this order, turn by turn. */
const hammered = registers({
  first: { at: 0x0000, fields: { model: bit(0, "ro"), turn: bits(31, 1) } },
  second: { at: 0x1008, fields: { turn: bits(31, 1) } },
  answered: { at: 0x0008 },
  shadow: { at: 0x1000 },
});

guestTest(
  "the model changes bits of a register without undoing what its driver does",
  async () => {
    const device = await open({
      id: { vendor: 0x1234, device: 0xbe9c },
      bars: [{ size: 16384, registers: hammered }],
      timeout: patiently(5000),
    });
    await using _unplugged = device;
    const served = device.serve({});
    const address = await device.plugged;
    const { first, second } = device.bars[0].registers;
    const check = (): void => {
      const before = second.turn;
      assert.ok(first.turn >= before, "a turn has come back");
    };
    await hammer(address, 1);
    while (second.turn < 20000) {
      const end = performance.now() + 10;
      while (performance.now() < end) {
        first.model = 1;
        check();
        first.clear(1);
        check();
        first.set(1);
        check();
        first.model = 0;
        check();
      }
      await sleep(1);
    }
    await hammer(address, 0);
    await device.unplug();
    await served;
  },
  { limit: 60 },
);

guestTest("a for await loop's events name registers", async () => {
  const map = registers({
    doorbell: { at: 0x100, count: 4, tell: "write" },
    fifo: { at: 0, access: "ro", wait: "read" },
    clock: { at: 8, width: 8, access: "ro", wait: "read" },
    start: { at: 16, wait: "write" },
    cause: { at: 20, access: "rc", tell: "read", reset: 3 },
    wide: { at: 24, width: 8, tell: "write" },
  });
  const seen: unknown[] = [];
  const body = async (event: Event): Promise<void> => {
    if (!("bar" in event)) return;
    const { kind, register, index, offset, width } = event;
    const value = "value" in event ? event.value : undefined;
    const enables = "byteEnables" in event ? event.byteEnables : undefined;
    seen.push([kind, register, index, offset, width, enables, value]);
    if (event.kind === "read") event.complete(0x600d);
    if (event.kind === "read64") event.complete(0x8000_0000_0000_0001n);
    if (register === "start") {
      await sleep(20);
      regs.cause.value = 0x10;
    }
  };
  const bars = [{ size: 4096, registers: map }] as const;
  await using card = await plug({ bars }, body);
  const { driver } = card;
  const regs = card.device.bars[0].registers;
  assert.equal(await driver.read(20), 3);
  await driver.write(16, 1);
  assert.equal(await driver.read(20), 0x10, "after the body");
  await driver.write(0x10c, 7);
  assert.equal(await driver.read(0), 0x600d);
  assert.equal(await driver.read(2, 1), 0);
  assert.equal(await driver.run("read", 0, 8, 8), "0x8000000000000001");
  await driver.run("write", 0, 24, 8, "0x8000000000000002");
  assert.equal(await driver.read(0x40), 0x600d);
  assert.deepEqual(seen, [
    ["answered", "cause", 0, 20, 4, 0b1111, 3],
    ["write", "start", 0, 16, 4, 0b1111, 1],
    ["answered", "cause", 0, 20, 4, 0b1111, 0x10],
    ["write", "doorbell", 3, 0x10c, 4, 0b1111, 7],
    ["read", "fifo", 0, 0, 4, 0b1111, undefined],
    ["read", "fifo", 0, 0, 4, 0b0100, undefined],
    ["read64", "clock", 0, 8, 8, 0xff, undefined],
    ["write64", "wide", 0, 24, 8, 0xff, 0x8000_0000_0000_0002n],
    ["read", undefined, undefined, 0x40, 4, 0b1111, undefined],
  ]);
  assert.equal(card.device.counters.timeouts, 0);
});

guestTest("a reset of the function is one of its registers", async () => {
  const map = registers({
    scratch: { at: 0, reset: 0x1234 },
    lanes: { at: 8, width: 2, count: 3, reset: 7 },
  });
  await using card = await plug({
    bars: [{ size: 4096, registers: map }],
    capabilities: [pcie({ flr: true })],
  });
  const regs = card.device.bars[0].registers;
  await card.driver.write(0, 0);
  regs.lanes.at(2).value = 0;
  await card.driver.run("reset");
  await card.told("reset");
  assert.equal(regs.scratch.value, 0x1234);
  assert.equal(await card.driver.read(12, 2), 7);
});
