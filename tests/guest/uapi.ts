// SPDX-License-Identifier: MIT

/**
 * The ioctls and mappings of `/dev/barkeep`, called as its header forbids.
 *
 * @module
 */
import assert from "node:assert/strict";
import { eventually, guestTest } from "./harness.ts";
import {
  errno,
  ioctls,
  loadRaw,
  plugFields,
  type RawPlug,
  rawPlug,
  set,
  struct,
} from "./raw.ts";

const raw = () => loadRaw();

/** An open device file; nothing is plugged. */
async function openFile() {
  const library = await raw();
  const file = library.raw_open();
  assert.ok(file >= 0, `open: ${file}`);
  return {
    file,
    call: (number: number, argument: Uint8Array) =>
      library.raw_ioctl(file, number, argument),
    callAt: (number: number, address: bigint) =>
      library.raw_ioctl_at(file, number, address),
    map: (offset: bigint, bytes: number, options: {
      protection?: number;
      flags?: number;
      then?: number;
    } = {}) => {
      const { protection = 1, flags = 1, then = -1 } = options;
      return library.raw_map(
        file,
        offset,
        BigInt(bytes),
        protection,
        flags,
        then,
      );
    },
    [Symbol.dispose]: () => void library.raw_close(file),
  };
}

/** One with a device that nobody serves, and nobody accesses. */
async function openPlugged(change: (plug: RawPlug) => void = () => {}) {
  const opened = await openFile();
  const plug = rawPlug();
  change(plug);
  assert.equal(opened.call(ioctls.plug.number, plug.argument), 0);
  await eventually(
    () => opened.call(ioctls.wait.number, struct(ioctls.wait)) === 0,
    "the first event",
  );
  const domain = new DataView(plug.argument.buffer)
    .getUint32(plugFields.domain, true);
  return { ...opened, domain };
}

/** What a struct needs to be taken by a device that is plugged. */
const valid: Record<keyof typeof ioctls, number> = {
  info: 0,
  plug: -errno.EBUSY,
  unplug: 0,
  wait: 0,
  wake: 0,
  // It has neither vectors nor a pin, but the struct was read.
  irq: -34,
  config: 0,
  dma: 0,
};

/** The ioctls; unplug last, since it ends the device. */
const order = [
  ...[
    "info",
    "plug",
    "wait",
    "wake",
    "irq",
    "config",
    "dma",
    "unplug",
  ] as const,
];

/** Bytes of the first version of a struct that has grown since. */
const first: Partial<Record<keyof typeof ioctls, number>> = { plug: 72 };

guestTest("an ioctl that is not there is ENOTTY", async () => {
  using device = await openPlugged();
  const { number } = ioctls.info;
  const argument = struct({ size: 64 });
  for (const wrong of [0xb708, 0xb7ff, 0xb800, 0x5401, 0x8000_0000 + number]) {
    const outcome = device.call(wrong, argument);
    assert.equal(outcome, -errno.ENOTTY, wrong.toString(16));
  }
});

guestTest("a struct that is too short is EINVAL, for every ioctl", async () => {
  using device = await openPlugged();
  for (const name of order) {
    const { number, size } = ioctls[name];
    const argument = struct({ size });
    const least = first[name] ?? size;
    for (const short of [0, 1, 7, least - 1]) {
      set(argument, 0, short);
      const outcome = device.call(number, argument);
      assert.equal(outcome, -errno.EINVAL, `${name} ${short}`);
    }
  }
});

guestTest(
  "a longer struct is taken if the excess is zero, else it is E2BIG",
  async () => {
    using device = await openPlugged();
    for (const name of order) {
      const { number, size } = ioctls[name];
      // Up to a page.
      for (const room of [8, 4096 - size]) {
        const argument = struct({ size }, { room });
        argument[size + room - 1] = 1;
        assert.equal(device.call(number, argument), -errno.E2BIG, name);
        argument[size + room - 1] = 0;
        assert.equal(device.call(number, argument), valid[name], name);
        if (name === "unplug") break;
      }
    }
  },
);

guestTest(
  "a struct of more than a page is E2BIG, whatever it holds",
  async () => {
    using device = await openPlugged();
    for (const name of order) {
      const { number, size } = ioctls[name];
      const argument = struct({ size }, { room: 8192 });
      assert.equal(device.call(number, argument), -errno.E2BIG, name);
    }
  },
);

guestTest("a plug by a longer struct of zeros plugs", async () => {
  using device = await openFile();
  const { argument } = rawPlug({ room: 64 });
  assert.equal(device.call(ioctls.plug.number, argument), 0);
});

guestTest("unknown flags and reserved fields are EOPNOTSUPP", async () => {
  using device = await openPlugged();
  for (const name of order) {
    const { number, size } = ioctls[name];
    for (const flag of [1 << 8, 1 << 30]) {
      const argument = struct({ size });
      set(argument, 4, flag);
      assert.equal(device.call(number, argument), -errno.EOPNOTSUPP, name);
    }
  }
  using fresh = await openFile();
  const reserved = rawPlug();
  set(reserved.bars, 12, 1);
  const unknown = rawPlug();
  set(unknown.bars, 8, 1 << 5);
  const flagged = rawPlug();
  set(flagged.regions, 24, 1);
  const filled = rawPlug();
  set(filled.regions, 36, 1);
  for (const { argument } of [reserved, unknown, flagged, filled]) {
    set(argument, plugFields.regionCount, 1);
    assert.equal(fresh.call(ioctls.plug.number, argument), -errno.EOPNOTSUPP);
  }
});

guestTest("a pointer to nowhere is EFAULT, also inside a struct", async () => {
  using device = await openPlugged();
  for (const name of order) {
    for (const address of [0n, 8n, 0x7fff_ffff_f000n, -4096n]) {
      const outcome = device.callAt(
        ioctls[name].number,
        BigInt.asUintN(64, address),
      );
      assert.equal(outcome, -errno.EFAULT, `${name} ${address}`);
    }
  }
  const config = struct(ioctls.config);
  set(config, 12, 4);
  set(config, 16, 8n);
  assert.equal(device.call(ioctls.config.number, config), -errno.EFAULT);
  const dma = struct(ioctls.dma);
  set(dma, 8, 8n);
  set(dma, 16, 1);
  assert.equal(device.call(ioctls.dma.number, dma), -errno.EFAULT);
  using fresh = await openFile();
  const { config: at, writeMask, clearMask, notify, bars, regions } =
    plugFields;
  for (const field of [at, writeMask, clearMask, notify, bars, regions]) {
    const { argument } = rawPlug();
    set(argument, field, 8n);
    set(argument, plugFields.regionCount, 1);
    const outcome = fresh.call(ioctls.plug.number, argument);
    assert.equal(outcome, -errno.EFAULT, `field at ${field}`);
  }
});

guestTest(
  "before the plug and after the device is gone, ioctls are ENODEV",
  async () => {
    using device = await openFile();
    const needs = order.filter((name) => name !== "info" && name !== "plug");
    for (const name of needs) {
      const { number } = ioctls[name];
      assert.equal(
        device.call(number, struct(ioctls[name])),
        -errno.ENODEV,
        name,
      );
    }
    assert.equal(device.call(ioctls.info.number, struct(ioctls.info)), 0);
    assert.equal(device.call(ioctls.plug.number, rawPlug().argument), 0);
    assert.equal(device.call(ioctls.unplug.number, struct(ioctls.unplug)), 0);
    const wake = struct(ioctls.config);
    await eventually(
      () => device.call(ioctls.config.number, wake) === -errno.ENODEV,
      "the device to be gone",
    );
    for (const name of ["irq", "config", "dma"] as const) {
      const { number } = ioctls[name];
      assert.equal(
        device.call(number, struct(ioctls[name])),
        -errno.ENODEV,
        name,
      );
    }
    for (const name of ["unplug", "wait", "wake"] as const) {
      const { number } = ioctls[name];
      assert.equal(device.call(number, struct(ioctls[name])), 0, name);
    }
    const again = rawPlug().argument;
    assert.equal(device.call(ioctls.plug.number, again), -errno.EBUSY);
  },
);

guestTest(
  "a second plug of a file, and one into a taken domain, are EBUSY",
  async () => {
    using device = await openPlugged();
    const again = rawPlug().argument;
    assert.equal(device.call(ioctls.plug.number, again), -errno.EBUSY);
    using other = await openFile();
    const { argument } = rawPlug();
    set(argument, plugFields.domain, device.domain);
    assert.equal(other.call(ioctls.plug.number, argument), -errno.EBUSY);
    set(argument, plugFields.domain, 0);
    const platform = other.call(ioctls.plug.number, argument);
    assert.ok(platform < 0, "domain 0 is the machine's own");
  },
);

/** Invalid plugs: what is wrong, and how to make it so. */
const invalid: [string, (plug: RawPlug) => void][] = [
  ["a BAR that is no power of two", ({ bars }) => set(bars, 0, 12288n)],
  ["a BAR below a page", ({ bars }) => set(bars, 0, 2048n)],
  ["a BAR that is too large", ({ bars }) => set(bars, 0, 1n << 29n)],
  ["a BAR as large as can be", ({ bars }) => set(bars, 0, 1n << 63n)],
  ["BARs that are too large together", ({ bars }) => {
    set(bars, 0, 1n << 28n);
    set(bars, 16, 4096n);
  }],
  ["flags on a BAR that is not there", ({ bars }) => set(bars, 16 + 8, 1)],
  ["a 64-bit BAR at index 5", ({ bars }) => {
    set(bars, 80, 4096n);
    set(bars, 88, 1);
  }],
  ["a BAR in the upper half of a 64-bit one", ({ bars }) => {
    set(bars, 8, 1);
    set(bars, 16, 4096n);
  }],
  ["the header type of a bridge", ({ config }) => set(config, 0x0c, 0x01_0000)],
  ["a multi-function header", ({ config }) => set(config, 0x0c, 0x80_0000)],
  ["a BAR register that is not 0", ({ config }) => set(config, 0x10, 8)],
  ["an Expansion ROM", ({ config }) => set(config, 0x30, 1)],
  ["an interrupt pin E", ({ config }) => set(config, 0x3c, 0x500)],
  ["a capability inside the header", ({ config }) => set(config, 0x34, 0x30)],
  ["a misaligned capability", ({ config }) => set(config, 0x34, 0x42)],
  ["a capability that leaves the list's part", ({ config }) => {
    set(config, 0x34, 0xf8);
    set(config, 0xf8, 0x10);
  }],
  ["a capability list that loops", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x5009);
    set(config, 0x50, 0x4009);
  }],
  ["a capability that is its own next", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x4009);
  }],
  ["capabilities that overlap", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x4401);
    set(config, 0x44, 0x09);
  }],
  ["MSI twice", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x6005);
    set(config, 0x60, 0x05);
  }],
  ["MSI with 128 vectors", ({ config }) => {
    set(config, 0x34, 0x40);
    set(config, 0x40, 0x000e_0005);
  }],
  ["an extended capability list that loops", ({ config }) => {
    set(config, 0x100, 0x2001_0003);
    set(config, 0x200, 0x1001_0003);
  }],
  ["a region past its BAR", ({ regions }) => set(regions, 0, 8192n)],
  ["a region that leaves its BAR", ({ regions }) => set(regions, 8, 12288n)],
  ["a region whose end overflows", ({ regions }) => {
    set(regions, 0, 4096n);
    set(regions, 8, 0xffff_ffff_ffff_f000n);
  }],
  ["a region of a part of a page", ({ regions }) => set(regions, 8, 2048n)],
  ["a region at a part of a page", ({ regions }) => set(regions, 0, 2048n)],
  ["an empty region", ({ regions }) => set(regions, 8, 0n)],
  ["a region of a BAR that is not there", ({ regions }) => set(regions, 16, 1)],
  ["a region of BAR 6", ({ regions }) => set(regions, 16, 6)],
  ["a policy that is not there", ({ regions }) => set(regions, 20, 3)],
  [
    "too many regions",
    ({ argument }) => set(argument, plugFields.regionCount, 1025),
  ],
  ...[0, 3, 128, 255, 131072, 2 ** 31].map((entries) =>
    [
      `a ring of ${entries}`,
      ({ argument }: RawPlug) => set(argument, plugFields.ringEntries, entries),
    ] as [
      string,
      (plug: RawPlug) => void,
    ]
  ),
  ["no timeout", ({ argument }) => set(argument, plugFields.timeout, 0)],
  [
    "a timeout of over ten minutes",
    ({ argument }) => set(argument, plugFields.timeout, 600_000_001),
  ],
];

guestTest(
  "a plug that makes no sense is EINVAL, and the file can still plug",
  async () => {
    using device = await openFile();
    for (const [what, change] of invalid) {
      const plug = rawPlug();
      set(plug.argument, plugFields.regionCount, 1);
      change(plug);
      const outcome = device.call(ioctls.plug.number, plug.argument);
      assert.equal(outcome, -errno.EINVAL, what);
    }
    const plug = rawPlug();
    set(plug.argument, plugFields.regionCount, 1);
    assert.equal(device.call(ioctls.plug.number, plug.argument), 0);
  },
);

guestTest("the limits themselves are taken", async () => {
  const limits: ((plug: RawPlug) => void)[] = [
    ({ argument }) => set(argument, plugFields.ringEntries, 65536),
    ({ argument }) => set(argument, plugFields.timeout, 600_000_000),
    ({ bars }) => set(bars, 0, 4096n),
    ({ bars }) => set(bars, 80, 4096n),
    ({ config }) => {
      set(config, 0x34, 0xfc);
      set(config, 0xfc, 0x09);
    },
  ];
  for (const change of limits) {
    using _device = await openPlugged(change);
  }
});

guestTest("config reads and writes end where config space ends", async () => {
  using device = await openPlugged();
  const access = (offset: number, length: number): number => {
    const argument = struct(ioctls.config);
    set(argument, 8, offset);
    set(argument, 12, length);
    return device.call(ioctls.config.number, argument);
  };
  assert.equal(access(4096, 0), 0);
  for (
    const [offset, length] of [[4096, 1], [4095, 2], [0, 4097], [
      2 ** 32 - 4,
      8,
    ], [8, 2 ** 32 - 4]] as const
  ) {
    assert.equal(access(offset, length), -errno.EINVAL, `${offset} ${length}`);
  }
});

guestTest("an interrupt operation that is not there is EINVAL", async () => {
  using device = await openPlugged();
  for (
    const [operation, vector] of [[3, 0], [2 ** 32 - 1, 0], [1, 1], [
      2,
      7,
    ]] as const
  ) {
    const argument = struct(ioctls.irq);
    set(argument, 8, operation);
    set(argument, 12, vector);
    assert.equal(device.call(ioctls.irq.number, argument), -errno.EINVAL);
  }
});

/** Where the pieces of a device file are, as in its header. */
const pieces = {
  status: 0n,
  control: 1n << 40n,
  ring: 2n << 40n,
  completions: 3n << 40n,
  bar0: 8n << 40n,
} as const;

const sizes = {
  status: 4096,
  control: 4096,
  ring: 256 * 64,
  completions: 4096,
  bar0: 8192,
} as const;

const names = Object.keys(pieces) as (keyof typeof pieces)[];
const both = 3;
const shared = 1;
const privately = 2;

guestTest(
  "each piece of the file is mapped with its exact size only",
  async () => {
    using device = await openPlugged();
    for (const name of names) {
      const at = pieces[name];
      assert.equal(device.map(at, sizes[name]), 0, name);
      for (const bytes of [4096, 8192, 32768, sizes[name] * 2]) {
        if (bytes === sizes[name]) continue;
        assert.equal(device.map(at, bytes), -errno.EINVAL, `${name} ${bytes}`);
      }
      assert.equal(device.map(at + 4096n, sizes[name]), -errno.EINVAL, name);
    }
    for (const at of [4n, 7n, 9n, 13n, 14n, 100n].map((n) => n << 40n)) {
      assert.equal(device.map(at, 4096), -errno.EINVAL, at.toString(16));
    }
  },
);

guestTest(
  "what the kernel writes cannot be mapped writable, nor made so",
  async () => {
    using device = await openPlugged();
    for (const name of ["status", "ring"] as const) {
      const bytes = sizes[name];
      const at = pieces[name];
      assert.equal(device.map(at, bytes, { protection: both }), -errno.EPERM);
      assert.equal(device.map(at, bytes, { then: both }), -errno.EACCES);
      assert.equal(device.map(at, bytes, { then: 0 }), 0);
    }
    for (const name of ["control", "completions", "bar0"] as const) {
      const bytes = sizes[name];
      const at = pieces[name];
      assert.equal(device.map(at, bytes, { protection: both }), 0, name);
      assert.equal(device.map(at, bytes, { then: both }), 0, name);
    }
  },
);

guestTest(
  "private mappings, and any before the plug, are refused",
  async () => {
    using device = await openPlugged();
    using fresh = await openFile();
    for (const name of names) {
      const at = pieces[name];
      assert.equal(
        device.map(at, sizes[name], { flags: privately }),
        -errno.EINVAL,
      );
      for (const protection of [1, both]) {
        const options = { protection, flags: shared };
        assert.equal(fresh.map(at, sizes[name], options), -errno.ENODEV, name);
      }
    }
  },
);
