// The last step of a build: makes the module smaller without changing what it does, and takes its names off.
//
//   node assembly/transform/shrink.mjs MODULE.wasm…
//
// The module must have names (asc with "debug": true): they say which functions are left as they are because they run
// for every byte. Those are hashing, copying and checksums; a call there costs more time than the bytes are worth.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import binaryen from "binaryen";
import { outline } from "./outline.mjs";
import { read, write } from "./wasm_tree.mjs";

const HOT = /\/crypto\/(md5|sha1|sha256|crc|block)|\/bytes\/text\//;

/** What binaryen may still do once common code stands in functions: nothing that would put it back. */
const TIDY = ["vacuum", "coalesce-locals", "reorder-locals", "duplicate-function-elimination", "reorder-functions"];

/** The module as binaryen writes it, which keeps every operand before the instruction that takes it. */
function rewrite(bytes, names, passes) {
  binaryen.setDebugInfo(names);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(binaryen.Features.MVP);
    if (passes.length > 0) module.runPasses(passes);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

/**
 * @param {Uint8Array} bytes a module with names
 * @param {boolean} names whether they stay, as a name section beside the same code
 * @returns {Uint8Array} a smaller one
 */
export function shrink(bytes, names = false) {
  const module = read(rewrite(bytes, true, []));
  if (module.functions.some((fn) => fn.name === ""))
    throw new Error('the module has no names: compile it with "debug": true');
  outline(module, (name) => HOT.test(name));
  return rewrite(write(module), names, TIDY);
}

/** Every section but the custom ones, WebAssembly Core Specification 1.0, section 5.5. */
function withoutNames(bytes) {
  const kept = [bytes.subarray(0, 8)];
  for (let at = 8; at < bytes.length; ) {
    const start = at++;
    let length = 0;
    for (let shift = 0, byte = 128; byte >= 128; shift += 7) {
      byte = bytes[at++];
      length |= (byte & 127) << shift;
    }
    at += length;
    if (bytes[start] !== 0) kept.push(bytes.subarray(start, at));
  }
  return Buffer.concat(kept);
}

/** The module with its names goes to a folder beside it: host/generate_size_map.ts reads them there. */
function shrinkFile(file) {
  const named = shrink(readFileSync(file), true);
  mkdirSync(join(dirname(file), "named"), { recursive: true });
  writeFileSync(join(dirname(file), "named", basename(file)), named);
  writeFileSync(file, withoutNames(named));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.argv.slice(2).forEach(shrinkFile);
