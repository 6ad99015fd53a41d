// Sleep and waking of the agent over CoAP: the session goes on, in few bytes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Code, Counter, Post } from "../../host/abi.js";
import { root } from "../paths.js";
import { arrivals, connected, posted } from "./coap_peer.js";
import { type CoapRig, seeded } from "./coap_rig.js";

/** Wake, post, sleep. -> bytes on air, both ways. */
async function cycle(rig: CoapRig, n: number): Promise<number> {
  await rig.sleep(3_600_000);
  const before = [rig.sentBytes, rig.receivedBytes];
  const id = rig.post(Post.Property, JSON.stringify({ temperature: 21.5, n }));
  assert.ok(id > 0);
  assert.ok(rig.advance(4_000_000, () => posted(rig, id).length > 0));
  assert.equal(posted(rig, id)[0]!.code, 200);
  return rig.sentBytes - before[0]! + rig.receivedBytes - before[1]!;
}

test("a sleep in the middle of a post: it goes again under its number, and arrives once", async () => {
  for (const lost of ["the request", "the answer", "nothing"]) {
    const { rig, peer } = await connected();
    const id = rig.post(Post.Property, '{"a":1}');
    if (lost === "the request") rig.weather = { ...rig.weather, loss: 1 };
    rig.settle();
    if (lost === "the answer") peer.received(rig.sent.at(-1)!, rig.now);
    await rig.sleep(3_600_000);
    rig.weather = { ...rig.weather, loss: 0 };
    // the platform's memory of message IDs ends after 247 s
    rig.now += 1_000_000;
    rig.advance(5000);
    assert.deepEqual(posted(rig, id), [{ event: "property.posted", id, code: 200 }], lost);
    assert.equal(arrivals(peer).get('{"a":1}'), 1, lost);
    assert.equal(peer.auths.length, 1, lost);
    assert.equal(peer.replays, lost === "the answer" ? 1 : 0);
  }
});

test("a wake, a confirmed post and the next sleep take no more than 400 bytes on air and no new /auth", async () => {
  const { rig, peer } = await connected();
  for (let n = 0; n < 5; n++) {
    const bytes = await cycle(rig, n);
    assert.ok(bytes <= 400, `${bytes} bytes`);
  }
  assert.equal(peer.auths.length, 1);
  assert.equal(rig.agent.exports.counter(Counter.BytesSent), rig.sentBytes);
  assert.equal(rig.agent.exports.counter(Counter.BytesReceived), rig.receivedBytes);
  assert.ok(rig.agent.exports.counter(Counter.Polls) > 10);
  assert.equal(rig.agent.exports.counter(99), Code.BadArgument);
});

test("a wake with the question for messages takes the bytes that docs/design.md says, one without it as well", async () => {
  const design = readFileSync(join(root, "docs/design.md"), "utf8");
  for (const [contentFormat, figures] of [
    ["json", /takes (\d+) bytes of datagrams both ways.* adds 140: (\d+) and/],
    ["cbor", /both ways, (\d+) as CBOR.* adds 140: \d+ and (\d+)\./],
  ] as const)
    for (const [place, pullInterval] of [0, 60].entries()) {
      const { rig } = await connected({ contentFormat, pullInterval });
      await rig.sleep(3_600_000);
      const before = rig.sentBytes + rig.receivedBytes;
      rig.post(Post.Property, '{"temperature":21.5,"n":1}');
      rig.advance(10_000);
      assert.equal(rig.sentBytes + rig.receivedBytes - before, Number(figures.exec(design)?.[place + 1]));
    }
});

test("1,000 sleeps with a restart in between: no lost post, no repeated number, no growth", async () => {
  const { rig, peer } = await connected();
  /** Polls of a cycle in fair weather. */
  const calm = async (n: number): Promise<number> => {
    const before = rig.agent.exports.counter(Counter.Polls);
    assert.ok((await cycle(rig, n)) <= 400);
    return rig.agent.exports.counter(Counter.Polls) - before;
  };
  const work = await calm(-1);
  rig.weather = { loss: 0.05, duplicate: 0.05, reorder: 0, random: seeded(9) };
  for (let n = 0; n < 1000; n++) {
    if (n === 500) await rig.restart();
    await cycle(rig, n);
  }
  rig.weather = { ...rig.weather, loss: 0, duplicate: 0 };
  assert.equal(await calm(1000), work, "the last cycle takes no more work than the first");
  const found = arrivals(peer);
  assert.equal(found.size, 1002);
  assert.ok([...found.values()].every((times) => times === 1));
  assert.equal(peer.auths.length, 2);
  assert.equal(peer.conflicts, 0, "a number belongs to one message");
  for (const token of peer.sessions.keys()) {
    const numbers = peer.uplinks.filter((uplink) => uplink.token === token).map(({ sequence }) => sequence);
    assert.equal(new Set(numbers).size, numbers.length);
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
  }
  assert.equal(rig.agent.exports.memory.buffer.byteLength, 65_536);
});
