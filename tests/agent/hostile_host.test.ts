// Whatever a host calls, in any order with any arguments, and whatever its flash holds or answers: as in hostile.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Boot, Channel, Closed, Code, Done, Post, Want } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { byte, bytes, edits, flashWith, journalRecord } from "./hostile_input.js";
import { connected, FILE, inspect, offer, POLLS, posts, push, recover, runs, STATE, UPGRADE } from "./recovery.js";
import { Broker, FLASH_SIZE, identity, layout, module, Rig } from "./rig.js";
import { fileServer, Web } from "./web.js";

// ---- the host

const CALLS: Record<string, number> = {
  abiVersion: 0,
  configure: 1,
  booted: 3,
  poll: 1,
  timeout: 0,
  resumed: 1,
  counter: 1,
  rxPtr: 1,
  rxCap: 1,
  received: 2,
  txPtr: 1,
  txLen: 1,
  sent: 2,
  peerPtr: 1,
  peerLen: 1,
  opened: 1,
  closed: 2,
  fault: 1,
  detail: 1,
  flashOp: 0,
  flashOffset: 0,
  flashPtr: 0,
  flashLen: 0,
  flashDone: 1,
  bootOp: 0,
  bootSlot: 0,
  bootDone: 1,
  entropyPtr: 0,
  entropyLen: 0,
  entropyDone: 0,
  inPtr: 0,
  inCap: 0,
  post: 2,
  reply: 3,
  eventKind: 0,
  eventPtr: 0,
  eventLen: 0,
  eventMore: 0,
  eventDone: 0,
  wallClock: 1,
};

const i32 = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: -2, max: 7 }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(16, 100, 128, 400, 1023, 1024, 1025, 2048, 2049, 4096, 65536, 0x7fffffff, -0x80000000),
  },
  { weight: 1, arbitrary: fc.integer() },
);
const call = fc.tuple(
  fc.oneof(
    fc.constantFrom(...Object.keys(CALLS)),
    fc.constantFrom(
      "poll",
      "opened",
      "closed",
      "received",
      "sent",
      "flashDone",
      "post",
      "reply",
      "eventDone",
      "entropyDone",
    ),
  ),
  i32,
  i32,
  i32,
);

/** Any call with any arguments; the in-window and the receive windows hold whatever they hold. */
function abuse(rig: Rig, calls: [string, number, number, number][]): void {
  const x = rig.agent.exports as unknown as Record<string, (...args: number[]) => number>;
  for (const [name, ...args] of calls) {
    const given = args.slice(0, CALLS[name]);
    const result = x[name]!(...given);
    assert.ok(Number.isInteger(result), `${name}(${given}) = ${result}`);
    if (name === "poll") rig.now = given[0]! >>> 0;
    if (name === "poll" && result > 0 && result & Want.Boot) throw new Error("Want.Boot without an update");
  }
}

test("every export has its place in the list of calls", async () => {
  const names = Object.entries((await Agent.create(module)).exports).filter(([, value]) => typeof value === "function");
  for (const [name, value] of names) {
    if (CALLS[name] === undefined) continue;
    assert.equal((value as (...args: number[]) => number).length, CALLS[name], name);
  }
  const raw = WebAssembly.Module.exports(module)
    .filter((entry) => entry.kind === "function")
    .map((entry) => entry.name);
  assert.deepEqual(raw.sort(), Object.keys(CALLS).sort());
});

test("calls in any order with any arguments, on a module that is set up", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 80 }), fc.boolean(), async (calls, online) => {
      const { rig } = online ? await connected() : { rig: await Rig.create() };
      abuse(rig, calls as [string, number, number, number][]);
      rig.takeEvents();
      inspect(rig);
      // a document that is refused, or not read to its end, is the end of this instance
      const polled = rig.agent.exports.poll(rig.now);
      if (polled === Code.BadArgument || polled === Code.BadState) {
        assert.ok(!online && calls.some(([name]) => name === "configure"));
        return;
      }
      // a host that lies about its flash has to start again; the session alone must come back by itself
      const broker = new Broker(rig);
      for (const ch of [Channel.Mqtt, Channel.Http]) rig.agent.exports.closed(ch, Closed.Broken);
      rig.linked.fill(false);
      rig.settle(POLLS);
      rig.agent.post(Post.Connect, Buffer.alloc(0));
      rig.advance(700_000);
      assert.ok(rig.linked[Channel.Mqtt], "no session");
      posts(rig, broker);
      recover(await Rig.create({ flash: rig.flash }));
    }),
    runs(700),
  );
});

test("calls in any order with any arguments, before the configuration", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (calls) => {
      const rig = await Rig.create();
      rig.agent = await Agent.create(module);
      abuse(
        rig,
        (calls as [string, number, number, number][]).filter(([name]) => name !== "configure"),
      );
      rig.agent.configure({ ...identity, flash: layout });
      rig.agent.exports.booted(0, Boot.Confirmed, 0);
      new Broker(rig);
      recover(rig);
    }),
    runs(300),
  );
});

test("calls with any arguments between the steps of an update", async () => {
  const harmless = [
    "received",
    "sent",
    "opened",
    "post",
    "reply",
    "eventPtr",
    "rxCap",
    "txLen",
    "booted",
    "configure",
    "timeout",
  ];
  const some = call.filter(([name, a, b]) => {
    if (!harmless.includes(name)) return false;
    // what a host may not claim: bytes that came or went, an end of the session that was asked for
    if (name === "received" || name === "sent") return b < 0 || b > 4096;
    return name !== "post" || a !== Post.Disconnect;
  });
  await fc.assert(
    fc.asyncProperty(fc.array(some, { minLength: 1, maxLength: 12 }), async (calls) => {
      const { rig, broker } = await connected({ fragment: 300 });
      const serve = rig.serve.bind(rig);
      let n = 0;
      rig.serve = (want) => {
        const [name, ...args] = calls[n++ % calls.length]! as [string, number, number, number];
        const x = rig.agent.exports as unknown as Record<string, (...args: number[]) => number>;
        if (name !== "opened" || !(want & (Want.Open | (Want.Open << 1)))) x[name]!(...args.slice(0, CALLS[name]));
        return serve(want);
      };
      broker.publish(UPGRADE, push(offer()));
      rig.advance(20_000);
      inspect(rig);
      assert.ok(rig.restart, JSON.stringify(rig.events.slice(-3)));
    }),
    runs(200),
  );
});

// ---- the flash

/** The state region after an update: what a device has that was updated once. */
async function lived(): Promise<Uint8Array> {
  const { rig, broker } = await connected();
  broker.publish(UPGRADE, push(offer({ sign: "00".repeat(32) })));
  rig.settle(POLLS);
  assert.equal(rig.named("update.failed").length, 1);
  return rig.flash;
}

/** A log is written front to back: behind a page that is erased everything is. */
function appended(content: Buffer): Buffer {
  const gap = content.indexOf(Buffer.alloc(128, 255));
  return gap < 0 ? content : content.subarray(0, gap);
}

test("a state region that is random, mutated or torn", async () => {
  const flash = await lived();
  const region = Buffer.from(flash.subarray(STATE, STATE + layout.state[1]!));
  const used = region.subarray(0, 1024);
  const damaged = fc
    .oneof(
      edits(4).map((change) => change(used)),
      bytes(400),
      fc.nat(1024).map((length) => used.subarray(0, length)),
      fc.tuple(fc.nat(1023), fc.nat(1023)).map(([a, b]) => Buffer.concat([used.subarray(0, a), Buffer.alloc(b, 0)])),
    )
    .map(appended);
  await fc.assert(
    fc.asyncProperty(damaged, fc.boolean(), async (content, both) => {
      const mutated = new Uint8Array(FLASH_SIZE).fill(255);
      mutated.set(content.subarray(0, layout.state[1]), STATE);
      if (both) mutated.set(content.subarray(0, 4096), STATE + 4096);
      recover(await Rig.create({ flash: mutated }));
    }),
    runs(400),
  );
});

test("records with the right checksum and any content", async () => {
  const record = fc
    .tuple(fc.integer({ min: 0, max: 4 }), fc.array(byte, { maxLength: 200 }), fc.nat(4))
    .map(([kind, list, phase]) => {
      const payload = Buffer.from(list);
      // nothing but a record says that a slot was verified: such a record is believed
      if (kind === 2 && payload.length > 0) payload[0] = [0, 1, 4, 5, 255][phase]!;
      return journalRecord(kind, payload);
    });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 5 }), async (records) => {
      const rig = await Rig.create({ flash: flashWith(records) });
      new Broker(rig);
      rig.advance(5_000);
      inspect(rig);
      recover(rig);
    }),
    runs(300),
  );
});

test("flash that fails at any operation", async () => {
  for (const result of [Done.Failed, Done.Unreadable]) {
    for (let failing = 0; failing < 40; failing++) {
      const rig = await Rig.create();
      let n = 0;
      rig.flashResult = () => (n++ === failing ? result : Done.Ok);
      const broker = new Broker(rig);
      new Web(rig, fileServer(FILE));
      rig.settle(POLLS);
      broker.publish(UPGRADE, push(offer()));
      rig.advance(20_000);
      inspect(rig);
      if (!rig.restart) assert.ok(rig.linked[Channel.Mqtt]);
      const next = await Rig.create({ flash: rig.flash });
      recover(next);
    }
  }
});
