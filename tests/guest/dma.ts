// SPDX-License-Identifier: MIT

/**
 * DMA: what a driver has mapped can be reached, and nothing else.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Device, DmaFault, type DmaReason } from "../../mod.ts";
import { type Card, guestTest, plug } from "./harness.ts";

const map = async ({ driver }: Card, ...command: (string | number)[]) =>
  Number(await driver.run(...command));

const peek = async ({ driver }: Card, address: number, offset: number) =>
  Number(await driver.run("peek", address, offset));

interface Refusal {
  reason: DmaReason;
  address: number;
  length: number;
  operation: "read" | "write";
  nearest?: { address: number; length: number; direction: string };
  segment?: number;
}

/** What is done is refused, for this reason, and counted. */
function refused(device: Device, wanted: Refusal, act: () => void): void {
  const before = device.counters.refusedDma;
  assert.throws(act, (error) => {
    assert.ok(error instanceof DmaFault, String(error));
    const { reason, address, length, operation, nearest, segment } = error;
    assert.deepEqual(
      { reason, address, length, operation, nearest, segment },
      { nearest: undefined, segment: 0, ...wanted },
    );
    assert.ok(error.message.includes(`0x${wanted.address.toString(16)}`));
    return true;
  });
  assert.equal(device.counters.refusedDma, before + 1);
}

const bytes = Uint8Array.from({ length: 300 }, (_, index) => index * 7);

guestTest("no address is one that a write to is an interrupt", async () => {
  await using card = await plug();
  await card.driver.run("mask", 32);
  const megabyte = 1 << 20;
  const addresses: number[] = [];
  for (let n = 0; n < 24; n++) {
    addresses.push(await map(card, "alloc", megabyte));
  }
  const first = 0xfee0_0000;
  assert.ok(Math.min(...addresses) < first && Math.max(...addresses) > first);
  for (const address of addresses) {
    assert.ok(address + megabyte <= first || address >= 0xfef0_0000);
  }
});

for (const dma of ["iommu", "direct"] as const) {
  guestTest(
    `${dma}: the device reads what the driver wrote, and writes what it reads`,
    async () => {
      await using card = await plug({ dma });
      const coherent = await map(card, "alloc", 8192);
      const streaming = await map(card, "map", "both", 1000);
      for (const address of [coherent, streaming]) {
        await card.driver.run("poke", address, 5, 0x5a);
        assert.equal(card.device.dma.read(address, 8)[5], 0x5a);
        card.device.dma.write(address + 701, bytes.subarray(0, 299));
        assert.equal(await peek(card, address, 701), bytes[0]);
        assert.equal(await peek(card, address, 999), bytes[298]);
        assert.equal(await peek(card, address, 700), 0);
        const back = card.device.dma.read(address + 701, 299);
        assert.deepEqual(back, bytes.subarray(0, 299));
      }
      card.device.dma.write(coherent + 4000, bytes);
      assert.deepEqual(card.device.dma.read(coherent + 4000, 300), bytes);
      assert.equal(card.device.counters.refusedDma, 0);
    },
  );

  guestTest(`${dma}: nothing is mapped, so nothing is reached`, async () => {
    await using card = await plug({ dma });
    for (const address of [0, 0x1000, 0xfee0_0000, 2 ** 40]) {
      const wanted = { reason: "unmapped", address, length: 4 } as const;
      refused(
        card.device,
        { ...wanted, operation: "read" },
        () => card.device.dma.read(address, 4),
      );
      refused(
        card.device,
        { ...wanted, operation: "write" },
        () => card.device.dma.write(address, new Uint8Array(4)),
      );
    }
  });

  guestTest(
    `${dma}: past the end is refused to the byte, and nothing is copied`,
    async () => {
      await using card = await plug({ dma });
      const address = await map(card, "map", "both", 100);
      const nearest = { address, length: 100, direction: "both" } as const;
      card.device.dma.write(address + 99, new Uint8Array([9]));
      refused(
        card.device,
        {
          reason: "past-end",
          address: address + 100,
          length: 11,
          operation: "write",
          nearest,
        },
        () =>
          card.device.dma.write(address + 90, new Uint8Array(11).fill(0xee)),
      );
      assert.equal(await peek(card, address, 90), 0);
      assert.equal(await peek(card, address, 99), 9);
      const to = new Uint8Array(101).fill(0x11);
      refused(
        card.device,
        {
          reason: "past-end",
          address: address + 100,
          length: 101,
          operation: "read",
          nearest,
        },
        () => card.device.dma.copy([{ from: address, to }]),
      );
      assert.ok(to.every((byte) => byte === 0x11));
    },
  );

  guestTest(
    `${dma}: a read longer than all memory is refused, and takes none`,
    async () => {
      await using card = await plug({ dma });
      const address = await map(card, "map", "both", 100);
      const nearest = { address, length: 100, direction: "both" } as const;
      for (
        const length of [
          2 ** 20 + 1,
          2 ** 30,
          2 ** 32 - 1,
          2 ** 40,
          2 ** 53 - 1,
        ]
      ) {
        const wanted = { length, operation: "read", nearest } as const;
        const past = address + 100;
        refused(
          card.device,
          { ...wanted, reason: "past-end", address: past },
          () => card.device.dma.read(address, length),
        );
        refused(
          card.device,
          { ...wanted, reason: "unmapped", address: past },
          () => card.device.dma.read(BigInt(past), length),
        );
      }
      assert.throws(() => card.device.dma.read(-1, 2 ** 40), RangeError);
      await card.driver.run("master", 0);
      assert.throws(
        () => card.device.dma.read(address, 2 ** 40),
        { reason: "no-bus-master" },
      );
    },
  );

  guestTest(`${dma}: a read of 2 MiB is asked for, and done`, async () => {
    await using card = await plug({ dma });
    const length = 1 << 21;
    const address = await map(card, "alloc", length);
    card.device.dma.write(address, bytes);
    await card.driver.run("poke", address, length - 1, 0x5a);
    const back = card.device.dma.read(address, length);
    assert.deepEqual(back.subarray(0, 300), bytes);
    assert.equal(back[length - 1], 0x5a);
    refused(
      card.device,
      {
        reason: "past-end",
        address: address + length,
        length: length + 1,
        operation: "read",
        nearest: { address, length, direction: "both" },
      },
      () => card.device.dma.read(address, length + 1),
    );
  });

  guestTest(
    `${dma}: before, after and between mappings is refused, the nearest is named`,
    async () => {
      await using card = await plug({ dma });
      const address = await map(card, "map", "to", 256);
      const nearest = {
        address,
        length: 256,
        direction: "device-reads",
      } as const;
      for (const at of [address - 4, address + 256]) {
        refused(
          card.device,
          {
            reason: "unmapped",
            address: at,
            length: 4,
            operation: "read",
            nearest,
          },
          () => card.device.dma.read(at, 4),
        );
      }
    },
  );

  guestTest(
    `${dma}: a list is reached entry by entry, until it is unmapped`,
    async () => {
      await using card = await plug({ dma });
      const answer = await card.driver.run("scatter", "both", 3, 100, 60);
      const addresses = answer.split(" ").map(Number);
      assert.equal(addresses.length, 3);
      for (const [entry, address] of addresses.entries()) {
        const length = entry === 2 ? 60 : 100;
        card.device.dma.write(address, bytes.subarray(entry, entry + length));
        const last = bytes[entry + length - 1];
        assert.equal(await peek(card, address, length - 1), last);
        const wanted = {
          reason: "past-end",
          address: address + length,
        } as const;
        assert.throws(() => card.device.dma.read(address, length + 1), wanted);
      }
      await card.driver.run("gather");
      for (const address of addresses) {
        assert.throws(() => card.device.dma.read(address, 1), DmaFault);
      }
    },
  );

  guestTest(`${dma}: addresses are within the driver's mask`, async () => {
    await using card = await plug({ dma });
    const limit = 2 ** 24;
    await assert.rejects(card.driver.run("mask", 23), "of no zone");
    await card.driver.run("mask", 24);
    const address = await map(card, "alloc", 4096);
    assert.ok(address + 4096 <= limit, address.toString(16));
    card.device.dma.write(address, bytes.subarray(0, 16));
    assert.equal(await peek(card, address, 15), bytes[15]);
    // Memory that is beyond it can be mapped by an IOMMU only.
    const mapping = map(card, "map", "both", 64);
    const mapped = dma === "iommu"
      ? await mapping
      : await mapping.catch(() => 0);
    assert.ok(mapped + 64 <= limit, mapped.toString(16));
  });

  guestTest(`${dma}: of a list that cannot be mapped nothing is`, async () => {
    await using card = await plug({ dma });
    // An entry without a byte is not to be had.
    await assert.rejects(card.driver.run("scatter", "both", 3, 100, 0));
    refused(
      card.device,
      { reason: "unmapped", address: 0, length: 4, operation: "read" },
      () => card.device.dma.read(0, 4),
    );
  });

  guestTest(`${dma}: a mapping is for its direction only`, async () => {
    await using card = await plug({ dma });
    const to = await map(card, "map", "to", 64);
    await card.driver.run("poke", to, 0, 1);
    assert.equal(card.device.dma.read(to, 64)[0], 1);
    refused(
      card.device,
      {
        reason: "direction",
        address: to,
        length: 64,
        operation: "write",
        nearest: { address: to, length: 64, direction: "device-reads" },
      },
      () => card.device.dma.write(to, new Uint8Array(64).fill(2)),
    );
    assert.equal(await peek(card, to, 0), 1);
    await card.driver.run("unmap", to);
    const from = await map(card, "map", "from", 64);
    card.device.dma.write(from, new Uint8Array([3]));
    assert.equal(await peek(card, from, 0), 3);
    refused(
      card.device,
      {
        reason: "direction",
        address: from,
        length: 1,
        operation: "read",
        nearest: { address: from, length: 64, direction: "device-writes" },
      },
      () => card.device.dma.read(from, 1),
    );
  });

  guestTest(`${dma}: what was unmapped is stale`, async () => {
    await using card = await plug({ dma });
    const address = await map(card, "map", "both", 512);
    card.device.dma.write(address, new Uint8Array([1]));
    await card.driver.run("unmap", address);
    for (const at of [address, address + 500]) {
      refused(
        card.device,
        { reason: "stale", address: at, length: 12, operation: "write" },
        () => card.device.dma.write(at, new Uint8Array(12)),
      );
    }
  });

  guestTest(`${dma}: with bus mastering off nothing is reached`, async () => {
    await using card = await plug({ dma });
    const address = await map(card, "alloc", 4096);
    await card.driver.run("master", 0);
    const wanted = { reason: "no-bus-master", address, length: 4 } as const;
    assert.throws(
      () => card.device.dma.write(address, new Uint8Array(4).fill(1)),
      (error) => error instanceof DmaFault && error.reason === wanted.reason,
    );
    assert.equal(card.device.counters.refusedDma, 1);
    assert.equal(await peek(card, address, 0), 0);
    await card.driver.run("master", 1);
    card.device.dma.write(address, new Uint8Array(4).fill(1));
    assert.equal(await peek(card, address, 3), 1);
  });

  guestTest(
    `${dma}: of many segments, those before the refused one are copied`,
    async () => {
      await using card = await plug({ dma });
      const address = await map(card, "alloc", 4096);
      const byte = (value: number) => new Uint8Array([value]);
      refused(
        card.device,
        {
          reason: "past-end",
          address: address + 4096,
          length: 2,
          operation: "write",
          nearest: { address, length: 4096, direction: "both" },
          segment: 2,
        },
        () =>
          card.device.dma.copy([
            { from: byte(1), to: address },
            { from: byte(2), to: address + 1 },
            { from: new Uint8Array([3, 4]), to: address + 4095 },
            { from: byte(5), to: address + 2 },
          ]),
      );
      assert.deepEqual([...card.device.dma.read(address, 3)], [1, 2, 0]);
      assert.equal(await peek(card, address, 4095), 0);
    },
  );
}

guestTest(
  "iommu: bus addresses are not physical ones, and go when the card goes",
  async () => {
    let old = 0;
    {
      await using card = await plug();
      old = await map(card, "alloc", 4096);
      card.device.dma.write(old, new Uint8Array([1]));
    }
    await using card = await plug();
    assert.throws(() => card.device.dma.read(old, 1), DmaFault);
  },
);

guestTest("a batch of 3000 segments is copied whole", async () => {
  await using card = await plug();
  const address = await map(card, "alloc", 4096);
  const from = Array.from({ length: 3000 }, (_, n) => new Uint8Array([n]));
  card.device.dma.copy(
    from.map((bytes, n) => ({ from: bytes, to: address + n })),
  );
  const back = card.device.dma.read(address, 3000);
  assert.ok(back.every((byte, n) => byte === n % 256));
});

guestTest("an address may be a bigint, as registers have it", async () => {
  await using card = await plug();
  const { dma } = card.device;
  const address = BigInt(await map(card, "alloc", 4096));
  dma.write(address + 5n, bytes);
  assert.deepEqual(dma.read(address + 5n, 300), bytes);
  const copy = new Uint8Array(300);
  dma.copy([{ from: address + 5n, to: copy }, { from: copy, to: address }]);
  assert.deepEqual(dma.read(address, 300), bytes);
  for (const far of [1n << 53n, 1n << 63n, (1n << 64n) - 4096n]) {
    assert.throws(() => dma.read(far, 4), { reason: "unmapped" });
    assert.throws(() => dma.write(far, copy), { reason: "unmapped" });
  }
});

guestTest("an address that is no number is a RangeError", async () => {
  await using card = await plug();
  const wrong = [-1, 0.5, NaN, 2 ** 53, -1n, 1n << 64n, "0x1000" as never];
  for (const address of wrong) {
    assert.throws(() => card.device.dma.read(address, 1), RangeError);
  }
  assert.throws(() => card.device.dma.read(0, -1), RangeError);
});
