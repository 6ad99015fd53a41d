// The guide's tables are what docs/footprint.json says, which the checks on real runtimes measure.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { costTable, deviceTable, type Footprint } from "../../host/pack/costs.js";
import { root } from "../paths.js";

const file = join(root, "docs", "wamr.md");

/** The guide with its generated parts made anew. */
function regenerated(guide: string): string {
  const footprint = JSON.parse(readFileSync(join(root, "docs", "footprint.json"), "utf8")) as Footprint;
  const sizes: Record<string, number> = footprint.library;
  const each = (table: (module: string) => string) =>
    Object.keys(footprint.modules)
      .map((module) => `\`${module}.wasm\`:\n\n${table(module)}\n`)
      .join("\n");
  const parts: Record<string, string> = {
    ways: each((module) => costTable(footprint, module)),
    device: each((module) => deviceTable(footprint, module)),
  };
  let found = 0;
  const tables = guide.replace(/(<!-- generated: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, head, name: string, end) => {
    found++;
    return `${head}${parts[name] ?? assert.fail(`docs/wamr.md: no such table: ${name}`)}\n${end}`;
  });
  assert.equal(found, Object.keys(parts).length, "docs/wamr.md lacks a place for a generated table");
  return tables.replace(
    /(<!-- bytes: (\w+) -->)\d+(?=<!-- end -->)/g,
    (_, head, name: string) => `${head}${sizes[name] ?? assert.fail(`docs/wamr.md: no such size: ${name}`)}`,
  );
}

test("the tables of docs/wamr.md are those of docs/footprint.json", () => {
  const expected = regenerated(readFileSync(file, "utf8"));
  if (process.env.FOOTPRINT === "write") writeFileSync(file, expected);
  assert.equal(readFileSync(file, "utf8"), expected, "run FOOTPRINT=write npm test, and commit docs/wamr.md");
});

test("the sums of the device are those of its parts", () => {
  const guide = readFileSync(file, "utf8");
  const tables = guide.split("| bytes | classic: flash |").slice(1);
  assert.ok(tables.length > 0);
  for (const table of tables) {
    const rows = table
      .slice(0, table.indexOf("\n\n"))
      .split("\n")
      .filter((row) => row.startsWith("| "))
      .map((row) =>
        row
          .split(" | ")
          .slice(-4)
          .map((cell) => Number(cell.replace(/[|*\s]/g, ""))),
      );
    const sum = rows.pop()!;
    // over CoAP there is no TLS, which takes two lines
    assert.ok(rows.length >= (table.includes("`agent-coap.wasm`") ? 5 : 7) && sum.every((bytes) => bytes > 50_000));
    assert.deepEqual(
      sum,
      [0, 1, 2, 3].map((column) => rows.reduce((total, row) => total + row[column]!, 0)),
    );
  }
});

test("a board supplies sixteen functions, and the guide tells of each", () => {
  const port = readFileSync(join(root, "host", "wamr", "port.h"), "utf8");
  const declared = [...port.matchAll(/^\w+ (alink_port_\w+)\(/gm)].map(([, name]) => name!);
  const told = [...readFileSync(file, "utf8").matchAll(/^\| `(alink_port_\w+)` \|/gm)].map(([, name]) => name!);
  assert.equal(declared.length, 16);
  assert.deepEqual(told.sort(), declared.sort());
});
