// SPDX-License-Identifier: MIT

import { hex } from "./errors.ts";
import type { FaultEvent } from "./events.ts";
import { defaultTimeout } from "./spec.ts";

/**
 * What is said of a fault where the model does not handle faults itself.
 *
 * @param spec Whose `timeout`, in milliseconds, the access had.
 */
export function faultText(
  fault: FaultEvent,
  { timeout = defaultTimeout }: { readonly timeout?: number },
): string {
  return `fault: ${faultTexts[fault.reason](fault, timeout)}`;
}

const faultTexts: Record<
  FaultEvent["reason"],
  (fault: FaultEvent, timeout: number) => string
> = {
  timeout: (fault, timeout) =>
    `${accessText(fault)} was not answered in time (timeout: ${timeout} ms), ` +
    `and ${fault.access === "write" ? "went on" : "was all-ones"}. ` +
    "Answer sooner, or give the device a larger timeout",
  undecodable: (fault) =>
    `${accessText(fault)} is of an instruction that cannot be emulated; ` +
    "it was skipped",
  link: () =>
    "writes could not be delivered, because nobody took events for too long; " +
    "the link is down until unplug",
  memory: (fault) => `${accessText(fault)} was lost: there was no page for it`,
  uncompleted: (fault) =>
    `${accessText(fault)} was left without a completion, and was all-ones`,
};

function accessText(
  { access, width, bar, offset, register, index }: FaultEvent,
): string {
  const what = access ? `a ${access}` : "an access";
  const size = width ? ` of ${width} bytes` : "";
  const element = index ? `${register}.at(${index})` : register;
  const name = register === undefined ? "" : ` (${element})`;
  return `${what}${size} at ${hex(offset)} in BAR ${bar}${name}`;
}
