// The C boot loader goes through the same power cuts as its twin on Node (tests/agent/power.test.ts).

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Batch, geometries, runBatches } from "../agent/power_batch.js";

const SIZE = 6333;
const loader = new URL("./c_boot.js", import.meta.url).href;
/** Reading record by record costs many operations, so parts with small sectors and a sample of the others. */
const parts = geometries(SIZE).filter(({ sector }) => sector === 4096);

for (const [kind, every, count, least] of [
  ["single", 3, 1, 5_000],
  ["dead", 23, 1, 1_000],
  ["pairs", 1, 60, 900],
] as const)
  test(`${kind} power cuts with boot.c`, async (t) => {
    const batches = parts.map((geometry, i): Batch => ({ geometry, kind, count, seed: 100 + i, every, loader }));
    const tallies = await runBatches(batches);
    assert.deepEqual(
      tallies.flatMap(({ failures }) => failures),
      [],
    );
    const runs = tallies.reduce((sum, tally) => sum + tally.runs, 0);
    t.diagnostic(`${runs} runs`);
    assert.ok(runs >= least, `${runs} runs`);
  });
