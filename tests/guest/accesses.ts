// SPDX-License-Identifier: MIT

/**
 * Loads and stores of a driver, and what the model hears of them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Context, guestTest, plug } from "./harness.ts";

/** What a model heard, in order. */
type Heard = [
  kind: "read" | "write",
  offset: number,
  width: number,
  value?: number,
];

const ones = { 1: 0xff, 2: 0xffff, 4: 0xffffffff } as const;

guestTest(
  "reads of every width get their bytes, and the model their shape",
  async () => {
    const heard: Heard[] = [];
    await using card = await plug({}, {
      read(offset, width) {
        heard.push(["read", offset, width]);
        return 0x8765_4321;
      },
    });
    assert.equal(await card.driver.read(0x11, 1), 0x21);
    assert.equal(await card.driver.read(0x12, 2), 0x4321);
    assert.equal(await card.driver.read(0x14, 4), 0x8765_4321);
    assert.equal(await card.driver.read(0xffc, 4), 0x8765_4321);
    assert.deepEqual(heard, [
      ["read", 0x11, 1],
      ["read", 0x12, 2],
      ["read", 0x14, 4],
      ["read", 0xffc, 4],
    ]);
  },
);

guestTest(
  "writes of every width arrive whole, unsigned and in order",
  async () => {
    const heard: Heard[] = [];
    await using card = await plug({}, {
      read: () => 0,
      write(offset, value, width, bar, byteEnables) {
        assert.equal(bar, 0);
        assert.equal(byteEnables, 2 ** width - 1);
        heard.push(["write", offset, width, value]);
      },
    });
    await card.driver.write(0x21, 0x1ff, { width: 1 });
    await card.driver.write(0x22, 0x8001, { width: 2 });
    await card.driver.write(0x24, 0xfedc_ba98);
    await card.driver.read(0);
    assert.deepEqual(heard, [
      ["write", 0x21, 1, 0xff],
      ["write", 0x22, 2, 0x8001],
      ["write", 0x24, 4, 0xfedc_ba98],
    ]);
  },
);

guestTest(
  "an 8-byte access to a BAR of width 4 is split, low half first",
  async () => {
    const heard: Heard[] = [];
    await using card = await plug({}, {
      read(offset, width) {
        heard.push(["read", offset, width]);
        return offset === 8 ? 0x1111_2222 : 0x8888_9999;
      },
      write: (offset, value, width) =>
        void heard.push(["write", offset, width, value]),
    });
    await card.driver.run("write", 0, 8, 8, "0x0123456789abcdef");
    assert.equal(await card.driver.run("read", 0, 8, 8), "0x8888999911112222");
    assert.deepEqual(heard, [
      ["write", 8, 4, 0x89ab_cdef],
      ["write", 12, 4, 0x0123_4567],
      ["read", 8, 4],
      ["read", 12, 4],
    ]);
  },
);

guestTest(
  "an 8-byte access to a BAR of width 8 is one access of a bigint",
  async () => {
    const heard: [string, number, number, bigint?][] = [];
    await using card = await plug({ bars: [{ size: 4096, width: 8 }] }, {
      read64(offset, width) {
        heard.push(["read64", offset, width]);
        return 0xfedc_ba98_7654_3210n;
      },
      write64: (offset, value, width) =>
        void heard.push(["write64", offset, width, value]),
    });
    await card.driver.run("write", 0, 16, 8, "0x8123456789abcdef");
    assert.equal(await card.driver.run("read", 0, 24, 8), "0xfedcba9876543210");
    assert.deepEqual(heard, [
      ["write64", 16, 8, 0x8123_4567_89ab_cdefn],
      ["read64", 24, 8],
    ]);
  },
);

guestTest(
  "a narrow access to a BAR of only 4-byte registers is widened",
  async () => {
    const heard: (number | undefined)[][] = [];
    const bars = [{ size: 4096, width: { min: 4, max: 4 } }] as const;
    await using card = await plug({ bars }, {
      read(offset, width) {
        heard.push([offset, width]);
        return 0x4433_2211;
      },
      write: (offset, value, width, _bar, byteEnables) =>
        void heard.push([offset, width, value, byteEnables]),
    });
    assert.equal(await card.driver.read(0x12, 2), 0x4433);
    assert.equal(await card.driver.read(0x13, 1), 0x44);
    await card.driver.write(0x21, 0xaa, { width: 1 });
    await card.driver.read(0);
    assert.deepEqual(heard, [
      [0x10, 4],
      [0x10, 4],
      [0x20, 4, 0xaa00, 0b0010],
      [0, 4],
    ]);
  },
);

guestTest(
  "an access across the end of a page is aligned ones, lowest address first",
  async () => {
    const heard: Heard[] = [];
    const bytes = new DataView(new ArrayBuffer(8192));
    const bars = [{ size: 8192 }] as const;
    await using card = await plug({ bars }, {
      read(offset, width) {
        heard.push(["read", offset, width]);
        return bytes.getUint32(offset & ~3, true) >>> 8 * (offset & 3);
      },
      write: (offset, value, width) =>
        void heard.push(["write", offset, width, value]),
    });
    bytes.setUint32(0xffc, 0x3322_1100, true);
    bytes.setUint32(0x1000, 0x7766_5544, true);
    assert.equal(await card.driver.read(0xffd), 0x4433_2211);
    await card.driver.write(0xffe, 0xddcc_bbaa);
    await card.driver.run("write", 0, 0xff9, 8, "0x8877665544332211");
    await card.driver.read(0);
    assert.deepEqual(heard, [
      ["read", 0xffd, 1],
      ["read", 0xffe, 2],
      ["read", 0x1000, 1],
      ["write", 0xffe, 2, 0xbbaa],
      ["write", 0x1000, 2, 0xddcc],
      ["write", 0xff9, 1, 0x11],
      ["write", 0xffa, 2, 0x3322],
      ["write", 0xffc, 4, 0x7766_5544],
      ["write", 0x1000, 1, 0x88],
      ["read", 0, 4],
    ]);
  },
);

for (const context of ["process", "atomic", "off"] satisfies Context[]) {
  const where = {
    process: "that may sleep",
    atomic: "under a spinlock",
    off: "with interrupts off",
  }[context];
  guestTest(`a driver ${where} reads what it wrote before`, async () => {
    let register = 0;
    await using card = await plug({}, {
      read: (offset) => offset === 0 ? register : 0,
      write(_offset, value) {
        register = value;
      },
    });
    for (let value = 1; value <= 20; value++) {
      await card.driver.write(0, value, { context });
      assert.equal(await card.driver.read(0, 4, { context }), value);
      const next = ~value >>> 0;
      assert.equal(await card.driver.swap(0, next, { context }), next);
    }
  });
}

guestTest(
  "a read comes after all writes that were posted before it",
  async () => {
    let writes = 0;
    await using card = await plug({}, {
      read: () => writes,
      write: () => void writes++,
    });
    for (let round = 1; round <= 5; round++) {
      // It writes 4 bytes at a time; a wider one would be split into such.
      await card.driver.run("copy", 0, 0, 512);
      assert.equal(await card.driver.read(0), round * 512 / 4);
    }
    assert.equal(writes, 5 * 512 / 4);
  },
);

guestTest(
  "shadow pages answer reads from memory and tell of writes",
  async () => {
    const heard: Heard[] = [];
    await using card = await plug({
      bars: [{ size: 8192, shadow: [[0, 4096]] }],
    }, {
      read(offset, width) {
        heard.push(["read", offset, width]);
        return 0x77;
      },
      write: (offset, value, width) =>
        void heard.push(["write", offset, width, value]),
    });
    const view = new DataView(
      card.device.bars[0]?.buffer ?? new ArrayBuffer(0),
    );
    view.setUint32(0x100, 0xcafe_f00d, true);
    assert.equal(await card.driver.read(0x100), 0xcafe_f00d);
    assert.equal(await card.driver.read(0x102, 2), 0xcafe);
    await card.driver.write(0x200, 0x1234_5678);
    assert.equal(view.getUint32(0x200, true), 0x1234_5678);
    assert.equal(await card.driver.read(0x201, 1), 0x56);
    assert.equal(await card.driver.read(4096), 0x77);
    assert.deepEqual(heard, [
      ["write", 0x200, 4, 0x1234_5678],
      ["read", 4096, 4],
    ], "reads of shadow pages are not the model's");
  },
);

guestTest(
  "memory pages are shared both ways, and nobody hears of it",
  async () => {
    const heard: Heard[] = [];
    await using card = await plug({
      bars: [{ size: 16384, trap: [[0, 4096]] }],
    }, {
      read(offset, width) {
        heard.push(["read", offset, width]);
        return 0;
      },
      write: (offset, value, width) =>
        void heard.push(["write", offset, width, value]),
    });
    const bytes = new Uint8Array(
      card.device.bars[0]?.buffer ?? new ArrayBuffer(0),
    );
    bytes.set([0xde, 0xad, 0xbe, 0xef], 8192);
    assert.equal(await card.driver.read(8192), 0xefbe_adde);
    await card.driver.run("copy", 0, 8192, 8192);
    assert.ok(
      bytes.subarray(8192).every((byte, index) => byte === index % 256),
    );
    assert.deepEqual(heard, []);
    await card.driver.read(4092);
    assert.deepEqual(heard, [["read", 4092, 4]], "the page before still traps");
  },
);

guestTest(
  "memset_io, memcpy_toio and memcpy_fromio of trapped pages move every byte once",
  async () => {
    const memory = new Uint8Array(4096);
    const view = new DataView(memory.buffer);
    const times = new Uint8Array(4096);
    await using card = await plug({}, {
      read(offset, width) {
        for (let at = 0; at < width; at++) times[offset + at]!++;
        if (width === 1) return view.getUint8(offset);
        if (width === 2) return view.getUint16(offset, true);
        return view.getUint32(offset, true);
      },
      write(offset, value, width) {
        for (let at = 0; at < width; at++) times[offset + at]!++;
        if (width === 1) view.setUint8(offset, value);
        else if (width === 2) view.setUint16(offset, value, true);
        else view.setUint32(offset, value, true);
      },
    });
    const once = (from: number, to: number, what: string): void => {
      const wrong = times.findIndex((count, at) =>
        count !== (at >= from && at < to ? 1 : 0)
      );
      assert.equal(wrong, -1, `${what}: byte ${wrong} ${times[wrong]} times`);
      times.fill(0);
    };
    // The kernel's memset() may write a byte twice where it aligns itself.
    const aligned = (from: number, to: number): void => {
      for (let at = 0; at < 8; at++) {
        for (const end of [from + at, to - 1 - at]) {
          if (times[end] === 2) times[end] = 1;
        }
      }
    };
    await card.driver.run("fill", 0, 3, 261, 0xa5);
    await card.driver.read(4092, 1);
    times[4092]!--;
    aligned(3, 264);
    once(3, 264, "memset_io");
    assert.ok(memory.subarray(3, 264).every((byte) => byte === 0xa5));
    await card.driver.run("copy", 0, 1001, 517);
    await card.driver.read(4092, 1);
    times[4092]!--;
    once(1001, 1518, "memcpy_toio");
    assert.ok(
      memory.subarray(1001, 1518).every((byte, at) => byte === at % 256),
    );
    const sum = memory.subarray(1, 2000).reduce((a, b) => a + b, 0);
    assert.equal(Number(await card.driver.run("sum", 0, 1, 1999)), sum);
    once(1, 2000, "memcpy_fromio");
  },
);

guestTest("an access without a handler reads as all-ones", async () => {
  await using card = await plug();
  for (const width of [1, 2, 4] as const) {
    await card.driver.write(0, 1, { width });
    assert.equal(await card.driver.read(0, width), ones[width]);
  }
});
