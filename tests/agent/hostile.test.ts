// Whatever peers send and applications configure: the module never traps, never grows, always comes to rest, touches nothing
// but the idle slot and its state region, and works again afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import mqttPacket, { type Packet } from "mqtt-packet";
import { Boot, Channel, Closed, Code, IN_WINDOW } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { bytes, edits, fragment, HAND_MADE, json, withFragment } from "./hostile_input.js";
import { configure, connected, FILE, offer, POLLS, push, recover, runs, TOPICS, UPGRADE } from "./recovery.js";
import { Broker, identity, layout, module, Rig } from "./rig.js";
import { type Answer, chunked, response } from "./web.js";

// ---- the MQTT channel

const PACKETS: Packet[] = [
  { cmd: "connack", returnCode: 0, sessionPresent: false },
  { cmd: "puback", messageId: 1 },
  { cmd: "suback", messageId: 1, granted: [1] },
  { cmd: "unsuback", messageId: 1 } as Packet,
  { cmd: "pingresp" },
  { cmd: "pubrec", messageId: 1 },
  {
    cmd: "publish",
    topic: TOPICS[2]!,
    payload: '{"id":"1","params":{"a":1}}',
    qos: 1,
    messageId: 9,
    dup: false,
    retain: false,
  },
  { cmd: "publish", topic: UPGRADE, payload: JSON.stringify(push(offer())), qos: 0, dup: false, retain: true },
  { cmd: "publish", topic: TOPICS[5]!, payload: "hello", qos: 0, dup: true, retain: false },
  { cmd: "publish", topic: "t/".repeat(100), payload: "", qos: 1, messageId: 65535, dup: false, retain: false },
];

const packets = fc
  .array(fc.tuple(fc.constantFrom(...PACKETS), edits(2)), { minLength: 1, maxLength: 6 })
  .map((list) =>
    Buffer.concat(list.map(([packet, change]) => change(mqttPacket.generate(packet, { protocolVersion: 4 })))),
  );

test("random and mutated bytes after CONNACK", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes(200), packets), fragment, async (input, size) => {
      const { rig } = await connected(withFragment(size));
      rig.feed(Channel.Mqtt, input);
      rig.settle(POLLS);
      rig.advance(5_000);
      recover(rig);
    }),
    runs(600),
  );
});

test("random and mutated bytes before CONNACK", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(bytes(60), packets), fragment, async (input, size) => {
      const rig = await Rig.create(withFragment(size));
      let dials = 0;
      rig.peers[Channel.Mqtt] = {
        dial: () => {
          dials += 1;
          return "open";
        },
        received: () => rig.feed(Channel.Mqtt, dials === 1 ? input : Buffer.alloc(0)),
      };
      rig.settle(POLLS);
      rig.advance(20_000);
      recover(rig);
    }),
    runs(300),
  );
});

// ---- payloads

test("payloads of every shape on every topic", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...TOPICS),
      fc.tuple(fc.oneof({ weight: 3, arbitrary: json }, fc.constantFrom(...HAND_MADE)), edits(3)),
      fc.constantFrom(0 as const, 1 as const),
      fragment,
      async (topic, [document, change], qos, size) => {
        const { rig, broker } = await connected(withFragment(size));
        broker.publish(topic, change(document), qos);
        rig.settle(POLLS);
        if (!rig.restart) assert.ok(rig.linked[Channel.Mqtt], "a payload ended the session");
        recover(rig);
      },
    ),
    runs(600),
  );
});

test("payloads made by hand, as they are, on every topic", async () => {
  for (const topic of TOPICS) {
    const { rig, broker } = await connected();
    for (const document of HAND_MADE) {
      if (rig.restart) break;
      broker.publish(topic, document);
      rig.advance(1_000);
    }
    recover(rig);
  }
});

test("256 KB on every topic, and one byte more than is legal", async () => {
  const most = 262_144;
  const fillers = [
    Buffer.from(`{"id":"1","params":{"x":"${"y".repeat(most - 30)}"}}`).subarray(0, most),
    Buffer.from(`{"id":"1","params":{${'"a":[1,{"b":null}],'.repeat(13_000)}"c":1}}`).subarray(0, most),
    Buffer.alloc(most, 0xff),
    Buffer.from(JSON.stringify(push({ extData: { x: "z".repeat(250_000) }, ...offer() }))),
  ];
  for (const topic of TOPICS) {
    const { rig, broker } = await connected();
    for (const filler of fillers) {
      if (!rig.restart) broker.publish(topic, filler);
      rig.settle(POLLS);
    }
    if (!rig.restart) assert.equal(rig.named("device.disconnected").length, 0);
    recover(rig);
  }
  const { rig, broker } = await connected();
  broker.publish(TOPICS[4]!, Buffer.alloc(most + 1000));
  rig.settle(POLLS);
  assert.equal(rig.named("device.disconnected")[0]?.code, Code.OverLimit);
  recover(rig);
});

// ---- the HTTP channel

const FIELDS: Record<string, string | number>[] = [
  { "Content-Length": FILE.length },
  { "Content-Length": FILE.length + 1 },
  { "Content-Length": "99999999999999999999" },
  { "Content-Length": -1 },
  { "Transfer-Encoding": "chunked" },
  { "Transfer-Encoding": "gzip, chunked" },
  { Location: "/again", "Content-Length": 0 },
  { Location: "https://mirror.example/x" },
  { Location: "http://plain.example/x" },
  { Location: `https://h.example/${"p".repeat(1500)}` },
  { "Content-Range": `bytes 0-${FILE.length - 1}/${FILE.length}` },
  { "Content-Range": "bytes 5-1/4294967297", "Content-Length": 3 },
  { "Content-Range": "bytes */0" },
  { "X-Long": "v".repeat(5000) },
  {},
];

const httpAnswer: fc.Arbitrary<Answer> = fc
  .tuple(
    fc.constantFrom(
      "200 OK",
      "206 Partial Content",
      "302 Found",
      "307 x",
      "416 x",
      "403 Forbidden",
      "500 x",
      "100 Continue",
      "999 x",
    ),
    fc.constantFrom(...FIELDS),
    fc.constantFrom(
      FILE,
      FILE.subarray(0, 1000),
      Buffer.alloc(0),
      chunked(FILE, 7),
      chunked(FILE, 3000),
      Buffer.alloc(9000, 0x30),
    ),
    edits(3),
    fc.constantFrom(undefined, Closed.Peer, Closed.Broken),
  )
  .map(([status, fields, body, change, end]) => ({ bytes: change(response(status, fields, body)), end }));

test("responses of every shape", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(httpAnswer, { minLength: 1, maxLength: 4 }), fragment, async (answers, size) => {
      let asked = 0;
      const { rig, broker } = await connected(withFragment(size), () => answers[asked++ % answers.length]!);
      broker.publish(UPGRADE, push(offer()));
      rig.advance(150_000);
      recover(rig);
    }),
    runs(500),
  );
});

test("responses that are no HTTP at all", async () => {
  await fc.assert(
    fc.asyncProperty(bytes(300), fc.boolean(), async (body, head) => {
      const answer = {
        bytes: head ? Buffer.concat([Buffer.from("HTTP/1.1 200 OK\r\n"), body]) : body,
        end: Closed.Peer,
      };
      const { rig, broker } = await connected({}, () => answer);
      broker.publish(UPGRADE, push(offer()));
      rig.advance(150_000);
      recover(rig);
    }),
    runs(160),
  );
});

// ---- the configuration

const CONFIGURATION = Buffer.from(
  JSON.stringify({
    ...identity,
    keepAlive: 60,
    allowPlain: ["mqtt"],
    version: "1.0.0",
    flash: { ...layout, boot: [0, 1] },
  }),
);

test("configuration documents of every shape", async () => {
  const document = fc.oneof(
    bytes(200),
    edits(4).map((change) => change(CONFIGURATION)),
    json,
    fc
      .dictionary(
        fc.constantFrom("flash", "endpoint", "keepAlive", "clientId", "allowPlain", "deviceName", "region"),
        fc.jsonValue(),
      )
      .map((members) => Buffer.from(JSON.stringify(members))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(document, { minLength: 1, maxLength: 3 }), async (documents) => {
      const rig = await Rig.create();
      const agent = await Agent.create(module);
      rig.agent = agent;
      let refused = false;
      for (const each of documents) {
        const code = configure(agent, each);
        assert.ok(code === Code.Ok || code === Code.BadArgument, `configure answered ${code}`);
        // a length that cannot be is refused before anything is read
        refused ||= code !== Code.Ok && each.length > 0 && each.length <= IN_WINDOW;
        rig.takeEvents();
      }
      if (refused) {
        configure(agent, CONFIGURATION);
        assert.equal(agent.exports.poll(0), Code.BadArgument, "a module that refused a document runs");
        return;
      }
      agent.configure({ ...identity, flash: layout, keepAlive: 300, endpoint: "mqtts://broker.example:8883" });
      agent.exports.booted(0, Boot.Confirmed, 0);
      new Broker(rig);
      rig.settle(POLLS);
      recover(rig);
    }),
    runs(400),
  );
});
