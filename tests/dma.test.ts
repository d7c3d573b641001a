// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import { errno } from "../ffi/abi.ts";
import { PortDma } from "../ffi/dma.ts";
import type { Port } from "../ffi/port.ts";
import { BarkeepError } from "../mod.ts";

/** DMA where the kernel answers so, and how often it was asked. */
function dmaThat(returned: number): { dma: PortDma; asked(): number } {
  let asked = 0;
  const port = {
    device: 3,
    mustBeOpen: () => {},
    runtime: {
      addressOf: () => 0,
      calls: {
        barkeep_dma: () => {
          asked++;
          return returned;
        },
      },
    },
  };
  // What a read uses of one.
  const dma = new PortDma(port as unknown as Port);
  return { dma, asked: () => asked };
}

test("a read of what is mapped, but larger than any buffer, says so", () => {
  const { dma, asked } = dmaThat(-errno.EFAULT);
  assert.throws(() => dma.read(0x1000, 2 ** 53 - 1), (error) => {
    assert.ok(error instanceof BarkeepError, String(error));
    assert.equal(error.code, "NO_MEMORY");
    assert.match(
      error.message,
      /^cannot read 9007199254740991 bytes at 0x1000 by DMA: .*no buffer so large\. Read them in pieces$/,
    );
    assert.ok(error.cause instanceof RangeError);
    return true;
  });
  assert.equal(asked(), 1);
});

test("the kernel is asked first for reads of more than 1 MiB only", () => {
  const { dma, asked } = dmaThat(0);
  dma.read(0, 1 << 20);
  assert.equal(asked(), 1);
  const more = dmaThat(-errno.EACCES);
  const far = 2 ** 32 - 1;
  assert.throws(() => more.dma.read(0, far), {
    code: "DMA_FAULT",
    length: far,
  });
  assert.equal(more.asked(), 1);
});
