// One record on four runtimes: the main job of a device on Node, recorded with stand-ins for its credentials, is made
// again on V8, WAMR, wasm3 and wasmi with the same results, outputs and state, and leaves the same flash image.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Platform } from "../../host/platform/index.js";
import { blocks, FrameWriter, fileHead } from "../../host/record/format.js";
import { RecordReader } from "../../host/record/reader.js";
import { command, type RecordedJob, recordingPlatform, recordMainJob } from "../host/recorded_job.js";
import { root, wasm } from "../paths.js";

const program = join(root, "tests", "runtimes", "target", "release", "replay");
const folder = mkdtempSync(join(tmpdir(), "alink-replay-"));
const RUNTIMES = ["wamr", "wasm3", "wasmi"];
const ends: (() => void)[] = [];
let platform: Platform;
let job: RecordedJob;
let last: { calls: number; state: string };

before(async () => {
  platform = await recordingPlatform();
  job = await recordMainJob(platform, folder, (end) => ends.push(end));
  const items = [...new RecordReader(readFileSync(job.record)).frames()];
  const end = items.at(-1);
  assert.ok(end?.frame === "end");
  last = { calls: end.calls, state: Buffer.from(end.state).toString("hex") };
});

after(async () => {
  for (const end of ends) end();
  await platform?.close();
  rmSync(folder, { recursive: true, force: true });
});

const image = (name: string): string => join(folder, `${name}.replayed`);

function replayOn(runtime: string, record = job.record): { status: number | null; state: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(program, [runtime, wasm("agent"), record, image(runtime)]);
  return { status, state: createHash("sha256").update(stdout).digest("hex"), stderr: stderr.toString().trimEnd() };
}

describe("the main job, recorded on Node and made again", () => {
  it("the record has the whole job", () => {
    const names = job.events.map(({ event }) => event);
    for (const name of ["property.posted", "property.set", "update.verified", "update.restart", "update.confirmed"])
      assert.ok(names.includes(name), name);
    assert.ok(last.calls > 1000, `${last.calls} calls`);
  });

  it("on V8: the same flash image", async () => {
    const { ended, lines } = command(["replay", job.record, "--flash", image("v8"), "--json"], (end) => ends.push(end));
    const { code, stderr } = await ended;
    assert.equal(code, 0, stderr + lines.join("\n"));
    const done = JSON.parse(lines.at(-1)!) as { equal: boolean; complete: boolean; calls: number };
    assert.deepEqual([done.equal, done.complete, done.calls], [true, true, last.calls]);
    assert.ok(readFileSync(image("v8")).equals(readFileSync(job.flash)));
  });

  for (const runtime of RUNTIMES)
    it(`on ${runtime}: the same results, outputs, state and flash image`, () => {
      const { status, state, stderr } = replayOn(runtime);
      assert.equal(status, 0, stderr);
      assert.equal(stderr, `${last.calls} calls`);
      assert.equal(state, last.state);
      assert.ok(readFileSync(image(runtime)).equals(readFileSync(job.flash)), "flash image");
    });

  for (const runtime of RUNTIMES)
    it(`${runtime} notices an output and a result that differ`, () => {
      for (const part of ["output", "result"] as const) {
        const spoiled = spoil(part);
        const { status, stderr } = replayOn(runtime, spoiled.file);
        assert.equal(status, 1, stderr);
        assert.match(stderr, new RegExp(`^replay: on ${runtime} call ${spoiled.call} differs: txPtr `));
      }
    });
});

/** The record with one output or result of `txPtr` changed. */
function spoil(part: "output" | "result"): { file: string; call: number } {
  const reader = new RecordReader(readFileSync(job.record));
  const stream = new FrameWriter();
  stream.header(reader.header);
  let [call, spoiled] = [0, 0];
  for (const item of reader.frames()) {
    if (item.frame === "instance") stream.instance(item.after);
    if (item.frame === "layout") stream.layout(item.layout);
    if (item.frame === "end") stream.end(item.calls, item.state);
    if (item.frame !== "call") continue;
    call++;
    if (spoiled === 0 && call > 500 && reader.header.exports[item.call.which]!.name === "txPtr") {
      spoiled = call;
      if (part === "output") item.call.output!.crc ^= 1;
      else item.call.result!++;
    }
    stream.call(item.call);
  }
  assert.ok(spoiled > 0);
  const file = join(folder, `${part}.record`);
  writeFileSync(file, Buffer.concat([fileHead(), blocks(stream.take())]));
  return { file, call: spoiled };
}
