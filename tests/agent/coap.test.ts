// The agent over CoAP against the bench's platform.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { decode } from "cborg";
import packet from "coap-packet";
import { Closed, Code, Counter, Post } from "../../host/abi.js";
import { root } from "../paths.js";
import { CoapPeer, type Uplink } from "./coap_peer.js";
import { CoapRig, identity, seeded } from "./coap_rig.js";

interface Vector {
  id: string;
  in: Record<string, string>;
  out: Record<string, string>;
}

const { productKey, deviceName } = identity;
const POST = `topic/sys/${productKey}/${deviceName}/thing/event/property/post`;

async function connected(configuration: Record<string, unknown> = {}): Promise<{ rig: CoapRig; peer: CoapPeer }> {
  const rig = await CoapRig.create(configuration);
  const peer = new CoapPeer(rig);
  rig.advance(1000);
  assert.equal(rig.named("device.connected").length, 1, JSON.stringify(rig.events));
  return { rig, peer };
}

const posted = (rig: CoapRig, id: number) => rig.named("property.posted").filter((event) => event.id === id);
const json = (uplink: Uplink): Record<string, unknown> =>
  JSON.parse(uplink.payload.toString()) as Record<string, unknown>;

test("/auth carries the documented identity and signature, whatever the digest", async () => {
  for (const signMethod of ["hmacmd5", "hmacsha1", "hmacsha256"])
    for (const extra of [{}, { timestamp: "2524608000000" }, { ackMode: 1 }]) {
      const { rig, peer } = await connected({ signMethod, ...extra });
      const [body] = peer.auths;
      const { sign, seq, ...rest } = body!;
      assert.match(sign!, /^[0-9a-f]+$/);
      assert.match(seq!, /^\d{1,4}$/);
      const ackMode = "ackMode" in extra ? { ackMode: "1" } : {};
      const stamp = "timestamp" in extra ? extra : {};
      assert.deepEqual(rest, {
        productKey,
        deviceName,
        clientId: `${productKey}.${deviceName}`,
        signmethod: signMethod,
        ...ackMode,
        ...stamp,
      });
      assert.deepEqual(rig.dialled, ["udp://platform.example:5682"]);
      assert.deepEqual(rig.named("device.connected"), [{ event: "device.connected", sessionPresent: false }]);
      assert.deepEqual(json(peer.uplinks[0]!), { id: "1", params: { version: "1.0.0" } });
      assert.equal(peer.uplinks[0]!.path, `topic/ota/device/inform/${productKey}/${deviceName}`);
    }
});

test("key, number and payload on the wire are those of the vectors", async () => {
  const all = JSON.parse(readFileSync(join(root, "tests/vectors/alink.json"), "utf8")) as Vector[];
  const vector = (id: string) => all.find((each) => each.id === id)!;
  const rig = await CoapRig.create();
  const peer = new CoapPeer(rig);
  peer.random = vector("coap-key").in.random;
  assert.equal(vector("coap-key").in.deviceSecret, identity.deviceSecret);
  rig.advance(1000);
  const [session] = peer.sessions.values();
  assert.equal(session!.key.toString("hex"), vector("coap-key").out.key);
  const options = (bytes: Buffer) =>
    new Map(packet.parse(bytes).options.map(({ name, value }) => [String(name), Buffer.from(value).toString("hex")]));
  assert.equal(options(rig.sent[1]!).get("2089"), vector("coap-seq-1").out.hex);
  rig.post(Post.Publish, `/${productKey}/${deviceName}/user/a\0${vector("coap-payload").in.plain}`);
  rig.advance(1000);
  assert.equal(Buffer.from(packet.parse(rig.sent[2]!).payload).toString("hex"), vector("coap-payload").out.hex);
});

test("a property post gets its envelope, its number and its answer, piggy-backed and separate", async () => {
  for (const ackMode of [0, 1])
    for (const confirmable of [true, false]) {
      const { rig, peer } = await connected({ ackMode, confirmable });
      const id = rig.post(Post.Property, '{"Power":1,"Text":"ä\\"\\u0001"}');
      assert.ok(id > 0, String(id));
      assert.equal(rig.agent.exports.inCap(), 0, "the post stays where it is until it is answered");
      rig.advance(1000);
      const uplink = peer.uplinks[1]!;
      assert.equal(uplink.path, POST);
      assert.equal(uplink.sequence, 2);
      assert.equal(uplink.format, 50);
      assert.equal(uplink.confirmable, confirmable);
      assert.deepEqual(json(uplink), {
        id: String(id),
        version: "1.0",
        params: { Power: 1, Text: 'ä"\u0001' },
        method: "thing.event.property.post",
      });
      assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
      assert.ok(rig.agent.exports.inCap() > 0);
      assert.equal(peer.empties.length > 0, ackMode === 1, "separate responses are acknowledged");
    }
});

test("a refused token is replaced, and the post arrives under the new one", async () => {
  const { rig, peer } = await connected();
  peer.forget();
  const id = rig.post(Post.Property, '{"a":1}');
  rig.advance(2000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
  assert.equal(peer.auths.length, 2);
  assert.equal(peer.uplinks.filter(({ path }) => path === POST).length, 1);
  assert.equal(rig.named("device.disconnected").length, 0, "the application does not notice");
});

test("a token that is refused again and again ends the post with 401, not the session", async () => {
  const { rig, peer } = await connected();
  peer.answer = ({ path }) => (path === POST ? { code: "4.01" } : undefined);
  const id = rig.post(Post.Property, '{"a":1}');
  rig.advance(5000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 401 }]);
  assert.equal(peer.auths.length, 2);
});

test("5.00 is retried after a second, at /auth and at a post; in the end it is told", async () => {
  const rig = await CoapRig.create();
  const peer = new CoapPeer(rig);
  peer.authCode = (n) => (n <= 2 ? "5.00" : undefined);
  rig.advance(800);
  assert.equal(peer.auths.length, 1);
  rig.advance(400);
  assert.equal(peer.auths.length, 2);
  rig.advance(5000);
  assert.equal(rig.named("device.connected").length, 1);
  assert.equal(rig.named("device.disconnected").length, 0);
  let refusals = 2;
  peer.answer = ({ path }) => (path === POST && refusals-- > 0 ? { code: "5.00" } : undefined);
  const first = rig.post(Post.Property, '{"a":1}');
  rig.advance(10_000);
  assert.deepEqual(posted(rig, first), [{ event: "property.posted", id: first, code: 200 }]);
  assert.equal(peer.uplinks.filter(({ path }) => path === POST).length, 1);
  refusals = 100;
  const second = rig.post(Post.Property, '{"a":2}');
  rig.advance(60_000);
  assert.deepEqual(posted(rig, second), [{ event: "property.posted", id: second, code: 500 }]);
});

test("other refusals are told by the number of their code", async () => {
  const { rig, peer } = await connected();
  for (const [code, number] of [
    ["4.00", 400],
    ["4.03", 403],
    ["4.04", 404],
    ["4.15", 415],
  ] as const) {
    peer.answer = () => ({ code });
    const id = rig.post(Post.Property, '{"a":1}');
    rig.advance(1000);
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: number }]);
  }
  peer.answer = () => ({ code: "2.05", payload: '{"code":6313,"data":{},"message":"x"}' });
  const id = rig.post(Post.Property, '{"a":1}');
  rig.advance(1000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 6313 }]);
});

test("a refused identity is not tried again for five minutes", async () => {
  const rig = await CoapRig.create();
  const peer = new CoapPeer(rig);
  peer.authCode = () => "4.01";
  rig.advance(1000);
  const [lost] = rig.named("device.disconnected");
  assert.equal(lost!.code, Code.Refused);
  assert.equal(lost!.detail, 401);
  assert.ok((lost!.retryMs as number) >= 300_000);
  rig.advance(299_000);
  assert.equal(peer.auths.length, 1);
  peer.authCode = () => undefined;
  rig.advance(302_000);
  assert.equal(rig.named("device.connected").length, 1);
});

test("messages of the platform are pulled, handed over whole and answered", async () => {
  for (const id of ['"1|exp"', "1695281536874", '"77"']) {
    const { rig, peer } = await connected();
    const params = { a: "x".repeat(900), b: [1, { c: null }], d: -1.5e3, ä: "\u0001" };
    const topic = `/sys/${productKey}/${deviceName}/thing/service/property/set`;
    peer.queue.push({
      topic,
      payload: { method: "thing.service.property.set", id: JSON.parse(id), params, version: "1.0" },
    });
    peer.queue.push(
      { topic: "/sys/other", payload: { params: { a: 1 } } },
      { topic, payload: { params: { b: 2 }, id: 5 } },
    );
    assert.equal(rig.post(Post.Pull, ""), Code.Ok);
    rig.advance(1000);
    const [first, second, none] = rig.named("property.set");
    assert.deepEqual(first!.params, params);
    assert.deepEqual(second!.params, { b: 2 });
    assert.equal(none, undefined);
    assert.equal(peer.uplinks.filter(({ path }) => path === "pull").length, 4, "until nothing waits");
    assert.equal(
      rig.agent.reply(first!.token as number, 200, Buffer.alloc(0)),
      Code.BadArgument,
      "only the last waits",
    );
    assert.equal(rig.agent.reply(second!.token as number, 200, Buffer.from('{"c":3}')), Code.Ok);
    rig.advance(1000);
    const reply = peer.uplinks.at(-1)!;
    assert.equal(reply.path, `${topic.slice(1)}_reply`.replace(/^/, "topic/"));
    assert.equal(reply.payload.toString(), '{"id":5,"code":200,"data":{"c":3}}');
    assert.equal(rig.agent.reply(second!.token as number, 200, Buffer.alloc(0)), Code.BadArgument, "once");
    peer.queue.push({ topic, payload: { id: JSON.parse(id), params: {} } });
    rig.post(Post.Pull, "");
    rig.advance(1000);
    assert.equal(rig.agent.reply(rig.named("property.set")[2]!.token as number, -5, Buffer.alloc(0)), Code.Ok);
    rig.advance(1000);
    assert.equal(peer.uplinks.at(-1)!.payload.toString(), `{"id":${id},"code":-5,"data":{}}`);
    assert.deepEqual(rig.named("fault"), []);
  }
});

test("pulls by itself at the interval of the configuration", async () => {
  const { rig, peer } = await connected({ pullInterval: 30 });
  const pulls = () => peer.uplinks.filter(({ path }) => path === "pull").length;
  assert.equal(pulls(), 1, "when it has signed in");
  rig.advance(29_000);
  assert.equal(pulls(), 1);
  rig.advance(61_000);
  assert.equal(pulls(), 4);
});

test("a long post goes in blocks, also when the peer wants smaller ones, and under one number", async () => {
  const { rig, peer } = await connected();
  for (const length of [100, 410, 420, 430, 431, 432, 433, 434, 435, 436, 437, 438, 439, 440, 500, 600, 630]) {
    const before = peer.uplinks.length;
    const id = rig.post(Post.Property, JSON.stringify({ a: "y".repeat(length) }));
    assert.ok(id > 0, `${length}: ${id}`);
    rig.advance(1000);
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
    assert.equal(peer.uplinks.length, before + 1);
    assert.deepEqual(json(peer.uplinks.at(-1)!).params, { a: "y".repeat(length) });
  }
  const blocks = rig.sent.map(
    (bytes) => packet.parse(bytes).options.filter(({ name }) => String(name) === "Block1").length,
  );
  assert.ok(blocks.some((count) => count > 0) && blocks.some((count) => count === 0));
  assert.ok(rig.sent.every(({ length }) => length <= 768));
  assert.equal(rig.post(Post.Property, `{"a":"${"y".repeat(700)}"}`), Code.TooLarge);
  peer.szx = 2;
  const id = rig.post(Post.Property, JSON.stringify({ a: "z".repeat(600) }));
  rig.advance(2000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
  assert.deepEqual(json(peer.uplinks.at(-1)!).params, { a: "z".repeat(600) });
  assert.equal(peer.replays + peer.conflicts, 0);
});

test("posts go as CBOR where it is wanted, answers come as CBOR; what CBOR is not written for goes as JSON", async () => {
  for (const ackMode of [0, 1]) {
    const { rig, peer } = await connected({ contentFormat: "cbor", ackMode });
    const params = { Power: 1, Temperature: 21.5, Deep: [{ a: null }, [true, -7]], Text: 'ä"\u0001'.repeat(20) };
    const id = rig.post(Post.Property, JSON.stringify(params));
    rig.advance(1000);
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
    const uplink = peer.uplinks.at(-1)!;
    assert.equal(uplink.format, 60);
    const made = decode(uplink.payload) as Record<string, unknown>;
    assert.deepEqual(made, { id: String(id), method: "thing.event.property.post", params, version: "1.0" });
    assert.deepEqual(Object.keys(made), ["id", "method", "params", "version"]);
    for (const [text, format] of [
      ['{"a":1e40}', 50],
      [JSON.stringify({ a: "x".repeat(600) }), 50],
      ['{ "a" : [ ] } ', 60],
    ] as const) {
      const other = rig.post(Post.Property, text);
      rig.advance(2000);
      assert.deepEqual(posted(rig, other), [{ event: "property.posted", id: other, code: 200 }], text);
      assert.equal(peer.uplinks.at(-1)!.format, format, text);
      const { payload } = peer.uplinks.at(-1)!;
      const back = (format === 60 ? decode(payload) : JSON.parse(payload.toString())) as { params: unknown };
      assert.deepEqual(back.params, JSON.parse(text));
    }
    const set = {
      id: "1",
      params: { ...params, long: "z".repeat(900), list: Array.from({ length: 40 }, (_, i) => i) },
    };
    peer.queue.push({ topic: `/sys/${productKey}/${deviceName}/thing/service/property/set`, payload: set });
    rig.post(Post.Pull, "");
    rig.advance(2000);
    assert.deepEqual(
      rig.named("property.set").map((event) => event.params),
      [set.params],
    );
    assert.deepEqual(rig.named("fault"), []);
  }
});

test("an application topic is published as it is; others are refused before they are sent", async () => {
  const { rig, peer } = await connected();
  const payload = Buffer.from([0, 1, 2, 255]);
  assert.equal(
    rig.post(Post.Publish, Buffer.concat([Buffer.from(`/${productKey}/${deviceName}/user/a\0`), payload])),
    Code.Ok,
  );
  rig.advance(1000);
  assert.deepEqual(peer.uplinks.at(-1)!.payload, payload);
  assert.equal(peer.uplinks.at(-1)!.path, `topic/${productKey}/${deviceName}/user/a`);
  assert.equal(peer.uplinks.at(-1)!.format, 42);
  for (const topic of [
    "/other/device/user\0x",
    `/${productKey}/${deviceName}/user`,
    `/${productKey}/${deviceName}/#\0`,
  ])
    assert.equal(rig.post(Post.Publish, topic), Code.BadArgument, topic);
  assert.equal(rig.post(Post.Subscribe, "/a"), Code.Unsupported);
  assert.equal(rig.post(Post.Property, ""), Code.BadArgument);
  for (const text of ["1", "[]", '{"a":}', '{"a":1}x', '{"a":1', `${'{"a":"'.padEnd(300, "x")}"}]`, "{}{}", "{} 1"]) {
    const id = rig.post(Post.Property, text);
    rig.advance(1000);
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: Code.BadArgument }], text);
  }
  assert.ok(rig.post(Post.Property, " { } ") > 0);
});

/** Post until `count` posts are answered; what the application of the platform got, by Alink id. */
function postAll(rig: CoapRig, peer: CoapPeer, count: number): Map<string, number> {
  for (let n = 0; n < count; n++) {
    const id = rig.post(Post.Property, JSON.stringify({ n }));
    assert.ok(id > 0, String(id));
    assert.ok(
      rig.advance(4_000_000, () => posted(rig, id).length > 0),
      `post ${n} is not answered`,
    );
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
  }
  return arrivals(peer);
}

function arrivals(peer: CoapPeer): Map<string, number> {
  const found = new Map<string, number>();
  for (const uplink of peer.uplinks.filter(({ path }) => path === POST)) {
    const key = JSON.stringify(json(uplink).params);
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}

const bad = { loss: 0.3, duplicate: 0.3, reorder: 0.3 };

test("30 % of loss, duplication and reordering: every post arrives exactly once", async () => {
  for (const [seed, configuration] of [
    [1, {}],
    [2, { ackMode: 1 }],
    [3, { signMethod: "hmacsha1" }],
  ] as const) {
    const { rig, peer } = await connected(configuration);
    rig.weather = { ...bad, random: seeded(seed) };
    const found = postAll(rig, peer, 150);
    assert.equal(found.size, 150, `seed ${seed}`);
    assert.deepEqual(
      [...found].filter(([, times]) => times !== 1),
      [],
      `seed ${seed}`,
    );
    assert.ok(rig.sent.length > 225, "there was bad weather");
  }
});

test("a peer that is gone for an hour costs no post and no second one", async () => {
  const { rig, peer } = await connected();
  rig.weather = { ...rig.weather, loss: 1 };
  const id = rig.post(Post.Property, '{"a":1}');
  rig.advance(3_600_000);
  assert.ok(rig.named("device.disconnected").length >= 3);
  assert.equal(rig.named("device.disconnected")[0]!.code, Code.TimedOut);
  rig.weather = { ...rig.weather, loss: 0 };
  rig.advance(300_000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
  assert.equal(arrivals(peer).get('{"a":1}'), 1);
  assert.equal(peer.auths.length, 1, "the token is still good");
  assert.equal(rig.named("device.connected").at(-1)!.sessionPresent, true);
});

test("answers that are lost for good: the number is refused when it comes again, and that is the answer", async () => {
  const { rig, peer } = await connected();
  const id = rig.post(Post.Property, '{"a":1}');
  // everything arrives at the platform, nothing comes back
  const feed = rig.feed;
  rig.feed = () => {};
  rig.advance(300_000);
  rig.feed = feed;
  assert.equal(arrivals(peer).get('{"a":1}'), 1);
  assert.equal(posted(rig, id).length, 0);
  rig.advance(300_000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
  assert.equal(arrivals(peer).get('{"a":1}'), 1);
  assert.ok(peer.replays > 0);
});

test("a post that comes again and is forbidden is told as that, not as arrived", async () => {
  const { rig, peer } = await connected();
  rig.weather = { ...rig.weather, loss: 1 };
  const id = rig.post(Post.Property, '{"a":1}');
  rig.advance(300_000);
  // the device was disabled meanwhile
  peer.answer = ({ path }) => (path === POST ? { code: "4.03" } : undefined);
  rig.weather = { ...rig.weather, loss: 0 };
  rig.advance(300_000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 403 }]);
  assert.equal(arrivals(peer).size, 0);
});

test("the host's link fails, and comes back", async () => {
  const { rig } = await connected();
  rig.agent.exports.closed(0, Closed.Unreachable);
  rig.linked = false;
  rig.refuse = Closed.Unreachable;
  rig.advance(200_000);
  assert.ok(rig.dialled.length > 3);
  assert.equal(rig.named("device.disconnected")[0]!.code, Code.LinkFailed);
  rig.refuse = undefined;
  const id = rig.post(Post.Property, '{"a":1}');
  rig.advance(200_000);
  assert.equal(posted(rig, id)[0]!.code, 200);
});

test("a post that is being checked survives the loss of the link", async () => {
  const { rig } = await connected();
  const id = rig.post(Post.Property, JSON.stringify({ a: "x".repeat(500) }));
  rig.agent.exports.poll(rig.now);
  rig.agent.exports.closed(0, Closed.Broken);
  rig.linked = false;
  rig.advance(100_000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
});

test("the application ends the session and begins it again", async () => {
  const { rig, peer } = await connected();
  rig.post(Post.Disconnect, "");
  rig.settle();
  assert.deepEqual(
    rig.named("device.disconnected").map(({ code, retryMs }) => [code, retryMs]),
    [[Code.Ok, -1]],
  );
  assert.equal(rig.agent.exports.timeout(), -1);
  rig.advance(100_000);
  assert.equal(rig.dialled.length, 1);
  const id = rig.post(Post.Property, '{"a":1}');
  rig.post(Post.Connect, "");
  rig.advance(10_000);
  assert.equal(posted(rig, id)[0]!.code, 200);
  assert.equal(peer.auths.length, 1);
});

/** Wake, post, sleep. -> bytes on air, both ways. */
async function cycle(rig: CoapRig, n: number): Promise<number> {
  await rig.sleep(3_600_000);
  const before = [rig.sentBytes, rig.receivedBytes];
  const id = rig.post(Post.Property, JSON.stringify({ temperature: 21.5, n }));
  assert.ok(id > 0);
  assert.ok(rig.advance(4_000_000, () => posted(rig, id).length > 0));
  assert.equal(posted(rig, id)[0]!.code, 200);
  return rig.sentBytes - before[0]! + rig.receivedBytes - before[1]!;
}

test("a sleep in the middle of a post: it goes again under its number, and arrives once", async () => {
  for (const lost of ["the request", "the answer", "nothing"]) {
    const { rig, peer } = await connected();
    const id = rig.post(Post.Property, '{"a":1}');
    if (lost === "the request") rig.weather = { ...rig.weather, loss: 1 };
    rig.settle();
    if (lost === "the answer") peer.received(rig.sent.at(-1)!, rig.now);
    await rig.sleep(3_600_000);
    rig.weather = { ...rig.weather, loss: 0 };
    // the platform's memory of message IDs ends after 247 s
    rig.now += 1_000_000;
    rig.advance(5000);
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }], lost);
    assert.equal(arrivals(peer).get('{"a":1}'), 1, lost);
    assert.equal(peer.auths.length, 1, lost);
    assert.equal(peer.replays, lost === "the answer" ? 1 : 0);
  }
});

test("a wake, a confirmed post and the next sleep take no more than 400 bytes on air and no new /auth", async () => {
  const { rig, peer } = await connected();
  for (let n = 0; n < 5; n++) {
    const bytes = await cycle(rig, n);
    assert.ok(bytes <= 400, `${bytes} bytes`);
  }
  assert.equal(peer.auths.length, 1);
  assert.equal(rig.agent.exports.counter(Counter.BytesSent), rig.sentBytes);
  assert.equal(rig.agent.exports.counter(Counter.BytesReceived), rig.receivedBytes);
  assert.ok(rig.agent.exports.counter(Counter.Polls) > 10);
  assert.equal(rig.agent.exports.counter(99), Code.BadArgument);
});

test("a wake with the question for messages takes the bytes that docs/design.md says, one without it as well", async () => {
  const design = readFileSync(join(root, "docs/design.md"), "utf8");
  for (const [contentFormat, figures] of [
    ["json", /takes (\d+) bytes of datagrams both ways.* adds 140: (\d+) and/],
    ["cbor", /both ways, (\d+) as CBOR.* adds 140: \d+ and (\d+)\./],
  ] as const)
    for (const [place, pullInterval] of [0, 60].entries()) {
      const { rig } = await connected({ contentFormat, pullInterval });
      await rig.sleep(3_600_000);
      const before = rig.sentBytes + rig.receivedBytes;
      rig.post(Post.Property, '{"temperature":21.5,"n":1}');
      rig.advance(10_000);
      assert.equal(rig.sentBytes + rig.receivedBytes - before, Number(figures.exec(design)?.[place + 1]));
    }
});

test("1,000 sleeps with a restart in between: no lost post, no repeated number, no growth", async () => {
  const { rig, peer } = await connected();
  /** Polls of a cycle in fair weather. */
  const calm = async (n: number): Promise<number> => {
    const before = rig.agent.exports.counter(Counter.Polls);
    assert.ok((await cycle(rig, n)) <= 400);
    return rig.agent.exports.counter(Counter.Polls) - before;
  };
  const work = await calm(-1);
  rig.weather = { loss: 0.05, duplicate: 0.05, reorder: 0, random: seeded(9) };
  for (let n = 0; n < 1000; n++) {
    if (n === 500) await rig.restart();
    await cycle(rig, n);
  }
  rig.weather = { ...rig.weather, loss: 0, duplicate: 0 };
  assert.equal(await calm(1000), work, "the last cycle takes no more work than the first");
  const found = arrivals(peer);
  assert.equal(found.size, 1002);
  assert.ok([...found.values()].every((times) => times === 1));
  assert.equal(peer.auths.length, 2);
  assert.equal(peer.conflicts, 0, "a number belongs to one message");
  for (const token of peer.sessions.keys()) {
    const numbers = peer.uplinks.filter((uplink) => uplink.token === token).map(({ sequence }) => sequence);
    assert.equal(new Set(numbers).size, numbers.length);
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
  }
  assert.equal(rig.agent.exports.memory.buffer.byteLength, 65_536);
});
