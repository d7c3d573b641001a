// SPDX-License-Identifier: MIT

/**
 * What becomes of writes while the ring is full: see `ordering.ts` for where it
 * is not.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Event } from "../../mod.ts";
import { EventClock } from "./event_clock.ts";
import { eventually, guestTest, plug, promptly, sleep } from "./harness.ts";
import { patiently, times } from "./patience.ts";
import { StreamRegisters } from "./stream.ts";

const threads = 4;
const ring = 256;
/** Entries that accesses can fill: the rest is for what cannot wait. */
const room = ring - 64;
/** Writes to a read: more than there is room for, of any thread. */
const every = 1024;
/** Writes of each thread, of which the last is read and so has arrived. */
const count = every *
  Math.ceil(times("BARKEEP_STREAM", { usual: 20_000 }) / 4 / every);

/** Makes a model pause now and then, and counts what was there when it went on. */
class Pauses {
  /** Events that each pause left behind. */
  readonly left: number[] = [];
  readonly #clock = new EventClock();
  #ended = -Infinity;
  #events = 0;

  async take(event: Event): Promise<void> {
    this.#clock.see(event);
    if (event.time <= this.#ended) {
      this.left[this.left.length - 1]!++;
    } else if (event.kind === "write" && this.#events++ % 1000 === 0) {
      await sleep(patiently(20));
      this.#ended = this.#clock.now();
      this.left.push(0);
    }
  }
}

guestTest(
  `${count} writes of each of 4 CPUs to a ring that is full reach the model in order`,
  async () => {
    const registers = new StreamRegisters(threads);
    const pauses = new Pauses();
    await using card = await plug({ ring, timeout: 600_000 }, async (event) => {
      registers.take(event);
      await pauses.take(event);
    });
    const answer = await promptly(
      card,
      card.driver.run("stream", threads, count, every),
      { seconds: 60 + count / 1000 },
    );
    assert.equal(answer, "0 0", "reads that gave another value");
    registers.assertAll(count, every);
    const full = pauses.left.filter((left) => left >= room - 2);
    const often = pauses.left.length / 4;
    assert.ok(full.length >= often, `it was not full: ${pauses.left}`);
    assert.ok(Math.max(...pauses.left) <= room, String(pauses.left));
    assert.equal(card.device.counters.timeouts, 0);
  },
  { machine: "four", limit: 120 + count / 1000 },
);

guestTest(
  "a write waits longer than the timeout for a model that is slow, but takes events",
  async () => {
    const writes = (room + ring / 2) / threads;
    const timeout = patiently(600);
    const registers = new StreamRegisters(threads);
    let taken = 0;
    // Room is for whoever waits when a quarter of the ring is free.
    await using card = await plug({ ring, timeout }, async (event) => {
      registers.take(event);
      if (event.kind !== "write") return;
      taken++;
      if (taken === 1) await sleep(timeout / 3);
      else if (taken <= ring / 4 + 8) await sleep(timeout / 40);
    });
    const start = performance.now();
    // Without a read, which is not waited for any longer than that.
    await card.driver.run("stream", threads, writes, writes + 1);
    assert.ok(performance.now() - start > 1.5 * timeout, "none waited so long");
    assert.equal(await card.driver.read(0), writes);
    assert.deepEqual([...registers.last], [...registers.last].fill(writes));
    assert.equal(registers.wrong, 0, "writes of a thread are in its order");
    assert.equal(card.device.counters.timeouts, 0);
  },
  { machine: "four" },
);

guestTest(
  "a store whose parts each wait for room may take longer than the timeout",
  async () => {
    const timeout = patiently(1000);
    // The first part has room when it has waited for so long, the second has not.
    const pauses = [timeout / 2, timeout];
    const heard: number[] = [];
    const bars = [{ size: 8192 }];
    await using card = await plug({ bars, ring, timeout }, async (event) => {
      if (event.kind === "read") event.complete(heard.length);
      if (event.kind !== "write") return;
      heard.push(event.offset);
      const pause = pauses.shift();
      if (pause) await sleep(pause);
    });
    await card.driver.write(0, 1);
    await eventually(() => heard.length === 1, "the first write");
    await card.driver.run("stream", 1, room, room + 1);
    await card.driver.write(4094, 0x1234_5678);
    assert.equal(await card.driver.read(0), 1 + room + 2);
    assert.deepEqual(heard.slice(1 + room), [4094, 4096]);
  },
);
