// SPDX-License-Identifier: MIT

/**
 * Models that fail, stop or are killed, while their drivers go on.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import {
  eventually,
  Exerciser,
  guestTest,
  isPresent,
  modules,
  plug,
} from "./harness.ts";
import { HostConfig } from "./config.ts";
import { bindBench, hammer, traffic } from "./hammer.ts";
import { ModelProcess, unplugged } from "./model_process.ts";
import { offsets } from "./models/offsets.ts";

const ones = 0xffff_ffff;
const telling = "./models/telling.ts";
const bench = "./models/bench.ts";
const failing = "./models/failing.ts";

guestTest(
  "a model that throws in a handler is unplugged, its stack shown, its exit status 1",
  async () => {
    await using model = new ModelProcess(telling);
    const address = await model.plugged();
    using driver = await Exerciser.bind(address);
    assert.equal(await driver.read(0), 0);
    assert.equal(await driver.read(offsets.throw), ones);
    await model.ends(1);
    assert.ok(!isPresent(address));
    assert.match(
      model.error,
      /ModelFailed: .*read of BAR 0 at 0x10: Error: planted/,
    );
    assert.match(
      model.error,
      /Error: planted in a handler\n.*telling\.ts:\d+/s,
    );
  },
);

for (
  const [place, handler] of [
    ["read", "a 4-byte read of BAR 0 at 0x"],
    ["command", "command"],
    ["plugged", "plugged"],
  ] as const
) {
  guestTest(
    `a model that throws in ${place} while its driver probes says so, and not what came of it`,
    async () => {
      await using model = new ModelProcess(failing, { args: [place] });
      await model.ends(1);
      assert.match(model.error, /^ModelFailed: the model failed in its/);
      assert.ok(model.error.includes(`handler of ${handler}`), model.error);
      assert.match(model.error, /Error: planted in .*failing\.ts:\d+/s);
      assert.doesNotMatch(model.error, /ENOENT|\/sys\//);
      if (place !== "plugged") assert.deepEqual(model.lines, []);
    },
  );
}

for (const place of ["timer", "promise"]) {
  guestTest(
    `a ${place} of a model that throws unplugs it, and its exit status is 1`,
    async () => {
      await using model = new ModelProcess(failing, { args: [place] });
      const address = await model.plugged();
      await model.ends(1);
      assert.ok(!isPresent(address));
      const said =
        /^ModelFailed: the model failed outside its handlers: Error: planted in /;
      assert.match(model.error, said);
      assert.match(model.error, /failing\.ts:\d+/);
    },
  );
}

guestTest(
  "a command runs while the device is plugged, and the model ends with its status",
  async () => {
    const look = 'cat "/sys/bus/pci/devices/$BARKEEP_DEVICE/device"; exit 3';
    const args = ["nowhere", "--", "sh", "-c", look];
    await using model = new ModelProcess(failing, { args });
    await model.ends(3);
    assert.ok(model.lines.includes("0xbe9c"), model.lines.join("\n"));
    assert.equal(model.lines.at(-1), "unplugged");
  },
);

guestTest(
  "a model that fails ends the command, and its own status is 1",
  async () => {
    const args = ["timer", "--", "sleep", "1000"];
    await using model = new ModelProcess(failing, { args });
    await model.ends(1);
    assert.match(model.error, /^ModelFailed: .*planted in timer/);
  },
);

guestTest(
  "a command that is not there is named, and the device is unplugged",
  async () => {
    const args = ["nowhere", "--", "/no/such/command"];
    await using model = new ModelProcess(failing, { args });
    await model.ends(1);
    assert.match(model.error, /cannot run \/no\/such\/command: .*ENOENT/);
  },
);

guestTest(
  "a shell goes on when the model fails, and the status is 1 after it",
  async () => {
    const args = ["timer", "--shell"];
    await using model = new ModelProcess(failing, { args });
    const said = /^ModelFailed: .*planted in timer.*this shell goes on$/ms;
    await eventually(() => said.test(model.error), "the model's error");
    model.say("test -e /sys/bus/pci/devices/$BARKEEP_DEVICE || echo pulled");
    await model.line(/^pulled$/);
    model.say("exit 0");
    await model.ends(1);
  },
);

guestTest(
  "Ctrl-C unplugs a served device, and the exit status is 0",
  async () => {
    await using model = new ModelProcess(telling);
    const address = await model.plugged();
    using driver = await Exerciser.bind(address);
    assert.equal(await driver.read(0), 0);
    model.signal("SIGINT");
    await model.ends(0);
    assert.ok(!isPresent(address));
    assert.equal(model.lines.at(-1), "unplugged");
  },
);

guestTest(
  "a model that exits while a read waits: the reader goes on at once",
  async () => {
    // No timeout in sight: only the exit can end it.
    const args = ["--completion-timeout", "600000"];
    await using model = new ModelProcess(telling, { args });
    const address = await model.plugged();
    using driver = await Exerciser.bind(address);
    assert.equal(await driver.read(offsets.exit), ones);
    await model.ends(7);
    await unplugged(address);
  },
);

guestTest(
  "a card that is pulled while a read waits: the reader goes on at once",
  async () => {
    let waits = false;
    // No timeout in sight: only the unplug can end it.
    await using card = await plug({ timeout: 600_000 }, {
      read() {
        waits = true;
        return new Promise(() => {});
      },
    });
    const read = card.driver.read(0);
    await eventually(() => waits, "a read that waits");
    await card.device.unplug({ surprise: true });
    assert.equal(await read, ones);
    assert.equal(card.device.counters.timeouts, 0);
  },
);

/** Models killed in a row, and the devices of each. */
const kills = Number(process.env.BARKEEP_KILLS ?? 5);
const devices = 10;

guestTest(
  `kill -9 under traffic, again and again, with ${devices} devices each`,
  async () => {
    // Threads that spin with interrupts off on all CPUs keep the model from
    // answering them, so the timeout is short.
    const args = [String(devices), "300"];
    let next = new ModelProcess(bench, { args });
    for (let round = 1; round <= kills; round++) {
      await using model = next;
      model.say("go");
      const addresses = await model.allPlugged(devices);
      for (const address of addresses) await bindBench(address);
      for (const address of addresses) await hammer(address, 1);
      for (const address of addresses) await traffic(address, 3);
      next = new ModelProcess(bench, { args });
      model.signal("SIGKILL");
      await model.ends("SIGKILL");
      for (const address of addresses) await unplugged(address);
    }
    await next[Symbol.asyncDispose]();
  },
  { limit: 90 + 20 * kills },
);

guestTest("an unplug under traffic leaves nothing behind", async () => {
  await using model = new ModelProcess(bench);
  model.say("go");
  const address = await model.plugged();
  await hammer(address, 3);
  await traffic(address, 25);
  model.signal("SIGINT");
  await model.ends(0);
  assert.ok(!isPresent(address));
});

guestTest(
  "rmmod of the driver under traffic, and the device serves the next one",
  async () => {
    await using model = new ModelProcess(bench);
    model.say("go");
    const address = await model.plugged();
    for (let round = 0; round < 3; round++) {
      await hammer(address, 3);
      await traffic(address, 15);
      execFileSync("rmmod", ["bench"]);
      assert.ok(isPresent(address));
      execFileSync("insmod", [`${modules}/bench.ko`]);
    }
    await hammer(address, 1);
    await traffic(address, 5);
    await hammer(address, 0);
  },
);

guestTest(
  "a stopped model: reads time out as all-ones, and it is told when it goes on",
  async () => {
    await using model = new ModelProcess(telling);
    const address = await model.plugged();
    using driver = await Exerciser.bind(address);
    await driver.write(0, 1);
    assert.equal(await driver.read(0), 1);
    model.signal("SIGSTOP");
    assert.equal(await driver.read(0), ones);
    await driver.write(0, 1);
    assert.equal(await driver.read(0), ones);
    model.signal("SIGCONT");
    // Until it moves, an access does not wait long for it.
    await model.line(/^fault timeout after 2 writes$/);
    assert.equal(await driver.read(0), 2, "the write was delivered, late");
    const faults = model.lines.filter((line) => line.startsWith("fault"));
    assert.deepEqual(faults.map((line) => line.split(" ")[1]), [
      "timeout",
      "timeout",
    ]);
  },
);

guestTest(
  "a stopped model whose ring is full: the link goes down for good",
  async () => {
    await using model = new ModelProcess(telling);
    const address = await model.plugged();
    using driver = await Exerciser.bind(address);
    model.signal("SIGSTOP");
    await driver.run("copy", 0, 0, 4096);
    assert.equal(await driver.read(0), ones);
    assert.equal(await driver.read(4096), ones, "shadow pages too");
    model.signal("SIGCONT");
    await model.line(/^fault link after (\d+) writes$/);
    assert.equal(await driver.read(0), ones, "also for a model that is back");
    using config = new HostConfig(address);
    assert.equal(config.read(0), ones, "config space too");
    const unbind = "/sys/bus/pci/drivers/exerciser/unbind";
    await writeFile(unbind, address);
    model.signal("SIGINT");
    await model.ends(0);
    assert.ok(!isPresent(address));
  },
);

guestTest("a driver can be removed while its model is stopped", async () => {
  await using model = new ModelProcess(bench, { args: ["1", "2000"] });
  model.say("go");
  const address = await model.plugged();
  await hammer(address, 2);
  await traffic(address, 5);
  model.signal("SIGSTOP");
  execFileSync("rmmod", ["bench"]);
  model.signal("SIGCONT");
  execFileSync("insmod", [`${modules}/bench.ko`]);
  await hammer(address, 1);
  await traffic(address, 5);
});
