// What the tests of the build's transforms work with: modules from text, their trees, and what they do.

import assert from "node:assert/strict";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import binaryen from "binaryen";
import { root } from "../paths.js";

/** A module as assembly/transform/wasm_tree.mjs reads it. */
export interface Tree {
  functions: { name: string }[];
}

/** The exports of a transform in assembly/transform/. */
export const load = async <T>(name: string): Promise<T> =>
  (await import(pathToFileURL(join(root, "assembly", "transform", name)).href)) as T;

export const { read, write } = await load<{
  read: (bytes: Uint8Array) => Tree;
  write: (module: Tree) => Uint8Array<ArrayBuffer>;
}>("wasm_tree.mjs");

/** A module in text, with the names of its functions. */
export function binary(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.MVP);
  assert.ok(module.validate());
  binaryen.setDebugInfo(true);
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

/** The exports of a fresh instance. */
export const instance = <T>(bytes: Uint8Array): T =>
  new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes))).exports as T;
