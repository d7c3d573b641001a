// SPDX-License-Identifier: MIT

/**
 * Every way that the kernel has to map a BAR.
 *
 * @module
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { open as openPath, writeFile } from "node:fs/promises";
import type { DeviceSpec, Handlers } from "../../mod.ts";
import {
  type Card,
  eventually,
  Exerciser,
  guestTest,
  plug,
} from "./harness.ts";
import { patiently } from "./patience.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** Two pages that trap, the rest is memory. */
const half: Partial<DeviceSpec> = {
  bars: [{ size: 64 * KiB, trap: [[0, 8 * KiB]] }],
};

/** A BAR that is memory throughout. */
const memory = (size: number): Partial<DeviceSpec> => ({
  bars: [{ size, bits: 64, prefetchable: true, trap: [] }],
});

/** Registers that hold what was written, by offset. */
function registers(): Handlers & { values: Map<number, number> } {
  const values = new Map<number, number>();
  return {
    values,
    read: (offset) => values.get(offset) ?? 0,
    write: (offset, value) => void values.set(offset, value),
  };
}

function bytes({ device }: Card, bar = 0): Uint8Array {
  const found = device.bars[bar];
  assert.ok(found);
  return new Uint8Array(found.buffer);
}

/** The errno of a command that maps and must fail; nothing is read, so no model is needed. */
async function refused({ address }: Card, command: string): Promise<string> {
  try {
    await writeFile(`/sys/kernel/debug/exerciser/${address}`, command);
    return "no error";
  } catch (error) {
    return String((error as { code?: string }).code);
  }
}

/** Bytes of each area of address space that mappings of BARs have, in order. */
function areas(): number[] {
  return Array.from(
    readFileSync("/proc/vmallocinfo", "utf8")
      .matchAll(/^\S+ +(\d+) .*\[barkeep\].* vmap/gm),
    ([, bytes]) => Number(bytes),
  ).sort((a, b) => a - b);
}

async function loadLibc(): Promise<{
  madvise(memory: Uint8Array, length: bigint, advice: number): number;
  dontNeed: number;
}> {
  const specifier: string = "bun:ffi";
  const { dlopen } = await import(specifier);
  const { symbols } = dlopen("libc.so.6", {
    madvise: { args: ["ptr", "u64", "i32"], returns: "i32" },
  });
  return { madvise: symbols.madvise, dontNeed: 4 };
}

const anywhere = [
  "ioremap",
  "ioremap_uc",
  "ioremap_wc",
  "ioremap_wt",
  "ioremap_cache",
  "ioremap_encrypted",
  "ioremap_prot",
  "devm_ioremap",
  "devm_ioremap_uc",
  "devm_ioremap_wc",
  "memremap_wb",
  "memremap_wt",
  "memremap_wc",
  "devm_memremap",
  "pci_iomap_range",
  "pci_iomap_wc_range",
  "io_mapping",
];

const fromTheStart = [
  "pci_iomap",
  "pci_iomap_wc",
  "pcim_iomap",
  "pci_ioremap_bar",
  "pci_ioremap_wc_bar",
  "io_mapping_local",
  "devm_ioremap_resource",
];

/** Reads and writes what is at `at` in the BAR, as `base` of the mapping is. */
async function throughBoth(
  card: Card,
  model: { values: Map<number, number> },
  { door, base }: { door: string; base: number },
): Promise<void> {
  const { driver } = card;
  const shared = bytes(card);
  const view = new DataView(shared.buffer);
  const length = 16 * KiB;
  const mapping = await driver.run("ioremap", door, 0, base, length);
  const load = (at: number, width = 4) =>
    driver.run("load", mapping, at - base, width).then(Number);
  const store = (at: number, value: number) =>
    driver.run("store", mapping, at - base, 4, value);

  model.values.set(0x1ffc, 0x1234_5678);
  assert.equal(await load(0x1ffc), 0x1234_5678, `${door}: trapped read`);
  await store(0x1014, 0x8765_4321);
  assert.equal(await load(0x1014), 0x8765_4321, `${door}: trapped write`);
  assert.equal(model.values.get(0x1014), 0x8765_4321, door);

  view.setUint32(0x2000, 0xcafe_f00d, true);
  assert.equal(await load(0x2000), 0xcafe_f00d, `${door}: memory read`);
  assert.equal(await load(0x2003, 1), 0xca, `${door}: memory read of a byte`);
  await store(0x2ffc, 0xdead_beef);
  assert.equal(view.getUint32(0x2ffc, true), 0xdead_beef, door);
  await driver.run("iounmap", mapping);
  shared.fill(0, 0x2000);
  model.values.clear();
}

guestTest(
  "every way to map a part of a BAR leads to its registers and its memory",
  async () => {
    const model = registers();
    await using card = await plug(half, model);
    for (const door of anywhere) {
      await throughBoth(card, model, { door, base: 0x1010 });
    }
    for (const door of fromTheStart) {
      await throughBoth(card, model, { door, base: 0 });
    }
  },
  { limit: 60 },
);

guestTest("ways that cannot be opened are refused, with an errno", async () => {
  await using card = await plug(half);
  const refuses = (door: string) =>
    refused(card, `ioremap ${door} 0 0x1000 0x2000`);
  assert.equal(await refuses("memremap_pages"), "ENXIO");
  // The exerciser has no such command where the kernel has no such function.
  const there = / vmap_pfn$/m.test(readFileSync("/proc/kallsyms", "utf8"));
  assert.equal(await refuses("vmap_pfn"), there ? "ENXIO" : "EINVAL");
  for (const door of ["ioremap_np", "memremap_enc", "memremap_dec"]) {
    assert.equal(await refuses(door), "ENXIO", `${door}: not for BARs on x86`);
  }
  assert.equal(await refuses("devm_ioremap_taken"), "EBUSY");
});

guestTest(
  "a mapping that no one BAR decodes is refused by every way",
  async () => {
    await using card = await plug({
      bars: [{ size: 64 * KiB }, { size: 64 * KiB, trap: [] }],
    });
    const physical = anywhere.filter((door) => !/^pci_|^io_mapping/.test(door));
    for (const door of physical) {
      // Past the end of one is the other, or nothing.
      for (
        const [bar, offset, length] of [
          [0, 0, 128 * KiB],
          [1, 0, 128 * KiB],
          [0, 60 * KiB, 8 * KiB],
          [1, 60 * KiB, 8 * KiB],
          [0, 64 * KiB - 1, 2],
          [1, 64 * KiB - 1, 2],
          [0, 0, 0],
        ] as const
      ) {
        const command = `ioremap ${door} ${bar} ${offset} ${length}`;
        assert.equal(await refused(card, command), "ENXIO", command);
      }
    }
  },
);

guestTest(
  "mappings that repeat and overlap show the same, until each is unmapped",
  async () => {
    const model = registers();
    await using card = await plug(half, model);
    const { driver } = card;
    const map = (door: string, offset: number, length: number) =>
      driver.run("ioremap", door, 0, offset, length);
    assert.deepEqual(areas(), []);
    // What is at 0x2100 of the BAR, in each.
    const mappings = [
      { number: await map("ioremap", 0, 64 * KiB), at: 0x2100, pages: 16 },
      { number: await map("ioremap_wc", 0, 64 * KiB), at: 0x2100, pages: 16 },
      { number: await map("ioremap", 0x1ff8, 0x110), at: 0x108, pages: 2 },
      { number: await map("memremap_wb", 0x2100, 4), at: 0, pages: 1 },
      {
        number: await map("pci_iomap_range", 0x20ff, 0x2000),
        at: 1,
        pages: 3,
      },
    ];
    // Each with a page that nobody has, behind it.
    const left = (from: number): number[] =>
      mappings.slice(from).map(({ pages }) => (pages + 1) * 4 * KiB)
        .sort((a, b) => a - b);
    assert.deepEqual(areas(), left(0));
    for (const [value, { number, at }] of mappings.entries()) {
      await driver.run("store", number, at, 4, value + 1);
      for (const { number, at } of mappings) {
        assert.equal(
          Number(await driver.run("load", number, at, 4)),
          value + 1,
        );
      }
    }
    // A trapped register through an offset that is odd, and across its page's end.
    const [, , straddling] = mappings;
    model.values.set(0x1ff9, 0x5a);
    const loaded = await driver.run("load", straddling!.number, 1, 1);
    assert.equal(Number(loaded), 0x5a);
    bytes(card).set([0x11, 0x22, 0x33, 0x44], 0x2000);
    model.values.set(0x1ffe, 0xeeee);
    assert.equal(
      Number(await driver.run("load", straddling!.number, 6, 4)),
      0x2211_eeee,
      "half from registers, half from memory",
    );
    for (const [index, { number, at }] of mappings.entries()) {
      // By an address anywhere in its first page.
      await driver.run("iounmap", number, index % 2 ? 3 : 0);
      assert.deepEqual(areas(), left(index + 1));
      for (const other of mappings.slice(index + 1)) {
        const value = await driver.run("load", other.number, other.at, 4);
        assert.equal(Number(value), mappings.length);
      }
      await assert.rejects(driver.run("load", number, at, 4));
    }
  },
);

for (const context of ["process", "atomic", "off"] as const) {
  guestTest(
    `memory that nobody has touched is zeros, then what is stored: ${context}`,
    async () => {
      await using card = await plug(memory(2 * MiB));
      const { driver } = card;
      const shared = bytes(card);
      for (let page = 0; page < 8; page++) {
        const at = page * 64 * KiB + 12;
        assert.equal(await driver.read(at, 4, { context }), 0);
        await driver.write(at + 4096, page + 1, { context });
        assert.equal(await driver.read(at + 4096, 4, { context }), page + 1);
        assert.equal(shared[at + 4096], page + 1);
        assert.equal(shared[at], 0);
      }
    },
  );
}

guestTest(
  "driver and model that touch the same pages at once get the same pages",
  async () => {
    const size = 16 * MiB;
    await using card = await plug(memory(size));
    const shared = bytes(card);
    const filled = card.driver.run("fill", 0, 0, size, 0xa5);
    // In slices, from the other end too, for the two have to meet somewhere.
    for (let page = 0; page < size / 4096; page++) {
      shared[page * 4096 + 7] = 0x5a;
      shared[size - (page + 1) * 4096 + 9] = 0x5a;
      if (page % 64 === 0) await new Promise(setImmediate);
    }
    await filled;
    for (let page = 0; page < size / 4096; page++) {
      const at = page * 4096;
      assert.equal(shared[at], 0xa5, `page ${page}`);
      assert.equal(shared[at + 4095], 0xa5, `page ${page}`);
    }
    const lost = shared.findIndex((byte) => byte !== 0xa5 && byte !== 0x5a);
    assert.equal(lost, -1);
  },
);

guestTest(
  "what the model drops of its view of a BAR is there again when it looks",
  async () => {
    await using card = await plug(memory(64 * KiB));
    const shared = bytes(card);
    shared.fill(0x77, 4 * KiB, 8 * KiB);
    const libc = await loadLibc();
    assert.equal(libc.madvise(shared, 64n * 1024n, libc.dontNeed), 0);
    assert.equal(shared[8 * KiB - 1], 0x77);
    assert.equal(await card.driver.read(4 * KiB), 0x7777_7777);
    await card.driver.write(12 * KiB, 5);
    assert.equal(shared[12 * KiB], 5);
  },
);

guestTest(
  "with memory decode off, memory that was not touched reads as all-ones",
  async () => {
    await using card = await plug(memory(64 * KiB));
    const { driver } = card;
    const mapping = await driver.run("ioremap", "ioremap", 0, 0, 64 * KiB);
    await driver.run("memory", 0);
    await driver.run("store", mapping, 4096, 4, 7);
    assert.equal(await driver.run("load", mapping, 4096, 4), "0xffffffff");
    await driver.run("memory", 1);
    assert.equal(await driver.run("load", mapping, 4096, 4), "0x0");
    await driver.run("store", mapping, 4096, 4, 7);
    assert.equal(bytes(card)[4096], 7);
  },
);

guestTest(
  "a card that is pulled reads as all-ones, also memory that nobody had touched",
  async () => {
    let waits = false;
    const spec = { bars: [{ size: 64 * KiB, trap: [[0, 4 * KiB]] as const }] };
    await using card = await plug({ ...spec, timeout: 600_000 }, {
      read() {
        waits = true;
        return new Promise(() => {});
      },
    });
    const { address, device, driver } = card;
    const mapping = await driver.run("ioremap", "ioremap", 0, 0, 64 * KiB);
    await driver.run("store", mapping, 0x2000, 4, 7);
    // The driver cannot be removed while commands wait for one that waits.
    const attached = await Promise.all(
      [0, 1, 2].map(() => Exerciser.bind(address, { attach: true })),
    );
    const first = driver.run("load", mapping, 0, 4);
    await eventually(() => waits, "a read that waits");
    const commands = [0x2000, 0x3000, 0x7ffc].map((at, index) =>
      attached[index]?.run("expect", mapping, at, 4, 0xffff_ffff)
    );
    const outcomes = Promise.allSettled([first, ...commands]);
    await eventually(
      () => attached.every((other) => other.blocked),
      "the commands behind it",
    );
    await device.unplug({ surprise: true });
    for (const outcome of await outcomes) {
      if (outcome.status === "fulfilled") continue;
      // Its answer may be gone with the driver, but it has not failed.
      assert.match(String(outcome.reason), /gone$/);
    }
    for (const other of attached) other[Symbol.dispose]();
  },
);

guestTest(
  "a driver's copies between a BAR and its user work or are EFAULT",
  async () => {
    const model = registers();
    const spec = { bars: [{ size: 64 * KiB, trap: [[0, 8 * KiB]] as const }] };
    await using card = await plug({ ...spec, timeout: patiently(1000) }, {
      ...model,
      read: () => 0x4141_4141,
    });
    const { driver, address } = card;
    const shared = bytes(card);
    const number = await driver.run("ioremap", "memremap_wb", 0, 0, 64 * KiB);
    assert.equal(Number(number), 0);
    const file = await openPath(
      `/sys/kernel/debug/exerciser/${address}.mappings`,
      "r+",
    );
    try {
      // Memory is memory, touched before or not.
      const out = new Uint8Array(8 * KiB).map((_, at) => at * 7);
      assert.equal(
        (await file.write(out, 0, out.length, 0x3000)).bytesWritten,
        out.length,
      );
      assert.deepEqual(shared.slice(0x3000, 0x5000), out);
      const back = new Uint8Array(12 * KiB);
      const { bytesRead } = await file.read(back, 0, back.length, 0x3000);
      assert.equal(bytesRead, back.length);
      assert.deepEqual(back.slice(0, 8 * KiB), out);
      assert.ok(back.subarray(8 * KiB).every((byte) => byte === 0));

      // What traps does not go by every instruction that the kernel copies with.
      const outcomes = new Set<string>();
      for (const length of [1, 4, 8, 13, 64, 256, 4096]) {
        const into = new Uint8Array(length);
        outcomes.add(
          await file.read(into, 0, length, 0x100).then(
            () => into.every((byte) => byte === 0x41) ? "copied" : "wrong",
            ({ code }) => String(code),
          ),
        );
        outcomes.add(
          await file.write(into, 0, length, 0x100).then(
            ({ bytesWritten }) => bytesWritten === length ? "copied" : "short",
            ({ code }) => String(code),
          ),
        );
      }
      outcomes.delete("copied");
      outcomes.delete("EFAULT");
      assert.deepEqual([...outcomes], []);
    } finally {
      await file.close();
    }
    assert.equal(await driver.read(0), 0x4141_4141, "the device goes on");
  },
);
