// The static structures and buffers of a module, read from the sources of its arena; their sizes are the compiler's.
// Needs the compiler, so it serves the build and its tests.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compile, readTarget } from "./compiler.js";
import type { StaticBuffer } from "./size_map.js";

/** A declaration as the source has it. */
interface Declaration extends Omit<StaticBuffer, "bytes"> {
  /** An expression of constants for its bytes. */
  expression: string;
}

const LINE =
  /^\/\/ (.+)$|^\/\*\*\s*([\s\S]*?)\s*\*\/$|^export const (\w+)(?:: \w+)? =\s+([^;]*memory\.data\([^;]*);$/gm;

/** The declarations of an arena, in order, each with the comment above it. */
function declarationsOf(arena: string): Declaration[] {
  const found: Declaration[] = [];
  let group = "";
  let purpose = "";
  const declarations = arena.slice(arena.lastIndexOf("\nimport ")).replace(/^.*\n/, "");
  for (const [, heading, doc, name, initializer] of declarations.matchAll(LINE)) {
    if (heading !== undefined) [group, purpose] = [heading, ""];
    else if (doc !== undefined) purpose = doc.replace(/\s*\n\s*\*\s*/g, " ");
    else {
      const type = /changetype<(\w+)>\(/.exec(initializer!)?.[1];
      const structure = type === undefined ? "" : `structure ${type}`;
      // without the alignment, which may follow the size
      const expression = initializer!
        .replace(/changetype<\w+>\(/g, "(")
        .replace(/memory\.data\((.+?)(?:, \d+)?\)(?=[;)\s]|$)/g, "($1)");
      found.push({ name: name!, expression, group, purpose: [structure, purpose].filter(Boolean).join(": ") });
      purpose = "";
    }
  }
  return found;
}

/** Where the memory of a module is declared, and what decides on it beside that: wiring takes pointers out of structures. */
const ARENAS: Record<string, { file: string; alongside: string[] }> = {
  agent: { file: "assembly/arena.ts", alongside: ["./agent/wiring"] },
  "agent-lite": { file: "assembly/arena.ts", alongside: ["./agent/wiring"] },
  "agent-coap": { file: "assembly/coap_arena.ts", alongside: [] },
};

/**
 * Read the arena of a module.
 *
 * root    the repository.
 * module  its name, e.g. "agent". What other profiles alone have is 0 bytes large.
 *
 * Throws Error when memory is declared in a way that is not understood, or does not compile.
 */
export async function readArena(root: string, module: string): Promise<StaticBuffer[]> {
  const arena = ARENAS[module];
  if (arena === undefined) throw new Error(`where the memory of ${module} is declared is not known`);
  const { file, alongside } = arena;
  const source = readFileSync(join(root, file), "utf8");
  const declarations = declarationsOf(source);
  if (declarations.length !== source.match(/memory\.data\(/g)?.length)
    throw new Error(`${file}: memory that is not declared as \`export const NAME = memory.data(SIZE);\``);
  const name = file.slice(file.lastIndexOf("/") + 1, -".ts".length);
  // A module that has nothing but the sizes.
  const probe = [
    `import "./${name}";`,
    ...(source.match(/^import [\s\S]*?;$/gm) ?? []),
    ...alongside.map((other) => `import "${other}";`),
    ...declarations.map(({ expression }, i) => `export function size${i}(): i32 { return <i32>(${expression}); }`),
  ];
  const entry = `${file.slice(0, file.lastIndexOf("/"))}/sizes.generated.ts`;
  const bytes = await compile(root, readTarget(root, module), entry, probe.join("\n"));
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(bytes));
  return declarations.map(({ expression: _, ...buffer }, i) => ({
    ...buffer,
    bytes: (exports[`size${i}`] as () => number)(),
  }));
}
