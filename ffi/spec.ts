// SPDX-License-Identifier: MIT

import process from "node:process";
import { abi, pageSize } from "./abi.ts";
import type { Capability } from "./capabilities.ts";
import { BadSpec, hex } from "./errors.ts";
import { capabilityMistakes } from "./config_space.ts";
import { isWhole, type Say, show, showCount, unknownKeys } from "./mistakes.ts";
import { shaped } from "./shapes.ts";
import { checkRegisters } from "./register_mistakes.ts";
import type { RegisterMap } from "./registers.ts";
import { checkWatches, type Watch } from "./watches.ts";

/** What identifies a function; the numbers at the top of its config space. */
export interface DeviceId {
  /** Vendor ID, 16 bits; none of 0, 1 and 0xffff. */
  readonly vendor: number;
  /** Device ID, 16 bits. */
  readonly device: number;
  /** Subsystem Vendor ID, 16 bits (default: `vendor`). */
  readonly subsystemVendor?: number;
  /** Subsystem ID, 16 bits (default: `device`). */
  readonly subsystem?: number;
  /** Revision ID, 8 bits (default 0). */
  readonly revision?: number;
  /** Class Code, 24 bits: 0xff0000, the default, is "no class". */
  readonly class?: number;
}

/** Bytes of an access that a handler can be asked for. */
export type Width = 1 | 2 | 4 | 8;

/** An offset and a length in bytes, both whole pages of 4096. */
export type PageRange = readonly [offset: number, length: number];

/** A memory BAR. */
export interface BarSpec {
  /** Bytes: a power of two, at least 4096. */
  readonly size: number;
  /** 64: may lie above 4 GiB, and takes the next BAR's place too (default 32). */
  readonly bits?: 32 | 64;
  /** Whether reads have no side effects (default `false`). */
  readonly prefetchable?: boolean;
  /**
   * Widths that the model implements, in bytes. A number is the widest, and all
   * narrower ones too (default 4). Wider accesses are split. Narrower ones than
   * `min` are widened: a read is cut from a wider one, a write is told with its
   * byte enables. 8 adds the `read64` and `write64` handlers and events.
   */
  readonly width?: Width | { readonly min?: Width; readonly max?: Width };
  /**
   * Pages whose accesses the model answers; all others are memory that driver
   * and model share, without any trap. Without `trap`, all pages trap; with
   * `trap: []` the whole BAR is memory.
   */
  readonly trap?: readonly PageRange[];
  /**
   * Pages whose reads the kernel answers from {@link Bar.buffer}, while writes
   * go there and are told to the model too. Such a read does not wait until the
   * model has handled the writes before it.
   */
  readonly shadow?: readonly PageRange[];
  /**
   * Registers in pages that trap, which the kernel answers, made with
   * {@link registers}; {@link Bar.registers} is how the model has them.
   */
  readonly registers?: RegisterMap;
  /**
   * Ranges of memory pages whose writes the model is told of, as a doorbell's: a
   * write runs at the speed of memory, and then is an event. Up to 4 for all
   * devices of the machine together, since each takes one of the CPU's debug
   * registers.
   */
  readonly watch?: readonly Watch[];
}

/** BARs by number; `null` for one that is not there. */
export type BarSpecs = readonly (BarSpec | null)[];

/**
 * What a device is before it behaves. Where it stands apart from its use, write
 * `satisfies DeviceSpec` behind it: then a range is a pair, and a typo an error.
 *
 * @example
 * ```ts
 * import { type DeviceSpec, msi } from "./mod.ts";
 *
 * const spec: DeviceSpec = {
 *   id: { vendor: 0x1234, device: 0x11e8, revision: 0x10 },
 *   bars: [{ size: 1 << 20 }],
 *   capabilities: [msi()],
 *   interruptPin: "A",
 * };
 * ```
 */
export interface DeviceSpec<Bars extends BarSpecs = BarSpecs> {
  /** Vendor, device, class and so on. */
  readonly id: DeviceId;
  /** Up to 6, by BAR number; `null` for one that is not there. */
  readonly bars?: Bars;
  /** In the order of the list that the host walks. */
  readonly capabilities?: readonly Capability[];
  /** INTx pin; by default the device has none. */
  readonly interruptPin?: "A" | "B" | "C" | "D";
  /** Offsets in config space of dwords whose writes are `config` events. */
  readonly notify?: readonly number[];
  /**
   * `"iommu"` (default): DMA addresses are the device's own. `"direct"`: they
   * are physical addresses, as without an IOMMU. Both are checked.
   */
  readonly dma?: "iommu" | "direct";
  /** PCI domain (default: the lowest free one from 0x0100). */
  readonly domain?: number;
  /**
   * Milliseconds that an access waits for its completion; then a read is
   * all-ones, a write that waits goes on, and both are a `fault` event. Default
   * 50; 2000 in a throw-away VM whose CPU is emulated, which may not come to the
   * model for a while. `BARKEEP_SLOW` multiplies it.
   */
  readonly timeout?: number;
  /** Events that the ring holds: a power of two, 256 to 65536 (default 1024). */
  readonly ring?: number;
  /** Milliseconds without events before the model sleeps (default 5). */
  readonly spin?: number;
}

/** {@link DeviceSpec.timeout} where a specification has none. */
export const defaultTimeout =
  (process.env.BARKEEP_EMULATED === "1" ? 2000 : 50) *
  Number(process.env.BARKEEP_SLOW || 1);

const specKeys: Record<keyof DeviceSpec, true> = {
  id: true,
  bars: true,
  capabilities: true,
  interruptPin: true,
  notify: true,
  dma: true,
  domain: true,
  timeout: true,
  ring: true,
  spin: true,
};
const idKeys: Record<keyof DeviceId, true> = {
  vendor: true,
  device: true,
  subsystemVendor: true,
  subsystem: true,
  revision: true,
  class: true,
};
const barKeys: Record<keyof BarSpec, true> = {
  size: true,
  bits: true,
  prefetchable: true,
  width: true,
  trap: true,
  shadow: true,
  registers: true,
  watch: true,
};

/**
 * Checks the whole of a specification.
 *
 * @param spec What to check.
 * @param otherKeys Keys besides a specification's own that are no mistake.
 * @throws {BadSpec} that lists all its mistakes, or says that there is none.
 */
export function checkSpec(
  spec: DeviceSpec,
  otherKeys: readonly string[] = [],
): void {
  if (typeof spec !== "object" || spec === null) {
    throw new BadSpec([`it is ${spec}: give { id, bars, … }`]);
  }
  const mistakes: string[] = [];
  const say = (mistake: string): void => void mistakes.push(mistake);
  unknownKeys("the device", { of: spec, known: specKeys, otherKeys, say });
  checkId(spec.id, say);
  const { bars, capabilities, notify } = shaped(spec, say);
  checkBars(bars, say);
  checkRegisters(bars, say);
  mistakes.push(...capabilityMistakes(capabilities));
  const { interruptPin, dma, domain, ring = 1024, spin = 5 } = spec;
  const { timeout = defaultTimeout } = spec;
  if (interruptPin !== undefined && !/^[ABCD]$/.test(interruptPin)) {
    say(`interruptPin is ${show(interruptPin)}: use "A", "B", "C" or "D"`);
  }
  for (const offset of notify) {
    if (!isWhole(offset, 0, abi.CONFIG_SIZE - 4) || offset % 4 !== 0) {
      say(`notify names ${show(offset)}: give dword offsets from 0 to 0xffc`);
    }
  }
  if (dma !== undefined && dma !== "iommu" && dma !== "direct") {
    say(`dma is ${show(dma)}: use "iommu" or "direct"`);
  }
  if (domain !== undefined && !isWhole(domain, 0x0001, 0xffff)) {
    say(`domain is ${show(domain)}: use 0x0001 to 0xffff, or leave it out`);
  }
  if (!(timeout >= 0.001 && timeout <= abi.TIMEOUT_MAX_US / 1000)) {
    say(
      `timeout is ${showCount(timeout)}: use milliseconds from 0.001 to 600000`,
    );
  }
  if (!isWhole(ring, abi.RING_MIN, abi.RING_MAX) || !isPowerOfTwo(ring)) {
    say(
      `ring is ${
        showCount(ring)
      }: use a power of two from ${abi.RING_MIN} to ${abi.RING_MAX}`,
    );
  }
  if (!(spin >= 0 && spin <= 60_000)) {
    say(`spin is ${showCount(spin)}: use milliseconds from 0 to 60000`);
  }
  if (mistakes.length > 0) throw new BadSpec(mistakes);
}

function checkId(id: DeviceId | undefined, say: Say): void {
  if (typeof id !== "object" || id === null) {
    return say("id is missing: give { vendor, device }");
  }
  unknownKeys("id", { of: id, known: idKeys, say });
  const bits = (name: keyof DeviceId, limit: number): void => {
    const value = id[name];
    if (value === undefined && name !== "vendor" && name !== "device") return;
    if (!isWhole(value, 0, limit)) {
      say(`id.${name} is ${show(value)}: use a number from 0 to ${hex(limit)}`);
    }
  };
  bits("vendor", 0xffff);
  bits("device", 0xffff);
  bits("subsystemVendor", 0xffff);
  bits("subsystem", 0xffff);
  bits("revision", 0xff);
  bits("class", 0xffffff);
  if (id.vendor === 1) {
    say(
      "id.vendor is 1, which tells the host to wait for a function that is not ready: " +
        "use another, such as 0x1234",
    );
  }
  if (id.vendor === 0xffff || id.vendor === 0) {
    say(
      `id.vendor is ${
        hex(id.vendor)
      }, which the host takes for an empty slot: ` +
        "use another, such as 0x1234",
    );
  }
}

function checkBars(bars: readonly (BarSpec | null)[], say: Say): void {
  if (bars.length > abi.BARS) {
    say(`bars has ${bars.length} entries: a function has ${abi.BARS} at most`);
  }
  let bytes = 0;
  let regions = 0;
  bars.forEach((bar, index) => {
    if (!bar) return;
    const name = `bars[${index}]`;
    unknownKeys(name, { of: bar, known: barKeys, say });
    const sized = isWhole(bar.size, pageSize, abi.BAR_BYTES_MAX) &&
      isPowerOfTwo(bar.size);
    if (!sized) {
      say(
        `${name}.size is ${
          show(bar.size)
        }: use a power of two from ${pageSize} ` +
          `to ${hex(abi.BAR_BYTES_MAX)}` + nextSize(bar.size),
      );
    } else {
      bytes += bar.size;
    }
    if (bar.bits !== undefined && bar.bits !== 32 && bar.bits !== 64) {
      say(`${name}.bits is ${show(bar.bits)}: use 32 or 64`);
    }
    if (bar.bits === 64 && index === abi.BARS - 1) {
      say(
        `${name} has 64 bits, and there is no BAR ${abi.BARS} for its upper half: ` +
          `put it at index ${abi.BARS - 2} or lower`,
      );
    } else if (bar.bits === 64 && bars[index + 1]) {
      say(
        `bars[${index + 1}] overlaps the upper half of the 64-bit ${name}: ` +
          `put null at index ${index + 1}, and its BAR after that`,
      );
    }
    checkWidth(`${name}.width`, { width: bar.width, say });
    const found = pageRanges(bar, { name, say });
    if (sized) regions += checkOverlap(found, name, say);
  });
  checkWatches(bars, say);
  if (bytes > abi.BAR_BYTES_MAX) {
    say(
      `bars have ${hex(bytes)} bytes together: at most ${
        hex(abi.BAR_BYTES_MAX)
      } ` + "are backed with memory, make some smaller",
    );
  }
  if (regions > abi.REGIONS_MAX) {
    say(
      `bars have ${regions} ranges of trap, shadow and memory: at most ` +
        `${abi.REGIONS_MAX} can be told apart, join some`,
    );
  }
}

function checkWidth(
  name: string,
  { width, say }: { width: BarSpec["width"]; say: Say },
): void {
  const { min, max } = widths(width);
  const valid = [1, 2, 4, 8];
  if (!valid.includes(min) || !valid.includes(max) || min > max) {
    say(
      `${name} is ${
        JSON.stringify(width)
      }: use 1, 2, 4 or 8, or { min, max } ` +
        "of these with min at most max",
    );
  }
}

interface NamedRange {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

function pageRanges(
  bar: BarSpec,
  { name, say }: { name: string; say: Say },
): NamedRange[] {
  const found: NamedRange[] = [];
  for (const policy of ["trap", "shadow"] as const) {
    (bar[policy] ?? []).forEach(([offset, length], index) => {
      const range = `${name}.${policy}[${index}]`;
      const aligned = isWhole(offset, 0, Number.MAX_SAFE_INTEGER) &&
        isWhole(length, 1, Number.MAX_SAFE_INTEGER) &&
        offset % pageSize === 0 && length % pageSize === 0;
      if (!aligned) {
        say(
          `${range} is [${show(offset)}, ${show(length)}]: offset and length ` +
            `have to be multiples of ${pageSize}, the page that policies go by`,
        );
      } else if (offset + length > bar.size) {
        say(
          `${range} ends at ${hex(offset + length)}, outside the BAR of ` +
            `${hex(bar.size)} bytes: make it shorter, or the BAR larger`,
        );
      } else {
        found.push({ name: range, start: offset, end: offset + length });
      }
    });
  }
  return found.sort((a, b) => a.start - b.start);
}

/** Returns how many regions the ranges and the gaps between them make. */
function checkOverlap(
  ranges: readonly NamedRange[],
  name: string,
  say: Say,
): number {
  for (const [index, range] of ranges.entries()) {
    const next = ranges[index + 1];
    if (next && next.start < range.end) {
      say(
        `${range.name} and ${next.name} overlap at ${
          hex(next.start)
        } of ${name}: ` +
          "a page has one policy, take it out of one of them",
      );
    }
  }
  return ranges.length * 2 + 1;
}

/** The narrowest and the widest access that a BAR's handlers are asked for. */
export function widths(
  width: BarSpec["width"] = 4,
): { min: Width; max: Width } {
  if (typeof width === "number") return { min: 1, max: width };
  return { min: width.min ?? 1, max: width.max ?? 4 };
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value));
}

function nextSize(size: unknown): string {
  if (size === 1 << 31) return " (1 << 31 is negative, 2 ** 31 is too large)";
  if (!isWhole(size, 1, abi.BAR_BYTES_MAX)) return "";
  const next = Math.max(pageSize, 2 ** Math.ceil(Math.log2(Number(size))));
  return ` (${hex(next)} holds it)`;
}
