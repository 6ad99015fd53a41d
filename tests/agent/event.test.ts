// Events of the thing model, over MQTT and over CoAP.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decode } from "cborg";
import packet from "coap-packet";
import { Channel, Closed, Code, Post } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { wasm } from "../paths.js";
import { CoapPeer, type Uplink } from "./coap_peer.js";
import { CoapRig, seeded } from "./coap_rig.js";
import { Broker, identity, Rig } from "./rig.js";

const { productKey, deviceName } = identity;
const sys = `/sys/${productKey}/${deviceName}`;
const LONGEST = "x".repeat(50);

/** The documents' own example (Alink §6). */
const PARAMS = { value: { Power: "on", WF: "2" }, time: 1524448722000 };
const alarm = `alarm\0${JSON.stringify(PARAMS)}`;

/** What is no identifier, and what is none with params behind it. */
const REFUSED = [
  ...[
    "",
    "a b",
    "a/b",
    "a+",
    "#",
    "a.b",
    "a-b",
    "a:b",
    'a"',
    "ä",
    "a\n",
    "property",
    `${LONGEST}x`,
    "x".repeat(300),
  ].map((identifier) => `${identifier}\0{"value":{}}`),
  '{"value":{}}',
  "alarm",
  "alarm\0",
  "\0",
  "a\0",
];

function post(rig: Rig, kind: Post, payload: string): number {
  return rig.agent.post(kind, Buffer.from(payload));
}

async function overMqtt(options: Parameters<typeof Rig.create>[0] = {}): Promise<{ rig: Rig; broker: Broker }> {
  const rig = await Rig.create(options);
  const broker = new Broker(rig);
  rig.settle();
  return { rig, broker };
}

for (const name of ["agent", "agent-lite", "agent-host"])
  test(`${name}: an event gets its topic, its envelope and its reply`, async () => {
    const { rig, broker } = await overMqtt({ module: new WebAssembly.Module(readFileSync(wasm(name))) });
    for (const identifier of ["alarm", "_", "properties", LONGEST]) {
      const id = post(rig, Post.Event, `${identifier}\0${JSON.stringify(PARAMS)}`);
      assert.ok(id > 0, String(id));
      rig.settle();
      const sent = broker.of("publish").at(-1)!;
      assert.equal(sent.topic, `${sys}/thing/event/${identifier}/post`);
      assert.equal(sent.qos, 1);
      assert.deepEqual(JSON.parse(sent.payload.toString()), {
        id: String(id),
        version: "1.0",
        sys: { ack: 1 },
        params: PARAMS,
        method: `thing.event.${identifier}.post`,
      });
      broker.publish(`${sent.topic}_reply`, { id: String(id), code: 200, data: {} });
      rig.settle();
      assert.deepEqual(rig.named("event.posted").at(-1), { event: "event.posted", id, code: 200 });
    }
    assert.deepEqual(rig.named("property.posted"), []);
    assert.deepEqual(rig.named("fault"), []);
  });

test("a reply answers the post of its kind, once; a refusal of the platform is told by its code", async () => {
  const { rig, broker } = await overMqtt();
  const event = post(rig, Post.Event, alarm);
  rig.settle();
  const properties = post(rig, Post.Property, '{"a":1}');
  rig.settle();
  assert.notEqual(event, properties);
  const answer = (identifier: string, id: number, code: number) => {
    broker.publish(`${sys}/thing/event/${identifier}/post_reply`, { id: String(id), code, data: {} });
    rig.settle();
  };
  answer("property", event, 200);
  answer("alarm", properties, 200);
  assert.equal(rig.named("event.posted").length + rig.named("property.posted").length, 0);
  answer("alarm", event, 6320);
  answer("alarm", event, 200);
  answer("property", properties, 200);
  assert.deepEqual(rig.named("event.posted"), [{ event: "event.posted", id: event, code: 6320 }]);
  assert.deepEqual(rig.named("property.posted"), [{ event: "property.posted", id: properties, code: 200 }]);
});

test("an event without a reply times out, one that is unacknowledged is sent again on the next session", async () => {
  const { rig, broker } = await overMqtt();
  rig.advance(61_000);
  broker.acknowledge = false;
  const id = post(rig, Post.Event, alarm);
  rig.settle();
  const first = broker.of("publish").at(-1)!;
  rig.hangUp(Channel.Mqtt, Closed.Broken);
  rig.settle();
  broker.acknowledge = true;
  rig.advance(130_000);
  const sent = broker.of("publish").filter(({ topic }) => topic === first.topic);
  assert.deepEqual(
    sent.map(({ dup, messageId }) => [dup, messageId]),
    [
      [false, first.messageId],
      [true, first.messageId],
    ],
  );
  assert.deepEqual(sent[1]!.payload, first.payload);
  assert.deepEqual(rig.named("event.posted"), [{ event: "event.posted", id, code: Code.TimedOut }]);
});

test("what is no identifier is refused before anything is sent, over either transport", async () => {
  const { rig, broker } = await overMqtt();
  const coap = await CoapRig.create();
  const peer = new CoapPeer(coap);
  coap.advance(1000);
  const before = broker.packets.length;
  for (const bad of REFUSED)
    for (const each of [rig, coap]) {
      assert.equal(each.agent.post(Post.Event, Buffer.from(bad)), Code.BadArgument, JSON.stringify(bad));
      assert.equal(each.agent.exports.fault(Channel.Application), Code.BadArgument);
      assert.equal(each.agent.exports.detail(Channel.Application), 50);
      assert.ok(each.agent.exports.inCap() > 0, "the in-window is free again");
      each.settle();
    }
  assert.equal(broker.packets.length, before);
  assert.equal(peer.uplinks.length, 1);
  assert.ok(rig.agent.post(Post.Event, Buffer.from(alarm)) > 0);
  assert.ok(coap.agent.post(Post.Event, Buffer.from(alarm)) > 0);
});

test("params that are not one JSON object end the post, and the next one goes on", async () => {
  const { rig, broker } = await overMqtt();
  const coap = await CoapRig.create();
  const peer = new CoapPeer(coap);
  coap.advance(1000);
  for (const bad of ["{", "[1]", '{"value":{}}x', '{"value":}', "1", "\0{}", `{"a":"${"x".repeat(300)}"}]`])
    for (const each of [rig, coap]) {
      const id = each.agent.post(Post.Event, Buffer.from(`alarm\0${bad}`));
      assert.ok(id > 0, bad);
      each.advance(1000);
      const told = each.named("event.posted").at(-1);
      assert.deepEqual(told, { event: "event.posted", id, code: Code.BadArgument }, bad);
    }
  assert.equal(broker.payloads("alarm/post").length, 0);
  assert.equal(peer.uplinks.length, 1);
  const id = coap.post(Post.Event, alarm);
  coap.advance(1000);
  assert.deepEqual(coap.named("event.posted").at(-1), { event: "event.posted", id, code: 200 });
});

test("an event that is too long is refused with the number of bytes that fit, and one of that length goes", async () => {
  const module = new WebAssembly.Module(readFileSync(wasm("agent-lite")));
  for (const [each, most] of [
    [(await overMqtt()).rig, 1024],
    [(await overMqtt({ module })).rig, 512],
    [await CoapRig.create(), 640],
  ] as const) {
    const event = (length: number) => `alarm\0{"value":{"a":"${"x".repeat(length - 24)}"}}`;
    assert.equal(Buffer.byteLength(event(most)), most);
    each.settle();
    assert.equal(each.agent.exports.inCap(), most);
    assert.equal(each.agent.post(Post.Event, Buffer.from(event(most + 1))), Code.TooLarge);
    assert.ok(each.agent.post(Post.Event, Buffer.from(event(most))) > 0);
  }
});

const arrivals = (peer: CoapPeer): Uplink[] => peer.uplinks.filter(({ path }) => path.includes("/thing/event/"));
const json = (uplink: Uplink): Record<string, unknown> =>
  JSON.parse(uplink.payload.toString()) as Record<string, unknown>;

async function overCoap(configuration: Record<string, unknown> = {}): Promise<{ rig: CoapRig; peer: CoapPeer }> {
  const rig = await CoapRig.create(configuration);
  const peer = new CoapPeer(rig);
  rig.advance(1000);
  assert.equal(rig.named("device.connected").length, 1, JSON.stringify(rig.events));
  return { rig, peer };
}

test("over CoAP an event gets its path, its envelope and its answer, also in blocks, properties in between", async () => {
  for (const ackMode of [0, 1]) {
    const { rig, peer } = await overCoap({ ackMode });
    for (const [identifier, length] of [
      ["alarm", 0],
      [LONGEST, 0],
      ["_", 500],
      [LONGEST, 550],
    ] as const) {
      const params = { value: { text: "y".repeat(length) }, time: 5 };
      const id = rig.post(Post.Event, `${identifier}\0${JSON.stringify(params)}`);
      assert.ok(id > 0, String(id));
      rig.advance(1000);
      const uplink = arrivals(peer).at(-1)!;
      assert.equal(uplink.path, `topic${sys}/thing/event/${identifier}/post`);
      assert.deepEqual(json(uplink), {
        id: String(id),
        version: "1.0",
        method: `thing.event.${identifier}.post`,
        params,
      });
      assert.deepEqual(rig.named("event.posted").at(-1), { event: "event.posted", id, code: 200 });
      const properties = rig.post(Post.Property, '{"a":1}');
      rig.advance(1000);
      assert.equal(json(arrivals(peer).at(-1)!).method, "thing.event.property.post");
      assert.equal(arrivals(peer).at(-1)!.path, `topic${sys}/thing/event/property/post`);
      assert.deepEqual(rig.named("property.posted").at(-1), { event: "property.posted", id: properties, code: 200 });
    }
    const blocks = rig.sent.flatMap((bytes) => packet.parse(bytes).options.map(({ name }) => String(name)));
    assert.ok(blocks.includes("Block1"));
    assert.ok(rig.sent.every(({ length }) => length <= 768));
  }
});

/** Make the ids of what follows ten digits long, the most that they have: no export sets them. */
function longIds(rig: CoapRig): void {
  const memory = new DataView(rig.agent.exports.memory.buffer);
  let places = Array.from({ length: memory.byteLength - 3 }, (_, at) => at);
  for (let n = 0; n < 3; n++) {
    const id = rig.post(Post.Property, "{}");
    // takes a number of the session's, but no id
    rig.post(Post.Pull, "");
    rig.advance(1000);
    places = places.filter((at) => memory.getUint32(at, true) === id);
  }
  assert.ok(places.length >= 1 && places.length <= 2, "the session's last id, and that of the post");
  for (const at of places) memory.setUint32(at, 2_000_000_000, true);
}

test("over CoAP the longest names, the longest id and the longest event fit together", async () => {
  const names = { productKey: "p".repeat(20), deviceName: "d".repeat(32), clientId: "c".repeat(64) };
  for (const contentFormat of ["json", "cbor"])
    for (const most of [300, 640]) {
      const { rig, peer } = await overCoap({ ...names, contentFormat });
      longIds(rig);
      const long = `${LONGEST}\0{"value":{"a":"${"x".repeat(most - 69)}"}}`;
      assert.equal(Buffer.byteLength(long), most);
      const id = rig.post(Post.Event, long);
      assert.equal(id, 2_000_000_001);
      rig.advance(1000);
      assert.deepEqual(rig.named("event.posted"), [{ event: "event.posted", id, code: 200 }], contentFormat);
      const { payload, format, path } = arrivals(peer).at(-1)!;
      assert.equal(format, contentFormat === "cbor" && most === 300 ? 60 : 50);
      assert.equal(path, `topic/sys/${names.productKey}/${names.deviceName}/thing/event/${LONGEST}/post`);
      const made = format === 60 ? decode(payload) : JSON.parse(payload.toString());
      const method = `thing.event.${LONGEST}.post`;
      assert.deepEqual(made, { id: String(id), version: "1.0", method, params: JSON.parse(long.slice(51)) });
    }
});

test("over CoAP an event goes as CBOR where it is wanted, with its members in order", async () => {
  const { rig, peer } = await overCoap({ contentFormat: "cbor" });
  for (const identifier of ["a", "alarm", LONGEST]) {
    const id = rig.post(Post.Event, `${identifier}\0${JSON.stringify(PARAMS)}`);
    rig.advance(1000);
    const uplink = arrivals(peer).at(-1)!;
    assert.equal(uplink.format, 60);
    const made = decode(uplink.payload) as Record<string, unknown>;
    assert.deepEqual(made, {
      id: String(id),
      method: `thing.event.${identifier}.post`,
      params: PARAMS,
      version: "1.0",
    });
    assert.deepEqual(Object.keys(made), ["id", "method", "params", "version"]);
    assert.deepEqual(rig.named("event.posted").at(-1), { event: "event.posted", id, code: 200 });
  }
  const number = rig.post(Post.Event, 'alarm\0{"value":{"a":1e40}}');
  rig.advance(1000);
  assert.equal(arrivals(peer).at(-1)!.format, 50);
  assert.equal(json(arrivals(peer).at(-1)!).method, "thing.event.alarm.post");
  assert.deepEqual(rig.named("event.posted").at(-1), { event: "event.posted", id: number, code: 200 });
});

test("over CoAP a refusal is told as one of the event, by the code of CoAP or of Alink", async () => {
  const { rig, peer } = await overCoap();
  for (const [answer, code] of [
    [{ code: "4.03" }, 403],
    [{ code: "4.04" }, 404],
    [{ code: "2.05", payload: '{"code":460,"data":{}}' }, 460],
  ] as const) {
    peer.answer = () => answer;
    const id = rig.post(Post.Event, alarm);
    rig.advance(1000);
    assert.deepEqual(rig.named("event.posted").at(-1), { event: "event.posted", id, code });
  }
  assert.deepEqual(rig.named("property.posted"), []);
});

test("over CoAP 30 % of loss, duplication and reordering: every event and every property arrives exactly once", async () => {
  for (const [seed, configuration] of [
    [11, {}],
    [12, { ackMode: 1 }],
    [13, { contentFormat: "cbor" }],
  ] as const) {
    const { rig, peer } = await overCoap(configuration);
    rig.weather = { loss: 0.3, duplicate: 0.3, reorder: 0.3, random: seeded(seed) };
    const expected: string[] = [];
    for (let n = 0; n < 60; n++) {
      const event = n % 3 !== 0;
      const body = event ? `{"value":{"n":${n}}}` : `{"n":${n}}`;
      const id = event ? rig.post(Post.Event, `e${n}\0${body}`) : rig.post(Post.Property, body);
      assert.ok(id > 0, String(id));
      const told = () => rig.named(event ? "event.posted" : "property.posted").filter((each) => each.id === id);
      assert.ok(rig.advance(4_000_000, () => told().length > 0));
      assert.deepEqual(told()[0]!.code, 200);
      expected.push(`${event ? `e${n}` : "property"} ${body}`);
    }
    const found = arrivals(peer).map(({ path, payload, format }) => {
      const { method, params } = (format === 60 ? decode(payload) : JSON.parse(payload.toString())) as {
        method: string;
        params: unknown;
      };
      const identifier = path.split("/").at(-2)!;
      assert.equal(method, `thing.event.${identifier}.post`);
      return `${identifier} ${JSON.stringify(params)}`;
    });
    assert.deepEqual(found, expected, `seed ${seed}`);
    assert.ok(rig.sent.length > 90, "there was bad weather");
  }
});

test("over CoAP a sleep in the middle of an event: it goes again under its number, and arrives once", async () => {
  for (const contentFormat of ["json", "cbor"])
    for (const lost of ["the check", "the request", "the answer", "nothing"]) {
      const { rig, peer } = await overCoap({ contentFormat });
      const id = rig.post(Post.Event, `alarm\0{"value":{"text":"${"x".repeat(300)}"}}`);
      if (lost === "the request") rig.weather = { ...rig.weather, loss: 1 };
      if (lost === "the check") rig.agent.exports.poll(rig.now);
      else rig.settle();
      if (lost === "the answer") peer.received(rig.sent.at(-1)!, rig.now);
      await rig.sleep(3_600_000);
      rig.weather = { ...rig.weather, loss: 0 };
      // the platform's memory of message IDs ends after 247 s
      rig.now += 1_000_000;
      rig.advance(5000);
      assert.deepEqual(rig.named("event.posted"), [{ event: "event.posted", id, code: 200 }], lost);
      assert.equal(arrivals(peer).length, 1, lost);
      assert.equal(arrivals(peer)[0]!.path, `topic${sys}/thing/event/alarm/post`);
      assert.equal(peer.auths.length, 1, lost);
    }
});

test("over MQTT an event under way goes on in another instance", async () => {
  const { rig, broker } = await overMqtt();
  const id = post(rig, Post.Event, `alarm\0{"value":{"text":"${"x".repeat(300)}"}}`);
  rig.agent.exports.poll(rig.now);
  const copy = await Agent.create(new WebAssembly.Module(readFileSync(wasm("agent"))));
  copy.restore(rig.agent.snapshot());
  rig.agent = copy;
  rig.settle();
  const sent = broker.of("publish").at(-1)!;
  assert.equal(sent.topic, `${sys}/thing/event/alarm/post`);
  broker.publish(`${sent.topic}_reply`, { id: String(id), code: 200, data: {} });
  rig.settle();
  assert.deepEqual(rig.named("event.posted"), [{ event: "event.posted", id, code: 200 }]);
});
