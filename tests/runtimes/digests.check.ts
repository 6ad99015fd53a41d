// The published vectors of digests and HMAC on three more runtimes than the plain tests': each is another opinion on the
// same module.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Kind, kinds } from "../crypto/digests.js";
import { field, message, readRsp } from "../crypto/rsp.js";
import { root, wasm } from "../paths.js";

const program = join(root, "tests", "runtimes", "target", "release", "digests");

const DIGESTS: [Kind, string, number][] = [
  ["md5", "rfc-1321.txt", 7],
  ["sha1", "SHA1ShortMsg.rsp", 65],
  ["sha1", "SHA1LongMsg.rsp", 64],
  ["sha256", "SHA256ShortMsg.rsp", 65],
  ["sha256", "SHA256LongMsg.rsp", 64],
];

interface Case {
  line: string;
  expected: string;
}

const hexOf = (text: string): string => (text === "" ? "-" : text);

const cases: Case[] = DIGESTS.flatMap(([kind, file, count]) => {
  const records = readRsp(file);
  assert.equal(records.length, count, file);
  return records.map((record) => ({
    line: `${kinds[kind]} - ${hexOf(message(record).toString("hex"))}`,
    expected: field(record, "MD"),
  }));
});

for (const [kind, file] of [
  ["md5", "rfc-2202-md5.txt"],
  ["sha1", "rfc-2202-sha1.txt"],
  ["sha256", "rfc-4231-sha256.txt"],
] as const) {
  const records = readRsp(file);
  assert.ok(records.length > 0, file);
  for (const record of records)
    cases.push({
      line: `${kinds[kind]} ${field(record, "Key")} ${hexOf(message(record).toString("hex"))}`,
      expected: field(record, "MD"),
    });
}

describe("published digests and HMACs", () => {
  for (const runtime of ["wamr", "wasm3", "wasmi"])
    for (const module of ["crypto-mcu", "crypto-small"])
      it(`${module}.wasm on ${runtime}`, () => {
        const input = `${cases.map(({ line }) => line).join("\n")}\n`;
        const { status, stdout, stderr } = spawnSync(program, [runtime, wasm(module)], { input, encoding: "utf8" });
        assert.equal(status, 0, stderr);
        const found = stdout.trimEnd().split("\n");
        assert.equal(found.length, cases.length);
        for (const [i, { line, expected }] of cases.entries()) assert.equal(found[i], expected, line.slice(0, 80));
      });
});
