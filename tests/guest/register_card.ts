// SPDX-License-Identifier: MIT

/**
 * A device with declared registers, plugged and served by the UAPI alone: structs
 * and events by hand, so that what the library makes of registers is not tested
 * along with what the kernel does.
 *
 * @module
 */
import assert from "node:assert/strict";
import { abi } from "../../ffi/abi.ts";
import { layOutPlug } from "../../ffi/plug.ts";
import { loadRuntime, type Runtime } from "../../ffi/runtime.ts";
import type { DeviceSpec } from "../../mod.ts";
import { eventually, Exerciser, plain } from "./harness.ts";

/** `enum barkeep_register_flags`. */
export const flag = {
  tellRead: 1,
  tellWrite: 2,
  waitRead: 4,
  waitWrite: 8,
  exact: 16,
} as const;

/** `struct barkeep_register`; what is left out is 0, `count` 1. */
export interface RawRegister {
  readonly offset: number;
  readonly width: number;
  readonly reset?: bigint;
  readonly readable?: bigint;
  readonly write?: bigint;
  readonly writeOneClear?: bigint;
  readonly writeOneSet?: bigint;
  readonly writeZeroClear?: bigint;
  readonly readClear?: bigint;
  readonly readSet?: bigint;
  readonly bar?: number;
  readonly count?: number;
  readonly stride?: number;
  readonly flags?: number;
  /** The last of its reserved words. */
  readonly reserved?: number;
}

const registerSize = 104;

/** Lays registers out as the header has them. */
export function layOutRegisters(
  registers: readonly RawRegister[],
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(1, registers.length) * registerSize);
  const view = new DataView(bytes.buffer);
  registers.forEach((register, index) => {
    const at = index * registerSize;
    const wide = [
      BigInt(register.offset),
      register.reset,
      register.readable,
      register.write,
      register.writeOneClear,
      register.writeOneSet,
      register.writeZeroClear,
      register.readClear,
      register.readSet,
    ];
    wide.forEach((value = 0n, field) =>
      view.setBigUint64(at + 8 * field, value, true)
    );
    const narrow = [
      register.bar,
      register.width,
      register.count ?? 1,
      register.stride,
      register.flags,
      0,
      0,
      register.reserved,
    ];
    narrow.forEach((value = 0, field) =>
      view.setUint32(at + 8 * wide.length + 4 * field, value, true)
    );
  });
  return bytes;
}

/** An event as the ring has it. */
export interface RawEvent {
  readonly kind: number;
  readonly bar: number;
  readonly width: number;
  readonly offset: number;
  readonly value: bigint;
  readonly slot: number;
  readonly ticket: number;
  readonly reg: number;
  readonly byteEnables: number;
}

/** How a device with registers is plugged. */
export interface CardOptions {
  readonly spec?: Partial<DeviceSpec>;
  /** Says `register_count` something else. */
  readonly count?: number;
  /** Where the registers are said to be, if not where they are. */
  readonly bytes?: Uint8Array<ArrayBuffer>;
}

/** Opens the device file and plugs; returns its number, and what plug returned. */
export async function tryPlug(
  registers: readonly RawRegister[],
  { spec = {}, count, bytes }: CardOptions = {},
): Promise<{ runtime: Runtime; file: number; returned: number }> {
  const runtime = await loadRuntime();
  const path = new TextEncoder().encode("/dev/barkeep\0");
  const file = runtime.calls.barkeep_open(path);
  assert.ok(file >= 0, `open: ${file}`);
  const plug = layOutPlug({ ...plain, ...spec });
  plug.numbers[5] = count ?? registers.length;
  const returned = runtime.calls.barkeep_plug(
    file,
    plug.numbers,
    plug.config.image,
    plug.config.writeMask,
    plug.config.clearMask,
    plug.config.notify,
    plug.bars,
    plug.regions,
    bytes ?? layOutRegisters(registers),
    plug.watches,
  );
  return { runtime, file, returned };
}

/** The model of such a device, with the exerciser bound to it. */
export class RegisterCard implements AsyncDisposable {
  /** BAR 0. */
  readonly memory: DataView<ArrayBuffer>;
  /** The same, for atomic accesses. */
  readonly words: Int32Array<ArrayBuffer>;
  /** What was told, so far or since it was emptied. */
  readonly events: RawEvent[] = [];
  /** What reads that wait are completed with; `undefined`: they are not. */
  answer: (event: RawEvent) => bigint | undefined = () => 0n;
  /** Is called with each event when it is taken, before anything else is done. */
  heard: (event: RawEvent) => void = () => {};
  #driver: Exerciser | undefined;
  readonly #runtime: Runtime;
  readonly #file: number;
  readonly #mappings: [BigUint64Array<ArrayBuffer>, number][] = [];
  readonly #status: DataView<ArrayBuffer>;
  readonly #ring: DataView<ArrayBuffer>;
  readonly #control: Int32Array<ArrayBuffer>;
  readonly #completions: DataView<ArrayBuffer>;
  #head = 0;

  private constructor(
    runtime: Runtime,
    { file, bytes }: { file: number; bytes: number },
  ) {
    this.#runtime = runtime;
    this.#file = file;
    this.memory = this.#map(abi.PIECE_BAR, bytes);
    this.words = new Int32Array(this.memory.buffer);
    this.#status = this.#map(abi.PIECE_STATUS, abi.STATUS_SIZE);
    this.#ring = this.#map(abi.PIECE_RING, 1024 * 64);
    this.#completions = this.#map(abi.PIECE_COMPLETIONS, abi.COMPLETIONS_SIZE);
    const control = this.#map(abi.PIECE_CONTROL, abi.CONTROL_SIZE);
    this.#control = new Int32Array(control.buffer);
  }

  /** Plugs one and binds the exerciser to it. */
  static async plug(
    registers: readonly RawRegister[],
    options: CardOptions = {},
  ): Promise<RegisterCard> {
    const { runtime, file, returned } = await tryPlug(registers, options);
    assert.equal(returned, 0, "plug");
    const bytes = options.spec?.bars?.[0]?.size ?? 4096;
    const card = new RegisterCard(runtime, { file, bytes });
    await eventually(() => {
      card.pump();
      return card.state === abi.STATE_PLUGGED;
    }, "the device on the bus");
    card.#driver = await card.while(Exerciser.bind(card.address));
    card.events.length = 0;
    return card;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#runtime.calls.barkeep_unplug(this.#file, 0);
    await eventually(() => {
      this.pump();
      return this.state === abi.STATE_GONE;
    }, "the device off the bus");
    this.#driver?.[Symbol.dispose]();
    for (const [address, bytes] of this.#mappings) {
      this.#runtime.calls.barkeep_retire(address, bytes);
    }
    this.#runtime.calls.barkeep_close(this.#file);
  }

  /** Its driver. */
  get driver(): Exerciser {
    assert.ok(this.#driver);
    return this.#driver;
  }

  /** `enum barkeep_state`. */
  get state(): number {
    return this.#status.getUint32(abi["status.state"], true);
  }

  /** As sysfs has it. */
  get address(): string {
    const domain = this.#status.getUint32(abi["status.domain"], true);
    return `${domain.toString(16).padStart(4, "0")}:00:00.0`;
  }

  /** Accesses that timed out. */
  get timeouts(): bigint {
    return this.#status.getBigUint64(abi["status.timeouts"], true);
  }

  /** Serves until something is done. */
  async while<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const settle = () => void (settled = true);
    promise.then(settle, settle);
    while (!settled) {
      // Often, to hear of an event when it is told and not some time later.
      for (let n = 0; n < 500; n++) this.pump();
      await new Promise(setImmediate);
    }
    // What was posted before the access completed is there.
    this.pump();
    return await promise;
  }

  /** The driver reads, while this model serves. */
  async read(offset: number, width: number): Promise<bigint> {
    return BigInt(
      await this.while(this.driver.run("read", 0, offset, width)),
    );
  }

  /** The driver writes. */
  async write(offset: number, width: number, value: bigint): Promise<void> {
    await this.while(this.driver.run("write", 0, offset, width, value));
  }

  /** Takes all events that there are, and completes what waits. */
  pump(): void {
    for (;;) {
      const at = (this.#head & 1023) * 64;
      if (this.#ring.getUint32(at, true) !== this.#head + 1) return;
      const event: RawEvent = {
        kind: this.#ring.getUint16(at + 4, true),
        bar: this.#ring.getUint8(at + 6),
        width: this.#ring.getUint8(at + 7),
        offset: Number(this.#ring.getBigUint64(at + 8, true)),
        value: this.#ring.getBigUint64(at + 16, true),
        slot: this.#ring.getUint32(at + 44, true),
        ticket: this.#ring.getUint32(at + 48, true),
        reg: this.#ring.getUint32(at + 52, true),
        byteEnables: this.#ring.getUint32(at + 56, true),
      };
      this.heard(event);
      Atomics.store(this.#control, 0, ++this.#head);
      this.events.push(event);
      const waits = event.kind === abi.EVENT_READ ||
        event.kind === abi.EVENT_WRITE;
      if (!waits || event.slot === abi.NO_SLOT) continue;
      const answer = this.answer(event);
      if (answer !== undefined) this.complete(event, answer);
    }
  }

  /** Completes an access. */
  complete({ slot, ticket }: RawEvent, value: bigint): void {
    const words = new Int32Array(this.#completions.buffer);
    this.#completions.setBigUint64(slot * 64, value, true);
    this.#completions.setUint32(slot * 64 + 16, 0, true);
    Atomics.store(words, slot * 16 + 5, ticket | 0);
    if (this.#status.getUint32(abi["status.sleepers"], true) !== 0) {
      this.#runtime.calls.barkeep_wake(this.#file);
    }
  }

  #map(piece: number, bytes: number): DataView<ArrayBuffer> {
    const address = new BigUint64Array(1);
    const writable = piece !== abi.PIECE_STATUS && piece !== abi.PIECE_RING;
    const { calls } = this.#runtime;
    const map = calls.barkeep_map;
    const returned = map(this.#file, piece, bytes, Number(writable), address);
    assert.equal(returned, 0, `map piece ${piece}`);
    this.#mappings.push([address, bytes]);
    return new DataView(this.#runtime.toArrayBuffer(address[0] ?? 0n, bytes));
  }
}
