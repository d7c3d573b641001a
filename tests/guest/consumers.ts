// SPDX-License-Identifier: MIT

/**
 * The ways a model takes its events, and what becomes of reads that it does not
 * answer as it should.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  Busy,
  CompletionRefused,
  type Event,
  open,
  type ReadEvent,
  registers,
} from "../../mod.ts";
import {
  type Card,
  Exerciser,
  guestTest,
  isPresent,
  plain,
  plug,
  sleep,
} from "./harness.ts";
import { patiently } from "./patience.ts";

const ones = 0xffff_ffff;

guestTest("a for await loop gets writes and answers reads", async () => {
  let register = 7;
  await using card = await plug({}, (event) => {
    if (event.kind === "write") register = event.value;
    if (event.kind === "read") event.complete(register + event.offset);
  });
  assert.equal(await card.driver.read(4), 11);
  await card.driver.write(0, 100);
  assert.equal(await card.driver.read(8), 108);
});

guestTest(
  "a for await loop gets an 8-byte read as one bigint, and split ones in pieces",
  async () => {
    const bars = [{ size: 4096, width: 8 }, { size: 4096 }] as const;
    const pieces: number[] = [];
    await using card = await plug({ bars }, (event) => {
      if (event.kind === "read64") event.complete(0x8000_0000_0000_0001n);
      if (event.kind === "read") {
        pieces.push(event.offset);
        event.complete(event.offset);
      }
    });
    const { driver } = card;
    assert.equal(await driver.run("read", 0, 0, 8), "0x8000000000000001");
    assert.equal(await driver.run("read", 1, 16, 8), "0x1400000010");
    assert.deepEqual(pieces, [16, 20]);
  },
);

guestTest(
  "an async handler's access completes when its promise settles",
  async () => {
    const order: string[] = [];
    await using card = await plug({}, {
      async read(offset) {
        order.push(`read ${offset}`);
        await sleep(20);
        order.push(`answer ${offset}`);
        return offset + 1;
      },
      async write(offset) {
        await sleep(20);
        order.push(`wrote ${offset}`);
      },
    });
    await card.driver.write(8, 1);
    assert.equal(await card.driver.read(4), 5);
    assert.equal(await card.driver.read(0), 1);
    assert.deepEqual(order, [
      "wrote 8",
      ...["read 4", "answer 4"],
      ...["read 0", "answer 0"],
    ]);
  },
);

guestTest("four devices are served in one process at once", async () => {
  await using stack = new AsyncDisposableStack();
  const cards: Card[] = [];
  for (let n = 1; n <= 4; n++) {
    const model = n % 2 ? { read: () => n } : (event: unknown) => {
      const read = event as ReadEvent;
      if (read.kind === "read") read.complete(n);
    };
    cards.push(stack.use(await plug({}, model)));
  }
  for (let round = 0; round < 3; round++) {
    const values = cards.map((card) => card.driver.read(0));
    assert.deepEqual(await Promise.all(values), [1, 2, 3, 4]);
  }
  assert.equal(new Set(cards.map((card) => card.address)).size, 4);
});

guestTest(
  "a device has one consumer at a time",
  async () => {
    await using card = await plug({}, { read: () => 1 });
    assert.throws(() => card.device[Symbol.asyncIterator](), Busy);
    await assert.rejects(card.device.serve({}), Busy);
    assert.equal(await card.driver.read(0), 1);
  },
);

guestTest(
  "a loop that is left is followed by another, and that by handlers",
  async () => {
    const device = await open(plain);
    for await (const event of device) {
      if (event.kind === "plugged") break;
    }
    using driver = await Exerciser.bind(await device.plugged);
    // Nobody listens, and nothing is lost.
    await driver.write(4, 9);
    const heard: unknown[] = [];
    const first = driver.read(8);
    for await (const event of device) {
      if (event.kind === "write") heard.push([event.offset, event.value]);
      if (event.kind !== "read") continue;
      event.complete(2);
      break;
    }
    assert.equal(await first, 2);
    assert.deepEqual(heard, [[4, 9]]);
    const served = device.serve({ read: () => 3 });
    assert.throws(() => device[Symbol.asyncIterator](), Busy);
    assert.equal(await driver.read(0), 3);
    await device.unplug();
    await device.gone;
    await served;
  },
);

guestTest("next() twice at once is of two events", async () => {
  await using device = await open({ ...plain, timeout: patiently(10_000) });
  const events = device[Symbol.asyncIterator]();
  const until = async (wanted: (event: Event) => boolean) => {
    for (;;) {
      const { value, done } = await events.next();
      if (done || wanted(value)) return;
    }
  };
  await until(({ kind }) => kind === "plugged");
  using driver = await Exerciser.bind(await device.plugged);
  await driver.write(8, 1);
  await until((event) => event.kind === "write" && event.offset === 8);
  const both = [events.next(), events.next()];
  await driver.write(0, 1);
  await driver.write(4, 2);
  const told = await Promise.all(both);
  const offsets = told.map(({ value }) =>
    value.kind === "write" && value.offset
  );
  assert.deepEqual(offsets, [0, 4]);
});

guestTest(
  "a loop that is left with a read undone has it read all-ones",
  async () => {
    await using device = await open({ ...plain, timeout: patiently(10_000) });
    for await (const event of device) {
      if (event.kind === "plugged") break;
    }
    using driver = await Exerciser.bind(await device.plugged);
    const undone = driver.read(8);
    for await (const event of device) {
      if (event.kind === "read") break;
    }
    assert.equal(await undone, ones);
    const { timeouts, uncompleted } = device.counters;
    assert.deepEqual([timeouts, uncompleted], [0, 1]);
    const offsets: number[] = [];
    const served = device.serve({
      read: (offset) => (offsets.push(offset), 3),
    });
    assert.equal(await driver.read(0), 3);
    assert.deepEqual(offsets, [0], "it is not asked for again");
    await device.unplug();
    await device.gone;
    await served;
  },
);

guestTest(
  "a driver that sleeps is woken when the last piece of its read is there",
  async () => {
    const bars = [{ size: 4096, width: 8 }, { size: 4096 }] as const;
    // Longer than this case may take: one that is not woken does not end.
    const timeout = 600_000;
    await using card = await plug({ bars, timeout }, async (event) => {
      if (event.kind !== "read64" && event.kind !== "read") return;
      await sleep(20);
      if (event.kind === "read") event.complete(2);
      else event.complete(1n);
    });
    assert.equal(await card.driver.run("read", 0, 0, 8), "0x1");
    assert.equal(await card.driver.run("read", 1, 0, 8), "0x200000002");
  },
);

guestTest(
  "a read that a loop's body forgets is all-ones and reported",
  async () => {
    const map = registers({ later: { at: 8, count: 2, wait: "read" } });
    const bars = [{ size: 4096, registers: map }] as const;
    await using card = await plug({ bars }, (event) => {
      if (event.kind === "read" && event.offset === 4) event.complete(1);
    });
    assert.equal(await card.driver.read(0), ones);
    assert.equal(await card.driver.read(4), 1, "the next one is not harmed");
    const fault = await card.told("fault");
    assert.deepEqual([fault.reason, fault.access], ["uncompleted", "read"]);
    assert.deepEqual([fault.bar, fault.offset, fault.width], [0, 0, 4]);
    assert.equal(fault.register, undefined);
    assert.equal(await card.driver.read(12), ones);
    const named = await card.told("fault", ({ offset }) => offset === 12);
    assert.deepEqual([named.register, named.index], ["later", 1]);
    assert.equal(card.device.counters.uncompleted, 2);
    assert.equal(card.device.counters.timeouts, 0);
  },
);

guestTest(
  "a read cannot be completed twice, and keeps its first value",
  async () => {
    let refused: unknown;
    await using card = await plug({}, (event) => {
      if (event.kind !== "read") return;
      event.complete(1);
      try {
        event.complete(2);
      } catch (error) {
        refused = error;
      }
    });
    assert.equal(await card.driver.read(0), 1);
    assert.ok(refused instanceof CompletionRefused, String(refused));
    assert.match(refused.message, /completed before/);
    assert.equal(await card.driver.read(0), 1);
  },
);

guestTest("a completion of what is no 32-bit number is refused", async () => {
  const refused: unknown[] = [];
  await using card = await plug({}, (event) => {
    if (event.kind !== "read") return;
    for (const value of [1.5, 2 ** 32, -(2 ** 31) - 1, NaN]) {
      try {
        event.complete(value);
      } catch (error) {
        refused.push(error);
      }
    }
    event.complete(-2);
  });
  assert.equal(await card.driver.read(0), 0xffff_fffe);
  assert.equal(refused.length, 4);
  assert.ok(refused.every((error) => error instanceof RangeError));
});

guestTest(
  "a model that never answers: all-ones, an event and a counter",
  async () => {
    let late: ReadEvent | undefined;
    let release = (): void => {};
    const answered = new Promise<void>((resolve) => release = resolve);
    await using card = await plug(
      { timeout: patiently(2000) },
      async (event) => {
        if (event.kind !== "read") return;
        late ??= event;
        if (event === late) return await answered;
        event.complete(3);
      },
    );
    assert.equal(await card.driver.read(0x40, 2), 0xffff);
    assert.equal(card.device.counters.timeouts, 1);
    assert.equal(late?.complete(1), false);
    assert.throws(() => late?.complete(1), CompletionRefused);
    release();
    const fault = await card.told("fault");
    assert.deepEqual([fault.reason, fault.access], ["timeout", "read"]);
    assert.deepEqual([fault.bar, fault.offset, fault.width], [0, 0x40, 2]);
    assert.equal(await card.driver.read(0), 3, "the device lives on");
    assert.equal(card.device.counters.timeouts, 1);
  },
);

guestTest(
  "a handler's promise that never settles costs its read, and nothing else",
  async () => {
    const bars = [{ size: 4096, width: 4 }, { size: 4096, width: 2 }] as const;
    let settle: (value: number) => void = () => {};
    const writes: number[] = [];
    const reads: number[] = [];
    await using card = await plug({ bars, timeout: patiently(2000) }, {
      read(offset, _width, bar) {
        if (offset === 8) return 5;
        reads.push(bar);
        return new Promise((resolve) => settle = resolve);
      },
      write: (_, value) => void writes.push(value),
    });
    const { driver } = card;
    for (const bar of [0, 1]) {
      assert.equal(await driver.read(0, 4, { bar }), ones);
      const fault = await card.told("fault", (event) => event.bar === bar);
      assert.equal(fault.reason, "timeout");
      await driver.write(0, bar + 1);
      assert.equal(await driver.read(8), 5);
      settle(7);
      assert.equal(await driver.read(8), 5, "what comes late is dropped");
    }
    assert.deepEqual(writes, [1, 2]);
    assert.deepEqual(reads, [0, 1], "no piece is asked for after the timeout");
  },
);

guestTest(
  "a device's address is known without anyone who takes its events",
  async () => {
    await using device = await open({ id: { vendor: 0x1234, device: 0xc0de } });
    assert.ok(isPresent(await device.plugged));
  },
);

for (const context of ["atomic", "off"] as const) {
  const where = context === "off" ? "with interrupts off" : "under a spinlock";
  guestTest(
    `a read ${where} of a model that never answers ends as well`,
    async () => {
      let release = (): void => {};
      const answered = new Promise<number>((resolve) =>
        release = () => resolve(1)
      );
      await using card = await plug({ timeout: 100 }, { read: () => answered });
      assert.equal(await card.driver.read(0, 4, { context }), ones);
      assert.equal(card.device.counters.timeouts, 1);
      release();
      await card.told("fault", ({ reason }) => reason === "timeout");
    },
  );
}

guestTest(
  "leaving a loop leaves the device, and a new loop goes on",
  async () => {
    await using card = await plug({}, (event) => {
      if (event.kind === "read") {
        event.complete(1);
        throw new Error("leave");
      }
    });
    assert.equal(await card.driver.read(0), 1);
    await assert.rejects(card.served, /leave/);
    assert.ok(isPresent(card.address));
    const served = card.device.serve({ read: () => 2 });
    assert.equal(await card.driver.read(0), 2);
    await card.device.unplug();
    await served;
  },
);

guestTest("aborting the signal of serve() unplugs the device", async () => {
  await using card = await plug({}, (event) => {
    if (event.kind === "read") throw new Error("leave");
  });
  await card.driver.read(0);
  await card.served.catch(() => {});
  const stop = new AbortController();
  const served = card.device.serve({}, { signal: stop.signal });
  stop.abort();
  await served;
  assert.ok(!isPresent(card.address));
});
