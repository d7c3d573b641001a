// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { test } from "node:test";
import type { KnownKeys } from "../ffi/registers.ts";
import {
  type Device,
  type Model,
  on,
  open,
  type RegisterArray,
  type RegisterOf,
  type Registers,
  serve,
} from "../mod.ts";
import { id, map, spec } from "./register_map.ts";
import { same } from "./same.ts";

test("a map types its registers, to the field", () => {
  type Regs = Registers<typeof map.specs>;
  same<
    keyof Regs,
    "id" | "status" | "flags" | "level" | "address" | "queue"
  >(true);
  same<Regs["id"]["value"], number>(true);
  same<Regs["address"]["value"], bigint>(true);
  same<Parameters<Regs["address"]["set"]>, [mask: bigint]>(true);
  same<
    keyof Regs["status"],
    "value" | "set" | "clear" | "computing" | "mode" | "interrupt"
  >(true);
  same<Regs["status"]["mode"], number>(true);
  same<Regs["address"]["enable"], number>(true);
  same<Regs["address"]["low"], number>(true);
  same<Regs["address"]["page"], bigint>(true);
  type Queue = (typeof map.specs)["queue"];
  same<Regs["queue"], RegisterArray<RegisterOf<Queue>>>(true);
  same<ReturnType<Regs["queue"]["at"]>["value"], number>(true);
});

test("a key of a register that means nothing is no type", () => {
  type Typo = { a: { at: 0; rest: 3 }; b: { at: 4; reset: 3 } };
  same<
    KnownKeys<Typo>,
    { a: { rest: never }; b: Record<never, never> }
  >(true);
});

test("open() and serve() give a model its registers typed", () => {
  const opened = async (): Promise<void> => {
    await using device = await open({
      id,
      bars: [{ size: 4096 }, null, { size: 8192, registers: map }],
    });
    same<keyof (typeof device.bars)[0], "buffer">(true);
    device.bars[2].registers.status.computing = 1;
    on(device.bars[2].registers.queue, (value, index) => {
      same<[typeof value, typeof index], [number, number]>(true);
    });
  };
  const nothingReturned = (): Promise<void> =>
    serve({
      ...spec,
      attach({ bars: [{ registers }] }) {
        registers.status.computing = 1;
      },
    });
  assert.equal(typeof nothingReturned, "function");
  const served = (): Promise<void> =>
    serve({
      ...spec,
      attach({ bars: [{ registers }] }) {
        on(registers.address, {
          write(value) {
            same<typeof value, bigint>(true);
          },
        });
        registers.address.page = 5n;
        return { read: () => registers.status.mode };
      },
    });
  assert.equal(typeof opened, typeof served);
});

test("a device types its BARs by their maps", () => {
  type Bars = Device<typeof spec.bars>["bars"];
  same<Bars[0]["registers"], Registers<typeof map.specs>>(true);
  same<keyof Bars[1], "buffer">(true);
  same<keyof Device["bars"][0], "buffer">(true);
  const model = {
    ...spec,
    attach({ bars: [{ registers }] }) {
      same<typeof registers, Registers<typeof map.specs>>(true);
      return { read: () => registers.id.value };
    },
  } satisfies Model<typeof spec.bars>;
  const any: Model = model;
  assert.equal(any.id, id);
});
