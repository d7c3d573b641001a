// SPDX-License-Identifier: MIT

/**
 * Instructions that the module does not emulate. Where an access traps they are
 * skipped; where it does not, the CPU does them: so that they work says that a
 * page does not trap.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { BarSpec, FaultEvent } from "../../mod.ts";
import { type Card, guestTest, plug } from "./harness.ts";
import { UserDriver } from "./user_driver.ts";

const page = 4096;

/** A page of each policy. */
const bar: BarSpec = {
  size: 4 * page,
  trap: [[0, page]],
  shadow: [[page, page]],
};

const memory = 2 * page;

/** A card that notes accesses, by kind and offset, and is asked by a read of 0. */
async function listening(
  bars: readonly BarSpec[],
): Promise<{ card: Card; heard: (string | number | bigint)[][] }> {
  const heard: (string | number | bigint)[][] = [];
  const card = await plug({ bars }, {
    read(offset) {
      heard.push(["read", offset]);
      return 0x1234;
    },
    write: (offset, value) => void heard.push(["write", offset, value]),
  });
  return { card, heard };
}

const faults = ({ notices }: Card): [string, number, number][] =>
  notices.filter((one): one is FaultEvent => one.kind === "fault")
    .map(({ reason, bar, offset }) => [reason, bar, offset]);

const viewOf = ({ device }: Card): DataView =>
  new DataView(device.bars[0]?.buffer ?? new ArrayBuffer(0));

guestTest(
  "an instruction that is not emulated is skipped, reads all-ones, and is told",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const { device, driver } = card;
    viewOf(card).setUint32(page, 3, true);
    const told: [string, number, number][] = [];
    for (const at of [0x20, 0xffc, page]) {
      const product = await driver.run("multiply", 0, at, 5);
      assert.equal(Number(product), 0xffff_ffff);
      await driver.run("shift", 0, at);
      told.push(["undecodable", 0, at], ["undecodable", 0, at]);
    }
    assert.equal(await driver.read(0), 0x1234, "the driver goes on");
    assert.deepEqual(faults(card), told);
    assert.equal(device.counters.undecodable, told.length);
    assert.equal(viewOf(card).getUint32(page, true), 3);
    assert.deepEqual(heard, [["read", 0]]);
    await driver.run("memory", 0);
    const undecoded = await driver.run("multiply", 0, 0x20, 5);
    assert.equal(Number(undecoded), 0xffff_ffff);
    await driver.run("memory", 1);
    await driver.read(0);
    assert.equal(device.counters.undecodable, told.length, "none was for it");
  },
);

guestTest(
  "memory pages do not trap, neither when touched first nor later",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const { device, driver } = card;
    const view = viewOf(card);
    assert.equal(Number(await driver.run("multiply", 0, memory, 5)), 0);
    // The model's is the first touch of the next page.
    view.setUint32(memory + page, 0x1_0001, true);
    for (const at of [memory, memory + page]) {
      await driver.write(at, 0x4000_0003);
      assert.equal(Number(await driver.run("multiply", 0, at, 3)), 0xc000_0009);
      await driver.run("shift", 0, at);
      assert.equal(view.getUint32(at, true), 0x8000_0006);
    }
    await driver.read(0);
    assert.deepEqual(faults(card), []);
    assert.equal(device.counters.undecodable, 0);
    assert.deepEqual(heard, [["read", 0]]);
  },
);

guestTest(
  "watched pages do not trap, neither beside the range nor in it",
  async () => {
    const doorbell = memory + 0x40;
    const { card, heard } = await listening([
      { ...bar, watch: [{ offset: doorbell }] },
    ]);
    await using _ = card;
    const { device, driver } = card;
    const view = viewOf(card);
    for (const at of [doorbell - 4, doorbell, doorbell + 4]) {
      view.setUint32(at, 7, true);
      assert.equal(Number(await driver.run("multiply", 0, at, 6)), 42);
      await driver.run("shift", 0, at);
      assert.equal(view.getUint32(at, true), 14);
    }
    await driver.read(0);
    assert.deepEqual(heard, [["write", doorbell, 14], ["read", 0]]);
    assert.deepEqual(faults(card), []);
    assert.equal(device.counters.undecodable, 0);
  },
);

for (const behind of [0, 1]) {
  const handlers = behind ? "handlers before and behind it" : "a handler";
  guestTest(
    `an access whose instruction has a kprobe with ${handlers} is emulated`,
    async () => {
      const { card, heard } = await listening([bar]);
      await using _ = card;
      const answer = await card.driver.run("probed", 0, 0x20, behind);
      assert.equal(answer, `0x1234 2 ${2 * behind}`);
      assert.deepEqual(heard, [["read", 0x20], ["write", 0x20, 0x1235]]);
      assert.deepEqual(faults(card), []);
    },
  );
}

/** The ways of the exerciser to map a BAR for user space. */
const ways = ["remap", "insert", "mixed", "eager"];

for (const way of ways) {
  guestTest(
    `a user-space driver's memory pages do not trap, mapped by way "${way}"`,
    async () => {
      const { card, heard } = await listening([bar]);
      await using _ = card;
      const { device } = card;
      const path = `/sys/kernel/debug/exerciser/${card.address}-${way}`;
      using driver = await UserDriver.map(path, 4 * page);
      for (const at of [memory, memory + page]) {
        assert.equal(await driver.run("multiply", at, 3), 0n);
        await driver.write(at, 0x4000_0003);
        assert.equal(await driver.run("multiply", at, 3), 0xc000_0009n);
        await driver.run("shift", at);
        assert.equal(await driver.read(at), 0x8000_0006);
      }
      await driver.read(0);
      assert.deepEqual(faults(card), []);
      assert.equal(device.counters.undecodable, 0);
      assert.deepEqual(heard, [["read", 0]]);
    },
  );
}

guestTest(
  "of a user-space driver what is not emulated is skipped, what is undefined ends it",
  async () => {
    const { card, heard } = await listening([bar]);
    await using _ = card;
    const { device } = card;
    const path = `/sys/kernel/debug/exerciser/${card.address}-remap`;
    using driver = await UserDriver.map(path, 4 * page);
    assert.equal(await driver.run("multiply", 0x20, 5), 0xffff_ffffn);
    await driver.run("shift", 0x24);
    const told = [["undecodable", 0, 0x20], ["undecodable", 0, 0x24]];
    // A CPU that is exact refuses it before it looks at the operand.
    const outcome = await driver.try("undefined", 0x28);
    if (outcome !== "SIGILL") {
      assert.equal(outcome, "SIGBUS");
      told.push(["undecodable", 0, 0x28]);
    }
    assert.equal(await driver.read(0), 0x1234, "it goes on");
    assert.deepEqual(faults(card), told);
    assert.equal(device.counters.undecodable, told.length);
    assert.deepEqual(heard, [["read", 0]]);
  },
);
