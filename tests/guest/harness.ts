// SPDX-License-Identifier: MIT

/**
 * What the guest's part of the kernel tests is written with. A file of cases
 * calls {@link guestTest} for each; `all.ts` lists the files, `run.ts` runs the
 * cases in the VM, and `kernel.test.ts` shows each as a test of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Awaitable,
  type BarSpecs,
  type Device,
  type DeviceSpec,
  type Event,
  type Handlers,
  type NoticeEvent,
  open,
} from "../../mod.ts";
import { noticeKinds } from "../../ffi/handlers.ts";
import type { Machine } from "./machines.ts";
import { patiently } from "./patience.ts";

/** A test that runs in the VM. */
export interface GuestCase {
  /** A sentence. */
  readonly name: string;
  readonly body: () => Awaitable<void>;
  /** Seconds until it has failed. */
  readonly limit: number;
  /** What its random words begin with. */
  readonly seed?: bigint;
  /** Which machine it needs. */
  readonly machine: Machine;
  /** The kernel that it needs; by default it runs on each. */
  readonly kernel?: "debug" | "stock";
}

/** All cases, in the order of their registration. */
export const cases: GuestCase[] = [];

/** Registers a case. */
export function guestTest(
  name: string,
  body: () => Awaitable<void>,
  { limit = 90, machine = "two", ...more }: Partial<
    Omit<GuestCase, "name" | "body">
  > = {},
): void {
  cases.push({ name, body, limit: patiently(limit), machine, ...more });
}

export { sleep };

/** Directory of the modules for this kernel. */
export const modules: string = process.env.BARKEEP_MODULES ?? "";

/** Waits for something that has to come true. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  what: string,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + patiently(60_000);
  for (;;) {
    const found = await look();
    if (found) return found;
    assert.ok(performance.now() < deadline, `waited in vain for ${what}`);
    await sleep(2);
  }
}

/** Directory of a PCI function in sysfs. */
export function functionPath(address: string, file = ""): string {
  return `/sys/bus/pci/devices/${address}/${file}`;
}

/** What sysfs has to say about a function. */
export function sysfs(address: string, file: string): string {
  return readFileSync(functionPath(address, file), "utf8").trim();
}

/** Whether a function is on the bus. */
export function isPresent(address: string): boolean {
  return existsSync(functionPath(address));
}

/** Where in an access's way the driver stands: see the exerciser. */
export type Context =
  | "process"
  | "atomic"
  | "off"
  | "rcu"
  | "nofault"
  | "timer"
  | "hardirq";

/**
 * A command a line; on CPU 0, away from the model. A driver that spins there
 * with interrupts off must not be waited for by the process it waits for. The
 * answer of a driver that has left its function since is in `last`, unless that
 * is another function's by now.
 */
const driverLoop = `
cd /sys/kernel/debug/exerciser
while read -r own command; do
  if ! printf %s "$command" > "$own"; then
    echo failed
  elif read -r answer < "$own"; then
    echo "ok $answer"
  elif read -r function answer < last && [ "$function" = "$own" ]; then
    echo "ok $answer"
  else
    echo "done, but nobody knows the answer"
  fi
done`;

/** The driver that does what it is told, bound to one function. */
export class Exerciser implements Disposable {
  readonly #function: string;
  readonly #process = spawn("taskset", ["-c", "0", "sh", "-c", driverLoop], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  readonly #answers = createInterface({ input: this.#process.stdout })
    [Symbol.asyncIterator]();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(address: string) {
    this.#function = address;
  }

  /** Binds it; `attach`: it is bound already. */
  static async bind(
    address: string,
    { attach = false }: { attach?: boolean } = {},
  ): Promise<Exerciser> {
    if (!attach) {
      await writeFile(functionPath(address, "driver_override"), "exerciser");
      await writeFile("/sys/bus/pci/drivers/exerciser/bind", address);
    }
    return new Exerciser(address);
  }

  [Symbol.dispose](): void {
    this.#process.stdin.end();
  }

  /** Number of the process that gives the commands. */
  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Whether a command of it waits: for another driver's, or for the model. */
  get blocked(): boolean {
    const look = (file: string) =>
      readFileSync(`/proc/${this.#process.pid}/${file}`, "utf8");
    // In write(), and not to be interrupted.
    return /^1 /.test(look("syscall")) &&
      /^\d+ \(.*\) [DI] /.test(look("stat"));
  }

  /**
   * Gives a command, in its own process: this one may be the model.
   *
   * @returns Its answer, also where the card was pulled meanwhile.
   * @throws when the command failed.
   */
  run(...command: (string | number | bigint)[]): Promise<string> {
    const line = command.join(" ");
    const answer = this.#last.then(() => this.#answers.next());
    this.#last = answer;
    this.#process.stdin.write(`${this.#function} ${line}\n`);
    return answer.then(({ value = "failed" }: { value?: string }) => {
      if (value.startsWith("ok")) return value.slice(3);
      throw new Error(`the driver's "${line}": ${value}`);
    });
  }

  /** Reads 1, 2 or 4 bytes of a BAR. */
  async read(
    offset: number,
    width = 4,
    { bar = 0, context = "process" }: { bar?: number; context?: Context } = {},
  ): Promise<number> {
    return Number(await this.run("read", bar, offset, width, context));
  }

  /** Writes 1, 2 or 4 bytes of a BAR. */
  async write(
    offset: number,
    value: number,
    { width = 4, bar = 0, context = "process" }: {
      width?: number;
      bar?: number;
      context?: Context;
    } = {},
  ): Promise<void> {
    await this.run("write", bar, offset, width, value, context);
  }

  /** Writes 1, 2 or 4 bytes of a BAR, and reads them with nothing in between. */
  async swap(
    offset: number,
    value: number,
    { width = 4, bar = 0, context = "process" }: {
      width?: number;
      bar?: number;
      context?: Context;
    } = {},
  ): Promise<number> {
    return Number(await this.run("swap", bar, offset, width, value, context));
  }
}

/** A device of this process, with the exerciser bound to it. */
export interface Card<Bars extends BarSpecs = BarSpecs>
  extends AsyncDisposable {
  readonly device: Device<Bars>;
  readonly address: string;
  readonly driver: Exerciser;
  /** What it was told besides accesses, so far. */
  readonly notices: readonly NoticeEvent[];
  /**
   * Settles when the handlers, or the loop, are done. A failure of the model
   * fails the test when the card is disposed of, unless this was asked for.
   */
  readonly served: Promise<void>;
  /** Waits for an event of this kind, and returns it. */
  told<K extends NoticeEvent["kind"]>(
    kind: K,
    matches?: (event: Extract<NoticeEvent, { kind: K }>) => boolean,
  ): Promise<Extract<NoticeEvent, { kind: K }>>;
}

/** What a card is by default; with time for a machine that is busy. */
export const plain: DeviceSpec = {
  id: { vendor: 0x1234, device: 0xc0de },
  bars: [{ size: 4096 }],
  timeout: patiently(5000),
};

/**
 * Plugs a device and binds the exerciser to it.
 *
 * @param model Handlers, or the body of a `for await` loop.
 */
export async function plug<const Bars extends BarSpecs = BarSpecs>(
  spec: Partial<DeviceSpec<Bars>> = {},
  model: Handlers | ((event: Event) => Awaitable<void>) = {},
): Promise<Card<Bars>> {
  const device = await open({ ...plain, ...spec } as DeviceSpec<Bars>);
  const notices: NoticeEvent[] = [];
  const served = typeof model === "function"
    ? iterate(device, { body: model, notices })
    : device.serve(recording(model, notices));
  let asked = false;
  served.catch(() => {}); // for whoever asks for it, or the disposal
  const leave = async (): Promise<void> => {
    await device.unplug();
    await device.gone;
    await (asked ? served.catch(() => {}) : served);
  };
  let address: string, driver: Exerciser;
  try {
    address = await device.plugged;
    driver = await Exerciser.bind(address);
  } catch (error) {
    await leave(); // throws what is behind it, if the model failed
    throw error;
  }
  return {
    device,
    address,
    driver,
    notices,
    get served() {
      asked = true;
      return served;
    },
    async told(kind, matches = () => true) {
      const looksFor = (event: NoticeEvent) =>
        event.kind === kind && matches(event as never);
      await eventually(() => notices.some(looksFor), `event ${kind}`);
      return notices.find(looksFor) as never;
    },
    async [Symbol.asyncDispose]() {
      try {
        await leave();
      } finally {
        driver[Symbol.dispose]();
      }
    },
  };
}

/**
 * Waits for what a driver does, where a wake-up that is lost would keep it for the
 * whole completion timeout, which has to be longer than this.
 *
 * @throws when it takes longer; the card is pulled then, so that the driver goes on.
 */
export async function promptly<T>(
  { device }: { readonly device: Pick<Device, "unplug"> },
  done: Promise<T>,
  { seconds = 30 }: { seconds?: number } = {},
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      void device.unplug({ surprise: true });
      reject(new Error(`the driver is not done after ${patiently(seconds)} s`));
    }, patiently(seconds * 1000));
  });
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function iterate(
  device: Device,
  { body, notices }: {
    body: (event: Event) => Awaitable<void>;
    notices: NoticeEvent[];
  },
): Promise<void> {
  for await (const event of device) {
    const known: readonly string[] = noticeKinds;
    if (known.includes(event.kind)) notices.push(event as NoticeEvent);
    await body(event);
  }
}

function recording(model: Handlers, notices: NoticeEvent[]): Handlers {
  const handlers: Handlers = Object.create(model);
  for (const kind of noticeKinds) {
    const own = model[kind]?.bind(model) as
      | ((event: NoticeEvent) => Awaitable<void>)
      | undefined;
    handlers[kind] = (event: NoticeEvent) => {
      notices.push(event);
      return own?.(event);
    };
  }
  return handlers;
}
