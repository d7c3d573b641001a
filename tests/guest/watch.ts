// SPDX-License-Identifier: MIT

/**
 * Writes to watched ranges of memory.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { type BarSpec, type Device, open, PlugFailed } from "../../mod.ts";
import {
  type Card,
  type Context,
  eventually,
  Exerciser,
  guestTest,
  plain,
  plug,
  sleep,
} from "./harness.ts";
import { ModelProcess } from "./model_process.ts";
import { UserDriver } from "./user_driver.ts";

/** A doorbell in a page of memory, and what is next to it. */
const doorbell = 0x1040;
const neighbour = 0x1044;

/** The first page traps. */
const bar: BarSpec = {
  size: 16384,
  trap: [[0, 4096]],
  watch: [{ offset: doorbell }],
};

const memory: BarSpec = { size: 4096, trap: [] };

/** What a model heard, in order. */
type Heard = [offset: number, value: number | bigint];

/** A card that notes what was written to it, until it is asked by a read of 0. */
async function listening(
  bars: readonly BarSpec[],
): Promise<{ card: Card; heard: () => Promise<Heard[]> }> {
  const writes: Heard[] = [];
  const card = await plug({ bars }, {
    read: () => 0x5555_5555,
    read64: () => 0n,
    write: (offset, value) => void writes.push([offset, value]),
    write64: (offset, value) => void writes.push([offset, value]),
  });
  return {
    card,
    async heard() {
      await card.driver.read(0);
      return writes.splice(0);
    },
  };
}

const upTo = (count: number): number[] =>
  Array.from({ length: count }, (_, index) => index + 1);

guestTest(
  "a write to a watched range is an event; reads and neighbours are none",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const { driver, device } = card;
    await driver.write(doorbell, 0xcafe_f00d);
    assert.deepEqual(await heard(), [[doorbell, 0xcafe_f00d]]);
    const view = new DataView(device.bars[0]?.buffer ?? new ArrayBuffer(0));
    assert.equal(view.getUint32(doorbell, true), 0xcafe_f00d);

    assert.equal(await driver.read(doorbell), 0xcafe_f00d);
    await driver.write(doorbell - 4, 1);
    await driver.write(neighbour, 2);
    await driver.write(doorbell + 0x1000, 3);
    view.setUint32(doorbell, 0x1122_3344, true);
    assert.deepEqual(await heard(), [], "the model's own writes neither");

    await driver.write(doorbell + 1, 0x55, { width: 1 });
    await driver.run("write", 0, doorbell - 4, 8, "0xffffffffffffffff");
    assert.deepEqual(await heard(), [
      [doorbell, 0x1122_5544],
      [doorbell, 0xffff_ffff],
    ], "a write to some of its bytes is one to the range");
  },
);

guestTest("ranges that touch are told apart", async () => {
  const watch = [{ offset: doorbell }, { offset: neighbour }];
  const { card, heard } = await listening([{ ...bar, watch }]);
  await using _ = card;
  await card.driver.write(neighbour, 1);
  await card.driver.write(doorbell, 2);
  assert.deepEqual(await heard(), [[neighbour, 1], [doorbell, 2]]);
  // An event for each from a real CPU; QEMU's emulated one reports one of them.
  await card.driver.run("write", 0, doorbell, 8, "0x4444444433333333");
  const told = await heard();
  assert.ok(told.length > 0);
  for (const [offset, value] of told) {
    assert.equal(value, offset === doorbell ? 0x3333_3333 : 0x4444_4444);
  }
});

guestTest("the same writes come to a for await loop", async () => {
  const values: number[] = [];
  const times: number[] = [];
  await using card = await plug({ bars: [bar] }, (event) => {
    if (event.kind === "read") event.complete(values.length);
    if (event.kind !== "write") return;
    assert.deepEqual(
      [event.bar, event.offset, event.width, event.byteEnables, event.cpu],
      [0, doorbell, 4, 0xf, 0],
    );
    values.push(event.value);
    times.push(event.time);
  });
  // In hundredths of a second, cut off.
  const uptime = () => readFileSync("/proc/uptime", "utf8").split(" ")[0];
  const clock = () => Number(uptime()) * 1e9;
  const bounds = [clock()];
  await card.driver.write(doorbell, 5);
  bounds.push(clock());
  await card.driver.write(doorbell, 6);
  bounds.push(clock());
  assert.equal(await card.driver.read(0), 2);
  assert.deepEqual(values, [5, 6]);
  assert.equal(times.length, 2);
  for (const [n, time] of times.entries()) {
    assert.ok(time >= bounds[n]! && time < bounds[n + 1]! + 1e7, `${time}`);
  }
});

guestTest("a write says which CPU made it, and when", async () => {
  const times = new Map<number, number[]>();
  await using card = await plug({ bars: [bar] }, (event) => {
    if (event.kind === "read") event.complete(0);
    if (event.kind !== "write") return;
    const sofar = times.get(event.cpu) ?? [];
    times.set(event.cpu, [...sofar, event.time]);
  });
  const cpus = Number(await card.driver.run("flood", 0, doorbell, 5));
  await card.driver.read(0);
  assert.deepEqual([...times.keys()].sort(), upTo(cpus).map((n) => n - 1));
  for (const [cpu, own] of times) {
    assert.equal(own.length, 5, `CPU ${cpu}`);
    assert.deepEqual(own, own.toSorted((a, b) => a - b), `CPU ${cpu}`);
  }
});

for (const context of ["process", "atomic", "off"] satisfies Context[]) {
  const where = {
    process: "that may sleep",
    atomic: "under a spinlock",
    off: "with interrupts off",
  }[context];

  guestTest(
    `each of 500 writes of a driver ${where} to a watched range is an event`,
    async () => {
      const { card, heard } = await listening([bar]);
      await using _ = card;
      await card.driver.run(
        ...["alternate", 0, doorbell, neighbour, 500, context],
      );
      const expected = upTo(500).map((value) => [doorbell, value]);
      assert.deepEqual(await heard(), expected);
    },
  );

  guestTest(
    `a driver ${where} is heard in the order of its watched and trapped writes`,
    async () => {
      const { card, heard } = await listening([bar]);
      await using _ = card;
      await card.driver.run("alternate", 0, doorbell, 0x20, 100, context);
      const expected = upTo(100).flatMap((value) => [
        [doorbell, value],
        [0x20, value],
      ]);
      assert.deepEqual(await heard(), expected);
    },
  );
}

guestTest(
  "four ranges of every width can be watched, and are heard in order",
  async () => {
    const { card, heard } = await listening([{
      ...bar,
      width: 8,
      watch: [
        { offset: 0x1000, width: 8 },
        { offset: 0x1ffc, width: 4 },
        { offset: 0x200e, width: 2 },
        { offset: 0x3001, width: 1 },
      ],
    }]);
    await using _ = card;
    const { driver } = card;
    await driver.run("write", 0, 0x1000, 8, "0x8123456789abcdef");
    await driver.write(0x3001, 0x1f0, { width: 1 });
    await driver.write(0x200e, 0xfedc, { width: 2 });
    await driver.write(0x1ffc, 0x8000_0001);
    await driver.write(0x1004, 0x11, { width: 1 });
    assert.deepEqual(await heard(), [
      [0x1000, 0x8123_4567_89ab_cdefn],
      [0x3001, 0xf0],
      [0x200e, 0xfedc],
      [0x1ffc, 0x8000_0001],
      [0x1000, 0x8123_4511_89ab_cdefn],
    ]);
    await driver.run("alternate", 0, 0x1ffc, 0x1000, 50, "off");
    assert.equal((await heard()).length, 100);
  },
);

guestTest(
  "an 8-byte range of a BAR of width 4 is told in halves, as a write is",
  async () => {
    const watch = [{ offset: 0x1008, width: 8 }] as const;
    const { card, heard } = await listening([{ ...bar, watch }]);
    await using _ = card;
    await card.driver.run("write", 0, 0x1008, 8, "0x0123456789abcdef");
    assert.deepEqual(await heard(), [
      [0x1008, 0x89ab_cdef],
      [0x100c, 0x0123_4567],
    ]);
  },
);

guestTest(
  "memset_io and memcpy_toio over a watched range are heard, beside it not",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const { driver } = card;
    await driver.run("fill", 0, 0x1000, 0x40, 0xff);
    await driver.run("copy", 0, 0x1044, 0x800);
    assert.deepEqual(await heard(), []);
    await driver.run("fill", 0, 0x1000, 0x1000, 0xa5);
    assert.deepEqual((await heard()).at(-1), [doorbell, 0xa5a5_a5a5]);
    await driver.run("copy", 0, 0x1000, 0x1000);
    assert.deepEqual((await heard()).at(-1), [doorbell, 0x4342_4140]);
  },
);

guestTest(
  "a store that is emulated because its other side traps is heard",
  async () => {
    const { card, heard } = await listening([{
      size: 8192,
      trap: [[0, 4096]],
      watch: [{ offset: 0x1000, width: 8 }],
      width: 8,
    }]);
    await using _ = card;
    const { driver } = card;
    await driver.run("move", 0, 0x100, 0x1000, 8);
    assert.deepEqual((await heard()).at(-1), [0x1000, 0x5555_5555_5555_5555n]);
    await driver.run("write", 0, 0xffc, 8, "0x1111222233334444");
    const straddling = await heard();
    assert.deepEqual(straddling.at(-1), [0x1000, 0x5555_5555_1111_2222n]);
    assert.ok(straddling.some(([offset]) => offset < 0x1000));
  },
);

guestTest(
  "mappings of parts of a watched BAR are watched, and can be undone",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    for (const round of [1, 3, 5]) {
      await card.driver.run("apart", 0, doorbell, round);
      const rings = [[doorbell, round], [doorbell, round + 1]];
      assert.deepEqual(await heard(), rings);
    }
  },
);

guestTest(
  "no write is lost when all CPUs write at once",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    for (const count of [1, 100, 2000]) {
      const cpus = Number(await card.driver.run("flood", 0, doorbell, count));
      assert.ok(cpus > 1);
      assert.equal((await heard()).length, cpus * count);
    }
  },
);

guestTest(
  "writes without room in the ring are heard when there is, before later ones",
  async () => {
    const gate = Promise.withResolvers<void>();
    const heard: Heard[] = [];
    const second = 0x1080;
    const watch = [{ offset: doorbell }, { offset: second }];
    await using card = await plug({ bars: [{ ...bar, watch }], ring: 256 }, {
      read: () => 0,
      write(offset, value) {
        heard.push([offset, value]);
        if (heard.length === 1) return gate.promise;
      },
    });
    const { driver } = card;
    await driver.run("alternate", 0, doorbell, second, 600, "off");
    const last = driver.write(0x20, 7);
    await eventually(() => driver.blocked, "the ring to be full");
    assert.equal(heard.length, 1);
    gate.resolve();
    await last;
    await driver.read(0);
    const rings = (offset: number): number[] =>
      heard.filter(([at]) => at === offset).map(([, value]) => Number(value));
    assert.equal(rings(doorbell).length, 600);
    assert.equal(rings(second).length, 600);
    assert.deepEqual([rings(doorbell).at(-1), rings(second).at(-1)], [
      600,
      600,
    ]);
    assert.deepEqual(heard.at(-1), [0x20, 7]);
    assert.equal(heard.length, 1201);
    await driver.write(second, 8);
    await driver.write(doorbell, 9);
    await driver.read(0);
    assert.deepEqual(heard.slice(-2), [[second, 8], [doorbell, 9]]);
  },
);

guestTest(
  "writes that wait for room when the device leaves the bus are heard first",
  async () => {
    const gate = Promise.withResolvers<void>();
    let heard = 0;
    const card = await plug({ bars: [bar], ring: 256 }, {
      write: () => heard++ === 0 ? gate.promise : undefined,
    });
    await card.driver.run("alternate", 0, doorbell, neighbour, 1000);
    const disposed = card[Symbol.asyncDispose]();
    gate.resolve();
    await disposed;
    assert.equal(heard, 1000);
  },
);

guestTest(
  "a doorbell wakes a model that sleeps, also with interrupts off",
  async () => {
    let rings = 0;
    await using card = await plug({ bars: [bar], spin: 0 }, {
      write: () => void rings++,
    });
    for (const context of ["process", "off", "atomic"] satisfies Context[]) {
      const before = rings;
      await sleep(50);
      await card.driver.write(doorbell, 1, { context });
      await eventually(() => rings === before + 1, `a ring, ${context}`);
    }
  },
);

guestTest(
  "a function that does not decode memory has no doorbell",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const { driver } = card;
    await driver.run("memory", 0);
    await driver.write(doorbell, 1);
    await driver.run("memory", 1);
    await driver.write(doorbell, 2);
    assert.deepEqual(await heard(), [[doorbell, 2]]);
  },
);

/** A device that watches so many ranges; it is not served. */
const watching = (count: number): Promise<Device> =>
  open({
    ...plain,
    bars: [{
      ...memory,
      watch: upTo(count).map((n) => ({ offset: n * 64 })),
    }],
  });

async function discard(device: Device): Promise<void> {
  await device[Symbol.asyncDispose]();
  await device.gone;
}

/** What a plug for want of a debug register is rejected with. */
function noneFree(error: unknown): boolean {
  assert.ok(error instanceof PlugFailed, String(error));
  assert.equal(error.errno, 87);
  assert.match(error.message, /no debug register is free.*Watch fewer/);
  return true;
}

guestTest(
  "when no debug register is free the plug fails and says so, until one is",
  async () => {
    const first = await watching(2);
    const second = await watching(2);
    await assert.rejects(watching(1), noneFree);
    await assert.rejects(watching(4), noneFree);
    await discard(first);
    const third = await watching(2);
    await assert.rejects(watching(1), noneFree);
    await discard(third);
    await assert.rejects(watching(3), noneFree, "what was free is free again");
    await discard(second);
    await discard(await watching(4));
  },
);

guestTest(
  "debug registers that a program holds are not free, until it is gone",
  async () => {
    using program = new UserDriver();
    await program.run("hold", 3);
    await assert.rejects(watching(2), noneFree);
    await discard(await watching(1));
    await program.run("hold", 1);
    await assert.rejects(watching(1), noneFree);
    program.kill();
    await program.ended;
    await discard(await watching(4));
    using other = new UserDriver();
    const device = await watching(4);
    assert.equal(await other.try("hold", 1), "errno 28", "ours are not free");
    await discard(device);
    await other.run("hold", 4);
    other.kill();
    await other.ended;
  },
);

guestTest("unplug gives the debug registers back, ten times", async () => {
  const watch = upTo(4).map((n) => ({ offset: 4096 + n * 8 }));
  for (const round of upTo(10)) {
    const { card, heard } = await listening([{ ...bar, watch }]);
    await using _ = card;
    await card.driver.write(4096 + 8, round);
    await card.driver.write(4096 + 32, round);
    assert.deepEqual(await heard(), [[4096 + 8, round], [4096 + 32, round]]);
  }
});

guestTest(
  "a model killed while its doorbells ring gives the debug registers back",
  async () => {
    for (const _ of upTo(2)) {
      await using model = new ModelProcess("./models/doorbell.ts");
      const address = await model.plugged();
      using driver = await Exerciser.bind(address);
      await driver.run("flood", 0, 4096, 10);
      assert.ok(await driver.read(0) >= 20);
      const flood = driver.run("flood", 0, 4096 + 64, 20_000).catch(() => {});
      await sleep(20);
      model.signal("SIGKILL");
      await model.ends("SIGKILL");
      await flood;
    }
    await discard(await watching(4));
  },
  { limit: 180 },
);

guestTest(
  "a CPU that comes online watches what the others do",
  async () => {
    const online = (value: number): void =>
      writeFileSync("/sys/devices/system/cpu/cpu1/online", `${value}`);
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const ring = async (): Promise<number> => {
      await card.driver.run("flood", 0, doorbell, 10);
      return (await heard()).length;
    };
    assert.equal(await ring(), 20);
    try {
      online(0);
      assert.equal(await ring(), 10);
    } finally {
      online(1);
      // The model's CPU, which it lost when that went offline.
      execFileSync("taskset", ["-a", "-c", "-p", "1", `${process.pid}`]);
    }
    assert.equal(await ring(), 20);
  },
);
