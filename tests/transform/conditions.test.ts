// Conditions without branches: programs do the same as before, and the forms that are meant to go are gone.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import binaryen from "binaryen";
import fc from "fast-check";
import { root } from "../paths.js";

type Tree = object;
const load = (name: string) => import(pathToFileURL(join(root, "assembly", "transform", name)).href);
const { conditions } = (await load("conditions.mjs")) as { conditions: (m: Tree) => Tree };
const { read, write } = (await load("wasm_tree.mjs")) as {
  read: (b: Uint8Array) => Tree;
  write: (m: Tree) => Uint8Array<ArrayBuffer>;
};

function binary(text: string): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.MVP);
  assert.ok(module.validate(), text);
  binaryen.setDebugInfo(true);
  const bytes = Uint8Array.from(module.emitBinary());
  module.dispose();
  return bytes;
}

type Run = Record<string, (...args: number[]) => number> & { memory: WebAssembly.Memory };
const run = (bytes: Uint8Array<ArrayBuffer>): Run =>
  new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports as unknown as Run;

const program = (functions: string): string => `(module (memory (export "memory") 1 1)
  (data (i32.const 4) "\\01\\00\\00\\00\\02\\00\\00\\00\\ff\\ff\\ff\\ff\\01\\00\\00\\80")
  (func $bump (param i32) (result i32)
    (i32.store (i32.const 0) (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 31)) (local.get 0)))
    (i32.and (i32.load (i32.const 0)) (i32.const 3)))
  ${functions})`;

/** Values of all kinds: 0 and 1 or not, with effects or without, and divisions and loads that would trap if they were run. */
const { value } = fc.letrec((tie) => {
  const one = tie("value") as fc.Arbitrary<string>;
  const two = fc.tuple(one, one);
  return {
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom("(local.get 0)", "(local.get 1)", "(local.get 2)", "(i32.const 0)", "(i32.const 1)"),
      fc.integer({ min: 0, max: 5 }).map((n) => `(i32.load (i32.const ${n * 4}))`),
      one.map((a) => `(call $bump ${a})`),
      one.map((a) => `(local.tee 2 ${a})`),
      one.map((a) => `(i32.eqz ${a})`),
      two.map(([a, b]) => `(i32.lt_s ${a} ${b})`),
      two.map(([a, b]) => `(i32.eq ${a} ${b})`),
      two.map(([a, b]) => `(i32.add ${a} ${b})`),
      // only where the other side says so
      one.map((a) => `(if (result i32) (local.get 0) (then (i32.div_u ${a} (local.get 0))) (else (i32.const 0)))`),
      one.map(
        (a) =>
          `(if (result i32) (i32.eqz (local.get 1)) (then (i32.load (i32.mul (local.get 1) (i32.const 65536)))) (else ${a}))`,
      ),
      fc.tuple(one, one, one).map(([a, b, c]) => `(if (result i32) ${a} (then ${b}) (else ${c}))`),
      two.map(([a, b]) => `(if (result i32) ${a} (then ${b}) (else (i32.const 0)))`),
      two.map(([a, b]) => `(if (result i32) ${a} (then (i32.const 1)) (else ${b}))`),
      two.map(([a, b]) => `(if (result i32) ${a} (then (i32.const 0)) (else ${b}))`),
      fc.tuple(one, one, one).map(([a, b, c]) => `(select ${a} ${b} ${c})`),
    ),
  };
}) as { value: fc.Arbitrary<string> };

const mark = (n: number): string => `(drop (call $bump (i32.const ${n})))`;
const statement = fc.oneof(
  value.map((a) => `(drop (call $bump ${a}))`),
  fc.tuple(value, value).map(([a, b]) => `(if ${a} (then (if ${b} (then ${mark(5)}))))`),
  // branches out of what is joined, to every place around it
  fc
    .tuple(value, value, value, fc.constantFrom("$outer", "$inner", "$a", "$b"))
    .map(
      ([a, b, c, to]) =>
        `(block $outer (block $inner (if $a ${a} (then (if $b ${b} (then (br_if ${to} ${c}) ${mark(6)})))) ${mark(7)}) ${mark(8)})`,
    ),
  fc.tuple(value, value).map(([a, b]) => `(block $out (br_if $out ${a}) (br_if $out ${b}) ${mark(9)})`),
  fc
    .tuple(value, value)
    .map(([a, b]) => `(block $out (block $in (br_if $out ${a}) (br_if $in ${b}) ${mark(10)}) ${mark(11)})`),
  fc.tuple(value, value).map(([a, b]) => `(if ${a} (then (if ${b} (then (return (i32.const 77))))))`),
);

test("programs of any shape do the same, in the same order", () => {
  let changed = 0;
  fc.assert(
    fc.property(
      fc.array(statement, { minLength: 1, maxLength: 6 }),
      value,
      fc.constantFrom(0, 1, 2, -1),
      fc.constantFrom(0, 1, 2, -1),
      (parts, end, a, b) => {
        const bytes = binary(
          program(`(func (export "f") (param i32 i32) (result i32) (local i32) ${parts.join(" ")} ${end})`),
        );
        const plain = write(read(bytes));
        const made = write(conditions(read(bytes)));
        assert.ok(WebAssembly.validate(made));
        assert.ok(made.length <= plain.length, "it became longer");
        if (made.length < plain.length) changed += 1;
        const [before, after] = [run(bytes), run(made)];
        assert.equal(after.f!(a, b), before.f!(a, b));
        const memory = ({ memory }: Run): Buffer => Buffer.from(memory.buffer).subarray(0, 64);
        assert.deepEqual(memory(after), memory(before));
      },
    ),
    { numRuns: 600 },
  );
  assert.ok(changed > 200, `only ${changed} of 600 programs had a condition to work on`);
});

test("what may trap, or is seen elsewhere, is still asked for only when it is due", () => {
  for (const side of [
    "(i32.eqz (i32.load (i32.mul (local.get 0) (i32.const 65536))))",
    "(i32.eqz (call $bump (i32.const 1)))",
    "(i32.eq (i32.rem_u (i32.const 7) (local.get 0)) (i32.const 3))",
  ]) {
    const text = `(func (export "f") (param i32) (result i32)
      (if (result i32) (i32.lt_u (local.get 0) (i32.const 1)) (then (i32.const 0)) (else ${side})))`;
    const bytes = binary(program(text));
    assert.deepEqual(Buffer.from(write(conditions(read(bytes)))), Buffer.from(write(read(bytes))), side);
  }
});

test("two comparisons are one `and`, two branches to one place one `or`", () => {
  const sizes = (text: string): [number, number] => {
    const bytes = binary(program(text));
    return [write(read(bytes)).length, write(conditions(read(bytes))).length];
  };
  const a = "(i32.eq (local.get 0) (i32.const 3))";
  const b = "(i32.lt_u (i32.load (i32.const 8)) (i32.const 9))";
  const [both, and] = sizes(
    `(func (export "f") (param i32) (result i32) (if (result i32) ${a} (then ${b}) (else (i32.const 0))))`,
  );
  assert.equal(both - and, 5);
  const [apart, joined] = sizes(`(func (export "f") (param i32) (if ${a} (then (if ${b} (then ${mark(1)})))))`);
  assert.equal(apart - joined, 2);
  const [twice, or] = sizes(
    `(func (export "f") (param i32) (block $out (br_if $out ${a}) (br_if $out ${b}) ${mark(1)}))`,
  );
  assert.equal(twice - or, 1);
});
