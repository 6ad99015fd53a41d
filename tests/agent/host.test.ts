// agent-host.wasm on the bench: the same program with blocks that are larger than a sector may be.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Boot, Channel, FlashOp } from "../../host/abi.js";
import { wasm } from "../paths.js";
import { type Batch, runBatches } from "./power_batch.js";
import { layout, type Rig, type RigOptions } from "./rig.js";
import { answerGet, type Bench, bench, image, offer, pushed, slot } from "./update_bench.js";
import { fileServer } from "./web.js";

const FILE_NAME = wasm("agent-host");
const module = new WebAssembly.Module(readFileSync(FILE_NAME));
const BLOCK = 16384;
const SLOT = layout.slots[1]![0]!;
const FILE = image(60_000);

/** [from the start of the slot, length] of the operations of one kind in the slot. */
const operations = (rig: Rig, op: number): number[][] =>
  rig.flashOps
    .filter((done) => done.op === op && done.offset >= SLOT && done.offset < layout.state[0]!)
    .map(({ offset, length }) => [offset - SLOT, length]);

/** Push FILE to one module, lose the link after 50,000 bytes for good, and go on with another one on the same flash. */
async function taken(from: RigOptions, to: RigOptions): Promise<Bench> {
  const first = await bench(FILE, from);
  const serve = fileServer(FILE);
  first.web.answer = (request) => ({ bytes: serve(request).bytes.subarray(0, 50_000) });
  pushed(first, offer(FILE));
  assert.equal(first.rig.restart, false);
  const next = await bench(FILE, { ...to, flash: first.rig.flash, booted: [0, Boot.Confirmed, 0] }, false);
  answerGet(next, () => offer(FILE));
  next.rig.settle();
  return next;
}

test("a block is erased, written and read back at once, and no sector behind the image is touched", async () => {
  assert.ok(layout.sector < BLOCK);
  const on = await bench(FILE, { module });
  pushed(on, offer(FILE));
  assert.ok(on.rig.restart, JSON.stringify(on.rig.events.at(-1)));
  assert.deepEqual(slot(on.rig, 1, FILE.length), FILE);
  const whole = [0, BLOCK, 2 * BLOCK].map((offset) => [offset, BLOCK]);
  const rest = FILE.length - 3 * BLOCK;
  assert.deepEqual(operations(on.rig, FlashOp.Erase), [...whole, [3 * BLOCK, Math.ceil(rest / 4096) * 4096]]);
  assert.deepEqual(operations(on.rig, FlashOp.Write), [...whole, [3 * BLOCK, rest]]);
  assert.deepEqual(operations(on.rig, FlashOp.Read), [...whole, [3 * BLOCK, rest]]);
});

test("bytes that come one by one, and MD5, end in the same image", async () => {
  const file = image(BLOCK + 4321);
  const on = await bench(file, { module, fragment: 1 });
  pushed(on, offer(file, {}, "md5"));
  assert.ok(on.rig.restart, JSON.stringify(on.rig.events.at(-1)));
  assert.deepEqual(slot(on.rig, 1, file.length), file);
});

test("it goes on at a mark of agent.wasm, and agent.wasm at its own", async () => {
  for (const [from, to] of [
    [{}, { module }],
    [{ module }, {}],
  ]) {
    const { rig, web } = await taken(from!, to!);
    assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));
    assert.deepEqual(
      web.requests.map((request) => request.from),
      [32768],
    );
    assert.deepEqual(slot(rig, 1, FILE.length), FILE);
  }
});

test("an update survives a power cut at every flash operation, whatever the cut leaves", async (t) => {
  const part = { write: 16, before: 1, size: 2 * BLOCK + 9_001 };
  const batches = [4096, 16384, 65536].flatMap((sector) =>
    [255, 0].map(
      (erased): Batch => ({
        geometry: { ...part, sector, erased },
        kind: "single",
        count: 1,
        seed: 1,
        module: FILE_NAME,
      }),
    ),
  );
  const tallies = await runBatches(batches);
  const runs = tallies.reduce((sum, tally) => sum + tally.runs, 0);
  t.diagnostic(`${runs} runs on ${tallies.length} flashes`);
  assert.deepEqual(
    tallies.flatMap(({ failures }) => failures),
    [],
  );
  assert.ok(runs >= 2000, `${runs} cuts, at least 2000 were to be tried`);
});

test("its windows for messages are those of agent.wasm", async () => {
  const { rig } = await bench(FILE, { module });
  assert.deepEqual([rig.agent.exports.inCap(), rig.agent.exports.rxCap(Channel.Mqtt)], [1024, 2048]);
});
