// SPDX-License-Identifier: MIT

/**
 * The clock that events carry the time of, which no runtime shows: known from how
 * late the quickest event was seen, it is never fast.
 *
 * @example
 * ```ts
 * const clock = new EventClock();
 * clock.see(event);
 * if (event.time < clock.now()) {}
 * ```
 */
export class EventClock {
  #ahead = Infinity;

  /** Learns from an event that has just been taken. */
  see({ time }: { readonly time: number }): void {
    this.#ahead = Math.min(this.#ahead, performance.now() * 1e6 - time);
  }

  /** Nanoseconds, as {@link EventBase.time} has them; at most what it is. */
  now(): number {
    return performance.now() * 1e6 - this.#ahead;
  }
}
