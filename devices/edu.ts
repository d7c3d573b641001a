// SPDX-License-Identifier: MIT

/**
 * QEMU's educational PCI device: a card that students write their first driver
 * for. Facts from QEMU's docs/specs/edu.rst, and what hw/misc/edu.c does where
 * that is silent.
 *
 * BAR 0, 1 MiB. Registers below 0x80 take accesses of 4 bytes, those from there
 * on of 4 or 8; any other access reads as all-ones or is ignored. Accesses of
 * 1 and 2 bytes do not come to the device at all: they read as 0.
 *
 * | offset | access | register                                               |
 * | ------ | ------ | ------------------------------------------------------ |
 * | 0x00   | ro     | identification: 0xRRrr00ed, version RR.rr              |
 * | 0x04   | rw     | liveness: reads as the inverse of what was written     |
 * | 0x08   | rw     | factorial: of what was written, modulo 2^32            |
 * | 0x20   | rw     | status: 0x01 computing (ro), 0x80 interrupt when done  |
 * | 0x24   | ro     | interrupt status: values that raised the interrupt     |
 * | 0x60   | wo     | interrupt raise: ORed into the interrupt status        |
 * | 0x64   | wo     | interrupt acknowledge: cleared from it                 |
 * | 0x80   | rw     | DMA source address                                     |
 * | 0x88   | rw     | DMA destination address                                |
 * | 0x90   | rw     | DMA transfer count, in bytes                           |
 * | 0x98   | rw     | DMA command: 0x01 start, and busy; 0x02 to host memory |
 * |        |        | (else from it); 0x04 interrupt 0x100 when done         |
 *
 * DMA is between host memory, at addresses of 28 bits, and the device's buffer
 * of 4096 bytes, which has its place at 0x40000 in DMA addresses only. The DMA
 * registers cannot be written while a transfer runs.
 *
 * ```sh
 * bun devices/edu.ts
 * ```
 *
 * @module
 */
import {
  type Device,
  DmaFault,
  type Handlers,
  IrqRefused,
  type Model,
  msi,
  serve,
} from "../mod.ts";

const identification = 0x010000ed;
const allOnes = 0xffffffff;
const allOnes64 = 0xffffffffffffffffn;

const computing = 0x01;
const interruptWhenComputed = 0x80;
const factorialInterrupt = 0x001;
const dmaInterrupt = 0x100;

const run = 0x1n;
const toHost = 0x2n;
const interruptWhenCopied = 0x4n;

const bufferStart = 0x40000n;
const bufferSize = 4096;
const addressMask = (1n << 28n) - 1n;

/** Milliseconds that a transfer takes; QEMU's takes 100. */
const transferTime = 1;

/** The behaviour of one card. */
function attach({ irq, dma }: Device): Handlers {
  let liveness = 0;
  let factorial = 0;
  let status = 0;
  let interruptStatus = 0;
  // By offset; 64 bits wide, and the rest of the device has 32.
  const transfer = { 0x80: 0n, 0x88: 0n, 0x90: 0n, 0x98: 0n };
  const buffer = new Uint8Array(bufferSize);
  const timers = new Set<ReturnType<typeof setTimeout>>();

  function later(work: () => void, milliseconds: number): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, milliseconds);
    timers.add(timer);
  }

  function raise(value: number): void {
    interruptStatus = (interruptStatus | value) >>> 0;
    if (interruptStatus === 0) return;
    try {
      if (irq.vectors > 0) irq.raise(0);
      else irq.assert();
    } catch (error) {
      // A message that the driver does not let out is lost, as on any card.
      if (!(error instanceof IrqRefused)) throw error;
    }
  }

  function acknowledge(value: number): void {
    interruptStatus = (interruptStatus & ~value) >>> 0;
    if (interruptStatus === 0 && irq.vectors === 0) irq.deassert();
  }

  function compute(value: number): void {
    if (status & computing) return;
    factorial = value;
    status |= computing;
    later(() => {
      let product = 1;
      for (let factor = value; factor > 0 && product !== 0; factor--) {
        product = Math.imul(product, factor);
      }
      factorial = product >>> 0;
      status &= ~computing;
      if (status & interruptWhenComputed) raise(factorialInterrupt);
    }, 0);
  }

  function copy(): void {
    const [source, destination, count] = [
      transfer[0x80],
      transfer[0x88],
      transfer[0x90],
    ];
    const outwards = (transfer[0x98] & toHost) !== 0n;
    const start = (outwards ? source : destination) - bufferStart;
    const address = Number((outwards ? destination : source) & addressMask);
    try {
      if (start < 0n || start + count > bufferSize) {
        throw new RangeError(
          `DMA of ${count} bytes at 0x${(start + bufferStart).toString(16)}` +
            " is outside the buffer at 0x40000 to 0x40fff",
        );
      }
      const part = buffer.subarray(Number(start), Number(start + count));
      if (outwards) dma.write(address, part);
      else part.set(dma.read(address, part.length));
    } catch (error) {
      // The driver's mistake: the transfer ends, and nothing was copied.
      if (!(error instanceof DmaFault || error instanceof RangeError)) {
        throw error;
      }
      console.error(`edu: ${error.message}`);
    }
    transfer[0x98] &= ~run;
    if (transfer[0x98] & interruptWhenCopied) raise(dmaInterrupt);
  }

  function writeTransfer(offset: number, value: bigint): void {
    if (!isTransfer(offset) || transfer[0x98] & run) return;
    if (offset === 0x98 && !(value & run)) return;
    transfer[offset] = value;
    if (offset === 0x98) later(copy, transferTime);
  }

  return {
    read(offset, width) {
      if (width !== 4) return 0;
      switch (offset) {
        case 0x00:
          return identification;
        case 0x04:
          return liveness;
        case 0x08:
          return factorial;
        case 0x20:
          return status;
        case 0x24:
          return interruptStatus;
      }
      if (!isTransfer(offset)) return allOnes;
      return Number(BigInt.asUintN(32, transfer[offset]));
    },
    read64: (offset) => isTransfer(offset) ? transfer[offset] : allOnes64,
    write(offset, value, width) {
      if (width !== 4) return;
      switch (offset) {
        case 0x04:
          liveness = ~value >>> 0;
          break;
        case 0x08:
          compute(value);
          break;
        case 0x20:
          status = status & computing | value & interruptWhenComputed;
          break;
        case 0x60:
          raise(value);
          break;
        case 0x64:
          acknowledge(value);
          break;
        default:
          writeTransfer(offset, BigInt(value));
      }
    },
    write64: writeTransfer,
    // There is no reset: no capability of this card lets a host ask for one.
    unplugged() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

type Transfer = 0x80 | 0x88 | 0x90 | 0x98;

function isTransfer(offset: number): offset is Transfer {
  return offset === 0x80 || offset === 0x88 || offset === 0x90 ||
    offset === 0x98;
}

/** The card, for {@link serve} or for tests. */
export const edu: Model = {
  id: {
    vendor: 0x1234,
    device: 0x11e8,
    subsystemVendor: 0x1af4,
    subsystem: 0x1100,
    revision: 0x10,
    class: 0x00ff00,
  },
  bars: [{ size: 1 << 20, width: 8 }],
  capabilities: [msi()],
  interruptPin: "A",
  driver: "edu",
  attach,
};

if (import.meta.main) await serve(edu);
