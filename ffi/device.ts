// SPDX-License-Identifier: MIT

import { abi, errno } from "./abi.ts";
import { whyRefused } from "./config_owned.ts";
import { BarkeepError, Busy, hex } from "./errors.ts";
import type { Event } from "./events.ts";
import { EventStream } from "./event_stream.ts";
import { checkHandlers, type Handlers } from "./handlers.ts";
import { type Dma, PortDma } from "./dma.ts";
import { type Irq, PortIrq } from "./irq.ts";
import { isWhole, show } from "./mistakes.ts";
import { Poller } from "./poller.ts";
import { Port } from "./port.ts";
import { registerBank } from "./register_bank.ts";
import type { Registers } from "./register_types.ts";
import type { RegisterMap } from "./registers.ts";
import type { Runtime } from "./runtime.ts";
import { ServeLoop } from "./serve_loop.ts";
import {
  type BarSpec,
  type BarSpecs,
  checkSpec,
  type DeviceSpec,
} from "./spec.ts";

/** A BAR of an open device. */
export interface Bar {
  /**
   * Its memory, without a copy: what the driver sees in pages that are memory,
   * what the kernel answers in `shadow` pages. After the unplug it turns into
   * private zeros, so that a late access is harmless.
   */
  readonly buffer: ArrayBuffer;
}

/** A BAR of an open device, with the registers that its specification has. */
export type BarOf<Spec> = Spec extends
  { readonly registers: RegisterMap<infer Specs> }
  ? Bar & { readonly registers: Registers<Specs> }
  : Bar;

/** The model's own view of config space; masks do not apply to it. */
export interface Config {
  /**
   * Reads the byte at an offset.
   *
   * @param offset Bytes, 0 to 4095.
   * @throws {RangeError} when that is outside.
   * @throws {Unplugged} when the device is off the bus.
   */
  read8(offset: number): number;
  /** Reads the 16-bit word at an offset, as {@link Config.read8}. */
  read16(offset: number): number;
  /** Reads the dword at an offset, as {@link Config.read8}. */
  read32(offset: number): number;
  /**
   * Writes a byte.
   *
   * @param offset Bytes, 0 to 4095.
   * @param value What to write; its lower bits count.
   * @throws {BarkeepError} `CONFIG_REFUSED` for a register that belongs to the
   * host, or stays as it was plugged; the message names it.
   * @throws {RangeError} when the offset is outside.
   * @throws {Unplugged} when the device is off the bus.
   */
  write8(offset: number, value: number): void;
  /** Writes a 16-bit word, as {@link Config.write8}. */
  write16(offset: number, value: number): void;
  /** Writes a dword, as {@link Config.write8}. */
  write32(offset: number, value: number): void;
}

/** What went wrong so far, in numbers. */
export interface Counters {
  /** Accesses that were not answered in time: reads, and writes that wait. */
  readonly timeouts: number;
  /** Accesses skipped because their instruction is not known. */
  readonly undecodable: number;
  /** DMA segments refused. */
  readonly refusedDma: number;
  /** Reads that the body of a `for await` left without a completion. */
  readonly uncompleted: number;
}

/**
 * A device on the bus. Its events go to one consumer: a `for await` loop, or
 * {@link Device.serve}. While there is none, reads time out. After the unplug
 * both throw {@link Unplugged}.
 *
 * Leaving the loop ends the iteration, and the device stays. Disposal unplugs
 * it: the driver's last accesses are answered by the handlers, or as all-ones
 * where a loop has been left.
 */
export interface Device<Bars extends BarSpecs = BarSpecs>
  extends AsyncIterable<Event>, AsyncDisposable {
  /**
   * Settles with the PCI address, as `0100:00:00.0`, once it is on the bus and
   * its driver, if there is one, has probed it.
   *
   * @throws {PlugFailed} when the bus did not take the device.
   * @throws {Unplugged} when it was unplugged before.
   */
  readonly plugged: Promise<string>;
  /** Settles once it has left the bus. */
  readonly gone: Promise<void>;
  /**
   * Its BARs by number. All six are there; the `buffer` of one that the
   * specification has not throws a {@link BarkeepError} `NO_BAR`. One with a
   * map of registers has `registers`, by their names.
   */
  readonly bars: readonly [
    BarOf<Bars[0]>,
    BarOf<Bars[1]>,
    BarOf<Bars[2]>,
    BarOf<Bars[3]>,
    BarOf<Bars[4]>,
    BarOf<Bars[5]>,
  ];
  /** Its interrupts. */
  readonly irq: Irq;
  /** Its access to host memory. */
  readonly dma: Dma;
  /** Its config space. */
  readonly config: Config;
  /** What went wrong so far. */
  readonly counters: Counters;
  /**
   * Answers events with handlers until the device is off the bus.
   *
   * @param options `signal`: unplugs the device when aborted.
   * @throws {ModelFailed} when a handler threw; the device is unplugged.
   * @throws {BadSpec} when these are no handlers, or some are missing.
   * @throws {Busy} when something else consumes the events.
   * @throws {PlugFailed} when the bus did not take the device.
   * @throws {Unplugged} when the device is off the bus.
   */
  serve(
    handlers: Handlers,
    options?: { signal?: AbortSignal },
  ): Promise<void>;
  /**
   * Takes the device off the bus, and waits until it is. The body of a
   * `for await` need not wait, nor does this then: the events of the driver's
   * last accesses still come to the loop, and `unplugged` at last.
   *
   * @param options `surprise`: as a card pulled from its slot, all-ones at once.
   */
  unplug(options?: { surprise?: boolean }): Promise<void>;
}

/** Milliseconds between looks at the kernel's state where no event comes. */
const lookInterval = 20;

let poller: Poller | undefined;

function pollerOf(runtime: Runtime): Poller {
  poller ??= new Poller(runtime);
  return poller;
}

/**
 * Plugs a device into this machine. Returns before the driver has probed it, so
 * that its model can answer; see {@link Device.plugged}.
 *
 * @param options `signal`: unplugs the device when aborted.
 * @throws {BadSpec} with all mistakes of the specification.
 * @throws {NoModule} when there is no `/dev/barkeep`.
 * @throws {NotPermitted} when this user may not open it.
 * @throws {AbiMismatch} when the loaded module is of another version.
 * @throws {PlugFailed} when the kernel has no room, domain or memory for it.
 * @throws {VmError} `NO_CACHE` or `NO_ZIG`: the C helper could not be built.
 *
 * @example
 * ```ts
 * import { open } from "./mod.ts";
 *
 * let count = 0;
 * await using device = await open({
 *   id: { vendor: 0x1234, device: 0xc0de },
 *   bars: [{ size: 4096 }],
 * });
 * for await (const event of device) {
 *   if (event.kind === "read") event.complete(count++);
 * }
 * ```
 */
export async function open<const Bars extends BarSpecs = BarSpecs>(
  spec: DeviceSpec<Bars>,
  options: { signal?: AbortSignal } = {},
): Promise<Device<Bars>> {
  checkSpec(spec);
  options.signal?.throwIfAborted();
  const device = new PortDevice(await Port.open(spec), spec);
  unplugOnAbort(device, options.signal);
  // Its registers are made by the very map that their type is made of.
  return device as Device as Device<Bars>;
}

class PortDevice implements Device {
  readonly bars: Device["bars"];
  readonly irq: Irq;
  readonly dma: Dma;
  readonly config: Config;
  readonly #port: Port;
  readonly #spec: DeviceSpec;
  readonly #poller: Poller;
  #consumer: ServeLoop | EventStream | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(port: Port, spec: DeviceSpec) {
    this.#port = port;
    this.#spec = spec;
    this.#poller = pollerOf(port.runtime);
    port.rouse = () => {
      if (this.#consumer) this.#poller.rouse(this.#consumer);
    };
    const bar = (index: number): Bar =>
      barOf(port, { index, spec: spec.bars?.[index] });
    this.bars = [bar(0), bar(1), bar(2), bar(3), bar(4), bar(5)];
    this.irq = new PortIrq(port);
    this.dma = new PortDma(port);
    this.config = config(port);
  }

  get plugged(): Promise<string> {
    this.#watchBus();
    return this.#port.onBus.promise;
  }

  /** Without a consumer nobody sees the event. */
  #watchBus(): void {
    if (this.#consumer || this.#watch || this.#port.closed) return;
    const watch = setInterval(() => this.#port.look(), lookInterval);
    const stop = (): void => clearInterval(watch);
    this.#port.onBus.promise.then(stop, stop);
    this.#watch = watch;
  }

  get gone(): Promise<void> {
    return this.#port.offBus.promise;
  }

  get counters(): Counters {
    const { counters, uncompleted } = this.#port;
    return { ...counters, uncompleted };
  }

  async serve(
    handlers: Handlers,
    options: { signal?: AbortSignal } = {},
  ): Promise<void> {
    checkHandlers(handlers, this.#spec);
    this.#port.mustBeOpen("serve it");
    if (this.#consumer) throw new Busy();
    const loop = new ServeLoop(this.#port, this.#poller, handlers);
    this.#consumer = loop;
    unplugOnAbort(this, options.signal);
    await loop.done;
  }

  [Symbol.asyncIterator](): AsyncIterator<Event> {
    this.#port.mustBeOpen("wait for its events");
    if (this.#consumer) throw new Busy();
    const stream = new EventStream(this.#port, this.#poller, () => {
      this.#consumer = undefined;
    });
    this.#consumer = stream;
    return stream;
  }

  async unplug(options: { surprise?: boolean } = {}): Promise<void> {
    if (this.#port.closed) return;
    this.#port.unplug(options);
    const consumer = this.#consumer;
    if (consumer instanceof EventStream && consumer.stuck) return;
    await this.#drained();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#port.closed) return;
    this.#port.unplug();
    if (this.#consumer instanceof EventStream) await this.#consumer.return();
    await this.#drained();
  }

  /** Sees to it that somebody answers until the device is off the bus. */
  async #drained(): Promise<void> {
    if (!this.#consumer) {
      const loop = new ServeLoop(this.#port, this.#poller, {});
      this.#consumer = loop;
      loop.done.catch(() => {}); // `plugged` says so
    }
    // A handler whose promise never settles would keep us from the last event.
    const watch = setInterval(() => {
      if (this.#port.closed || !this.#port.ring.isGone()) return;
      if (this.#consumer?.stuck) this.#consumer.gone();
    }, 50);
    await this.gone;
    clearInterval(watch);
  }
}

function barOf(
  port: Port,
  { index, spec }: { index: number; spec?: BarSpec | null },
): Bar {
  const buffer = port.memory[index];
  if (buffer && spec?.registers) {
    const registers = registerBank(spec.registers, buffer);
    port.registers.own(index, registers);
    return { buffer, registers } as Bar;
  }
  if (buffer) return { buffer };
  return {
    get buffer(): never {
      throw new BarkeepError(
        "NO_BAR",
        `the device has no BAR ${index}: give bars[${index}] in its specification`,
      );
    },
  };
}

function unplugOnAbort(device: Device, signal?: AbortSignal): void {
  if (!signal) return;
  const abort = (): void => void device.unplug();
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  device.gone.then(() => signal.removeEventListener("abort", abort));
}

function config(port: Port): Config {
  const value = new DataView(new ArrayBuffer(4));
  const refusal = (offset: number, length: number): string => {
    const image = new DataView(new ArrayBuffer(256));
    const { runtime: { calls }, device } = port;
    calls.barkeep_config(device, 0, 0, image.byteLength, image);
    const bytes = new Uint8Array(value.buffer, 0, length);
    return whyRefused(image, { offset, bytes });
  };
  const call = (flags: number, offset: number, length: number): void => {
    const valid = isWhole(offset, 0, abi.CONFIG_SIZE - length);
    const tried = `${flags ? "write" : "read"} ${length} ` +
      `${length === 1 ? "byte" : "bytes"} of config space ` +
      `at ${valid ? hex(offset) : show(offset)}`;
    port.mustBeOpen(tried);
    if (!valid) throw new RangeError(`cannot ${tried}: it has 4096 bytes`);
    const { calls } = port.runtime;
    const returned = calls.barkeep_config(
      port.device,
      flags,
      offset,
      length,
      value,
    );
    if (returned === -errno.EPERM) {
      throw new BarkeepError(
        "CONFIG_REFUSED",
        `cannot ${tried}: ${refusal(offset, length)}. Write next to it only`,
      );
    }
    if (returned < 0) throw port.error(tried, returned);
  };
  const read = (offset: number, length: number): number => {
    value.setUint32(0, 0);
    call(0, offset, length);
    return value.getUint32(0, true);
  };
  const write = (offset: number, length: number, bits: number): void => {
    value.setUint32(0, bits, true);
    call(abi.CONFIG_WRITE, offset, length);
  };
  return {
    read8: (offset) => read(offset, 1),
    read16: (offset) => read(offset, 2),
    read32: (offset) => read(offset, 4),
    write8: (offset, bits) => write(offset, 1, bits),
    write16: (offset, bits) => write(offset, 2, bits),
    write32: (offset, bits) => write(offset, 4, bits),
  };
}
