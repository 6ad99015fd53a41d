// What the module may cost: bytes of the file, bytes of memory, and the table of both in docs/ram.md.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { Agent } from "../host/agent.js";
import { root, wasm } from "./paths.js";

/** Largest file, bytes. Raise it together with the change that needs the room, and say there what the room is for. */
const FILE_LIMIT = 55 * 1024;
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

interface Buffer {
  name: string;
  /** Size as the source has it: an expression of constants. */
  expression: string;
  group: string;
  purpose: string;
}

const arena = readFileSync(join(root, "assembly", "arena.ts"), "utf8");

/** The declarations of the arena, in order, with the comments above them. */
function buffers(): Buffer[] {
  const found: Buffer[] = [];
  let group = "";
  let purpose = "";
  const declarations = arena.slice(arena.lastIndexOf("\nimport ")).replace(/^.*\n/, "");
  for (const [, line, doc, name, type, size] of declarations.matchAll(
    /^\/\/ (.+)$|^\/\*\*\s*([\s\S]*?)\s*\*\/$|^export const (\w+)(?:: usize)? = (?:changetype<(\w+)>\()?memory\.data\((.+?)\)\)?;$/gm,
  )) {
    if (line !== undefined) [group, purpose] = [line, ""];
    else if (doc !== undefined) purpose = doc.replace(/\s*\n\s*\*\s*/g, " ");
    else {
      const structure = type === undefined ? "" : `structure ${type}`;
      found.push({ name: name!, expression: size!, group, purpose: [structure, purpose].filter(Boolean).join(": ") });
      purpose = "";
    }
  }
  return found;
}

/** What the compiler makes of the sizes: a module that has nothing but them. */
async function sizesOf(all: Buffer[]): Promise<number[]> {
  const imports = arena.match(/^import [\s\S]*?;$/gm)!.join("\n");
  const exports = all.map(({ expression }, i) => `export function size${i}(): i32 { return <i32>(${expression}); }`);
  const probe = `${imports}\n${exports.join("\n")}\n`;
  const { default: Literals } = await import(pathToFileURL(join(root, "assembly/transform/literals.mjs")).href);
  let module: Uint8Array<ArrayBuffer> = new Uint8Array();
  const stderr = asc.createMemoryStream();
  const flags = "--runtime stub --disable bulk-memory --use abort= --noColors -o sizes.wasm".split(" ");
  const { error } = await asc.main(["assembly/sizes.generated.ts", ...flags], {
    readFile: (file: string) => {
      if (file === "assembly/sizes.generated.ts") return probe;
      if (!file.startsWith("assembly/")) return null;
      try {
        return readFileSync(join(root, file), "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (file: string, contents: string | Uint8Array) => {
      if (file === "sizes.wasm" && contents instanceof Uint8Array) module = Uint8Array.from(contents);
    },
    listFiles: () => [],
    stderr,
    transforms: [Literals],
  } as Parameters<typeof asc.main>[1]);
  assert.equal(error, null, stderr.toString());
  const { instance } = await WebAssembly.instantiate(module);
  return all.map((_, i) => (instance.exports[`size${i}`] as () => number)());
}

async function table(): Promise<string> {
  const all = buffers();
  const sizes = await sizesOf(all);
  const sum = sizes.reduce((a, b) => a + b, 0);
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
  all.forEach((buffer, i) => {
    if (buffer.group !== group) lines.push(`| | | **${buffer.group}** |`);
    group = buffer.group;
    lines.push(`| ${buffer.name} | ${sizes[i]} | ${buffer.purpose.replaceAll("|", "\\|")} |`);
  });
  lines.push(`| literals, tables, alignment | ${memory - sum} | what the compiler places beside the arena |`);
  lines.push(`| **total** (\`__heap_base\`) | **${memory}** | at most ${MEMORY_LIMIT} |`, "");
  return lines.join("\n");
}

test("docs/ram.md is what the arena says", async () => {
  const declared = arena.match(/memory\.data\(/g)!.length;
  assert.equal(
    buffers().length,
    declared,
    "memory in assembly/arena.ts that is not declared as `export const NAME = memory.data(SIZE)`",
  );
  const expected = await table();
  const file = join(root, "docs", "ram.md");
  if (process.env.RAM_TABLE === "write") writeFileSync(file, expected);
  const actual = readFileSync(file, "utf8");
  assert.equal(actual, expected, "docs/ram.md is not up to date: run RAM_TABLE=write npm test, and commit it");
});
