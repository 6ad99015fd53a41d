// The session with the platform over CoAP: signing in, posts and what refusals mean.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import packet from "coap-packet";
import { Code, Post } from "../../host/abi.js";
import { root } from "../paths.js";
import { CoapPeer, connected, json, POST, posted } from "./coap_peer.js";
import { CoapRig, identity } from "./coap_rig.js";

interface Vector {
  id: string;
  in: Record<string, string>;
  out: Record<string, string>;
}

const { productKey, deviceName } = identity;

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

test("a post after one that ended with 401 has the token replaced again", async () => {
  const { rig, peer } = await connected();
  peer.answer = ({ path }) => (path === POST ? { code: "4.01" } : undefined);
  const lost = rig.post(Post.Property, '{"a":1}');
  rig.advance(5000);
  assert.deepEqual(posted(rig, lost), [{ event: "property.posted", id: lost, code: 401 }]);
  peer.answer = () => undefined;
  peer.forget();
  const id = rig.post(Post.Property, '{"a":2}');
  rig.advance(5000);
  assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }]);
});

test("a device that stays awake for months posts on", async () => {
  for (const pullInterval of [0, 86_400]) {
    const { rig } = await connected({ pullInterval });
    for (let month = 0; month < 4; month++) {
      rig.advance(30 * 86_400_000);
      const id = rig.post(Post.Property, `{"month":${month}}`);
      rig.advance(5000);
      assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }], `month ${month}`);
    }
  }
});

test("a token whose key has not come is none: nothing is sent under it", async () => {
  const rig = await CoapRig.create();
  const peer = new CoapPeer(rig);
  const whole = peer.received.bind(peer);
  let cut = 0;
  // the first blocks of two answers to /auth, the token in each; the rest never comes
  peer.received = (bytes, now) => {
    const request = packet.parse(bytes);
    // a request for a further block has no body
    if (cut === 2) return request.payload.length > 0 ? whole(bytes, now) : undefined;
    if (cut++ > 0) return;
    rig.feed(
      packet.generate({
        ack: true,
        code: "2.05",
        messageId: request.messageId,
        token: request.token,
        options: [{ name: "Block2", value: Buffer.of(0x0a) }],
        payload: Buffer.from(`{"token":"${"t".repeat(32)}","seqOffset":1,`.padEnd(64)),
      } as Parameters<typeof packet.generate>[0]),
    );
    cut = 1;
  };
  rig.advance(200_000);
  cut = 2;
  rig.advance(400_000);
  assert.ok(peer.uplinks.length > 0, "it signs in anew");
  assert.deepEqual(
    peer.uplinks.filter(({ token }) => !peer.sessions.has(token)),
    [],
  );
  for (const datagram of rig.sent) assert.ok(!datagram.includes("t".repeat(32)));
});

test("a malformed answer to /auth is followed by a back-off", async () => {
  const rig = await CoapRig.create();
  let requests = 0;
  rig.far = {
    received: (bytes) => {
      const request = packet.parse(bytes);
      requests += 1;
      rig.feed(
        packet.generate({
          ack: true,
          code: "2.05",
          messageId: request.messageId,
          token: request.token,
          options: [{ name: "Block2", value: Buffer.of(0x07) }],
          payload: Buffer.from("{}"),
        } as Parameters<typeof packet.generate>[0]),
      );
    },
  };
  rig.advance(60_000);
  assert.ok(requests > 1 && requests < 30, `${requests} requests in a minute`);
  assert.ok(rig.named("device.disconnected").length > 0);
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
