// A recording holds all that a replay needs: in another instance the same calls give the same results and the same memory.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { AgentExports } from "../../host/abi.js";
import { wasm } from "../paths.js";
import { flows } from "../runtimes/mcu/flows.js";
import { checksum, encode, fromText, type Recording, toText } from "./recording.js";

const [connect, post] = (await flows("agent")) as [Recording, Recording];
const module = new WebAssembly.Module(readFileSync(wasm("agent")));

/** What became of each call, and the checksum of the memory. */
function replay({ image, steps }: Recording): { results: number[]; sum: number } {
  const exports = new WebAssembly.Instance(module).exports as unknown as AgentExports;
  const memory = new Uint8Array(exports.memory.buffer, 0, exports.__heap_base.value);
  memory.set(image);
  const results = steps.map(({ writes, name, args }) => {
    for (const [to, bytes] of writes) memory.set(bytes, to);
    return (exports as unknown as Record<string, (...args: number[]) => number>)[name]!(...args);
  });
  return { results, sum: checksum(memory) };
}

for (const recording of [connect, post])
  test(`replays: ${recording.name}`, () => {
    const { results, sum } = replay(recording);
    assert.deepEqual(
      results,
      recording.steps.map(({ result }) => result),
    );
    assert.equal(sum, recording.sum);
  });

test("what the host wrote is part of it", () => {
  assert.ok(connect.steps.some(({ writes }) => writes.length > 0));
  const deaf = { ...connect, steps: connect.steps.map((step) => ({ ...step, writes: [] })) };
  assert.notEqual(replay(deaf).sum, connect.sum);
});

test("as text and back", () => {
  assert.deepEqual(fromText(toText([connect, post])), [connect, post]);
});

test("as the file for replay.c", () => {
  const one: Recording = {
    name: "",
    image: Uint8Array.of(1, 2, 3, 4, 5),
    steps: [{ writes: [[2, Uint8Array.of(9)]], name: "b", args: [7, -1], result: -3 }],
    sum: 0xfffffffe,
  };
  const words = [1, 5, 0x04030201, 5, 1, 1, 2, 1, 9, 1, 7, -1, 0, -3, -2];
  const file = encode([one], ["a", "b"]);
  assert.deepEqual(
    Array.from({ length: file.length / 4 }, (_, i) => file.readInt32LE(4 * i)),
    words,
  );
  assert.throws(() => encode([one], ["a"]), /no export b/);
});
