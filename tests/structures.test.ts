// The core's structures stand in zeroed memory and are never constructed: an initialiser of a field is only there for the
// language, and one that is not 0 would say what is not so.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "./paths.js";

const files = readdirSync(join(root, "assembly"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => ({ file, text: readFileSync(join(root, "assembly", file), "utf8") }));

/** `Phase.Idle` of every enum whose member is 0. */
function zeros(): Set<string> {
  const found = new Set<string>();
  for (const { text } of files)
    for (const [, name, body] of text.matchAll(/enum (\w+) \{([^}]*)\}/g)) {
      const members = body!.replace(/\/\*[\s\S]*?\*\//g, "").matchAll(/(\w+)(?: = (-?\w+))?,/g);
      [...members].forEach(([, member, value], place) => {
        if (value === undefined ? place === 0 : Number(value) === 0) found.add(`${name}.${member}`);
      });
    }
  return found;
}

test("every field of a structure begins with 0", () => {
  const zero = zeros();
  assert.ok(zero.has("Digest.Md5") && !zero.has("Digest.Sha256"));
  let fields = 0;
  const faults = files.flatMap(({ file, text }) =>
    [...text.matchAll(/^@unmanaged[\s\S]*?^}/gm)].flatMap(([structure]) =>
      [...structure.matchAll(/^ {2}(\w+): [\w<>]+ = (.*);$/gm)].flatMap(([, field, value]) => {
        fields++;
        const empty = /^(0|false|changetype<\w+>\(0\))$/.test(value!) || zero.has(value!);
        return empty ? [] : [`${file}: ${field} = ${value}`];
      }),
    ),
  );
  assert.ok(fields > 200, `only ${fields} fields were found`);
  assert.deepEqual(faults, []);
});
