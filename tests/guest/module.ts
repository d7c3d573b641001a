// SPDX-License-Identifier: MIT

/**
 * The module itself: not loaded, of another version, not for this user.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import process from "node:process";
import { AbiMismatch, NoModule, open } from "../../mod.ts";
import { guestTest, modules, plain, plug } from "./harness.ts";
import { insmod, instead, rmmod } from "./instead.ts";
import { ModelProcess } from "./model_process.ts";

guestTest(
  "the module cannot be removed while a device is plugged",
  async () => {
    await using card = await plug({}, { read: () => 1 });
    assert.notEqual(spawnSync("rmmod", ["barkeep"]).status, 0);
    assert.equal(await card.driver.read(0), 1);
  },
);

guestTest(
  "without the module, open() is NoModule and says what to load",
  () =>
    instead(undefined, async () => {
      await assert.rejects(open(plain), (error) => {
        assert.ok(error instanceof NoModule, String(error));
        assert.equal(error.code, "NO_MODULE");
        assert.match(error.message, /\/dev\/barkeep.*insmod barkeep\.ko/);
        return true;
      });
    }),
);

guestTest(
  "with a module of another ABI version, open() is AbiMismatch",
  () =>
    instead(process.env.BARKEEP_OTHER_ABI, async () => {
      await assert.rejects(open(plain), (error) => {
        assert.ok(error instanceof AbiMismatch, String(error));
        assert.match(error.message, /version 9999 .* version 1\b.*Rebuild/);
        return true;
      });
      await using model = new ModelProcess("./models/telling.ts");
      await model.ends(69);
      assert.match(model.error, /^AbiMismatch: /);
    }),
);

guestTest(
  "a user who may not open the node gets NotPermitted, and status 69",
  async () => {
    await using model = new ModelProcess("./models/telling.ts", {
      args: ["--as-nobody"],
    });
    await model.ends(69);
    assert.match(
      model.error,
      /^NotPermitted: cannot open \/dev\/barkeep.*chown/,
    );
  },
);

guestTest("a module that was reloaded serves as before", async () => {
  await rmmod();
  insmod(modules);
  await using card = await plug({}, { read: () => 1 });
  assert.equal(await card.driver.read(0), 1);
});
