// SPDX-License-Identifier: MIT

/**
 * Declared registers, as they are changed where somebody else changes them all the
 * time: with one AND and one OR.
 *
 * @module
 */
import process from "node:process";
import { cases, guestTest } from "./harness.ts";
import { instead } from "./instead.ts";
import "./registers_uapi.ts";

const same = /^(?:random accesses do|each access type|no bit that the model)/;

for (const { name, body } of cases.filter(({ name }) => same.test(name))) {
  guestTest(
    `without an exchange that succeeds, ${name}`,
    () => instead(process.env.BARKEEP_NO_EXCHANGE, async () => await body()),
  );
}
