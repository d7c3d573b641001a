// SPDX-License-Identifier: MIT
/**
 * The kernel's instruction decoder, built in user space and compared with the
 * CPU. The programs in `decode/` do the comparing; their random numbers begin
 * with a seed that each failure names, and `BARKEEP_SEED` sets;
 * `BARKEEP_DECODE_MORE` multiplies how many cases there are.
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
/** How many times as many random cases as usual. */
const more = Number(process.env.BARKEEP_DECODE_MORE ?? 1);
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
    {
      encoding: "utf8",
      timeout: 280 * SECONDS * more,
      killSignal: "SIGKILL",
    },
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
    timeout: 60 * SECONDS,
    killSignal: "SIGKILL",
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
    timeout: 300 * SECONDS * more,
  },
  () => {
    const { forms = 0, emulated = 0, least = 0 } = counts("forms", more);
    assert.equal(forms, 102);
    // What differs from run to run is which random prefixes and alignments there are.
    const each = Math.round(emulated / more);
    assert.ok(each > 1_240_000 && each < 1_250_000, `${each} emulated`);
    // Of the form least often, in percent: one that needs its operand aligned.
    assert.ok(least >= 8, `one of them ${least} % of its cases`);
  },
);

test("the decoder reads no byte past those it is given, and needs no other", {
  timeout: 300 * SECONDS * more,
}, () => {
  const { cases = 0, valid = 0 } = counts("fuzz", 1_000_000 * more);
  assert.equal(cases, 1_000_000 * more);
  assert.ok(valid > cases / 4 && valid < cases, `${valid} valid`);
});

test("an instruction is as long as the CPU finds it", {
  timeout: 300 * SECONDS * more,
}, () => {
  const { compared = 0, invalid = 0 } = counts("lengths", 1_000_000 * more);
  // How many opcodes are defined differs from CPU to CPU.
  assert.ok(compared > 200_000 && invalid > 50_000, `${compared} compared`);
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
    "f0 01 07": "3 modify 4 4",
    "f0 83 07 00": "4 modify 4 4",
    "f0 0f b1 0f": "4 modify 4 4",
    "f0 48 0f c7 0f": "5 none 0 0",
  });
});

test("arithmetic says whether it writes the operand or only computes from it", () => {
  // length, operation, bytes of memory, bytes of the register
  decodesTo({
    "03 07": "2 compute 4 4", // add (%rdi),%eax
    "48 0b 07": "3 compute 8 8",
    "0a 27": "2 compute 1 1",
    "39 07": "2 compute 4 4", // cmp %eax,(%rdi)
    "3b 07": "2 compute 4 4",
    "83 3f 00": "3 compute 4 4",
    "85 07": "2 compute 4 4", // test
    "f6 07 01": "3 compute 1 1",
    "0f a3 07": "3 compute 4 4", // bt
    "01 07": "2 modify 4 4",
    "87 07": "2 modify 4 4", // xchg
    "66 0f b1 0f": "4 modify 2 2", // cmpxchg
    "0f ab 07": "3 modify 4 4", // bts
    "03 c7": "2 none 0 0", // between registers
    "f0 0f c7 0f": "4 none 0 0", // cmpxchg8b
  });
});

test("SSE moves are told from those of MMX and AVX", () => {
  decodesTo({
    "0f 10 07": "3 vector load 16 0", // movups
    "66 0f 6f 07": "4 vector load 16 0", // movdqa
    "f3 0f 6f 07": "4 vector load 16 0", // movdqu
    "f2 0f f0 07": "4 vector load 16 0", // lddqu
    "66 0f e7 07": "4 vector store 16 0", // movntdq
    "f2 0f 10 07": "4 vector load 8 0", // movsd
    "f3 0f 11 07": "4 vector store 4 0", // movss
    "66 0f 6e 07": "4 vector load 4 0", // movd
    "66 48 0f 7e 07": "5 vector store 8 0", // movq
    "0f 6f 07": "3 none 0 0", // MMX
    "0f e7 07": "3 none 0 0",
    "c5 f8 10 07": "4 none 0 0", // AVX
    "62 f1 7c 48 10 07": "6 none 0 0",
  });
});

test("an instruction that is skipped names the register it would have loaded", () => {
  decodesTo({
    "48 0f af 07": "4 none 8 8", // imul
    "66 0f 44 07": "4 none 2 2", // cmove
    "6b 07 05": "3 none 4 4",
    "ad": "1 none 4 4", // lods
  });
});

test("an instruction has at most fifteen bytes", () => {
  decodesTo({
    ["66".repeat(13) + "8907"]: "15 store 2 2",
    ["66".repeat(14) + "8907"]: "invalid",
    ["66".repeat(30)]: "invalid",
  });
});
