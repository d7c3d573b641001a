// SPDX-License-Identifier: GPL-2.0-only

import { Buffer } from "node:buffer";

/**
 * What goes over the guest's one port: a type byte, a little-endian 32-bit
 * length, the payload. init.c is the other end.
 */
export interface Frame {
  readonly type: FrameType;
  readonly data: Buffer;
}

/**
 * From the guest: `k` kernel log record, `b` the command begins, `o` its
 * standard output, `e` its standard error, `w` it has room for input, `x` exit
 * status, `f` why the guest failed. To the guest: `i` input, `s` signal, `r`
 * size of the terminal.
 */
export type FrameType = "k" | "b" | "o" | "e" | "w" | "x" | "f";

const header = 5;

/**
 * Cuts what arrives into frames.
 *
 * @example
 * ```ts
 * const split = frameSplitter((frame) => console.log(frame.type));
 * socket.on("data", split);
 * ```
 */
export function frameSplitter(
  take: (frame: Frame) => void,
): (chunk: Uint8Array) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length ? Buffer.concat([rest, chunk]) : Buffer.from(chunk);
    while (rest.length >= header) {
      const end = header + rest.readUInt32LE(1);
      if (rest.length < end) return;
      const type = String.fromCharCode(rest.readUInt8(0)) as FrameType;
      const data = rest.subarray(header, end);
      rest = rest.subarray(end);
      take({ type, data });
    }
  };
}

/** A frame for the guest. */
export function frame(type: "i" | "s" | "r", data: Uint8Array): Buffer {
  const bytes = Buffer.alloc(header + data.length);
  bytes.write(type, 0);
  bytes.writeUInt32LE(data.length, 1);
  bytes.set(data, header);
  return bytes;
}

/** A frame for the guest that carries numbers. */
export function numberFrame(type: "s" | "r", ...numbers: number[]): Buffer {
  const data = Buffer.alloc(4 * numbers.length);
  numbers.forEach((number, index) => data.writeUInt32LE(number, 4 * index));
  return frame(type, data);
}
