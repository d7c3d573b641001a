// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runInVm, VmError } from "../kernel/vm.ts";
import { locked } from "../kernel/vm/cache.ts";
import { logLine, scanLog } from "../kernel/vm/log.ts";

const vm = fileURLToPath(new URL("../kernel/vm.ts", import.meta.url));

/** Seconds for a guest, on a machine that has much else to do. */
const limit = 300;
const patient = { timeout: 2 * limit * 1000 };

/** The command line, run by the runtime that runs the tests. */
function cli(
  args: readonly string[],
  { input = "", env }: { input?: string; env?: NodeJS.ProcessEnv } = {},
) {
  return spawnSync(process.execPath, [...runtimeArguments(), vm, ...args], {
    encoding: "utf8",
    input,
    env,
  });
}

const runtimeArguments = (): string[] =>
  "deno" in process.versions ? ["run", "-A"] : [];

/** Runs a piece of TypeScript. */
const evaluate = (text: string): string[] =>
  "deno" in process.versions ? ["eval", "--ext=ts", text] : ["-e", text];

/** What scripts call it. */
const runtime = "deno" in process.versions ? "deno" : "bun";

const script = (text: string): string[] => ["sh", "-c", text];

for (const kernel of ["6.1", "6.12"]) {
  test(
    `a command in a ${kernel} guest sees that kernel, two CPUs and the host's files`,
    patient,
    async () => {
      const place = mkdtempSync(join(tmpdir(), "barkeep-test-"));
      try {
        const result = await runInVm({
          kernel,
          module: false,
          capture: true,
          timeout: limit,
          cwd: place,
          env: { GREETING: "a b  c" },
          command: script(
            `uname -r; nproc; pwd; echo "$GREETING"; printf '\\377\\0' >&2; ` +
              `modprobe uio_pci_generic && ls -d /sys/module/uio; ` +
              `readlink -f "$(command -v ${runtime})"; ` +
              `echo scratch > written && cat written; sleep 1000 & exit 3`,
          ),
        });
        const [release, ...lines] = result.stdout.trim().split("\n");
        assert.ok(release?.startsWith(`${kernel}.`), release);
        assert.deepEqual(lines, [
          "2",
          place,
          "a b  c",
          "/sys/module/uio",
          realpathSync(process.execPath),
          "scratch",
        ]);
        assert.equal(result.stderr, "\ufffd\0");
        assert.equal(result.status, 3);
        assert.deepEqual(result.problems, []);
        assert.match(result.log, /Linux version/);
        assert.ok(
          !existsSync(join(place, "written")),
          "what a guest writes must not reach the host",
        );
      } finally {
        rmSync(place, { recursive: true });
      }
    },
  );
}

test(
  "the command line passes input, output, status and extra devices through",
  patient,
  () => {
    const { status, stdout } = cli(
      [
        ...["--no-module", "--cpus", "1", "--qemu", "-device edu"],
        ...[
          "--timeout",
          String(limit),
          "--",
          ...script("cat; nproc; cat /sys/bus/pci/devices/*/device; exit 42"),
        ],
      ],
      { input: "héllo\n" },
    );
    assert.equal(status, 42);
    assert.match(stdout, /^héllo\n1\n/);
    assert.match(stdout, /^0x11e8$/m);
  },
);

test(
  "a WARNING in the guest's kernel log fails a run whose command succeeded",
  patient,
  () => {
    const { status, stderr } = cli([
      ...["--no-module", "--timeout", String(limit), "--"],
      ...script("echo '<4>WARNING: planted by the test' > /dev/kmsg"),
    ]);
    assert.equal(status, 70);
    assert.match(stderr, /WARNING: planted by the test/);
  },
);

test("a panic ends the VM and is shown", patient, () => {
  const { status, stderr } = cli([
    ...["--no-module", "--timeout", String(limit), "--"],
    ...script("echo c > /proc/sysrq-trigger; sleep 1000"),
  ]);
  assert.equal(status, 70);
  assert.match(stderr, /Kernel panic - not syncing: sysrq triggered crash/);
});

test("--timeout kills the VM, says so and exits with 124", patient, () => {
  const { status, stderr } = cli([
    ...["--no-module", "--timeout", "2", "sleep", "1000"],
  ]);
  assert.equal(status, 124);
  assert.match(stderr, /time limit of 2 s reached/);
});

test(
  "--timeout kills a command that runs, and what it printed is passed through",
  patient,
  () => {
    // A guest that has not come to its command when it is killed is none of ours.
    for (let limit = 10;; limit *= 2) {
      const { status, stdout, stderr } = cli([
        ...["--no-module", "--timeout", String(limit), "--"],
        ...script("echo out; echo err >&2; sleep 1000; echo late"),
      ]);
      assert.equal(status, 124);
      assert.match(stderr, new RegExp(`time limit of ${limit} s reached`));
      if (stdout === "" && limit < 160) continue;
      assert.equal(stdout, "out\n");
      assert.match(stderr, /^err$/m);
      return;
    }
  },
);

test("a kernel that hangs while it boots is booted again", patient, () => {
  const place = mkdtempSync(join(tmpdir(), "barkeep-test-"));
  try {
    // QEMU starts with its CPUs stopped, the first time.
    const program = join(place, qemu);
    writeFileSync(
      program,
      `#!/bin/sh
      PATH=\${PATH#*:}
      mkdir "$0.begun" 2> /dev/null && exec ${qemu} -S "$@"
      exec ${qemu} "$@"
      `,
      { mode: 0o755 },
    );
    const { status, stdout, stderr } = cli(
      ["--no-module", "--timeout", String(limit), "echo", "came up"],
      { env: { ...process.env, PATH: `${place}:${process.env.PATH}` } },
    );
    assert.equal(status, 0, stderr);
    assert.equal(stdout, "came up\n");
    assert.match(stderr, /lost the kernel while it booted; booting again/);
  } finally {
    rmSync(place, { recursive: true });
  }
});

test("QEMU does not outlive a vm.ts that is killed", patient, async () => {
  const marker = `barkeep-test-${process.pid}`;
  const child = spawn(process.execPath, [
    ...[...runtimeArguments(), vm, "--no-module", "--append", marker],
    ...["--", ...script("echo ready; sleep 1000")],
  ], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  assert.equal(processesWith(marker).length, 2, "vm.ts and its QEMU");
  child.kill("SIGKILL");
  while (processesWith(marker).length > 0) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

function processesWith(text: string): string[] {
  const { stdout } = spawnSync("grep", ["-lsa", text, ...commandLines()], {
    encoding: "utf8",
  });
  return stdout.split("\n").filter(Boolean);
}

function commandLines(): string[] {
  const { stdout } = spawnSync("sh", ["-c", "echo /proc/[0-9]*/cmdline"], {
    encoding: "utf8",
  });
  return stdout.trim().split(" ");
}

test(
  "who waits for another process to make the same thing says so, once",
  patient,
  async () => {
    const place = mkdtempSync(join(tmpdir(), "barkeep-test-"));
    const path = join(place, "thing");
    const cache = new URL("../kernel/vm/cache.ts", import.meta.url);
    const child = spawn(
      process.execPath,
      evaluate(`
        import { locked } from ${JSON.stringify(fileURLToPath(cache))};
        await locked(${JSON.stringify(path)}, () => {
          console.log("made");
          return Promise.resolve();
        });
      `),
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    let stdout = "", stderr = "";
    child.stdout.on("data", (data) => stdout += data);
    try {
      await locked(path, async () => {
        await new Promise<void>((resolve, reject) => {
          child.stderr.on("data", (data) => {
            stderr += data;
            if (stderr.includes("\n")) resolve();
          });
          child.on("error", reject);
          child.on("close", () => reject(new Error(`it ended: ${stderr}`)));
        });
        // It looks again, and again.
        await new Promise((resolve) => setTimeout(resolve, 1500));
        assert.equal(stdout, "");
      });
      const status = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "made\n");
      const lines = stderr.trim().split("\n");
      assert.equal(lines.length, 1, stderr);
      assert.match(stderr, /^vm: waiting for another process to make /);
      assert.ok(stderr.includes(path), stderr);
    } finally {
      child.kill();
      rmSync(place, { recursive: true });
    }
  },
);

const project = fileURLToPath(new URL("..", import.meta.url));

/**
 * In a mount namespace of its own: takes commands out of /usr/bin, or puts
 * others in their place (NAME=TARGET), and runs what follows "--". The runtime
 * and the project are where any user gets to; $place is gone with the namespace.
 */
const without = `
  set -e
  mount -t tmpfs -o mode=0755 tmpfs "$place"
  mkdir "$place/upper" "$place/work" "$place/project"
  mkdir -m 1777 "$place/home"
  touch "$place/runtime"
  mount --bind "$runtime" "$place/runtime"
  mount --bind "$project" "$place/project"
  mount -t overlay overlay /usr/bin -o \
    "lowerdir=/usr/bin,upperdir=$place/upper,workdir=$place/work"
  while [ "$1" != -- ]; do
    case "$1" in
      *=*) ln -sf "\${1#*=}" "/usr/bin/\${1%%=*}" ;;
      *) rm "/usr/bin/$1" ;;
    esac
    shift
  done
  shift
  cd /
  export HOME="$place/home"
  exec "$@"
`;

/** The command line on a machine that lacks commands. */
function cliWithout(changes: readonly string[], user: readonly string[] = []) {
  const place = mkdtempSync(join(tmpdir(), "barkeep-test-"));
  try {
    const own = [
      join(place, "runtime"),
      ...runtimeArguments(),
      join(place, "project/kernel/vm.ts"),
      ...["--no-module", "true"],
    ];
    return spawnSync(
      "unshare",
      ["--mount", ...script(without), "sh", ...changes, "--", ...user, ...own],
      {
        encoding: "utf8",
        env: {
          PATH: process.env.PATH,
          place,
          project,
          runtime: realpathSync(process.execPath),
        },
      },
    );
  } finally {
    rmSync(place, { recursive: true });
  }
}

const needsRoot = {
  skip: process.getuid?.() !== 0 && "only root can hide commands",
};
const nobody = [
  "setpriv",
  ...["--reuid=65534", "--regid=65534", "--clear-groups"],
];

/** The whole of what is said on a machine that lacks QEMU. */
function assertAdvice(stderr: string, problem: string): void {
  const install = "apt-get update && apt-get install -y " +
    "--no-install-recommends qemu-system-x86";
  assert.ok(
    stderr.endsWith(
      `vm: NOT_PREPARED: ${problem}.\n` +
        `Run this as root, then try again:\n  ${install}\n`,
    ),
    stderr,
  );
}

const qemu = "qemu-system-x86_64";
const lacking = "this machine lacks qemu-system-x86, " +
  "and only root with apt can install that";

test(
  "without QEMU, a user who is not root is told what to install: status 69",
  needsRoot,
  () => {
    const { status, stdout, stderr } = cliWithout([qemu], nobody);
    assert.equal(status, 69, stderr);
    assert.equal(stdout, "");
    assertAdvice(stderr, lacking);
  },
);

test(
  "without QEMU and apt, root is told what to install: status 69",
  needsRoot,
  () => {
    const { status, stdout, stderr } = cliWithout([qemu, "apt-get"]);
    assert.equal(status, 69, stderr);
    assert.equal(stdout, "");
    assertAdvice(stderr, lacking);
  },
);

test(
  "where apt-get cannot install QEMU, root is told what to do: status 69",
  needsRoot,
  () => {
    const { status, stdout, stderr } = cliWithout([qemu, "apt-get=false"]);
    assert.equal(status, 69, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, /^vm: installing qemu-system-x86 \(once\)$/m);
    assertAdvice(
      stderr,
      "apt-get could not install qemu-system-x86 (status 1)",
    );
  },
);

test("an unknown option is an error that says what to do", () => {
  const { status, stderr } = cli(["--colour", "true"]);
  assert.equal(status, 64);
  assert.match(stderr, /BAD_OPTION: .*--colour.*\n.*--help/);
});

test("an unknown kernel is an error that names those there are", async () => {
  await assert.rejects(
    runInVm({ kernel: "5.10", command: ["true"] }),
    (error) =>
      error instanceof VmError && error.code === "BAD_OPTION" &&
      /6\.1, 6\.12, debug, host/.test(error.message),
  );
});

test("the log scan finds reports, and finds none in a quiet log", () => {
  const record = (text: string): string => logLine(`4,1,1500000,-;${text}\n`);
  assert.equal(record("hello"), "[    1.500000] hello");
  const reports = [
    "WARNING: CPU: 1 PID: 1 at kernel/fork.c:1 f+0x1/0x2",
    "BUG: kernel NULL pointer dereference, address: 0000000000000000",
    "Oops: 0000 [#1] PREEMPT SMP",
    "WARNING: possible recursive locking detected",
    "INFO: possible circular locking dependency detected",
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "general protection fault, probably for non-canonical address 0x1: 0000",
    "BUG: KASAN: use-after-free in f+0x1/0x2",
    "INFO: task sh:1 blocked for more than 120 seconds.",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [sh:1]",
    "BUG: scheduling while atomic: sh/1/0x00000002",
    "Kernel panic - not syncing: Fatal exception",
    'irq 16: nobody cared (try booting with the "irqpoll" option)',
    "kernel log records were lost",
    "WARNING: possible irq lock inversion dependency detected",
    "[ BUG: Invalid wait context ]",
    "DEBUG_LOCKS_WARN_ON(lock->magic != lock)",
    "BUG: MAX_LOCKDEP_ENTRIES too low!",
    "turning off the locking correctness validator.",
    "BUG: sleeping function called from invalid context at mm/slab.h:1",
    "BUG kmalloc-64 (Not tainted): Right Redzone overwritten",
    "ODEBUG: free active (active state 0) object: (ptrval) object type: x",
    "ODEBUG: Out of memory. ODEBUG disabled",
    "kmemleak: Kernel memory leak detector disabled",
    "debugfs: File 'x' in directory 'domains' already present!",
    "sysfs: cannot create duplicate filename '/devices/x'",
    "sh: vmalloc error: size 4096, page order 0, failed to allocate pages",
    "sh: page allocation failure: order:0, mode:0xcc0(GFP_KERNEL)",
  ];
  for (const report of reports) {
    const log = [record("before"), record(report), record("after")].join("\n");
    assert.equal(scanLog(log).length, 1, report);
  }
  const harmless = [
    "Kernel command line: oops=panic",
    "kmemleak: Kernel memory leak detector initialized (mem pool available: 1)",
    "kmemleak: Automatic memory scanning thread started",
    "kmemleak: 1 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
  ];
  for (const text of harmless) assert.deepEqual(scanLog(record(text)), []);
});
