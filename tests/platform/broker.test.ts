import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import mqttPacket from "mqtt-packet";
import { isOwnTopic } from "../../host/platform/topics.js";
import { credentials, device, event, message, PRODUCT, platformFor } from "./harness.js";

const own = (path: string) => `/${PRODUCT}/example1/${path}`;
const sys = (path: string) => `/sys/${PRODUCT}/example1/${path}`;

test("system messages arrive without a SUBSCRIBE, and once with several", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  const topics: string[] = [];
  made.on("message", (topic) => topics.push(topic));
  const post = async (id: string) => {
    const reply = message(made, "post_reply");
    made.publish(sys("thing/event/property/post"), `{"id":"${id}","params":{}}`);
    return JSON.parse(await reply);
  };
  assert.equal((await post("1")).code, 200);
  await made.subscribeAsync([sys("thing/event/property/post_reply"), sys("thing/#"), sys("#")], { qos: 1 });
  assert.equal((await post("2")).id, "2");
  // Everything the first posts caused has arrived when the answer to the third is here.
  assert.equal((await post("3")).id, "3");
  assert.deepEqual(topics, Array(3).fill(sys("thing/event/property/post_reply")));
});

test("custom topics are the broker's: what the device subscribed it hears", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  await made.subscribeAsync(own("user/+"), { qos: 1 });
  const heard = message(made, "user/get");
  made.publish(own("user/get"), "text", { qos: 1 });
  assert.equal(await heard, "text");
});

test("SUBACK grants at most QoS 1 and refuses others' topics", async (t) => {
  const platform = await platformFor(t);
  const codes = await suback(platform.ready.mqtt!, [
    { topic: sys("#"), qos: 2 },
    { topic: own("user/a"), qos: 0 },
    { topic: `/sys/${PRODUCT}/example2/#`, qos: 1 },
    { topic: `/sys/${PRODUCT}/+/#`, qos: 1 },
    { topic: "#", qos: 0 },
    { topic: own(`user/${"x".repeat(128)}`), qos: 0 },
    { topic: own("1/2/3/4/5/6"), qos: 0 },
  ]);
  assert.deepEqual(codes, [1, 0, 128, 128, 128, 128, 128]);
});

test("a SUBSCRIBE may carry eight topics, a device may hold a hundred", async (t) => {
  const platform = await platformFor(t);
  const names = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ topic: own(`user/t${from + i}`), qos: 1 as const }));
  assert.deepEqual(await suback(platform.ready.mqtt!, names(0, 9)), [...Array(8).fill(1), 128]);
  const made = await device(t, platform);
  for (let i = 0; i < 96; i += 8)
    await made.subscribeAsync(
      names(i, 8).map(({ topic }) => topic),
      { qos: 1 },
    );
  await made.subscribeAsync(
    names(96, 4).map(({ topic }) => topic),
    { qos: 1 },
  );
  await assert.rejects(made.subscribeAsync(own("user/one-more"), { qos: 1 }));
  await made.unsubscribeAsync(own("user/t0"));
  await made.subscribeAsync(own("user/one-more"), { qos: 1 });
});

test("a publish that breaks the rules closes the link", async (t) => {
  const platform = await platformFor(t);
  const cases: [name: string, topic: string, payload: string | Buffer, qos: 0 | 1 | 2][] = [
    ["another device's topic", `/sys/${PRODUCT}/example2/thing/event/property/post`, "{}", 1],
    ["another product", "/sys/otherProduct/example1/thing/event/property/post", "{}", 0],
    ["no topic of the platform", "$SYS/x", "{}", 0],
    ["QoS 2", sys("thing/event/property/post"), "{}", 2],
    ["a topic of 129 bytes", own(`user/${"x".repeat(129 - own("user/").length)}`), "", 0],
    ["a payload over 256 KB", own("user/x"), Buffer.alloc(256 * 1024 + 1), 0],
  ];
  for (const [name, topic, payload, qos] of cases) {
    const made = await device(t, platform);
    const closed = event(made, "close");
    made.publish(topic, payload, { qos });
    await closed;
    assert.ok(!made.connected, name);
  }
  const made = await device(t, platform);
  await made.publishAsync(own(`user/${"x".repeat(128 - own("user/").length)}`), Buffer.alloc(256 * 1024), { qos: 1 });
});

test("own topics are those with the pair at its place", () => {
  const pair = { productKey: "pk", deviceName: "name" };
  const good = [
    "/sys/pk/name/thing/event/property/pack/post",
    "/ota/device/inform/pk/name",
    "/pk/name/user/a",
    "/ext/ntp/pk/name/request",
    "/shadow/update/pk/name",
    "/ext/session/pk/name/combine/login",
    "/ext/rrpc/+/pk/name/user/x",
    "/ext/rrpc/12/sys/pk/name/thing/service/property/set",
  ];
  const bad = [
    "/sys/pk/other/thing",
    "/sys/+/name/thing",
    "/ota/device/+/pk/name",
    "/ext/rrpc/pk/name",
    "/pk",
    "pk/name/user",
    "/other/pk/name",
    "/#",
  ];
  for (const topic of good) assert.ok(isOwnTopic(topic, pair), topic);
  for (const topic of bad) assert.ok(!isOwnTopic(topic, pair), topic);
});

test("will and retain are accepted and have no effect", async (t) => {
  const platform = await platformFor(t);
  const posts: unknown[] = [];
  platform.on("property.post", ({ params }) => posts.push(params));
  const post = sys("thing/event/property/post");
  const payload = Buffer.from('{"id":"1","params":{"from":"will"}}');
  const made = await device(t, platform, { options: { will: { topic: post, payload, qos: 1, retain: true } } });
  await made.publishAsync(own("user/kept"), "old", { qos: 1, retain: true });
  const offline = once(platform, "device.offline");
  made.stream.destroy();
  await offline;
  const next = await device(t, platform);
  const heard: string[] = [];
  next.on("message", (topic) => heard.push(topic));
  await next.subscribeAsync(own("user/+"), { qos: 1 });
  const last = message(next, "user/last");
  next.publish(own("user/last"), "");
  await last;
  const reply = message(next, "post_reply");
  next.publish(post, '{"id":"2","params":{"from":"device"}}');
  await reply;
  assert.deepEqual(heard, [own("user/last"), `${post}_reply`]);
  assert.deepEqual(posts, [{ from: "device" }]);
});

test("two devices may use the same client ID", async (t) => {
  const platform = await platformFor(t);
  const login = { base: "same", extension: "securemode=2,signmethod=hmacsha256" };
  const one = await device(t, platform, login);
  const two = await device(t, platform, { ...login, deviceName: "example2" });
  const reply = message(one, "post_reply");
  one.publish(sys("thing/event/property/post"), '{"id":"1","params":{}}');
  await reply;
  assert.ok(one.connected && two.connected);
});

test("a packet that announces more than is accepted ends the link before it is sent", async (t) => {
  const lines: string[] = [];
  const platform = await platformFor(t, { log: (line) => lines.push(line) });
  const cut = async (bytes: number[], reason: RegExp) => {
    const socket = connect(Number(new URL(platform.ready.mqtt!).port), "127.0.0.1");
    const closed = once(socket, "close");
    socket.on("error", () => {});
    socket.write(Buffer.from(bytes));
    await closed;
    assert.match(lines.pop() ?? "", reason);
  };
  await cut([0x10, 0xff, 0xff, 0xff, 0x7f], /packet of 268435455 bytes is longer than the 16384 bytes accepted/);
  await cut([0x10, 0x81, 0x80, 0x01], /packet of 16385 bytes is longer/);
  await cut([0x10, 0xff, 0xff, 0xff, 0xff], /malformed packet length/);
  await cut([0x30, 0x02, 0x00, 0x00], /mqtt: /);
});

/** Raw SUBACK codes; the mqtt package turns refusals into one error. */
async function suback(url: string, subscriptions: { topic: string; qos: 0 | 1 | 2 }[]): Promise<number[]> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  const parser = mqttPacket.parser({ protocolVersion: 4 });
  socket.on("data", (chunk) => parser.parse(chunk));
  const next = () => once(parser, "packet") as Promise<[mqttPacket.Packet]>;
  const connack = next();
  const login = credentials(url);
  const { clientId, username } = login;
  const password = Buffer.from(login.password);
  socket.write(
    mqttPacket.generate({
      cmd: "connect",
      protocolId: "MQTT",
      protocolVersion: 4,
      clientId,
      username,
      password,
      keepalive: 60,
      clean: true,
    }),
  );
  assert.equal((await connack)[0].cmd, "connack");
  const answer = next();
  socket.write(mqttPacket.generate({ cmd: "subscribe", messageId: 1, subscriptions }));
  const [packet] = await answer;
  socket.destroy();
  assert.ok(packet.cmd === "suback");
  return packet.granted as number[];
}
