// `alink-agent bench`: the speed of digests, HMAC, AES and of posts over CoAP beside other libraries', and the sizes of the modules.
//
// All subjects of a case take turns in one process, many short turns each, so that whatever slows the machine down for a
// while hits all of them; a ratio is the median of the ratios turn by turn. Nothing is asserted: a benchmark reports.

import { readFileSync, statSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { chart } from "./bench_chart.js";
import { COAP_CASE, coapPosters, OTHER, PAYLOAD, turnOf } from "./bench_coap.js";
import { type Case, inputOf, loadSubjects, OURS, type Work } from "./bench_subjects.js";
import { measureUpdate, UPDATE_NAME } from "./bench_update.js";
import { Output, UsageError } from "./output.js";

/** One line of the result: one subject in one case. `unit` is MB/s (10^6 bytes), posts per second of processor time, or bytes for the size of a module. */
export interface Result {
  name: string;
  subject: string;
  /** Bytes of input. */
  size: number;
  median: number;
  p10: number;
  p90: number;
  unit: "MB/s" | "posts/s" | "bytes";
  /** This subject's figure over the other's, by the other's name: median of the ratios of their turns. */
  ratioTo: Record<string, number>;
  version: string;
  machine: string;
}

/** How long to measure. */
export interface Effort {
  /** Turns of each subject in each case. */
  rounds: number;
  /** Milliseconds a turn takes about. */
  turn: number;
}

/** Turns before those that count: engines compile a hot function again while it runs. */
const WARM_UP = 40;

/** Whole updates that are measured. */
const UPDATE_ROUNDS = 5;

const DEFAULT_EFFORT: Effort = { rounds: 40, turn: 3 };

const machine = (): string => `${cpus()[0]?.model.trim() ?? process.arch}, Node ${process.versions.node}`;

/** The value below which the share `p` of the values lies. */
export function percentile(values: number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = p * (sorted.length - 1);
  const low = sorted[Math.floor(at)]!;
  return low + (sorted[Math.ceil(at)]! - low) * (at - Math.floor(at));
}

const rounded = (value: number, digits: number): number => Number(value.toPrecision(digits));

/** Milliseconds that `times` runs take. */
function time(work: Work, input: Uint8Array, times: number): number {
  const start = performance.now();
  for (let i = 0; i < times; i++) work(input);
  return performance.now() - start;
}

/** Runs that fill a turn, found while the engine compiles the work. */
function calibrate(work: Work, input: Uint8Array, turn: number): number {
  let times = 1;
  while (times < 1 << 24) {
    const spent = time(work, input, times);
    if (spent >= turn) return Math.max(1, Math.round((times * turn) / spent));
    times = spent < turn / 16 ? times * 8 : times * 2;
  }
  return times;
}

/** A subject that computes something else than the others is no subject. */
function requireEqualResults({ name, size, works }: Case, input: Uint8Array): void {
  const expected = Buffer.from(works.get(OURS)!(input)).toString("hex");
  for (const [subject, work] of works) {
    if (Buffer.from(work(input)).toString("hex") !== expected)
      throw new Error(`${subject} and ${OURS} disagree on ${name} of ${size} bytes: one of them is wrong`);
  }
}

/** Measure one case: one result for each subject. */
export function measure(subject: Case, versions: Map<string, string | undefined>, effort: Effort): Result[] {
  const { name, size, works } = subject;
  const input = inputOf(name, size);
  requireEqualResults(subject, input);
  const runs = [...works].map(([library, work]) => ({
    library,
    work,
    times: calibrate(work, input, effort.turn),
    speeds: [] as number[],
  }));
  for (let round = -WARM_UP; round < effort.rounds; round++) {
    // Another one begins each time, so that none always follows the same neighbour.
    for (let i = 0; i < runs.length; i++) {
      const run = runs[(i + round + WARM_UP) % runs.length]!;
      const speed = (size * run.times) / time(run.work, input, run.times) / 1000;
      if (round >= 0) run.speeds.push(speed);
    }
  }
  return runs.map(({ library, speeds }) => ({
    name,
    subject: library,
    size,
    ...spread(speeds),
    unit: "MB/s",
    ratioTo: ratios(runs, library, speeds),
    version: versions.get(library) ?? "",
    machine: machine(),
  }));
}

/** Posts in a turn, and turns that do not count. */
const POSTS = { turn: 200, warmUp: 10 };

/** Posts over CoAP, the two subjects taking turns; one result for each. */
export async function measureCoap(ourVersion: string, roundCount: number, posts = POSTS.turn): Promise<Result[]> {
  const { ours, other, version } = await coapPosters();
  const runs = [
    { subject: OURS, poster: ours, version: ourVersion, speeds: [] as number[] },
    ...(other === undefined ? [] : [{ subject: OTHER, poster: other, version, speeds: [] as number[] }]),
  ];
  for (let round = -POSTS.warmUp; round < roundCount; round++)
    for (let i = 0; i < runs.length; i++) {
      const run = runs[(i + round + POSTS.warmUp) % runs.length]!;
      const speed = await turnOf(run.poster, posts);
      if (round >= 0) run.speeds.push(speed);
    }
  return runs.map(({ subject, version: own, speeds }) => ({
    name: COAP_CASE,
    subject,
    size: PAYLOAD.length,
    ...spread(speeds),
    unit: "posts/s",
    ratioTo: ratios(
      runs.map((run) => ({ library: run.subject, speeds: run.speeds })),
      subject,
      speeds,
    ),
    version: own,
    machine: machine(),
  }));
}

function spread(speeds: number[]): Pick<Result, "median" | "p10" | "p90"> {
  const at = (share: number) => rounded(percentile(speeds, share), 4);
  return { median: at(0.5), p10: at(0.1), p90: at(0.9) };
}

/** The median of the ratios turn by turn to each of the others. */
function ratios(runs: { library: string; speeds: number[] }[], own: string, speeds: number[]): Record<string, number> {
  const others = runs.filter(({ library }) => library !== own);
  return Object.fromEntries(
    others.map((other) => {
      const turns = speeds.map((speed, i) => speed / other.speeds[i]!);
      return [other.library, rounded(percentile(turns, 0.5), 3)];
    }),
  );
}

const MODULES = ["crypto.wasm", "crypto-mcu.wasm", "crypto-small.wasm", "agent.wasm", "agent-coap.wasm"];

/** The sizes of the modules that are built, as results. */
function moduleSizes(version: string): Result[] {
  return MODULES.flatMap((name) => {
    const file = statSync(join(import.meta.dirname, "..", "..", name), { throwIfNoEntry: false });
    if (file === undefined) return [];
    const bytes = file.size;
    const same = { median: bytes, p10: bytes, p90: bytes };
    return [
      { name, subject: OURS, size: 0, ...same, unit: "bytes" as const, ratioTo: {}, version, machine: machine() },
    ];
  });
}

interface BenchArguments {
  json?: boolean;
  filter?: string;
  rounds: number;
  output?: string;
  chart?: string;
  from?: string;
}

const sizeText = (size: number): string =>
  size >= 1048576 ? `${size / 1048576} MiB` : size >= 1024 ? `${size / 1024} KiB` : `${size} B`;

function row({ subject, median, p10, p90, ratioTo }: Result): string[] {
  const ratio = subject === OURS ? "" : (1 / (ratioTo[OURS] ?? Number.NaN)).toFixed(2);
  return ["", subject, median.toFixed(1), `${p10.toFixed(1)} - ${p90.toFixed(1)}`, ratio];
}

function print(output: Output, results: Result[]): void {
  if (output.json) {
    for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
    return;
  }
  const first = results[0]!;
  if (first.unit === "bytes") output.table(results.map(({ name, median }) => [name, `${median} bytes`]));
  else {
    const title = output.strong(`${first.name}, ${sizeText(first.size)}`);
    output.table([[title], ["", "subject", first.unit, "10 % - 90 %", `${OURS} / it`], ...results.map(row)]);
  }
}

/** Results of an earlier run, one JSON object a line. */
function readResults(file: string): Result[] {
  try {
    return readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Result);
  } catch (error) {
    throw new UsageError(`--from ${file} holds no results of --output: ${(error as Error).message}`);
  }
}

async function measureAll(output: Output, filter: string | undefined, effort: Effort): Promise<Result[]> {
  const { cases, versions } = await loadSubjects();
  const wanted = cases.filter(({ name, size }) => filter === undefined || `${name} ${size}`.includes(filter));
  const updates = filter === undefined || UPDATE_NAME.includes(filter);
  const coapWanted = filter === undefined || `${COAP_CASE} ${PAYLOAD.length}`.includes(filter);
  if (wanted.length === 0 && !updates && !coapWanted)
    throw new UsageError(
      `no case matches --filter ${filter}: ${[...new Set(cases.map(({ name }) => name)), UPDATE_NAME, COAP_CASE].join(", ")}`,
    );
  output.line(machine());
  output.line([...versions].map(([name, version]) => `${name} ${version ?? "(not installed)"}`).join(", "));
  const results: Result[] = [];
  for (const one of wanted) {
    const measured = measure(one, versions, effort);
    print(output, measured);
    results.push(...measured);
  }
  if (updates) {
    const measured = await measureUpdate(UPDATE_ROUNDS, versions.get(OURS) ?? "", machine());
    print(output, measured);
    results.push(...measured);
  }
  if (coapWanted) {
    const measured = await measureCoap(versions.get(OURS) ?? "", effort.rounds);
    print(output, measured);
    results.push(...measured);
  }
  if (filter === undefined) {
    const sizes = moduleSizes(versions.get(OURS) ?? "");
    print(output, sizes);
    results.push(...sizes);
  }
  return results;
}

async function run({ json = false, filter, rounds, output: file, chart: image, from }: BenchArguments): Promise<void> {
  const output = new Output({ json });
  const results =
    from === undefined ? await measureAll(output, filter, { ...DEFAULT_EFFORT, rounds }) : readResults(from);
  if (file !== undefined) writeFileSync(file, results.map((result) => `${JSON.stringify(result)}\n`).join(""));
  if (image !== undefined) writeFileSync(image, chart(results));
}

function rounds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 10000) throw new InvalidArgumentError("1 to 10000 are possible");
  return value;
}

/** Add the command. */
export function register(program: Command): void {
  program
    .command("bench")
    .description("measure digests, HMAC, AES and posts over CoAP beside other libraries, and the sizes of the modules")
    .option("--json", "one JSON object a line: name, subject, size, median, p10, p90, unit, ratioTo, version, machine")
    .option("--filter <text>", 'only cases whose "name size" holds the text, such as "md5" or "sha256 64"')
    .option("--rounds <count>", "turns of each library in each case", rounds, DEFAULT_EFFORT.rounds)
    .option("--output <file>", "also write the results there, as --json prints them")
    .option("--chart <file>", "also draw the results there, as SVG")
    .option("--from <file>", "take the results from a file of --output; measure nothing")
    .action((options: BenchArguments) => run(options));
}
