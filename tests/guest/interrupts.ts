// SPDX-License-Identifier: MIT

/**
 * MSI and INTx, from the model to the driver's handlers.
 *
 * @module
 */
import assert from "node:assert/strict";
import { IrqRefused, msi, pcie, pm, Unplugged } from "../../mod.ts";
import { HostConfig } from "./config.ts";
import { type Card, eventually, guestTest, plug } from "./harness.ts";

async function counts({ driver }: Card): Promise<number[]> {
  return (await driver.run("interrupts")).split(" ").map(Number);
}

/** Waits until the driver's handlers have counted this. */
async function counted(card: Card, wanted: number[]): Promise<void> {
  let last: number[] = [];
  const look = async () => {
    last = await counts(card);
    return last.join() === wanted.join();
  };
  await eventually(look, `${wanted} interrupts`).catch((error) => {
    throw new Error(`the driver counted ${last}, not ${wanted}`, {
      cause: error,
    });
  });
}

/** Waits until what was on its way before has arrived: something later has. */
async function settled(): Promise<void> {
  await using other = await plug({ interruptPin: "A" });
  await other.driver.run("intx", 1);
  other.device.irq.assert();
  await counted(other, [1]);
  other.device.irq.deassert();
}

const refusedFor = (reason: IrqRefused["reason"]) => (error: unknown) =>
  error instanceof IrqRefused && error.reason === reason;

const capabilities = [msi({ vectors: 4, maskable: true })];

guestTest("each MSI vector raised reaches its own handler, once", async () => {
  await using card = await plug({ capabilities });
  await card.driver.run("vectors", 4);
  assert.equal(card.device.irq.vectors, 4);
  await card.told("vector", ({ enabled }) => enabled === 4);
  card.device.irq.raise(2);
  await counted(card, [0, 0, 1, 0]);
  card.device.irq.raise();
  card.device.irq.raise(3);
  await counted(card, [1, 0, 1, 1]);
  for (let n = 2; n <= 20; n++) {
    card.device.irq.raise(0);
    await counted(card, [n, 0, 1, 1]);
  }
  card.device.irq.raise(1);
  await counted(card, [20, 1, 1, 1]);
});

guestTest("all 32 vectors raised at once arrive", async () => {
  await using card = await plug({ capabilities: [msi({ vectors: 32 })] });
  await card.driver.run("vectors", 32);
  for (let n = 0; n < 32; n++) card.device.irq.raise(n);
  await counted(card, Array<number>(32).fill(1));
});

guestTest("a vector that the device does not have is refused", async () => {
  await using card = await plug({ capabilities });
  await card.driver.run("vectors", 4);
  for (const vector of [4, 32, 2 ** 32 - 1, 2 ** 32, -1, 1.5]) {
    assert.throws(
      () => card.device.irq.raise(vector),
      refusedFor("no-vector"),
      `vector ${vector}`,
    );
  }
  card.device.irq.raise(3);
  await counted(card, [0, 0, 0, 1]);
});

guestTest("a device without MSI or without a pin says so", async () => {
  await using card = await plug();
  assert.throws(() => card.device.irq.raise(), refusedFor("no-vector"));
  assert.throws(() => card.device.irq.assert(), refusedFor("no-vector"));
  assert.throws(() => card.device.irq.deassert(), /interruptPin/);
});

guestTest("a vector that the driver has not enabled is refused", async () => {
  await using card = await plug({ capabilities });
  assert.throws(() => card.device.irq.raise(0), refusedFor("not-enabled"));
  await card.driver.run("vectors", 2);
  assert.throws(() => card.device.irq.raise(2), refusedFor("not-enabled"));
  card.device.irq.raise(1);
  await counted(card, [0, 1]);
  await card.driver.run("vectors", 0);
  assert.throws(() => card.device.irq.raise(0), refusedFor("not-enabled"));
  await card.told("vector", ({ enabled }) => enabled === 0);
  await card.driver.run("vectors", 2);
  card.device.irq.raise(1);
  await counted(card, [0, 1]);
  card.device.irq.raise(0);
  await counted(card, [1, 1]);
});

guestTest("with bus mastering off, MSI is refused", async () => {
  await using card = await plug({ capabilities });
  await card.driver.run("vectors", 2);
  await card.driver.run("master", 0);
  assert.throws(() => card.device.irq.raise(0), refusedFor("no-bus-master"));
  await card.driver.run("master", 1);
  card.device.irq.raise(1);
  await counted(card, [0, 1]);
  card.device.irq.raise(0);
  await counted(card, [1, 1]);
});

for (const address64 of [true, false]) {
  const bits = address64 ? 64 : 32;
  guestTest(
    `a masked vector is pending, and delivered once when unmasked, with addresses of ${bits} bits`,
    async () => {
      const vectors = msi({ vectors: 4, maskable: true, address64 });
      await using card = await plug({ capabilities: [vectors] });
      await card.driver.run("vectors", 4);
      using config = new HostConfig(card.address);
      const mask = address64 ? 0x50 : 0x4c;
      const pending = mask + 4;
      config.write(mask, 0b0100);
      card.device.irq.raise(2);
      card.device.irq.raise(2);
      card.device.irq.raise(1);
      await counted(card, [0, 1, 0, 0]);
      assert.equal(config.read(pending), 0b0100);
      config.write(mask, 0);
      await counted(card, [0, 1, 1, 0]);
      assert.equal(config.read(pending), 0);
      card.device.irq.raise(3);
      await counted(card, [0, 1, 1, 1]);
    },
  );
}

guestTest(
  "INTx is a level that Status shows and a later handler still sees",
  async () => {
    await using card = await plug({ interruptPin: "A" });
    using config = new HostConfig(card.address);
    const interruptStatus = () => config.read(0x06, 2) >> 3 & 1;
    await card.driver.run("intx", 1);
    assert.equal(interruptStatus(), 0);
    card.device.irq.assert();
    await counted(card, [1]);
    assert.equal(interruptStatus(), 1);
    // A handler that comes while the line is asserted is called at once.
    await card.driver.run("intx", 0);
    await card.driver.run("intx", 1);
    await counted(card, [1]);
    card.device.irq.deassert();
    assert.equal(interruptStatus(), 0);
    await card.driver.run("intx", 0);
    await card.driver.run("intx", 1);
    await settled();
    assert.deepEqual(await counts(card), [0]);
  },
);

guestTest(
  "INTX_DISABLE holds an asserted line back, and lets it through later",
  async () => {
    await using card = await plug({ interruptPin: "B" });
    using config = new HostConfig(card.address);
    await card.driver.run("intx", 1);
    const disable = (on: boolean): void =>
      config.write(0x04, (config.read(0x04, 2) & ~0x400) | (on ? 0x400 : 0), 2);
    disable(true);
    card.device.irq.assert();
    await settled();
    assert.deepEqual(await counts(card), [0]);
    assert.equal(config.read(0x06, 2) >> 3 & 1, 1);
    disable(false);
    await counted(card, [1]);
    card.device.irq.deassert();
  },
);

guestTest("the line is not heard while the function is in D3hot", async () => {
  const capabilities = [pm({ noSoftReset: true })];
  await using card = await plug({ capabilities, interruptPin: "A" });
  using config = new HostConfig(card.address);
  await card.driver.run("intx", 1);
  config.write(0x44, 3, 2);
  card.device.irq.assert();
  await settled();
  assert.deepEqual(await counts(card), [0]);
  config.write(0x44, 0, 2);
  await counted(card, [1]);
  card.device.irq.deassert();
});

guestTest("a reset of the function lowers the line", async () => {
  const capabilities = [pcie()];
  await using card = await plug({ capabilities, interruptPin: "A" });
  using config = new HostConfig(card.address);
  await card.driver.run("intx", 1);
  card.device.irq.assert();
  await counted(card, [1]);
  await card.driver.run("reset");
  assert.equal(config.read(0x06, 2) >> 3 & 1, 0);
  await card.driver.run("intx", 0);
  await card.driver.run("intx", 1);
  await settled();
  assert.deepEqual(await counts(card), [0]);
  card.device.irq.assert();
  await counted(card, [1]);
  card.device.irq.deassert();
});

guestTest(
  "a line that no driver handles and no model lowers leaves the CPU to others",
  async () => {
    await using card = await plug({ interruptPin: "A" }, { read: () => 7 });
    await card.driver.run("intx", 1);
    await card.driver.run("ignore", 1);
    card.device.irq.assert();
    // More than the interrupt core has patience for.
    const many = async () => ((await counts(card))[0] ?? 0) > 150_000;
    await eventually(many, "many interrupts");
    assert.equal(await card.driver.read(0), 7);
    card.device.irq.deassert();
    await settled();
    const before = await counts(card);
    await settled();
    assert.deepEqual(await counts(card), before);
    card.device.irq.assert();
    await eventually(
      async () => (await counts(card)).join() !== before.join(),
      "it to come again",
    );
  },
);

guestTest("messages that no driver handles leave it as well", async () => {
  await using card = await plug({ capabilities }, { read: () => 7 });
  await card.driver.run("vectors", 4);
  await card.driver.run("ignore", 1);
  for (let n = 0; n < 200_000; n++) card.device.irq.raise(n % 4);
  assert.equal(await card.driver.read(0), 7);
  await card.driver.run("ignore", 0);
  await settled();
  const before = await counts(card);
  card.device.irq.raise(2);
  await counted(card, before.map((count, n) => count + Number(n === 2)));
});

guestTest("after the unplug an interrupt throws Unplugged", async () => {
  const card = await plug({ capabilities, interruptPin: "A" });
  await card.driver.run("vectors", 1);
  await card[Symbol.asyncDispose]();
  assert.throws(() => card.device.irq.raise(0), Unplugged);
  assert.throws(() => card.device.irq.assert(), Unplugged);
});
