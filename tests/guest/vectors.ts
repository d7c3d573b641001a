// SPDX-License-Identifier: MIT

/**
 * SSE moves of a driver in user space: see `vectors.c`. XMM registers are in the
 * CPU while the driver spins for an answer, and in memory once it has slept.
 *
 * @module
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { open } from "../../mod.ts";
import { cached, cachePath, hash } from "../../kernel/vm/cache.ts";
import { run } from "../../kernel/vm/process.ts";
import { zig } from "../../kernel/vm/zig.ts";
import { functionPath, guestTest, plain, sleep } from "./harness.ts";

const source = fileURLToPath(new URL("./vectors.c", import.meta.url));

/** Builds it, on the host; returns the program's path. */
export function buildVectors(): Promise<string> {
  const name = `vectors-${hash(readFileSync(source))}`;
  return cached(cachePath("tests", name), async (temporary) => {
    const flags = ["-static", "-O1", "-Wall", "-fno-sanitize=all"];
    const target = ["-target", "x86_64-linux-musl"];
    const command = [await zig(), "cc", ...target, ...flags];
    const { status, stderr } = await run([...command, "-o", temporary, source]);
    assert.equal(status, 0, stderr);
  });
}

for (const milliseconds of [0, 3]) {
  const how = milliseconds ? "that makes them sleep" : "that answers at once";
  guestTest(
    `SSE moves of user space move XMM registers, with a model ${how}`,
    async () => {
      const view = new DataView(new ArrayBuffer(4096));
      for (let at = 0; at < 4096; at++) view.setUint8(at, at * 37 + 5);
      await using device = await open({
        ...plain,
        bars: [{ size: 4096, width: 8 }],
      });
      let accesses = 0;
      const answer = async <T>(value: T): Promise<T> => {
        await sleep(milliseconds);
        return value;
      };
      const wait = milliseconds > 0;
      const served = device.serve({
        read: (offset) => {
          accesses++;
          const value = view.getUint32(offset, true);
          return wait ? answer(value) : value;
        },
        read64: (offset) => {
          accesses++;
          const value = view.getBigUint64(offset, true);
          return wait ? answer(value) : value;
        },
        write: (offset, value) => view.setUint32(offset, value, true),
        write64: (offset, value) => view.setBigUint64(offset, value, true),
      });
      const address = await device.plugged;
      // Without a driver nobody else turns memory decode on.
      await writeFile(functionPath(address, "enable"), "1");
      const { stdout } = await promisify(execFile)("taskset", [
        ...["-c", "0", process.env.BARKEEP_VECTORS ?? ""],
        functionPath(address, "resource0"),
      ]).catch((error: { stdout?: string }) => ({
        stdout: error.stdout ?? "",
      }));
      assert.equal(stdout, "144 right\n");
      assert.ok(accesses > 4 * 144, `the model was asked ${accesses} times`);
      await device.unplug();
      await device.gone;
      await served;
    },
    { limit: 180 },
  );
}
