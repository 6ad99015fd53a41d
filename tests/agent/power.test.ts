// The proof by exhaustion at its normal size: the power goes at every flash operation of an update, in every way.
// The slow suite (power.slow.ts) tries more seeds, and pairs of cuts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { wasm } from "../paths.js";
import type { Torn } from "./flash_model.js";
import { Bench, type Cut, type Geometry, type RunOptions } from "./power.js";
import { type Batch, geometries, runBatches, type Tally } from "./power_batch.js";

/** Three blocks and a rest that is a multiple of nothing. */
const SIZE = 6333;
/** Large enough for a mark on sectors of either size. */
const MARKED_SIZE = 70_001;

function judge(tallies: Tally[], least: number): string {
  const failures = tallies.flatMap((tally) => tally.failures);
  assert.deepEqual(failures, []);
  const runs = tallies.reduce((sum, tally) => sum + tally.runs, 0);
  assert.ok(runs >= least, `${runs} cuts, at least ${least} were to be tried`);
  return `${runs} runs on ${tallies.length} flashes`;
}

test("an update survives a power cut at every flash operation, whatever the cut leaves", async (t) => {
  const batches = geometries(SIZE).map((geometry): Batch => ({ geometry, kind: "single", count: 1, seed: 1 }));
  t.diagnostic(judge(await runBatches(batches), 10_000));
});

test("so it does with two sectors for the boot record, and with an image of many blocks", async (t) => {
  const part = { sector: 4096, write: 8, erased: 255, before: 1 };
  const batches: Batch[] = [
    { geometry: { ...part, size: SIZE, bootSectors: 2 }, kind: "single", count: 4, seed: 2 },
    { geometry: { ...part, size: 140_001 }, kind: "single", count: 1, seed: 3, every: 7 },
  ];
  t.diagnostic(judge(await runBatches(batches), 700));
});

test("so it does with marks to go on from, on every flash", async (t) => {
  const batches = geometries(MARKED_SIZE).map(
    (geometry, i): Batch => ({ geometry, kind: "single", count: 1, seed: 6 + i, every: 37 }),
  );
  t.diagnostic(judge(await runBatches(batches), 600));
});

test("so it does with agent-lite.wasm, of which the request stands in the window of the image", async (t) => {
  const module = wasm("agent-lite");
  const batches = geometries(SIZE).map(
    (geometry, i): Batch => ({ geometry, kind: "single", count: 1, seed: 20 + i, every: 5, module }),
  );
  for (const [i, geometry] of geometries(MARKED_SIZE).entries())
    batches.push({ geometry, kind: "single", count: 1, seed: 40 + i, every: 97, module });
  t.diagnostic(judge(await runBatches(batches), 2_500));
});

test("an image that never gets as far as its module: the old one comes back, the failure is reported, the next update works", async (t) => {
  const batches = geometries(SIZE)
    .filter(({ sector }) => sector === 4096)
    .map((geometry): Batch => ({ geometry, kind: "dead", count: 1, seed: 4, every: 6 }));
  t.diagnostic(judge(await runBatches(batches), 1_000));
});

test("two power cuts at random", async (t) => {
  const batches = geometries(SIZE).map((geometry, i): Batch => ({ geometry, kind: "pairs", count: 60, seed: 5 + i }));
  t.diagnostic(judge(await runBatches(batches), 60 * batches.length));
});

test("what the slow suite once found stays mended", async () => {
  const part = { sector: 4096, erased: 255, size: SIZE };
  // a header that dropped the mark of the update before, and read as valid although it was unstable: the judge's mistake
  const marked = { ...part, sector: 65536, size: MARKED_SIZE, write: 32, before: 1 };
  const found: [geometry: Geometry, options: RunOptions, seed: number][] = [
    // a lost record of an image that is on trial already: it reported the version it was made with
    [{ ...part, write: 4, before: 1 }, { cuts: [cut(49, 1, "unstable"), cut(68, 0)] }, 20263807],
    // a failure reported once more, after the version had brought the next package: it ended that one's task
    [{ ...part, write: 16, before: 1 }, { cuts: [cut(110, 1, "unstable")], dead: true }, 130260],
    [{ ...part, write: 4, before: 0 }, { cuts: [cut(101, 1, "unstable")], dead: true }, 121260],
    // "verified" was unstable and read as nothing, the slot was written again, and then it read as valid: half an image started
    [{ ...part, write: 32, before: 0 }, { cuts: [cut(25, 1, "unstable"), cut(39, 0)] }, 20265578],
    [{ ...part, write: 4, before: 0 }, { cuts: [cut(25, 1, "unstable"), cut(36, 0, "unreadable")] }, 20262224],
    [marked, { cuts: [cut(17, 1, "unstable")] }, 17007],
    // a mark that was torn: judge and device may read it differently
    [{ ...marked, sector: 4096, erased: 0 }, { cuts: [cut(133, 0.5, "unstable")] }, 153275],
  ];
  for (const [geometry, options, first] of found) {
    const bench = await Bench.create(geometry);
    for (let seed = first; seed < first + 20; seed++) await bench.run({ ...options, seed, mayEndEarly: true });
  }
});

function cut(at: number, done: number, torn?: Torn): Cut {
  return { at, effect: torn === undefined ? { done } : { done, torn } };
}
