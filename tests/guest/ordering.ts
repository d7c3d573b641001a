// SPDX-License-Identifier: MIT

/**
 * That the model sees every access, in the order in which each CPU made them,
 * however slow it is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import type { Handlers } from "../../mod.ts";
import { guestTest, plug } from "./harness.ts";
import { machines } from "./machines.ts";

/** Writes of each thread. */
const count = Number(process.env.BARKEEP_STREAM || 20_000);

/** Writes to a read of what was written. */
const every = 8;

/** A register for each thread; counts what is out of order. */
class Registers {
  readonly last: Int32Array;
  /** Writes that were not the next one of their thread. */
  wrong = 0;
  reads = 0;
  #slow = 0;

  constructor(threads: number) {
    this.last = new Int32Array(threads);
  }

  readonly handlers: Handlers = {
    read: (offset) => this.#read(offset),
    write: (offset, value) => this.#write(offset, value),
  };

  #read(offset: number): number {
    this.reads++;
    return this.last[offset / 4]!;
  }

  #write(offset: number, value: number): void {
    const thread = offset / 4;
    if (value !== this.last[thread]! + 1) this.wrong++;
    this.last[thread] = value;
    if (++this.#slow % 1000 === 0) this.#dawdle();
  }

  /** Long enough for the ring to be full. */
  #dawdle(): void {
    const end = performance.now() + 3;
    while (performance.now() < end);
  }

  /** Nothing was lost, doubled, or out of order. */
  assertAll(writes: number): void {
    assert.equal(this.wrong, 0, "writes of a thread are in its order");
    assert.deepEqual([...this.last], [...this.last].fill(writes));
    assert.equal(this.reads, this.last.length * Math.floor(writes / every));
  }
}

guestTest(
  `${count} writes of each of 4 CPUs reach a slow model in order, no read overtakes one`,
  async () => {
    const registers = new Registers(4);
    await using card = await plug(
      { ring: 256, timeout: 60_000 },
      registers.handlers,
    );
    const answer = await card.driver.run("stream", 4, count, every);
    assert.equal(answer, "0 0", "reads that gave another value");
    registers.assertAll(count);
    assert.equal(card.device.counters.timeouts, 0);
  },
  { machine: "four", limit: 90 + count / 1000 },
);

for (const context of ["atomic", "off"] as const) {
  const where = context === "off" ? "with interrupts off" : "under a spinlock";
  guestTest(
    `the same ${where}, while the model has a CPU of its own`,
    async () => {
      const own = (cpus: string) =>
        execFileSync("taskset", ["-acp", cpus, String(process.pid)]);
      const writes = Math.ceil(count / 10);
      const threads = 3;
      const registers = new Registers(threads);
      own("3");
      try {
        await using card = await plug({ timeout: 60_000 }, registers.handlers);
        const spare = 3 + 1;
        const answer = await card.driver
          .run("stream", threads, writes, every, context, spare);
        assert.equal(answer, "0 0", "reads that gave another value");
        registers.assertAll(writes);
      } finally {
        own(machines.four.model);
      }
    },
    { machine: "four", limit: 90 + count / 1000 },
  );
}

guestTest("two CPUs read at once, and each gets its own answer", async () => {
  const registers = new Registers(2);
  await using card = await plug({ timeout: 60_000 }, registers.handlers);
  assert.equal(await card.driver.run("stream", 2, 2000, 1), "0 0");
  assert.equal(registers.wrong, 0);
  assert.equal(registers.reads, 2 * 2000);
});

guestTest(
  "of more reads at once than there are slots, none is lost silently",
  async () => {
    const threads = 70;
    let over = false;
    await using card = await plug({ timeout: 1000 }, {
      read: () => over ? 1 : new Promise<number>(() => {}),
      write() {},
    });
    const answer = await card.driver.run("stream", threads, 1, 1);
    over = true;
    assert.equal(answer, `${threads} ${threads}`, "all are all-ones");
    assert.equal(card.device.counters.timeouts, threads);
    await card.told(
      "fault",
      () =>
        card.notices.filter(({ kind }) => kind === "fault").length === threads,
    );
    assert.equal(await card.driver.read(0), 1);
  },
);
