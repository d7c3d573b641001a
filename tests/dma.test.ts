// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { allocate } from "../ffi/dma.ts";
import { BarkeepError } from "../mod.ts";

test("a read of what is mapped, but larger than any buffer, says so", () => {
  assert.throws(() => allocate(0x1000, 2 ** 53 - 1), (error) => {
    assert.ok(error instanceof BarkeepError, String(error));
    assert.equal(error.code, "NO_MEMORY");
    assert.match(
      error.message,
      /^cannot read 9007199254740991 bytes at 0x1000 by DMA: .*no buffer so large\. Read them in pieces$/,
    );
    assert.ok(error.cause instanceof RangeError);
    return true;
  });
});
