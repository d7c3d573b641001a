// SPDX-License-Identifier: MIT

/**
 * A device whose BAR user space maps, and its model.
 *
 * @module
 */
import { writeFile } from "node:fs/promises";
import {
  type Device,
  type DeviceSpec,
  type Handlers,
  open,
} from "../../mod.ts";
import { functionPath, plain } from "./harness.ts";
import { UserDriver } from "./user_driver.ts";

/** Bytes of a page. */
export const page = 4096;

/** A BAR of a trapped page, a page of memory, a shadow page and memory. */
export const mixed: Partial<DeviceSpec> = {
  bars: [{ size: 4 * page, trap: [[0, page]], shadow: [[2 * page, page]] }],
};

/** A device without a driver in the kernel: that would keep user space out. */
export async function plugAlone(
  spec: Partial<DeviceSpec>,
  handlers: Handlers,
): Promise<AsyncDisposable & { device: Device; address: string }> {
  const device = await open({ ...plain, ...spec });
  const served = device.serve(handlers);
  served.catch(() => {});
  const address = await device.plugged;
  await writeFile(functionPath(address, "enable"), "1");
  return {
    device,
    address,
    async [Symbol.asyncDispose]() {
      await device.unplug();
      await device.gone;
      await served;
    },
  };
}

/** A process that has mapped all of a {@link mixed} BAR, as sysfs has it. */
export const mapped = ({ address }: { address: string }): Promise<UserDriver> =>
  UserDriver.map(functionPath(address, "resource0"), 4 * page);

/** A model that keeps what is written, and a record of who asked. */
export function keeping(): {
  handlers: Handlers;
  view: DataView;
  heard: [string, number, number, number?][];
} {
  const view = new DataView(new ArrayBuffer(4 * page));
  const heard: [string, number, number, number?][] = [];
  const handlers: Handlers = {
    read(offset, width) {
      heard.push(["read", offset, width]);
      if (width === 1) return view.getUint8(offset);
      if (width === 2) return view.getUint16(offset, true);
      return view.getUint32(offset, true);
    },
    write(offset, value, width) {
      heard.push(["write", offset, width, value]);
      if (width === 1) view.setUint8(offset, value);
      else if (width === 2) view.setUint16(offset, value, true);
      else view.setUint32(offset, value, true);
    },
  };
  return { handlers, view, heard };
}

/** BAR 0, as the model has it. */
export const memoryOf = (device: Device): DataView =>
  new DataView(device.bars[0]?.buffer ?? new ArrayBuffer(0));
