// `alink-agent size`: its figures add up to the module, and its mistakes have a line each.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { BUDGETS } from "../../host/size/budgets.js";
import { readMappedModule, type SizeMap } from "../../host/size/size_map.js";
import { wasm } from "../paths.js";
import { command, finish, folder } from "../platform/command.js";

type Line = { event: string; name: string; bytes: number } & Record<string, unknown>;

const lines = (text: string): Line[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
const sum = (all: Line[]): number => all.reduce((total, { bytes }) => total + bytes, 0);

test("every byte of file and memory is told once", async (t) => {
  const { code: exit, stdout, stderr } = await finish(command(t, ["size", "--all", "--json"]));
  assert.deepEqual([exit, stderr], [0, ""]);
  const all = lines(stdout);
  const of = (event: string) => all.filter((line) => line.event === event);
  const bytes = readFileSync(wasm("agent"));
  const { instance } = await WebAssembly.instantiate(bytes);
  const memory = (instance.exports.__heap_base as WebAssembly.Global).value as number;
  const [module] = of("size.module");
  assert.deepEqual(module, {
    event: "size.module",
    profile: "full",
    module: "agent.wasm",
    file: { bytes: bytes.length, budget: BUDGETS.agent!.file, headroom: BUDGETS.agent!.file - bytes.length },
    memory: { bytes: memory, budget: BUDGETS.agent!.memory, headroom: BUDGETS.agent!.memory - memory },
  });
  assert.equal(sum(of("size.section")) + 8, bytes.length);
  assert.equal(sum(of("size.layer")), sum(of("size.function")));
  const codeSection = of("size.section").find(({ name }) => name === "code")!.bytes;
  const [code] = all.filter((line) => line.event === "size.code") as unknown as { apart: number; merged: number }[];
  // The section's id, length and count.
  assert.ok(codeSection >= code!.merged && codeSection - code!.merged <= 6);
  assert.equal(sum(of("size.function")), code!.apart);
  assert.ok(code!.apart > code!.merged);
  assert.equal(sum(of("size.buffer")), memory);
  assert.ok(of("size.buffer").every(({ bytes: cost }) => cost > 0));
  const layers = new Set(["bytes", "crypto", "codec", "protocol", "agent", "index"]);
  for (const { name } of of("size.layer")) assert.ok(layers.delete(name), name);
  const functions = of("size.function").map(({ name }) => name);
  assert.ok(functions.includes("index/poll") && functions.includes("protocol/update/updateStep"));
  assert.equal(new Set(functions).size, functions.length);
});

test("people get tables of the most expensive ones, as many as they ask for", async (t) => {
  const { code, stdout } = await finish(command(t, ["size", "--top", "3"]));
  assert.equal(code, 0);
  const rows = stdout.split("\n");
  const heading = rows.findIndex((row) => /^bytes {2}function \(3 of \d+\)$/.test(row));
  assert.ok(heading > 0, stdout);
  assert.equal(rows[heading + 4], "");
  const costs = rows.slice(heading + 1, heading + 4).map((row) => Number.parseInt(row, 10));
  assert.ok(costs[0]! >= costs[1]! && costs[1]! >= costs[2]! && costs[2]! > 0);
  assert.match(stdout, /^flash +\d+ bytes, budget \d+, \d+ (left|above it)$/m);
  const all = await finish(command(t, ["size", "--all"]));
  assert.match(all.stdout, /^ *\d+ {2}index\/poll$/m);
  assert.match(all.stdout, /^ *\d+ {2}MQTT_RX_WINDOW$/m);
});

test("wrong usage ends with 2, and one line", async (t) => {
  for (const [args, message] of [
    [["--profile", "tiny"], /'tiny' is invalid. Allowed choices are full, lite, coap/],
    [["--top", "0"], /it is a number from 1 on/],
    [["--top", "many"], /it is a number from 1 on/],
    [["agent.wasm"], /too many arguments/],
  ] as const) {
    const { code, stdout, stderr } = await finish(command(t, ["size", ...args]));
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1);
  }
});

test("a module without its map, or with another one's, is refused with what to do", (t) => {
  const directory = folder(t);
  assert.throws(() => readMappedModule("agent", directory), /no agent.wasm: run npm run build/);
  copyFileSync(wasm("agent"), join(directory, "agent.wasm"));
  assert.throws(() => readMappedModule("agent", directory), /agent.size.json.*cannot be read: run npm run build/);
  const { map } = readMappedModule("agent");
  const altered = (change: (map: SizeMap) => void) => {
    const copy = structuredClone(map);
    change(copy);
    writeFileSync(join(directory, "agent.size.json"), JSON.stringify(copy));
    assert.throws(() => readMappedModule("agent", directory), /belongs to another build/);
  };
  altered((copy) => {
    copy.sha256 = "0".repeat(64);
  });
  altered((copy) => {
    copy.functions[5]!.bytes++;
  });
  altered((copy) => {
    copy.functions.pop();
  });
});
