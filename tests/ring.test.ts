// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { abi, checkAbi } from "../ffi/abi.ts";
import { byteEnables, cut, SplitAccess } from "../ffi/access.ts";
import { decodeNotice } from "../ffi/decode.ts";
import { helperPath } from "../ffi/helper.ts";
import { Ring } from "../ffi/ring.ts";
import { loadRuntime } from "../ffi/runtime.ts";
import { AbiMismatch } from "../mod.ts";

interface Entry {
  kind: number;
  bar?: number;
  width?: number;
  offset?: number;
  value?: bigint;
  valueHigh?: bigint;
  slot?: number;
  ticket?: number;
}

/** The kernel's side of a ring, in memory of our own, whose next index is `tail`. */
function ringOf(entries = 4, tail = 0) {
  const memory = {
    status: new ArrayBuffer(abi.STATUS_SIZE),
    control: new ArrayBuffer(abi.CONTROL_SIZE),
    ring: new ArrayBuffer(entries * abi["sizeof event"]),
    completions: new ArrayBuffer(abi.COMPLETIONS_SIZE),
  };
  const view = new DataView(memory.ring);
  const status = new DataView(memory.status);
  const completions = new DataView(memory.completions);
  new DataView(memory.control)
    .setUint32(abi["control.head"], tail, true);
  // What is left of the round before.
  for (let index = tail - entries; index >= 0 && index < tail; index++) {
    const at = index % entries * abi["sizeof event"];
    view.setUint32(at + abi["event.sequence"], index + 1, true);
  }
  return {
    ring: new Ring(memory),
    status,
    control: new DataView(memory.control),
    /** Writes an event as the kernel lays it out. */
    publish(entry: Entry): void {
      const at = tail % entries * abi["sizeof event"];
      view.setUint16(at + abi["event.kind"], entry.kind, true);
      view.setUint8(at + abi["event.bar"], entry.bar ?? 0);
      view.setUint8(at + abi["event.width"], entry.width ?? 0);
      view.setUint32(at + abi["event.offset"], entry.offset ?? 0, true);
      view.setBigUint64(at + abi["event.value"], entry.value ?? 0n, true);
      view.setBigUint64(
        at + abi["event.value_high"],
        entry.valueHigh ?? 0n,
        true,
      );
      view.setBigUint64(at + abi["event.time"], 5_000_000_123n, true);
      view.setUint32(at + abi["event.cpu"], 3, true);
      view.setUint32(at + abi["event.slot"], entry.slot ?? abi.NO_SLOT, true);
      view.setUint32(at + abi["event.ticket"], entry.ticket ?? 0, true);
      view.setUint32(at + abi["event.sequence"], ++tail >>> 0, true);
    },
    completion: (slot: number) => {
      const at = slot * abi["sizeof completion"];
      return {
        value: completions.getBigUint64(at + abi["completion.value"], true),
        high: completions.getBigUint64(at + abi["completion.value_high"], true),
        status: completions.getUint32(at + abi["completion.status"], true),
        ticket: completions.getUint32(at + abi["completion.ticket"], true),
      };
    },
  };
}

test("Ring.ready() is true from an event's publication to its release", () => {
  const { ring, publish, control } = ringOf();
  assert.equal(ring.ready(), false);
  publish({ kind: abi.EVENT_WRITE });
  assert.equal(ring.ready(), true);
  ring.release();
  assert.equal(ring.ready(), false);
  assert.equal(control.getUint32(abi["control.head"], true), 1);
});

// An index is free-running: it goes through both ends of what an int32 is.
for (const start of [0, 0x7fff_fffe, 0xffff_fffe]) {
  test(`Ring goes round from ${start}, and takes no stale entry for a new one`, () => {
    const { ring, publish, control } = ringOf(4, start);
    assert.equal(ring.ready(), false);
    for (let index = 0; index < 11; index++) {
      publish({ kind: abi.EVENT_WRITE, value: BigInt(index) });
      assert.equal(ring.ready(), true);
      assert.equal(ring.value(0), index);
      ring.release();
      assert.equal(ring.ready(), false);
      const head = control.getUint32(abi["control.head"], true);
      assert.equal(head, (start + index + 1) % 2 ** 32);
    }
  });
}

test("Ring reads every field of an event", () => {
  const { ring, publish } = ringOf();
  publish({
    kind: abi.EVENT_READ,
    bar: 5,
    width: 16,
    offset: 0xffffff0,
    value: 0x89abcdef_01234567n,
    valueHigh: 0xfedcba98_76543210n,
    slot: 63,
    ticket: 0xfffffffe,
  });
  assert.equal(ring.shape(), abi.EVENT_READ | 5 << 16 | 16 << 24);
  assert.equal(ring.offset(), 0xffffff0);
  assert.deepEqual(
    [0, 1, 2, 3].map((index) => ring.value(index) >>> 0),
    [0x01234567, 0x89abcdef, 0x76543210, 0xfedcba98],
  );
  assert.equal(ring.slot(), 63);
  assert.equal(ring.ticket() >>> 0, 0xfffffffe);
  assert.equal(ring.cpu(), 3);
  assert.equal(ring.time(), 5_000_000_123);
});

test("Ring.complete() fills the slot that the read waits in", () => {
  const { ring, completion } = ringOf();
  ring.complete(7, 42, -1, 5);
  assert.deepEqual(completion(7), {
    value: 0x5_ffffffffn,
    high: 0n,
    status: abi.COMPLETION_SUCCESSFUL,
    ticket: 42,
  });
  assert.equal(completion(6).ticket, 0);
  assert.equal(completion(8).ticket, 0);
});

test("Ring.complete() after Ring.refuse() is successful again", () => {
  const { ring, completion } = ringOf();
  ring.refuse(1, 8);
  assert.equal(completion(1).status, abi.COMPLETION_UNSUPPORTED);
  assert.equal(completion(1).ticket, 8);
  ring.complete(1, 9, 1, 0);
  assert.equal(completion(1).status, abi.COMPLETION_SUCCESSFUL);
});

test("Ring knows which ticket a slot waits for, and who sleeps", () => {
  const { ring, status, control } = ringOf();
  status.setUint32(abi["status.waiting"] + 4 * 9, 77, true);
  assert.equal(ring.waits(9, 77), true);
  assert.equal(ring.waits(9, 78), false);
  assert.equal(ring.waits(8, 77), false);
  assert.equal(ring.owesWake(), false);
  status.setUint32(abi["status.sleepers"], 2, true);
  assert.equal(ring.owesWake(), true);
  ring.setSleeping(true);
  assert.equal(control.getUint32(abi["control.sleeping"], true), 1);
  ring.setSleeping(false);
  assert.equal(control.getUint32(abi["control.sleeping"], true), 0);
  assert.equal(ring.isGone(), false);
  status.setUint32(abi["status.state"], abi.STATE_GONE, true);
  assert.equal(ring.isGone(), true);
});

test("decodeNotice() makes a plain object of every notice", () => {
  const base = { time: 5_000_000_123, cpu: 3 };
  const decode = (entry: Entry) => {
    const { ring, publish } = ringOf();
    publish(entry);
    return decodeNotice(ring);
  };
  assert.deepEqual(
    decode({ kind: abi.EVENT_CONFIG, offset: 0x44, value: 0xfffffffen }),
    { kind: "config", offset: 0x44, value: 0xfffffffe, ...base },
  );
  assert.deepEqual(decode({ kind: abi.EVENT_COMMAND, value: 0x406n }), {
    kind: "command",
    value: 0x406,
    memory: true,
    busMaster: true,
    interruptDisable: true,
    ...base,
  });
  assert.deepEqual(
    decode({ kind: abi.EVENT_POWER, value: 3n }),
    { kind: "power", state: 3, ...base },
  );
  assert.deepEqual(
    decode({ kind: abi.EVENT_RESET, value: 1n }),
    { kind: "reset", cause: "flr", ...base },
  );
  assert.deepEqual(
    decode({ kind: abi.EVENT_RESET, value: 2n }),
    { kind: "reset", cause: "d3hot", ...base },
  );
  assert.deepEqual(
    decode({ kind: abi.EVENT_VECTOR, value: 4n }),
    { kind: "vector", enabled: 4, ...base },
  );
  const place = { bar: 2, offset: 8, width: 4 };
  const fault = (value: number) =>
    decode({ kind: abi.EVENT_FAULT, value: BigInt(value), ...place });
  const told = { kind: "fault", ...place, ...base };
  assert.deepEqual(fault(abi.FAULT_READ_TIMEOUT), {
    ...{ reason: "timeout", access: "read" },
    ...told,
  });
  assert.deepEqual(fault(abi.FAULT_WRITE_TIMEOUT), {
    ...{ reason: "timeout", access: "write" },
    ...told,
  });
  assert.deepEqual(fault(abi.FAULT_LINK), { reason: "link", ...told });
  assert.deepEqual(fault(abi.FAULT_UNDECODABLE), {
    reason: "undecodable",
    ...told,
  });
  assert.equal(decode({ kind: abi.EVENT_PLUGGED })?.kind, "plugged");
  assert.equal(decode({ kind: abi.EVENT_UNPLUGGED })?.kind, "unplugged");
  assert.equal(decode({ kind: 99 }), undefined);
  assert.equal(decode({ kind: abi.EVENT_READ }), undefined);
});

test("cut() leaves an access alone whose width the model implements", () => {
  assert.deepEqual(cut(6, 2, { min: 1, max: 4 }), [
    { offset: 6, width: 2, skip: 0, start: 0, length: 2 },
  ]);
});

test("cut() splits an access that is too wide", () => {
  assert.deepEqual(
    cut(16, 16, { min: 1, max: 4 }).map(({ offset, start }) => [offset, start]),
    [[16, 0], [20, 4], [24, 8], [28, 12]],
  );
  assert.deepEqual(cut(8, 8, { min: 8, max: 8 }).length, 1);
});

test("cut() widens an access that is too narrow, and says which bytes count", () => {
  const pieces = cut(7, 1, { min: 4, max: 4 });
  assert.deepEqual(pieces, [
    { offset: 4, width: 4, skip: 3, start: 0, length: 1 },
  ]);
  assert.deepEqual(pieces.map(byteEnables), [0b1000]);
});

test("cut() covers a misaligned access with aligned pieces", () => {
  const pieces = cut(6, 4, { min: 4, max: 8 });
  assert.deepEqual(pieces, [
    { offset: 4, width: 4, skip: 2, start: 0, length: 2 },
    { offset: 8, width: 4, skip: 0, start: 2, length: 2 },
  ]);
  assert.deepEqual(pieces.map(byteEnables), [0b1100, 0b0011]);
});

test("SplitAccess gives each piece its bytes of a write", () => {
  const { ring, publish } = ringOf();
  publish({
    kind: abi.EVENT_WRITE,
    width: 4,
    offset: 6,
    value: 0x44332211n,
  });
  const access = new SplitAccess(ring, { min: 4, max: 4 });
  assert.deepEqual(
    access.pieces.map((piece) => access.value(piece)),
    [0x22110000, 0x00004433],
  );
});

test("SplitAccess puts a read together from its pieces", () => {
  const { ring, publish, completion } = ringOf();
  publish({
    kind: abi.EVENT_READ,
    width: 16,
    offset: 0,
    slot: 4,
    ticket: 11,
  });
  const access = new SplitAccess(ring, { min: 1, max: 8 });
  const values = [0x0807060504030201n, 0xffffffffffffffffn];
  access.pieces.forEach((piece, index) => {
    access.put(piece, values[index] ?? 0n);
  });
  access.complete(ring);
  const { value, high, ticket } = completion(4);
  assert.deepEqual({ value, high, ticket }, {
    value: 0x0807060504030201n,
    high: 0xffffffffffffffffn,
    ticket: 11,
  });
});

test("SplitAccess cuts a narrow read from a wider one", () => {
  const { ring, publish, completion } = ringOf();
  publish({ kind: abi.EVENT_READ, width: 2, offset: 2, slot: 0, ticket: 1 });
  const access = new SplitAccess(ring, { min: 4, max: 4 });
  const [piece] = access.pieces;
  assert.ok(piece);
  access.put(piece, 0xaabbccdd);
  access.complete(ring);
  assert.equal(completion(0).value & 0xffffn, 0xaabbn);
});

test("the C helper agrees with ffi/abi.ts about the UAPI header", async () => {
  const { calls } = await loadRuntime();
  const text = new Uint8Array(8192);
  const length = calls.barkeep_constants(text, text.length);
  assert.ok(length > 0);
  checkAbi(new TextDecoder().decode(text.subarray(0, length)));
  assert.match(await helperPath(), /libbarkeep\.so$/);
});

test("checkAbi() names what differs, and what is missing", () => {
  const lines = Object.entries(abi).map(([name, value]) => `${name} ${value}`);
  checkAbi(lines.join("\n"));
  assert.throws(
    () => checkAbi([...lines.slice(1), "SLOTS 65"].join("\n")),
    (error) => {
      assert.ok(error instanceof AbiMismatch);
      assert.match(error.message, /SLOTS is 65/);
      assert.match(error.message, /ABI is not known/);
      return true;
    },
  );
});

test("the waiter reports an armed file once, and again once it is armed again", async () => {
  const runtime = await loadRuntime();
  // An eventfd: waiter[1] of another waiter is one, and can be made readable.
  const other = new Int32Array(2);
  assert.ok(runtime.calls.barkeep_waiter_create(other) >= 0);
  const file = other[1] ?? -1;
  const reports: number[] = [];
  let heard = (): void => {};
  const waiter = runtime.createWaiter((token) => {
    reports.push(token);
    heard();
  });
  const report = (): Promise<void> =>
    new Promise((resolve) => heard = () => resolve());
  let next = report();
  waiter.arm(file, 5);
  assert.ok(runtime.calls.barkeep_waiter_interrupt(other) >= 0);
  await next;
  assert.deepEqual(reports, [5]);
  next = report();
  waiter.arm(file, 0x7fffffff);
  await next;
  assert.deepEqual(reports, [5, 0x7fffffff]);
  waiter.arm(file, 6);
  waiter.disarm(file);
});
