// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import { composeConfigSpace, type ConfigSpace } from "./config_space.ts";
import { layOutRegisters, packRegisters } from "./register_layout.ts";
import { type BarSpec, defaultTimeout, type DeviceSpec } from "./spec.ts";
import { layOutWatches, watchCount } from "./watches.ts";

/** The arguments of BARKEEP_PLUG, laid out as the UAPI header has them. */
export interface Plug {
  /** Config space and its masks. */
  readonly config: ConfigSpace;
  /**
   * `{ flags, region_count, ring_entries, timeout_us, domain, register_count,
   * watch_count }`.
   */
  readonly numbers: Uint32Array<ArrayBuffer>;
  /** Array of `struct barkeep_bar`. */
  readonly bars: Uint8Array<ArrayBuffer>;
  /** Array of `struct barkeep_region`. */
  readonly regions: Uint8Array<ArrayBuffer>;
  /** Array of `struct barkeep_register`. */
  readonly registers: Uint8Array<ArrayBuffer>;
  /** Array of `struct barkeep_watch`. */
  readonly watches: Uint8Array<ArrayBuffer>;
}

interface Region {
  readonly start: number;
  readonly end: number;
  readonly policy: number;
}

/** Lays out a specification that has been checked. */
export function layOutPlug(spec: DeviceSpec): Plug {
  const bars = new DataView(new ArrayBuffer(abi.BARS * abi["sizeof bar"]));
  const all: (Region & { bar: number })[] = [];
  (spec.bars ?? []).forEach((bar, index) => {
    if (!bar) return;
    const at = index * abi["sizeof bar"];
    const flags = (bar.bits === 64 ? abi.BAR_64BIT : 0) |
      (bar.prefetchable ? abi.BAR_PREFETCHABLE : 0);
    bars.setBigUint64(at + abi["bar.bytes"], BigInt(bar.size), true);
    bars.setUint32(at + abi["bar.flags"], flags, true);
    for (const region of regionsOf(bar)) all.push({ ...region, bar: index });
  });
  const size = abi["sizeof region"];
  // FFI cannot take the address of nothing.
  const regions = new DataView(
    new ArrayBuffer(Math.max(1, all.length) * size),
  );
  all.forEach(({ start, end, policy, bar }, index) => {
    const at = index * size;
    regions.setBigUint64(at + abi["region.offset"], BigInt(start), true);
    regions.setBigUint64(at + abi["region.bytes"], BigInt(end - start), true);
    regions.setUint32(at + abi["region.bar"], bar, true);
    regions.setUint32(at + abi["region.policy"], policy, true);
  });
  const registers = layOutRegisters(spec);
  return {
    config: composeConfigSpace(spec),
    numbers: Uint32Array.of(
      spec.dma === "direct" ? abi.PLUG_DMA_DIRECT : 0,
      all.length,
      spec.ring ?? 1024,
      Math.round((spec.timeout ?? defaultTimeout) * 1000),
      spec.domain ?? abi.ANY,
      registers.length,
      watchCount(spec.bars),
    ),
    bars: new Uint8Array(bars.buffer),
    regions: new Uint8Array(regions.buffer),
    registers: packRegisters(registers),
    watches: layOutWatches(spec.bars),
  };
}

/** Regions of a BAR whose pages do not trap; no two overlap. */
export function regionsOf(bar: BarSpec): Region[] {
  const shadow = (bar.shadow ?? []).map(([offset, length]) => ({
    start: offset,
    end: offset + length,
    policy: abi.POLICY_SHADOW,
  }));
  if (!bar.trap) return shadow;
  const trap = bar.trap.map(([offset, length]) => ({
    start: offset,
    end: offset + length,
    policy: abi.POLICY_TRAP,
  }));
  const named = [...trap, ...shadow].sort((a, b) => a.start - b.start);
  const regions: Region[] = [];
  let done = 0;
  for (const region of named) {
    if (region.start > done) regions.push(memory(done, region.start));
    if (region.policy !== abi.POLICY_TRAP) regions.push(region);
    done = region.end;
  }
  if (done < bar.size) regions.push(memory(done, bar.size));
  return regions;
}

function memory(start: number, end: number): Region {
  return { start, end, policy: abi.POLICY_MEMORY };
}
