// The last step of a build: makes the module smaller without changing what it does, and takes its names off.
//
//   node assembly/transform/shrink.mjs MODULE.wasm…
//
// The module must have names (asc with "debug": true): they say which functions are left as they are because they run
// for every byte. Those are hashing, AES, copying and checksums; a call there costs more time than the bytes are worth.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import binaryen from "binaryen";
import { base } from "./base.mjs";
import { straighten } from "./logic.mjs";
import { outline } from "./outline.mjs";
import { leb, Op, read, walk, write } from "./wasm_tree.mjs";

const HOT = /\/crypto\/(md5|sha1|sha256|crc|block|aes_small)|\/hmac\/blocks$|\/bytes\/text\//;

/** Functions up to this size are put in the place of their calls before common code is looked for, and none afterwards. */
const INLINED = 5;

/** The module after binaryen's optimizer and `passes`; it keeps every operand before the instruction that takes it. */
function optimize(bytes, names, inlined, passes, merged = inlined !== 0) {
  binaryen.setDebugInfo(names);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  binaryen.setAlwaysInlineMaxSize(inlined);
  binaryen.setOneCallerInlineMaxSize(merged ? -1 : 0);
  binaryen.setFlexibleInlineMaxSize(0);
  const module = binaryen.readBinary(bytes);
  try {
    module.setFeatures(binaryen.Features.MVP);
    // the second time finds what the first one laid open
    module.optimize();
    module.optimize();
    if (passes.length > 0) module.runPasses(passes);
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

/** The unsigned number that a constant pushes, when it takes one or two bytes. */
const addressOf = (node) =>
  node.bytes.length === 2 ? node.bytes[1] : node.bytes.length === 3 ? (node.bytes[1] & 127) | (node.bytes[2] << 7) : -1;

/** A load or store below 128 is shortest as an offset from 0: the offset is unsigned, the constant is not. */
function addressFromZero(module) {
  for (const fn of module.functions)
    walk(fn.body, (node) => {
      const [address] = node.kids;
      if (node.op < 0x28 || node.op > 0x3e || address.op !== Op.I32Const || node.bytes.length !== 3) return;
      const at = addressOf(address) + node.bytes[2];
      if (addressOf(address) < 64 || at >= 128) return;
      address.bytes = [Op.I32Const, 0];
      node.bytes = [node.op, node.bytes[1], ...leb(at)];
    });
  return module;
}

/** An export that does nothing but call a function without parameters is that function. */
function directExports(module) {
  for (const one of module.exports) {
    const { params, result, body } = one.target ?? {};
    if (params?.length !== 0 || body.length !== 1 || body[0].op !== Op.Call) continue;
    const { target, kids } = body[0];
    if (kids.length === 0 && target.result === result) one.target = target;
  }
  const needed = new Set(module.exports.map((one) => one.target));
  for (const fn of module.functions) walk(fn.body, (node) => node.op === Op.Call && needed.add(node.target));
  module.functions = module.functions.filter((fn) => needed.has(fn));
  return module;
}

/** @param {Uint8Array} bytes a module with names @returns {Uint8Array} a smaller one, with names too */
export function shrink(bytes) {
  const module = read(optimize(bytes, true, INLINED, []));
  if (module.functions.some((fn) => fn.name === ""))
    throw new Error('the module has no names: compile it with "debug": true');
  const hot = (name) => HOT.test(name);
  straighten(module, hot);
  outline(module, hot);
  return write(base(directExports(addressFromZero(read(optimize(write(module), true, 0, [])))), hot));
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

/**
 * The module with its names goes to a folder beside it, and with it one in which functions are as their sources have them,
 * whoever calls them: host/generate_size_map.ts reads them there.
 */
function shrinkFile(file) {
  const bytes = readFileSync(file);
  const named = shrink(bytes);
  const folder = join(dirname(file), "named");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, basename(file)), named);
  writeFileSync(join(folder, `${basename(file, ".wasm")}.apart.wasm`), optimize(bytes, true, INLINED, [], false));
  writeFileSync(file, withoutNames(named));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) process.argv.slice(2).forEach(shrinkFile);
