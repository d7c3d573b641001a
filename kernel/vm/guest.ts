// SPDX-License-Identifier: GPL-2.0-only

import { spawn } from "node:child_process";
import type { Buffer } from "node:buffer";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Frame, frame, frameSplitter, numberFrame } from "./frames.ts";
import { logLine } from "./log.ts";
import { type Machine, qemuCommand } from "./qemu.ts";

/** A guest to boot: the machine without the paths that exist for one run only. */
export interface GuestOptions {
  readonly machine: Omit<Machine, "initrd" | "socket">;
  readonly initramfs: Uint8Array;
  /** The command starts now. */
  readonly onBegin?: () => void;
  /** The command's output. A promise holds back what comes next. */
  readonly onOutput?: (
    stream: "stdout" | "stderr",
    data: Buffer,
  ) => Promise<void> | void;
  /** The command has room for input: answer with {@link Guest.input}. */
  readonly onWantInput?: () => void;
  /** A line of the kernel's log. */
  readonly onLog?: (line: string) => void;
}

/** How a guest ended. */
export interface GuestEnd {
  /** The command's exit status, if the guest came to tell it. */
  readonly status?: number;
  /** Why the guest itself failed, in init's words. */
  readonly failure?: string;
  /** What came over the serial line: early boot errors, panics. */
  readonly serial: string;
  /** What QEMU said. */
  readonly qemu: string;
}

/** A booted guest. */
export interface Guest {
  /** Settles when QEMU has ended. */
  readonly ended: Promise<GuestEnd>;
  /** Answers one {@link GuestOptions.onWantInput}; empty is the end of input. */
  input(data: Uint8Array): void;
  /** Sends the command and its process group a signal, by number. */
  signal(number: number): void;
  /** Tells the command's terminal its size. */
  resize(columns: number, rows: number): void;
  /** Ends QEMU at once. */
  kill(): void;
}

/**
 * Boots a guest and speaks with its init.
 *
 * @example
 * ```ts
 * const guest = startGuest({ machine, initramfs });
 * const { status } = await guest.ended;
 * ```
 */
export function startGuest(options: GuestOptions): Guest {
  const directory = mkdtempSync(join(tmpdir(), "barkeep-"));
  const socket = join(directory, "frames");
  const initrd = join(directory, "initrd");
  writeFileSync(initrd, options.initramfs);

  const removeFiles = (): void =>
    rmSync(directory, { recursive: true, force: true });

  let connection: Socket | undefined;
  let killed = false;
  let kill = (): void => {
    killed = true;
  };
  let status: number | undefined;
  let failure: string | undefined;

  const take = ({ type, data }: Frame): Promise<void> | void => {
    switch (type) {
      case "k":
        return options.onLog?.(logLine(data.toString()));
      case "b":
        return options.onBegin?.();
      case "o":
        return options.onOutput?.("stdout", data);
      case "e":
        return options.onOutput?.("stderr", data);
      case "w":
        return options.onWantInput?.();
      case "x":
        status = data.readUInt32LE(0);
        return kill();
      case "f":
        failure = data.toString();
        return kill();
    }
  };

  const ended = new Promise<GuestEnd>((resolve, reject) => {
    const server = createServer((accepted) => {
      connection = accepted;
      // QEMU has read its files when the guest speaks; gone now, they cannot
      // be left behind by a process that is killed.
      accepted.once("data", removeFiles);
      // Frames are taken in order; one that takes its time stops the socket.
      let busy: Promise<void> | undefined;
      const split = frameSplitter((next) => {
        const slow = busy ? busy.then(() => take(next)) : take(next);
        if (!slow) return;
        accepted.pause();
        busy = slow;
        slow.then(() => {
          if (busy !== slow) return;
          busy = undefined;
          accepted.resume();
        });
      });
      accepted.on("data", split);
      accepted.on("error", () => {});
    });
    server.on("error", reject);
    server.listen(socket, () => {
      if (killed) {
        server.close();
        removeFiles();
        return resolve({ serial: "", qemu: "" });
      }
      const [program = "", ...args] = qemuCommand({
        ...options.machine,
        initrd,
        socket,
      });
      const qemu = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
      let serial = "";
      let said = "";
      kill = () => {
        qemu.kill("SIGKILL");
      };
      qemu.stdout.on("data", (text) => serial += text);
      qemu.stderr.on("data", (text) => said += text);
      qemu.on("error", (error) => said += error.message);
      qemu.on("close", () => {
        connection?.destroy();
        server.close();
        removeFiles();
        resolve({ status, failure, serial, qemu: said });
      });
    });
  });

  const send = (bytes: Buffer): void => {
    connection?.write(bytes);
  };
  return {
    ended,
    input: (data) => send(frame("i", data)),
    signal: (number) => send(numberFrame("s", number)),
    resize: (columns, rows) => send(numberFrame("r", columns, rows)),
    kill: () => kill(),
  };
}
