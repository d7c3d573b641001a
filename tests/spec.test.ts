// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { checkHandlers } from "../ffi/handlers.ts";
import { checkSpec, widths } from "../ffi/spec.ts";
import {
  BadSpec,
  type DeviceSpec,
  DmaFault,
  type Handlers,
  msi,
  pcie,
  pm,
  vendor,
} from "../mod.ts";

const id = { vendor: 0x1234, device: 0xc0de };

/** The mistakes that are found in a specification. */
function mistakes(spec: Partial<Record<keyof DeviceSpec, unknown>>): string[] {
  try {
    checkSpec({ id, ...spec } as DeviceSpec);
    return [];
  } catch (error) {
    assert.ok(error instanceof BadSpec, String(error));
    assert.equal(error.code, "BAD_SPEC");
    for (const mistake of error.mistakes) {
      assert.ok(error.message.includes(mistake));
    }
    return [...error.mistakes];
  }
}

function only(
  spec: Partial<Record<keyof DeviceSpec, unknown>>,
  expected: RegExp,
): void {
  const found = mistakes(spec);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", expected);
}

test("checkSpec() takes a device with every kind of BAR", () => {
  const bars = [
    { size: 4096 },
    null,
    { size: 1 << 20, bits: 64, prefetchable: true, width: 8 },
    null,
    { size: 16384, trap: [[0, 4096]], shadow: [[8192, 4096]] },
    { size: 4096, width: { min: 4, max: 8 } },
  ];
  assert.deepEqual(mistakes({ bars, capabilities: [msi()] }), []);
});

test("checkSpec() refuses a BAR whose size is not a power of two, and names one that holds it", () => {
  only(
    { bars: [{ size: 5000 }] },
    /bars\[0\]\.size is 0x1388.*power of two.*0x2000 holds it/,
  );
});

test("checkSpec() refuses a BAR smaller than a page", () => {
  only(
    { bars: [null, { size: 2048 }] },
    /bars\[1\]\.size is 2048.*0x1000 holds it/,
  );
});

test("checkSpec() refuses a BAR without a size", () => {
  only({ bars: [{}] }, /bars\[0\]\.size is undefined/);
});

test("checkSpec() says why 1 << 31 is no size", () => {
  only(
    { bars: [{ size: 1 << 31 }] },
    /is -2147483648: .* to 0x10000000 \(1 << 31 is negative, 2 \*\* 31 is too large\)$/,
  );
  only({ bars: [{ size: 2 ** 31 }] }, /is 0x80000000: .* to 0x10000000$/);
  only({ bars: [{ size: -4096 }] }, /is -4096: .* to 0x10000000$/);
});

test("checkSpec() refuses lists that are none, and elements of another shape", () => {
  only(
    { bars: { size: 4096 } },
    /^bars is no array: write \[\{ size: 4096 \}\]$/,
  );
  only({ bars: [4096] }, /^bars\[0\] is 0x1000: write \{ size: 4096 \}, or/);
  const size = 8192;
  only(
    { bars: [{ size, trap: [0, 4096] }] },
    /^bars\[0\]\.trap\[0\] is 0: give pairs .*, \[\[0, 4096\]\]$/,
  );
  only({ bars: [{ size, shadow: 1 }] }, /^bars\[0\]\.shadow is 1: give pairs/);
  only(
    { bars: [{ size, trap: [[0]] }] },
    /^bars\[0\]\.trap\[0\] is \[0\]: give pairs/,
  );
  only(
    { bars: [{ size, trap: [], watch: [64] }] },
    /^bars\[0\]\.watch\[0\] is 64: give objects/,
  );
  only(
    { capabilities: [msi] },
    /^capabilities\[0\] is a function: call it, msi\(\)$/,
  );
  only(
    { capabilities: msi() },
    /^capabilities is no array: write \[msi\(\)\]$/,
  );
  only(
    { capabilities: [{ id: 5 }] },
    /^capabilities\[0\] is an object without/,
  );
  only({ notify: 0x40 }, /^notify is no array/);
});

test("checkSpec() refuses more BAR memory than the kernel backs", () => {
  const bar = { size: 2 ** 27 };
  assert.deepEqual(mistakes({ bars: [bar, bar] }), []);
  only({ bars: [bar, bar, { size: 4096 }] }, /at most 0x10000000/);
});

test("checkSpec() refuses a 64-bit BAR at index 5", () => {
  const bars = [null, null, null, null, null, { size: 4096, bits: 64 }];
  only({ bars }, /bars\[5\] has 64 bits.*index 4 or lower/);
});

test("checkSpec() refuses a BAR in the upper half of a 64-bit one", () => {
  const bars = [{ size: 4096, bits: 64 }, { size: 4096 }];
  only({ bars }, /bars\[1\] overlaps.*put null at index 1/);
});

test("checkSpec() refuses a seventh BAR", () => {
  only({ bars: Array(7).fill(null) }, /bars has 7 entries/);
});

test("checkSpec() refuses IDs that are too large, or an empty slot's", () => {
  only({ id: { vendor: 0x12345, device: 1 } }, /id\.vendor is 0x12345/);
  only({ id: { vendor: 0x1234 } }, /id\.device is undefined/);
  only({ id: { vendor: 0xffff, device: 1 } }, /empty slot/);
  only({ id: { vendor: 1, device: 1 } }, /id\.vendor is 1, .*not ready/);
  only({ id: { ...id, class: 0x1000000 } }, /id\.class is 0x1000000/);
  only({ id: { ...id, revision: 1.5 } }, /id\.revision is 1\.5/);
  only({ id: undefined }, /id is missing/);
});

test("checkSpec() refuses capabilities that do not fit below 0x100", () => {
  const capabilities = [
    vendor(new Uint8Array(100)),
    vendor(new Uint8Array(90)),
  ];
  only({ capabilities }, /do not fit: they end at 0x108/);
});

test("checkSpec() refuses two capabilities of one kind", () => {
  only({ capabilities: [msi(), msi()] }, /another one has the id 0x5/);
});

test("checkSpec() refuses a capability whose masks do not match it", () => {
  const bytes = new Uint8Array([0x0d, 0, 0, 0]);
  const name = "mine";
  only({
    capabilities: [
      { name, bytes, writeMask: new Uint8Array(3), clearMask: bytes },
    ],
  }, /mine has 4 bytes, but masks of 3 and 4/);
  only({
    capabilities: [{
      name,
      bytes,
      writeMask: new Uint8Array([0, 0, 0, 1]),
      clearMask: new Uint8Array([0, 0, 0, 3]),
    }],
  }, /mine has bits in both masks/);
});

test("checkSpec() refuses ranges that are not whole pages", () => {
  const size = 16384;
  only(
    { bars: [{ size, trap: [[100, 4096]] }] },
    /trap\[0\] is \[100, 0x1000\]/,
  );
  only({ bars: [{ size, trap: [[0, 4]] }] }, /multiples of 4096/);
  only({ bars: [{ size, shadow: [[0, 0]] }] }, /shadow\[0\] is \[0, 0\]/);
});

test("checkSpec() refuses ranges outside their BAR", () => {
  only(
    { bars: [{ size: 8192, trap: [[4096, 8192]] }] },
    /trap\[0\] ends at 0x3000, outside the BAR of 0x2000/,
  );
});

test("checkSpec() refuses ranges that overlap", () => {
  const bar = { size: 16384, trap: [[0, 8192]], shadow: [[4096, 4096]] };
  only(
    { bars: [bar] },
    /trap\[0\] and bars\[0\]\.shadow\[0\] overlap at 0x1000/,
  );
});

test("checkSpec() refuses widths that no access has", () => {
  only({ bars: [{ size: 4096, width: 3 }] }, /bars\[0\]\.width is 3/);
  only(
    { bars: [{ size: 4096, width: { min: 8, max: 4 } }] },
    /width is \{"min":8,"max":4\}/,
  );
});

test("checkSpec() refuses a ring that is no power of two, too small or too large", () => {
  only({ ring: 1000 }, /ring is 1000.*256 to 65536/);
  only({ ring: 128 }, /ring is 128/);
  only({ ring: 131072 }, /ring is 131072/);
});

test("checkSpec() refuses timeouts the kernel does not take", () => {
  only({ timeout: 0 }, /timeout is 0/);
  only({ timeout: 600_001 }, /timeout is 600001/);
  only({ timeout: NaN }, /timeout is NaN/);
  only({ spin: -1 }, /spin is -1/);
});

test("checkSpec() refuses other values that mean nothing", () => {
  only({ interruptPin: "E" }, /interruptPin is "E"/);
  only({ dma: "fast" }, /dma is "fast"/);
  only({ domain: 0x10000 }, /domain is 0x10000/);
  only({ notify: [6] }, /notify names 6/);
});

test("checkSpec() names unknown keys, and the ones there are", () => {
  only({ bar: [] } as never, /key "bar" that means nothing.*bars/);
  only(
    { bars: [{ size: 4096, with: 4 }] },
    /bars\[0\] has a key "with".*width/,
  );
  only({ id: { ...id, vendr: 1 } }, /id has a key "vendr"/);
});

test("checkSpec() lists all mistakes at once", () => {
  const found = mistakes({
    id: { vendor: -1, device: 1 },
    bars: [{ size: 100 }],
    ring: 3,
    timeout: -1,
  });
  assert.equal(found.length, 4, found.join("\n"));
});

test("widths() takes a number as the widest", () => {
  assert.deepEqual(widths(), { min: 1, max: 4 });
  assert.deepEqual(widths(8), { min: 1, max: 8 });
  assert.deepEqual(widths({ min: 4 }), { min: 4, max: 4 });
});

test("checkHandlers() wants 64-bit handlers beside the others of a BAR of width 8", () => {
  const spec: DeviceSpec = { id, bars: [{ size: 4096, width: 8 }] };
  assert.throws(
    () => checkHandlers({ read: () => 0 }, spec),
    /bars\[0\] has width 8, and there is read without read64/,
  );
  checkHandlers({ read: () => 0, read64: () => 0n }, spec);
});

test("checkHandlers() refuses a handler that is no function", () => {
  assert.throws(
    () => checkHandlers({ read: 5 as never }, { id }),
    /read is a number: give a function/,
  );
});

test("checkSpec() asks whether a known key was meant", () => {
  only(
    { capabilites: [] } as never,
    /"capabilites" that means nothing: did you mean capabilities\? There may/,
  );
});

test("checkSpec() refuses what is no specification", () => {
  for (const nothing of [undefined, null, 5]) {
    assert.throws(() => checkSpec(nothing as never), /give \{ id, bars, … \}/);
  }
});

/** Calls as JavaScript may, whatever the types say. */
function refuses(
  make: (options: never) => unknown,
  options: unknown,
  expected: RegExp,
): void {
  assert.throws(() => make(options as never), (error) => {
    assert.ok(error instanceof BadSpec, String(error));
    assert.match(error.message, expected);
    return true;
  });
}

test("capabilities refuse options and values that there are not", () => {
  refuses(msi, { vectors: 3 }, /vectors is 3: use one of 1, 2, 4, 8, 16, 32/);
  refuses(msi, { vectors: 64 }, /vectors is 64:/);
  refuses(msi, { vector: 4 }, /"vector".*did you mean vectors/);
  refuses(msi, { maskable: 1 }, /maskable is 1: use one of true, false/);
  refuses(pcie, { lanes: 4 }, /"lanes" that means nothing/);
  refuses(pcie, { type: "root" }, /type is "root": use one of "endpoint"/);
  refuses(pcie, { speed: 9 }, /speed is 9/);
  refuses(pcie, { width: 3 }, /width is 3/);
  refuses(pm, { d3: true }, /"d3" that means nothing/);
  refuses(vendor, [1, 2], /give it a Uint8Array/);
  refuses(vendor, new Uint8Array(190), /190 bytes: 189 fit/);
  vendor(new Uint8Array(189));
});

test("checkHandlers() refuses what are no handlers", () => {
  const source = { source: "attach() returned" };
  const check = (handlers: unknown) => () =>
    checkHandlers(handlers as Handlers, { id }, source);
  assert.throws(
    check(undefined),
    /attach\(\) returned undefined, not handlers/,
  );
  assert.throws(
    check(Promise.resolve({})),
    /attach\(\) returned a promise; return the handlers/,
  );
  assert.throws(check({ reed: () => 0 }), /"reed".*did you mean read\?/);
  check({ read: () => 0, count: 5 })();
  class Model {
    read(): number {
      return this.helper();
    }
    helper = (): number => 0;
  }
  check(new Model())();
});

test("a DmaFault names where its segment begins, and where it was refused", () => {
  const details = {
    length: 8193,
    operation: "write",
    reason: "past-end",
    segment: 0,
  } as const;
  const start = 0xffff_ffff_e000;
  assert.match(
    new DmaFault({ ...details, start, address: start + 0x2000 }).message,
    /write of 8193 bytes at 0xffffffffe000 refused from 0x1000000000000 on: /,
  );
  assert.match(
    new DmaFault({ ...details, start, address: start }).message,
    /at 0xffffffffe000 refused: /,
  );
});

/** A BAR of memory with one page that traps, and these watched ranges. */
const watched = (...watch: unknown[]): Record<string, unknown> => ({
  size: 16384,
  trap: [[0, 4096]],
  watch,
});

test("checkSpec() takes four watched ranges in memory, of every width", () => {
  const first = watched({ offset: 4096, width: 8 }, { offset: 4104 });
  const second = watched({ offset: 16382, width: 2 }, {
    offset: 8191,
    width: 1,
  });
  assert.deepEqual(mistakes({ bars: [first, second] }), []);
  const all = { size: 4096, trap: [], watch: [{ offset: 0 }] };
  assert.deepEqual(mistakes({ bars: [all] }), []);
});

test("checkSpec() refuses a watched range whose writes are events anyway", () => {
  only(
    { bars: [watched({ offset: 4092 })] },
    /bars\[0\]\.watch\[0\] is in the page at 0x0, whose writes are events anyway: leave it out$/,
  );
  only(
    {
      bars: [{
        size: 8192,
        trap: [],
        shadow: [[4096, 4096]],
        watch: [{ offset: 4096 }],
      }],
    },
    /the page at 0x1000, whose writes are events anyway/,
  );
  only(
    { bars: [{ size: 8192, watch: [{ offset: 0 }] }] },
    /or give trap, which makes all other pages memory/,
  );
});

test("checkSpec() refuses a watched range of an odd width or offset", () => {
  only(
    { bars: [watched({ offset: 4096, width: 3 })] },
    /watch\[0\]\.width is 3: use 1/,
  );
  only(
    { bars: [watched({ offset: 4098 })] },
    /\.offset is 0x1002: use a multiple of its width, 4/,
  );
  only(
    { bars: [watched({ offset: -4 })] },
    /\.offset is -4: offsets start at 0, use a multiple of its width, 4$/,
  );
  only(
    { bars: [watched({ offset: 4100, width: 8 })] },
    /multiple of its width, 8/,
  );
  only({ bars: [watched({})] }, /\.offset is undefined/);
});

test("checkSpec() refuses a watched range outside its BAR", () => {
  only(
    { bars: [null, watched({ offset: 16384 })] },
    /bars\[1\]\.watch\[0\] is at 0x4000, outside the BAR of 0x4000 bytes: move it, or make the BAR larger$/,
  );
});

test("checkSpec() refuses watched ranges that overlap, by name", () => {
  only(
    { bars: [watched({ offset: 4096, width: 8 }, { offset: 4100 })] },
    /watch\[0\] and bars\[0\]\.watch\[1\] overlap at 0x1004: leave one out/,
  );
  const bar = watched({ offset: 4096 });
  assert.deepEqual(mistakes({ bars: [bar, bar] }), [], "BARs are apart");
});

test("checkSpec() refuses more watched ranges than a CPU can watch", () => {
  const two = watched({ offset: 4096 }, { offset: 4100 });
  only(
    { bars: [two, two, watched({ offset: 4096 })] },
    /bars have 5 watched ranges: a CPU has 4 debug registers/,
  );
});

test("checkSpec() refuses a key of a watched range that means nothing", () => {
  only(
    { bars: [watched({ offset: 4096, widht: 8 })] },
    /watch\[0\] has a key "widht" that means nothing: did you mean width/,
  );
});
