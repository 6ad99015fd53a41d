// What goes each way over CoAP: messages of the platform, long posts, CBOR, topics of the application's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { decode } from "cborg";
import packet from "coap-packet";
import { Code, Post } from "../../host/abi.js";
import { connected, json, posted } from "./coap_peer.js";
import { identity } from "./coap_rig.js";

const { productKey, deviceName } = identity;

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
    const pulls = (): number => peer.uplinks.filter(({ path }) => path === "pull").length;
    const [first] = rig.named("property.set");
    assert.deepEqual(first!.params, params);
    assert.equal(pulls(), 1, "the next is asked for when this one is answered");
    assert.equal(rig.agent.reply(first!.token as number, 200, Buffer.alloc(0)), Code.Ok);
    rig.advance(1000);
    assert.equal(
      peer.uplinks
        .find(({ path }) => path.endsWith("set_reply"))!
        .payload.toString()
        .includes(id),
      true,
    );
    const [, second, none] = rig.named("property.set");
    assert.deepEqual(second!.params, { b: 2 });
    assert.equal(none, undefined);
    assert.equal(pulls(), 3, "the second message was not for it, and the third waits for its answer");
    assert.equal(rig.agent.reply(second!.token as number, 200, Buffer.from('{"c":3}')), Code.Ok);
    rig.advance(25);
    const reply = peer.uplinks.at(-1)!;
    assert.equal(reply.path, `${topic.slice(1)}_reply`.replace(/^/, "topic/"));
    assert.equal(reply.payload.toString(), '{"id":5,"code":200,"data":{"c":3}}');
    rig.advance(1000);
    assert.equal(pulls(), 4, "until nothing waits");
    assert.equal(rig.agent.reply(second!.token as number, 200, Buffer.alloc(0)), Code.BadArgument, "once");
    peer.queue.push({ topic, payload: { id: JSON.parse(id), params: {} } });
    rig.post(Post.Pull, "");
    rig.advance(1000);
    assert.equal(rig.agent.reply(rig.named("property.set")[2]!.token as number, -5, Buffer.alloc(0)), Code.Ok);
    rig.advance(1000);
    const last = peer.uplinks.filter(({ path }) => path.endsWith("set_reply")).at(-1)!;
    assert.equal(last.payload.toString(), `{"id":${id},"code":-5,"data":{}}`);
    assert.deepEqual(rig.named("fault"), []);
  }
});

test("a property set that nobody answers holds the next one back for ten seconds; an answer never goes under another id", async () => {
  const { rig, peer } = await connected();
  const topic = `/sys/${productKey}/${deviceName}/thing/service/property/set`;
  for (const id of [111, 222]) peer.queue.push({ topic, payload: { id, params: { n: id } } });
  rig.post(Post.Pull, "");
  rig.advance(9000);
  const [first] = rig.named("property.set");
  assert.equal(rig.named("property.set").length, 1);
  const before = rig.sent.length;
  assert.ok(rig.advance(3000, () => rig.sent.length > before));
  assert.equal(rig.agent.reply(first!.token as number, 200, Buffer.alloc(0)), Code.Busy, "the pull is not over");
  rig.advance(1000);
  assert.equal(rig.agent.reply(first!.token as number, 200, Buffer.alloc(0)), Code.BadArgument, "its id is gone");
  const [, second] = rig.named("property.set");
  assert.equal(rig.agent.reply(second!.token as number, 200, Buffer.alloc(0)), Code.Ok);
  rig.advance(1000);
  const replies = peer.uplinks
    .filter(({ path }) => path.endsWith("set_reply"))
    .map(({ payload }) => payload.toString());
  assert.deepEqual(replies, ['{"id":222,"code":200,"data":{}}']);
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
