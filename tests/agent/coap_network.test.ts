// Bad networks and links that come and go, over CoAP: what the application hands over arrives once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, Code, Post } from "../../host/abi.js";
import { arrivals, type CoapPeer, connected, POST, posted } from "./coap_peer.js";
import { type CoapRig, seeded } from "./coap_rig.js";

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
