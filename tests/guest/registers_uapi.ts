// SPDX-License-Identifier: MIT

/**
 * Registers that the kernel answers, as plug declares them.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { abi } from "../../ffi/abi.ts";
import { pcie, pm } from "../../mod.ts";
import { eventually, guestTest, sleep } from "./harness.ts";
import {
  flag,
  type RawEvent,
  type RawRegister,
  RegisterCard,
} from "./register_card.ts";
import {
  accessTypes,
  answer,
  type Expected,
  Random,
  randomRegisters,
  Reference,
} from "./register_reference.ts";

const { EVENT_READ, EVENT_WRITE, NO_SLOT } = abi;
const all = 0xffff_ffffn;

/** What of an event says which access it was. */
function access({ kind, offset, width, value, reg, byteEnables }: RawEvent) {
  return { kind, offset, width, value, reg, byteEnables };
}

function accesses({ events }: RegisterCard): RawEvent[] {
  return events.filter(({ kind }) =>
    kind === EVENT_READ || kind === EVENT_WRITE
  );
}

/** Compares what was told of one access with what had to be. */
function checkTold(
  events: RawEvent[],
  expected: Expected[],
  { kind, offset, width, value, waits }: {
    kind: number;
    offset: number;
    width: number;
    /** What was written, or read. */
    value: bigint;
    waits: number;
  },
): void {
  const left = [...events];
  for (const { place, bytes } of expected) {
    const first = bytes[0]!;
    if (!place) {
      // Pieces of it: aligned, and in order; or the access as it is.
      for (let at = first; at <= bytes.at(-1)!;) {
        const event = left.shift();
        assert.ok(event, `no event for byte ${at}`);
        assert.equal(event.offset, at);
        assert.equal(event.reg, 0);
        assert.equal(event.byteEnables, 0);
        assert.ok([1, 2, 4, 8].includes(event.width));
        if (bytes.length < width) assert.equal(at % event.width, 0);
        else assert.equal(event.width, width);
        assert.equal(event.slot === NO_SLOT, kind === EVENT_WRITE);
        const written = BigInt.asUintN(
          8 * event.width,
          value >> BigInt(8 * (at - offset)),
        );
        assert.equal(event.value, kind === EVENT_WRITE ? written : 0n);
        at += event.width;
      }
      continue;
    }
    const { register, start, number } = place;
    const skip = first - start;
    const waiting = ((register.flags ?? 0) & waits) !== 0;
    const bits = BigInt.asUintN(
      8 * bytes.length,
      value >> BigInt(8 * (first - offset)),
    );
    const event = left.shift();
    assert.ok(event, `no event for the register at ${start}`);
    assert.deepEqual(access(event), {
      kind,
      offset: start,
      width: register.width,
      value: kind === EVENT_READ && waiting ? 0n : bits << BigInt(8 * skip),
      reg: number,
      byteEnables: (1 << bytes.length) - 1 << skip,
    });
    assert.equal(event.slot !== NO_SLOT, waiting);
  }
  assert.deepEqual(left, [], "nothing else is told");
}

async function compare(seed: number, rounds: number): Promise<void> {
  const random = new Random(seed);
  const registers = randomRegisters(random);
  const last = registers.at(-1)!;
  const span = last.offset + 64;
  await using card = await RegisterCard.plug(registers);
  card.answer = answer;
  const reference = new Reference(registers, span);
  const same = (when: string): void => {
    const held = new Uint8Array(card.memory.buffer, 0, span);
    const wrong = held.findIndex((byte, at) => byte !== reference.memory[at]);
    assert.equal(wrong, -1, `values ${when}: byte ${wrong} is ${held[wrong]}`);
  };
  same("after plug");
  for (let round = 0; round < rounds; round++) {
    if (random.below(3) === 0) {
      // The model changes a register.
      const { offset, width } = random.of(registers);
      for (let n = 0; n < width; n++) {
        const byte = random.below(256);
        card.memory.setUint8(offset + n, byte);
        reference.memory[offset + n] = byte;
      }
    }
    const width = random.of([1, 2, 4, 8]);
    const any = random.below(span - 8);
    const offset = random.below(2) ? any : any - any % width;
    const where = `${width} bytes at ${offset}`;
    card.events.length = 0;
    if (random.below(2)) {
      const told = reference.told(offset, width, "read");
      const value = reference.read(offset, width);
      assert.equal(await card.read(offset, width), value, `read of ${where}`);
      const waits = flag.waitRead;
      const seen = { kind: EVENT_READ, offset, width, value, waits };
      checkTold(accesses(card), told, seen);
    } else {
      const value = random.bits(width);
      const told = reference.told(offset, width, "write");
      reference.write(offset, width, value);
      await card.write(offset, width, value);
      const waits = flag.waitWrite;
      const seen = { kind: EVENT_WRITE, offset, width, value, waits };
      checkTold(accesses(card), told, seen);
    }
    same(`after ${where}`);
  }
}

for (let pass = 1; pass <= 3; pass++) {
  guestTest(
    `random accesses do to random registers what their masks say, pass ${pass}`,
    async () => {
      const given = process.env.BARKEEP_SEED;
      const seed = given ? Number(given) : Date.now() + pass & 0x7fff_ffff;
      try {
        await compare(seed, 250);
      } catch (error) {
        throw new Error(`BARKEEP_SEED=${seed}: ${error}`);
      }
    },
    { limit: 90 },
  );
}

guestTest("each access type does to its bits what its name says", async () => {
  // Holds 0x00ff00ff, resets to 0x0f0f0f0f; read, then 0x0000ffff is written.
  const expected: Record<string, { reads: bigint; holds: bigint }> = {
    rw: { reads: 0x00ff_00ffn, holds: 0x0000_ffffn },
    ro: { reads: 0x00ff_00ffn, holds: 0x00ff_00ffn },
    wo: { reads: 0x0f0f_0f0fn, holds: 0x0000_ffffn },
    w1c: { reads: 0x00ff_00ffn, holds: 0x00ff_0000n },
    w1s: { reads: 0x00ff_00ffn, holds: 0x00ff_ffffn },
    w0c: { reads: 0x00ff_00ffn, holds: 0x0000_00ffn },
    rc: { reads: 0x00ff_00ffn, holds: 0n },
    rs: { reads: 0x00ff_00ffn, holds: all },
    reserved: { reads: 0x0f0f_0f0fn, holds: 0x00ff_00ffn },
  };
  const types = Object.entries(accessTypes);
  await using card = await RegisterCard.plug(
    types.map(([_, masks], index) => ({
      ...masks(all),
      offset: 4 * index,
      width: 4,
      reset: 0x0f0f_0f0fn,
    })),
  );
  for (const [index, [name]] of types.entries()) {
    const at = 4 * index;
    assert.equal(card.memory.getUint32(at, true), 0x0f0f_0f0f, name);
    card.memory.setUint32(at, 0x00ff_00ff, true);
    const reads = await card.read(at, 4);
    await card.write(at, 4, 0x0000_ffffn);
    const holds = BigInt(card.memory.getUint32(at, true));
    assert.deepEqual({ reads, holds }, expected[name], name);
  }
  assert.deepEqual(accesses(card), [], "the model hears of none of it");
});

guestTest(
  "a write that waits returns after the model has handled it",
  async () => {
    await using card = await RegisterCard.plug([
      { offset: 0, width: 4, write: all, flags: flag.waitWrite },
    ]);
    card.answer = () => undefined;
    let done = false;
    const write = card.write(0, 4, 0x1234_5678n).then(() => void (done = true));
    await eventually(() => accesses(card).length === 1, "the event");
    const [event] = accesses(card);
    assert.ok(event);
    assert.equal(event.kind, EVENT_WRITE);
    assert.equal(event.value, 0x1234_5678n);
    assert.equal(card.memory.getUint32(0, true), 0x1234_5678, "done by then");
    await sleep(100);
    assert.equal(done, false);
    card.complete(event, 0n);
    await write;
    assert.equal(card.timeouts, 0n);
  },
);

guestTest(
  "a write that waits in vain goes on after the timeout, and is told",
  async () => {
    await using card = await RegisterCard.plug([
      { offset: 8, width: 8, write: all, flags: flag.waitWrite },
    ], { spec: { timeout: 100 } });
    card.answer = () => undefined;
    await card.write(12, 2, 0xabcdn);
    assert.equal(card.timeouts, 1n);
    const fault = card.events.at(-1);
    assert.ok(fault);
    assert.deepEqual(access(fault), {
      kind: abi.EVENT_FAULT,
      offset: 8,
      width: 8,
      value: BigInt(abi.FAULT_WRITE_TIMEOUT),
      reg: 1,
      byteEnables: 0b11_0000,
    });
  },
);

guestTest("elements of an array are told apart by their offset", async () => {
  await using card = await RegisterCard.plug([
    { offset: 0xff8, width: 8, readable: all, reset: 7n },
    {
      offset: 0x800,
      width: 2,
      count: 3,
      stride: 0x1000,
      readable: 0xffffn,
      write: 0xffffn,
      reset: 0x1234n,
      flags: flag.tellWrite,
    },
  ], { spec: { bars: [{ size: 16384 }] } });
  for (const at of [0x800, 0x1800, 0x2800]) {
    assert.equal(await card.read(at, 2), 0x1234n);
    await card.write(at + 1, 1, BigInt(at >> 12));
    assert.equal(await card.read(at, 2), BigInt(at >> 12 << 8 | 0x34));
  }
  assert.equal(await card.read(0xff8, 8), 7n);
  assert.deepEqual(
    accesses(card).map(({ offset, reg, byteEnables }) => [
      offset,
      reg,
      byteEnables,
    ]),
    [[0x800, 2, 2], [0x1800, 2, 2], [0x2800, 2, 2]],
  );
  card.answer = () => 0x55n;
  card.events.length = 0;
  assert.equal(await card.read(0x3800, 2), 0x55n, "a page without registers");
  assert.equal(accesses(card).length, 1);
});

const resets = {
  "a Function Level Reset": {
    capabilities: [pcie()],
    commands: [["reset"]],
    cause: abi.RESET_FLR,
  },
  "the way back from D3hot": {
    capabilities: [pm()],
    commands: [["power", 3], ["power", 0], ["memory", 1]],
    cause: abi.RESET_D3HOT,
  },
} as const;

for (
  const [name, { capabilities, commands, cause }] of Object.entries(resets)
) {
  guestTest(
    `${name} gives every register its reset value, before the model hears of it`,
    async () => {
      const registers: RawRegister[] = [
        { offset: 0, width: 4, readable: all, write: all, reset: 0xcafen },
        {
          offset: 0x1000,
          width: 1,
          // So many that who looks at once would see the last of them change.
          count: 0xf000,
          stride: 1,
          readable: 0xffn,
          write: 0xffn,
          reset: 0xa5n,
        },
      ];
      await using card = await RegisterCard.plug(registers, {
        spec: { bars: [{ size: 0x10000 }], capabilities },
      });
      await card.write(0, 4, 0x1234n);
      await card.write(0x1000, 1, 0n);
      new Uint8Array(card.memory.buffer, 0x1001).fill(0);
      card.memory.setUint32(4, 0x7777, true);
      let then: ArrayBuffer | undefined;
      card.heard = ({ kind, value }) => {
        if (kind !== abi.EVENT_RESET) return;
        then = card.memory.buffer.slice(0);
        assert.equal(value, BigInt(cause));
      };
      for (const command of commands) {
        await card.while(card.driver.run(...command));
      }
      assert.ok(then, "an event tells of it");
      assert.equal(new DataView(then).getUint32(0, true), 0xcafe);
      const array = new Uint8Array(then, 0x1000);
      const wrong = array.findIndex((byte) => byte !== 0xa5);
      assert.equal(wrong, -1, `element ${wrong} was not reset then`);
      assert.equal(new DataView(then).getUint32(4, true), 0x7777);
      assert.equal(await card.read(0, 4), 0xcafen);
    },
  );
}

/** Sets bits one at a time until the driver is done; how many were not set yet. */
async function setBits(
  words: Int32Array<ArrayBuffer>,
  { mask, until }: { mask: number; until: Promise<unknown> },
): Promise<number> {
  let set = 0;
  let done = false;
  until.finally(() => done = true).catch(() => {});
  while (!done) {
    for (let n = 0; n < 20_000; n++) {
      const bit = 1 << n % 32;
      if ((bit & mask) === 0) continue;
      if ((Atomics.or(words, 0, bit) & bit) === 0) set++;
    }
    await sleep(0);
  }
  return set;
}

const drains: Record<string, { register: RawRegister; back: number }> = {
  "written back to write-1-to-clear": {
    register: { offset: 0, width: 4, readable: all, writeOneClear: all },
    back: 1,
  },
  "read from read-to-clear": {
    register: { offset: 0, width: 4, readable: all, readClear: all },
    back: 0,
  },
  "written back next to bits that are written": {
    register: {
      offset: 0,
      width: 4,
      readable: 0xffff_0000n,
      write: 0x0000_ffffn,
      writeOneClear: 0xffff_0000n,
    },
    back: 1,
  },
};

for (const [name, { register, back }] of Object.entries(drains)) {
  guestTest(
    `no bit that the model sets is lost, or seen twice, when it is ${name}`,
    async () => {
      await using card = await RegisterCard.plug([register]);
      const drain = (times: number): Promise<string> =>
        card.driver.run("drain", 0, 0, 4, times, back);
      const mask = Number(register.readable) | 0;
      let set = 0;
      let seen = 0;
      while (set < 20_000) {
        const drained = drain(20_000);
        set += await setBits(card.words, { mask, until: drained });
        seen += Number(await drained);
      }
      seen += Number(await drain(1));
      assert.equal(seen, set);
    },
    { limit: 90 },
  );
}

guestTest(
  "a model that changes a register all the time holds up no driver",
  async () => {
    await using card = await RegisterCard.plug([
      {
        offset: 0,
        width: 4,
        readable: all,
        readClear: 0xffffn,
        readSet: 1n << 31n,
      },
    ]);
    let done = false;
    const running = card.driver.run("drain", 0, 0, 4, 20_000, 1);
    running.finally(() => done = true).catch(() => {});
    while (!done) {
      for (let n = 0; n < 100_000; n++) Atomics.xor(card.words, 0, n);
      await sleep(0);
    }
    await running;
  },
  { limit: 90 },
);
