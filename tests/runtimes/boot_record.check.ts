// boot.c and the Node host's boot loader are twins: the same calls leave the same bytes, and each reads the other's.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { BootLoader, type Started } from "../../host/node/boot.js";
import { FlashImage } from "../../host/node/flash.js";
import { flashBytes, flashLayout } from "../../host/node/flash_layout.js";
import { compileSanitized, hostSource, source } from "./c_host.js";

const folder = mkdtempSync(join(tmpdir(), "alink-boot-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const program = compileSanitized(join(folder, "boot_record"), [source("boot_record.c"), hostSource("boot.c")]);

/** Four records a sector, so that a few calls go round both. */
const layout = flashLayout({
  sector: 128,
  write: 8,
  slots: [
    [0, 128],
    [128, 128],
  ],
});

let files = 0;
function freshImage(): string {
  const file = join(folder, `${files++}.flash`);
  writeFileSync(file, new Uint8Array(flashBytes(layout)).fill(layout.erased));
  return file;
}

type Answer = Started & { good: boolean };

function inC(file: string, calls: string[], units = -1): Answer[] | "cut" {
  const args = [file, ...[layout.boot[0], layout.sector, layout.write, units].map(String), ...calls];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status === 9) return "cut";
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Answer);
}

function onNode(file: string, calls: string[]): Answer[] {
  const flash = FlashImage.open(file, layout);
  const loader = new BootLoader(flash);
  let started: Started = { slot: 0, how: 0, reason: 0 };
  try {
    return calls.map((call) => {
      let good = true;
      try {
        if (call === "start") started = loader.boot();
        else if (call === "confirm") loader.confirm();
        else loader.activate(Number(call.slice("activate=".length)));
        // The record tells what a confirmation made of the running slot.
        if (call === "confirm" && loader.record().slot === started.slot)
          started = { slot: started.slot, how: 0, reason: 0 };
      } catch {
        good = false;
      }
      return { good, ...started };
    });
  } finally {
    flash.close();
  }
}

const STORIES: Record<string, string[]> = {
  "a fresh part": ["start", "confirm"],
  "a refused confirmation": [
    "start",
    "activate=1",
    "confirm",
    "start",
    "confirm",
    "activate=0",
    "confirm",
    "start",
    "confirm",
    "confirm",
  ],
  "a trial that is confirmed": ["start", "activate=1", "start", "confirm", "start"],
  "a trial that is used up, reported and cleared": [
    "start",
    "activate=1",
    ...Array(5).fill("start"),
    "confirm",
    "start",
  ],
  refusals: [
    "start",
    "activate=0",
    "activate=2",
    "activate=1",
    "start",
    "activate=0",
    "confirm",
    "activate=0",
    "start",
  ],
  "round both sectors": Array.from({ length: 12 }, (_, i) => [
    "start",
    `activate=${(i + 1) % 2}`,
    "start",
    "confirm",
  ]).flat(),
};

describe("the boot record in C and on Node", () => {
  for (const [name, calls] of Object.entries(STORIES)) {
    it(`${name}: the same answers and the same bytes`, () => {
      const [c, node] = [freshImage(), freshImage()];
      assert.deepEqual(inC(c, calls), onNode(node, calls));
      assert.deepEqual(readFileSync(c), readFileSync(node));
    });

    it(`${name}: one goes on where the other stopped, after every call`, () => {
      const whole = freshImage();
      const expected = onNode(whole, calls);
      for (let cut = 1; cut < calls.length; cut++) {
        // What runs is told by a start, so a story is cut only before one.
        if (calls[cut] !== "start") continue;
        const [first, second] = [freshImage(), freshImage()];
        inC(first, calls.slice(0, cut));
        assert.deepEqual(onNode(first, calls.slice(cut)), expected.slice(cut), `Node after ${cut} calls in C`);
        onNode(second, calls.slice(0, cut));
        assert.deepEqual(inC(second, calls.slice(cut)), expected.slice(cut), `C after ${cut} calls on Node`);
        assert.deepEqual(readFileSync(first), readFileSync(whole));
        assert.deepEqual(readFileSync(second), readFileSync(whole));
      }
    });
  }

  it("a power cut at any unit leaves the old state or the new one, and both read the same", () => {
    const calls = STORIES["round both sectors"]!;
    for (let at = 1; at < 20; at++) {
      const before = freshImage();
      inC(before, calls.slice(0, at));
      const open = (file: string): unknown => {
        const flash = FlashImage.open(file, layout);
        try {
          const { sequence: _, ...state } = new BootLoader(flash).record();
          return state;
        } finally {
          flash.close();
        }
      };
      const next = calls[at] === "start" ? ["start"] : ["start", calls[at]!];
      const states = [open(before)];
      for (let done = 1; done <= next.length; done++) {
        const file = freshImage();
        copyFileSync(before, file);
        inC(file, next.slice(0, done));
        states.push(open(file));
      }
      for (let units = 0; ; units++) {
        const file = freshImage();
        copyFileSync(before, file);
        const result = inC(file, next, units);
        const found = open(file);
        assert.ok(
          states.some((state) => JSON.stringify(state) === JSON.stringify(found)),
          `cut after ${units} units of ${next} (call ${at}): ${JSON.stringify(found)}`,
        );
        const twin = freshImage();
        copyFileSync(file, twin);
        assert.deepEqual(inC(file, ["start"]), onNode(twin, ["start"]));
        if (result !== "cut") break;
      }
    }
  });
});
