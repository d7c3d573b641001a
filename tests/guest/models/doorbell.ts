// SPDX-License-Identifier: MIT

/**
 * A model with all the doorbells that there can be, which says how often they rang
 * when it is asked to.
 *
 * @module
 */
import { serve } from "../../../mod.ts";

let rings = 0;
await serve({
  id: { vendor: 0x1234, device: 0xd00b },
  bars: [{
    size: 8192,
    trap: [[0, 4096]],
    watch: [0, 1, 2, 3].map((n) => ({ offset: 4096 + n * 64 })),
  }],
  timeout: 5000,
  read: () => rings,
  write(offset) {
    if (offset >= 4096) rings++;
  },
});
