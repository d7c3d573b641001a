// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { faultText } from "../ffi/fault_text.ts";
import { defaultTimeout } from "../ffi/spec.ts";
import type { FaultEvent } from "../mod.ts";

const place = { bar: 2, offset: 0x40, width: 4, time: 0, cpu: 0 } as const;

const told = (
  fault: Omit<FaultEvent, "kind" | keyof typeof place>,
  timeout?: number,
) => faultText({ kind: "fault", ...place, ...fault }, { timeout });

test("an access that timed out is told with the limit, and what to do", () => {
  const advice = "Answer sooner, or give the device a larger timeout";
  assert.equal(
    told({ reason: "timeout", access: "read" }, 120),
    "fault: a read of 4 bytes at 0x40 in BAR 2 was not answered in time " +
      `(timeout: 120 ms), and was all-ones. ${advice}`,
  );
  assert.equal(
    told({ reason: "timeout", access: "write" }),
    "fault: a write of 4 bytes at 0x40 in BAR 2 was not answered in time " +
      `(timeout: ${defaultTimeout} ms), and went on. ${advice}`,
  );
});

test("other faults say what became of the access", () => {
  assert.equal(
    told({ reason: "undecodable" }),
    "fault: an access of 4 bytes at 0x40 in BAR 2 is of an instruction that " +
      "cannot be emulated; it was skipped",
  );
  assert.equal(
    told({ reason: "uncompleted", access: "read" }),
    "fault: a read of 4 bytes at 0x40 in BAR 2 was left without a " +
      "completion, and was all-ones",
  );
  assert.match(
    told({ reason: "memory", access: "write" }),
    /^fault: a write of 4 bytes at 0x40 in BAR 2 was lost/,
  );
  assert.match(
    told({ reason: "timeout", access: "read", register: "start", index: 0 }),
    /^fault: a read of 4 bytes at 0x40 in BAR 2 \(start\) was not answered/,
  );
  assert.match(
    told({ reason: "timeout", access: "read", register: "start", index: 3 }),
    / in BAR 2 \(start\.at\(3\)\) was not answered/,
  );
  assert.match(told({ reason: "link" }), /^fault: writes could not be /);
});
