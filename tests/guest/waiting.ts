// SPDX-License-Identifier: MIT

/**
 * Drivers that wait for their model, and models that wait for their driver.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { msi } from "../../mod.ts";
import { assertIdle } from "./cpu_time.ts";
import {
  type Card,
  type Context,
  eventually,
  Exerciser,
  guestTest,
  plug,
  sleep,
} from "./harness.ts";
import { patiently } from "./patience.ts";
import { ModelProcess } from "./model_process.ts";

const ones = 0xffff_ffff;

/** Contexts that the tests of accesses do not have. */
const elsewhere = {
  rcu: "in an RCU reader",
  nofault: "with page faults disabled",
  timer: "in a timer",
  hardirq: "in an interrupt handler",
} as const satisfies Partial<Record<Context, string>>;

const beyond = ["rcu", "nofault", "timer", "hardirq"] as const;

for (const context of beyond) {
  guestTest(`a driver ${elsewhere[context]} reads what it wrote`, async () => {
    let register = 0;
    await using card = await plug({}, {
      read: () => register,
      write: (_offset, value) => void (register = value),
    });
    for (let value = 1; value <= 10; value++) {
      await card.driver.write(0, value, { context });
      assert.equal(await card.driver.read(0, 4, { context }), value);
      const next = ~value >>> 0;
      assert.equal(await card.driver.swap(0, next, { context }), next);
    }
  });
}

/** Voluntary switches of whoever made, or was interrupted by, the last access. */
const switches = async ({ driver }: Card): Promise<number> =>
  Number(await driver.run("switches"));

for (const context of ["atomic", "off", ...beyond] as const) {
  guestTest(
    `a driver in context ${context} keeps its CPU until a slow model answers`,
    async () => {
      await using card = await plug({}, {
        async read() {
          await sleep(20);
          return 7;
        },
      });
      for (let round = 1; round <= 3; round++) {
        assert.equal(await card.driver.read(0, 4, { context }), 7);
        assert.equal(await switches(card), 0);
      }
      assert.equal(await card.driver.read(0), 7);
      assert.ok(await switches(card) > 0, "else that shows nothing");
    },
  );
}

guestTest(
  "the handler of the device's own interrupt reads the device",
  async () => {
    let reads = 0;
    await using card = await plug({ capabilities: [msi({ vectors: 1 })] }, {
      read: (offset) => offset === 0x10 ? ++reads : 0,
    });
    await card.driver.run("handler", 0, 0x10);
    await card.driver.run("vectors", 1);
    for (let n = 1; n <= 10; n++) {
      card.device.irq.raise(0);
      await eventually(
        async () => await card.driver.run("interrupts") === String(n),
        `interrupt ${n}`,
      );
      assert.equal(reads, n);
      assert.equal(Number(await card.driver.run("handled")), n);
    }
    assert.equal(card.device.counters.timeouts, 0);
  },
);

guestTest(
  "a model that reads its own device times out, is told, and goes on",
  async () => {
    await using card = await plug({ timeout: 300 }, { read: () => 7 });
    const file = `/sys/kernel/debug/exerciser/${card.address}`;
    // The only thread of the model is in this until the read is over.
    writeFileSync(file, "read 0 0x20 4");
    assert.equal(Number(readFileSync(file, "utf8")), ones);
    assert.equal(card.device.counters.timeouts, 1);
    const fault = await card.told(
      "fault",
      ({ reason }) => reason === "timeout",
    );
    assert.deepEqual([fault.bar, fault.offset, fault.width], [0, 0x20, 4]);
    assert.equal(await card.driver.read(0), 7);
  },
);

guestTest(
  "each element of a string instruction may take the whole timeout",
  async () => {
    const timeout = patiently(1000);
    await using card = await plug({ timeout }, {
      async read(offset) {
        await sleep(timeout / 3);
        return 1 + offset / 4;
      },
    });
    assert.equal(await card.driver.run("sum", 0, 0, 32), "36");
    assert.equal(card.device.counters.timeouts, 0);
  },
);

guestTest(
  "a driver gets its CPU back that reads a slow model on and on under a lock",
  async () => {
    const reads = 14;
    await using card = await plug({ timeout: 60_000 }, {
      async read() {
        // In the second that such a wait has.
        await sleep(700);
        return 0;
      },
    });
    const sum = await card.driver.run("sum", 0, 0, 4 * reads, 1);
    const unanswered = Number(sum) / (4 * 0xff);
    assert.ok(unanswered > 0, "it waited for all of them");
    assert.ok(unanswered < reads, "it waited for none of them");
  },
);

guestTest(
  "a model that was away is waited for again, though it is slow",
  async () => {
    const timeout = patiently(1000);
    const reads = 30;
    let first = true;
    await using card = await plug({ timeout }, {
      async read() {
        // Longer than the wait for a model that let one time out.
        await sleep(first ? 1.3 * timeout : 80);
        first = false;
        return 7;
      },
    });
    const answer = await card.driver.run("stream", 1, reads, 1);
    const unanswered = Number(answer.split(" ")[1]);
    assert.ok(unanswered > 0, "it was not away");
    assert.ok(unanswered < reads / 2, `${unanswered} were not answered`);
  },
);

guestTest("an idle model leaves the CPU alone, and wakes up", async () => {
  await using model = new ModelProcess("./models/telling.ts", {
    args: ["--completion-timeout", "30000"],
  });
  using driver = await Exerciser.bind(await model.plugged());
  assert.equal(await driver.read(0), 0);
  await sleep(500);
  await assertIdle(model.pid, 3);
  await driver.write(0, 1);
  assert.equal(await driver.read(0), 1);
});

guestTest("a driver that waits long leaves the CPU alone", async () => {
  let answer: ((value: number) => void) | undefined;
  await using card = await plug({ timeout: 60_000 }, {
    read: () => new Promise<number>((resolve) => answer = resolve),
  });
  const read = card.driver.read(0);
  await eventually(() => answer, "the read");
  await sleep(100);
  await assertIdle(card.driver.pid, 3, { switches: 0 });
  answer?.(5);
  assert.equal(await read, 5);
});

guestTest("on the only CPU, a driver that may sleep is answered", async () => {
  const bytes = 4096;
  let register = 0;
  const writes: [number, number][] = [];
  await using card = await plug({ ring: 256, timeout: 60_000 }, {
    read: () => register,
    write(offset, value) {
      register = value;
      writes.push([offset, value]);
    },
  });
  for (let value = 1; value <= 20; value++) {
    assert.equal(await card.driver.swap(0, value), value);
  }
  writes.length = 0;
  await card.driver.run("copy", 0, 0, bytes);
  assert.equal(await card.driver.read(0), 0xfffe_fdfc, "beyond a full ring");
  const copied = new DataView(
    Uint8Array.from({ length: bytes }, (_, n) => n).buffer,
  );
  assert.deepEqual(
    writes,
    Array.from(
      { length: bytes / 4 },
      (_, n) => [4 * n, copied.getUint32(4 * n, true)],
    ),
  );
  assert.equal(card.device.counters.timeouts, 0);
}, { machine: "one" });

const spinning = ["atomic", "off", "timer", "hardirq"] as const;
for (const context of spinning) {
  guestTest(
    `on the only CPU, a read in context ${context} times out, and the next is answered`,
    async () => {
      await using card = await plug({ timeout: 500 }, { read: () => 3 });
      for (let round = 1; round <= 3; round++) {
        assert.equal(await card.driver.read(0, 4, { context }), ones);
        assert.equal(card.device.counters.timeouts, round);
      }
      await card.told("fault", ({ reason }) => reason === "timeout");
      assert.equal(await card.driver.read(0), 3);
    },
    { machine: "one" },
  );
}

guestTest(
  "on the only CPU, a write with interrupts off wakes a model that sleeps",
  async () => {
    const heard: number[] = [];
    await using card = await plug({ spin: 0 }, {
      write: (_offset, value) => void heard.push(value),
    });
    for (let value = 1; value <= 5; value++) {
      await sleep(200);
      await card.driver.write(0, value, { context: "off" });
      await eventually(() => heard.length === value, `write ${value}`);
    }
    assert.deepEqual(heard, [1, 2, 3, 4, 5]);
  },
  { machine: "one" },
);
