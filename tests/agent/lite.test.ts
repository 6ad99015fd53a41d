// The lite profile on the bench: its main job is the same, its windows are smaller, and what it leaves out it refuses.

import assert from "node:assert/strict";
import { createHash, createHmac, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Boot, Channel, Closed, Code, Post, Want } from "../../host/abi.js";
import type { AgentError } from "../../host/agent.js";
import { wasm } from "../paths.js";
import { Counter, countingAgent } from "./operations.js";
import { Broker, module as full, identity, layout, Rig, type RigOptions } from "./rig.js";
import { chunked, fileServer, response, Web } from "./web.js";

const module = new WebAssembly.Module(readFileSync(wasm("agent-lite")));
const counting = new Counter(readFileSync(wasm("agent-lite"))).build();
const { productKey, deviceName } = identity;
const SYS = `/sys/${productKey}/${deviceName}/thing`;
const FILE = Buffer.concat(Array.from({ length: 300 }, (_, i) => createHash("sha256").update(`${i}`).digest()));

async function connected(options: RigOptions = {}): Promise<{ rig: Rig; broker: Broker }> {
  const rig = await Rig.create({ module, ...options });
  const broker = new Broker(rig);
  rig.settle();
  return { rig, broker };
}

for (const [signMethod, method] of [
  ["hmacsha256", "sha256"],
  ["hmacmd5", "md5"],
] as const)
  test(`connect, report, be set, and update, with ${signMethod} and ${method}`, async () => {
    let most = 0;
    const agent = countingAgent(counting, (_, ops) => {
      most = Math.max(most, ops);
    });
    const { rig, broker } = await connected({ agent, configuration: { signMethod } });
    const [connect] = broker.of("connect");
    assert.equal(
      connect!.password!.toString(),
      createHmacOf(method, connect!.clientId).toUpperCase(),
      "the password is the HMAC over the identity",
    );
    broker.published = (topic, payload) => {
      if (!topic.endsWith("/property/post")) return;
      const { id } = JSON.parse(payload) as { id: string };
      broker.publish(`${SYS}/event/property/post_reply`, { id, code: 200, data: {} });
    };
    const id = rig.agent.post(Post.Property, Buffer.from('{"brightness":80}'));
    rig.settle();
    assert.deepEqual(rig.named("property.posted"), [{ event: "property.posted", id, code: 200 }]);
    broker.publish(`${SYS}/service/property/set`, { id: "7", params: { led: 1 } });
    rig.settle();
    const [set] = rig.named("property.set");
    assert.deepEqual(set!.params, { led: 1 });
    assert.equal(rig.agent.reply(set!.token as number, 200, Buffer.alloc(0)), Code.Ok);
    rig.settle();
    assert.equal(broker.payloads("property/set_reply").length, 1);

    new Web(rig, fileServer(FILE));
    const sign = createHash(method).update(FILE).digest("hex");
    const data = { size: FILE.length, version: "2.0.0", url: "https://f.example/fw.bin", sign, signMethod: method };
    broker.publish(`/ota/device/upgrade/${productKey}/${deviceName}`, { code: "1000", data, id: 1 });
    rig.settle();
    assert.ok(rig.restart, JSON.stringify(rig.events.at(-1)));
    assert.ok(most > 30_000 && most <= 50_000, `a call took ${most} operations`);
    const from = layout.slots[1]![0]!;
    assert.deepEqual(Buffer.from(rig.flash.subarray(from, from + FILE.length)), FILE);
    const next = await connected({ configuration: { signMethod }, flash: rig.flash, booted: [1, Boot.Trial, 0] });
    assert.equal(next.rig.named("update.confirmed")[0]?.version, "2.0.0");
  });

function createHmacOf(method: string, clientIdOnWire: string): string {
  const clientId = clientIdOnWire.split("|")[0]!;
  const content = `clientId${clientId}deviceName${deviceName}productKey${productKey}`;
  return createHmac(method, identity.deviceSecret).update(content).digest("hex");
}

/** What the configuration `given` is answered with. */
async function refused(given: Record<string, unknown>, like: RegExp): Promise<void> {
  await assert.rejects(Rig.create({ module, configuration: given }), (error: AgentError) => {
    assert.equal(error.code, Code.BadArgument);
    assert.match(error.message, like);
    return true;
  });
}

test("SHA-1 is refused with the name of the member and where to look", async () => {
  await refused({ signMethod: "hmacsha1" }, /signMethod does not take this: see docs\/configuration\.md$/);
  await Rig.create({ module: full, configuration: { signMethod: "hmacsha1" } });
});

const updateKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .publicKey.export({ type: "spki", format: "der" })
  .toString("base64");
const ABSENT = {
  updateKey,
  updateFloor: "1.0.0",
  updateConfirm: "ask",
  updateRate: 4096,
  updateQuiet: [0, 60],
};
for (const [name, given] of Object.entries(ABSENT))
  test(`${name} is refused, never passed over`, async () => {
    const why = new RegExp(`${name} is not for agent-lite\\.wasm: leave it out, or take agent\\.wasm$`);
    // the whole key is longer than the window has room for beside the rest
    await refused({ [name]: name === "updateKey" ? updateKey.slice(0, 64) : given }, why);
    // whatever its value: an empty one is no way around
    await refused({ [name]: null }, why);
    await refused({ [name]: {} }, why);
    await Rig.create({ module: full, configuration: { [name]: given } });
  });

test("windows are smaller than the full module's, and the instance says so", async () => {
  const { rig } = await connected();
  const { rig: other } = await connected({ module: full });
  const [lite, whole] = [rig.agent.exports, other.agent.exports];
  assert.deepEqual([lite.inCap(), lite.rxCap(Channel.Mqtt)], [512, 1024]);
  assert.deepEqual([whole.inCap(), whole.rxCap(Channel.Mqtt)], [1024, 2048]);
  const refused = rig.agent.exports.post(Post.Property, 513);
  assert.equal(refused, Code.BadArgument);
  assert.equal(rig.agent.available(), 512);
});

test("a post that fills the in-window and a push of 10 KB go through the smaller windows", async () => {
  const { rig, broker } = await connected();
  assert.ok(rig.agent.post(Post.Property, Buffer.from(`{"a":"${"x".repeat(504)}"}`)) > 0);
  rig.settle();
  assert.equal(broker.payloads("property/post").length, 1);
  new Web(rig, fileServer(FILE));
  const sign = createHash("sha256").update(FILE).digest("hex");
  const url = `https://f.example/${"p".repeat(800)}`;
  const data = { extData: { udi: "u".repeat(8000) }, size: FILE.length, version: "3.0.0", url, sign };
  broker.publish(`/ota/device/upgrade/${productKey}/${deviceName}`, { code: "1000", data, id: 1 });
  rig.settle();
  assert.ok(rig.restart, JSON.stringify(rig.events.at(-1)));
});

const DIGEST = createHash("sha256").update(FILE).digest("hex");
const offer = { size: FILE.length, version: "3.0.0", url: "https://f.example/fw.bin", sign: DIGEST };

function push(broker: Broker, data: Record<string, unknown>): void {
  broker.publish(`/ota/device/upgrade/${productKey}/${deviceName}`, { code: "1000", data, id: 1 });
}

for (const status of ["503 Service Unavailable", "429 Too Many Requests", "403 Forbidden"])
  test(`${status} in chunks is ${status}: the update goes on`, async () => {
    const { rig, broker } = await connected();
    const serve = fileServer(FILE);
    const busy = response(status, { "Transfer-Encoding": "chunked" }, chunked(Buffer.from("<Error>busy</Error>"), 8));
    let answers = 0;
    new Web(rig, (request) => (answers++ === 0 ? { bytes: busy, end: Closed.Peer } : serve(request)));
    const asked = (): number => broker.payloads("/ota/firmware/get").length;
    const before = asked();
    push(broker, offer);
    rig.settle();
    // an address that has become invalid is asked for anew
    if (status.startsWith("403")) {
      assert.equal(asked(), before + 1);
      push(broker, offer);
    }
    rig.advance(60_000);
    assert.deepEqual(rig.named("update.failed"), []);
    assert.ok(rig.restart);
  });

for (const [what, answer, code, detail] of [
  ["a redirect", () => response("302 Found", { Location: "https://f.example/other", "Content-Length": 0 }), -23, 302],
  ["a body in chunks", () => response("200 OK", { "Transfer-Encoding": "chunked" }, chunked(FILE, 512)), -21, 200],
] as const)
  test(`${what} ends the update, with a number for the reason`, async () => {
    const { rig, broker } = await connected();
    const web = new Web(rig, () => ({ bytes: answer(), end: Closed.Peer }));
    push(broker, offer);
    rig.settle();
    const [failed] = rig.named("update.failed");
    assert.deepEqual(
      [failed?.step, failed?.code, failed?.detail, failed?.desc],
      [-2, code, detail, `${code}; ${detail}`],
    );
    assert.deepEqual(
      broker.payloads("/ota/device/progress").map((text) => (text as { params?: unknown }).params),
      [{ step: "-2", desc: `${code}; ${detail}` }],
    );
    assert.equal(web.requests.length, 1);
  });

test("a body without a length ends with its last byte; one that is short is gone on with", async () => {
  const { rig, broker } = await connected();
  let cut = 5000;
  const web = new Web(rig, () => {
    const bytes = response("200 OK", {}, FILE.subarray(0, cut));
    cut = FILE.length;
    return { bytes, end: Closed.Peer };
  });
  push(broker, offer);
  rig.advance(60_000);
  assert.ok(rig.restart, JSON.stringify(rig.events.at(-1)));
  assert.deepEqual(
    web.requests.map(({ from }) => from),
    [undefined, 5000],
  );
});

test("a newer package is asked for when the one in hand is over", async () => {
  const { rig, broker } = await connected();
  let answered = 0;
  new Web(rig, () => {
    // the newer one is offered while the older one is on its way, which then fails
    if (answered++ === 0) push(broker, { ...offer, version: "4.0.0" });
    return { bytes: response("404 Not Found", { "Content-Length": 0 }), end: Closed.Peer };
  });
  push(broker, offer);
  rig.settle();
  assert.deepEqual(
    rig.named("update.offered").map(({ version }) => version),
    ["3.0.0"],
  );
  assert.equal(broker.payloads("/ota/firmware/get").length, 1, "before any package was offered");
  rig.advance(10_000);
  assert.equal(broker.payloads("/ota/firmware/get").length, 2, "and after the one in hand failed");
});

test("the longest URL: request and all, from the first byte and from any other", async () => {
  const { rig, broker } = await connected();
  const url = `https://f.example:65535/${"p".repeat(896 - 24)}`;
  assert.equal(url.length, 896);
  const serve = fileServer(FILE);
  const web = new Web(rig, (request) => {
    const { bytes } = serve(request);
    return { bytes: bytes.subarray(0, 2_000), end: Closed.Broken };
  });
  push(broker, { ...offer, url });
  rig.advance(120_000);
  assert.ok(rig.restart, JSON.stringify(rig.events.at(-1)));
  assert.ok(web.requests.length > 4);
  for (const { uri, target } of web.requests)
    assert.equal(`${uri}${target}`.length, url.length - "https".length + "tls".length);
  const from = layout.slots[1]![0]!;
  assert.deepEqual(Buffer.from(rig.flash.subarray(from, from + FILE.length)), FILE);
  const over = await connected();
  push(over.broker, { ...offer, url: `${url}p` });
  over.rig.settle();
  assert.equal(over.rig.named("update.failed")[0]?.code, Code.OverLimit);
});

for (const placed of [1024, 1500, 2047])
  test(`a request waits for the flash while the window is full: ${placed} bytes`, async () => {
    const { rig, broker } = await connected();
    const serve = fileServer(FILE);
    const head = serve({ uri: "", target: "", headers: new Map() }).bytes.length - FILE.length;
    let first = true;
    new Web(rig, (request) => {
      const { bytes } = serve(request);
      const cut = first ? bytes.subarray(0, head + placed) : bytes;
      first = false;
      return { bytes: cut, end: Closed.Broken };
    });
    push(broker, offer);
    const dials = () => rig.dialled.filter((uri) => uri.includes("f.example")).length;
    const poll = (hold: number): number => rig.agent.exports.poll(rig.now | 0) & ~hold;
    // everything but the flash is served
    for (let i = 0; i < 3_000; i++) {
      const want = poll(dials() > 0 ? Want.Flash : 0);
      if (!rig.serve(want)) rig.now += 10;
    }
    assert.equal(dials(), 1, "the window holds bytes that are not in flash");
    assert.notEqual(rig.agent.exports.timeout(), 0, "and the host sleeps meanwhile");
    rig.advance(10_000);
    assert.ok(rig.restart, JSON.stringify(rig.events.at(-1)));
    assert.equal(dials(), 2);
    const from = layout.slots[1]![0]!;
    assert.deepEqual(Buffer.from(rig.flash.subarray(from, from + FILE.length)), FILE);
  });
