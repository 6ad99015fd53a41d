// Conditions without branches: the same value and the same order of everything that can be observed, in fewer bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { binary, instance, load, read, type Tree, write } from "./modules.js";

const { straighten } = await load<{ straighten: (m: Tree, hot: (name: string) => boolean) => void }>("logic.mjs");

const BUMP = `(func $bump (param i32) (result i32)
  (i32.store (i32.const 0) (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 31)) (local.get 0)))
  (i32.and (i32.load (i32.const 0)) (i32.const 3)))`;

function straightened(
  bytes: Uint8Array,
  hot: (name: string) => boolean = (name) => name === "bump",
): Uint8Array<ArrayBuffer> {
  const tree = read(bytes);
  straighten(tree, hot);
  return write(tree);
}

type Run = Record<string, (...args: number[]) => number> & { memory: WebAssembly.Memory };
const run = (bytes: Uint8Array): Run => instance<Run>(bytes);

/** Values of which some are 0 or 1, some read memory, and some change it. */
const value = fc.letrec((tie) => {
  const pair = fc.tuple(tie("value"), tie("value")) as fc.Arbitrary<[string, string]>;
  const three = fc.tuple(tie("value"), tie("value"), tie("value")) as fc.Arbitrary<[string, string, string]>;
  return {
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom("(local.get 0)", "(local.get 1)", "(i32.const 0)", "(i32.const 1)", "(i32.const 2)"),
      fc.constantFrom("(i32.load (i32.const 0))", "(i32.load8_u (i32.const 64))", "(i32.load offset=4 (i32.const 64))"),
      tie("value").map((a) => `(i32.eqz ${a as string})`),
      tie("value").map((a) => `(call $bump ${a as string})`),
      tie("value").map((a) => `(local.tee 0 ${a as string})`),
      pair.map(([a, b]) => `(i32.lt_u ${a} ${b})`),
      pair.map(([a, b]) => `(i32.and ${a} ${b})`),
      pair.map(([a, b]) => `(i32.or ${a} ${b})`),
      pair.map(([a, b]) => `(if (result i32) ${a} (then ${b}) (else (i32.const 0)))`),
      pair.map(([a, b]) => `(if (result i32) ${a} (then (i32.const 1)) (else ${b}))`),
      pair.map(([a, b]) => `(if (result i32) ${a} (then (i32.const 0)) (else ${b}))`),
      pair.map(([a, b]) => `(if (result i32) ${a} (then ${b}) (else (i32.const 1)))`),
      three.map(([a, b, c]) => `(if (result i32) ${a} (then ${b}) (else ${c}))`),
      pair.map(([a, b]) => `(if (result i32) (local.tee 1 ${a}) (then (local.get 1)) (else ${b}))`),
      pair.map(([a, b]) => `(if (result i32) (local.tee 1 ${a}) (then ${b}) (else (local.get 1)))`),
      three.map(([a, b, c]) => `(select ${a} ${b} ${c})`),
    ),
  };
}).value as fc.Arbitrary<string>;

test("conditions of any shape come to the same, with the same effects", () => {
  let shorter = 0;
  fc.assert(
    fc.property(value, value, fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), (v, c, a, b) => {
      const text = `(module (memory (export "memory") 1 1) (data (i32.const 64) "\\01\\00\\00\\00\\02") ${BUMP}
        (func $f (export "f") (param i32 i32) (result i32)
          (block (br_if 0 ${c}) (drop (call $bump (i32.const 7))))
          (if ${v} (then (drop (call $bump (i32.const 5)))))
          (if (local.tee 0 ${c}) (then (local.set 0 ${v})))
          (if (i32.eqz (local.tee 1 ${v})) (then (local.set 1 ${c})))
          ${v}))`;
      const bytes = binary(text);
      const made = straightened(bytes);
      assert.ok(WebAssembly.validate(made), text);
      if (made.length < bytes.length) shorter += 1;
      const [before, after] = [run(bytes), run(made)];
      assert.equal(after.f!(a, b), before.f!(a, b), text);
      const [old, now] = [before, after].map(({ memory }) => Buffer.from(memory.buffer).subarray(0, 128));
      assert.deepEqual(now, old, text);
    }),
    { numRuns: 1000 },
  );
  assert.ok(shorter > 200, `only ${shorter} of 1000 programs became shorter`);
});

const one = (body: string): Uint8Array =>
  binary(`(module (memory 1 1) ${BUMP}
  (func $f (export "f") (param i32 i32) (result i32) ${body}))`);

test("what could trap, has effects, or is long stays behind its condition", () => {
  const guarded = (right: string) => one(`(if (result i32) (local.get 0) (then ${right}) (else (i32.const 0)))`);
  const long = `${"(i32.eqz ".repeat(14)}(local.get 1)${")".repeat(14)}`;
  for (const right of [
    "(i32.eqz (i32.load (local.get 1)))",
    "(i32.eqz (i32.div_u (i32.const 7) (local.get 1)))",
    "(i32.eqz (call $bump (i32.const 1)))",
    "(i32.eqz (local.tee 1 (i32.const 1)))",
    long,
  ])
    assert.equal(straightened(guarded(right)).length, guarded(right).length, right);
  const free = guarded("(i32.eqz (i32.load (i32.const 4)))");
  assert.ok(straightened(free).length < free.length - 3, "and what reads a constant address does not");
});

test("functions that are hot are left alone", () => {
  const bytes = one("(if (result i32) (local.get 0) (then (i32.eqz (local.get 1))) (else (i32.const 0)))");
  assert.equal(straightened(bytes, () => true).length, bytes.length);
});
