// SPDX-License-Identifier: MIT

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { cases } from "./guest/all.ts";

const directory = new URL("./guest/", import.meta.url);

const text = (file: string): string =>
  readFileSync(new URL(file, directory), "utf8");

test("all.ts lists every file in which there are cases", () => {
  const listed = text("all.ts").matchAll(/^import "\.\/(.*)";$/gm);
  const files = readdirSync(directory).filter((file) =>
    file.endsWith(".ts") && /^ *guestTest\(/m.test(text(file))
  );
  assert.deepEqual([...listed].map(([, file]) => file).sort(), files.sort());
});

test("no two cases have one name", () => {
  const names = cases.map(({ name }) => name);
  const again = names.filter((name, at) => names.indexOf(name) !== at);
  assert.deepEqual(again, []);
});
