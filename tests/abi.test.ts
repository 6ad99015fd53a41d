// The contract: what is generated from it is current, and the built module keeps it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import binaryen from "binaryen";
import { ABI_VERSION } from "../host/abi.js";
import { Agent } from "../host/agent.js";
import { generateAbi, parseExports } from "../host/generate_abi.js";
import { root, wasm } from "./paths.js";

const source = (file: string) => readFileSync(join(root, file), "utf8");
const declared = parseExports(source("assembly/index.ts"));

test("host/abi.ts is what the generator makes of assembly/abi.ts and assembly/index.ts", () => {
  const current = source("host/abi.ts");
  const generated = generateAbi(source("assembly/abi.ts"), source("assembly/index.ts"));
  assert.equal(current, generated, "run npm run abi");
});

const abi = `/** Head. */\n\n/** Two. */\nexport const TWO: i32 = 2;\n`;
const event = `/** E. */\nexport const enum Event {\n  None = 0,\n  /** "a.b": {code, desc} */\n  Ab = 1,\n}\n`;

test("constants, enums, events and functions come out with their comments", () => {
  const index = `/** I. */\nimport * as x from "./x";\n\n/** F. */\nexport function f(a: i32, b: i32): i32 { return x.f(a, b); }\n/** G. */\nexport function g(): i32 {\n  return x.g();\n}\n/** H. */\nexport { __heap_base };\n`;
  const text = generateAbi(abi + event, index);
  assert.match(text, /^\/\*\* Two\. \*\/\nexport const TWO = 2;$/m);
  assert.match(text, /^ {2}None: 0,\n {2}\/\*\* "a\.b": \{code, desc\} \*\/\n {2}Ab: 1,\n\} as const;$/m);
  assert.match(text, /^ {2}"a\.b": \{\n {4}event: "a\.b";\n {4}code: number;\n {4}desc: string;\n {2}\};$/m);
  assert.match(text, /^ {2}\/\*\* F\. \*\/\n {2}f\(a: number, b: number\): number;$/m);
  assert.match(text, /^ {2}\/\*\* G\. \*\/\n {2}g\(\): number;$/m);
  assert.match(text, /^ {2}\/\*\* H\. \*\/\n {2}readonly __heap_base: WebAssembly\.Global;$/m);
});

for (const [what, abiSource, indexSource, message] of [
  ["a float", `${abi}export const HALF: f32 = 0.5;\n${event}`, "", /assembly\/abi\.ts:\d+: not in the grammar/],
  ["a computed member", abi + event.replace("Ab = 1", "Ab = 1 << 3"), "", /not in the grammar .*Ab = 1 << 3/],
  ["an i64 argument", abi + event, "export function f(a: i64): i32 { return 0; }", /index\.ts:1: .*a: i64/],
  ["a void function", abi + event, "export function f(): void {}", /not in the grammar/],
  ["a longer body", abi + event, "export function f(): i32 {\n  let a = 1;\n  return a;\n}", /let a = 1/],
  ["an event without members", abi + event.replace(": {code, desc}", ""), "", /Event\.Ab has no comment/],
  ["an unknown event member", abi + event.replace("desc}", "colour}"), "", /add the type .* "colour"/],
  ["a comment without an end", `${abi}/** never`, "", /a comment does not end/],
] as const)
  test(`the generator refuses ${what}`, () => {
    assert.throws(() => generateAbi(abiSource, indexSource), { message });
  });

/** Every part of the built module that the contract speaks about. */
let module: binaryen.Module;
let compiled: WebAssembly.Module;

before(async () => {
  const bytes = readFileSync(wasm("agent"));
  compiled = await WebAssembly.compile(bytes);
  module = binaryen.readBinary(bytes);
});

test("the module imports nothing and exports what index.ts declares, memory too", () => {
  assert.deepEqual(WebAssembly.Module.imports(compiled), []);
  const kinds = declared.map(({ name, kind }) => `${kind} ${name}`);
  const found = WebAssembly.Module.exports(compiled).map(({ name, kind }) => `${kind} ${name}`);
  assert.deepEqual(found.sort(), [...kinds, "memory memory"].sort());
});

test("each function takes as many arguments as index.ts says", async () => {
  const { exports } = await WebAssembly.instantiate(compiled, {});
  for (const entry of declared)
    if (entry.kind === "function")
      assert.equal((exports[entry.name] as () => void).length, entry.parameters.length, entry.name);
});

test("the memory is one page that cannot grow; __heap_base is inside it; __data_end is 0", async () => {
  const agent = await Agent.create(compiled);
  assert.equal(agent.exports.abiVersion(), ABI_VERSION);
  assert.equal(agent.exports.memory.buffer.byteLength, 65536);
  assert.throws(() => agent.exports.memory.grow(1), RangeError);
  const heapBase = agent.exports.__heap_base.value as number;
  assert.ok(heapBase > 0 && heapBase <= 28 * 1024, `__heap_base ${heapBase}`);
  assert.equal(agent.exports.__data_end.value, 0);
});

test("there is no start function, no mutable global, and nothing that asks for or changes the memory's size", () => {
  // The text is made by a third party from the binary, so it shows what is really there.
  const text = module.emitText();
  assert.match(text, /\(func /, "the text is there at all");
  assert.doesNotMatch(text, /\(start /);
  assert.doesNotMatch(text, /memory\.(grow|size|copy|fill|init)/);
  assert.doesNotMatch(text, /\(global [^()]*\(mut /);
  for (let i = 0; i < module.getNumGlobals(); i++)
    assert.equal(binaryen.getGlobalInfo(module.getGlobalByIndex(i)).mutable, false);
});

test("only features of the first WebAssembly release are used", () => {
  module.setFeatures(binaryen.Features.MVP);
  assert.ok(module.validate());
});

test("agent-coap.wasm keeps the same contract: its exports, no import, no start, no mutable global, MVP alone", () => {
  const bytes = readFileSync(wasm("agent-coap"));
  const coap = new WebAssembly.Module(bytes);
  assert.deepEqual(WebAssembly.Module.imports(coap), []);
  const names = (of: WebAssembly.Module) => WebAssembly.Module.exports(of).map(({ name, kind }) => `${kind} ${name}`);
  assert.deepEqual(names(coap).sort(), names(compiled).sort());
  const [theirs, ours] = [new WebAssembly.Instance(compiled).exports, new WebAssembly.Instance(coap).exports];
  for (const [name, call] of Object.entries(theirs))
    if (typeof call === "function") assert.equal((ours[name] as () => void).length, call.length, name);
  const binary = binaryen.readBinary(bytes);
  const text = binary.emitText();
  assert.match(text, /\(func /, "the text is there at all");
  assert.doesNotMatch(text, /\(start |memory\.(grow|size|copy|fill|init)|\(global [^()]*\(mut /);
  binary.setFeatures(binaryen.Features.MVP);
  assert.ok(binary.validate());
});
