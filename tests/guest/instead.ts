// SPDX-License-Identifier: MIT

import { execFileSync, spawnSync } from "node:child_process";
import { eventually, modules } from "./harness.ts";

/** Removes the module. */
export function rmmod(): Promise<unknown> {
  // What the last device leaves behind is cleared away a moment after it.
  return eventually(
    () => spawnSync("rmmod", ["barkeep"]).status === 0,
    "rmmod barkeep",
  );
}

/** Inserts the one that is there. */
export const insmod = (directory: string): void =>
  void execFileSync("insmod", [`${directory}/barkeep.ko`]);

/** Does something with another module in our module's place, or none. */
export async function instead(
  directory: string | undefined,
  act: () => Promise<void>,
): Promise<void> {
  await rmmod();
  try {
    if (directory !== undefined) insmod(directory);
    await act();
    if (directory !== undefined) await rmmod();
  } finally {
    insmod(modules);
  }
}
