// SPDX-License-Identifier: GPL-2.0-only

/** How QEMU runs the guest's instructions. */
export type Accelerator = "kvm" | "tcg";

/** What one guest looks like to QEMU. */
export interface Machine {
  readonly accelerator: Accelerator;
  /** One instruction is one nanosecond of the guest's clock; TCG only. */
  readonly icount?: boolean;
  readonly cpus: number;
  /** MiB */
  readonly memory: number;
  readonly image: string;
  readonly initrd: string;
  /** Unix socket that carries the frames. */
  readonly socket: string;
  /** Added to the kernel command line. */
  readonly append: readonly string[];
  /** Added to QEMU's arguments. */
  readonly extra: readonly string[];
}

/**
 * Fast string operations are slow in TCG, and kernels that see them use them. A
 * cmpxchg16b that fails leaves garbage flags there now and then (QEMU 7.2); the
 * slab allocator has another way.
 */
const cpu: Record<Accelerator, string> = {
  kvm: "host",
  tcg: "max,-erms,-fsrm,-cx16",
};

const accel: Record<Accelerator, string> = {
  kvm: "kvm",
  tcg: "tcg,thread=multi",
};

const cmdline: readonly string[] = [
  "console=ttyS0",
  // The log goes out through the port; the serial line is for what kills that.
  "quiet",
  "log_buf_len=4M",
  // With -no-reboot, a panic ends QEMU; an oops would leave a half-dead guest.
  "panic=-1",
  "oops=panic",
  // Page-table isolation alone doubles the time a TCG guest takes to boot.
  "mitigations=off",
  "tsc=reliable",
  "no_timer_check",
  "random.trust_cpu=on",
  "i8042.noaux",
  "i8042.nokbd",
  "cryptomgr.notests",
  "rdinit=/init",
];

/**
 * The command that runs a guest. It dies with the process that started it,
 * however that one ends, and sits in a session of its own, so that the
 * terminal's Ctrl-C reaches the guest's command and not QEMU.
 */
export function qemuCommand(machine: Machine): string[] {
  return [
    "setsid",
    "setpriv",
    "--pdeathsig",
    "KILL",
    "qemu-system-x86_64",
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-machine",
    "q35",
    "-accel",
    // Instructions can be counted on one thread only.
    ...(machine.icount
      ? ["tcg,thread=single", "-icount", "shift=0"]
      : [accel[machine.accelerator]]),
    "-cpu",
    cpu[machine.accelerator],
    "-smp",
    String(machine.cpus),
    "-m",
    String(machine.memory),
    "-kernel",
    machine.image,
    "-initrd",
    machine.initrd,
    "-append",
    [...cmdline, ...machine.append].join(" "),
    "-chardev",
    "stdio,id=serial,signal=off",
    "-serial",
    "chardev:serial",
    "-device",
    "virtio-serial-pci",
    "-chardev",
    `socket,id=frames,path=${machine.socket}`,
    "-device",
    "virtserialport,chardev=frames,name=barkeep",
    "-fsdev",
    "local,id=root,path=/,readonly=on,security_model=none,multidevs=remap",
    "-device",
    "virtio-9p-pci,fsdev=root,mount_tag=root",
    ...machine.extra,
  ];
}
