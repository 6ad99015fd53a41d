// The reader of modules against binaryen, against itself, and against bytes that are no module.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import binaryen from "binaryen";
import fc from "fast-check";
import { codeOf, functionNames, functionSizes, readSections } from "../../host/size/wasm_binary.js";
import { wasm } from "../paths.js";

const MODULES = ["agent", "crypto", "crypto-mcu", "crypto-small"];
const PREAMBLE = 8;

test("sections and functions add up to the file, and are as many as binaryen finds", () => {
  for (const name of MODULES) {
    const bytes = readFileSync(wasm(name));
    const sections = readSections(bytes);
    const total = sections.reduce((sum, section) => sum + section.bytes, PREAMBLE);
    assert.equal(total, bytes.length, name);
    const sizes = functionSizes(bytes);
    const module = binaryen.readBinary(bytes);
    assert.equal(sizes.length, module.getNumFunctions(), name);
    module.dispose();
    // The code section is its count of functions and the functions.
    const countBytes = sizes.length < 128 ? 1 : 2;
    assert.equal(
      sizes.reduce((sum, size) => sum + size, countBytes),
      codeOf(bytes).length,
      name,
    );
  }
});

test("names come from the name section, by index", () => {
  const module = binaryen.parseText('(module (func $first) (func $second (export "s") (nop)))');
  module.setMemory(1, 1);
  binaryen.setDebugInfo(true);
  const named = module.emitBinary();
  binaryen.setDebugInfo(false);
  const bare = module.emitBinary();
  module.dispose();
  assert.deepEqual(
    [...functionNames(named)],
    [
      [0, "first"],
      [1, "second"],
    ],
  );
  assert.equal(functionNames(bare).size, 0);
  assert.deepEqual(readSections(named).at(-1)!.name, "custom name");
});

test("what is no module, or is cut or altered, is refused with a reason and never runs on", () => {
  assert.throws(() => readSections(Buffer.from("not a module at all")), /not a WebAssembly module/);
  const bytes = readFileSync(wasm("crypto-small"));
  const { end } = readSections(bytes).at(-1)!;
  assert.throws(() => readSections(bytes.subarray(0, end - 1)), /ends too early/);
  const read = (module: Uint8Array) => {
    try {
      functionSizes(module);
      functionNames(module);
    } catch (error) {
      assert.ok(error instanceof RangeError, String(error));
    }
  };
  for (let length = 0; length < 400; length++) read(bytes.subarray(0, length));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
      const altered = Uint8Array.from(bytes);
      altered[at] = value;
      read(altered);
    }),
  );
});
