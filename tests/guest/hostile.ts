// SPDX-License-Identifier: MIT

/**
 * A model that writes anything at all to the pages that are its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { guestTest } from "./harness.ts";
import { accesses, hammer, traffic } from "./hammer.ts";
import { ModelProcess, unplugged } from "./model_process.ts";

guestTest(
  "random words on the control and completion pages harm nobody else",
  async () => {
    await using model = new ModelProcess("./models/hostile.ts");
    const address = await model.plugged();
    await hammer(address, 2);
    await traffic(address, 20);
    const before = await accesses(address);
    model.say("scribble");
    // Another device goes on meanwhile.
    await using neighbour = new ModelProcess("./models/telling.ts");
    await neighbour.plugged();
    await model.line(/^scribbled$/);
    assert.ok(await accesses(address) > before, "the driver's threads went on");
    await hammer(address, 0);
    model.signal("SIGKILL");
    await unplugged(address);
  },
  { limit: 60 },
);

guestTest("after that a device can be plugged and used as before", async () => {
  await using model = new ModelProcess("./models/bench.ts");
  model.say("go");
  const address = await model.plugged();
  await hammer(address, 1);
  await traffic(address, 50);
  await hammer(address, 0);
});
