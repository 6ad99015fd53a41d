// Bounded work: every call of the module, counted in executed WebAssembly operations, over everything that peers and the
// application may make it do. The module is instrumented here, in the test alone.

import assert from "node:assert/strict";
import { createHash, createSign, generateKeyPairSync } from "node:crypto";
import { after, test } from "node:test";
import mqttPacket from "mqtt-packet";
import { Boot, Channel, Closed, Code, IN_WINDOW, Post } from "../../host/abi.js";
import type { Agent } from "../../host/agent.js";
import { countedAgent } from "./dearest.js";
import { Broker, identity, layout, Rig, type RigOptions } from "./rig.js";
import { chunked, fileServer, response, Web } from "./web.js";

/**
 * Most operations a call may take: about a million instructions of an interpreter on a Cortex-M4 (docs/design.md "Work is
 * bounded"). WAMR's classic interpreter, the slowest, spends 13 of them on an operation of a digest and more where control
 * flow is dense: 20 on average.
 */
const BOUND = 50_000;

/**
 * What the dearest call of each export takes today, rounded up by a few percent. A call that becomes dearer than this is
 * a change to think about: slice the work, or raise the number and say why.
 */
const PRESENT: Record<string, number> = {
  closed: 4_500,
  // a member's name is looked for in a list of words: each word more costs every name a little
  configure: 42_000,
  opened: 47_000,
  poll: 47_500,
  post: 16_000,
  // a name of the writer takes a few operations more than the bytes they save
  reply: 1_300,
  timeout: 550,
};

/** Calls that are known to be above the bound, where, and by what: none. */
const ABOVE: Record<string, number> = {};

// ---- measuring

const dearest = new Map<string, { ops: number; scenario: string }>();
/** Of each scenario alone, by `export, scenario`. */
const dearestOf = new Map<string, number>();
let scenario = "";

/** A fresh counted module. */
function counted(): Agent {
  return countedAgent((name, ops) => {
    if (ops > (dearest.get(name)?.ops ?? 0)) dearest.set(name, { ops, scenario });
    const key = `${name}, ${scenario}`;
    if (ops > (dearestOf.get(key) ?? 0)) dearestOf.set(key, ops);
    return scenario;
  });
}

/** The rig with a counted module in it. */
async function bench(options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.create(options);
  const snapshot = rig.agent.snapshot();
  rig.agent = counted();
  rig.agent.restore(snapshot);
  return rig;
}

const { productKey, deviceName } = identity;
const sys = `/sys/${productKey}/${deviceName}`;
const UPGRADE = `/ota/device/upgrade/${productKey}/${deviceName}`;
const SET = `${sys}/thing/service/property/set`;
const GET = `/${productKey}/${deviceName}/user/get`;
const FILE = Buffer.concat(Array.from({ length: 940 }, (_, i) => createHash("sha256").update(`${i}`).digest()));

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();

function push(method: string, members: Record<string, unknown> = {}): unknown {
  const sign = createHash(method).update(FILE).digest("hex");
  const data = {
    size: FILE.length,
    version: "2.0.0",
    url: "https://files.example/fw.bin",
    sign,
    signMethod: method,
    ...members,
  };
  return { code: "1000", data, id: 1695281536874, message: "success" };
}

async function connected(options: RigOptions = {}): Promise<{ rig: Rig; broker: Broker }> {
  const rig = await bench(options);
  const broker = new Broker(rig);
  rig.settle();
  return { rig, broker };
}

const longest = {
  productKey: "p".repeat(20),
  deviceName: "d".repeat(32),
  deviceSecret: "s".repeat(64),
  clientId: "c".repeat(64),
  timestamp: "1".repeat(20),
};

const scenarios: Record<string, () => Promise<void>> = {
  "the longest identity, each sign method": async () => {
    for (const signMethod of ["hmacmd5", "hmacsha1", "hmacsha256"])
      await connected({ configuration: { ...longest, signMethod, version: "v".repeat(64) } });
  },
  "configurations of the largest size": async () => {
    const documents = [
      JSON.stringify({ ...identity, flash: layout }).padEnd(IN_WINDOW),
      `{${Array.from({ length: 145 }, (_, i) => `"k${i}":1`).join()}}`.slice(0, IN_WINDOW),
      `{${'"a":0,'.repeat(168)}"z":1}`,
      `{"zz":"${"\\u00e9".repeat(165)}"}`,
      `{"flash":{${'"boot":[0],'.repeat(90)}"boot":1}}`,
      `{${'"allowPlain":[],'.repeat(60)}"keepAlive":60}`,
      `{"x":[${"[],".repeat(330)}1]}`,
      `{"clientId":"${"c".repeat(1000)}"}`,
      `{"allowPlain":[${'"http",'.repeat(140)}"mqtt"]}`,
    ];
    for (const document of documents) {
      const agent = counted();
      const x = agent.exports;
      assert.ok(document.length <= IN_WINDOW);
      new Uint8Array(x.memory.buffer).set(Buffer.from(document), x.inPtr());
      for (let code = x.configure(document.length); code > 0; code = x.configure(0));
      x.poll(0);
    }
  },
  "an update with MD5": async () => update("md5", {}),
  "an update with SHA-256": async () => update("sha256", {}),
  "an update with SHA-256 in fragments": async () => update("sha256", { fragment: 61 }),
  "an update with marks and a state region that fills": async () => {
    const large = Buffer.concat([FILE, FILE]);
    const { rig, broker } = await connected({ configuration: { flash: { ...layout, write: 32 } } });
    const serve = fileServer(large);
    let tries = 0;
    // each second answer ignores the range, so marks come and are taken back
    new Web(rig, (request) => {
      const { bytes } = serve(tries++ % 2 === 0 ? { ...request, from: undefined as never } : request);
      return tries < 9 ? { bytes: bytes.subarray(0, 40_000), end: Closed.Broken } : { bytes };
    });
    broker.publish(UPGRADE, push("sha256", { size: large.length, sign: sha256(large).toString("hex") }));
    rig.advance(600_000);
    assert.ok(rig.restart, JSON.stringify(rig.events.slice(-1)));
  },
  "a signed package": async () => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const updateKey = publicKey.export({ type: "spki", format: "der" }).toString("base64");
    const agent = counted();
    agent.configure({ ...identity, updateKey });
    const { rig, broker } = await connected({
      configuration: { updateKey, updateQuiet: [0, 1], updateRate: 1e9, updateFloor: "0".repeat(64) },
    });
    rig.agent.exports.wallClock(86_400);
    new Web(rig, fileServer(FILE));
    const digestsign = createSign("sha256").update(sha256(FILE)).sign(privateKey, "base64");
    broker.publish(UPGRADE, push("sha256", { digestsign, version: "9".repeat(64) }));
    rig.advance(120_000);
    assert.ok(rig.restart, JSON.stringify(rig.events.slice(-1)));
  },
  "an update, chunked by one byte": async () =>
    update("sha256", {}, () => response("200 OK", { "Transfer-Encoding": "chunked" }, chunked(FILE, 1))),
  "an update, chunked with the largest chunks": async () =>
    update("md5", {}, () => response("200 OK", { "Transfer-Encoding": "chunked" }, chunked(FILE, 30_000))),
  "response heads that fill the window": async () => {
    const fields: Record<string, string>[] = [
      { "X-Long": "v".repeat(1900) },
      Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`x${i}`, "v"])),
      Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`content-rang${i}`, "bytes 0-1/2, bytes 3-4/5"])),
    ];
    for (const each of fields)
      for (const status of ["200 OK", "302 Found", "206 Partial Content", "500 x"])
        await fetched(() => response(status, { ...each, "Content-Length": FILE.length }));
    await fetched(() => Buffer.from("HTTP/1.1 100 Continue\r\n\r\n".repeat(80)));
    await fetched(() => Buffer.alloc(4000, 0x0a));
  },
  "redirects to the longest addresses": async () => {
    for (const location of [
      `https://h.example/${"../".repeat(330)}`,
      `/${"a/".repeat(500)}`,
      `?${"%41".repeat(330)}`,
      "./".repeat(500),
    ])
      await fetched(() => response("302 Found", { Location: location, "Content-Length": 0 }));
  },
  "pushes of 10 KB": async () => {
    const udi = JSON.stringify({ text: '"\\'.repeat(900), emoji: "😀" });
    const tags = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`tag.${i}`, "v".repeat(400)]));
    const url = `https://files.example/${"p".repeat(700)}?Expires=1&t=${"%2f".repeat(70)}`;
    for (const extra of [
      { extData: { ...tags, _package_udi: udi } },
      { url },
      { url, extData: { ...tags, _package_udi: udi } },
    ]) {
      const { rig, broker } = await connected();
      new Web(rig, fileServer(FILE));
      broker.publish(UPGRADE, push("sha256", extra));
      rig.settle();
      assert.ok(rig.restart);
    }
  },
  "256 KB on every topic": async () => {
    const bodies = [
      Buffer.from(`{"id":"1","params":{"x":"${"y".repeat(262_000)}"}}`),
      Buffer.from(`{"id":"1","params":{${'"a":[1,{"b":null}],'.repeat(13_000)}"c":1}}`),
      Buffer.from(`{"id":"1","data":{${'"url":"\\u00e9",'.repeat(15_000)}"c":1}}`),
      Buffer.from(`[${"[[]],".repeat(50_000)}1]`),
      Buffer.alloc(262_000, 0x20),
      Buffer.alloc(262_000, 1),
    ];
    for (const topic of [
      UPGRADE,
      SET,
      GET,
      `${sys}/thing/ota/firmware/get_reply`,
      `${sys}/thing/event/property/post_reply`,
      `${sys}/thing/event/${"e".repeat(50)}/post_reply`,
      `${sys}/x`,
    ]) {
      const { rig, broker } = await connected();
      for (const body of bodies) {
        broker.publish(topic, body);
        rig.settle();
      }
      assert.equal(rig.named("device.disconnected").length, 0);
    }
  },
  "windows full of the smallest packets": async () => {
    const smallest: Record<string, number[]> = {
      PINGRESP: [0xd0, 0],
      PUBACK: [0x40, 2, 0x7f, 0xff],
      SUBACK: [0x90, 3, 0x7f, 0xff, 1],
      PUBLISH: [0x30, 3, 0, 1, 0x61],
      "PUBLISH at QoS 1": [0x32, 5, 0, 1, 0x61, 0, 9],
      "PUBLISH on our topics": [
        ...mqttPacket.generate({ cmd: "publish", topic: GET, payload: "", qos: 0, dup: false, retain: false }),
      ],
    };
    for (const bytes of Object.values(smallest)) {
      const { rig } = await connected();
      rig.agent.post(Post.Property, Buffer.from('{"a":1}'));
      rig.settle();
      rig.feed(
        Channel.Mqtt,
        Buffer.concat(Array.from({ length: Math.floor(6000 / bytes.length) }, () => Buffer.from(bytes))),
      );
      rig.settle();
    }
  },
  "the longest topics": async () => {
    const { rig, broker } = await connected();
    for (const topic of [
      "t".repeat(2000),
      "t".repeat(65_000),
      `${sys}/${"x".repeat(100)}`,
      `/${productKey}/${deviceName}/user/${"u".repeat(100)}`,
    ])
      broker.publish(topic, "payload");
    rig.settle();
    assert.equal(rig.named("device.disconnected").length, 0);
  },
  "the largest posts and replies": async () => {
    const { rig, broker } = await connected();
    const bodies = [
      `{"a":"${"x".repeat(1010)}"}`,
      `{${'"a":0,'.repeat(168)}"z":1}`,
      `{"a":[${"[],".repeat(330)}1]}`,
      `{"a":"${"\\u00e9".repeat(160)}"}`,
    ];
    for (const body of bodies) {
      const id = rig.agent.post(Post.Property, Buffer.from(body));
      assert.ok(id > 0, `${id} for ${body.length} bytes`);
      rig.settle();
      broker.publish(SET, { id: '"'.repeat(60), params: { a: 1 } });
      rig.settle();
      rig.agent.reply(rig.named("property.set").at(-1)!.token as number, 200, Buffer.from(body));
      rig.settle();
    }
    const event = Buffer.from(`${"e".repeat(50)}\0{${'"a":0,'.repeat(159)}"z":1}`);
    assert.ok(rig.agent.post(Post.Event, event) > 0);
    rig.settle();
    assert.equal(rig.agent.post(Post.Event, Buffer.alloc(IN_WINDOW, 0x61)), Code.BadArgument);
    assert.equal(rig.agent.post(Post.Publish, Buffer.from(`${GET}\0${"x".repeat(900)}`)), Code.Ok);
    rig.settle();
    rig.agent.post(Post.Publish, Buffer.alloc(IN_WINDOW, 0x61));
    rig.agent.post(Post.Subscribe, Buffer.from(`/${productKey}/${deviceName}/user/${"u".repeat(900)}`));
    rig.settle();
  },
  "a window full of unacknowledged messages, and links that break": async () => {
    const { rig, broker } = await connected();
    broker.acknowledge = false;
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 12; i++) {
        rig.agent.post(Post.Property, Buffer.from(JSON.stringify({ i, text: "x".repeat(30 * (i % 5)) })));
        rig.settle();
      }
      rig.hangUp(Channel.Mqtt, Closed.Broken);
      rig.advance(130_000);
    }
  },
  "a state region that is full of records": async () => {
    let flash: Uint8Array | undefined;
    for (let i = 0; i < 25; i++) {
      const rig = await bench(flash === undefined ? {} : { flash, booted: [0, Boot.Confirmed, 0] });
      const broker = new Broker(rig);
      new Web(rig, () => ({ bytes: response("404 Not Found", { "Content-Length": 0 }) }));
      rig.settle();
      broker.publish(UPGRADE, push("md5", { version: "v".repeat(64) }));
      rig.settle();
      flash = rig.flash;
    }
    const sectors = new Uint8Array(flash!).fill(1, 131072, 139264);
    new Broker(await bench({ flash: sectors })).acknowledge = false;
    const { rig } = await connected({ flash: sectors });
    assert.ok(rig.linked[Channel.Mqtt]);
  },
};

async function update(method: string, options: RigOptions, whole?: () => Buffer): Promise<void> {
  const { rig, broker } = await connected(options);
  const serve = fileServer(FILE);
  new Web(rig, (request) => (whole === undefined ? serve(request) : { bytes: whole(), end: Closed.Peer }));
  broker.publish(UPGRADE, push(method));
  rig.settle();
  assert.ok(rig.restart, JSON.stringify(rig.events.slice(-1)));
  const next = await bench({ flash: rig.flash, booted: [1, Boot.Trial, 0] });
  new Broker(next);
  next.settle();
  assert.equal(next.named("update.confirmed").length, 1);
}

/** An update whose server answers everything alike. */
async function fetched(answer: () => Buffer): Promise<void> {
  const { rig, broker } = await connected();
  new Web(rig, () => ({ bytes: answer(), end: Closed.Peer }));
  broker.publish(UPGRADE, push("md5"));
  rig.advance(60_000);
}

for (const [name, run] of Object.entries(scenarios)) {
  test(`runs counted: ${name}`, async () => {
    scenario = name;
    await run();
  });
}

test("the counter counts", () => {
  for (const name of ["poll", "configure", "opened", "post", "received"])
    assert.ok((dearest.get(name)?.ops ?? 0) > 10, `${name}: ${dearest.get(name)?.ops}`);
});

const told = (name: string): string => {
  const { ops, scenario: where } = dearest.get(name)!;
  return `${name}: ${ops} operations (${where})`;
};

test("no call is above the bound but those that are known", () => {
  const above = [...dearestOf].filter(([, ops]) => ops > BOUND);
  const news = above
    .filter(([key, ops]) => ops > (ABOVE[key] ?? BOUND))
    .map(([key, ops]) => `${key}: ${ops} operations`);
  assert.deepEqual(news, [], `more than ${BOUND} operations in one call, or more than ABOVE allows`);
  const gone = Object.keys(ABOVE).filter((key) => (dearestOf.get(key) ?? 0) <= BOUND);
  assert.deepEqual(gone, [], "no longer above the bound: take it out of ABOVE");
});

test("no other call is dearer than it was", () => {
  const known = new Set(Object.keys(ABOVE).map((key) => key.slice(0, key.indexOf(","))));
  const rest = [...dearest].filter(([name]) => !known.has(name));
  const grown = rest.filter(([name, { ops }]) => ops > (PRESENT[name] ?? 200)).map(([name]) => told(name));
  assert.deepEqual(grown, [], "slice the work, or raise the number in PRESENT and say why");
  const slack = Object.entries(PRESENT).filter(([name, most]) => most > 1.25 * (dearest.get(name)?.ops ?? 0) + 100);
  assert.deepEqual(slack, [], "far cheaper than it was: lower the number in PRESENT, so that growth is noticed");
});

// OPERATIONS=show prints all that was found
after(() => {
  if (process.env.OPERATIONS !== "show") return;
  for (const name of [...dearest.keys()].sort()) console.log(told(name));
  for (const [key, ops] of dearestOf) if (ops > BOUND / 2) console.log(`${key}: ${ops}`);
});
