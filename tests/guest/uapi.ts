// SPDX-License-Identifier: MIT

/**
 * The ioctls of `/dev/barkeep`, called where, and with what, its header forbids.
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
  rawPlug,
  set,
  struct,
} from "./raw.ts";
import { openFile, openPlugged, order } from "./raw_device.ts";

guestTest("an ioctl that is not there is ENOTTY", async () => {
  using device = await openPlugged();
  const { number } = ioctls.info;
  const argument = struct({ size: 64 });
  for (const wrong of [0xb708, 0xb7ff, 0xb800, 0x5401, 0x8000_0000 + number]) {
    const outcome = device.call(wrong, argument);
    assert.equal(outcome, -errno.ENOTTY, wrong.toString(16));
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

guestTest("a wait ends with its time, or with a signal", async () => {
  using device = await openPlugged();
  const { raw_wait } = await loadRaw();
  const entries = 256;
  const long = 30_000_000_000n;
  assert.equal(raw_wait(device.file, entries, 0n), -errno.ETIMEDOUT);
  assert.equal(raw_wait(device.file, entries, 1000n), -errno.ETIMEDOUT);
  assert.equal(raw_wait(device.file, entries, long), -errno.EINTR);
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
