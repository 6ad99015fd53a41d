/**
 * Writes build/NAME.size.json beside each module that a profile has, after the modules were built: names and sizes of their
 * functions and buffers, for `alink-agent size`. Run from the project's directory: `node build/host/generate_size_map.js`.
 *
 * A module that is shipped has no names. They come from a second build that differs by its name section alone, which is
 * checked byte by byte.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { readArena } from "./size/arena.js";
import { PROFILES } from "./size/budgets.js";
import { compileNamed, readTarget } from "./size/compiler.js";
import { readModule, type SizeMap, sha256 } from "./size/size_map.js";
import { codeOf, functionNames, functionSizes } from "./size/wasm_binary.js";

/** What `npm run build:wasm` compiles each module from, and where its memory is declared. */
const SOURCES: Record<string, { entry: string; arena: string; wiring: string }> = {
  agent: { entry: "assembly/index.ts", arena: "assembly/arena.ts", wiring: "./agent/wiring" },
  "agent-lite": { entry: "assembly/index.ts", arena: "assembly/arena.ts", wiring: "./agent/wiring" },
  "agent-coap": { entry: "assembly/coap_index.ts", arena: "assembly/coap_arena.ts", wiring: "./agent/wiring" },
};

/** assembly/protocol/sign/absorb → protocol/sign/absorb; the compiler's own functions keep their ~lib. */
const shortName = (name: string): string => name.replace(/^assembly\//, "");

/** The map of a built module. @throws Error when the second build has other code */
async function mapOf(root: string, name: string): Promise<SizeMap> {
  const source = SOURCES[name];
  const target = readTarget(root, name);
  if (source === undefined || target === undefined) throw new Error(`asconfig.json has no target ${name}`);
  const module = readModule(name);
  const { shrink } = (await import(pathToFileURL(join(root, "assembly/transform/shrink.mjs")).href)) as {
    shrink(bytes: Uint8Array, names: boolean): Uint8Array<ArrayBuffer>;
  };
  const named = shrink(await compileNamed(root, target, source.entry), true);
  if (!Buffer.from(codeOf(named)).equals(codeOf(module)))
    throw new Error(`the code of ${name}.wasm is not that of a build with names: run npm run build`);
  const names = functionNames(named);
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(module));
  return {
    sha256: sha256(module),
    functions: functionSizes(module).map((bytes, i) => ({ name: shortName(names.get(i) ?? `function ${i}`), bytes })),
    buffers: await readArena(root, source.arena, target, source.wiring),
    memory: (exports.__heap_base as WebAssembly.Global).value as number,
  };
}

const root = process.cwd();
for (const name of Object.values(PROFILES)) {
  if (!existsSync(join(root, "build", `${name}.wasm`))) continue;
  const file = join(root, "build", `${name}.size.json`);
  const text = `${JSON.stringify(await mapOf(root, name), null, 1)}\n`;
  // A file that is as it should be keeps its time.
  if (!existsSync(file) || readFileSync(file, "utf8") !== text) writeFileSync(file, text);
}
