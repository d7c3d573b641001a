// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  defaultKernel,
  kernelHelp,
  kernelNames,
} from "../kernel/vm/kernel_names.ts";

const path = (relative: string): string =>
  fileURLToPath(new URL(relative, import.meta.url));

// Time to build and boot.
const patient = { timeout: 600_000 };

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a file with this runtime, as a user does. */
function run(file: string, ...args: string[]): Promise<Run> {
  return runWith("", file, ...args);
}

/** The same, with what the user types. */
function runWith(
  input: string,
  file: string,
  ...args: string[]
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [file, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin.on("error", () => {}); // it need not read it
    child.stdin.end(input);
    let stdout = "", stderr = "";
    child.stdout.on("data", (data) => stdout += data);
    child.stderr.on("data", (data) => stderr += data);
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

function assertDemo({ status, stdout, stderr }: Run, interrupts: string): void {
  assert.equal(status, 0, `${stdout}\n${stderr}`);
  const expected = [
    "plugged 1234:11e8 as 0100:00:00.0",
    "driver: id 0x010000ed",
    "driver: liveness ok",
    "driver: factorial(10) = 3628800",
    "driver: dma 4096 bytes out and back ok",
    `driver: 3 interrupts (${interrupts})`,
    "driver: passed",
    "unplugged",
  ];
  const printed = stdout.trimEnd().split("\n");
  assert.deepEqual(
    printed.filter((line) => expected.includes(line)),
    expected,
    stdout,
  );
  assert.equal(printed.at(-1), "unplugged");
}

describe("devices/edu.ts", () => {
  for (const kernel of ["6.1", "6.12"]) {
    test(`passes its driver's self-test on ${kernel}`, patient, async () => {
      const ran = await run(path("../devices/edu.ts"), "--kernel", kernel);
      assertDemo(ran, "MSI");
    });
  }

  test("does so by INTx", patient, async () => {
    assertDemo(await run(path("../devices/edu.ts"), "--intx"), "INTx");
  });

  test(
    "gives a shell that sees the device, with --shell, and ends with its status",
    patient,
    async () => {
      const place = "/sys/bus/pci/devices/0100:00:00.0";
      const typed = `cat ${place}/vendor ${place}/device; tty; exit 3\n`;
      const ran = await runWith(typed, path("../devices/edu.ts"), "--shell");
      const { status, stdout, stderr } = ran;
      assert.equal(status, 3, `${stdout}\n${stderr}`);
      const lines = stdout.split(/\r?\n/).filter(Boolean);
      assert.match(stdout, /0x1234\r?\n0x11e8\r?\n\/dev\/pts\//);
      assert.ok(lines.includes("plugged 1234:11e8 as 0100:00:00.0"), stdout);
      assert.equal(lines.at(-1), "unplugged");
    },
  );

  test(
    "runs a command against the device, and ends as it does",
    patient,
    async () => {
      const look = 'cat "/sys/bus/pci/devices/$BARKEEP_DEVICE/vendor"; exit 5';
      const ran = await run(path("../devices/edu.ts"), "--", "sh", "-c", look);
      assert.equal(ran.status, 5, `${ran.stdout}\n${ran.stderr}`);
      assert.match(ran.stdout, /^0x1234$/m);
      assert.doesNotMatch(ran.stdout, /^driver:/m);
    },
  );

  test(
    "says that its time is over, and fails for a command",
    patient,
    async () => {
      const edu = path("../devices/edu.ts");
      const ran = await run(edu, "--timeout", "2", "--", "sleep", "60");
      assert.equal(ran.status, 1, `${ran.stdout}\n${ran.stderr}`);
      assert.match(ran.stdout, /^--timeout: 2 s are over\nunplugged$/m);
    },
  );

  test("refuses a shell and a command at once, and exits 64", async () => {
    const edu = path("../devices/edu.ts");
    const { status, stderr } = await run(edu, "--shell", "true");
    assert.equal(status, 64);
    assert.match(stderr, /--shell with a command/);
  });

  test("refuses an option that it does not know, and exits 64", async () => {
    const { status, stderr } = await run(path("../devices/edu.ts"), "--intex");
    assert.equal(status, 64);
    assert.match(stderr, /--intex/);
    assert.match(stderr, /--help/);
  });
});

describe("--kernel", () => {
  const commands = [
    "../devices/edu.ts",
    "../kernel/vm.ts",
    "../bench/all.ts",
  ];
  for (const command of commands) {
    const name = command.slice("../".length);
    test(`is explained by ${name} --help with every kernel`, async () => {
      const { status, stdout } = await run(path(command), "--help");
      assert.equal(status, 0);
      assert.ok(stdout.includes(kernelHelp), stdout);
    });
  }

  test("takes the kernels that the README's table has", () => {
    const readme = readFileSync(path("../README.md"), "utf8");
    const row = /^\| `--kernel .*?\|(.*)\|$/m.exec(readme)?.[1] ?? "";
    const named = [...row.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
    assert.deepEqual(named, [...kernelNames]);
    assert.match(row, new RegExp(`\`${defaultKernel}\` \\(default\\)`));
  });

  test("is refused with another one, and those that there are", async () => {
    const edu = path("../devices/edu.ts");
    const { status, stderr } = await run(edu, "--kernel", "5.10");
    assert.equal(status, 64);
    assert.ok(stderr.includes(kernelNames.join(", ")), stderr);
  });
});

describe("README.md", () => {
  const text = readFileSync(path("../README.md"), "utf8");
  const [example = ""] = text.match(/(?<=```ts\n).*?(?=```)/s) ?? [];

  test("shows a device of at most 15 lines", () => {
    const lines = example.trim().split("\n").length;
    assert.ok(lines > 5 && lines <= 15, `${lines} lines`);
  });

  test("shows a device that works", patient, async () => {
    const directory = mkdtempSync(join(tmpdir(), "barkeep-"));
    try {
      const file = join(directory, "counter.ts");
      const api = path("../mod.ts");
      writeFileSync(file, example.replace("./mod.ts", api));
      const { status, stdout, stderr } = await run(file, "--timeout", "3");
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^plugged 1234:c0de as 0100:00:00\.0$/m);
      assert.match(stdout, /^unplugged$/m);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("A VM that cannot start", () => {
  test("is a failure that says why", patient, async () => {
    const vm = path("../kernel/vm.ts");
    const { status, stderr } = await run(
      vm,
      "--no-module",
      "--qemu",
      "-device nosuch",
      "true",
    );
    assert.equal(status, 70);
    assert.match(stderr, /nosuch/);
  });
});
