// SPDX-License-Identifier: MIT
/**
 * The kernel's instruction decoder, built in user space and compared with the
 * CPU. The programs in `decode/` do the comparing; their random numbers begin
 * with a seed that each failure names, and `BARKEEP_SEED` sets.
 */

import { after, test } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { run } from "../kernel/vm/process.ts";
import { zig } from "../kernel/vm/zig.ts";

const SECONDS = 1000;
const seed = process.env.BARKEEP_SEED ?? String(Date.now());
const directory = mkdtempSync(join(tmpdir(), "barkeep-decode-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const program = await build();

async function build(): Promise<string> {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const output = join(directory, "decode");
  const { status, stderr } = await run([
    await zig(),
    "cc",
    ...["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"],
    // Low addresses belong to the instructions under test, and so does FS.
    ...["-fPIE", "-pie", "-fno-stack-protector"],
    ...["-fsanitize=undefined", "-fsanitize-trap=undefined"],
    ...["-o", output],
    ...[
      "main",
      "native",
      "random",
      "instructions",
      "forms",
      "emulation",
      "fuzz",
      "lengths",
    ]
      .map((name) => join(root, "tests/decode", `${name}.c`)),
    ...["decode", "decode_table", "decode_registers", "decode_alu"]
      .map((name) => join(root, "kernel", `${name}.c`)),
  ]);
  assert.equal(
    status,
    0,
    `the decoder must build without a warning:\n${stderr}`,
  );
  return output;
}

/** Runs a command of the program; the counts it ends with, by name. */
function counts(command: string, amount: number): Record<string, number> {
  const { status, signal, stdout, stderr } = spawnSync(
    program,
    [command, seed, String(amount)],
    { encoding: "utf8" },
  );
  assert.equal(
    status,
    0,
    `${stdout.trim()}${stderr.trim()} ${signal ?? ""}\n` +
      `Again: BARKEEP_SEED=${seed}`,
  );
  return Object.fromEntries(
    Array.from(
      stdout.matchAll(/(\w+) (\d+)/g),
      ([, name, value]) => [name, Number(value)],
    ),
  );
}

/** What the decoder says of each instruction, given in hexadecimal. */
function decode(instructions: readonly string[]): string[] {
  const { stdout } = spawnSync(program, ["decode"], {
    input: instructions.map((bytes) => bytes.replaceAll(" ", "") + "\n").join(
      "",
    ),
    encoding: "utf8",
  });
  return stdout.trimEnd().split("\n");
}

/** Compares what the decoder says with a table. */
function decodesTo(table: Readonly<Record<string, string>>): void {
  const instructions = Object.keys(table);
  const answers = decode(instructions);
  assert.deepEqual(
    Object.fromEntries(instructions.map((bytes, i) => [bytes, answers[i]])),
    table,
  );
}

test(
  "every emulated instruction leaves registers, flags and memory as the CPU does",
  {
    timeout: 120 * SECONDS,
  },
  () => {
    const { forms = 0, emulated = 0, least = 0 } = counts("forms", 1);
    assert.equal(forms, 102);
    // Three quarters of a form's ModRM bytes are of memory. In percent.
    assert.ok(least > 5 && emulated > 800_000, `${emulated} emulated`);
  },
);

test("the decoder reads no byte past those it is given, and needs no other", {
  timeout: 120 * SECONDS,
}, () => {
  const { cases = 0, valid = 0 } = counts("fuzz", 1_000_000);
  assert.equal(cases, 1_000_000);
  assert.ok(valid > cases / 4 && valid < cases, `${valid} valid`);
});

test("an instruction is as long as the CPU finds it", {
  timeout: 120 * SECONDS,
}, () => {
  const { compared = 0, invalid = 0 } = counts("lengths", 100_000);
  // How many opcodes are defined differs from CPU to CPU.
  assert.ok(compared > 20_000 && invalid > 5_000, `${compared} compared`);
});

test("what 64-bit mode has no instruction for is invalid", () => {
  const opcodes = [
    ..."06 07 0e 16 17 1e 1f 27 2f 37 3f 60 61 82 9a ce d4 d5 d6 ea".split(" "),
    ..."0f04 0f0a 0f0c 0f24 0f26 0f36 0f39 0f3f 0f7a 0f7b".split(" "),
  ];
  for (
    const [i, answer] of decode(opcodes.map((o) => o + "00".repeat(12)))
      .entries()
  ) {
    assert.equal(answer, "invalid", opcodes[i]);
  }
  decodesTo({
    "c6 08 00": "invalid", // groups with holes
    "c7 30 00 00 00 00": "invalid",
    "8f 48 00": "invalid",
    "fe 10": "invalid",
    "0f ba 00 00": "invalid",
    "0f c3 c0": "invalid", // MOVNTI and MOVBE to a register
    "0f 38 f0 c0": "invalid",
    "66 0f c3 00": "invalid",
    "66 0f 38 f9 00": "invalid",
    "48 c5 f8 77": "invalid", // a prefix before VEX
    "c4 e0 78 77": "invalid", // no such map
    "62 f9 7c 48 10 07": "invalid", // EVEX with a fixed bit changed
    "62 f1 78 48 10 07": "invalid",
    "": "invalid",
  });
});

test("LOCK is valid only where the CPU can lock the operand", () => {
  decodesTo({
    "f0 88 07": "invalid",
    "f0 8b 07": "invalid",
    "f0 c7 07 00 00 00 00": "invalid",
    "f0 a5": "invalid",
    "f0 0f b6 07": "invalid",
    "f0 3b 07": "invalid",
    "f0 01 c7": "invalid",
    "f0 83 3f 00": "invalid",
    "f0 01 07": "3 none 0 0",
    "f0 83 07 00": "4 none 0 0",
    "f0 0f b1 0f": "4 none 0 0",
    "f0 48 0f c7 0f": "5 none 0 0",
  });
});

test("an instruction that is skipped names the register it would have loaded", () => {
  // length, operation, bytes of memory, bytes of the register
  decodesTo({
    "03 07": "2 none 4 4", // add (%rdi),%eax
    "48 0b 07": "3 none 8 8",
    "66 23 07": "3 none 2 2",
    "0a 27": "2 none 1 1",
    "48 0f af 07": "4 none 8 8",
    "6b 07 05": "3 none 4 4",
    "ad": "1 none 4 4",
    "03 c7": "2 none 0 0", // between registers
    "39 07": "2 none 0 0", // cmp
    "0f 10 07": "3 none 0 0", // movups
    "c5 f8 10 07": "4 none 0 0",
    "62 f1 7c 48 10 07": "6 none 0 0",
  });
});

test("an instruction has at most fifteen bytes", () => {
  decodesTo({
    ["66".repeat(13) + "8907"]: "15 store 2 2",
    ["66".repeat(14) + "8907"]: "invalid",
    ["66".repeat(30)]: "invalid",
  });
});
