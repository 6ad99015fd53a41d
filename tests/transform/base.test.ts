// Addresses from a local: the same memory is read and written, in fewer bytes where many accesses stand close together.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { binary, instance, load, read, type Tree, write } from "./modules.js";

const { base } = await load<{ base: (m: Tree, hot: (name: string) => boolean) => Tree }>("base.mjs");

const based = (bytes: Uint8Array, hot = false): Uint8Array<ArrayBuffer> => write(base(read(bytes), () => hot));

interface Run {
  memory: WebAssembly.Memory;
  f: (a: number) => number;
}
const run = (bytes: Uint8Array): Run => instance<Run>(bytes);

/** One access: where, how much of it as an offset, and whether it writes. */
const access = fc.record({
  at: fc
    .constantFrom(0, 1, 60, 64, 100, 127, 128, 200, 4096, 8190, 8192, 16384, 40000)
    .chain((from) => fc.nat(130).map((more) => from + more)),
  offset: fc.nat(200),
  op: fc.constantFrom("store", "store8", "load", "load8_u", "load16_s", "i64"),
});

const line = ({ at, offset, op }: { at: number; offset: number; op: string }, i: number): string => {
  const from = Math.min(offset, at);
  const place = `offset=${from} (i32.const ${at - from})`;
  if (op.startsWith("store")) return `(i32.${op} ${place} (i32.add (local.get 0) (i32.const ${i})))`;
  if (op === "i64") return `(i64.store ${place} (i64.mul (local.get $wide) (i64.load ${place})))`;
  return `(local.set 0 (i32.add (i32.mul (local.get 0) (i32.const 31)) (i32.${op} ${place})))`;
};

test("programs read and write what they did", () => {
  let smaller = 0;
  fc.assert(
    fc.property(fc.array(access, { minLength: 1, maxLength: 40 }), fc.integer(), (all, a) => {
      const bytes = binary(`(module (memory (export "memory") 1 1)
        (func $f (export "f") (param i32) (result i32) (local $wide i64)
          (local.set $wide (i64.const 77)) ${all.map(line).join("\n")} (local.get 0)))`);
      const made = based(bytes);
      assert.ok(WebAssembly.validate(made));
      assert.ok(made.length <= bytes.length, `${bytes.length} bytes became ${made.length}`);
      if (made.length < bytes.length) smaller += 1;
      const [before, after] = [run(bytes), run(made)];
      assert.equal(after.f(a), before.f(a));
      assert.deepEqual(Buffer.from(after.memory.buffer), Buffer.from(before.memory.buffer));
    }),
    { numRuns: 300 },
  );
  assert.ok(smaller > 50, `only ${smaller} of 300 programs became smaller`);
});

test("functions that are hot are left alone", () => {
  const stores = Array.from({ length: 20 }, (_, i) => `(i32.store (i32.const ${1000 + 4 * i}) (local.get 0))`);
  const bytes = binary(`(module (memory 1 1) (func $f (export "f") (param i32) ${stores.join(" ")}))`);
  assert.ok(based(bytes).length < bytes.length);
  assert.equal(based(bytes, true).length, bytes.length);
});
