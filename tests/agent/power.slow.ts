// The proof by exhaustion at its full size: every cut with several seeds, and 100,000 pairs of cuts at random.
// ALINK_SEED chooses another seed; with SAFETY_TABLE=write each part puts its counts into docs/safety.json and, from there,
// into the table of docs/safety.md.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { root } from "../paths.js";
import { type Batch, geometries, runBatches, type Tally } from "./power_batch.js";

const SIZE = 6333;
/** Large enough for a mark on sectors of either size. */
const MARKED_SIZE = 70_001;
const SEED = Number(process.env.ALINK_SEED ?? 20260);
/** A multiple of 200. */
const PAIRS = Number(process.env.ALINK_PAIRS ?? 100_000);
const COUNTS = join(root, "docs", "safety.json");
const DOCUMENT = join(root, "docs", "safety.md");
const [BEGIN, END] = ["<!-- counts: written by the slow suite -->", "<!-- end of counts -->"];

/** One part of the suite, as it was run last. */
interface Counts {
  what: string;
  seed: number;
  flashes: number;
  /** Flash operations of the clean runs, together. */
  operations: number;
  /** Runs that were cut. */
  runs: number;
  failures: number;
}

const all = geometries(SIZE);

function judge(t: TestContext, what: string, tallies: Tally[]): void {
  const failures = tallies.flatMap((tally) => tally.failures);
  const sum = (member: "runs" | "operations") => tallies.reduce((total, tally) => total + tally[member], 0);
  const operations = new Map(tallies.map((tally) => [tally.batch, tally.operations]));
  const counts: Counts = {
    what,
    seed: SEED,
    flashes: operations.size,
    operations: [...operations.values()].reduce((total, count) => total + count, 0),
    runs: sum("runs"),
    failures: failures.length,
  };
  t.diagnostic(JSON.stringify(counts));
  assert.deepEqual(failures, []);
  if (process.env.SAFETY_TABLE === "write") record(counts);
}

/** In place of what an earlier run with this seed found. */
function record(counts: Counts): void {
  const known = JSON.parse(readFileSync(COUNTS, "utf8")) as Counts[];
  const same = ({ what, seed }: Counts) => what === counts.what && seed === counts.seed;
  const rows = [...known.filter((row) => !same(row)), counts].sort((a, b) => a.what.localeCompare(b.what));
  writeFileSync(COUNTS, `${JSON.stringify(rows, null, 2)}\n`);
  const cells = rows.map(({ what, seed, flashes, operations, runs, failures }) =>
    [what, flashes, operations.toLocaleString("en"), runs.toLocaleString("en"), failures, seed].join(" | "),
  );
  const head = ["what", "flashes", "operations of the clean runs", "runs that were cut", "failures", "seed"];
  const total = rows.reduce((sum, { runs }) => sum + runs, 0).toLocaleString("en");
  const lines = [head.join(" | "), head.map(() => "---").join(" | "), ...cells].map((line) => `| ${line} |`);
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = [text.split(BEGIN)[0], text.split(END)[1]];
  assert.ok(rest !== undefined, `${DOCUMENT} has lost its marks for the counts`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n${lines.join("\n")}\n\nTogether ${total} runs.\n${END}${rest}`);
}

test(`every cut, four seeds for what reads at random (seed ${SEED})`, async (t) => {
  const batches = all.map((geometry): Batch => ({ geometry, kind: "single", count: 4, seed: SEED }));
  judge(t, "one cut: every operation, every effect", await runBatches(batches));
});

test(`every cut on an image of many blocks (seed ${SEED})`, async (t) => {
  const part = { sector: 4096, write: 8, erased: 255, size: 140_001 };
  const batches = [0, 1].map(
    (before): Batch => ({ geometry: { ...part, before }, kind: "single", count: 1, seed: SEED }),
  );
  judge(t, "one cut, image of 140,001 bytes", await runBatches(batches));
});

test(`every third cut on images with marks to go on from (seed ${SEED})`, async (t) => {
  const batches = geometries(MARKED_SIZE).map(
    (geometry, i): Batch => ({ geometry, kind: "single", count: 1, seed: SEED + i, every: 3 }),
  );
  judge(t, "one cut in three, image of 70,001 bytes", await runBatches(batches));
});

test(`pairs of cuts on images with marks to go on from (seed ${SEED})`, async (t) => {
  const batches = geometries(MARKED_SIZE).map(
    (geometry, i): Batch => ({ geometry, kind: "pairs", count: 100, seed: SEED * 1000 + 89 * i }),
  );
  judge(t, "two cuts at random, image of 70,001 bytes", await runBatches(batches));
});

test(`every cut with an image that never runs (seed ${SEED})`, async (t) => {
  const batches = all.map((geometry): Batch => ({ geometry, kind: "dead", count: 1, seed: SEED }));
  judge(t, "one cut, image that hangs before its module loads", await runBatches(batches));
});

test(`${PAIRS} pairs of cuts at random (seed ${SEED})`, async (t) => {
  // parts with large sectors take longer and differ in little: a fifth of the pairs
  const count = (sector: number) => (sector === 4096 ? 0.8 : 0.2) * (PAIRS / 16);
  // small batches, so that no core is idle for long at the end
  const batches = all.flatMap((geometry, i) =>
    [0, 1, 2, 3].map((part): Batch => {
      const seed = SEED * 1000 + 97 * (4 * i + part);
      return { geometry, kind: "pairs", count: Math.ceil(count(geometry.sector) / 4), seed };
    }),
  );
  judge(t, "two cuts at random", await runBatches(batches));
});
