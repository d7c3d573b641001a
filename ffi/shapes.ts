// SPDX-License-Identifier: MIT

import type { Capability } from "./capabilities.ts";
import { type Say, show } from "./mistakes.ts";
import type { BarSpec, BarSpecs, DeviceSpec, PageRange } from "./spec.ts";

/** The lists of a specification, without what is of another shape. */
export interface Lists {
  readonly bars: BarSpecs;
  readonly capabilities: readonly Capability[];
  readonly notify: readonly number[];
}

/**
 * Says which lists of a specification are none, or have elements of another
 * shape, and leaves those out: what is left can be looked into.
 */
export function shaped(
  { bars, capabilities, notify }: DeviceSpec,
  say: Say,
): Lists {
  return {
    bars: list(bars, { name: "bars", write: "[{ size: 4096 }]", say })
      .map((bar, index) => shapedBar(bar, { name: `bars[${index}]`, say })),
    capabilities: list(capabilities, {
      name: "capabilities",
      write: "[msi()]",
      say,
    }).filter((capability, index) =>
      isCapability(capability, { name: `capabilities[${index}]`, say })
    ),
    notify: list(notify, { name: "notify", write: "[0x40]", say }),
  };
}

interface Named {
  readonly name: string;
  readonly say: Say;
}

function list<Element>(
  value: readonly Element[] | undefined,
  { name, write, say }: Named & { write: string },
): readonly Element[] {
  if (value === undefined || Array.isArray(value)) return value ?? [];
  say(`${name} is no array: write ${write}`);
  return [];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function shapedBar(
  bar: BarSpec | null | undefined,
  { name, say }: Named,
): BarSpec | null {
  if (bar === null || bar === undefined) return null;
  if (!isObject(bar)) {
    say(`${name} is ${show(bar)}: write { size: 4096 }, or null for none`);
    return null;
  }
  const shaped = { ...bar };
  for (const policy of ["trap", "shadow"] as const) {
    if (bar[policy] === undefined) continue;
    shaped[policy] = elements(bar[policy], {
      name: `${name}.${policy}`,
      isOne: isRange,
      give: "give pairs of offset and length, [[0, 4096]]",
      say,
    });
  }
  if (bar.watch !== undefined) {
    shaped.watch = elements(bar.watch, {
      name: `${name}.watch`,
      isOne: isObject,
      give: "give objects, [{ offset: 4096 }]",
      say,
    });
  }
  return shaped;
}

function isRange(value: unknown): value is PageRange {
  return Array.isArray(value) && value.length === 2;
}

/** A list of which the first that is of another shape is a mistake. */
function elements<Element>(
  value: readonly Element[],
  { name, isOne, give, say }: Named & {
    isOne: (value: unknown) => boolean;
    give: string;
  },
): readonly Element[] {
  if (!Array.isArray(value)) {
    say(`${name} is ${show(value)}: ${give}`);
    return [];
  }
  const wrong = value.findIndex((element) => !isOne(element));
  if (wrong >= 0) say(`${name}[${wrong}] is ${show(value[wrong])}: ${give}`);
  return value.filter(isOne);
}

function isCapability(
  value: unknown,
  { name, say }: Named,
): value is Capability {
  if (typeof value === "function") {
    say(`${name} is a function: call it, ${value.name || "make"}()`);
    return false;
  }
  const { bytes, writeMask, clearMask } =
    (isObject(value) ? value : {}) as Partial<Capability>;
  const isBytes = (part: unknown) => part instanceof Uint8Array;
  if ([bytes, writeMask, clearMask].every(isBytes)) return true;
  say(
    `${name} is ${
      show(value)
    } without the three arrays of a capability: give ` +
      "one such as msi(), or { name, bytes, writeMask, clearMask }",
  );
  return false;
}
