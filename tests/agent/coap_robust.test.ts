// The agent over CoAP under hostile datagrams, with its work counted, and put into a fresh instance around every poll.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { type AgentExports, Counter as Count, Post } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { wasm } from "../paths.js";
import { CoapPeer, type Uplink } from "./coap_peer.js";
import { CoapRig, identity, type Message, module, seeded } from "./coap_rig.js";
import { bytes, edits, HAND_MADE, json } from "./hostile_input.js";
import { Counter, countingAgent } from "./operations.js";

const { productKey, deviceName } = identity;
const SET = `/sys/${productKey}/${deviceName}/thing/service/property/set`;

/** As in bounded.test.ts: about a million instructions of an interpreter on a Cortex-M4. */
const BOUND = 50_000;

const answers = (rig: CoapRig): number => rig.named("property.posted").length;

/** A run that meets every kind of message: /auth, inform, posts of one and of several datagrams, pull, reply. */
function tour(rig: CoapRig, peer: CoapPeer, wait = 2000): void {
  rig.advance(wait);
  rig.post(Post.Property, '{"a":1}');
  rig.advance(wait);
  rig.post(Post.Property, JSON.stringify({ b: "x".repeat(600) }));
  rig.advance(wait);
  rig.post(Post.Event, `${"e".repeat(50)}\0${JSON.stringify({ value: { b: "x".repeat(550) } })}`);
  rig.advance(wait);
  peer.queue.push({ topic: SET, payload: { id: "1", params: { c: "y".repeat(900) } } });
  rig.post(Post.Pull, "");
  rig.advance(wait);
  for (const { token } of rig.named("property.set")) rig.agent.reply(token as number, 200, Buffer.from('{"d":1}'));
  rig.advance(wait);
}

async function bench(configuration: Record<string, unknown> = {}): Promise<{ rig: CoapRig; peer: CoapPeer }> {
  const rig = await CoapRig.create(configuration);
  return { rig, peer: new CoapPeer(rig) };
}

/** However it went, the device is to be of use afterwards. */
function recovers(rig: CoapRig, peer: CoapPeer): void {
  peer.answer = () => undefined;
  rig.advance(1_300_000);
  const before = answers(rig);
  while (rig.agent.exports.inCap() === 0) assert.ok(rig.advance(1_300_000, () => rig.agent.exports.inCap() > 0));
  const id = rig.post(Post.Property, '{"after":1}');
  assert.ok(id > 0, String(id));
  assert.ok(
    rig.advance(1_300_000, () => answers(rig) > before),
    JSON.stringify(rig.events.slice(-3)),
  );
  assert.equal(rig.agent.exports.memory.buffer.byteLength, 65_536);
}

/** Change what the platform sends; the change sees how many datagrams it has sent. */
function tamper(rig: CoapRig, change: (bytes: Buffer, n: number) => Uint8Array[]): () => void {
  const feed = rig.feed.bind(rig);
  let n = 0;
  rig.feed = (datagram) => {
    for (const each of change(Buffer.from(datagram), n)) feed(each);
    n += 1;
  };
  return () => {
    rig.feed = feed;
  };
}

test("every truncation of every datagram of the platform, before the datagram itself", async () => {
  for (const configuration of [{}, { ackMode: 1, contentFormat: "cbor" }]) {
    const lengths: number[] = [];
    const counted = await bench(configuration);
    tamper(counted.rig, (datagram) => {
      lengths.push(datagram.length);
      return [datagram];
    });
    tour(counted.rig, counted.peer);
    assert.equal(answers(counted.rig), 2);
    assert.ok(lengths.length > 8);
    for (const [place, length] of lengths.entries())
      for (let cut = 0; cut < length; cut++) {
        const { rig, peer } = await bench(configuration);
        const restore = tamper(rig, (datagram, n) =>
          n === place ? [datagram.subarray(0, cut), datagram] : [datagram],
        );
        tour(rig, peer);
        restore();
        recovers(rig, peer);
      }
  }
});

test("datagrams that anybody may send, at any moment", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(bytes(60), { maxLength: 12 }),
      fc.array(edits(3), { maxLength: 12 }),
      fc.boolean(),
      async (noise, changes, separate) => {
        const { rig, peer } = await bench(separate ? { ackMode: 1, contentFormat: "cbor" } : {});
        const restore = tamper(rig, (datagram, n) => {
          const made = noise[n];
          const changed = changes[n]?.(datagram) ?? datagram;
          if (made !== undefined && made.length > 0) made[0] = 0x40 | (made[0]! & 0x3f);
          return made === undefined ? [changed] : [made, changed];
        });
        tour(rig, peer);
        restore();
        recovers(rig, peer);
      },
    ),
    { numRuns: 150 },
  );
});

test("documents of every shape in every answer", async () => {
  const run = async (payload: string): Promise<void> => {
    const { rig, peer } = await bench();
    peer.answer = () => ({ code: "2.05", payload });
    tour(rig, peer);
    recovers(rig, peer);
  };
  for (const made of HAND_MADE) if (made.length < 3000) await run(made.toString("latin1"));
  for (const text of [
    `[{"topic":"${SET}","payload":{"params":{"a":1},"params":{"b":1}}}]`,
    `[{"topic":"${SET}","payload":{"id":"1","params":{"a":1}`,
    `[{"topic":"${SET}","payload":{"id":"1","params":{"a":1}}},{"topic":"${SET}","payload":{"params":{}}}]`,
    `[{"payload":{"params":{}},"topic":"${SET}"}]`,
    `[[{"topic":"${SET}","payload":{"params":{}}}]]`,
    `{"code":{"code":200}}`,
    `{"code":"6${"1".repeat(40)}"}`,
  ])
    await run(text);
  await fc.assert(
    fc.asyncProperty(json, (made) => run(made.subarray(0, 2000).toString("latin1"))),
    { numRuns: 100 },
  );
});

// ---- bounded work

const counting = new Counter(readFileSync(wasm("agent-coap"))).build();
const dearest = new Map<string, number>();

/** Put a module that counts into the rig. -> the operations of all its calls so far. */
function count(rig: CoapRig): () => number {
  let sum = 0;
  const snapshot = rig.agent.snapshot();
  rig.agent = countingAgent(counting, (name, ops) => {
    sum += ops;
    dearest.set(name, Math.max(dearest.get(name) ?? 0, ops));
  });
  rig.agent.restore(snapshot);
  return () => sum;
}

const LONGEST = {
  productKey: "p".repeat(20),
  deviceName: "d".repeat(32),
  deviceSecret: "s".repeat(64),
  clientId: "c".repeat(64),
  timestamp: "1".repeat(20),
  version: "v".repeat(64),
  ackMode: 1,
};

test("no call takes more than 50,000 operations, whatever comes", async () => {
  for (const signMethod of ["hmacmd5", "hmacsha1", "hmacsha256"]) {
    const { rig, peer } = await bench();
    count(rig);
    rig.configure({ signMethod, ...LONGEST, contentFormat: signMethod === "hmacmd5" ? "cbor" : "json" });
    tour(rig, peer);
    assert.ok(peer.auths.length >= 1);
  }
  const cbor = await bench({ contentFormat: "cbor" });
  count(cbor.rig);
  tour(cbor.rig, cbor.peer);
  for (const text of [
    `{"a":"${"\\u00e9".repeat(100)}"}`,
    `{"a":[${"1,".repeat(310)}1]}`,
    `{${'"a":{},'.repeat(85)}"b":1}`,
    `{"a":[${"0.1,".repeat(150)}1]}`,
  ]) {
    assert.ok(cbor.rig.post(Post.Property, text) > 0, text);
    cbor.rig.advance(1000);
  }
  cbor.peer.queue.push({
    topic: SET,
    payload: { id: "1", params: { a: Array(80).fill(0.1), b: "\u0001".repeat(300) } },
  });
  cbor.rig.post(Post.Pull, "");
  cbor.rig.advance(1000);
  assert.equal(cbor.rig.named("property.set").length, 2);
  const { rig, peer } = await bench();
  count(rig);
  for (const document of [
    `{${'"a":0,'.repeat(90)}"z":1}`,
    `{"zz":"${"\\u00e9".repeat(100)}"}`,
    `{"x":[${"[],".repeat(200)}1]}`,
  ]) {
    assert.ok(document.length <= rig.agent.exports.inCap());
    new Uint8Array(rig.agent.exports.memory.buffer).set(Buffer.from(document), rig.agent.exports.inPtr());
    for (let code = rig.agent.exports.configure(document.length); code > 0; code = rig.agent.exports.configure(0));
    rig.takeEvents();
  }
  tour(rig, peer);
  for (const text of [
    `{"a":"${"\\u00e9".repeat(100)}"}`,
    `{"a":[${"1,".repeat(310)}1]}`,
    `{${'"a":{},'.repeat(85)}"b":1}`,
  ]) {
    assert.ok(rig.post(Post.Property, text) > 0, text);
    rig.advance(1000);
  }
  for (const made of [...HAND_MADE.map((each) => each.toString("latin1")), `[${'{"topic":"'.repeat(60)}`]) {
    if (made.length > 3000) continue;
    peer.answer = ({ path }: Uplink) => (path === "pull" ? { code: "2.05", payload: made } : undefined);
    rig.post(Post.Pull, "");
    rig.advance(1000);
  }
  assert.ok(dearest.get("poll")! > 5_000, "the counter counts");
  assert.deepEqual(
    [...dearest].filter(([, ops]) => ops > BOUND),
    [],
  );
  if (process.env.OPERATIONS === "show") console.log(Object.fromEntries(dearest));
});

test("from wake to sleep, a confirmed post takes at most 65,000 operations", async () => {
  for (const contentFormat of ["json", "cbor"]) {
    const { rig } = await bench({ contentFormat });
    // a device sleeps when nothing is under way
    rig.advance(10_000);
    assert.equal(rig.agent.exports.counter(Count.Underway), 0);
    await rig.sleep(3_600_000);
    const spent = count(rig);
    rig.post(Post.Property, '{"temperature":21.5,"n":1}');
    assert.ok(rig.advance(10_000, () => answers(rig) === 1));
    assert.ok(spent() > 20_000 && spent() <= 65_000, `${spent()} operations`);
  }
});

// ---- snapshots

test("a fresh instance before and after every poll: not a byte differs", async () => {
  const run = async (swapped: boolean, cbor: boolean): Promise<CoapRig> => {
    const { rig, peer } = await bench({ ackMode: 1, contentFormat: cbor ? "cbor" : "json" });
    rig.weather = { loss: 0.2, duplicate: 0.2, reorder: 0.2, random: seeded(5) };
    const serve = rig.serve.bind(rig);
    const swap = (): void => {
      const snapshot = rig.agent.snapshot();
      const next = new Agent(new WebAssembly.Instance(module).exports as unknown as AgentExports);
      next.restore(snapshot);
      rig.agent = next;
    };
    let pieces: Buffer[] = [];
    // an event may be taken in pieces from several instances: put them together here
    rig.takeEvents = (): Message[] => {
      const x = rig.agent.exports;
      while (x.eventKind() !== 0) {
        const more = x.eventMore();
        pieces.push(Buffer.from(new Uint8Array(x.memory.buffer, x.eventPtr(), x.eventLen())));
        x.eventDone();
        if (more === 0) rig.events.push(JSON.parse(Buffer.concat(pieces).toString()) as Message);
        if (more !== 1) pieces = [];
      }
      return rig.events;
    };
    if (swapped)
      rig.serve = (want) => {
        swap();
        const done = serve(want);
        swap();
        return done;
      };
    tour(rig, peer, 100_000);
    return rig;
  };
  for (const cbor of [false, true]) {
    const plain = await run(false, cbor);
    const swapped = await run(true, cbor);
    assert.ok(plain.sent.length > 15);
    assert.deepEqual(swapped.sent, plain.sent);
    assert.deepEqual(swapped.events, plain.events);
  }
});
