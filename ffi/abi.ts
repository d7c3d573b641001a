// SPDX-License-Identifier: MIT

import { AbiMismatch } from "./errors.ts";

/**
 * The numbers of `kernel/uapi/barkeep.h` that this library relies on: values
 * (without their `BARKEEP_`), sizes of structs and offsets of fields in bytes.
 * {@link checkAbi} compares every one with what the C compiler made of the
 * header.
 */
export const abi = {
  ABI: 1,
  CONFIG_SIZE: 4096,
  BARS: 6,
  SLOTS: 64,
  RING_MIN: 256,
  RING_MAX: 65536,
  REGIONS_MAX: 1024,
  WATCHES_MAX: 4,
  DMA_SEGMENTS_MAX: 1024,
  REGISTERS_MAX: 4096,
  ELEMENTS_MAX: 65536,
  BAR_BYTES_MAX: 0x10000000,
  TIMEOUT_MAX_US: 600_000_000,
  ANY: 0xffffffff,
  NO_SLOT: 0xffffffff,
  STATUS_SIZE: 4096,
  CONTROL_SIZE: 4096,
  COMPLETIONS_SIZE: 4096,
  PIECE_STATUS: 0,
  PIECE_CONTROL: 1,
  PIECE_RING: 2,
  PIECE_COMPLETIONS: 3,
  PIECE_BAR: 8,
  STATE_PLUGGED: 2,
  STATE_GONE: 4,
  EVENT_READ: 1,
  EVENT_WRITE: 2,
  EVENT_CONFIG: 3,
  EVENT_COMMAND: 4,
  EVENT_POWER: 5,
  EVENT_RESET: 6,
  EVENT_VECTOR: 7,
  EVENT_FAULT: 8,
  EVENT_PLUGGED: 9,
  EVENT_UNPLUGGED: 10,
  RESET_FLR: 1,
  RESET_D3HOT: 2,
  FAULT_READ_TIMEOUT: 1,
  FAULT_UNDECODABLE: 2,
  FAULT_LINK: 3,
  FAULT_MEMORY: 4,
  FAULT_WRITE_TIMEOUT: 5,
  COMPLETION_SUCCESSFUL: 0,
  COMPLETION_UNSUPPORTED: 1,
  BAR_64BIT: 1,
  BAR_PREFETCHABLE: 2,
  POLICY_TRAP: 0,
  POLICY_SHADOW: 1,
  POLICY_MEMORY: 2,
  REGISTER_TELL_READ: 1,
  REGISTER_TELL_WRITE: 2,
  REGISTER_WAIT_READ: 4,
  REGISTER_WAIT_WRITE: 8,
  REGISTER_EXACT: 16,
  PLUG_DMA_DIRECT: 1,
  UNPLUG_SURPRISE: 1,
  IRQ_RAISE: 0,
  IRQ_ASSERT: 1,
  IRQ_DEASSERT: 2,
  CONFIG_WRITE: 1,
  DMA_READ: 0,
  DMA_WRITE: 1,
  DMA_UNMAPPED: 1,
  DMA_PAST_END: 2,
  DMA_DIRECTION: 3,
  DMA_STALE: 4,
  DMA_NO_MASTER: 5,
  "sizeof event": 64,
  "event.sequence": 0,
  "event.kind": 4,
  "event.bar": 6,
  "event.width": 7,
  "event.offset": 8,
  "event.value": 16,
  "event.value_high": 24,
  "event.time": 32,
  "event.cpu": 40,
  "event.slot": 44,
  "event.ticket": 48,
  "event.reg": 52,
  "event.byte_enables": 56,
  "sizeof completion": 64,
  "completion.value": 0,
  "completion.value_high": 8,
  "completion.status": 16,
  "completion.ticket": 20,
  "control.head": 0,
  "control.sleeping": 64,
  "status.state": 0,
  "status.error": 4,
  "status.domain": 8,
  "status.bus": 12,
  "status.devfn": 16,
  "status.command": 20,
  "status.vectors": 24,
  "status.power": 28,
  "status.sleepers": 64,
  "status.timeouts": 128,
  "status.undecodable": 136,
  "status.refused_dma": 144,
  "status.waiting": 192,
  "sizeof bar": 16,
  "bar.bytes": 0,
  "bar.flags": 8,
  "sizeof region": 40,
  "region.offset": 0,
  "region.bytes": 8,
  "region.bar": 16,
  "region.policy": 20,
  "sizeof register": 104,
  "register.offset": 0,
  "register.reset": 8,
  "register.readable": 16,
  "register.write": 24,
  "register.write_one_clear": 32,
  "register.write_one_set": 40,
  "register.write_zero_clear": 48,
  "register.read_clear": 56,
  "register.read_set": 64,
  "register.bar": 72,
  "register.width": 76,
  "register.count": 80,
  "register.stride": 84,
  "register.flags": 88,
  "sizeof watch": 32,
  "watch.offset": 0,
  "watch.bar": 8,
  "watch.width": 12,
  "sizeof dma_segment": 32,
  "dma_segment.address": 0,
  "dma_segment.buffer": 8,
  "dma_segment.length": 16,
  "dma_segment.operation": 24,
  "sizeof dma": 56,
  "dma.done": 20,
  "dma.reason": 24,
  "dma.nearest_direction": 28,
  "dma.address": 32,
  "dma.nearest_address": 40,
  "dma.nearest_length": 48,
} as const;

/** Bytes of a page, the grain of a BAR's policies. */
export const pageSize = 4096;

/** Linux errno values that the UAPI documents. */
export const errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  ENXIO: 6,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  ENODEV: 19,
  EINVAL: 22,
  ENOSPC: 28,
  ERANGE: 34,
  EUSERS: 87,
} as const;

/**
 * Compares {@link abi} with the C helper's own account of the header.
 *
 * @param text Lines of `NAME VALUE`.
 * @throws {AbiMismatch} that names every difference.
 */
export function checkAbi(text: string): void {
  const wrong: string[] = [];
  const left = new Map<string, number>(Object.entries(abi));
  for (const line of text.trim().split("\n")) {
    const space = line.lastIndexOf(" ");
    const name = line.slice(0, space);
    const value = Number(line.slice(space + 1));
    const ours = left.get(name);
    left.delete(name);
    if (ours !== value) wrong.push(`${name} is ${value}, not ${ours}`);
  }
  for (const name of left.keys()) wrong.push(`${name} is not known`);
  if (wrong.length > 0) {
    throw new AbiMismatch(
      `ffi/abi.ts does not agree with the UAPI header: ${wrong.join("; ")}`,
    );
  }
}
