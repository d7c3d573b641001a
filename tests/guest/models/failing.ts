// SPDX-License-Identifier: MIT

/**
 * A model that throws where its first argument says: in `command`, in `plugged`,
 * in a `read`, in a `timer` or in a `promise`; or `nowhere`.
 *
 * @module
 */
import process from "node:process";
import { serve } from "../../../mod.ts";
import { patiently } from "../patience.ts";

const [place] = process.argv.splice(2, 1); // the others are serve()'s
const fail = (): never => {
  throw new Error(`planted in ${place}`);
};
const failIn = (here: string): void => {
  if (place === here) fail();
};

await serve({
  id: { vendor: 0x1234, device: 0xbe9c },
  bars: [{ size: 16384, trap: [[0, 4096]], shadow: [[4096, 4096]] }],
  timeout: patiently(5000),
  read() {
    failIn("read");
    return 0x600d;
  },
  command: () => failIn("command"),
  plugged() {
    failIn("plugged");
    if (place === "timer") setTimeout(fail, 50);
    if (place === "promise") setTimeout(async () => await fail(), 50);
  },
});
