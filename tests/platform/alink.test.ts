import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import fc from "fast-check";
import type { MqttClient } from "mqtt";
import { memberToken, parseEnvelope, reply } from "../../host/platform/envelope.js";
import { device, message, PRODUCT, platformFor } from "./harness.js";

const sys = (path: string) => `/sys/${PRODUCT}/example1/thing/${path}`;

test("the id is echoed as it was written", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  const ids = [
    '"1"',
    "1",
    "98765432109876543210",
    '"1|exp-topic|/sys/pk/dn/thing/event/property/post_reply"',
    '"\\u0041\\"x"',
    '"中"',
  ];
  for (const id of ids) {
    const answer = message(made, "post_reply");
    made.publish(sys("event/property/post"), `{ "a":{"id":7}, "id" : ${id} ,"params":{"x":"\\"id\\":5"}}`);
    const text = await answer;
    assert.ok(text.startsWith(`{"id":${id},"code":200,`), text);
    assert.equal(JSON.parse(text).method, "thing.event.property.post");
  }
});

test("memberToken finds the member JSON.parse finds, for any document", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom("id", "i", "a", "params"), fc.jsonValue()),
      fc.nat(3),
      (members, indent) => {
        const text = JSON.stringify(members, null, indent);
        const value = members.id;
        const token = memberToken(text, "id");
        if (typeof value === "string" || typeof value === "number")
          assert.equal(JSON.stringify(JSON.parse(token!)), JSON.stringify(value));
      },
    ),
  );
  assert.equal(memberToken('{"id":1,"id":"2"}', "id"), '"2"');
  assert.equal(memberToken('{"x":{"id":1}}', "id"), undefined);
});

test("any bytes are parsed without an exception", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseEnvelope(Buffer.from(bytes))));
  const deep = Buffer.from(`{"id":"1","params":${"[".repeat(100_000)}`);
  assert.deepEqual(parseEnvelope(deep), { malformed: '"1"' });
  assert.equal(JSON.parse(reply('"1"', 200, {})).message, "success");
});

test("each request gets its code", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  const ask = async (path: string, body: string) => {
    const answer = message(made, `${path}_reply`);
    made.publish(sys(path), body);
    return JSON.parse(await answer) as { code: number; data: unknown; id: unknown };
  };
  const many = Object.fromEntries(Array.from({ length: 201 }, (_, i) => [`p${i}`, i]));
  assert.equal((await ask("event/property/post", '{"id":"1","params":[1]}')).code, 460);
  assert.equal((await ask("event/property/post", '{"id":"1"}')).code, 460);
  assert.equal((await ask("event/property/post", JSON.stringify({ id: "1", params: many }))).code, 6106);
  assert.equal((await ask("event/property/post", '{"id":"7","params":{')).code, 6207);
  assert.equal((await ask("event/alarm/post", '{"id":"1","params":{"value":{},"time":1}}')).code, 200);
  assert.equal((await ask("event/alarm/post", '{"id":"1","params":{"ErrorCode":0}}')).code, 200);
  const long = { value: { a: "x".repeat(10_240) } };
  for (const params of [[1], 1, null, { value: 1 }, { value: [1] }, { value: null }, long])
    assert.equal((await ask("event/alarm/post", JSON.stringify({ id: "1", params }))).code, 460);
  for (const time of [-1, 0.5, "5", null, {}])
    assert.equal((await ask("event/alarm/post", JSON.stringify({ id: "1", params: { value: {}, time } }))).code, 6326);
  for (const identifier of ["", "a.b", "a b", "ä", "x".repeat(51), "set", "get", "post", "event", "time", "value"])
    assert.equal((await ask(`event/${identifier}/post`, '{"id":"1","params":{"value":{}}}')).code, 460, identifier);
  assert.equal((await ask(`event/${"x".repeat(50)}/post`, '{"id":"1","params":{"value":{}}}')).code, 200);
  assert.equal((await ask("no/such/service", '{"id":"1","params":{}}')).code, 6203);
  assert.deepEqual((await ask("ota/firmware/get", '{"id":"1","params":{}}')).data, {});
  assert.equal((await ask("ota/firmware/get", '{"id":"1","params":{"module":5}}')).code, 460);
});

/** Post and wait for the next reply; two in a row flush what came before the first. */
async function ask(made: MqttClient, id: string): Promise<void> {
  const reply = message(made, "post_reply");
  made.publish(sys("event/property/post"), JSON.stringify({ id, params: {} }));
  await reply;
}

test("what wants no reply or cannot have one gets none, and the link stays up", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  const heard: string[] = [];
  made.on("message", (_topic, payload) => heard.push(payload.toString()));
  for (const body of ['{"id":"1","sys":{"ack":0},"params":{}}', "not json", "[]", "null", "", '{"params":{}}']) {
    made.publish(sys("event/property/post"), body);
  }
  await ask(made, "first");
  await ask(made, "second");
  assert.deepEqual(
    heard.map((text) => JSON.parse(text).id),
    ["first", "second"],
  );
});

test("posts reach the program as events", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  const posted = once(platform, "property.post");
  made.publish(sys("event/property/post"), '{"id":"1","params":{"t":{"value":21.5,"time":5},"on":1}}');
  const id = { productKey: PRODUCT, deviceName: "example1" };
  assert.deepEqual(await posted, [{ ...id, params: { t: { value: 21.5, time: 5 }, on: 1 } }]);
  const event = once(platform, "event.post");
  made.publish(sys("event/alarm/post"), '{"id":"2","params":{"value":{"a":1},"time":5}}');
  assert.deepEqual(await event, [{ ...id, identifier: "alarm", params: { value: { a: 1 }, time: 5 } }]);
});

test("setProperties brings the device's own reply back", async (t) => {
  const platform = await platformFor(t);
  const made = await device(t, platform);
  const other = await device(t, platform, { deviceName: "example2" });
  made.on("message", (topic, payload) => {
    const { id, method, params } = JSON.parse(payload.toString());
    assert.equal(method, "thing.service.property.set");
    // The answer of a device that was not asked must not count.
    other.publish(
      topic.replace("example1", "example2").concat("_reply"),
      JSON.stringify({ id, code: 500, data: {} }),
      {},
      () => made.publish(`${topic}_reply`, JSON.stringify({ id, code: 200, data: params })),
    );
  });
  const answer = await platform.setProperties(PRODUCT, "example1", { on: 1 });
  assert.deepEqual([answer.code, answer.data], [200, { on: 1 }]);
});

test("setProperties fails in words when nobody can answer", async (t) => {
  const platform = await platformFor(t);
  await assert.rejects(platform.setProperties(PRODUCT, "nobody", {}), /no device/);
  await assert.rejects(platform.setProperties(PRODUCT, "example1", {}), /is offline/);
  const made = await device(t, platform);
  await assert.rejects(platform.setProperties(PRODUCT, "example1", {}, 1), /did not answer within 1 ms/);
  const gone = platform.setProperties(PRODUCT, "example1", {});
  made.end(true);
  await assert.rejects(gone, /went offline/);
});
