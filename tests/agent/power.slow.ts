// The proof by exhaustion at its full size: every cut with many seeds, and 100,000 pairs of cuts at random.
// ALINK_SEED chooses another seed; SAFETY_TABLE=write puts the counts into docs/safety.md.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../paths.js";
import { type Batch, geometries, runBatches, type Tally } from "./power_batch.js";

const SIZE = 6333;
const SEED = Number(process.env.ALINK_SEED ?? 20260);
const PAIRS = 100_000;
const DOCUMENT = join(root, "docs", "safety.md");
const [BEGIN, END] = ["<!-- counts: written by the slow suite -->", "<!-- end of counts -->"];

const all = geometries(SIZE);
const rows: string[][] = [];

function judge(name: string, tallies: Tally[]): void {
  assert.deepEqual(
    tallies.flatMap(({ failures }) => failures),
    [],
  );
  const runs = tallies.reduce((sum, tally) => sum + tally.runs, 0);
  const operations = tallies.reduce((sum, tally) => sum + tally.operations, 0);
  rows.push([name, String(tallies.length), operations.toLocaleString("en"), runs.toLocaleString("en"), "0"]);
}

test(`every cut, four seeds for what reads at random (seed ${SEED})`, async () => {
  const batches = all.map((geometry): Batch => ({ geometry, kind: "single", count: 4, seed: SEED }));
  judge("one cut: every operation, every effect", await runBatches(batches));
});

test(`every cut on an image of many blocks (seed ${SEED})`, async () => {
  const part = { sector: 4096, write: 8, erased: 255, size: 140_001 };
  const batches = [0, 1].map(
    (before): Batch => ({ geometry: { ...part, before }, kind: "single", count: 1, seed: SEED }),
  );
  judge("the same on an image of 140,001 bytes", await runBatches(batches));
});

test(`every cut with an image that never runs (seed ${SEED})`, async () => {
  const batches = all.map((geometry): Batch => ({ geometry, kind: "dead", count: 1, seed: SEED }));
  judge("one cut, and an image that hangs before the module loads", await runBatches(batches));
});

test(`${PAIRS} pairs of cuts at random (seed ${SEED})`, async () => {
  const count = Math.ceil(PAIRS / all.length);
  // small batches, so that no core is idle for long at the end
  const batches = all.flatMap((geometry, i) =>
    [0, 1, 2, 3].map(
      (part): Batch => ({ geometry, kind: "pairs", count: count / 4, seed: SEED + 97 * (4 * i + part) }),
    ),
  );
  judge("two cuts at random", await runBatches(batches));
});

after(() => {
  const head = ["what", "flashes", "operations of the clean runs", "runs that were cut", "failures"];
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  process.stdout.write(`${lines.join("\n")}\nseed ${SEED}\n`);
  if (process.env.SAFETY_TABLE !== "write" || rows.length < 4) return;
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = [text.split(BEGIN)[0], text.split(END)[1]];
  assert.ok(rest !== undefined, `${DOCUMENT} has lost its marks for the counts`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n${lines.join("\n")}\n\nSeed ${SEED}.\n${END}${rest}`);
});
