// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";
import process from "node:process";
import type { Guest } from "./guest.ts";

/** Largest piece of input for a pipe: what fits when poll(2) says "room". */
const pieceLength = 4096;

/** The key that ends a guest which does not answer any more, pressed thrice. */
const escape = Buffer.from("\x1d\x1d\x1d");

/** Our standard input, given out in pieces as the guest asks for them. */
export interface Input {
  /** The guest has room. */
  want(): void;
  /** Gives the terminal back. */
  close(): void;
}

/**
 * Passes standard input to a guest; with `tty`, the terminal is in raw mode
 * until {@link Input.close}, and its size follows the window's.
 *
 * @example
 * ```ts
 * const input = passInput(() => guest, { tty: false });
 * const guest = startGuest({ machine, initramfs, onWantInput: input.want });
 * ```
 */
export function passInput(
  guest: () => Guest | undefined,
  options: { tty: boolean },
): Input {
  const { stdin, stdout } = process;
  const raw = options.tty && stdin.isTTY;
  let queue: Buffer = Buffer.alloc(0);
  let wanted = false;
  let ended = false;
  let keys: Buffer = Buffer.alloc(0);

  const give = (): void => {
    if (!wanted) return;
    if (queue.length > 0) {
      const piece = queue.subarray(0, options.tty ? 512 : pieceLength);
      queue = queue.subarray(piece.length);
      wanted = false;
      guest()?.input(piece);
    } else if (ended) {
      wanted = false;
      guest()?.input(queue);
    } else {
      stdin.resume();
    }
  };
  const onData = (data: Uint8Array): void => {
    if (raw) {
      keys = Buffer.concat([keys, data]).subarray(-escape.length);
      if (keys.equals(escape)) return guest()?.kill();
    } else {
      stdin.pause();
    }
    queue = Buffer.concat([queue, data]);
    give();
  };
  const onEnd = (): void => {
    ended = true;
    give();
  };
  const onResize = (): void => guest()?.resize(stdout.columns, stdout.rows);

  stdin.on("data", onData);
  stdin.on("end", onEnd);
  stdin.on("error", onEnd);
  if (raw) {
    stdin.setRawMode(true);
    stdout.on("resize", onResize);
  } else {
    stdin.pause();
  }
  return {
    want: () => {
      wanted = true;
      give();
    },
    close: () => {
      stdin.off("data", onData);
      stdin.off("end", onEnd);
      stdin.off("error", onEnd);
      stdout.off("resize", onResize);
      if (raw) stdin.setRawMode(false);
      stdin.pause();
      stdin.unref?.();
    },
  };
}
