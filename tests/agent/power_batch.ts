/** Many runs of one update with cuts, in worker threads: a batch is one geometry and one way to choose the cuts. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { type Effect, effectsOf, random, TORN } from "./flash_model.js";
import { Bench, type Cut, type Geometry, geometryName, type MakeLoader, nodeLoader } from "./power.js";

/** What is cut: each operation in each way, or two operations at random; `dead`: of an image that never runs. */
export interface Batch {
  geometry: Geometry;
  kind: "single" | "dead" | "pairs";
  /** Single cuts: how many seeds are tried where reading depends on one. Pairs: how many. */
  count: number;
  /** Of the random numbers. */
  seed: number;
  /** Only every nth cut, default 1. */
  every?: number;
  /** Module with `makeLoader`, a MakeLoader; default: the Node host's. */
  loader?: string;
  /** The file of the module; default: agent.wasm. */
  module?: string;
}

export interface Tally {
  batch: string;
  kind: Batch["kind"];
  /** Flash operations of the update when nothing is cut. */
  operations: number;
  /** Runs that were cut, each to its end. */
  runs: number;
  /** First messages of those that ended badly. */
  failures: string[];
}

/** Failures that are kept of a batch. */
const KEPT = 3;

/** The sector sizes, write units and erased values of parts there are, fresh and after an update. */
export function geometries(size: number): Geometry[] {
  return [4096, 65536].flatMap((sector) =>
    [1, 4, 16, 32].flatMap((write) =>
      [255, 0].flatMap((erased) => [0, 1].map((before) => ({ sector, write, erased, size, before }))),
    ),
  );
}

/** Run one batch in this thread. */
export async function runBatch(batch: Batch): Promise<Tally> {
  const module = batch.module === undefined ? undefined : new WebAssembly.Module(readFileSync(batch.module));
  const bench = await Bench.create(batch.geometry, await loaderOf(batch), module);
  const dead = batch.kind === "dead";
  const clean = await bench.run({ dead });
  const tally: Tally = {
    batch: geometryName(batch.geometry),
    kind: batch.kind,
    operations: clean.operations.length,
    runs: 0,
    failures: [],
  };
  const attempt = async (cuts: Cut[], seed: number): Promise<void> => {
    try {
      const run = await bench.run({ cuts, seed, dead, mayEndEarly: batch.kind === "pairs" });
      if (run.cutsLeft === 0) tally.runs++;
    } catch (error) {
      tally.runs++;
      if (tally.failures.length < KEPT) tally.failures.push((error as Error).message);
    }
  };
  if (batch.kind === "pairs") await pairs(batch, clean.operations.length, () => tally.runs, attempt);
  else
    for (const [i, { cut, seed }] of [...singles(batch, clean.operations)].entries())
      if (i % (batch.every ?? 1) === 0) await attempt([cut], seed);
  return tally;
}

async function loaderOf({ loader }: Batch): Promise<MakeLoader> {
  if (loader === undefined) return nodeLoader;
  return ((await import(loader)) as { makeLoader: MakeLoader }).makeLoader;
}

function* singles({ count, seed }: Batch, operations: Parameters<typeof effectsOf>[0][]) {
  for (const [at, operation] of operations.entries())
    for (const effect of effectsOf(operation)) {
      const seeds = effect.torn === undefined || effect.torn === "unreadable" ? 1 : count;
      for (let i = 0; i < seeds; i++) yield { cut: { at, effect }, seed: seed + at * 1000 + i };
    }
}

/** Two cuts each; a second one that the run does not reach is drawn again. */
async function pairs(
  { count, seed }: Batch,
  operations: number,
  done: () => number,
  attempt: (cuts: Cut[], seed: number) => Promise<void>,
): Promise<void> {
  const next = random(seed);
  const below = (n: number) => Math.floor(next() * n);
  const effect = (): Effect => {
    const share = [0, 0.5, 1][below(3)]!;
    const torn = below(4);
    return torn === 3 ? { done: share } : { done: share, torn: TORN[torn]! };
  };
  for (let i = 0; done() < count; i++) {
    const first = { at: below(operations), effect: effect() };
    await attempt([first, { at: first.at + 1 + below(operations), effect: effect() }], seed + i);
  }
}

/** Run batches on every core. @returns their tallies, in order */
export async function runBatches(batches: Batch[]): Promise<Tally[]> {
  const tallies: Tally[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL(import.meta.url));
    try {
      for (let i = next++; i < batches.length; i = next++) tallies[i] = await ask(worker, batches[i]!);
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return tallies;
}

async function ask(worker: Worker, batch: Batch): Promise<Tally> {
  worker.postMessage(batch);
  // rejects when the worker reports an error
  const [tally] = await once(worker, "message");
  return tally as Tally;
}

if (!isMainThread)
  parentPort!.on("message", (batch: Batch) => {
    runBatch(batch).then(
      (tally) => parentPort!.postMessage(tally),
      (error: Error) => {
        throw error;
      },
    );
  });
