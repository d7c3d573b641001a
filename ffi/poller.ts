// SPDX-License-Identifier: MIT

import { setImmediate } from "node:timers";
import type { Ring } from "./ring.ts";
import type { Runtime, Waiter } from "./runtime.ts";

/** What {@link Consumer.poll} has to say. */
export const progress = {
  /** There was no event. */
  idle: 0,
  /** Events were handled; there may be more. */
  worked: 1,
  /** Do not poll again until it is added again. */
  away: 2,
} as const;

/** Something that takes the events of one device. */
export interface Consumer {
  readonly ring: Ring;
  /** File descriptor of the device. */
  readonly device: number;
  /** Milliseconds without events before it may be put to sleep. */
  readonly spin: number;
  /** Takes a few events at most; must not throw. */
  poll(): number;
  /** The device is off the bus and left no event. */
  gone(): void;
  /** Owned by the poller: had events since the clock was read last. */
  active: boolean;
  /** Owned by the poller: when it was last seen active. */
  idleSince: number;
  /** Owned by the poller: what it sleeps under, or -1 while it is awake. */
  token: number;
}

/** Longest time in milliseconds that the event loop waits for us. */
const burst = 2;
/** Reads of the clock are this many idle polls apart. */
const clockMask = 0x3ff;
/** What a poll that handled events counts as. */
const workedTurns = 16;

/**
 * Spins over the rings of all devices that had events lately; the others sleep
 * in the kernel. One spinner for the whole process: with one each, devices
 * would wait for each other.
 */
export class Poller {
  readonly #waiter: Waiter;
  readonly #awake: Consumer[] = [];
  readonly #asleep: Map<number, Consumer> = new Map();
  readonly #run: () => void;
  readonly #resume: () => void;
  #scheduled = false;
  #turns = 0;
  #yieldAt = 0;
  #token = 0;

  constructor(runtime: Runtime) {
    this.#waiter = runtime.createWaiter((token) => this.#wake(token));
    this.#run = () => this.#spin();
    this.#resume = () => {
      this.#yieldAt = performance.now() + burst;
      this.#spin();
    };
  }

  /** Starts to poll a consumer, which has a whole spin time from now. */
  add(consumer: Consumer): void {
    consumer.active = true;
    this.#awake.push(consumer);
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(this.#run);
  }

  /**
   * Spins for an event of the only consumer, whose loop asks for one: cheaper
   * than a promise that waits. False if others are awake, or it is the event
   * loop's turn; then it has to be added.
   */
  soon(ring: Ring): boolean {
    if (this.#awake.length > 0) return false;
    let turns = this.#turns;
    while (turns <= clockMask || performance.now() < this.#yieldAt) {
      if (turns > clockMask) turns = 0;
      if (ring.ready()) {
        this.#turns = turns + workedTurns;
        return true;
      }
      turns++;
    }
    this.#turns = turns;
    return false;
  }

  /** Stops to, wherever it is. */
  remove(consumer: Consumer): void {
    const index = this.#awake.indexOf(consumer);
    if (index >= 0) this.#awake.splice(index, 1);
    if (consumer.token < 0) return;
    this.#asleep.delete(consumer.token);
    consumer.token = -1;
    this.#waiter.disarm(consumer.device);
    consumer.ring.setSleeping(false);
  }

  /** Has a sleeping consumer spin again, as events are to be expected. */
  rouse(consumer: Consumer): void {
    if (consumer.token < 0) return;
    this.remove(consumer);
    this.add(consumer);
  }

  #spin(): void {
    const awake = this.#awake;
    let left = false;
    while (awake.length > 0 && !left) {
      for (let index = 0; index < awake.length; index++) {
        const consumer = awake[index]!;
        const made = consumer.poll();
        if (made === progress.idle) continue;
        consumer.active = true;
        this.#turns += workedTurns;
        if (made !== progress.away) continue;
        // It may have been removed, or have added others, on its own.
        const place = awake.indexOf(consumer);
        if (place >= 0) awake.splice(place, 1);
        index = place >= 0 ? place - 1 : -1;
        left = true;
      }
      const before = this.#turns;
      this.#turns = before + 1 & clockMask;
      if (this.#turns > before) continue;
      if (!this.#readClock()) continue;
      setImmediate(this.#resume);
      return;
    }
    if (!left) {
      this.#scheduled = false;
      return;
    }
    // What went away did so to let promises settle; they may well come back.
    queueMicrotask(this.#run);
  }

  /** Puts idle consumers to sleep; true if it is the event loop's turn. */
  #readClock(): boolean {
    const now = performance.now();
    for (let index = this.#awake.length - 1; index >= 0; index--) {
      const consumer = this.#awake[index]!;
      if (consumer.active) {
        consumer.active = false;
        consumer.idleSince = now;
      } else if (now - consumer.idleSince >= consumer.spin) {
        this.#sleep(consumer, index);
      }
    }
    return now >= this.#yieldAt;
  }

  #sleep(consumer: Consumer, index: number): void {
    const { ring } = consumer;
    ring.setSleeping(true);
    // The look that counts is the kernel's, when it is armed; this one is cheaper.
    if (ring.ready()) {
      ring.setSleeping(false);
      return;
    }
    this.#awake.splice(index, 1);
    if (ring.isGone() && !ring.ready()) {
      consumer.gone();
      return;
    }
    const token = this.#token++ % 0x8000_0000;
    this.#asleep.set(token, consumer);
    consumer.token = token;
    this.#waiter.arm(consumer.device, token);
  }

  #wake(token: number): void {
    const consumer = this.#asleep.get(token);
    if (!consumer) return; // removed while the report was on its way
    this.#asleep.delete(token);
    consumer.token = -1;
    consumer.ring.setSleeping(false);
    this.add(consumer);
  }
}
