// SPDX-License-Identifier: MIT

import { abi } from "./abi.ts";
import type { EventBase, FaultEvent, NoticeEvent } from "./events.ts";
import type { RegisterPlace } from "./register_events.ts";
import type { Ring } from "./ring.ts";

const undecodable = { reason: "undecodable" } as const;

const faults: Record<number, Pick<FaultEvent, "reason" | "access">> = {
  [abi.FAULT_READ_TIMEOUT]: { reason: "timeout", access: "read" },
  [abi.FAULT_WRITE_TIMEOUT]: { reason: "timeout", access: "write" },
  [abi.FAULT_UNDECODABLE]: undecodable,
  [abi.FAULT_LINK]: { reason: "link" },
  [abi.FAULT_MEMORY]: { reason: "memory", access: "write" },
};

const decoders: Record<
  number,
  (ring: Ring, place?: RegisterPlace) => NoticeEvent
> = {
  [abi.EVENT_CONFIG]: (ring) => ({
    kind: "config",
    offset: ring.offset(),
    value: ring.value(0) >>> 0,
    ...base(ring),
  }),
  [abi.EVENT_COMMAND]: (ring) => {
    const value = ring.value(0);
    return {
      kind: "command",
      value,
      memory: (value & 1 << 1) !== 0,
      busMaster: (value & 1 << 2) !== 0,
      interruptDisable: (value & 1 << 10) !== 0,
      ...base(ring),
    };
  },
  [abi.EVENT_POWER]: (ring) => ({
    kind: "power",
    state: ring.value(0),
    ...base(ring),
  }),
  [abi.EVENT_RESET]: (ring) => ({
    kind: "reset",
    cause: ring.value(0) === abi.RESET_FLR ? "flr" : "d3hot",
    ...base(ring),
  }),
  [abi.EVENT_VECTOR]: (ring) => ({
    kind: "vector",
    enabled: ring.value(0),
    ...base(ring),
  }),
  [abi.EVENT_FAULT]: (ring, place) => ({
    kind: "fault",
    ...(faults[ring.value(0)] ?? undecodable),
    bar: ring.shape() >>> 16 & 0xff,
    offset: ring.offset(),
    width: ring.shape() >>> 24,
    ...place,
    ...base(ring),
  }),
  [abi.EVENT_PLUGGED]: (ring) => ({ kind: "plugged", ...base(ring) }),
  [abi.EVENT_UNPLUGGED]: (ring) => ({ kind: "unplugged", ...base(ring) }),
};

function base(ring: Ring): EventBase {
  return { time: ring.time(), cpu: ring.cpu() };
}

/**
 * Decodes the event at the head, unless it is an access or of no known kind.
 *
 * @param place The register that it names, if it is one.
 */
export function decodeNotice(
  ring: Ring,
  place?: RegisterPlace,
): NoticeEvent | undefined {
  return decoders[ring.shape() & 0xffff]?.(ring, place);
}
