// What the modules cost on microcontrollers. `node build/tests/runtimes/mcu/run.js` measures and compares with docs/mcu.json
// and the budgets; `--write` makes docs/mcu.json and docs/mcu.md of what was measured.
//
// Exit code 1 when a result is wrong, a figure is above its budget or not what was recorded, or a tool is missing.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { agentFigures } from "./agents.js";
import { boards, cortexM4, requireTools, translate } from "./boards.js";
import { digestFigures } from "./digests.js";
import {
  againstBudgets,
  againstRecorded,
  agents,
  type Figure,
  figuresFile,
  readFigures,
  table,
  tableFile,
  toJson,
} from "./figures.js";

async function measure(folder: string): Promise<Figure[]> {
  const crypto = translate("crypto-mcu", join(folder, "crypto"));
  const figures = boards.flatMap((board) => digestFigures(board, crypto, folder));
  const unchecked = translate("crypto-mcu", join(folder, "unchecked"), false);
  figures.push(...digestFigures(cortexM4, unchecked, folder, ", accesses not checked"));
  for (const module of agents) figures.push(...(await agentFigures(module, folder)));
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
