// docs/mcu.md says what docs/mcu.json says, and no figure in it is above its budget unnoticed.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  ABOVE,
  againstBudgets,
  againstRecorded,
  BUDGETS,
  type Figure,
  key,
  readFigures,
  table,
  tableFile,
} from "./figures.js";

const recorded = readFigures();
const withValue = (figure: Figure, value: number): Figure[] =>
  recorded.map((each) => (each === figure ? { ...each, value } : each));

test("docs/mcu.md is the table of docs/mcu.json", () => {
  assert.equal(readFileSync(tableFile, "utf8"), table(recorded), "node build/tests/runtimes/mcu/run.js --write");
});

test("the recorded figures are within their budgets, but for those that are named", () => {
  assert.deepEqual(againstBudgets(recorded), []);
});

test("a figure above its budget is told", () => {
  for (const figure of recorded) {
    const budget = BUDGETS[key(figure)];
    if (budget === undefined || ABOVE[key(figure)] !== undefined) continue;
    assert.match(againstBudgets(withValue(figure, budget + 1)).join(), /the budget is/);
  }
});

test("a figure that is dearer, cheaper, new or gone is told", () => {
  assert.deepEqual(againstRecorded(recorded, recorded), []);
  const [first] = recorded;
  assert.deepEqual(againstRecorded(withValue(first!, first!.value * 1.04), recorded), []);
  assert.match(againstRecorded(withValue(first!, first!.value * 1.06), recorded).join(), /make it cheaper/);
  assert.match(againstRecorded(withValue(first!, first!.value * 0.94), recorded).join(), /growth is noticed/);
  assert.match(againstRecorded(recorded, recorded.slice(1)).join(), /recorded: none/);
  assert.match(againstRecorded(recorded.slice(1), recorded).join(), /was not measured/);
});

test("a budget or an excuse without a figure is told", () => {
  const without = recorded.filter((figure) => BUDGETS[key(figure)] === undefined);
  const told = new Set(againstBudgets(without).map((line) => line.replace(/: has a budget.*/, "")));
  assert.deepEqual(told, new Set([...Object.keys(BUDGETS), ...Object.keys(ABOVE)]));
});
