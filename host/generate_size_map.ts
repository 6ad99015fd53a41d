/**
 * Writes build/NAME.size.json beside each module that a profile has, after the modules were built: names and sizes of their
 * functions and buffers, for `alink-agent size`. Run from the project's directory: `node build/host/generate_size_map.js`.
 *
 * A module that is shipped has no names. They come from a module that differs by its name section alone, which is checked
 * byte by byte.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readArena } from "./size/arena.js";
import { PROFILES } from "./size/budgets.js";
import { compile, readTarget } from "./size/compiler.js";
import { readModule, type SizeMap, sha256 } from "./size/size_map.js";
import { codeOf, functionNames, functionSizes } from "./size/wasm_binary.js";

/** What `npm run build:wasm` compiles each module from. */
const ENTRIES: Record<string, string> = {
  agent: "assembly/index.ts",
  "agent-lite": "assembly/index.ts",
  "agent-coap": "assembly/coap_index.ts",
};

/** The module with names: as the build left it, or compiled again where its last step leaves none. */
async function namedModule(root: string, name: string): Promise<Uint8Array> {
  const file = join(root, "build", "named", `${name}.wasm`);
  if (existsSync(file)) return readFileSync(file);
  const entry = ENTRIES[name];
  if (entry === undefined) throw new Error(`what ${name} is compiled from is not known`);
  return compile(root, readTarget(root, name), entry);
}

/** assembly/protocol/sign/absorb → protocol/sign/absorb; the compiler's own functions keep their ~lib. */
const shortName = (name: string): string => name.replace(/^assembly\//, "");

function functionsOf(module: Uint8Array, names: Map<number, string>): SizeMap["functions"] {
  return functionSizes(module).map((bytes, i) => ({ name: shortName(names.get(i) ?? `function ${i}`), bytes }));
}

/** The map of a built module. @throws Error when the second build has other code */
async function mapOf(root: string, name: string): Promise<SizeMap> {
  const module = readModule(name);
  const named = await namedModule(root, name);
  if (!Buffer.from(codeOf(named)).equals(codeOf(module)))
    throw new Error(`the code of ${name}.wasm is not that of a build with names: run npm run build`);
  const apart = readFileSync(join(root, "build", "named", `${name}.apart.wasm`));
  const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(module));
  return {
    sha256: sha256(module),
    functions: functionsOf(module, functionNames(named)),
    apart: functionsOf(apart, functionNames(apart)),
    buffers: (await readArena(root, name)).filter(({ bytes }) => bytes > 0),
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
