// What every agent module is made of, read from the binary: nothing from outside, nothing that varies, no recursion.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import binaryen from "binaryen";
import { OPERANDS } from "./agent/operations.js";
import { root } from "./paths.js";

type Info = Record<string, unknown>;

/** Longest chain of calls, in functions; a stack of the runtime holds a frame for each. */
const DEEPEST = 24;

const files = readdirSync(join(root, "build")).filter((name) => /^agent.*\.wasm$/.test(name));
const TYPES = new Set([binaryen.none, binaryen.i32, binaryen.i64, binaryen.unreachable]);

/** Every expression of a function; kinds and types that are not allowed are errors. -> the functions it calls. */
function calls(body: number): Set<string> {
  const found = new Set<string>();
  const visit = (expression: number): void => {
    const info = binaryen.getExpressionInfo(expression) as unknown as Info;
    const operands = OPERANDS[info.id as number];
    assert.ok(operands, `an expression of kind ${info.id as number}`);
    assert.ok(TYPES.has(info.type as number), `an expression of type ${info.type as number}`);
    if (info.id === binaryen.CallId) found.add(info.target as string);
    for (const name of operands) {
      const value = info[name];
      for (const operand of Array.isArray(value) ? (value as number[]) : [value as number]) if (operand) visit(operand);
    }
  };
  if (body !== 0) visit(body);
  return found;
}

function graphOf(module: binaryen.Module): Map<string, Set<string>> {
  const graph = new Map<string, Set<string>>();
  for (let i = 0; i < module.getNumFunctions(); i++) {
    const { name, body, module: from } = binaryen.getFunctionInfo(module.getFunctionByIndex(i));
    assert.equal(from, "", `${name} is imported`);
    graph.set(name, calls(body));
  }
  return graph;
}

/** -> the longest chain of calls, caller first. @throws with the ring when there is one */
function deepest(graph: Map<string, Set<string>>): string[] {
  const known = new Map<string, string[]>();
  const path: string[] = [];
  const visit = (name: string): string[] => {
    assert.ok(!path.includes(name), `recursion: ${[...path.slice(path.indexOf(name)), name].join(" -> ")}`);
    let longest = known.get(name);
    if (longest === undefined) {
      path.push(name);
      const below = [...graph.get(name)!].map(visit).sort((a, b) => b.length - a.length);
      longest = [name, ...(below[0] ?? [])];
      path.pop();
      known.set(name, longest);
    }
    return longest;
  };
  return [...graph.keys()].map(visit).sort((a, b) => b.length - a.length)[0]!;
}

test("the modules that are looked at", () => {
  for (const name of ["agent.wasm", "agent-lite.wasm"]) assert.ok(files.includes(name), `${name}: run npm run build`);
});

for (const file of files) {
  const bytes = readFileSync(join(root, "build", file));

  test(`${file}: no import, no start function, no mutable global, one memory that cannot grow`, () => {
    const compiled = new WebAssembly.Module(bytes);
    assert.deepEqual(WebAssembly.Module.imports(compiled), []);
    assert.deepEqual(WebAssembly.Module.customSections(compiled, "name"), [], "names are left in");
    const module = binaryen.readBinary(bytes);
    assert.equal(module.getStart(), 0);
    for (let i = 0; i < module.getNumGlobals(); i++) {
      const { name, mutable } = binaryen.getGlobalInfo(module.getGlobalByIndex(i));
      assert.ok(!mutable, `global ${name}`);
    }
    assert.equal(module.getNumTables(), 0);
    module.dispose();
    const { memory } = new WebAssembly.Instance(compiled).exports as { memory: WebAssembly.Memory };
    assert.throws(() => memory.grow(1), RangeError);
  });

  test(`${file}: plain instructions on i32 and i64, calls without recursion and at most ${DEEPEST} deep`, (t) => {
    const module = binaryen.readBinary(bytes);
    const chain = deepest(graphOf(module));
    module.dispose();
    t.diagnostic(`longest chain of calls: ${chain.length} functions`);
    assert.ok(chain.length > 3, chain.join(" -> "));
    assert.ok(chain.length <= DEEPEST, `${chain.length} functions deep`);
  });
}

/** A module with these functions, in text. */
const parse = (text: string) => binaryen.parseText(`(module (memory 1 1) ${text})`);

test("the checks find what they look for", () => {
  const ring = parse("(func $a (call $b)) (func $b (call $c)) (func $c (call $a))");
  assert.throws(() => deepest(graphOf(ring)), /recursion: a -> b -> c -> a/);
  assert.throws(() => graphOf(parse("(func $a (drop (memory.size)))")), /an expression of kind/);
  assert.throws(() => graphOf(parse("(func $a (drop (memory.grow (i32.const 1))))")), /an expression of kind/);
  assert.throws(() => graphOf(parse("(func $a (drop (f32.const 1)))")), /an expression of type/);
  assert.throws(
    () => graphOf(parse("(func $a (memory.fill (i32.const 0) (i32.const 0) (i32.const 1)))")),
    /an expression of kind/,
  );
  assert.deepEqual(deepest(graphOf(parse("(func $a (call $b)) (func $b)"))), ["a", "b"]);
});
