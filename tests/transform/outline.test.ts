// The outliner: what it makes of small modules runs as before, and whole modules stay what they were.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import binaryen from "binaryen";
import fc from "fast-check";
import { wasm } from "../paths.js";
import { binary, instance, load, read, type Tree, write } from "./modules.js";

const { outline } = await load<{ outline: (m: Tree, hot: (name: string) => boolean) => number }>("outline.mjs");
const { shrink } = await load<{ shrink: (b: Uint8Array) => Uint8Array }>("shrink.mjs");

type Run = Record<string, (...args: number[]) => number> & { memory: WebAssembly.Memory };
const run = (bytes: Uint8Array): Run => instance<Run>(bytes);

test("reading and writing changes nothing but names and the order of functions", () => {
  for (const name of ["agent", "agent-lite", "crypto-mcu", "crypto-small"]) {
    const module = binaryen.readBinary(readFileSync(wasm(name)));
    binaryen.setDebugInfo(false);
    const bytes = module.emitBinary();
    module.dispose();
    assert.deepEqual(Buffer.from(write(read(write(read(bytes))))), Buffer.from(write(read(bytes))), name);
    assert.equal(write(read(bytes)).length <= bytes.length, true, name);
  }
});

/** Statements over the parameters 0 and 1 and the local 2, in which order shows: calls write, loads read. */
const operand = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom("(local.get 0)", "(local.get 1)", "(local.get 2)"),
    fc.integer({ min: 0, max: 3 }).map((n) => `(i32.const ${n * 1000})`),
    tie("value").map((a) => `(i32.load offset=64 (i32.and ${a as string} (i32.const 60)))`),
    tie("value").map((a) => `(call $bump ${a as string})`),
    tie("value").map((a) => `(local.tee 2 ${a as string})`),
    fc.tuple(tie("value"), tie("value")).map(([a, b]) => `(i32.sub ${a as string} ${b as string})`),
    fc
      .tuple(tie("value"), tie("value"), tie("value"))
      .map(([a, b, c]) => `(if (result i32) ${a as string} (then ${b as string}) (else ${c as string}))`),
  ),
})).value as fc.Arbitrary<string>;
const statement = fc.oneof(
  fc.tuple(operand, operand).map(([a, b]) => `(i32.store offset=64 (i32.and ${a} (i32.const 60)) ${b})`),
  operand.map((a) => `(local.set 2 ${a})`),
  operand.map((a) => `(if ${a} (then (return ${a})))`),
  fc.tuple(operand, operand).map(([a, b]) => `(if ${a} (then (drop (call $bump ${b}))))`),
);

test("programs of any shape do the same, in the same order", () => {
  let smaller = 0;
  const body = fc.array(statement, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(body, { minLength: 1, maxLength: 3 }),
      operand,
      fc.integer(),
      fc.integer(),
      (parts, end, a, b) => {
        // every body twice, so that there is something to find
        const functions = [...parts, ...parts].map(
          (part, i) =>
            `(func $f${i} (export "f${i}") (param i32 i32) (result i32) (local i32) ${part.join(" ")} ${end})`,
        );
        const bytes = binary(`(module (memory (export "memory") 1 1)
        (func $bump (param i32) (result i32)
          (i32.store (i32.const 0) (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 31)) (local.get 0)))
          (i32.load (i32.const 0)))
        ${functions.join("\n")})`);
        const tree = read(bytes);
        outline(tree, (name) => name === "bump");
        const made = write(tree);
        assert.ok(WebAssembly.validate(made));
        if (tree.functions.length > functions.length + 1) smaller += 1;
        const [before, after] = [run(Uint8Array.from(bytes)), run(made)];
        for (let i = 0; i < functions.length; i++)
          assert.equal(after[`f${i}`]!(a, b), before[`f${i}`]!(a, b), functions[i]);
        assert.deepEqual(
          Buffer.from(after.memory.buffer).subarray(0, 128),
          Buffer.from(before.memory.buffer).subarray(0, 128),
        );
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(smaller > 100, `only ${smaller} of 300 programs had something in common`);
});

test("what the turn of a loop before has left in a local is not lost", () => {
  const turns = (n: number) => `(loop $l
    (call $f (i32.add (i32.mul (local.get 1) (i32.const ${n})) (i32.const 7)))
    (local.set 1 (call $g (local.get 0)))
    (call $h (local.get 1) (i32.const 1111111)) (call $h (i32.const 22222) (i32.const 1111111))
    (call $h (i32.const 33333) (i32.const 3111111)) (call $h (i32.const 433333) (i32.const 53111111))
    (local.set 0 (i32.add (local.get 0) (i32.const ${n})))
    (br_if $l (i32.lt_u (local.get 0) (i32.const 2${n}))))`;
  const names = ["a", "b", "c"];
  const functions = names.map(
    (name, i) => `(func $${name} (export "${name}") (param i32) (local i32) ${turns(i + 3)})`,
  );
  // f, g and h leave behind that they were called, and with what
  const bytes = binary(`(module (memory (export "memory") 1 1)
    (func $push (param i32)
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 4)))
      (i32.store (i32.load (i32.const 0)) (local.get 0)))
    (func $f (param i32) (call $push (i32.xor (local.get 0) (i32.const 1))))
    (func $g (param i32) (result i32)
      (call $push (local.get 0)) (i32.add (local.get 0) (i32.load (i32.const 0))))
    (func $h (param i32 i32) (call $push (local.get 0)) (call $push (local.get 1)))
    ${functions.join("\n")})`);
  const tree = read(bytes);
  outline(tree, (name) => ["push", "f", "g", "h"].includes(name));
  const made = write(tree);
  for (const name of names) {
    const [before, after] = [run(Uint8Array.from(bytes)), run(made)];
    before[name]!(1);
    after[name]!(1);
    assert.deepEqual(Buffer.from(after.memory.buffer, 0, 2048), Buffer.from(before.memory.buffer, 0, 2048), name);
  }
});

test("functions that are hot are left alone", () => {
  const store = (at: number) =>
    `(i32.store (i32.const ${at}) (i32.mul (i32.add (local.get 0) (i32.const 77777)) (i32.const 99999)))`;
  const same = store(16) + store(20);
  const bytes = binary(`(module (memory 1 1) (func $a (param i32) ${same}) (func $b (param i32) ${same})
    (func $c (param i32) ${same}) (export "a" (func $a)) (export "b" (func $b)) (export "c" (func $c)))`);
  const count = (hot: (name: string) => boolean): number => {
    const tree = read(bytes);
    outline(tree, hot);
    return tree.functions.length;
  };
  assert.equal(
    count(() => false),
    4,
  );
  assert.equal(
    count((name) => name !== "c"),
    3,
  );
});

test("a module without names is refused, because it could not be told what is hot", () => {
  assert.throws(() => shrink(readFileSync(wasm("agent"))), /has no names/);
});
