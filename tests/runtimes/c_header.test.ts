import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { generateCHeader } from "../../host/generate_c_header.js";
import { root } from "../paths.js";

const read = (file: string): string => readFileSync(join(root, file), "utf8");

describe("host/wamr/agent_abi.h", () => {
  const text = generateCHeader(read("assembly/abi.ts"), read("assembly/index.ts"));

  it("is what the sources say", () => {
    const lines = text.split("\n");
    const present = read("host/wamr/agent_abi.h").split("\n");
    const at = lines.findIndex((line, i) => line !== present[i]);
    const hint = "run: npm run build:host && node build/host/generate_c_header.js";
    assert.equal(at, -1, `line ${at + 1} is "${present[at]}", the sources say "${lines[at]}"; ${hint}`);
    assert.equal(present.length, lines.length, hint);
  });

  it("has every constant, enum member and export", () => {
    for (const [, name, value] of read("assembly/abi.ts").matchAll(/^export const (\w+): i32 = (-?\d+);/gm))
      assert.match(text, new RegExp(`^#define ALINK_${name} \\(?${value}\\)?$`, "m"));
    const members = [...read("assembly/abi.ts").matchAll(/^ {2}(\w+) = (-?\d+),$/gm)].map(([, , value]) => value);
    const inC = [...text.matchAll(/^ {2}ALINK_\w+ = (-?\d+),$/gm)].map(([, value]) => value);
    assert.deepEqual(inC, members);
    const functions = [...read("assembly/index.ts").matchAll(/^export function (\w+)\(/gm)].map(([, name]) => name);
    const listed = [...text.matchAll(/^ {2}X\(\w+, (\w+), \d\)/gm)].map(([, name]) => name);
    assert.deepEqual(listed, functions);
  });

  it("refuses two names that fall together", () => {
    const twice = read("assembly/abi.ts").replace("export const IN_WINDOW", "export const CODE_OK");
    assert.throws(() => generateCHeader(twice, read("assembly/index.ts")), /ALINK_CODE_OK would stand for two things/);
  });
});
