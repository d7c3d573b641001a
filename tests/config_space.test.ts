// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { abi } from "../ffi/abi.ts";
import { whyRefused } from "../ffi/config_owned.ts";
import { composeConfigSpace } from "../ffi/config_space.ts";
import { layOutPlug } from "../ffi/plug.ts";
import {
  type Capability,
  type DeviceSpec,
  msi,
  pcie,
  pm,
  vendor,
} from "../mod.ts";

const id = { vendor: 0x1234, device: 0x11e8 };

function compose(spec: Partial<DeviceSpec> = {}) {
  const space = composeConfigSpace({ id, ...spec });
  return {
    image: new DataView(space.image.buffer),
    writeMask: new DataView(space.writeMask.buffer),
    clearMask: new DataView(space.clearMask.buffer),
    notify: space.notify,
  };
}

/** Why a byte at an offset is not the model's to change. */
function refusal(spec: Partial<DeviceSpec>, offset: number): string {
  const { image } = compose(spec);
  const bytes = Uint8Array.of(image.getUint8(offset) ^ 1);
  return whyRefused(image, { offset, bytes });
}

test("whyRefused() knows the registers of every capability", () => {
  const host = "which belongs to the host";
  const plugged = "which stays as it was plugged";
  const nothing = "it would change what is not the model's";
  const expected: [Capability, Record<number, string>][] = [
    [pm(), {
      0x42: `it would change PM Capabilities (0x42 to 0x43), ${plugged}`,
      0x45: `it would change PM Control/Status (0x44 to 0x45), ${host}`,
      0x46: nothing,
    }],
    [pcie(), {
      0x47: `it would change Device Capabilities (0x44 to 0x47), ${plugged}`,
      0x48: `it would change Device Control (0x48 to 0x49), ${host}`,
      0x4a: nothing,
      0x51: `it would change Link Control (0x50 to 0x51), ${host}`,
      0x68: `it would change Device Control 2 (0x68 to 0x69), ${host}`,
      0x70: `it would change Link Control 2 (0x70 to 0x71), ${host}`,
    }],
    [msi({ address64: false }), {
      0x49: `it would change the MSI capability (0x42 to 0x49), ${host}`,
      0x4a: nothing,
    }],
    [msi({ maskable: true }), {
      0x57: `it would change the MSI capability (0x42 to 0x57), ${host}`,
      0x58: nothing,
    }],
  ];
  for (const [capability, offsets] of expected) {
    for (const [offset, text] of Object.entries(offsets)) {
      const found = refusal({ capabilities: [capability] }, Number(offset));
      assert.equal(found, text, `${capability.name} ${offset}`);
    }
  }
  assert.equal(
    refusal({ capabilities: [vendor(new Uint8Array(8)), pm()] }, 0x50),
    `it would change PM Control/Status (0x50 to 0x51), ${host}`,
  );
});

test("whyRefused() names what changes, not all that is written", () => {
  const { image } = compose();
  const bytes = new Uint8Array(image.buffer, 0, 8).slice();
  bytes[4] = 7;
  assert.match(whyRefused(image, { offset: 0, bytes }), /change Command/);
});

/** Offsets of a capability list, as a host walks it. */
function walk(image: DataView): [id: number, offset: number][] {
  const found: [number, number][] = [];
  for (let at = image.getUint8(0x34); at !== 0; at = image.getUint8(at + 1)) {
    found.push([image.getUint8(at), at]);
  }
  return found;
}

test("composeConfigSpace() puts the numbers of id into the header", () => {
  const { image } = compose({
    id: {
      ...id,
      subsystemVendor: 0x1af4,
      subsystem: 0x1100,
      revision: 0x10,
      class: 0x010802,
    },
  });
  assert.equal(image.getUint32(0x00, true), 0x11e81234);
  assert.equal(image.getUint32(0x08, true), 0x01080210);
  assert.equal(image.getUint32(0x2c, true), 0x11001af4);
  assert.equal(image.getUint8(0x0e), 0, "a type 0 header");
});

test("composeConfigSpace() has defaults for what id leaves out", () => {
  const { image } = compose();
  assert.equal(image.getUint32(0x08, true), 0xff000000);
  assert.equal(image.getUint32(0x2c, true), 0x11e81234);
});

test("composeConfigSpace() leaves the BARs to the kernel", () => {
  const { image, writeMask } = compose({ bars: [{ size: 4096, bits: 64 }] });
  for (let at = 0x10; at < 0x28; at += 4) {
    assert.equal(image.getUint32(at), 0);
    assert.equal(writeMask.getUint32(at), 0);
  }
});

test("composeConfigSpace() lets the host write Command, and clear errors in Status", () => {
  const { writeMask, clearMask } = compose();
  assert.equal(writeMask.getUint16(0x04, true), 0x0546);
  assert.equal(clearMask.getUint16(0x06, true), 0xf900);
});

test("composeConfigSpace() has an interrupt pin only where one is asked for", () => {
  assert.equal(compose().image.getUint8(0x3d), 0);
  const { image, writeMask } = compose({ interruptPin: "C" });
  assert.equal(image.getUint8(0x3d), 3);
  assert.equal(writeMask.getUint8(0x3c), 0xff);
});

test("composeConfigSpace() has no list without capabilities", () => {
  const { image } = compose();
  assert.equal(image.getUint16(0x06, true) & 0x10, 0);
  assert.deepEqual(walk(image), []);
});

test("composeConfigSpace() links capabilities in their order, at dwords", () => {
  const { image } = compose({
    capabilities: [pm(), vendor(Uint8Array.of(1, 2)), msi(), pcie()],
  });
  assert.equal(image.getUint16(0x06, true) & 0x10, 0x10);
  assert.deepEqual(walk(image), [
    [0x01, 0x40],
    [0x09, 0x48],
    [0x05, 0x50],
    [0x10, 0x60],
  ]);
});

test("composeConfigSpace() marks the dwords that notify names, and those of a notifying capability", () => {
  const capability: Capability = {
    ...vendor(Uint8Array.of(1, 2)),
    notify: true,
  };
  const { notify } = compose({ capabilities: [capability], notify: [0xffc] });
  const set = [...notify].flatMap((byte, index) =>
    [0, 1, 2, 3, 4, 5, 6, 7]
      .filter((bit) => byte & 1 << bit)
      .map((bit) => (index * 8 + bit) * 4)
  );
  assert.deepEqual(set, [0x40, 0x44, 0xffc]);
});

test("pm() describes version 3, and lets the host write the power state only", () => {
  const { bytes, writeMask } = pm({ noSoftReset: true, d1: true });
  assert.deepEqual([...bytes], [1, 0, 0x03, 0x02, 0x08, 0, 0, 0]);
  assert.deepEqual([...writeMask], [0, 0, 0, 0, 3, 0, 0, 0]);
});

test("msi() has the size that its address width and masks ask for", () => {
  assert.equal(msi({ address64: false }).bytes.length, 0x0c);
  assert.equal(msi().bytes.length, 0x10);
  assert.equal(msi({ address64: false, maskable: true }).bytes.length, 0x14);
  assert.equal(msi({ maskable: true }).bytes.length, 0x18);
});

test("msi() says how many vectors there are, and has a mask bit for each", () => {
  const { bytes, writeMask } = msi({ vectors: 8, maskable: true });
  assert.equal(new DataView(bytes.buffer).getUint16(2, true), 0x0186);
  const mask = new DataView(writeMask.buffer);
  assert.equal(mask.getUint16(2, true), 0x0071);
  assert.equal(mask.getUint32(4, true), 0xfffffffc);
  assert.equal(mask.getUint32(8, true), 0xffffffff);
  assert.equal(mask.getUint32(0x10, true), 0xff);
  assert.equal(mask.getUint32(0x14, true), 0, "pending bits are read-only");
});

test("pcie() describes the link that was asked for", () => {
  const { bytes } = pcie({ speed: 4, width: 8 });
  const view = new DataView(bytes.buffer);
  assert.equal(bytes.length, 0x3c);
  assert.equal(view.getUint16(0x02, true), 0x0002, "version 2, endpoint");
  assert.equal(view.getUint32(0x0c, true), 0x84);
  assert.equal(view.getUint16(0x12, true), 0x84);
  assert.equal(view.getUint32(0x2c, true), 0x1e, "speeds 1 to 4");
});

test("pcie() offers Function Level Reset unless told not to", () => {
  const capability = (flr?: boolean) =>
    new DataView(pcie({ flr }).bytes.buffer).getUint32(4, true) >>> 28;
  assert.equal(capability(), 1);
  assert.equal(capability(false), 0);
});

test("pcie() has the bits that a host writes, and those that it clears", () => {
  const { writeMask, clearMask } = pcie();
  const write = new DataView(writeMask.buffer);
  const clear = new DataView(clearMask.buffer);
  assert.equal(write.getUint16(0x08, true), 0x78ff, "Device Control");
  assert.equal(write.getUint16(0x10, true), 0x00c8, "Link Control");
  assert.equal(write.getUint16(0x28, true), 0x001f, "Device Control 2");
  assert.equal(write.getUint16(0x30, true), 0x000f, "Link Control 2");
  assert.equal(clear.getUint16(0x0a, true), 0x000f, "errors detected");
});

test("pcie() has no link in an integrated endpoint", () => {
  const { bytes } = pcie({ type: "integrated-endpoint" });
  const view = new DataView(bytes.buffer);
  assert.equal(view.getUint16(0x02, true), 0x0092);
  assert.equal(view.getUint32(0x0c, true), 0);
});

test("vendor() carries its length and its contents", () => {
  assert.deepEqual([...vendor(Uint8Array.of(7, 8)).bytes], [9, 0, 5, 7, 8]);
});

/** What layOutPlug() says about policies: `[bar, offset, bytes, policy]`. */
function regions(bars: DeviceSpec["bars"]): number[][] {
  const { numbers, regions } = layOutPlug({ id, bars });
  const view = new DataView(regions.buffer);
  return Array.from({ length: numbers[1] ?? 0 }, (_, index) => {
    const at = index * abi["sizeof region"];
    return [
      view.getUint32(at + abi["region.bar"], true),
      Number(view.getBigUint64(at + abi["region.offset"], true)),
      Number(view.getBigUint64(at + abi["region.bytes"], true)),
      view.getUint32(at + abi["region.policy"], true),
    ];
  });
}

test("layOutPlug() leaves a whole BAR to trap by default", () => {
  assert.deepEqual(regions([{ size: 65536 }]), []);
});

test("layOutPlug() makes memory of what neither traps nor is shadow", () => {
  const bar = {
    size: 65536,
    trap: [[4096, 4096]],
    shadow: [[12288, 4096]],
  } as const;
  assert.deepEqual(regions([null, bar]), [
    [1, 0, 4096, 2],
    [1, 8192, 4096, 2],
    [1, 12288, 4096, 1],
    [1, 16384, 49152, 2],
  ]);
});

test("layOutPlug() makes a BAR that traps nowhere all memory", () => {
  assert.deepEqual(regions([{ size: 8192, trap: [] }]), [[0, 0, 8192, 2]]);
});

test("layOutPlug() keeps trapping beside shadow pages without trap", () => {
  const bar = { size: 8192, shadow: [[4096, 4096]] } as const;
  assert.deepEqual(regions([bar]), [[0, 4096, 4096, 1]]);
});

test("layOutPlug() turns options into the kernel's numbers", () => {
  const spec: DeviceSpec = { id, dma: "direct", timeout: 1.5, domain: 0x200 };
  assert.deepEqual([...layOutPlug(spec).numbers], [
    1,
    0,
    1024,
    1500,
    0x200,
    0,
    0,
  ]);
  assert.deepEqual(
    [...layOutPlug({ id }).numbers],
    [0, 0, 1024, 50_000, 0xffffffff, 0, 0],
  );
});

test("layOutPlug() describes each BAR at its number", () => {
  const bars = [null, { size: 4096, bits: 64, prefetchable: true }] as const;
  const view = new DataView(layOutPlug({ id, bars }).bars.buffer);
  assert.equal(view.byteLength, 6 * 16);
  assert.equal(view.getBigUint64(0, true), 0n);
  assert.equal(view.getBigUint64(16, true), 4096n);
  assert.equal(view.getUint32(24, true), 3);
});
