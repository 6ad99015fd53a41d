// A module's size map, build/NAME.size.json: what its bytes are for, which the module itself does not tell.
// host/generate_size_map.ts makes it beside the module, and it is shipped with it.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { functionSizes } from "./wasm_binary.js";

/** A static structure or buffer of the module. */
export interface StaticBuffer {
  name: string;
  bytes: number;
  /** The heading it stands under in the arena. */
  group: string;
  purpose: string;
}

/** A size map. */
export interface SizeMap {
  /** Of the module that the map belongs to, lower-case hexadecimal. */
  sha256: string;
  /** In the order of their indices: file and function, e.g. "protocol/sign/absorb", and bytes of the code section. */
  functions: { name: string; bytes: number }[];
  /** The same as its sources have them: neither merged with a single caller nor parted from what they have in common. */
  apart: { name: string; bytes: number }[];
  /** In the order of memory. */
  buffers: StaticBuffer[];
  /** All static memory, `__heap_base`, bytes. */
  memory: number;
}

/** A module with its map. */
export interface MappedModule {
  bytes: Uint8Array<ArrayBuffer>;
  map: SizeMap;
}

/** The folder of the built modules: build/, two levels above this file's build. */
export const builtModules: string = join(import.meta.dirname, "..", "..");

/** The digest that ties a map to a module. */
export const sha256 = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

/** Read a built module. @throws Error, one line, when it is not there */
export function readModule(name: string, folder = builtModules): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(readFileSync(join(folder, `${name}.wasm`)));
  } catch {
    throw new Error(`this build has no ${name}.wasm: run npm run build, or choose another --profile`);
  }
}

/** Read a built module and its map. @throws Error, one line, when either is missing or the map is another module's */
export function readMappedModule(name: string, folder = builtModules): MappedModule {
  const bytes = readModule(name, folder);
  let map: SizeMap;
  try {
    map = JSON.parse(readFileSync(join(folder, `${name}.size.json`), "utf8")) as SizeMap;
  } catch {
    throw new Error(`${name}.size.json, which names what is in ${name}.wasm, cannot be read: run npm run build`);
  }
  const sizes = functionSizes(bytes);
  const { functions = [] } = map;
  const equal = sizes.length === functions.length && sizes.every((size, i) => size === functions[i]!.bytes);
  if (map.sha256 !== sha256(bytes) || !equal)
    throw new Error(`${name}.size.json belongs to another build of ${name}.wasm: run npm run build`);
  return { bytes, map };
}
