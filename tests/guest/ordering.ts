// SPDX-License-Identifier: MIT

/**
 * That the model sees every access, in the order in which the CPUs made them,
 * however slow it is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import type { Handlers } from "../../mod.ts";
import { EventClock } from "./event_clock.ts";
import { guestTest, plug, promptly, sleep } from "./harness.ts";
import { machines } from "./machines.ts";
import { times } from "./patience.ts";
import { StreamRegisters } from "./stream.ts";

/** Writes of each thread, where it has nothing to hold. */
const most = times("BARKEEP_STREAM", { usual: 1_000_000, slow: 20_000 });

/** Writes of each thread elsewhere. */
const count = times("BARKEEP_STREAM", { usual: 20_000 });

/** Writes to a read of what was written. */
const every = 8;

/** Makes handlers stop now and then, so that accesses of all CPUs pile up. */
function dawdling(
  { read, write }: Handlers,
  { each = 1000 }: { each?: number } = {},
): Handlers {
  let writes = 0;
  return {
    read,
    write(...access) {
      if (++writes % each === 0) {
        const end = performance.now() + 3;
        while (performance.now() < end);
      }
      return write?.(...access);
    },
  };
}

guestTest(
  "all writes of 4 CPUs reach a slow model in order, and no read overtakes one",
  async () => {
    const registers = new StreamRegisters(4);
    await using card = await plug(
      { ring: 256, timeout: 60_000 },
      dawdling(registers.handlers),
    );
    const answer = await card.driver.run("stream", 4, most, every);
    assert.equal(answer, "0 0", "reads that gave another value");
    registers.assertAll(most, every);
    assert.equal(card.device.counters.timeouts, 0);
  },
  { machine: "four", limit: 90 + most / 1000 },
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
      const registers = new StreamRegisters(threads);
      own("3");
      try {
        await using card = await plug(
          { timeout: 60_000 },
          dawdling(registers.handlers),
        );
        const spare = 3 + 1;
        const answer = await card.driver
          .run("stream", threads, writes, every, context, spare);
        assert.equal(answer, "0 0", "reads that gave another value");
        registers.assertAll(writes, every);
      } finally {
        own(machines.four.model);
      }
    },
    { machine: "four", limit: 90 + count / 1000 },
  );
}

/** The model of `relay`: two registers, and the only order there may be. */
class RelayRegisters {
  readonly #registers = new Int32Array(2);
  /** Writes so far. */
  writes = 0;
  /** Those that were not the next one of both CPUs together. */
  wrong = 0;

  readonly handlers: Handlers = {
    read: (offset) => this.#registers[offset / 4]!,
    write: (offset, value) => {
      const expected = Math.floor(this.writes / 2) + 1;
      const turn = this.writes++ % 2;
      if (offset !== 4 * turn || value !== expected) this.wrong++;
      this.#registers[offset / 4] = value;
    },
  };
}

for (const rounds of [1, 50]) {
  const reads = rounds === 1 ? "each" : `every ${rounds}th`;
  const turns = Math.ceil(count / (rounds === 1 ? 200 : 20));
  guestTest(
    `writes of two CPUs that take turns are in that order, and ${reads} read flushes both`,
    async () => {
      const relay = new RelayRegisters();
      await using card = await plug(
        { ring: 256, timeout: 600_000 },
        dawdling(relay.handlers, { each: 64 }),
      );
      const answer = await promptly(
        card,
        card.driver.run("relay", turns, rounds),
        { seconds: 60 + count / 1000 },
      );
      assert.equal(answer, "0", "reads that gave another value");
      assert.equal(await card.driver.read(4), turns);
      assert.equal(relay.writes, 2 * turns);
      assert.equal(relay.wrong, 0, "writes are in the order of turns");
    },
    { machine: "four", limit: 90 + count / 1000 },
  );
}

guestTest("two CPUs read at once, and each gets its own answer", async () => {
  const registers = new StreamRegisters(2);
  const reads = 200;
  const clock = new EventClock();
  let answered = 0;
  let overlapping = 0;
  await using card = await plug({ timeout: 60_000 }, async (event) => {
    clock.see(event);
    if (event.kind !== "read") return registers.take(event);
    // It was made while the one before it waited for its answer.
    if (event.time < answered) overlapping++;
    // Time for the other CPU.
    if (registers.reads % 10 === 0) await sleep(2);
    answered = clock.now();
    registers.take(event);
  });
  assert.equal(await card.driver.run("stream", 2, reads, 1), "0 0");
  registers.assertAll(reads, 1);
  assert.ok(overlapping >= reads / 20, `only ${overlapping} overlapped`);
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

guestTest(
  "more reads at once than there are slots are all answered",
  async () => {
    const threads = 70;
    const reads = 30;
    const registers = new StreamRegisters(threads);
    await using card = await plug({ timeout: 60_000 }, async (event) => {
      // So that the drivers sleep, those that have a slot and those that have none.
      if (event.kind === "read") await sleep(1);
      registers.take(event);
    });
    const stream = card.driver.run("stream", threads, reads, 1);
    assert.equal(await promptly(card, stream), "0 0");
    registers.assertAll(reads, 1);
  },
);
