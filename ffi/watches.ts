// SPDX-License-Identifier: MIT

import { abi, pageSize } from "./abi.ts";
import { hex } from "./errors.ts";
import {
  isWhole,
  type Say,
  show,
  unknownKeys,
  useMultiple,
} from "./mistakes.ts";
import type { BarSpec, BarSpecs, Width } from "./spec.ts";

/**
 * A range of a BAR's memory whose writes are events: `write`, with the range's
 * offset and width, and what it holds then. Reads are not.
 *
 * @example A doorbell in a megabyte of memory
 * ```ts
 * import { type BarSpec } from "./mod.ts";
 *
 * const bar: BarSpec = { size: 1 << 20, trap: [], watch: [{ offset: 0x1000 }] };
 * ```
 */
export interface Watch {
  /** First byte in the BAR, a multiple of `width`, in a page that is memory. */
  readonly offset: number;
  /**
   * Bytes (default 4). A write to any of them is an event of all of them; 8 is a
   * `write64` if the BAR's `width` says so.
   */
  readonly width?: Width;
}

const watchKeys: Record<keyof Watch, true> = { offset: true, width: true };

const widest = 8;

interface Found {
  readonly name: string;
  readonly bar: number;
  readonly start: number;
  readonly end: number;
}

/** How many ranges the BARs have watched. */
export function watchCount(bars: BarSpecs = []): number {
  return bars.reduce((sum, bar) => sum + (bar?.watch?.length ?? 0), 0);
}

/** Checks the watched ranges of all BARs. */
export function checkWatches(bars: BarSpecs, say: Say): void {
  const found: Found[] = [];
  bars.forEach((spec, bar) => {
    spec?.watch?.forEach((watch, index) => {
      const name = `bars[${bar}].watch[${index}]`;
      unknownKeys(name, { of: watch, known: watchKeys, say });
      const mistake = watchMistake(spec, watch);
      if (mistake) return say(`${name}${mistake}`);
      const { offset, width = 4 } = watch;
      found.push({ name, bar, start: offset, end: offset + width });
    });
  });
  found.forEach((one, index) => {
    const other = found.slice(0, index).find((other) =>
      other.bar === one.bar && other.start < one.end && one.start < other.end
    );
    if (!other) return;
    say(
      `${other.name} and ${one.name} overlap at ` +
        `${hex(Math.max(one.start, other.start))}: leave one out`,
    );
  });
  const count = watchCount(bars);
  if (count > abi.WATCHES_MAX) {
    say(
      `bars have ${count} watched ranges: a CPU has ${abi.WATCHES_MAX} debug ` +
        "registers, have other doorbells trap instead",
    );
  }
}

function watchMistake(bar: BarSpec, watch: Watch): string | undefined {
  const { offset, width = 4 } = watch;
  if (![1, 2, 4, widest].includes(width)) {
    return `.width is ${show(width)}: use 1, 2, 4 or 8`;
  }
  if (!isWhole(offset, 0, Number.MAX_SAFE_INTEGER) || offset % width !== 0) {
    return `.offset is ${show(offset)}: ${useMultiple(offset, width)}`;
  }
  if (offset >= bar.size) {
    return ` is at ${hex(offset)}, outside the BAR of ` +
      `${hex(bar.size)} bytes: move it, or make the BAR larger`;
  }
  const taken = bar.trap
    ? [...bar.trap, ...bar.shadow ?? []].some(([start, length]) =>
      offset >= start && offset < start + length
    )
    : true;
  if (!taken) return undefined;
  const page = hex(offset - offset % pageSize);
  return ` is in the page at ${page}, whose writes are events anyway: leave it out` +
    (bar.trap ? "" : ", or give trap, which makes all other pages memory");
}

/** Array of `struct barkeep_watch`. */
export function layOutWatches(bars: BarSpecs = []): Uint8Array<ArrayBuffer> {
  const size = abi["sizeof watch"];
  // FFI cannot take the address of nothing.
  const view = new DataView(
    new ArrayBuffer(Math.max(1, watchCount(bars)) * size),
  );
  let at = 0;
  bars.forEach((spec, bar) => {
    for (const { offset, width = 4 } of spec?.watch ?? []) {
      view.setBigUint64(at + abi["watch.offset"], BigInt(offset), true);
      view.setUint32(at + abi["watch.bar"], bar, true);
      view.setUint32(at + abi["watch.width"], width, true);
      at += size;
    }
  });
  return new Uint8Array(view.buffer);
}
