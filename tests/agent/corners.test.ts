// Corners that generated input led to, each by itself.

import assert from "node:assert/strict";
import { test } from "node:test";
import mqttPacket from "mqtt-packet";
import { Boot, BootOp, Channel, Code, Done, Post, Want } from "../../host/abi.js";
import { flashWith, journalRecord } from "./hostile_input.js";
import { configure, connected, FILE, inspect, offer, POLLS, push, TOPICS, UPGRADE } from "./recovery.js";
import { Broker, layout, Rig } from "./rig.js";
import { chunked, fileServer, response, Web } from "./web.js";

test("a state region that cannot be written: the failure is told once, and the module comes to rest", async () => {
  // the erase of the state region, the first record, its header
  for (const failing of [2, 3, 4]) {
    const rig = await Rig.create();
    let n = 0;
    rig.flashResult = () => (n++ === failing ? Done.Failed : Done.Ok);
    const broker = new Broker(rig);
    rig.settle();
    broker.publish(UPGRADE, push(offer()));
    rig.settle(2_000);
    assert.equal(rig.named("update.failed").length, 1);
    assert.equal(broker.payloads("/ota/device/progress/").length, 1);
  }
});

test("params that are no object, or come twice, of any length: no broken event, and an answer", async () => {
  const long = "x".repeat(300);
  for (const [params, code] of [
    [`["${long}"]`, 460],
    [`[{"a":"${long}"}]`, 460],
    [`"${long}"`, 460],
    [`{"a":1},"params":{"b":"${long}"}`, 200],
    [`{"a":1},"params":["${long}"]`, 200],
    [`["${long}"],"params":{"a":1}`, 200],
  ] as const) {
    const { rig, broker } = await connected();
    broker.publish(TOPICS[2]!, `{"id":"5","version":"1.0","params":${params}}`);
    rig.settle();
    const sets = rig.named("property.set");
    assert.equal(sets.length, code === 200 ? 1 : 0, params);
    if (code === 200) rig.agent.reply(sets[0]!.token as number, 200, Buffer.alloc(0));
    rig.settle();
    assert.deepEqual(broker.payloads("property/set_reply"), [{ id: "5", code, data: {} }], params);
  }
});

const REFUSED: Record<string, unknown>[] = [
  { keepAlive: 1 },
  { deviceName: "a/#" },
  { flash: { ...layout, write: 0 } },
  { flash: { ...layout, sector: 0 } },
  { flash: { ...layout, slots: [layout.slots[0], layout.slots[0]] } },
];
for (const document of REFUSED) {
  const name = JSON.stringify(document);
  test(`a configuration document that is refused leaves nothing behind: ${name}`, async () => {
    const rig = await Rig.create({ configuration: { keepAlive: 60, endpoint: "mqtts://broker.example:8883" } });
    assert.equal(configure(rig.agent, Buffer.from(name)), Code.BadArgument);
    // a host that goes on all the same is refused: nothing of it takes effect
    assert.equal(rig.agent.exports.poll(rig.now), Code.BadArgument);
    assert.equal(configure(rig.agent, Buffer.from('{"keepAlive":60}')), Code.Ok);
    assert.equal(rig.agent.exports.poll(rig.now), Code.BadArgument);
  });
}

test("a chunked body that is there whole but for its end: the package is taken when the server falls silent", async () => {
  const body = chunked(FILE, 1000);
  const cut = body.subarray(0, body.lastIndexOf("0\r\nTrailer"));
  const answer = { bytes: response("200 OK", { "Transfer-Encoding": "chunked" }, cut) };
  const { rig, broker, web } = await connected({}, () => answer);
  broker.publish(UPGRADE, push(offer()));
  rig.advance(120_000);
  assert.ok(rig.restart, JSON.stringify(rig.events.slice(-1)));
  assert.equal(web.requests.length, 1);
});

test("received(0 bytes) and received() for a channel that is none change nothing", async () => {
  for (const [ch, n] of [
    [Channel.Http, 0],
    [Channel.Application, 0],
    [7, 0],
    [-1, 0],
  ] as const) {
    const { rig, broker } = await connected();
    const serve = rig.serve.bind(rig);
    let done = false;
    rig.serve = (want) => {
      // the request is ready and not yet sent
      if (!done && want & (Want.Transmit << Channel.Http)) {
        done = true;
        const before = rig.agent.exports.txLen(Channel.Http);
        rig.agent.exports.received(ch, n);
        assert.equal(rig.agent.exports.txLen(Channel.Http), before, `received(${ch}, ${n}) drops the request`);
      }
      return serve(want);
    };
    broker.publish(UPGRADE, push(offer()));
    rig.settle();
    assert.ok(done && rig.restart);
  }
});

test("a boot loader that answers while the event queue is full: the confirmation is told all the same", async () => {
  const first = await connected();
  first.broker.publish(UPGRADE, push(offer()));
  first.rig.settle();
  const rig = await Rig.create({ flash: first.rig.flash, booted: [1, Boot.Trial, 0] });
  const broker = new Broker(rig);
  const serve = rig.serve.bind(rig);
  rig.serve = (want) => serve(want & ~Want.Boot);
  rig.settle();
  assert.equal(rig.agent.exports.bootOp(), BootOp.Confirm);
  const take = rig.takeEvents.bind(rig);
  rig.takeEvents = () => rig.events;
  for (let i = 0; i < 12; i++) broker.publish(TOPICS[5]!, "\u0001".repeat(100));
  rig.settle();
  assert.equal(rig.agent.exports.rxCap(Channel.Mqtt), 0, "the queue is full");
  rig.agent.exports.bootDone(Done.Ok);
  rig.takeEvents = take;
  rig.serve = serve;
  for (let i = 0; i < 100; i++) rig.settle();
  assert.equal(rig.named("message").length, 12);
  assert.equal(rig.named("update.confirmed").length, 1);
});

test("an event in pieces is not broken up by other events", async () => {
  const { rig } = await connected();
  const params = { a: "x".repeat(1000) };
  const packet = mqttPacket.generate({
    cmd: "publish",
    topic: TOPICS[2]!,
    payload: JSON.stringify({ id: "7", version: "1.0", params }),
    qos: 0,
    dup: false,
    retain: false,
  });
  rig.feed(Channel.Mqtt, packet.subarray(0, 600));
  rig.settle();
  // not a JSON object: answered by an event at once
  const id = rig.agent.post(Post.Property, Buffer.from("{"));
  rig.settle();
  rig.feed(Channel.Mqtt, packet.subarray(600));
  rig.settle();
  assert.deepEqual(rig.named("property.posted"), [{ event: "property.posted", id, code: Code.BadArgument }]);
  assert.deepEqual(rig.named("property.set")[0]?.params, params);
});

test("a long message during a download: every event is whole", async () => {
  const { rig, broker, web } = await connected({ fragment: 64 });
  const body = fileServer(FILE)({ uri: "", target: "", headers: new Map() }).bytes;
  web.answer = () => ({ bytes: body });
  broker.publish(UPGRADE, push(offer()));
  const params = { a: "x".repeat(4000) };
  broker.publish(TOPICS[2]!, { id: "7", version: "1.0", params });
  rig.advance(5_000);
  assert.ok(rig.restart);
  assert.deepEqual(rig.named("property.set")[0]?.params, params);
});

// offsets of update_state.ts: Installed {slot, versionLength, digestLength, …}, Update {phase, slot, method, versionLength, …}
for (const [name, kind, head] of [
  ["the installed version's length", 1, [0, 255, 32, 0]],
  ["the installed version's slot", 1, [7, 5, 32, 0]],
  ["the length of a version under way", 2, [1, 1, 2, 255, 255, 0]],
  ["the slot of an update that was verified", 2, [2, 7, 2, 5, 5, 0]],
  ["the digest of an update that failed", 2, [4, 1, 77, 5, 5, 0xfe]],
] as const) {
  test(`a record that is whole but out of range is no state: ${name}`, async () => {
    const payload = Buffer.alloc(kind === 1 ? 104 : 180, 0x31);
    Buffer.from(head).copy(payload);
    const rig = await Rig.create({ flash: flashWith([journalRecord(kind, payload)]) });
    const broker = new Broker(rig);
    new Web(rig, fileServer(FILE));
    rig.settle(POLLS);
    assert.deepEqual(broker.payloads("/ota/device/inform/")[0]?.params, { version: "1.0.0" });
    assert.deepEqual(rig.boot, []);
    broker.publish(UPGRADE, push(offer()));
    rig.advance(5_000);
    assert.ok(rig.restart, JSON.stringify(rig.events.slice(-1)));
    inspect(rig);
  });
}
