import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { Channel, Closed, Code, Post } from "../../host/abi.js";
import { Broker, identity, Rig } from "./rig.js";

const { productKey, deviceName, deviceSecret } = identity;
const sys = `/sys/${productKey}/${deviceName}`;

async function connected(options: Parameters<typeof Rig.create>[0] = {}): Promise<{ rig: Rig; broker: Broker }> {
  const rig = await Rig.create(options);
  const broker = new Broker(rig);
  rig.settle();
  return { rig, broker };
}

function post(rig: Rig, kind: Post, payload: string): number {
  return rig.agent.post(kind, Buffer.from(payload));
}

test("CONNECT carries the documented identity and signature", async () => {
  for (const [signMethod, hash] of [
    ["hmacsha256", "sha256"],
    ["hmacsha1", "sha1"],
    ["hmacmd5", "md5"],
  ] as const) {
    for (const timestamp of [undefined, "2524608000000"]) {
      const configuration = { signMethod, keepAlive: 60, ...(timestamp === undefined ? {} : { timestamp }) };
      const { rig, broker } = await connected({ configuration });
      const connect = broker.of("connect")[0]!;
      const base = `${productKey}.${deviceName}`;
      const stamp = timestamp === undefined ? "" : `,timestamp=${timestamp}`;
      assert.equal(connect.clientId, `${base}|securemode=2,signmethod=${signMethod}${stamp},_ss=1|`);
      assert.equal(connect.username, `${deviceName}&${productKey}`);
      const content = `clientId${base}deviceName${deviceName}productKey${productKey}${timestamp === undefined ? "" : `timestamp${timestamp}`}`;
      const password = createHmac(hash, deviceSecret).update(content).digest("hex").toUpperCase();
      assert.equal(connect.password?.toString(), password);
      assert.equal(connect.keepalive, 60);
      assert.deepEqual(rig.dialled, [`tls://${productKey}.iot-as-mqtt.cn-shanghai.aliyuncs.com:443`]);
      assert.equal(rig.named("device.connected").length, 1);
    }
  }
});

test("without a sign method CONNECT is signed with hmacsha256, and a later document keeps what an earlier one named", async () => {
  const plain = await connected();
  assert.match(plain.broker.of("connect")[0]!.clientId, /,signmethod=hmacsha256,/);
  const rig = await Rig.create({ configuration: { signMethod: "hmacmd5" } });
  rig.agent.configure({ keepAlive: 60 });
  const broker = new Broker(rig);
  rig.settle();
  assert.match(broker.of("connect")[0]!.clientId, /,signmethod=hmacmd5,/);
});

test("a property post gets its envelope, its PUBACK and its reply", async () => {
  const { rig, broker } = await connected();
  const id = post(rig, Post.Property, '{"Power":1,"Text":"ä\\"\\u0001"}');
  assert.ok(id > 0);
  rig.settle();
  const message = broker.payloads("thing/event/property/post")[0]!;
  assert.deepEqual(message, {
    id: String(id),
    version: "1.0",
    sys: { ack: 1 },
    params: { Power: 1, Text: 'ä"\u0001' },
    method: "thing.event.property.post",
  });
  broker.publish(`${sys}/thing/event/property/post_reply`, { id: String(id), code: 200, data: {} });
  rig.settle();
  assert.deepEqual(rig.named("property.posted"), [{ event: "property.posted", id, code: 200 }]);
});

test("a property set reaches the application whole, and its reply echoes the id", async () => {
  for (const fragment of [1, 7, undefined]) {
    for (const id of ['"1|exp-topic|/sys"', "1695281536874", '"a\\"b"']) {
      const { rig, broker } = await connected(fragment === undefined ? {} : { fragment });
      const params = { a: "x".repeat(3000), b: [1, { c: null }], d: -1.5e3 };
      broker.publish(
        `${sys}/thing/service/property/set`,
        `{"method":"thing.service.property.set","id":${id},"params":${JSON.stringify(params, null, 1)},"version":"1.0.0"}`,
      );
      rig.settle();
      const [event] = rig.named("property.set");
      assert.deepEqual(event!.params, params);
      assert.equal(rig.agent.reply(event!.token as number, 200, Buffer.alloc(0)), Code.Ok);
      rig.settle();
      const reply = broker.of("publish").find((packet) => packet.topic.endsWith("set_reply"))!;
      assert.equal(reply.payload.toString(), `{"id":${id},"code":200,"data":{}}`);
      assert.ok(broker.of("puback").length === 1);
    }
  }
});

test("the application may answer as soon as it has the event, wherever the id stands", async () => {
  for (const order of ['"id":"7","params":{"a":1}', '"params":{"a":1},"id":"7"']) {
    const { rig, broker } = await connected({ fragment: 1 });
    broker.publish(`${sys}/thing/service/property/set`, `{${order},"method":"thing.service.property.set"}`);
    for (let want = 0; rig.named("property.set").length === 0; rig.serve(want)) want = rig.agent.exports.poll(rig.now);
    assert.equal(rig.agent.reply(rig.named("property.set")[0]!.token as number, 200, Buffer.alloc(0)), Code.Ok);
    rig.settle();
    assert.equal(broker.payloads("set_reply")[0]!.id, "7");
  }
});

test("a property set without an object is answered with 460, a malformed one is told as a fault", async () => {
  const { rig, broker } = await connected();
  broker.publish(`${sys}/thing/service/property/set`, '{"id":5,"params":[1]}');
  rig.settle();
  assert.deepEqual(broker.payloads("set_reply"), [{ id: 5, code: 460, data: {} }]);
  broker.publish(`${sys}/thing/service/property/set`, '{"id":6,"params":{"a":1},}');
  rig.settle();
  assert.equal(rig.named("property.set").length, 0);
  assert.equal(rig.named("fault")[0]!.code, Code.BadMessage);
});

test("a post that is not one JSON object is refused, and the next one goes on", async () => {
  const { rig, broker } = await connected();
  for (const bad of ["{", "[1]", '{"a":1}x', '{"a":}', "1", '"x"']) {
    const id = post(rig, Post.Property, bad);
    rig.settle();
    assert.deepEqual(rig.named("property.posted").at(-1), { event: "property.posted", id, code: Code.BadArgument });
  }
  const large = JSON.stringify({ a: "x".repeat(1015) });
  assert.ok(post(rig, Post.Property, large) > 0);
  rig.settle();
  assert.equal(broker.payloads("property/post").length, 1);
});

test("an unacknowledged post is sent again on the next session, marked as such, and once", async () => {
  const { rig, broker } = await connected();
  rig.advance(61_000);
  broker.acknowledge = false;
  post(rig, Post.Property, '{"a":1}');
  rig.settle();
  const first = broker.of("publish").at(-1)!;
  assert.equal(first.dup, false);
  rig.hangUp(Channel.Mqtt, Closed.Broken);
  rig.settle();
  broker.acknowledge = true;
  rig.advance(130_000);
  const again = broker.of("publish").filter((packet) => packet.topic === first.topic);
  assert.equal(again.length, 2);
  assert.equal(again[1]!.dup, true);
  assert.equal(again[1]!.messageId, first.messageId);
  assert.deepEqual(again[1]!.payload, first.payload);
  rig.hangUp(Channel.Mqtt, Closed.Broken);
  rig.advance(130_000);
  assert.equal(broker.of("publish").filter((packet) => packet.topic === first.topic).length, 2);
});

test("posts made while there is no session go out with the next one", async () => {
  const rig = await Rig.create();
  rig.peers[Channel.Mqtt] = { dial: () => "wait" };
  rig.settle();
  const ids = [1, 2, 3].map((n) => {
    const id = post(rig, Post.Property, `{"n":${n}}`);
    rig.settle();
    return id;
  });
  const broker = new Broker(rig);
  rig.settle();
  assert.deepEqual(
    broker.payloads("property/post").map((message) => message.id),
    ids.map(String),
  );
});

test("keep-alive: a ping when idle, and a dead link when it is not answered", async () => {
  const { rig, broker } = await connected({ configuration: { keepAlive: 30 } });
  rig.advance(31_000);
  assert.equal(broker.of("pingreq").length, 1);
  rig.advance(30_000);
  assert.equal(broker.of("pingreq").length, 2);
  rig.peers[Channel.Mqtt]!.received = () => {};
  rig.advance(45_000);
  const [lost] = rig.named("device.disconnected");
  assert.equal(lost!.code, Code.TimedOut);
});

test("a refusal is told with its code and is not hammered", async () => {
  const rig = await Rig.create();
  const broker = new Broker(rig);
  broker.returnCode = 4;
  rig.settle();
  rig.hangUp(Channel.Mqtt);
  rig.settle();
  const [event] = rig.named("device.disconnected");
  assert.equal(event!.code, Code.Refused);
  assert.equal(event!.detail, 4);
  assert.ok((event!.retryMs as number) >= 300_000);
  rig.advance(299_000);
  assert.equal(rig.dialled.length + broker.of("connect").length, 2, "one dial, one CONNECT");
});

test("back-off grows with full jitter", async () => {
  const rig = await Rig.create();
  rig.peers[Channel.Mqtt] = { dial: () => Closed.Unreachable };
  rig.advance(3_600_000);
  const waits = rig.named("device.disconnected").map((event) => event.retryMs as number);
  assert.ok(waits.length > 20 && waits.length < 200, `${waits.length} tries in an hour`);
  waits.forEach((wait, index) => {
    assert.ok(wait < Math.min(120_000, 1000 * 2 ** Math.min(index, 20)), `wait ${index} is ${wait}`);
  });
  assert.ok(Math.max(...waits) > 60_000);
});

test("malformed and unsupported packets end the link with their reason, and the next session works", async () => {
  const bad: [string, number[], number][] = [
    ["reserved packet", [0xf0, 0], Code.BadMessage],
    ["second CONNACK", [0x20, 2, 0, 0], Code.BadMessage],
    ["QoS 2", [0x34, 5, 0, 1, 97, 0, 1], Code.Unsupported],
    ["QoS 3", [0x36, 5, 0, 1, 97, 0, 1], Code.BadMessage],
    ["empty topic", [0x30, 2, 0, 0], Code.BadMessage],
    ["topic longer than the packet", [0x30, 3, 0, 9, 97], Code.BadMessage],
    ["packet identifier 0", [0x32, 5, 0, 1, 97, 0, 0], Code.BadMessage],
    ["remaining length of five bytes", [0x30, 0xff, 0xff, 0xff, 0xff, 1], Code.BadMessage],
    ["message above the limit", [0x30, 0xff, 0xff, 0xff, 0x7f], Code.OverLimit],
    ["long PUBACK", [0x40, 3, 0, 1, 0], Code.BadMessage],
  ];
  for (const [name, bytes, code] of bad) {
    const { rig } = await connected();
    rig.feed(Channel.Mqtt, Buffer.from(bytes));
    rig.settle();
    assert.equal(rig.named("device.disconnected")[0]?.code, code, name);
    rig.advance(130_000);
    assert.equal(rig.named("device.connected").length, 2, name);
  }
});

test("application topics: subscribe, message, publish, unsubscribe", async () => {
  const { rig, broker } = await connected();
  const topic = `/${productKey}/${deviceName}/user/get`;
  assert.ok(post(rig, Post.Subscribe, topic) > 0);
  rig.settle();
  assert.equal(broker.of("subscribe")[0]!.subscriptions[0]!.topic, topic);
  for (const payload of ["", "plain", "ä€😀".repeat(100), '"quoted"\\\n', "x".repeat(10_000)]) {
    broker.publish(topic, payload);
    rig.settle();
    assert.deepEqual(rig.named("message").at(-1), { event: "message", topic, payload });
  }
  broker.publish(topic, new Uint8Array([0xff, 65, 0xc3]));
  rig.settle();
  assert.equal(rig.named("message").at(-1)!.payload, "\ufffdA\ufffd");
  const up = `/${productKey}/${deviceName}/user/update`;
  assert.equal(post(rig, Post.Publish, `${up}\0hello`), Code.Ok);
  assert.ok(post(rig, Post.Publish, `${sys}/thing/x\0hello`) < 0);
  rig.settle();
  const published = broker.of("publish").at(-1)!;
  assert.equal(published.topic, up);
  assert.equal(published.payload.toString(), "hello");
  assert.ok(post(rig, Post.Unsubscribe, topic) > 0);
  rig.settle();
  assert.equal(broker.of("unsubscribe")[0]!.unsubscriptions[0], topic);
});

test("an orderly end: DISCONNECT, then nothing until Connect", async () => {
  const { rig, broker } = await connected();
  assert.equal(post(rig, Post.Disconnect, ""), Code.Ok);
  rig.settle();
  assert.equal(broker.packets.at(-1)!.cmd, "disconnect");
  assert.equal(rig.named("device.disconnected")[0]!.retryMs, -1);
  rig.advance(1_000_000);
  assert.equal(broker.of("connect").length, 1);
  assert.equal(post(rig, Post.Connect, ""), Code.Ok);
  rig.settle();
  assert.equal(broker.of("connect").length, 2);
});

test("a platform that refuses and hangs up at once is heard before its link is given up", async () => {
  const rig = await Rig.create();
  const x = rig.agent.exports;
  rig.peers[Channel.Mqtt] = { dial: () => "wait" };
  rig.settle();
  x.opened(Channel.Mqtt);
  x.poll(rig.now);
  rig.agent.rx(Channel.Mqtt).set([0x20, 2, 0, 5]);
  x.received(Channel.Mqtt, 4);
  x.closed(Channel.Mqtt, Closed.Peer);
  rig.settle();
  const [event] = rig.named("device.disconnected");
  assert.equal(event!.code, Code.Refused);
  assert.equal(event!.detail, 5);
});

test("a platform that falls silent in the middle of a message is given up, and what waited goes on", async () => {
  const { rig, broker } = await connected();
  const topic = `/${productKey}/${deviceName}/user/get`;
  const length = Buffer.from([0, topic.length, ...Buffer.from(topic), 120]);
  rig.feed(Channel.Mqtt, Buffer.concat([Buffer.from([0x30, length.length + 50]), length]));
  rig.settle();
  post(rig, Post.Property, '{"a":1}');
  rig.advance(29_000);
  assert.equal(broker.payloads("property/post").length, 0);
  rig.advance(140_000);
  assert.equal(rig.named("device.disconnected")[0]!.code, Code.TimedOut);
  assert.equal(rig.named("message").length, 0);
  assert.equal(broker.payloads("property/post").length, 1);
});

test("back-off starts anew only after a link has stood for a minute, however long it stood", async () => {
  for (const [stood, anew] of [
    [30_000, false],
    [61_000, true],
    [26 * 86_400_000, true],
  ] as const) {
    const rig = await Rig.create();
    rig.peers[Channel.Mqtt] = { dial: () => Closed.Unreachable };
    rig.advance(1_800_000);
    const broker = new Broker(rig);
    for (let at = 0; rig.named("device.connected").length === 0 && at < 300; at++) rig.advance(1_000);
    assert.equal(broker.of("connect").length, 1);
    rig.advance(stood);
    rig.hangUp(Channel.Mqtt, Closed.Broken);
    rig.settle();
    rig.peers[Channel.Mqtt] = { dial: () => Closed.Unreachable };
    const from = rig.named("device.disconnected").length - 1;
    rig.advance(1_200_000);
    const waits = rig.named("device.disconnected").slice(from, from + 5);
    const sum = waits.reduce((total, event) => total + (event.retryMs as number), 0);
    // 1 + 2 + 4 + 8 + 16 seconds at most when it starts anew
    assert.equal(sum < 31_000, anew, `${stood}: ${sum} ms`);
  }
});

test("a link that is cut at any byte of a packet leaves the next session whole", async () => {
  const set = Buffer.from('{"id":"1","params":{"a":1}}');
  const topic = `${sys}/thing/service/property/set`;
  const packet = Buffer.concat([
    Buffer.from([0x32, 2 + topic.length + 2 + set.length, 0, topic.length]),
    Buffer.from(topic),
    Buffer.from([0, 9]),
    set,
  ]);
  for (let cut = 1; cut < packet.length; cut++) {
    const { rig } = await connected();
    rig.feed(Channel.Mqtt, packet.subarray(0, cut));
    rig.hangUp(Channel.Mqtt, Closed.Broken);
    rig.advance(2_000);
    assert.equal(rig.named("device.connected").length, 2, `cut at ${cut}`);
    assert.equal(rig.named("device.disconnected").length, 1);
    rig.feed(Channel.Mqtt, packet);
    rig.settle();
    assert.equal(rig.named("property.set").length, 1);
  }
});

test("an application that pauses does not cost the session", async () => {
  const { rig, broker } = await connected();
  const topic = `/${productKey}/${deviceName}/user/get`;
  rig.takeEvents();
  const take = rig.takeEvents.bind(rig);
  rig.takeEvents = () => rig.events;
  for (let i = 0; i < 10; i++) broker.publish(topic, "x".repeat(200), 0);
  post(rig, Post.Property, '{"a":1}');
  for (let i = 0; i < 100; i++) {
    rig.serve(rig.agent.exports.poll(rig.now));
    rig.now += 1000;
  }
  rig.takeEvents = take;
  rig.settle();
  assert.equal(rig.named("device.disconnected").length, 0);
  assert.equal(rig.named("message").length, 10);
  assert.equal(broker.payloads("property/post").length, 1);
});

test("a device publishes on its own topics only, and subscribes to well-formed filters only", async () => {
  const { rig, broker } = await connected();
  const own = `/${productKey}/${deviceName}`;
  for (const topic of [
    "/other/x",
    `${own}/user/+`,
    `${own}/#`,
    "a",
    `${own}/${"x".repeat(128)}`,
    "\u0001x",
    `${own}/`,
    own,
  ])
    assert.equal(post(rig, Post.Publish, `${topic}\0x`), Code.BadArgument, topic);
  for (const filter of ["a/#/b", "x+", "#x", "a b", "x".repeat(129)])
    assert.equal(post(rig, Post.Subscribe, filter), Code.BadArgument, filter);
  for (const filter of [`${own}/user/+`, `${own}/user/#`, "/ext/rrpc/+/x", "#"]) {
    const id = post(rig, Post.Subscribe, filter);
    assert.ok(id > 0, filter);
    rig.settle();
    assert.deepEqual(rig.named("subscribed").at(-1), { event: "subscribed", id, granted: true });
  }
  assert.equal(broker.of("subscribe").length, 4);
  broker.refuse = true;
  const id = post(rig, Post.Subscribe, "/other/x");
  rig.settle();
  assert.deepEqual(rig.named("subscribed").at(-1), { event: "subscribed", id, granted: false });
});

test("a fifth property set that nobody answers has the first one answered with 429", async () => {
  const { rig, broker } = await connected();
  for (let i = 1; i <= 5; i++) broker.publish(`${sys}/thing/service/property/set`, `{"id":"${i}","params":{"a":${i}}}`);
  rig.settle();
  assert.deepEqual(broker.payloads("set_reply"), [{ id: "1", code: 429, data: {} }]);
});

test("Connect right after Disconnect is no fault", async () => {
  const { rig } = await connected();
  post(rig, Post.Disconnect, "");
  post(rig, Post.Connect, "");
  rig.settle();
  assert.equal(rig.named("device.disconnected")[0]!.code, Code.Ok);
  assert.equal(rig.named("device.connected").length, 2);
});

test("a refused member is named however many unknown keys stand before it", async () => {
  const unknown = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`unknownKeyNumber${i}`, i]));
  await assert.rejects(
    Rig.create({ configuration: { ...unknown, keepAlive: 1 } }),
    /keepAlive takes a number of seconds/,
  );
});
