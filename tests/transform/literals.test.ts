// The literals transform, through the compiler: what S() turns into, and what it refuses.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { root } from "../paths.js";

const { default: Literals } = await import(pathToFileURL(join(root, "assembly/transform/literals.mjs")).href);
const text = readFileSync(join(root, "assembly/bytes/text.ts"), "utf8");

interface Compiled {
  wat: string;
  wasm: Uint8Array<ArrayBuffer>;
  errors: string;
}

/** Compiles `body` as a module beside bytes/text, with its S imported, and `others` by file name. */
async function compile(body: string, others: Record<string, string> = {}, transforms = [Literals]): Promise<Compiled> {
  const sources: Record<string, string> = {
    "bytes/text.ts": text,
    "main.ts": `import { S, litLen } from "./bytes/text";\n${body}`,
    ...others,
  };
  const written = new Map<string, string | Uint8Array>();
  const stderr = asc.createMemoryStream();
  const flags = "--runtime stub -Oz --disable bulk-memory --noColors -o main.wasm -t main.wat".split(" ");
  const { error } = await asc.main(["main.ts", ...flags], {
    readFile: (name: string) => sources[name] ?? null,
    writeFile: (name: string, contents: string | Uint8Array) => void written.set(name, contents),
    listFiles: () => [],
    stderr,
    transforms,
  } as Parameters<typeof asc.main>[1]);
  const wasm = written.get("main.wasm");
  return {
    wat: String(written.get("main.wat") ?? ""),
    wasm: Uint8Array.from(wasm instanceof Uint8Array ? wasm : []),
    errors: error ? stderr.toString() : "",
  };
}

describe("S()", () => {
  it("is one constant: no call, no global, one segment, equal literals once", async () => {
    const { wat, errors } = await compile(
      `export function a(): usize { return S("hello"); }
       export function b(): usize { return S("é") + S("hello"); }`,
      {},
    );
    assert.equal(errors, "");
    assert.equal(wat.match(/\(data /g)?.length, 1);
    assert.match(wat, /\(data \$0 \(i32\.const 8\) "\\05hello\\02\\c3\\a9"\)/);
    assert.doesNotMatch(wat, /\bcall\b|\(global|\(import|\(start/);
    assert.match(wat, /\(func \$main\/a \(result i32\)\s+i32\.const 8\s+\)/);
  });

  it("is shared by every file that imports it, and left alone in one that has an S of its own", async () => {
    const { wat, wasm, errors } = await compile(
      `export { c } from "./c"; export { d } from "./d"; export function a(): usize { return S("shared"); }`,
      {
        "c.ts": `import { S } from "./bytes/text"; export function c(): usize { return S("shared"); }`,
        "d.ts": `function S(text: string): i32 { return text.length; } export function d(): i32 { return S("shared"); }`,
      },
    );
    assert.equal(errors, "");
    const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(wasm), {});
    const { a, c, d } = exports as Record<string, () => number>;
    assert.equal(a?.(), c?.());
    assert.equal(d?.(), 6);
    assert.equal(wat.match(/\\06shared/g)?.length, 1);
  });

  it("may stand in the initialiser of a constant and in static data", async () => {
    const { wat, errors } = await compile(
      `const C: usize = S("two");
       const T = memory.data<usize>([S("one"), C]);
       export function t(i: usize): u32 { return litLen(load<usize>(i << 2, T)); }`,
    );
    assert.equal(errors, "");
    assert.match(wat, /"\\03two\\03one"/);
    assert.doesNotMatch(wat, /\(start|\(global/);
  });

  it("has no bytes where only code names it that is not compiled", async () => {
    const { wat, errors } = await compile(
      `import { L, wordIndex } from "./bytes/text";
       const ON: bool = !isDefined(NOWHERE);
       const OFF: bool = !ON;
       const T = memory.data<usize>([S("in a table")]);
       function never(): usize { return S("of a function that nobody calls"); }
       export function a(): usize {
         if (OFF) return S("dead") + never();
         return ON ? S("alive") : S("dead, too");
       }
       export function t(i: usize): i32 { return wordIndex(T, <u32>i, OFF ? L("no list") : L("one list"), false); }`,
    );
    assert.equal(errors, "");
    assert.match(wat, /in a table/);
    assert.match(wat, /alive/);
    assert.match(wat, /one\\04list/);
    assert.doesNotMatch(wat, /dead|nobody|\\02no/);
  });

  it("is the word of a list where one has it", async () => {
    const { wat, wasm, errors } = await compile(
      `import { L, wordIndex } from "./bytes/text";
       export function a(): usize { return S("two"); }
       export function b(): usize { return L("one two three"); }`,
    );
    assert.equal(errors, "");
    assert.equal(wat.match(/\\03two/g)?.length, 1);
    const { exports } = await WebAssembly.instantiate(await WebAssembly.compile(wasm), {});
    const { a, b } = exports as Record<string, () => number>;
    assert.equal(a!() - b!(), 4);
  });

  it("gives the same bytes for the same sources", async () => {
    const body = `export function a(): usize { return S("b") + S("a"); }`;
    assert.deepEqual((await compile(body)).wasm, (await compile(body)).wasm);
  });

  for (const [what, argument, expected] of [
    ["256 bytes", `"${"é".repeat(128)}"`, /256 bytes, the limit is 255/],
    ["an expression", `"a" + "b"`, /exactly one string literal/],
    ["a template", "`a`", /exactly one string literal/],
    ["nothing", "", /exactly one string literal/],
    ["two literals", `"a", "b"`, /exactly one string literal/],
    ["half a character", `"\\ud800"`, /half of a surrogate pair/],
  ] as const) {
    it(`refuses ${what}, naming the place`, async () => {
      const { errors } = await compile(`export function a(): usize {\n  return S(${argument});\n}`);
      assert.match(errors, expected);
      assert.match(errors, /main\.ts\(3,/);
    });
  }

  it("does not compile without the transform, and says which", async () => {
    const { errors } = await compile(`export function a(): usize { return S("a"); }`, {}, []);
    assert.match(errors, /S needs the transform \.\/asc-transform\.mjs/);
  });
});

describe("L()", () => {
  const list = (argument: string) =>
    compile(`import { L } from "./bytes/text"; export function a(): usize { return L(${argument}); }`);

  it("is a list of literals that an empty one ends: the words of one text, or several texts as they are", async () => {
    assert.match((await list('"one two"')).wat, /"\\03one\\03two(\\00)?"/);
    assert.match((await list('"one two", "", "é"')).wat, /"\\07one two\\00\\02\\c3\\a9(\\00)?"/);
  });

  for (const [what, argument, expected] of [
    ["words with two blanks between them", '"a  b"', /one blank between each two/],
    ["one word", '"a"', /one blank between each two/],
    ["an expression among texts", '"a b", "c" + "d"', /L one or more/],
    ["an entry of 256 bytes", `"a b", "${"é".repeat(128)}"`, /256 bytes, the limit is 255/],
    ["nothing", "", /L one or more/],
  ] as const) {
    it(`refuses ${what}`, async () => assert.match((await list(argument)).errors, expected));
  }
});
