// What a trap leaves: on Node a snapshot from before it and the calls since, without a credential.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Device } from "../../host/node/device.js";
import { Kind } from "../../host/record/format.js";
import { RecordReader } from "../../host/record/reader.js";
import { command } from "./recorded_job.js";
import { findSecrets } from "./secrets.js";
import { TRAPPING_POST, trappingModule } from "./trapping_module.js";

const SECRET = "8f2e5c1d9a7b4e60c3d2";
const folder = mkdtempSync(join(tmpdir(), "alink-capsule-"));
const module = trappingModule(true);
const moduleFile = join(folder, "trapping.wasm");
writeFileSync(moduleFile, module);
const ends: (() => void)[] = [];

after(() => {
  for (const end of ends) end();
  rmSync(folder, { recursive: true, force: true });
});

/** A device whose module has signed its CONNECT when it traps. @returns the capsule's file */
async function trap(name: string, keepSecrets = false): Promise<string> {
  const capsule = join(folder, `${name}.capsule`);
  const server = createServer((socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  ends.push(() => server.close());
  const port = (server.address() as { port: number }).port;
  const device = new Device({
    configuration: { productKey: "a1", deviceName: "capsule", deviceSecret: SECRET, allowPlain: ["mqtt"] },
    endpoint: `mqtt://127.0.0.1:${port}`,
    flash: join(folder, `${name}.flash`),
    module,
    record: { capsule, keepSecrets },
  });
  const connected = once(server, "connection");
  await device.start();
  const [socket] = await connected;
  await once(socket, "data");
  const fault = once(device, "fault");
  await assert.rejects(device.postProperties(JSON.parse(TRAPPING_POST)), /the module stopped when it was handed over/);
  const [{ desc }] = await fault;
  assert.equal(desc, "the module stopped (1 in a row): unreachable");
  await device.stop();
  return capsule;
}

async function replay(...args: string[]): Promise<{ code: number | null; stderr: string; lines: string[] }> {
  const run = command(["replay", ...args], (end) => ends.push(end));
  return { ...(await run.ended), lines: run.lines };
}

test("a capsule opens in replay, and the trap comes again", async () => {
  const capsule = await trap("again");
  assert.equal(statSync(capsule).mode & 0o777, 0o600);
  assert.equal(new RecordReader(readFileSync(capsule)).header.kind, Kind.Capsule);
  const { code, stderr, lines } = await replay(capsule, "--module", moduleFile, "--json", "--calls");
  assert.equal(code, 0, stderr + lines.join("\n"));
  const items = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(items[0]!.kind, "capsule");
  assert.equal(items[1]!.text, "the module stopped: unreachable");
  assert.equal(items[2]!.event, "snapshot");
  assert.equal(items[2]!.bytes, items[0]!.stateBytes);
  assert.equal(
    items.at(-2)!.text,
    `post(1, ${TRAPPING_POST.length}) with ${TRAPPING_POST.length} bytes trapped: unreachable`,
  );
  const { calls, equal, complete, trap: again } = items.at(-1)!;
  assert.deepEqual([equal, complete, again], [true, true, "unreachable"]);
  assert.equal(calls, items.filter(({ event }) => event === "call").length);
});

test("in words for people", async () => {
  const { lines, code } = await replay(await trap("words"), "--module", moduleFile);
  assert.equal(code, 0);
  assert.match(
    lines[0]!,
    /^capsule of module [0-9a-f]{64}, ABI version \d+, \d+ bytes of state, stand-ins for credentials$/,
  );
  assert.equal(lines[1], "the module stopped: unreachable");
  assert.match(lines.at(-2)!, /^the trap comes again at call \d+: unreachable$/);
  assert.match(lines.at(-1)!, /all as recorded$/);
});

test("no credential is in a capsule, unless it is to be kept", async () => {
  const capsule = readFileSync(await trap("secret"));
  assert.deepEqual(findSecrets(capsule, [SECRET]), []);
  const kept = readFileSync(await trap("kept", true));
  assert.deepEqual(findSecrets(kept, [SECRET]), [`${SECRET} as text`]);
});

test("with another module: an error that names both", async () => {
  const capsule = await trap("other");
  const { code, stderr } = await replay(capsule);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /other\.capsule was made with the module of SHA-256 [0-9a-f]{64}, this one has [0-9a-f]{64}: name/,
  );
});

test("run --capsule with a place that cannot be written is refused at once, not at the first trap", async () => {
  const device = join(folder, "device.json");
  writeFileSync(device, JSON.stringify({ productKey: "a1", deviceName: "capsule", deviceSecret: SECRET }));
  const file = join(folder, "a-file");
  writeFileSync(file, "");
  for (const [capsule, reason] of [
    [join(folder, "missing", "c"), /^cannot write the capsule .*missing\/c: there is no directory .*missing$/],
    [join(file, "c"), /^cannot write the capsule .*a-file\/c: a part of its path is a file$/],
    [folder, /^cannot write the capsule .*: it is there and is not a regular file$/],
    ["/proc/c", /^cannot write the capsule \/proc\/c: its file system takes no files there$/],
  ] as const) {
    const run = command(["run", "--device", device, "--capsule", capsule], (end) => ends.push(end));
    const { code, stderr } = await run.ended;
    assert.equal(code, 1);
    assert.match(stderr.replace("alink-agent: ", "").trimEnd(), reason);
  }
  // What is there stays as it is: an older capsule, until a trap has written another one.
  assert.equal(readFileSync(file, "utf8"), "");
});
