// What the modules may cost: bytes of the file, bytes of memory, and the tables of memory in docs/.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { Agent } from "../host/agent.js";
import { root, wasm } from "./paths.js";

interface Budget {
  name: string;
  /** The file of the arena, and the table that is generated from it. */
  arena: string;
  table: string;
  /** Compile-time constants of the module (asconfig.json). */
  use: string[];
  /** Largest file, bytes. Raise it together with the change that needs the room, and say there what the room is for. */
  file: number;
  /** Largest static memory, bytes: design.md "RAM". */
  memory: number;
}

const MODULES: Budget[] = [
  { name: "agent", arena: "arena.ts", table: "ram.md", use: [], file: 49 * 1024, memory: 28 * 1024 },
  // the goal is 14 KiB: docs/design.md says where the bytes are
  {
    name: "agent-coap",
    arena: "coap_arena.ts",
    table: "ram-coap.md",
    use: ["GRADE_SMALL=1", "PROFILE_COAP=1"],
    file: 29 * 1024,
    memory: 8 * 1024,
  },
];

for (const budget of MODULES) {
  const bytes = readFileSync(wasm(budget.name));
  const { exports } = await Agent.create(await WebAssembly.compile(bytes));
  const memory = exports.__heap_base.value as number;

  test(`${budget.name}: the module fits its file budget`, () => {
    const message = `build/${budget.name}.wasm has ${bytes.length} bytes, its budget is ${budget.file}`;
    assert.ok(bytes.length <= budget.file, `${message}: make it smaller, or raise the number in tests/budget.test.ts`);
    const slack = budget.file - bytes.length;
    assert.ok(slack < 2048, `${message}: lower the number in tests/budget.test.ts, so that growth is noticed`);
  });

  test(`${budget.name}: it imports nothing, starts nothing, and its memory cannot grow`, () => {
    const module = new WebAssembly.Module(bytes);
    assert.deepEqual(WebAssembly.Module.imports(module), []);
    assert.equal(exports.memory.buffer.byteLength, 65536);
    assert.throws(() => exports.memory.grow(1), RangeError);
  });

  test(`${budget.name}: static memory stays inside its budget`, () => {
    assert.ok(memory <= budget.memory, `__heap_base is ${memory}, at most ${budget.memory} bytes are possible`);
  });

  test(`${budget.name}: docs/${budget.table} is what the arena says`, async () => {
    const source = readFileSync(join(root, "assembly", budget.arena), "utf8");
    const declared = source.match(/memory\.data\(/g)!.length;
    assert.equal(
      buffers(source).length,
      declared,
      `memory in assembly/${budget.arena} that is not declared as \`export const NAME = memory.data(SIZE)\``,
    );
    const expected = await table(budget, source, memory);
    const file = join(root, "docs", budget.table);
    if (process.env.RAM_TABLE === "write") writeFileSync(file, expected);
    const actual = readFileSync(file, "utf8");
    assert.equal(
      actual,
      expected,
      `docs/${budget.table} is not up to date: run RAM_TABLE=write npm test, and commit it`,
    );
  });
}

interface Buffer {
  name: string;
  /** Size as the source has it: an expression of constants. */
  expression: string;
  group: string;
  purpose: string;
}

/** The declarations of the arena, in order, with the comments above them. */
function buffers(arena: string): Buffer[] {
  const found: Buffer[] = [];
  let group = "";
  let purpose = "";
  const declarations = arena.slice(arena.lastIndexOf("\nimport ")).replace(/^.*\n/, "");
  for (const [, line, doc, name, type, size] of declarations.matchAll(
    /^\/\/ (.+)$|^\/\*\*\s*([\s\S]*?)\s*\*\/$|^export const (\w+)(?:: usize)? = (?:changetype<(\w+)>\()?memory\.data\((.+?)(?:, 4)?\)\)?;$/gm,
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
async function sizesOf(all: Buffer[], arena: string, use: string[]): Promise<number[]> {
  const imports = arena.match(/^import [\s\S]*?;$/gm)!.join("\n");
  const exports = all.map(({ expression }, i) => `export function size${i}(): i32 { return <i32>(${expression}); }`);
  const probe = `${imports}\n${exports.join("\n")}\n`;
  const { default: Literals } = await import(pathToFileURL(join(root, "assembly/transform/literals.mjs")).href);
  let module: Uint8Array<ArrayBuffer> = new Uint8Array();
  const stderr = asc.createMemoryStream();
  const flags = "--runtime stub --disable bulk-memory --noColors -o sizes.wasm --use abort=".split(" ");
  for (const constant of use) flags.push("--use", constant);
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

async function table(budget: Budget, arena: string, memory: number): Promise<string> {
  const all = buffers(arena);
  const sizes = await sizesOf(all, arena, budget.use);
  const sum = sizes.reduce((a, b) => a + b, 0);
  const lines = [
    `# RAM of ${budget.name}.wasm`,
    "",
    `Every static structure and buffer of the module. Generated from \`assembly/${budget.arena}\` by \`tests/budget.test.ts\`; to bring it`,
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
  lines.push(`| **total** (\`__heap_base\`) | **${memory}** | at most ${budget.memory} |`, "");
  return lines.join("\n");
}
