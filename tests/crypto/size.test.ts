// What each algorithm costs by itself, and the modules of all of them, in bytes.
//
// An algorithm is measured as a module that exports its verbs and nothing else, by its code and tables.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { wasm } from "../paths.js";
import { codeAndData, compile, type Grade } from "./compile.js";

const verbs: Record<string, string> = {
  md5: 'export { md5Init, md5Update, md5Final } from "./crypto/md5";',
  sha1: 'export { sha1Init, sha1Update, sha1Final } from "./crypto/sha1";',
  sha256: 'export { sha256Init, sha256Update, sha256Final } from "./crypto/sha256";',
  "aes-cbc": 'export { aesInit, cbcStart, cbcSeal, cbcOpen } from "./crypto/aes";',
};

/** Most bytes; raise one together with the change that needs them, and say there what they are for. */
const budgets: [Grade, string, number][] = [
  ["mcu", "md5", 2700],
  ["mcu", "sha1", 1650],
  ["mcu", "sha256", 3600],
  ["mcu", "aes-cbc", 3200],
  ["small", "md5", 1200],
  ["small", "sha1", 1100],
  ["small", "sha256", 1450],
  ["small", "aes-cbc", 1900],
];

for (const [grade, algorithm, budget] of budgets)
  test(`${algorithm}, ${grade} grade: at most ${budget} bytes of code and tables`, async (t) => {
    const bytes = codeAndData(await compile(verbs[algorithm]!, grade));
    t.diagnostic(`${bytes} bytes`);
    assert.ok(bytes <= budget, `${bytes} bytes: make it smaller, or raise its budget in tests/crypto/size.test.ts`);
    assert.ok(bytes > budget / 2, `${bytes} bytes: lower its budget, so that growth is noticed`);
  });

for (const [name, budget] of [
  ["crypto", 24 * 1024],
  ["crypto-mcu", 12 * 1024],
  ["crypto-small", 8 * 1024],
] as const)
  test(`${name}.wasm: at most ${budget} bytes, no import, no start`, (t) => {
    const bytes = readFileSync(wasm(name));
    t.diagnostic(`${bytes.length} bytes`);
    assert.ok(bytes.length <= budget, `${bytes.length} bytes`);
    assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(bytes)), []);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {});
    assert.equal((exports.__data_end as WebAssembly.Global).value, 0);
  });

test("crypto-mcu.wasm and crypto-small.wasm cannot grow their memory and fit in 8 KiB of it", () => {
  for (const name of ["crypto-mcu", "crypto-small"]) {
    const module = new WebAssembly.Module(readFileSync(wasm(name)));
    const exports = new WebAssembly.Instance(module, {}).exports as {
      memory: WebAssembly.Memory;
      __heap_base: WebAssembly.Global;
    };
    assert.ok((exports.__heap_base.value as number) <= 8192, name);
    assert.throws(() => exports.memory.grow(1), RangeError, name);
  }
});
