// SPDX-License-Identifier: MIT

/**
 * That no wake-up is lost: the completion timeout, at whose end whoever waits looks
 * again, is longer here than a case may take.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Event, Handlers } from "../../mod.ts";
import { switchesOf } from "./cpu_time.ts";
import { eventually, guestTest, plug, promptly, sleep } from "./harness.ts";
import { UserDriver } from "./user_driver.ts";

/** Milliseconds. */
const timeout = 600_000;

/** Up to six times what a driver spins before it sleeps. */
function dawdle(): void {
  const end = performance.now() + Math.random() * 0.3;
  while (performance.now() < end);
}

/** Models that answer 1 to a read, by and by. */
const models = {
  handlers: {
    read() {
      dawdle();
      return 1;
    },
  },
  "a loop": (event: Event) => {
    dawdle();
    if (event.kind === "read") event.complete(1);
  },
  promises: {
    async read() {
      await Promise.resolve();
      dawdle();
      return 1;
    },
  },
} as const satisfies Record<string, Handlers | ((event: Event) => void)>;

for (const [name, model] of Object.entries(models)) {
  guestTest(
    `a driver that sleeps is woken by each answer, with a model of ${name}`,
    async () => {
      const reads = 500;
      await using card = await plug({ timeout }, model);
      const before = switchesOf(card.driver.pid);
      const answer = await promptly(
        card,
        card.driver.run("drain", 0, 0, 4, reads, 0),
      );
      assert.equal(Number(answer), reads, "reads that gave another value");
      const slept = switchesOf(card.driver.pid) - before;
      assert.ok(slept > reads / 4, `it slept in ${slept} of ${reads} reads`);
    },
  );
}

guestTest("so is a driver in user space", async () => {
  await using card = await plug({ timeout }, models.handlers);
  using driver = await UserDriver.map(
    `/sys/kernel/debug/exerciser/${card.address}-remap`,
    4096,
  );
  const reads = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) assert.equal(await driver.read(0), 1);
  };
  await promptly(card, reads());
});

guestTest("a model that sleeps is woken by each write", async () => {
  const heard: number[] = [];
  await using card = await plug({ spin: 0 }, {
    write: (_offset, value) => void heard.push(value),
  });
  for (let value = 1; value <= 200; value++) {
    await sleep(Math.random() * 4);
    await card.driver.write(0, value);
    await eventually(() => heard.length === value, `write ${value}`);
  }
  assert.deepEqual(heard, Array.from({ length: 200 }, (_, n) => n + 1));
});

guestTest(
  "a model that goes to sleep after each event misses none",
  async () => {
    let last = 0;
    let reads = 0;
    await using card = await plug({ spin: 0, timeout }, {
      read() {
        dawdle();
        return (++reads, last);
      },
      write: (_offset, value) => void (last = value),
    });
    const count = 500;
    const answer = await promptly(
      card,
      card.driver.run("stream", 1, count, 1),
    );
    assert.equal(answer, "0 0", "reads that gave another value");
    assert.equal(reads, count);
  },
);
