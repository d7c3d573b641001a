// SPDX-License-Identifier: MIT

/**
 * Pages of a BAR that the machine has no memory for.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { guestTest, plug } from "./harness.ts";

/** While it lives, a process gets no page that it would not wait for. */
class NoPages implements Disposable {
  readonly #process: string;

  constructor(pid: number) {
    this.#process = `/proc/${pid}/make-it-fail`;
    const settings = {
      "task-filter": "Y",
      "ignore-gfp-wait": "Y",
      "min-order": "0",
      verbose: "0",
      times: "-1",
      probability: "100",
    };
    for (const [name, value] of Object.entries(settings)) {
      writeFileSync(`/sys/kernel/debug/fail_page_alloc/${name}`, value);
    }
    writeFileSync(this.#process, "1");
  }

  [Symbol.dispose](): void {
    writeFileSync(this.#process, "0");
    writeFileSync("/sys/kernel/debug/fail_page_alloc/probability", "0");
  }
}

const bars = [{ size: 64 * 1024, trap: [] }] as const;

guestTest(
  "a write that no page can be had for is lost, told, and harms no other",
  async () => {
    await using card = await plug({ bars });
    const { device, driver } = card;
    const shared = new DataView(device.bars[0].buffer);
    for (const [page, context] of (["atomic", "off"] as const).entries()) {
      const offset = 0x1000 * page + 0x1008;
      {
        using _ = new NoPages(driver.pid);
        assert.equal(await driver.read(offset, 4, { context }), 0);
        await driver.write(offset, 0xbad, { context });
      }
      const fault = await card.told(
        "fault",
        (event) => event.offset === offset,
      );
      assert.deepEqual([fault.reason, fault.access], ["memory", "write"]);
      assert.deepEqual([fault.bar, fault.width], [0, 4]);
      assert.equal(await driver.read(offset, 4, { context }), 0);
      await driver.write(offset, 0x600d, { context });
      assert.equal(shared.getUint32(offset, true), 0x600d);
    }
  },
  { kernel: "debug" },
);

guestTest(
  "a driver that may sleep waits for the page of its write",
  async () => {
    await using card = await plug({ bars });
    const { device, driver } = card;
    {
      using _ = new NoPages(driver.pid);
      await driver.write(0x2004, 0x600d);
      assert.equal(await driver.read(0x2004), 0x600d);
    }
    const shared = new DataView(device.bars[0].buffer);
    assert.equal(shared.getUint32(0x2004, true), 0x600d);
    assert.deepEqual(card.notices.filter(({ kind }) => kind === "fault"), []);
  },
  { kernel: "debug" },
);
