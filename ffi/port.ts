// SPDX-License-Identifier: MIT

import type { Widths } from "./access.ts";
import { abi, errno } from "./abi.ts";
import {
  AbiMismatch,
  type BarkeepError,
  NoModule,
  NotPermitted,
  PlugFailed,
  Unplugged,
} from "./errors.ts";
import { layOutPlug } from "./plug.ts";
import { RegisterEvents } from "./register_events.ts";
import { layOutRegisters } from "./register_layout.ts";
import { Ring } from "./ring.ts";
import { loadRuntime, type Runtime, systemError } from "./runtime.ts";
import { defaultTimeout, type DeviceSpec, widths } from "./spec.ts";
import { watchCount } from "./watches.ts";

const msiId = 0x05;

/** The device node. */
export const devicePath = "/dev/barkeep";

interface Mapping {
  readonly address: BigUint64Array<ArrayBuffer>;
  readonly bytes: number;
}

/** The kernel's side of one device: its file, its mappings, its state. */
export class Port {
  readonly runtime: Runtime;
  /** File descriptor. */
  readonly device: number;
  readonly ring: Ring;
  /** Backing memory, by BAR. */
  readonly memory: readonly (ArrayBuffer | undefined)[];
  /** What the model implements, by BAR. */
  readonly widths: readonly Widths[];
  /** Declared registers, as events name them. */
  readonly registers: RegisterEvents;
  /** Milliseconds to spin before sleeping. */
  readonly spin: number;
  /** Milliseconds that an access waits for its completion. */
  readonly timeout: number;
  /** Whether there is an MSI capability. */
  readonly hasMsi: boolean;
  /** Reads that the body of a `for await` left without a completion. */
  uncompleted = 0;
  /** Has whoever consumes the events, if he sleeps, look out for some. */
  rouse: () => void = () => {};
  /** Set once the device is off the bus and its file is closed. */
  closed = false;
  /** Why the bus did not take the device. */
  failure: PlugFailed | undefined;
  /** Settles with the address once the device is on the bus. */
  readonly onBus: PromiseWithResolvers<string> = Promise.withResolvers();
  /** Settles once it is off the bus. */
  readonly offBus: PromiseWithResolvers<void> = Promise.withResolvers();
  readonly #status: DataView;
  readonly #mappings: Mapping[];
  readonly #counters = { timeouts: 0, undecodable: 0, refusedDma: 0 };

  private constructor(
    file: File,
    options: { spec: DeviceSpec; memory: (ArrayBuffer | undefined)[] },
  ) {
    const { spec, memory } = options;
    this.runtime = file.runtime;
    this.device = file.device;
    const status = file.map(abi.PIECE_STATUS, abi.STATUS_SIZE);
    this.#status = new DataView(status);
    this.ring = new Ring({
      status,
      control: file.map(abi.PIECE_CONTROL, abi.CONTROL_SIZE),
      ring: file.map(abi.PIECE_RING, (spec.ring ?? 1024) * abi["sizeof event"]),
      completions: file.map(abi.PIECE_COMPLETIONS, abi.COMPLETIONS_SIZE),
    });
    this.memory = memory;
    this.widths = Array.from(
      { length: abi.BARS },
      (_, bar) => widths(spec.bars?.[bar]?.width),
    );
    this.registers = new RegisterEvents(layOutRegisters(spec));
    this.spin = spec.spin ?? 5;
    this.timeout = spec.timeout ?? defaultTimeout;
    this.hasMsi = (spec.capabilities ?? []).some(({ bytes }) =>
      bytes[0] === msiId
    );
    this.#mappings = file.mappings;
    this.onBus.promise.catch(() => {}); // whoever asks for it gets it too
  }

  /**
   * Plugs a device whose specification has been checked.
   *
   * @throws {NoModule} when there is no device node.
   * @throws {NotPermitted} when this user may not open it.
   * @throws {AbiMismatch} when the module is of another version.
   * @throws {PlugFailed} when the kernel did not take the device.
   */
  static async open(spec: DeviceSpec): Promise<Port> {
    const file = new File(await loadRuntime());
    try {
      file.plug(spec);
      const memory = (spec.bars ?? []).map((bar, index) =>
        bar ? file.map(abi.PIECE_BAR + index, bar.size) : undefined
      );
      return new Port(file, { spec, memory });
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Word of the kernel's status page, at a byte offset. */
  status(offset: number): number {
    return this.#status.getUint32(offset, true);
  }

  /** What the kernel counted; the last state of it once the port is closed. */
  get counters(): {
    timeouts: number;
    undecodable: number;
    refusedDma: number;
  } {
    if (!this.closed) this.#readCounters();
    return this.#counters;
  }

  /** Has accesses that sleep look again. */
  wake(): void {
    if (!this.closed) this.runtime.calls.barkeep_wake(this.device);
  }

  /** Begins the unplug; again is no error. */
  unplug({ surprise = false }: { surprise?: boolean } = {}): void {
    if (this.closed) return;
    const flags = surprise ? abi.UNPLUG_SURPRISE : 0;
    const returned = this.runtime.calls.barkeep_unplug(this.device, flags);
    if (returned < 0 && returned !== -errno.ENODEV) {
      throw systemError("unplug the device", returned);
    }
  }

  /** The error for a call that failed in a way common to all. */
  error(tried: string, returned: number): BarkeepError {
    return returned === -errno.ENODEV
      ? new Unplugged(tried)
      : systemError(tried, returned);
  }

  /** @throws {Unplugged} when the device is off the bus. */
  mustBeOpen(tried: string): void {
    if (this.closed) throw new Unplugged(tried);
  }

  /** The device's event says it is on the bus. */
  plugged(): void {
    this.onBus.resolve(this.address());
  }

  /** Settles {@link onBus} by the kernel's word, for whom no event comes. */
  look(): void {
    const state = this.status(abi["status.state"]);
    if (this.closed || state < abi.STATE_PLUGGED) return;
    if (state < abi.STATE_GONE) return this.plugged();
    this.onBus.reject(this.#busFailure() ?? gone());
  }

  #busFailure(): PlugFailed | undefined {
    const error = this.#status.getInt32(abi["status.error"], true);
    if (error < 0) return new PlugFailed(-error, busReason(-error));
    return undefined;
  }

  /** The device is off the bus: nothing of the kernel's is left. */
  unplugged(): void {
    if (this.closed) return;
    this.failure = this.#busFailure();
    this.#readCounters();
    this.closed = true;
    for (const { address, bytes } of this.#mappings) {
      this.runtime.calls.barkeep_retire(address, bytes);
    }
    this.runtime.calls.barkeep_close(this.device);
    this.onBus.reject(this.failure ?? gone());
    this.offBus.resolve();
  }

  /** As `0100:00:00.0`. */
  address(): string {
    const devfn = this.status(abi["status.devfn"]);
    const part = (value: number, digits: number): string =>
      value.toString(16).padStart(digits, "0");
    return `${part(this.status(abi["status.domain"]), 4)}:` +
      `${part(this.status(abi["status.bus"]), 2)}:` +
      `${part(devfn >>> 3, 2)}.${devfn & 7}`;
  }

  #readCounters(): void {
    const read = (offset: number): number =>
      Number(this.#status.getBigUint64(offset, true));
    this.#counters.timeouts = read(abi["status.timeouts"]);
    this.#counters.undecodable = read(abi["status.undecodable"]);
    this.#counters.refusedDma = read(abi["status.refused_dma"]);
  }
}

function gone(): Unplugged {
  return new Unplugged("wait for the device to be plugged");
}

/** An open `/dev/barkeep`. */
class File {
  readonly runtime: Runtime;
  readonly device: number;
  readonly mappings: Mapping[] = [];

  constructor(runtime: Runtime) {
    this.runtime = runtime;
    const path = new TextEncoder().encode(`${devicePath}\0`);
    this.device = runtime.calls.barkeep_open(path);
    switch (-this.device) {
      case errno.ENOENT:
      case errno.ENXIO:
      case errno.ENODEV:
        throw new NoModule(devicePath);
      case errno.EACCES:
      case errno.EPERM:
        throw new NotPermitted(devicePath);
    }
    if (this.device < 0) throw systemError(`open ${devicePath}`, this.device);
  }

  plug(spec: DeviceSpec): void {
    const { calls } = this.runtime;
    const info = new Uint32Array(2);
    const asked = calls.barkeep_info(this.device, info);
    if (asked < 0) throw systemError("ask the module for its version", asked);
    if (info[0] !== abi.ABI) {
      throw new AbiMismatch(
        `the loaded kernel module speaks version ${info[0]} of the ABI, ` +
          `and this library version ${abi.ABI}`,
      );
    }
    const plug = layOutPlug(spec);
    const { config } = plug;
    const plugged = calls.barkeep_plug(
      this.device,
      plug.numbers,
      config.image,
      config.writeMask,
      config.clearMask,
      config.notify,
      plug.bars,
      plug.regions,
      plug.registers,
      plug.watches,
    );
    if (plugged < 0) {
      throw new PlugFailed(-plugged, plugReason(-plugged, spec));
    }
  }

  /** Maps a piece of the file; the status and the ring are the kernel's. */
  map(piece: number, bytes: number): ArrayBuffer {
    const writable = piece !== abi.PIECE_STATUS && piece !== abi.PIECE_RING;
    const address = new BigUint64Array(1);
    const returned = this.runtime.calls.barkeep_map(
      this.device,
      piece,
      bytes,
      Number(writable),
      address,
    );
    if (returned < 0) throw systemError(`map piece ${piece}`, returned);
    this.mappings.push({ address, bytes });
    return this.runtime.toArrayBuffer(address[0] ?? 0n, bytes);
  }

  close(): void {
    for (const { address, bytes } of this.mappings) {
      this.runtime.calls.barkeep_retire(address, bytes);
    }
    this.runtime.calls.barkeep_close(this.device);
  }
}

function plugReason(error: number, spec: DeviceSpec): string {
  switch (error) {
    case errno.EBUSY:
      return `PCI domain ${spec.domain} is taken. Leave domain out, to get a free one`;
    case errno.ENOSPC:
      return "no physical address space, or no PCI domain, is free. Make BARs smaller, " +
        "use bits: 64, or unplug other devices";
    case errno.EUSERS:
      return `no debug register is free for its ${watchCount(spec.bars)} ` +
        `watched ranges: the CPU has ${abi.WATCHES_MAX}, for all devices, gdb and ` +
        "perf together. Watch fewer, unplug a device that watches, or end the debugger";
    case errno.ENOMEM:
      return "the kernel has no memory for its BARs. Make them smaller";
    case errno.EINVAL:
      return "the kernel finds config space, BARs, regions or registers invalid (errno " +
        "EINVAL), and this library did not. Look at capabilities made by hand: MSI-X and " +
        "Enhanced Allocation are not served yet, and PCI Express and MSI have to be as long " +
        "as they say";
  }
  return `errno ${error}`;
}

function busReason(error: number): string {
  return error === errno.ENOMEM
    ? "the kernel ran out of memory while it scanned the bus"
    : `the PCI core did not take it (errno ${error}); the kernel's log says why`;
}
