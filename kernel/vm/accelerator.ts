// SPDX-License-Identifier: GPL-2.0-only

import {
  accessSync,
  constants,
  existsSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { cachePath } from "./cache.ts";
import { startGuest } from "./guest.ts";
import { initramfs } from "./initramfs.ts";
import type { Kernel } from "./packages.ts";
import { say } from "./process.ts";
import type { Accelerator } from "./qemu.ts";
import { bootImage } from "./vmlinux.ts";

/** A working KVM boots the probe in about one second. */
const probeLimit = 6000;

/**
 * KVM where a stock guest really boots with it, else TCG. `/dev/kvm` opens on
 * machines where a guest then hangs (nested ones without hardware behind
 * them), so this boots one, once for every boot of the host.
 *
 * @example
 * ```ts
 * const machine = { accelerator: await accelerator(kernel), ... };
 * ```
 */
export async function accelerator(kernel: Kernel): Promise<Accelerator> {
  if (!mayOpen("/dev/kvm")) return "tcg";
  const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  const note = cachePath(`kvm-${boot}`);
  if (existsSync(note)) {
    return readFileSync(note, "utf8") === "kvm" ? "kvm" : "tcg";
  }
  say("trying whether KVM works here (once)");
  const found = await boots(kernel) ? "kvm" : "tcg";
  if (found === "tcg") say("it does not; emulating the CPU instead");
  writeFileSync(note, found);
  return found;
}

function mayOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function boots(kernel: Kernel): Promise<boolean> {
  const guest = startGuest({
    machine: {
      accelerator: "kvm",
      cpus: 2,
      memory: 512,
      image: await bootImage(kernel),
      append: [],
      extra: [],
    },
    initramfs: await initramfs(kernel, {
      command: ["/bin/true"],
      env: {},
      cwd: "/",
      input: false,
    }),
  });
  const timer = setTimeout(() => guest.kill(), probeLimit);
  const { status } = await guest.ended;
  clearTimeout(timer);
  return status === 0;
}
