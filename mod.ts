// SPDX-License-Identifier: MIT

/**
 * PCIe devices served from TypeScript: the machine that runs this sees a real
 * PCI function, and the driver that binds to it is unmodified.
 *
 * ```ts
 * import { serve } from "./mod.ts";
 *
 * let count = 0;
 * await serve({
 *   id: { vendor: 0x1234, device: 0xc0de },
 *   bars: [{ size: 4096 }],
 *   read: (offset) => (offset === 0 ? count++ : 0),
 *   write(offset, value) {
 *     if (offset === 0) count = value;
 *   },
 * });
 * ```
 *
 * @module
 */
export * from "./ffi/capabilities.ts";
export {
  type Bar,
  type BarOf,
  type Config,
  type Counters,
  type Device,
  open,
} from "./ffi/device.ts";
export type { Dma, DmaSegment } from "./ffi/dma.ts";
export {
  AbiMismatch,
  BadSpec,
  BarkeepError,
  Busy,
  CompletionRefused,
  DmaFault,
  type DmaFaultDetails,
  type DmaMapping,
  type DmaReason,
  type ErrorCode,
  IrqRefused,
  ModelFailed,
  NoModule,
  NotPermitted,
  PlugFailed,
  Unplugged,
} from "./ffi/errors.ts";
export type * from "./ffi/events.ts";
export type { Awaitable, Handlers } from "./ffi/handlers.ts";
export type { Irq } from "./ffi/irq.ts";
export { on } from "./ffi/register_events.ts";
export type * from "./ffi/register_types.ts";
export * from "./ffi/registers.ts";
export { VmError, type VmErrorCode } from "./kernel/vm/errors.ts";
export { type Model, serve } from "./ffi/serve.ts";
export type {
  BarSpec,
  BarSpecs,
  DeviceId,
  DeviceSpec,
  PageRange,
  Width,
} from "./ffi/spec.ts";
export type { Watch } from "./ffi/watches.ts";
