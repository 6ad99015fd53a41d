// The agents' modules: the recorded flows on every board as C by wasm2c, and in WAMR, where the pool is measured too.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseExports } from "../../../host/generate_abi.js";
import { encode, type Recording } from "../../agent/recording.js";
import { root, wasm } from "../../paths.js";
import { type Board, boards, cortexM4, native, type Program, runOn, translate } from "./boards.js";
import type { Figure } from "./figures.js";
import { dearestCalls, flows } from "./flows.js";
import { wamr } from "./wamr.js";

/** What engine_wamr.c reports, bytes. */
interface Pool {
  module: number;
  instance: number;
  environment: number;
  peak: number;
}

const exported = parseExports(readFileSync(join(root, "assembly", "index.ts"), "utf8"))
  .filter(({ kind }) => kind === "function")
  .map(({ name }) => name);

/** The recordings of one module, and what they are called in the table. */
class Agent {
  private constructor(
    readonly module: string,
    readonly folder: string,
    private readonly file: string,
    private readonly whole: Recording[],
    private readonly dearest: Recording[],
  ) {}

  static async create(module: string, folder: string): Promise<Agent> {
    const whole = await flows(module);
    // That test runs agent.wasm alone, and a recording holds for one module.
    const dearest = module === "agent" ? dearestCalls(join(folder, "dearest.json")) : [];
    const file = join(folder, `${module}.recordings`);
    writeFileSync(file, encode([...whole, ...dearest], exported));
    return new Agent(module, folder, file, whole, dearest);
  }

  /** Replay everything. @returns the figures, and what the engine reported */
  run(board: Board, engine: Program, where: string): { figures: Figure[]; reports: object[] } {
    const program: Program = {
      sources: ["replay.c", ...engine.sources],
      flags: [...engine.flags, `-I${join(root, "host", "wamr")}`, `-DRECORDINGS="${this.file}"`],
    };
    const printed = runOn<{ instructions?: number }>(board, program, this.folder);
    const counts = printed.flatMap(({ instructions }) => instructions ?? []);
    assert.equal(counts.length, this.whole.length + this.dearest.length);
    const single = counts.slice(this.whole.length);
    const what = (name: string): string => `${this.module}.wasm: ${name}`;
    const unit = "instructions" as const;
    const figures: Figure[] = this.whole.map(({ name }, i) => ({ what: what(name), where, value: counts[i]!, unit }));
    const most = Math.max(...single);
    if (single.length > 0)
      figures.push({
        what: what("dearest call"),
        where,
        value: most,
        unit,
        note: this.dearest[single.indexOf(most)]!.name,
      });
    return { figures, reports: printed.filter(({ instructions }) => instructions === undefined) };
  }

  pool(reports: object[], where: string): Figure {
    assert.equal(reports.length, 1);
    const { module, instance, environment, peak } = reports[0] as Pool;
    const parts = { module, instance, "execution environment": environment };
    const note = Object.entries(parts).map(([name, bytes]) => `${name} ${bytes.toLocaleString("en-US")}`);
    return { what: `${this.module}.wasm: pool`, where, value: peak, unit: "bytes", note: note.join(", ") };
  }
}

/** All figures of one module. @param folder a place for files */
export async function agentFigures(module: string, folder: string): Promise<Figure[]> {
  const agent = await Agent.create(module, folder);
  const translated = translate(module, join(folder, module));
  const asC: Program = { sources: ["engine_wasm2c.c", ...translated.sources], flags: translated.flags };
  const counted = boards.flatMap((board) => agent.run(board, asC, board.name).figures);
  const small = agent.run(cortexM4, wamr(wasm(module), "THUMB"), `${cortexM4.name}, WAMR`);
  const target = process.arch === "arm64" ? "AARCH64" : "X86_64";
  const large = agent.run(native, wamr(wasm(module), target), native.name);
  return [...counted, ...small.figures, agent.pool(small.reports, "32 bit"), agent.pool(large.reports, "64 bit")];
}
