// What the modules cost on microcontrollers. `node build/tests/runtimes/mcu/run.js` measures and compares with docs/mcu.json
// and the budgets; `--write` makes docs/mcu.json and docs/mcu.md of what was measured.
//
// Exit code 1 when a result is wrong, a figure is above its budget or not what was recorded, or a tool is missing.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseExports } from "../../../host/generate_abi.js";
import { encode, type Recording } from "../../agent/recording.js";
import { root } from "../../paths.js";
import { type Board, boards, requireTools, runOn, translate } from "./boards.js";
import { digestFigures } from "./digests.js";
import {
  againstBudgets,
  againstRecorded,
  type Figure,
  figuresFile,
  readFigures,
  table,
  tableFile,
  toJson,
} from "./figures.js";
import { dearestCalls, flows } from "./flows.js";

const exported = parseExports(readFileSync(join(root, "assembly", "index.ts"), "utf8"))
  .filter(({ kind }) => kind === "function")
  .map(({ name }) => name);

/** The agents that `npm run build` makes. */
const agents = Object.keys(
  (JSON.parse(readFileSync(join(root, "asconfig.json"), "utf8")) as { targets: object }).targets,
).filter((name) => name.startsWith("agent"));

/** Instructions of each recording. */
function replayed(board: Board, folder: string, recordings: Recording[]): number[] {
  const file = join(folder, "recordings.bin");
  writeFileSync(file, encode(recordings, exported));
  const counts = runOn<{ instructions: number }>(board, "replay.c", folder, [`-DRECORDINGS="${file}"`]);
  assert.equal(counts.length, recordings.length);
  return counts.map(({ instructions }) => instructions);
}

async function agentFigures(module: string, folder: string): Promise<Figure[]> {
  translate(module, folder);
  const { connect, post } = await flows(module);
  const dearest = module === "agent" ? dearestCalls(join(folder, "dearest.json")) : [];
  return boards.flatMap((board) => {
    const [start, posted, ...rest] = replayed(board, folder, [connect, post, ...dearest]);
    const figure = (what: string, value: number, note?: string): Figure => ({
      what: `${module}.wasm: ${what}`,
      where: board.name,
      value,
      unit: "instructions",
      ...(note === undefined ? {} : { note }),
    });
    const most = Math.max(...rest);
    return [
      figure("start to CONNECT", start!),
      figure("property post", posted!),
      ...(rest.length === 0 ? [] : [figure("dearest call", most, dearest[rest.indexOf(most)]!.name)]),
    ];
  });
}

async function measure(folder: string): Promise<Figure[]> {
  const crypto = join(folder, "crypto");
  translate("crypto-mcu", crypto);
  const figures = boards.flatMap((board) => digestFigures(board, crypto));
  for (const module of agents) figures.push(...(await agentFigures(module, join(folder, module))));
  return figures;
}

const folder = mkdtempSync(join(tmpdir(), "alink-mcu-"));
try {
  requireTools();
  const figures = await measure(folder);
  for (const figure of figures) console.log(JSON.stringify(figure));
  const wrong = againstBudgets(figures);
  if (process.argv[2] === "--write") {
    writeFileSync(figuresFile, toJson(figures));
    writeFileSync(tableFile, table(figures));
  } else wrong.push(...againstRecorded(figures, readFigures()));
  if (wrong.length > 0)
    throw new Error(`${wrong.join("\n")}\n(docs/mcu.json: node build/tests/runtimes/mcu/run.js --write)`);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
