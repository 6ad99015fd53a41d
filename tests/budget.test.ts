// What the module may cost: bytes of the file, bytes of memory, and the table of both in docs/ram.md.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Agent } from "../host/agent.js";
import { readArena } from "../host/size/arena.js";
import { readTarget } from "../host/size/compiler.js";
import { root, wasm } from "./paths.js";

/** Largest file, bytes. Raise it together with the change that needs the room, and say there what the room is for. */
const FILE_LIMIT = 49 * 1024;
/** Largest static memory, bytes: design.md "RAM". */
const MEMORY_LIMIT = 28 * 1024;

const bytes = readFileSync(wasm("agent"));
const agent = await Agent.create(await WebAssembly.compile(bytes));
const memory = agent.exports.__heap_base.value;

test("the module fits its file budget", () => {
  const message = `build/agent.wasm has ${bytes.length} bytes, its budget is ${FILE_LIMIT}`;
  assert.ok(bytes.length <= FILE_LIMIT, `${message}: make it smaller, or raise FILE_LIMIT in tests/budget.test.ts`);
  const slack = FILE_LIMIT - bytes.length;
  assert.ok(slack < 2048, `${message}: lower FILE_LIMIT in tests/budget.test.ts, so that growth is noticed`);
});

test("the module imports nothing, starts nothing, and its memory cannot grow", () => {
  const module = new WebAssembly.Module(bytes);
  assert.deepEqual(WebAssembly.Module.imports(module), []);
  assert.equal(agent.exports.memory.buffer.byteLength, 65536);
  assert.throws(() => agent.exports.memory.grow(1), RangeError);
});

test("static memory stays inside its budget", () => {
  assert.ok(memory <= MEMORY_LIMIT, `__heap_base is ${memory}, at most ${MEMORY_LIMIT} bytes are possible`);
});

async function table(): Promise<string> {
  const all = await readArena(root, "assembly/arena.ts", readTarget(root, "agent")!);
  const sum = all.reduce((total, { bytes }) => total + bytes, 0);
  const lines = [
    "# RAM of agent.wasm",
    "",
    "Every static structure and buffer of the module. Generated from `assembly/arena.ts` by `tests/budget.test.ts`; to bring it",
    "up to date: `RAM_TABLE=write npm test`. Nothing is allocated while the module runs, so this is all there is beside the",
    "runtime's own needs.",
    "",
    "| name | bytes | what for |",
    "|---|---:|---|",
  ];
  let group = "";
  for (const buffer of all) {
    if (buffer.group !== group) lines.push(`| | | **${buffer.group}** |`);
    group = buffer.group;
    lines.push(`| ${buffer.name} | ${buffer.bytes} | ${buffer.purpose.replaceAll("|", "\\|")} |`);
  }
  lines.push(`| literals, tables, alignment | ${memory - sum} | what the compiler places beside the arena |`);
  lines.push(`| **total** (\`__heap_base\`) | **${memory}** | at most ${MEMORY_LIMIT} |`, "");
  return lines.join("\n");
}

test("docs/ram.md is what the arena says", async () => {
  const expected = await table();
  const file = join(root, "docs", "ram.md");
  if (process.env.RAM_TABLE === "write") writeFileSync(file, expected);
  const actual = readFileSync(file, "utf8");
  assert.equal(actual, expected, "docs/ram.md is not up to date: run RAM_TABLE=write npm test, and commit it");
});
