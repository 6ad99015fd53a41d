// run --record and replay as commands, against the local platform.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Platform } from "../../host/platform/index.js";
import { blocks, FrameWriter, fileHead } from "../../host/record/format.js";
import { RecordReader } from "../../host/record/reader.js";
import { wasm } from "../paths.js";
import { type Command, command, type RecordedJob, recordingPlatform, recordMainJob, SECRET } from "./recorded_job.js";
import { findSecrets } from "./secrets.js";

const folder = mkdtempSync(join(tmpdir(), "alink-replay-"));
const ends: (() => void)[] = [];
let platform: Platform;
let job: RecordedJob;
let device: string;

before(async () => {
  platform = await recordingPlatform();
  job = await recordMainJob(platform, folder, (end) => ends.push(end));
  device = join(folder, "device.json");
});

after(async () => {
  for (const end of ends) end();
  await platform?.close();
  rmSync(folder, { recursive: true, force: true });
});

const start = (...args: string[]): Command => command(args, (end) => ends.push(end));

async function replay(...args: string[]) {
  const run = start("replay", ...args);
  const { code, stderr } = await run.ended;
  return { code, stderr: stderr.trimEnd(), lines: run.lines };
}

const lastOf = (lines: string[]) => JSON.parse(lines.at(-1)!) as Record<string, unknown>;

test("the main job is made again: its events in their order, its flash image byte for byte", async () => {
  const image = join(folder, "replayed.flash");
  const { code, stderr, lines } = await replay(job.record, "--flash", image, "--json");
  assert.equal(code, 0, stderr + lines.join("\n"));
  const names = lines.map((line) => (JSON.parse(line) as { event: string }).event);
  const device = names.filter((name) => /^(device|property|update|fault)/.test(name));
  assert.deepEqual(
    device,
    job.events.map(({ event }) => event),
  );
  const { equal, complete, instances, mismatch } = lastOf(lines);
  assert.deepEqual([equal, complete, instances, mismatch], [true, true, 2, undefined]);
  assert.ok(readFileSync(image).equals(readFileSync(job.flash)));
  assert.equal(statSync(image).mode & 0o777, 0o600);
});

test("the record is the owner's, and has no credential", () => {
  assert.equal(statSync(job.record).mode & 0o777, 0o600);
  const bytes = readFileSync(job.record);
  assert.deepEqual(findSecrets(bytes, [SECRET]), []);
  assert.match(bytes.toString("latin1"), /Signature=[x%0-9A-F+/=]+&/);
});

test("in words, with every call", async () => {
  const { code, lines } = await replay(job.record, "--calls");
  assert.equal(code, 0);
  assert.match(
    lines[0]!,
    /^record of module [0-9a-f]{64}, ABI version \d+, \d+ bytes of state, stand-ins for credentials$/,
  );
  assert.match(lines[1]!, /^ +\d+\.\d{3} s {2}instance 1$/);
  assert.match(lines[2]!, /^ +\d+\.\d{3} s {2}1: abiVersion\(\) = \d+$/);
  const last = /^(\d+) calls, 2 instances, (\d+) events, \d+\.\d{3} s: all as recorded$/.exec(lines.at(-1)!);
  assert.equal(Number(last![2]), job.events.length);
  assert.equal(lines.filter((line) => /^ +\d+\.\d{3} s {2}\d+: /.test(line)).length, Number(last![1]));
});

test("a process that is killed leaves a record up to then", async () => {
  const record = join(folder, "killed.record");
  const { mqtts, ca } = platform.ready;
  const own = ["--endpoint", mqtts!, "--ca", ca, "--flash", join(folder, "killed.flash"), "--record", record];
  const run = start("run", "--device", device, ...own, "--properties", '{"t":1}', "--json");
  await run.event("property.posted");
  run.child.kill("SIGKILL");
  await run.ended;
  const { code, lines } = await replay(record, "--json");
  assert.equal(code, 0);
  assert.ok(lines.some((line) => /"device.connected"/.test(line)));
  const { equal, complete } = lastOf(lines);
  assert.deepEqual([equal, complete], [true, false]);
  const { lines: words } = await replay(record);
  assert.match(words.at(-2)!, /^the file ends without its end \(power loss, or it is still being written\)/);
});

test("a difference is exit code 1 and the number of the call", async () => {
  const reader = new RecordReader(readFileSync(job.record));
  const stream = new FrameWriter();
  stream.header(reader.header);
  let calls = 0;
  for (const item of reader.frames()) {
    if (item.frame === "instance") stream.instance(item.after);
    else if (item.frame === "call") {
      if (++calls === 100) item.call.result!++;
      stream.call(item.call);
    }
  }
  const file = join(folder, "different.record");
  writeFileSync(file, Buffer.concat([fileHead(), blocks(stream.take())]));
  const { code, lines } = await replay(file, "--json");
  assert.equal(code, 1);
  const { equal, mismatch } = lastOf(lines) as { equal: boolean; mismatch: { call: number; text: string } };
  assert.deepEqual([equal, mismatch.call], [false, 100]);
  const { code: inWords, lines: words } = await replay(file);
  assert.equal(inWords, 1);
  assert.match(words.at(-2)!, /^call 100 differs: \w+ gives -?\d+, the record says -?\d+$/);
  assert.match(words.at(-1)!, /not as recorded$/);
});

test("files that cannot be used are told in one line", async () => {
  const damaged = join(folder, "damaged.record");
  const bytes = readFileSync(job.record);
  bytes[1000]! ^= 1;
  writeFileSync(damaged, bytes);
  const directory = join(folder, "directory");
  mkdirSync(directory);
  const none = join(folder, "none");
  const run = ["run", "--device", device, "--flash", join(folder, "unused.flash")];
  const cases: [args: string[], code: number, message: RegExp][] = [
    [["replay", none], 1, /cannot read the record .*none: no such file$/],
    [["replay", device], 1, /device\.json is no record of alink-agent$/],
    [["replay", damaged], 1, /damaged\.record is damaged: the checksum of the block at \d+ is wrong$/],
    [["replay", job.record, "--module", none], 1, /cannot read the module .*none: no such file$/],
    [["replay", job.record, "--module", wasm("crypto")], 1, /SHA-256 [0-9a-f]{64}, this one has [0-9a-f]{64}: name/],
    [[...run, "--record", directory], 1, /cannot write the record .*directory: it is there and is not a regular file$/],
    [[...run, "--record", join(none, "x")], 1, /cannot write the record .*x: ENOENT/],
    [[...run, "--keep-secrets"], 2, /--keep-secrets goes with --record or --capsule/],
  ];
  for (const [args, expected, message] of cases) {
    const { code, stderr } = await start(...args).ended;
    assert.equal(code, expected, stderr);
    assert.match(stderr.trimEnd(), message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  }
});
