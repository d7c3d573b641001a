// SPDX-License-Identifier: MIT

/**
 * Models whose handlers fail, in each way that there is.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Handlers, ModelFailed } from "../../mod.ts";
import { HostConfig } from "./config.ts";
import { type Card, guestTest, isPresent, plug, sleep } from "./harness.ts";

const ones = 0xffff_ffff;

guestTest(
  "a handler that throws pulls the card and rejects serve()",
  async () => {
    await using card = await plug({}, {
      read(offset) {
        if (offset === 0x20) throw new Error("no such register");
        return 1;
      },
    });
    assert.equal(await card.driver.read(0), 1);
    assert.equal(await card.driver.read(0x20), ones);
    await assert.rejects(card.served, (error) => {
      assert.ok(error instanceof ModelFailed);
      assert.match(
        error.message,
        /4-byte read of BAR 0 at 0x20.*no such register/,
      );
      assert.ok(error.cause instanceof Error);
      return true;
    });
    await card.device.gone;
    assert.ok(!isPresent(card.address));
  },
);

guestTest(
  "a handler that returns what no read can return is a model's failure",
  async () => {
    await using card = await plug({}, {
      read: () => undefined as unknown as number,
    });
    assert.equal(await card.driver.read(0), ones);
    await assert.rejects(card.served, (error) => {
      assert.ok(error instanceof ModelFailed);
      assert.match(error.message, /it returned nothing; return -2\^31/);
      assert.equal(error.cause, undefined, "a stack would be our own");
      return true;
    });
  },
);

/** Every other way in which a handler fails: it, its name, what the host does. */
const failures: {
  what: string;
  handler: RegExp;
  model: Handlers;
  provoke: (card: Card) => Promise<unknown>;
}[] = [
  {
    what: "a handler of writes that throws",
    handler: /4-byte write of BAR 0 at 0x20/,
    model: {
      write(offset) {
        if (offset === 0x20) throw new Error("planted");
      },
    },
    provoke: ({ driver }) => driver.write(0x20, 1),
  },
  {
    what: "a handler of writes whose promise rejects",
    handler: /2-byte write of BAR 0 at 0x22/,
    model: {
      async write(offset) {
        await sleep(1);
        if (offset === 0x22) throw new Error("planted");
      },
    },
    provoke: ({ driver }) => driver.write(0x22, 1, { width: 2 }),
  },
  {
    what: "a handler of reads whose promise rejects",
    handler: /1-byte read of BAR 0 at 0x23/,
    model: {
      async read(offset) {
        await sleep(1);
        if (offset === 0x23) throw new Error("planted");
        return 1;
      },
    },
    provoke: async ({ driver }) =>
      assert.equal(await driver.read(0x23, 1), 0xff),
  },
  {
    what: "a handler of writes that throws at a piece of a wide one",
    handler: /8-byte write of BAR 0 at 0x28/,
    model: {
      write(offset) {
        if (offset === 0x2c) throw new Error("planted");
      },
    },
    provoke: ({ driver }) => driver.run("write", 0, 0x28, 8, 1),
  },
  {
    what: "a handler of Command that throws",
    handler: /handler of command:/,
    model: {
      command({ busMaster, interruptDisable }) {
        if (busMaster && interruptDisable) throw new Error("planted");
      },
    },
    provoke: (card) => disableIntx(card),
  },
  {
    what: "a handler of Command whose promise rejects",
    handler: /handler of command:/,
    model: {
      async command({ busMaster, interruptDisable }) {
        await sleep(1);
        if (busMaster && interruptDisable) throw new Error("planted");
      },
    },
    provoke: (card) => disableIntx(card),
  },
  {
    what: "a handler of the unplug whose promise rejects",
    handler: /handler of unplugged:/,
    model: {
      async unplugged() {
        await sleep(1);
        throw new Error("planted");
      },
    },
    provoke: ({ device }) => device.unplug(),
  },
  {
    what: "a handler of config writes that throws",
    handler: /handler of config:/,
    model: {
      config({ value }) {
        if (value === 0x10) throw new Error("planted");
      },
    },
    provoke: (card) => {
      using config = new HostConfig(card.address);
      config.write(0x0c, 0x10, 1);
      return Promise.resolve();
    },
  },
];

/** What only we do to a bus master: the host tries the bit before. */
function disableIntx({ address }: Card): Promise<void> {
  using config = new HostConfig(address);
  config.write(0x04, config.read(0x04, 2) | 0x400, 2);
  return Promise.resolve();
}

for (const { what, handler, model, provoke } of failures) {
  guestTest(`${what} pulls the card and rejects serve()`, async () => {
    await using card = await plug({ notify: [0x0c] }, model);
    await provoke(card);
    await assert.rejects(card.served, (error) => {
      assert.ok(error instanceof ModelFailed, String(error));
      assert.match(error.message, handler);
      assert.match(error.message, /: planted$/);
      assert.ok(error.cause instanceof Error);
      return true;
    });
    await card.device.gone;
    assert.ok(!isPresent(card.address));
  });
}

guestTest(
  "a loop whose body throws at a write rejects with that, and leaves the device",
  async () => {
    const writes: number[] = [];
    await using card = await plug({}, (event) => {
      if (event.kind !== "write") return;
      writes.push(event.value);
      if (event.value === 2) throw new Error("planted");
    });
    for (const value of [1, 2, 3]) await card.driver.write(0, value);
    await assert.rejects(card.served, (error) => {
      assert.ok(error instanceof Error && !(error instanceof ModelFailed));
      assert.equal(error.message, "planted");
      return true;
    });
    assert.ok(isPresent(card.address));
    const served = card.device.serve({
      read: () => 4,
      write: (_, value) => void writes.push(value),
    });
    assert.equal(await card.driver.read(0), 4);
    assert.deepEqual(writes, [1, 2, 3], "none is lost, and none comes twice");
    await card.device.unplug();
    await served;
  },
);
