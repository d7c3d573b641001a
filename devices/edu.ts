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
  bit,
  type Device,
  DmaFault,
  type Handlers,
  IrqRefused,
  type Model,
  msi,
  on,
  registers,
  serve,
} from "../mod.ts";

const allOnes = 0xffffffff;
const exact = true;
const asked = { access: "wo", reset: allOnes, wait: "write", exact } as const;
const transfer = {
  width: 8,
  access: "ro",
  wait: "read",
  tell: "write",
} as const;

const map = registers({
  // 0xRRrr00ed, of version RR.rr.
  identification: { at: 0x00, access: "ro", reset: 0x010000ed, exact },
  // Reads as the inverse of what was written.
  liveness: { at: 0x04, wait: "write", exact },
  // Of what was written, modulo 2^32.
  factorial: { at: 0x08, access: "ro", wait: "write", exact },
  // Whether to interrupt when it is computed.
  status: {
    at: 0x20,
    fields: { computing: bit(0, "ro"), interrupt: bit(7) },
    exact,
  },
  // Values that raised the interrupt, ORed, until they are acknowledged.
  interruptStatus: { at: 0x24, access: "ro", exact },
  interruptRaise: { at: 0x60, ...asked },
  interruptAcknowledge: { at: 0x64, ...asked },
  source: { at: 0x80, ...transfer },
  destination: { at: 0x88, ...transfer },
  count: { at: 0x90, ...transfer },
  // Starts, and is busy; to host memory, or from it; interrupts when done.
  command: {
    at: 0x98,
    ...transfer,
    fields: { run: bit(0), toHost: bit(1), interrupt: bit(2) },
  },
});
const bars = [{ size: 1 << 20, registers: map }] as const;

const factorialInterrupt = 0x001;
const dmaInterrupt = 0x100;

const bufferStart = 0x40000n;
const bufferSize = 4096;
const addressMask = (1n << 28n) - 1n;

/** Milliseconds that a transfer takes; QEMU's takes 100. */
const transferTime = 1;

/** The behaviour of one card. */
function attach(
  { bars: [{ registers: regs }], irq, dma }: Device<typeof bars>,
): Handlers {
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
    regs.interruptStatus.set(value);
    if (regs.interruptStatus.value === 0) return;
    try {
      if (irq.vectors > 0) irq.raise(0);
      else irq.assert();
    } catch (error) {
      // A message that the driver does not let out is lost, as on any card.
      if (!(error instanceof IrqRefused)) throw error;
    }
  }

  function acknowledge(value: number): void {
    regs.interruptStatus.clear(value);
    if (regs.interruptStatus.value === 0 && irq.vectors === 0) irq.deassert();
  }

  function compute(value: number): void {
    if (regs.status.computing) return;
    regs.factorial.value = value;
    regs.status.computing = 1;
    later(() => {
      let product = 1;
      for (let factor = value; factor > 0 && product !== 0; factor--) {
        product = Math.imul(product, factor);
      }
      regs.factorial.value = product;
      regs.status.computing = 0;
      if (regs.status.interrupt) raise(factorialInterrupt);
    }, 0);
  }

  function copy(): void {
    const { toHost, interrupt } = regs.command;
    const count = regs.count.value;
    const [source, destination] = [regs.source.value, regs.destination.value];
    const start = (toHost ? source : destination) - bufferStart;
    const address = (toHost ? destination : source) & addressMask;
    try {
      if (start < 0n || start + count > bufferSize) {
        throw new RangeError(
          `DMA of ${count} bytes at 0x${(start + bufferStart).toString(16)}` +
            " is outside the buffer at 0x40000 to 0x40fff",
        );
      }
      const part = buffer.subarray(Number(start), Number(start + count));
      if (toHost) dma.write(address, part);
      else part.set(dma.read(address, part.length));
    } catch (error) {
      // The driver's mistake: the transfer ends, and nothing was copied.
      if (!(error instanceof DmaFault || error instanceof RangeError)) {
        throw error;
      }
      console.error(`edu: ${error.message}`);
    }
    regs.command.run = 0;
    if (interrupt) raise(dmaInterrupt);
  }

  on(regs.liveness, (value) => void (regs.liveness.value = ~value));
  on(regs.factorial, compute);
  on(regs.interruptRaise, raise);
  on(regs.interruptAcknowledge, acknowledge);
  const { source, destination, count, command } = regs;
  for (const register of [source, destination, count, command]) {
    on(register, {
      read(_index, bytes) {
        if (bytes === 0xf0) return -1n;
        return bytes === 0xff || bytes === 0x0f ? register.value : 0n;
      },
      write(value, _index, bytes) {
        if (bytes !== 0xff && bytes !== 0x0f || command.run) return;
        if (register === command && !(value & 1n)) return;
        register.value = value;
        if (register === command) later(copy, transferTime);
      },
    });
  }
  return {
    // There is no reset: no capability of this card lets a host ask for one.
    read: (_offset, width) => width < 4 ? 0 : allOnes,
    unplugged() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

/** The card, for {@link serve} or for tests. */
export const edu: Model<typeof bars> = {
  id: {
    vendor: 0x1234,
    device: 0x11e8,
    subsystemVendor: 0x1af4,
    subsystem: 0x1100,
    revision: 0x10,
    class: 0x00ff00,
  },
  bars,
  capabilities: [msi()],
  interruptPin: "A",
  driver: "edu",
  attach,
};

if (import.meta.main) await serve(edu);
