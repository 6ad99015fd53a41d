// The last step of a build: makes the module smaller without changing what it does, and takes its names off.
//
//   node assembly/transform/shrink.mjs MODULE.wasm…
//
// The module must have names (asc with "debug": true): they say which functions are left as they are because they run
// for every byte. Those are hashing, copying and checksums; a call there costs more time than the bytes are worth.

import { readFileSync, writeFileSync } from "node:fs";
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
 * @param {boolean} names whether they stay; the code is the same
 * @returns {Uint8Array} a smaller one
 */
export function shrink(bytes, names = false) {
  const module = read(rewrite(bytes, true, []));
  if (module.functions.some((fn) => fn.name === ""))
    throw new Error('the module has no names: compile it with "debug": true');
  outline(module, (name) => HOT.test(name));
  return rewrite(write(module), names, TIDY);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  for (const file of process.argv.slice(2)) writeFileSync(file, shrink(readFileSync(file)));
