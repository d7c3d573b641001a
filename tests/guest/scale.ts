// SPDX-License-Identifier: MIT

/**
 * Many devices, many models, many mappings.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Card, Exerciser, guestTest, plug } from "./harness.ts";
import { ModelProcess, unplugged } from "./model_process.ts";
import { times } from "./patience.ts";

const devices = 64;
const processes = times("BARKEEP_PROCESSES", { usual: 64, slow: 16 });
const mappings = 4096;

guestTest(
  `${devices} devices of one process are all served at once`,
  async () => {
    await using stack = new AsyncDisposableStack();
    const cards: Card[] = [];
    const registers = new Int32Array(devices);
    for (let n = 0; n < devices; n++) {
      const card = await plug({ timeout: 60_000 }, {
        read: () => registers[n]!,
        write: (_offset, value) => void (registers[n] = value),
      });
      cards.push(stack.use(card));
    }
    for (let round = 1; round <= 3; round++) {
      const value = (n: number): number => round * 1000 + n;
      await Promise.all(cards.map(async ({ driver }, n) => {
        await driver.write(0, value(n));
        assert.equal(await driver.read(0), value(n));
      }));
      assert.deepEqual([...registers], cards.map((_, n) => value(n)));
    }
    assert.equal(new Set(cards.map(({ address }) => address)).size, devices);
    assert.ok(cards.every(({ device }) => device.counters.timeouts === 0));
  },
  { machine: "four", limit: 180 },
);

guestTest(
  "many processes serve a device each",
  async () => {
    await using stack = new AsyncDisposableStack();
    const models: ModelProcess[] = [];
    for (let n = 0; n < processes; n++) {
      const model = new ModelProcess("./models/telling.ts", {
        args: ["--completion-timeout", "60000"],
        cpus: "0-3",
      });
      models.push(stack.use(model));
      // As many as there are CPUs start at a time.
      if (n >= 4) await models[n - 4]?.plugged();
    }
    const drivers = await Promise.all(models.map(async (model) => {
      const driver = await Exerciser.bind(await model.plugged());
      return stack.use(driver);
    }));
    for (let round = 1; round <= 3; round++) {
      await Promise.all(drivers.map(async (driver) => {
        await driver.write(0, round);
        assert.equal(await driver.read(0), round);
      }));
    }
    for (const model of models) model.signal("SIGINT");
    for (const model of models) {
      await model.ends(0);
      await unplugged(await model.plugged());
    }
  },
  { machine: "four", limit: 120 + 10 * processes },
);

guestTest(`${mappings} mappings of one BAR all work at once`, async () => {
  const registers = new Map<number, number>();
  const bars = [{ size: 65536 }];
  await using card = await plug({ bars, timeout: 60_000 }, {
    read: (offset) => registers.get(offset) ?? -1,
    write: (offset, value) => void registers.set(offset, value),
  });
  assert.equal(await card.driver.run("many", mappings, 0), "0");
  assert.equal(registers.size, mappings);
});
