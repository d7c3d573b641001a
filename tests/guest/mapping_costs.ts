// SPDX-License-Identifier: MIT

/**
 * What mapping a BAR costs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import type { DeviceSpec } from "../../mod.ts";
import { guestTest, plug } from "./harness.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A BAR that is memory throughout. */
const memory = (size: number): Partial<DeviceSpec> => ({
  bars: [{ size, bits: 64, prefetchable: true, trap: [] }],
});

/** Bytes of free pages that a CPU keeps for itself; `MemFree` is without them. */
function keptByCpus(zoneinfo: string): number {
  const lists = Array.from(
    zoneinfo.matchAll(/^ +count: (\d+)$/gm),
    ([, pages]) => Number(pages) * 4 * KiB,
  );
  assert.notEqual(lists.length, 0, "/proc/zoneinfo has no lists of CPUs");
  return lists.reduce((sum, bytes) => sum + bytes);
}

/**
 * Bytes of memory that belong to nobody in particular: neither free, nor cache,
 * nor a process's, nor the slab's. The pages of BARs are among them.
 */
function unnamed(): number {
  // What each CPU has counted comes to the sums.
  readFileSync("/proc/sys/vm/stat_refresh");
  // Pages go to and fro between the two, so one is read right after the other.
  const meminfo = readFileSync("/proc/meminfo", "utf8");
  const zoneinfo = readFileSync("/proc/zoneinfo", "utf8");
  const sizes = new Map(
    Array.from(
      meminfo.matchAll(/^(\w+):\s+(\d+) kB$/gm),
      ([, name = "", size]) => [name, Number(size) * KiB],
    ),
  );
  const named = [
    "MemFree",
    "Buffers",
    "Cached",
    "AnonPages",
    "Slab",
    "KernelStack",
    "PageTables",
  ];
  return named.reduce(
    (rest, name) => rest - (sizes.get(name) ?? 0),
    (sizes.get("MemTotal") ?? 0) - keptByCpus(zoneinfo),
  );
}

/** What KASAN has for so many mapped bytes. */
const shadow = (mapped: number): number =>
  existsSync("/sys/kernel/debug/kmemleak") ? mapped / 8 : 0;

for (
  const { size, most } of [
    { size: 2 * MiB, most: 1 * MiB },
    { size: 16 * MiB, most: 1 * MiB },
    { size: 256 * MiB, most: 4 * MiB },
  ]
) {
  guestTest(
    `a BAR of ${size / MiB} MiB costs what is used of it`,
    async () => {
      const before = unnamed();
      await using card = await plug(memory(size));
      const { driver } = card;
      const view = new DataView(card.device.bars[0]!.buffer);
      const mappings = [];
      for (let n = 0; n < 4; n++) {
        mappings.push(await driver.run("ioremap", "ioremap_wc", 0, 0, size));
      }
      const places = [0, size / 2 - 2, size / 2 + 4096, size - 4];
      for (const [index, at] of places.entries()) {
        for (const number of mappings) {
          assert.equal(
            Number(await driver.run("load", number, at, 4)),
            number === mappings[0] ? 0 : 0x1000 + index,
          );
          await driver.run("store", number, at, 4, 0x1000 + index);
        }
        assert.equal(view.getUint32(at, true), 0x1000 + index);
        view.setUint32(at ^ 0x800, 0x2000 + index, true);
        const other = driver.run("load", mappings[3]!, at ^ 0x800, 4);
        assert.equal(Number(await other), 0x2000 + index);
      }
      const cost = unnamed() - before - shadow(4 * size);
      assert.ok(cost < most, `it costs ${cost / MiB} MiB`);
    },
  );
}

guestTest(
  "sixteen BARs of 16 MiB, mapped and touched, cost little",
  async () => {
    const before = unnamed();
    await using cards = new AsyncDisposableStack();
    for (let n = 0; n < 16; n++) {
      const card = cards.use(await plug(memory(16 * MiB)));
      await card.driver.write(8 * MiB, n);
      assert.equal(await card.driver.read(8 * MiB), n);
      assert.equal(new Uint8Array(card.device.bars[0]!.buffer)[8 * MiB], n);
    }
    const cost = unnamed() - before - shadow(16 * 16 * MiB);
    assert.ok(cost < 4 * MiB, `they cost ${cost / MiB} MiB`);
  },
  { limit: 60 },
);

guestTest("a BAR of 256 MiB that traps does so to its end", async () => {
  const heard: number[] = [];
  const size = 256 * MiB;
  await using card = await plug({ bars: [{ size, bits: 64 }] }, {
    read(offset) {
      heard.push(offset);
      return 0x600d;
    },
  });
  const before = unnamed();
  for (const at of [0, 2 * MiB - 4, 2 * MiB, size - 4]) {
    assert.equal(await card.driver.read(at), 0x600d);
  }
  assert.deepEqual(heard, [0, 2 * MiB - 4, 2 * MiB, size - 4]);
  const cost = unnamed() - before - shadow(size);
  assert.ok(cost < 4 * MiB, `it costs ${cost / MiB} MiB`);
});
