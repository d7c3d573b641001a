// SPDX-License-Identifier: MIT

/**
 * A model that writes anything at all to the pages that are its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { eventually, Exerciser, guestTest, sleep } from "./harness.ts";
import { bindBench, counts, hammer, traffic } from "./hammer.ts";
import { ModelProcess, unplugged } from "./model_process.ts";
import { patiently } from "./patience.ts";
import { type RawEvent, RegisterCard } from "./register_card.ts";

/** Another one each time; `BARKEEP_SEED` repeats a run. */
const seed = BigInt(process.env.BARKEEP_SEED || Date.now());

const rounds = 3;
/** Milliseconds. */
const timeout = patiently(2000);

guestTest(
  "a model that scribbles on its pages while it answers harms nobody else",
  async () => {
    await using model = new ModelProcess("./models/hostile.ts", {
      args: [String(seed), String(timeout)],
    });
    await using neighbour = new ModelProcess("./models/telling.ts", {
      args: ["--completion-timeout", "60000"],
    });
    using driver = await Exerciser.bind(await neighbour.plugged());
    let writes = 0;
    for (let round = 1; round <= rounds; round++) {
      const address = (await model.allPlugged(round)).at(-1) ?? "";
      await bindBench(address);
      await hammer(address, 2);
      for (let n = 0; n < 20; n++) {
        await driver.write(0, ++writes);
        assert.equal(await driver.read(0), writes);
      }
      await traffic(address, 100);
      const { gone, longest } = await counts(address);
      assert.ok(!gone, "the device is there, and its link up");
      assert.ok(longest < 2 * timeout, `an access took ${longest} ms`);
      model.say("pull");
      await unplugged(address);
      model.say("next");
    }
    model.signal("SIGKILL");
  },
  { limit: 120, seed },
);

guestTest("after that a device can be plugged and used as before", async () => {
  await using model = new ModelProcess("./models/bench.ts");
  model.say("go");
  const address = await model.plugged();
  await hammer(address, 1);
  await traffic(address, 10);
  await hammer(address, 0);
});

guestTest(
  "a completion that comes too late, or is made up, meets no read",
  async () => {
    const spec = { timeout: patiently(1000) };
    await using card = await RegisterCard.plug([], { spec });
    const reads: RawEvent[] = [];
    let answers: (bigint | undefined)[] = [];
    card.answer = (event) => (reads.push(event), answers.shift());

    assert.equal(await card.read(0, 4), 0xffff_ffffn, "nobody answered");
    const late = reads[0]!;
    // Until a read has been answered, the next ones are not waited for as long.
    await eventually(async () => {
      answers = [0x600dn];
      return await card.read(0, 4) === 0x600dn;
    }, "a read that is answered");

    const reading = card.read(0, 4);
    const before = reads.length;
    await eventually(() => reads.length > before, "the next read");
    const now = reads[before]!;
    assert.equal(now.slot, late.slot);
    for (const ticket of [late.ticket, now.ticket - 1, now.ticket + 1, 0]) {
      card.complete({ ...now, ticket }, 0xbadn);
      // Time for the driver to take it.
      await sleep(20);
    }
    card.complete(now, 0xcafen);
    assert.equal(await reading, 0xcafen);
    const tickets = new Set(reads.map(({ ticket }) => ticket));
    assert.equal(tickets.size, reads.length, "each read has its own");
  },
);
