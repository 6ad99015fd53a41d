// What an update costs per byte of the image beyond its digest, in operations of the module: a count, so that it repeats.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type AgentExports, FlashOp } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { wasm } from "../paths.js";
import { Counter } from "./operations.js";
import { bench, image, offer, pushed } from "./update_bench.js";

/** Operations of the copy of a module that counts them. */
interface Counting {
  opsReset(): void;
  opsRead(): number;
}

interface Digests extends Counting {
  windowPtr(): number;
  digestInit(kind: number, context: number): void;
  digestUpdate(kind: number, context: number, from: number, length: number): void;
}

const counting = (name: string) => new Counter(readFileSync(wasm(name))).build();
const SHA256 = 2;
const SLICE = 512;

function digestCost(): number {
  const exports = new WebAssembly.Instance(counting("crypto-mcu")).exports as unknown as Digests;
  const context = exports.windowPtr();
  exports.digestInit(SHA256, context);
  exports.opsReset();
  exports.digestUpdate(SHA256, context, context + 1024, SLICE);
  return exports.opsRead() / SLICE;
}

/** Operations from the offer to the restart. */
async function updateCost(module: WebAssembly.Module, size: number): Promise<number> {
  const agent = await Agent.create(module);
  const exports = agent.exports as AgentExports & Counting;
  const on = await bench(image(size), { agent });
  exports.opsReset();
  pushed(on, offer(image(size)));
  assert.ok(on.rig.restart, JSON.stringify(on.rig.events.at(-1)));
  assert.ok(on.rig.flashOps.filter(({ op }) => op === FlashOp.Write).length > 1);
  return exports.opsRead();
}

for (const [name, most] of [
  ["agent", 8],
  ["agent-host", 3.5],
] as const)
  test(`${name}.wasm: a byte of an image costs ${most} operations beyond its digest at most`, async (t) => {
    const module = counting(name);
    // 32 KiB more with one mark more: what an update costs once is in both
    const each = ((await updateCost(module, 49152)) - (await updateCost(module, 16384))) / 32768;
    const digest = digestCost();
    t.diagnostic(`${(each - digest).toFixed(2)} operations a byte, beside ${digest.toFixed(2)} of its SHA-256`);
    assert.ok(digest > 50, `${digest} operations a byte for SHA-256: they are not counted`);
    assert.ok(each - digest > 0 && each - digest <= most, `${each - digest} operations a byte`);
  });
