// The static structures and buffers of a module, read from the sources of its arena; their sizes are the compiler's.
// Needs the compiler, so it serves the build and its tests.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileNamed, type Target } from "./compiler.js";
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
      const expression = initializer!.replace(/changetype<\w+>\(/g, "(").replace(/memory\.data\(/g, "(");
      found.push({ name: name!, expression, group, purpose: [structure, purpose].filter(Boolean).join(": ") });
      purpose = "";
    }
  }
  return found;
}

/**
 * Read an arena.
 *
 * root    the repository.
 * file    the arena's source, e.g. "assembly/arena.ts".
 * target  the build whose sizes are asked for; buffers that it has not are left out.
 * wiring  the source that takes pointers out of the structures, as the arena imports it.
 *
 * Throws Error when memory is declared in a way that is not understood, or does not compile.
 */
export async function readArena(root: string, file: string, target: Target, wiring: string): Promise<StaticBuffer[]> {
  const source = readFileSync(join(root, file), "utf8");
  const declarations = declarationsOf(source);
  if (declarations.length !== source.match(/memory\.data\(/g)?.length)
    throw new Error(`${file}: memory that is not declared as \`export const NAME = memory.data(SIZE);\``);
  const imports = source.match(/^import [\s\S]*?;$/gm)?.join("\n") ?? "";
  // A module that has nothing but the sizes.
  const probe = declarations.map(
    ({ expression }, i) => `export function size${i}(): i32 { return <i32>(${expression}); }`,
  );
  const folder = file.slice(0, file.lastIndexOf("/"));
  const arena = `import "./${file.slice(folder.length + 1).replace(/\.ts$/, "")}";\nimport "${wiring}";`;
  const text = `${arena}\n${imports}\n${probe.join("\n")}\n`;
  const module = await compileNamed(root, target, `${folder}/sizes.generated.ts`, text);
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(module));
  return declarations
    .map(({ expression: _, ...buffer }, i) => ({ ...buffer, bytes: (exports[`size${i}`] as () => number)() }))
    .filter(({ bytes }) => bytes > 0);
}
