// Records: what is in them, what is not, and that nothing in them can change unnoticed.

import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { test } from "node:test";
import binaryen from "binaryen";
import { Channel, Post } from "../../host/abi.js";
import { Device } from "../../host/node/device.js";
import { inputOf, lengthOf } from "../../host/record/calls.js";
import { blocks, type Call, FrameWriter, fileHead } from "../../host/record/format.js";
import { type Item, RecordError, RecordReader } from "../../host/record/reader.js";
import { RecordFile } from "../../host/record/record_file.js";
import { Recorder } from "../../host/record/recorder.js";
import { Broker, module } from "../agent/rig.js";
import { CREDENTIALS, digest, mainJob, newFile, recordedRig, replay } from "./recorded_rig.js";
import { findSecrets } from "./secrets.js";

/** A short record: the configuration and a session. */
async function shortRecord(): Promise<Buffer> {
  const recorded = await recordedRig(false, 500);
  new Broker(recorded.rig);
  recorded.rig.settle();
  recorded.recorder.end();
  return readFileSync(recorded.file);
}

function write(reader: RecordReader, items: Iterable<Item>): Uint8Array {
  const stream = new FrameWriter();
  stream.header(reader.header);
  for (const item of items)
    if (item.frame === "call") stream.call(item.call);
    else if (item.frame === "instance") stream.instance(item.after);
    else if (item.frame === "layout") stream.layout(item.layout);
    else if (item.frame === "note") stream.note(item.text);
    else if (item.frame === "end") stream.end(item.calls, item.state);
  return Buffer.concat([fileHead(), blocks(stream.take())]);
}

test("a record is made again with the same results, events and state, without a credential", async () => {
  const recorded = await recordedRig(false);
  mainJob(recorded);
  assert.deepEqual(recorded.faults, []);
  assert.equal(statSync(recorded.file).mode & 0o777, 0o600);
  const bytes = readFileSync(recorded.file);
  assert.deepEqual(findSecrets(bytes, CREDENTIALS), []);
  const events: Record<string, unknown>[] = [];
  const done = replay(bytes, { event: (_call, _ms, event) => events.push(event) });
  assert.equal(done.mismatch, undefined);
  assert.deepEqual([done.complete, done.instances], [true, 2]);
  const live = JSON.stringify(recorded.rig.events);
  assert.deepEqual(
    events,
    JSON.parse(
      CREDENTIALS.reduce((text, credential) => text.replaceAll(credential, "x".repeat(credential.length)), live),
    ),
  );
});

test("secrets are kept only when that is asked for, and then the record says so", async () => {
  const recorded = await recordedRig(true, 100_000);
  mainJob(recorded);
  const bytes = readFileSync(recorded.file);
  assert.deepEqual(
    findSecrets(bytes, CREDENTIALS),
    CREDENTIALS.map((credential) => `${credential} as text`),
  );
  assert.equal(new RecordReader(bytes).header.flags, 1);
  assert.equal(replay(bytes).mismatch, undefined);
});

/** The snapshot of a capsule. */
function memory(capsule: Uint8Array): Buffer {
  const snapshot = [...new RecordReader(capsule).frames()].find((item) => item.frame === "snapshot");
  return Buffer.from(snapshot!.state);
}

test("a snapshot has neither the secret nor a signature made of it", async () => {
  const passwords = (bytes: Buffer): string[] => bytes.toString("latin1").match(/[0-9A-F]{32}/g) ?? [];
  const made: Buffer[] = [];
  for (const keepSecrets of [true, false]) {
    const recorded = await recordedRig(keepSecrets);
    // A peer that does not answer: the CONNECT is the last thing in the transmit window.
    const sent: Buffer[] = [];
    recorded.rig.peers[Channel.Mqtt] = { dial: () => "open", received: (bytes) => sent.push(Buffer.from(bytes)) };
    recorded.rig.settle();
    recorded.recorder.stopped("on request");
    made.push(readFileSync(recorded.capsule));
    const { complete, mismatch, trap } = replay(made.at(-1)!);
    assert.deepEqual([complete, mismatch, trap], [true, undefined, undefined]);
    const [password] = passwords(Buffer.concat(sent));
    assert.ok(password !== undefined);
    assert.equal(memory(made.at(-1)!).includes(password), keepSecrets);
  }
  const [kept, replaced] = made;
  assert.notDeepEqual(findSecrets(memory(kept!), CREDENTIALS), []);
  assert.deepEqual(findSecrets(memory(replaced!), CREDENTIALS), []);
});

test("a secret with escapes in it, and one that is very short", async () => {
  for (const secret of ['ga7X"A6\\Kd\u0001lE', "a", "e", "x"]) {
    const recorded = await recordedRig(false, 13, secret);
    new Broker(recorded.rig);
    recorded.rig.settle();
    recorded.recorder.end();
    assert.deepEqual(recorded.faults, []);
    const bytes = readFileSync(recorded.file);
    assert.equal(replay(bytes).mismatch, undefined);
    if (secret.length > 1) assert.ok(!bytes.includes("ga7X") && !bytes.includes("A6"));
  }
});

test("any byte that is changed is noticed", async () => {
  const bytes = await shortRecord();
  assert.ok(bytes.length > 1000 && replay(bytes).complete);
  for (let at = 0; at < bytes.length; at++)
    for (const mask of [1 << (at % 8), 0xff]) {
      const changed = Uint8Array.from(bytes);
      changed[at]! ^= mask;
      assert.throws(() => replay(changed), RecordError, `byte ${at} ^ ${mask}`);
    }
});

test("a record that is cut anywhere is made again up to there, and says that it is cut", async () => {
  const recorded = await recordedRig(false);
  const broker = new Broker(recorded.rig);
  for (let i = 0; i < 20; i++) {
    recorded.rig.advance(1000);
    recorded.recorder.flush();
  }
  assert.equal(broker.of("connect").length, 1);
  recorded.recorder.end();
  const bytes = readFileSync(recorded.file);
  const whole = replay(bytes);
  let [before, refused] = [0, 0];
  for (let length = 0; length < bytes.length; length++) {
    const cut = bytes.subarray(0, length);
    try {
      const done = replay(cut);
      assert.equal(done.mismatch, undefined);
      assert.equal(done.complete, false);
      assert.ok(done.calls >= before && done.calls <= whole.calls);
      before = done.calls;
    } catch (error) {
      assert.match((error as Error).message, /is no record of alink-agent|is cut off inside of its header/);
      assert.equal(before, 0);
      refused++;
    }
  }
  assert.ok(before > whole.calls - 30, `${before} of ${whole.calls} calls`);
  assert.ok(refused < 2000);
});

test("a record made up by somebody, with right checksums, is told from a good one or refused, whatever it says", async () => {
  const reader = await shortRecord().then((bytes) => new RecordReader(bytes));
  const stream = Buffer.from(write(reader, reader.frames()).subarray(fileHead().length + 4)).subarray(0, -4);
  let [refused, different] = [0, 0];
  for (let at = 0; at < stream.length; at++)
    for (const mask of [1 << (at % 8), 0xff]) {
      const changed = Uint8Array.from(stream);
      changed[at]! ^= mask;
      try {
        const { mismatch } = replay(Buffer.concat([fileHead(), blocks(changed)]));
        if (mismatch !== undefined) different++;
      } catch (error) {
        assert.ok(error instanceof RecordError, `byte ${at} ^ ${mask}: ${(error as Error).stack}`);
        refused++;
      }
    }
  assert.ok(refused > 500 && different > 500, `${refused} refused, ${different} different`);
});

test("bytes behind the end are noticed", async () => {
  const bytes = await shortRecord();
  const more = Buffer.concat([bytes, blocks(Uint8Array.of(0))]);
  assert.throws(() => replay(more), { message: "is damaged: 1 bytes follow its end" });
});

test("a result, an output or an input that is another is told with the number of the call", async () => {
  const bytes = await shortRecord();
  const count = [...new RecordReader(bytes).frames()].filter(({ frame }) => frame === "call").length;
  const changes: Record<string, (call: Call) => unknown> = {
    result: (call) => {
      call.result!++;
      return call;
    },
    output: ({ output }) => output && Object.assign(output, { crc: output.crc ^ 0x10 }),
    payload: ({ payload }) => payload?.bytes.fill(payload.bytes[0]! ^ 4, 0, 1),
  };
  const changed: Record<string, number> = { result: 0, output: 0, payload: 0 };
  for (const [part, change] of Object.entries(changes))
    for (let number = 1; number <= count; number++) {
      const reader = new RecordReader(Uint8Array.from(bytes));
      const items = [...reader.frames()];
      const { call } = items.filter((item) => item.frame === "call")[number - 1]!;
      if (change(call) === undefined) continue;
      changed[part]!++;
      const { mismatch } = replay(write(reader, items));
      assert.ok(mismatch !== undefined, `${part} of call ${number}`);
      if (part === "payload") assert.ok(mismatch.call >= number);
      else assert.equal(mismatch.call, number);
    }
  assert.ok(changed.result === count && changed.output! > 3 && changed.payload! > 3, JSON.stringify(changed));
});

test("another module is refused by name, and so is another format", async () => {
  const bytes = await shortRecord();
  const other = Buffer.alloc(32, 7);
  const message = `was made with the module of SHA-256 ${digest.toString("hex")}, this one has ${other.toString("hex")}: name the module it was made with by --module`;
  assert.throws(() => replay(bytes, {}, other), { name: "RecordError", message });
  bytes[4] = 9;
  assert.throws(() => replay(bytes), { message: /^has format version 9, this program reads 1: use/ });
  assert.throws(() => replay(Buffer.from("ALRB")), { message: "is no record of alink-agent" });
});

test("every window of the contract is known to the recorder", () => {
  const exports = new WebAssembly.Instance(module).exports as never;
  const addresses = Object.keys(exports).filter((name) => name.endsWith("Ptr"));
  const read = addresses.filter((name) => lengthOf(name) !== undefined);
  assert.deepEqual(read.sort(), ["eventPtr", "flashPtr", "peerPtr", "txPtr"]);
  for (const name of read) assert.ok(lengthOf(name)! in exports, name);
  // What is not read is written to, by a call whose bytes are recorded.
  assert.deepEqual(addresses.filter((name) => !read.includes(name)).sort(), ["entropyPtr", "inPtr", "rxPtr"]);
  assert.equal(inputOf(exports, "entropyDone", [])!.address, "entropyPtr");
  assert.equal(inputOf(exports, "configure", [10])!.address, "inPtr");
});

test("a record needs the module's bytes, which it is named by", async () => {
  const flash = newFile();
  const device = new Device({ configuration: { deviceName: "d" }, flash, module, record: { file: newFile() } });
  await assert.rejects(device.start(), /names its module by SHA-256: give the module's bytes/);
  await assert.rejects(device.start(), /names its module/, "the flash is free again");
});

test("a disk that is full ends the recording, not the device", async () => {
  const faults: string[] = [];
  const file = new RecordFile(newFile());
  const sink = Object.assign(Object.create(file) as RecordFile, {
    begin: file.begin.bind(file),
    frame: () => {
      throw new Error("ENOSPC: no space left on device, write");
    },
  });
  const recorder = new Recorder({
    module,
    digest,
    keepSecrets: false,
    sinks: [sink],
    onFault: (text) => faults.push(text),
  });
  const agent = recorder.instance(undefined);
  assert.ok(agent.exports.inCap() > 0);
  assert.deepEqual(faults, ["the recording ends here: ENOSPC: no space left on device, write"]);
  file.close();
});

test("where a stand-in changes the module's course the recording ends there, and says so", () => {
  const text = `(module (memory (export "memory") 1 1) (global (export "__heap_base") i32 (i32.const 4096))
    (func (export "abiVersion") (result i32) (i32.const 1))
    (func (export "inPtr") (result i32) (i32.const 0))
    (func (export "inCap") (result i32) (i32.const 1024))
    (func (export "post") (param i32 i32) (result i32) (i32.load8_u (i32.const 14))))`;
  const parsed = binaryen.parseText(text);
  const faults: string[] = [];
  const path = newFile();
  const recorder = new Recorder({
    module: new WebAssembly.Module(Uint8Array.from(parsed.emitBinary())),
    digest,
    keepSecrets: false,
    sinks: [new RecordFile(path)],
    onFault: (fault) => faults.push(fault),
  });
  parsed.dispose();
  const agent = recorder.instance(undefined);
  assert.equal(agent.post(Post.Property, Buffer.from('{"token":   "secret"}')), "e".charCodeAt(0));
  const why =
    "the recording ends here: with stand-ins for credentials post gives another result, at call 4: --keep-secrets records it as it is";
  assert.deepEqual(faults, [why]);
  assert.equal(agent.post(Post.Property, Buffer.from('{"token":   "secret"}')), "e".charCodeAt(0));
  const items = [...new RecordReader(readFileSync(path)).frames()];
  assert.deepEqual(
    items.slice(-2).map(({ frame }) => frame),
    ["note", "end"],
  );
  assert.equal(items.filter(({ frame }) => frame === "call").length, 3);
});
