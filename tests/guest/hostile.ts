// SPDX-License-Identifier: MIT

/**
 * A model that writes anything at all to the pages that are its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import process from "node:process";
import { eventually, Exerciser, guestTest } from "./harness.ts";
import { counts, hammer, traffic } from "./hammer.ts";
import { ModelProcess, unplugged } from "./model_process.ts";

/** Another one each time; `BARKEEP_SEED` repeats a run. */
const seed = BigInt(process.env.BARKEEP_SEED || Date.now());

guestTest(
  "random words on the control and completion pages harm nobody else",
  async () => {
    await using model = new ModelProcess("./models/hostile.ts", {
      args: [String(seed)],
    });
    const address = await model.plugged();
    await using neighbour = new ModelProcess("./models/telling.ts", {
      args: ["--completion-timeout", "60000"],
    });
    using driver = await Exerciser.bind(await neighbour.plugged());
    await hammer(address, 2);
    await traffic(address, 5);
    model.say("scribble");
    await model.line(/^scribbling$/);
    const before = await counts(address);
    for (let writes = 1; writes <= 50; writes++) {
      await driver.write(0, writes);
      assert.equal(await driver.read(0), writes);
    }
    // A link that is down is a device that is gone.
    await eventually(async () => {
      const { accesses, gone } = await counts(address);
      return gone || accesses > before.accesses;
    }, "the threads of the driver to go on");
    assert.ok(!model.lines.includes("scribbled"), "it went on all the time");
    model.say("stop");
    await model.line(/^scribbled$/);
    await hammer(address, 0);
    model.signal("SIGKILL");
    await unplugged(address);
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
