// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import type { Event, Handlers } from "../../mod.ts";

/**
 * The model of the exerciser's `stream`: a register for each thread, which writes
 * 1, 2, 3 and so on to it. Counts what is out of order.
 */
export class StreamRegisters {
  readonly last: Int32Array;
  /** Writes that were not the next one of their thread. */
  wrong = 0;
  reads = 0;

  constructor(threads: number) {
    this.last = new Int32Array(threads);
  }

  readonly handlers: Handlers = {
    read: (offset) => this.read(offset),
    write: (offset, value) => this.write(offset, value),
  };

  /** Does the same with an event of a loop. */
  take(event: Event): void {
    if (event.kind === "write") this.write(event.offset, event.value);
    if (event.kind === "read") event.complete(this.read(event.offset));
  }

  read(offset: number): number {
    this.reads++;
    return this.last[offset / 4]!;
  }

  write(offset: number, value: number): void {
    const thread = offset / 4;
    if (value !== this.last[thread]! + 1) this.wrong++;
    this.last[thread] = value;
  }

  /** Nothing was lost, doubled, or out of order: so many writes, and reads. */
  assertAll(writes: number, every: number): void {
    assert.equal(this.wrong, 0, "writes of a thread are in its order");
    assert.deepEqual([...this.last], [...this.last].fill(writes));
    assert.equal(this.reads, this.last.length * Math.floor(writes / every));
  }
}
