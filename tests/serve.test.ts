// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { faultText } from "../ffi/serve.ts";
import { defaultTimeout } from "../ffi/spec.ts";
import type { FaultEvent } from "../mod.ts";

const fault = (reason: FaultEvent["reason"]): FaultEvent => ({
  kind: "fault",
  reason,
  bar: 2,
  offset: 0x40,
  width: 4,
  time: 0,
  cpu: 0,
});

const where = "fault: an access of 4 bytes to BAR 2 at 0x40";

test("a read that timed out is told with the limit, and what to do", () => {
  const text = (timeout?: number) => faultText(fault("timeout"), { timeout });
  assert.equal(
    text(120),
    `${where} was not answered in time (timeout: 120 ms): a read was ` +
      "all-ones, a write went on. Answer sooner, or give the device a larger " +
      "timeout",
  );
  assert.ok(text().includes(`(timeout: ${defaultTimeout} ms)`), text());
});

test("other faults say what became of the access", () => {
  assert.equal(
    faultText(fault("undecodable"), {}),
    `${where} is of an instruction that cannot be emulated; it was skipped`,
  );
  assert.match(faultText(fault("uncompleted"), {}), /read as all-ones$/);
});
