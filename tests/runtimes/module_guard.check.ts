// Modules that lie or stop: the C host lets none of them reach beyond their memory, keeps a capsule, and gives up after three.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import binaryen from "binaryen";
import { ABI_VERSION, BootOp, Event, FlashOp, Want } from "../../host/abi.js";
import { parseExports } from "../../host/generate_abi.js";
import { Kind as BootKind, BootLoader, Reason } from "../../host/node/boot.js";
import { FlashImage } from "../../host/node/flash.js";
import { flashLayout } from "../../host/node/flash_layout.js";
import { Flag, Kind } from "../../host/record/format.js";
import { RecordReader } from "../../host/record/reader.js";
import { findSecrets } from "../host/secrets.js";
import { root } from "../paths.js";
import { CHost, sanitizedHost } from "./c_host.js";

const SECRET = "the-secret-of-the-stand-in";
const BLANKED = '"deviceSecret":"xxxxxxxxxxxxxxxxxxxxxxxxxx"';
const folder = mkdtempSync(join(tmpdir(), "alink-guard-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const program = sanitizedHost(join(folder, "alink-wamr"));
const device = join(folder, "device.json");
writeFileSync(device, JSON.stringify({ productKey: "p", deviceName: "stand-in", deviceSecret: SECRET }));

const exported = parseExports(readFileSync(join(root, "assembly", "index.ts"), "utf8"));
/** What each export answers; 0 where nothing is said. */
const ANSWERS: Record<string, number> = { abiVersion: ABI_VERSION, inPtr: 1024, inCap: 1024, timeout: -1 };

interface StandIn {
  /** Answers of exports instead of the usual ones. */
  answers?: Record<string, number>;
  /** Whole functions instead of the usual ones, as text. */
  functions?: Record<string, string>;
  heapBase?: number;
  /** Of memory. */
  pages?: number;
  imports?: string;
}

/** A module with every export, one page of memory, and nothing behind it. @returns its file */
function standIn(
  name: string,
  { answers = {}, functions = {}, heapBase = 4096, pages = 1, imports = "" }: StandIn,
): string {
  const lines = exported.map((entry) => {
    if (entry.kind === "global")
      return `(global (export "${entry.name}") i32 (i32.const ${entry.name === "__heap_base" ? heapBase : 0}))`;
    const answer = answers[entry.name] ?? ANSWERS[entry.name] ?? 0;
    const parameters = entry.parameters.map(() => "(param i32)").join("");
    return functions[entry.name] ?? `(func (export "${entry.name}") ${parameters} (result i32) (i32.const ${answer}))`;
  });
  const module = binaryen.parseText(
    `(module ${imports} (memory (export "memory") ${pages} ${pages}) ${lines.join("\n")})`,
  );
  const file = join(folder, `${name}.wasm`);
  writeFileSync(file, module.emitBinary());
  module.dispose();
  return file;
}

async function run(name: string, module: StandIn): Promise<{ code: number | string; stderr: string; host: CHost }> {
  const host = new CHost(program, [device, "--module", standIn(name, module), "--capsule", capsuleOf(name)]);
  return { code: await host.ended(), stderr: host.stderr.trimEnd(), host };
}

const capsuleOf = (name: string): string => join(folder, `${name}.capsule`);

/** Byte counts and offsets that lie outside of 4,096 bytes of memory in one way or another. */
const OUTSIDE: [number, number][] = [
  [4090, 16],
  [4096, 1],
  [-16, 16],
  [0x7ffffff0, 16],
  [0, 0x7fffffff],
];

const WINDOWS: Record<string, (at: number, length: number) => Record<string, number>> = {
  "the peer": (peerPtr, peerLen) => ({ poll: Want.Open, peerPtr, peerLen }),
  entropy: (entropyPtr, entropyLen) => ({ poll: Want.Entropy, entropyPtr, entropyLen }),
  "an event": (eventPtr, eventLen) => ({ poll: Want.Event, eventKind: Event.Fault, eventPtr, eventLen }),
  "a flash read": (flashPtr, flashLen) => ({ poll: Want.Flash, flashOp: FlashOp.Read, flashPtr, flashLen }),
  "a flash write": (flashPtr, flashLen) => ({ poll: Want.Flash, flashOp: FlashOp.Write, flashPtr, flashLen }),
  "the in-window": (inPtr, inCap) => ({ inPtr, inCap }),
};

describe("pointers out of the module", () => {
  for (const [what, answers] of Object.entries(WINDOWS))
    it(`${what}: refused when any byte is outside`, async () => {
      for (const [at, length] of OUTSIDE) {
        const { code, stderr } = await run("window", { answers: answers(at, length) });
        assert.equal(code, 1, stderr);
        const expected = `alink-wamr: three times in a row: the module stopped: it gave a window of ${length} bytes at ${at}, outside its memory`;
        assert.equal(stderr, expected);
      }
    });

  it("a negative length is no window, events without end do not hold up the rest", async (t) => {
    const answers = {
      poll: Want.Event | Want.Entropy | Want.Flash | Want.Boot,
      eventKind: Event.Message,
      eventLen: -5,
      entropyLen: -1,
      flashOp: FlashOp.Write,
      flashLen: -1,
      bootOp: BootOp.Activate,
      bootSlot: 7,
    };
    const host = new CHost(program, [device, "--module", standIn("negative", { answers })]);
    t.after(() => host.stop("SIGKILL"));
    await host.event("fault", ({ desc }) => /^boot: /.test(String(desc)));
    assert.equal(await host.stop(), 0, host.stderr);
  });

  it("the boot region and unknown slots are refused", async (t) => {
    const operation = {
      poll: Want.Flash | Want.Boot,
      flashOp: FlashOp.Erase,
      flashOffset: 33_636_352,
      flashLen: 4096,
      bootOp: BootOp.Activate,
      bootSlot: 7,
    };
    const host = new CHost(program, [device, "--module", standIn("boot", { answers: operation })]);
    t.after(() => host.stop("SIGKILL"));
    await host.event("fault", ({ desc }) => /asked for the boot region/.test(String(desc)));
    await host.event("fault", ({ desc }) => /^boot: /.test(String(desc)));
    assert.equal(await host.stop(), 0, host.stderr);
  });
});

describe("modules of another shape", () => {
  const cases: [string, StandIn, RegExp][] = [
    ["another ABI version", { answers: { abiVersion: 99 } }, /the module has ABI version 99, this host speaks 1/],
    ["a missing export", { functions: { post: "" } }, /no such function of i32: post/],
    [
      "another parameter type",
      { functions: { poll: '(func (export "poll") (param i64) (result i32) (i32.const 0))' } },
      /no such function of i32: poll/,
    ],
    [
      "another parameter count",
      { functions: { poll: '(func (export "poll") (param i32 i32) (result i32) (i32.const 0))' } },
      /no such function of i32: poll/,
    ],
    ["no result", { functions: { poll: '(func (export "poll") (param i32))' } }, /no such function of i32: poll/],
    ["a heap base beyond the memory", { heapBase: 70_000 }, /__heap_base/],
  ];
  for (const [name, module, message] of cases)
    it(name, async () => {
      const { code, stderr } = await run("shape", module);
      assert.equal(code, 1, stderr);
      assert.match(stderr, message);
    });
});

describe("traps", () => {
  it("three fresh instances, then an end; the capsule tells what went before", async () => {
    const poll = '(func (export "poll") (param i32) (result i32) (unreachable))';
    const { code, stderr, host } = await run("trap", { functions: { poll } });
    assert.equal(code, 1);
    assert.equal(stderr, "alink-wamr: three times in a row: the module stopped: Exception: unreachable");
    assert.equal(host.lines.filter(({ desc }) => /the module stopped/.test(String(desc))).length, 3);
    assert.equal(statSync(capsuleOf("trap")).mode & 0o777, 0o600);
    const reader = new RecordReader(readFileSync(capsuleOf("trap")));
    assert.deepEqual([reader.header.kind, reader.header.stateBytes, reader.cut], [Kind.Capsule, 4096, false]);
    const items = [...reader.frames()];
    const [note, snapshot] = items;
    assert.ok(note?.frame === "note" && snapshot?.frame === "snapshot");
    assert.match(note.text, /^the module stopped: Exception: unreachable; 3 in a row, after \d+ calls$/);
    const functions = exported.filter(({ kind }) => kind === "function").map(({ name }) => name);
    assert.deepEqual(
      reader.header.exports.map(({ name }) => name),
      functions,
    );
    const calls = items.flatMap((item) => (item.frame === "call" ? [item.call] : []));
    assert.equal(reader.header.exports[calls.at(-1)!.which]!.name, "poll");
    assert.equal(calls.at(-1)!.trap, "the module stopped: Exception: unreachable");
    assert.equal(items.at(-1)!.frame, "end");
  });

  it("an image whose module stops on trial uses its starts up, and the one before it goes on", async (t) => {
    const layout = flashLayout();
    const file = join(folder, "trial.flash");
    const image = FlashImage.open(file, layout);
    const loader = new BootLoader(image);
    loader.boot();
    loader.activate(1, 2);
    image.close();
    const booted =
      '(func (export "booted") (param i32 i32 i32) (result i32) (if (i32.eq (local.get 1) (i32.const 1)) (then (unreachable))) (i32.const 0))';
    const alive = { poll: Want.Boot, bootOp: BootOp.Activate, bootSlot: 7 };
    const module = standIn("trial", { functions: { booted }, answers: alive });
    const host = new CHost(program, [device, "--module", module, "--flash", file]);
    t.after(() => host.stop("SIGKILL"));
    await host.event("fault", ({ desc }) => /^boot: /.test(String(desc)));
    assert.equal(await host.stop(), 0, host.stderr);
    assert.equal(host.lines.filter(({ desc }) => /the module stopped/.test(String(desc))).length, 2);
    const after = FlashImage.open(file, layout);
    const { kind, slot, reason } = new BootLoader(after).record();
    after.close();
    assert.deepEqual({ kind, slot, reason }, { kind: BootKind.Confirmed, slot: 0, reason: Reason.StartsUsedUp });
  });

  it("no secret is left in the capsule", async () => {
    // The configuration's bytes are still in the in-window when the module stops.
    const configure = '(func (export "configure") (param i32) (result i32) (unreachable))';
    await run("secret", { functions: { configure } });
    const capsule = readFileSync(capsuleOf("secret"));
    const call = [...new RecordReader(capsule).frames()].flatMap((item) => (item.frame === "call" ? [item.call] : []));
    assert.ok(Buffer.from(call.at(-1)!.payload!.bytes).includes(BLANKED));
    assert.deepEqual(findSecrets(capsule, [SECRET]), []);
  });

  it("nor is one that the configuration spells with escapes", async () => {
    const escaped = join(folder, "escaped.json");
    writeFileSync(escaped, '{"productKey":"p","deviceName":"stand-in","deviceSecret":"q\\"W\\\\e\\/r\\u0054-tail"}');
    const configure = '(func (export "configure") (param i32) (result i32) (unreachable))';
    const module = standIn("escaped", { functions: { configure } });
    await new CHost(program, [escaped, "--module", module, "--capsule", capsuleOf("escaped")]).ended();
    const capsule = readFileSync(capsuleOf("escaped"));
    const call = [...new RecordReader(capsule).frames()].flatMap((item) => (item.frame === "call" ? [item.call] : []));
    const document = JSON.parse(Buffer.from(call.at(-1)!.payload!.bytes).toString()) as { deviceSecret: string };
    assert.match(document.deviceSecret, /^[x\\]{13}$/);
    for (const part of ["-tail", "q\\", "0054"]) assert.ok(!capsule.includes(part), part);
  });

  it("a state too large for the room: what the trap left, and the last calls to tell of", async () => {
    const configure = '(func (export "configure") (param i32) (result i32) (unreachable))';
    await run("large", { functions: { configure }, heapBase: 260_000, pages: 4 });
    const capsule = readFileSync(capsuleOf("large"));
    const reader = new RecordReader(capsule);
    assert.equal(reader.header.flags, Flag.AfterTrap | Flag.Derived);
    const items = [...reader.frames()];
    const frames = items.map(({ frame }) => frame);
    assert.deepEqual(frames.slice(-3), ["snapshot", "call", "end"]);
    assert.ok(frames.indexOf("snapshot") > 3, "calls before it");
    assert.ok(items.some((item) => item.frame === "snapshot" && Buffer.from(item.state).includes(BLANKED)));
    assert.ok(items.some((item) => item.frame === "call" && /unreachable/.test(item.call.trap ?? "")));
    assert.deepEqual(findSecrets(capsule, [SECRET]), []);
  });

  it("a configuration without end", async () => {
    const { stderr } = await run("endless", { answers: { configure: 1 } });
    assert.match(stderr, /three times in a row: the module stopped: it does not come to the end of the configuration/);
  });

  it("an import that nobody supplies", async () => {
    const poll = '(func (export "poll") (param i32) (result i32) (call $abort) (i32.const 0))';
    const { stderr } = await run("import", { imports: '(import "env" "abort" (func $abort))', functions: { poll } });
    assert.match(stderr, /failed to call unlinked import function/);
  });

  it("endless recursion ends in a trap, not in the host's stack", async () => {
    const poll =
      '(func $poll (export "poll") (param i32) (result i32) (i32.add (call $poll (local.get 0)) (i32.const 1)))';
    const { code, stderr } = await run("recursion", { functions: { poll } });
    assert.equal(code, 1);
    assert.match(stderr, /three times in a row: the module stopped: Exception: .*stack/);
  });
});
