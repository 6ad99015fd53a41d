// The platform's CoAP server against an independent client: sign-in, data, every code, sequence numbers, downlink.

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { decode, encode } from "cborg";
import { generate } from "coap-packet";
import { setFault } from "../../host/platform/index.js";
import { authBody, CBOR_FORMAT, CoapClient, JSON_FORMAT, option, signIn, topic } from "./coap_client.js";
import { PRODUCT, platformFor } from "./harness.js";

const POST = topic("event/property/post");
const post = (value: number) => JSON.stringify({ id: "1", version: "1.0", params: { value } });

test("sign in, post, and the answer comes encrypted with a message id", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  const online = once(platform, "device.online");
  const posted = once(platform, "property.post");
  const reply = await client.ask(device.request(POST, post(7)));
  assert.equal(reply.code, "2.05");
  assert.equal(reply.ack, true);
  assert.match(option(reply, "2090")!.toString(), /^\d+$/);
  assert.equal(device.decrypt(reply.payload).toString(), '{"id":"1","code":200,"data":{}}');
  assert.deepEqual((await posted)[0].params, { value: 7 });
  assert.deepEqual((await online)[0], { productKey: PRODUCT, deviceName: "example1" });
});

test("every signature method, with and without a timestamp, ackMode in the content", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const code = async (payload: string) => (await client.ask({ options: JSON_FORMAT, payload })).code;
  for (const method of ["md5", "sha1", "sha256"])
    assert.equal(await code(authBody({ signmethod: `hmac${method}` }, undefined, method)), "2.05", method);
  assert.equal(await code(authBody({ timestamp: "1524448722000", ackMode: "0" })), "2.05");
  assert.equal(await code(authBody({ seq: undefined })), "2.05");
  assert.equal(await code(authBody().replace('"sign":"', '"sign":"0')), "4.01");
  assert.equal(await code(authBody({}, "wrong")), "4.01");
  assert.equal(await code(authBody({ deviceName: "nobody" })), "4.01");
  assert.equal(await code(authBody({ deviceName: "disabled" }, "off")), "4.03");
  assert.equal(await code(authBody({ signmethod: "hmacsha3" })), "4.00");
  assert.equal(await code(authBody({ ackMode: "2" })), "4.00");
  assert.equal(await code(authBody({ clientId: "c".repeat(65) })), "4.00");
  assert.equal(await code(authBody({ clientId: undefined })), "4.00");
  assert.equal(await code("[1]"), "4.00");
  assert.equal(await code("{"), "4.00");
});

test("CBOR both ways", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const body = encode(JSON.parse(authBody()));
  const answer = await client.ask({ options: CBOR_FORMAT, payload: Buffer.from(body) });
  assert.deepEqual(Object.keys(decode(answer.payload)).sort(), ["random", "seqOffset", "token"]);
  const device = await signIn(client);
  const posted = once(platform, "property.post");
  const plain = Buffer.from(encode({ id: 5, params: { t: 1.5 } }));
  const reply = await client.ask(device.request(POST, plain, { options: CBOR_FORMAT }));
  assert.deepEqual(option(reply, "Content-Format"), Buffer.of(60));
  assert.deepEqual(decode(device.decrypt(reply.payload)), { id: 5, code: 200, data: {} });
  assert.deepEqual((await posted)[0].params, { t: 1.5 });
  const broken = device.request(POST, Buffer.of(0xa1, 0x61), { options: CBOR_FORMAT });
  assert.equal((await client.ask(broken)).code, "4.00");
});

test("every documented refusal, without a payload", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  const format = (number: number, accept: number) => [
    { name: "Content-Format", value: [number] },
    { name: "Accept", value: [accept] },
  ];
  const good = () => device.request(POST, post(1));
  const cases: [code: string, what: string, ask: Parameters<CoapClient["ask"]>[0]][] = [
    ["4.00", "a payload under another key", { ...good(), payload: Buffer.alloc(16) }],
    ["4.00", "no payload", { ...good(), payload: "" }],
    ["4.01", "no token", { ...good(), options: JSON_FORMAT }],
    ["4.01", "an unknown token", { ...good(), options: [...JSON_FORMAT, { name: 2088, value: "nothing" }] }],
    ["4.02", "no sequence", { ...good(), options: [...JSON_FORMAT, { name: 2088, value: device.token }] }],
    ["4.02", "below the offset", device.request(POST, post(1), { sequence: device.seqOffset - 1 })],
    ["4.02", "an unknown critical option", { ...good(), options: [...good().options!, { name: 2091, value: "x" }] }],
    ["4.03", "another device's topic", device.request(topic("event/property/post", "example2"), post(1))],
    ["4.04", "no such path", { ...good(), path: "/nowhere" }],
    ["4.04", "more than a path", { ...good(), path: "/auth/more" }],
    ["4.05", "GET", { ...good(), code: "GET" }],
    ["4.05", "PUT on /auth", { code: "PUT", options: JSON_FORMAT, payload: authBody() }],
    ["4.06", "accept XML", device.request(POST, post(1), { options: format(50, 41) })],
    ["4.06", "accept XML on /auth", { options: format(50, 41), payload: authBody() }],
    ["4.15", "text on /auth", { options: format(0, 50), payload: authBody() }],
  ];
  for (const [code, what, ask] of cases) {
    const reply = await client.ask(ask);
    assert.equal(reply.code, code, what);
    assert.equal(reply.payload.length, 0, what);
  }
  assert.equal((await client.ask(good())).code, "2.05");
});

test("Link SDK C's Accept 42 and any content format are taken on topics", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  const options = [
    { name: "Content-Format", value: [0] },
    { name: "Accept", value: [42] },
  ];
  assert.equal((await client.ask(device.request(POST, post(1), { options }))).code, "2.05");
});

test("a sequence number counts once, in whatever order, and from the offset on", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  let posts = 0;
  platform.on("property.post", () => posts++);
  const at = async (sequence: number) => (await client.ask(device.request(POST, post(1), { sequence }))).code;
  const { seqOffset } = device;
  assert.equal(await at(seqOffset), "2.05");
  assert.equal(await at(seqOffset), "4.02");
  assert.equal(await at(seqOffset + 1000), "2.05");
  assert.equal(await at(seqOffset + 1), "2.05");
  assert.equal(await at(seqOffset + 1), "4.02");
  assert.equal(await at(seqOffset + 1000), "4.02");
  assert.equal(posts, 3);
});

test("a captured datagram from another port is refused", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const thief = await CoapClient.open(t, platform);
  const device = await signIn(client);
  const token = Buffer.from("abcd");
  const captured = client.datagram({ ...device.request(POST, post(1)), token, messageId: 77 });
  client.send(captured);
  assert.equal((await client.next((packet) => packet.token.equals(token))).code, "2.05");
  thief.send(captured);
  assert.equal((await thief.next((packet) => packet.token.equals(token))).code, "4.02");
});

test("a duplicate is answered from memory and counts once", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  let posts = 0;
  platform.on("property.post", () => posts++);
  const token = Buffer.from("dup1");
  const datagram = client.datagram({ ...device.request(POST, post(1)), token });
  const from = client.inbox.length;
  client.send(datagram);
  const first = await client.next((packet) => packet.token.equals(token), from);
  client.send(datagram);
  const second = await client.next((packet) => packet.token.equals(token) && packet !== first, from);
  assert.deepEqual(second, first);
  assert.equal(posts, 1);
});

test("ackMode 1: an empty acknowledgement, then a confirmable response until it is acknowledged", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client, { ackMode: "1" });
  client.acknowledges = false;
  const from = client.inbox.length;
  const messageId = 900;
  const response = await client.ask({ ...device.request(POST, post(1)), messageId });
  const acknowledgement = client.inbox[from]!;
  assert.deepEqual(
    { code: acknowledgement.code, ack: acknowledgement.ack, messageId: acknowledgement.messageId },
    { code: "0.00", ack: true, messageId },
  );
  assert.equal(response.confirmable, true);
  assert.notEqual(response.messageId, messageId);
  const again = await client.next((packet) => packet.messageId === response.messageId && packet !== response, from);
  assert.deepEqual(again, response);
  client.send(generate({ ack: true, code: "0.00", messageId: response.messageId }));
});

test("a NON request gets a NON response, a ping and an unreadable CON a reset, noise nothing", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  const reply = await client.ask({ ...device.request(POST, post(1)), type: "NON" });
  assert.deepEqual([reply.code, reply.ack, reply.confirmable], ["2.05", false, false]);
  const from = client.inbox.length;
  client.send(Buffer.of(0x40, 0, 0x12, 0x34));
  assert.equal((await client.next((packet) => packet.reset, from)).messageId, 0x1234);
  const asked = client.datagram({ options: JSON_FORMAT, payload: authBody() });
  for (let length = 0; length < asked.length; length++) client.send(asked.subarray(0, length));
  client.send(Buffer.from("hello"));
  client.send(Buffer.concat([asked.subarray(0, 8), Buffer.of(0xf0)]));
  assert.equal((await client.ask(device.request(POST, post(2)))).code, "2.05");
});

test("what the platform sends waits for /pull, the oldest first, and the device's reply is heard", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  await assert.rejects(platform.setProperties(PRODUCT, "example1", { led: 1 }), /offline/);
  await client.ask(device.request(POST, post(1)));
  const answers = [1, 2, 3].map((led) => platform.setProperties(PRODUCT, "example1", { led }));
  const pull = async (pageSize: string) => {
    const reply = await client.ask(device.request("/pull", JSON.stringify({ pageSize })));
    return reply.code === "2.05" ? JSON.parse(device.decrypt(reply.payload).toString()) : reply.code;
  };
  assert.equal(await pull("0"), "4.00");
  assert.equal(await pull("11"), "4.00");
  const first = await pull("2");
  assert.deepEqual(
    first.map((message: { payload: { params: unknown } }) => message.payload.params),
    [{ led: 1 }, { led: 2 }],
  );
  assert.equal(first[0].topic, `/sys/${PRODUCT}/example1/thing/service/property/set`);
  const third = await pull("10");
  assert.equal(third.length, 1);
  assert.deepEqual(await pull("10"), []);
  for (const { payload } of [...first, ...third]) {
    const reply = await client.ask(
      device.request(topic("service/property/set_reply"), JSON.stringify({ id: payload.id, code: 200, data: {} })),
    );
    assert.deepEqual([reply.code, reply.payload.length], ["2.05", 0]);
  }
  assert.deepEqual(
    (await Promise.all(answers)).map(({ code }) => code),
    [200, 200, 200],
  );
});

test("version, event, firmware/get and refusals of Alink over CoAP", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  const version = once(platform, "version");
  const inform = JSON.stringify({ id: "1", params: { version: "1.2.3" } });
  assert.equal((await client.ask(device.request(`/topic/ota/device/inform/${PRODUCT}/example1`, inform))).code, "2.05");
  assert.equal((await version)[0].version, "1.2.3");
  const event = once(platform, "event.post");
  const say = async (path: string, body: string) => {
    const reply = await client.ask(device.request(topic(path), body));
    return JSON.parse(device.decrypt(reply.payload).toString());
  };
  assert.equal((await say("event/alarm/post", '{"id":"2","params":{"value":{},"time":1}}')).code, 200);
  assert.equal((await event)[0].identifier, "alarm");
  assert.deepEqual(await say("ota/firmware/get", '{"id":"3","params":{}}'), { id: "3", code: 200, data: {} });
  const refused = await say("event/property/post", '{"id":"4","params":[]}');
  assert.equal(refused.code, 460);
  assert.match(refused.message, /params/);
  assert.equal((await say("event/property/post", '{"id":"5","params":{')).code, 6207);
});

test("ten minutes of silence are offline", async (t) => {
  let now = 1_700_000_000_000;
  const platform = await platformFor(t, { clock: () => now });
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  await client.ask(device.request(POST, post(1)));
  const offline = once(platform, "device.offline");
  now += 600_001;
  await platform.tick();
  assert.equal((await offline)[0].deviceName, "example1");
  now += 7 * 86_400_000;
  assert.equal((await client.ask(device.request(POST, post(1)))).code, "4.01");
});

test("codes that are switched on, by path and count", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  for (const code of ["4.00", "4.01", "4.02", "4.03", "4.04", "4.05", "4.06", "4.15", "5.00"]) {
    setFault(platform.faults, `coap-answer=${code}:auth:1`);
    assert.equal((await client.ask({ options: JSON_FORMAT, payload: authBody() })).code, code);
  }
  const device = await signIn(client);
  setFault(platform.faults, "coap-answer=5.00:topic:2");
  const request = device.request(POST, post(1));
  assert.equal((await client.ask(request)).code, "5.00");
  assert.equal((await client.ask(request)).code, "5.00");
  assert.equal((await client.ask(request)).code, "2.05");
  setFault(platform.faults, "coap-answer=4.04");
  assert.equal((await client.ask(device.request("/pull", "{}"))).code, "4.04");
  for (const wrong of ["coap-answer=2.05", "coap-answer=5.00:nowhere", "coap-loss=101", "coap-loss=x", "coap-answer"])
    assert.throws(() => setFault({}, wrong), /coap-/, wrong);
});
