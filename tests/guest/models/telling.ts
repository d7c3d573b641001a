// SPDX-License-Identifier: MIT

/**
 * A model that prints what it is told, and can be made to misbehave by reading
 * at an offset. Arguments: `--as-nobody`, and `--completion-timeout` with
 * milliseconds.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { loadRuntime } from "../../../ffi/runtime.ts";
import { serve } from "../../../mod.ts";
import { patiently } from "../patience.ts";
import { offsets } from "./offsets.ts";

const { values } = parseArgs({
  options: {
    "as-nobody": { type: "boolean" },
    "completion-timeout": { type: "string", default: "1000" },
  },
});
process.argv.splice(2); // the rest would be for serve()
if (values["as-nobody"]) {
  // Our files are only root's to read, so this comes after they are.
  await loadRuntime();
  process.setgroups?.([]);
  process.setuid?.(65534);
}
let writes = 0;
await serve({
  id: { vendor: 0x1234, device: 0x7e11 },
  bars: [{ size: 8192, shadow: [[4096, 4096]] }],
  timeout: Math.min(patiently(Number(values["completion-timeout"])), 600_000),
  ring: 256,
  read(offset) {
    if (offset === offsets.throw) throw new Error("planted in a handler");
    if (offset === offsets.exit) process.exit(7);
    if (offset === offsets.never) return new Promise(() => {});
    return writes;
  },
  write: () => void writes++,
  fault: ({ reason }) => console.log(`fault ${reason} after ${writes} writes`),
});
