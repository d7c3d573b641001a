// SPDX-License-Identifier: MIT

import { header } from "./config_space.ts";
import { hex } from "./errors.ts";

/** A register of config space that the model may not change. */
interface Owned {
  readonly name: string;
  readonly offset: number;
  readonly length: number;
  /** What the host writes; all else stays as it was plugged. */
  readonly hosts?: true;
}

const common: readonly Owned[] = [
  { name: "Vendor ID", offset: header.vendor, length: 2 },
  { name: "Device ID", offset: header.device, length: 2 },
  { name: "Command", offset: header.command, length: 2, hosts: true },
  { name: "Status", offset: header.status, length: 2, hosts: true },
  { name: "Header Type", offset: 0x0e, length: 1 },
  ...Array.from({ length: 6 }, (_, bar) => ({
    name: `BAR ${bar}`,
    offset: 0x10 + 4 * bar,
    length: 4,
    hosts: true as const,
  })),
  { name: "Expansion ROM", offset: 0x30, length: 4, hosts: true },
  { name: "the capability pointer", offset: header.capabilities, length: 1 },
  {
    name: "Interrupt Line",
    offset: header.interruptLine,
    length: 1,
    hosts: true,
  },
  { name: "Interrupt Pin", offset: header.interruptPin, length: 1 },
];

/** More would be a list that bites its tail. */
const capabilitiesMax = 48;

const pm: readonly Owned[] = [
  { name: "PM Capabilities", offset: 2, length: 2 },
  { name: "PM Control/Status", offset: 4, length: 2, hosts: true },
];

const pcie: readonly Owned[] = [
  { name: "PCI Express Capabilities", offset: 2, length: 2 },
  { name: "Device Capabilities", offset: 4, length: 4 },
  { name: "Device Control", offset: 0x08, length: 2, hosts: true },
  { name: "Link Control", offset: 0x10, length: 2, hosts: true },
];

/** Version 1 of the capability has not these. */
const pcie2: readonly Owned[] = [
  ...pcie,
  { name: "Device Control 2", offset: 0x28, length: 2, hosts: true },
  { name: "Link Control 2", offset: 0x30, length: 2, hosts: true },
];

/** What is not the model's in a capability, by its ID and what follows that. */
function partsOf(id: number, control: number): readonly Owned[] {
  if (id === 0x01) return pm;
  if (id === 0x10) return (control & 0xf) < 2 ? pcie : pcie2;
  if (id !== 0x05) return [];
  const end = 10 + (control & 1 << 7 ? 4 : 0) + (control & 1 << 8 ? 10 : 0);
  return [
    { name: "the MSI capability", offset: 2, length: end - 2, hosts: true },
  ];
}

function owned(image: DataView): Owned[] {
  const all = [...common];
  let at = image.getUint8(header.capabilities);
  for (let left = capabilitiesMax; at !== 0 && left > 0; left--) {
    const start = at;
    const id = image.getUint8(start);
    const name = `ID and next pointer of capability ${hex(id)}`;
    all.push({ name, offset: start, length: 2 });
    for (const part of partsOf(id, image.getUint16(start + 2, true))) {
      all.push({ ...part, offset: start + part.offset });
    }
    at = image.getUint8(start + 1) & ~3;
  }
  return all;
}

/**
 * Says which register a refused write would have changed, and whose it is.
 *
 * @param image The first 256 bytes of config space, as they are.
 * @param write Some bytes, and where they were to go.
 */
export function whyRefused(
  image: DataView,
  { offset, bytes }: { offset: number; bytes: Uint8Array },
): string {
  const found = owned(image).find(({ offset: first, length }) =>
    bytes.some((byte, index) => {
      const at = offset + index;
      return at >= first && at < first + length && byte !== image.getUint8(at);
    })
  );
  if (!found) return "it would change what is not the model's";
  const { name, offset: first, length, hosts } = found;
  const last = first + length - 1;
  const place = length === 1 ? hex(first) : `${hex(first)} to ${hex(last)}`;
  return `it would change ${name} (${place}), which ` +
    (hosts ? "belongs to the host" : "stays as it was plugged");
}
