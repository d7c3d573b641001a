// SPDX-License-Identifier: MIT

/**
 * Every way in which a kernel driver can access a BAR, done to one that traps and
 * to one that is memory: what the driver reads must be the same, and so must what
 * it leaves behind. The driver `accessors` has the list.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { functionPath, guestTest, modules, plain } from "./harness.ts";
import { open } from "../../mod.ts";

/** Bytes of a BAR, and of what an accessor has of it to itself. */
const size = 32_768;
const share = 64;

/** A BAR in memory that counts how often it is accessed, by accessor. */
class Registers {
  readonly bytes = new Uint8Array(size);
  readonly reads: number[] = [];
  readonly writes: number[] = [];
  readonly #view = new DataView(this.bytes.buffer);

  read(offset: number, width: number): number {
    this.#count(this.reads, offset);
    if (width === 1) return this.#view.getUint8(offset);
    if (width === 2) return this.#view.getUint16(offset, true);
    return this.#view.getUint32(offset, true);
  }

  read64(offset: number): bigint {
    this.#count(this.reads, offset);
    return this.#view.getBigUint64(offset, true);
  }

  write(offset: number, value: number, width: number): void {
    this.#count(this.writes, offset);
    if (width === 1) this.#view.setUint8(offset, value);
    else if (width === 2) this.#view.setUint16(offset, value, true);
    else this.#view.setUint32(offset, value, true);
  }

  write64(offset: number, value: bigint): void {
    this.#count(this.writes, offset);
    this.#view.setBigUint64(offset, value, true);
  }

  #count(counts: number[], offset: number): void {
    const index = Math.floor(offset / share);
    counts[index] = (counts[index] ?? 0) + 1;
  }
}

/** What the accessors answered of a BAR, by name, in their order. */
async function access(address: string, bar: number): Promise<string[][]> {
  const file = `/sys/kernel/debug/accessors/${address}/${bar}`;
  const { stdout } = await promisify(execFile)("taskset", [
    ...["-c", "0"],
    ...["cat", file],
  ]);
  return stdout.split("\n").slice(0, -1).map((line) => line.split(": "));
}

const hexadecimal = (bytes: Uint8Array, index: number): string =>
  Buffer.from(bytes.subarray(index * share, (index + 1) * share))
    .toString("hex");

/** How often an instruction reads and writes its one operand. */
function expected(name: string): [reads: number, writes: number] | undefined {
  if (name.endsWith("of what is there")) return [2, 1]; // looks first
  if (/^(lock|xchg|xadd|cmpxchg|inc|not|bts)/.test(name)) return [1, 1];
  if (/^(add|sub|or)\w register, memory$/.test(name)) return [1, 1];
  if (/^(add|adc|sub|sbb|or|and|xor|mov)\w+ memory, /.test(name)) return [1, 0];
  if (/^(cmp|test|bt[lq])/.test(name)) return [1, 0];
  if (/^mov\w+ .*, memory$/.test(name)) return [0, 1];
  return undefined;
}

guestTest(
  "every accessor and instruction does to a trapped BAR what it does to memory",
  async () => {
    const registers = new Registers();
    await using device = await open({
      ...plain,
      bars: [{ size, width: 8 }, { size, trap: [] }],
    });
    const served = device.serve({
      read: (offset, width) => registers.read(offset, width),
      read64: (offset) => registers.read64(offset),
      write: (offset, value, width) => registers.write(offset, value, width),
      write64: (offset, value) => registers.write64(offset, value),
    });
    const memory = new Uint8Array(device.bars[1]?.buffer ?? new ArrayBuffer(0));
    const initial = Uint8Array.from(
      { length: size },
      (_, at) => at * 167 + (at >> 8),
    );
    memory.set(initial);
    registers.bytes.set(initial);

    const address = await device.plugged;
    execFileSync("insmod", [`${modules}/accessors.ko`]);
    try {
      await writeFile(functionPath(address, "driver_override"), "accessors");
      await writeFile("/sys/bus/pci/drivers/accessors/bind", address);
      const trapped = await access(address, 0);
      const direct = await access(address, 1);

      assert.ok(trapped.length > 200, `${trapped.length} accessors`);
      let counted = 0;
      for (const [index, [name = "", answer]] of trapped.entries()) {
        assert.deepEqual([name, answer], direct[index], "what it read");
        assert.equal(
          hexadecimal(registers.bytes, index),
          hexadecimal(memory, index),
          `what ${name} left behind`,
        );
        const wanted = expected(name);
        if (wanted === undefined) continue;
        counted++;
        const { reads, writes } = registers;
        assert.deepEqual(
          [reads[index] ?? 0, writes[index] ?? 0],
          wanted,
          `reads and writes of ${name}`,
        );
      }
      assert.ok(counted > 120, `${counted} instructions`);
      assert.equal(trapped.length, direct.length);
      assert.ok(
        (trapped.length + 1) * share < size,
        "the BAR holds all accessors",
      );
    } finally {
      await device.unplug();
      await device.gone;
      await served;
      execFileSync("rmmod", ["accessors"]);
    }
  },
  { limit: 180 },
);
