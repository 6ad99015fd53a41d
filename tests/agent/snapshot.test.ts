// All state stands in [0, __heap_base): whole runs in which the module is replaced by a fresh instance around every poll,
// call by call the same as the run without interruption.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type AgentExports, Boot, BootOp, Channel, Closed, Code, Counter, FlashOp, Post } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { Broker, identity, type Message, module, Rig, type RigOptions } from "./rig.js";
import { fileServer, Web } from "./web.js";

const { productKey, deviceName } = identity;
const sys = `/sys/${productKey}/${deviceName}`;

/** How a piece of an event goes on, `eventMore`. */
const Piece = { Last: 0, More: 1 };

/** Where to stop and go on in a fresh instance: before and after poll number `n`. */
type Cut = (n: number) => boolean;

interface Recording {
  /** Every call with its arguments and result, and the bytes that went out with it. */
  calls: string[];
  polls: number;
  swaps: number;
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

/** The bytes that a call hands to the host or takes from it. */
function bytesOf(agent: Agent, name: string, args: number[]): Uint8Array {
  const x = agent.exports;
  if (name === "sent") return agent.tx(args[0]!).slice(0, args[1]!);
  if (name === "opened") return Buffer.from(agent.peer(args[0]!));
  if (name === "flashDone" && x.flashOp() !== FlashOp.Erase) return agent.flash();
  if (name === "eventDone") return new Uint8Array(x.memory.buffer, x.eventPtr(), x.eventLen());
  return new Uint8Array();
}

/** Put a recorder around the rig's module. `spoil` may damage what goes from one instance to the next. */
function record(rig: Rig, to: Recording, cut: Cut, spoil: (snapshot: Uint8Array) => void = () => {}): void {
  const swap = (): void => {
    const snapshot = rig.agent.snapshot();
    spoil(snapshot);
    install();
    rig.agent.restore(snapshot);
    to.swaps += 1;
  };
  const install = (): void => {
    const inner = new WebAssembly.Instance(module).exports as unknown as AgentExports;
    const plain = new Agent(inner);
    const wrapped: Record<string, unknown> = { ...inner };
    for (const [name, call] of Object.entries(inner)) {
      if (typeof call !== "function" || name === "abiVersion") continue;
      wrapped[name] = (...args: number[]): number => {
        const bytes = bytesOf(plain, name, args);
        const mark = bytes.length === 0 ? "" : ` ${digest(bytes)}`;
        const result = (call as (...args: number[]) => number)(...args);
        to.calls.push(`${name}(${args.join()}) = ${result}${mark}`);
        return result;
      };
    }
    const poll = wrapped.poll as (now: number) => number;
    wrapped.poll = (now: number): number => {
      const again = !cut(to.polls++);
      if (again) return poll(now);
      swap();
      const want = (rig.agent.exports as unknown as { pollHere: (now: number) => number }).pollHere(now);
      swap();
      return want;
    };
    wrapped.pollHere = poll;
    rig.agent = new Agent(wrapped as unknown as AgentExports);
  };
  wholeEvents(rig);
  swap();
  to.swaps -= 1;
}

/** An event may be taken in pieces from several instances: put them together here. */
function wholeEvents(rig: Rig): void {
  let pieces: Buffer[] = [];
  rig.takeEvents = (): Message[] => {
    const { agent } = rig;
    const x = agent.exports;
    while (x.eventKind() !== 0) {
      const more = x.eventMore();
      pieces.push(Buffer.from(new Uint8Array(x.memory.buffer, x.eventPtr(), x.eventLen())));
      x.eventDone();
      if (more === Piece.Last) rig.events.push(JSON.parse(Buffer.concat(pieces).toString()) as Message);
      if (more !== Piece.More) pieces = [];
    }
    return rig.events;
  };
}

function fresh(): Recording {
  return { calls: [], polls: 0, swaps: 0 };
}

function image(size: number): Buffer {
  return Buffer.concat(
    Array.from({ length: Math.ceil(size / 32) }, (_, i) => createHash("sha256").update(`${i}`).digest()),
  ).subarray(0, size);
}

const FILE = image(18_000);

function push(method: string): unknown {
  const sign = createHash(method).update(FILE).digest("hex");
  const data = {
    size: FILE.length,
    version: "2.0.0",
    url: "https://files.example/fw.bin?x=1",
    sign,
    signMethod: method,
  };
  return { code: "1000", data, id: 1695281536874, message: "success" };
}

/** Connect, posts, a property set in fragments, messages, a lost session. */
async function session(to: Recording, cut: Cut, spoil?: (snapshot: Uint8Array) => void): Promise<Rig> {
  const rig = await Rig.create({ fragment: 13, configuration: { signMethod: "hmacsha1", keepAlive: 30 } });
  record(rig, to, cut, spoil);
  const broker = new Broker(rig);
  rig.settle();
  const id = rig.agent.post(Post.Property, Buffer.from(JSON.stringify({ a: 1, b: "x".repeat(400) })));
  rig.settle();
  broker.publish(`${sys}/thing/event/property/post_reply`, { id: String(id), code: 200, data: {} });
  const params = { text: `ä"\\😀${"y".repeat(1500)}`, list: [1, { deep: [null, true, -1.5e9] }] };
  broker.publish(`${sys}/thing/service/property/set`, { id: "77", version: "1.0", params });
  rig.settle();
  const [set] = rig.named("property.set");
  assert.deepEqual(set?.params, params);
  rig.agent.reply(set!.token as number, 200, Buffer.from('{"done":true}'));
  rig.agent.post(Post.Subscribe, Buffer.from(`/${productKey}/${deviceName}/user/get`));
  rig.settle();
  broker.publish(`/${productKey}/${deviceName}/user/get`, "ä€😀\u0001".repeat(40));
  rig.settle();
  broker.acknowledge = false;
  rig.agent.post(Post.Property, Buffer.from('{"kept":"until acknowledged"}'));
  rig.settle();
  rig.hangUp(Channel.Mqtt, Closed.Broken);
  rig.settle();
  broker.acknowledge = true;
  rig.advance(70_000);
  rig.agent.post(Post.Disconnect, Buffer.alloc(0));
  rig.settle();
  assert.equal(rig.named("device.connected").length, 2);
  assert.deepEqual(broker.payloads("set_reply"), [{ id: "77", code: 200, data: { done: true } }]);
  return rig;
}

/** An update with two lost downloads and a lost session, the restart, and the confirmation. */
async function update(to: Recording, cut: Cut, method: string, spoil?: (snapshot: Uint8Array) => void): Promise<Rig> {
  const rig = await Rig.create({ fragment: 97 });
  record(rig, to, cut, spoil);
  const broker = new Broker(rig);
  const serve = fileServer(FILE);
  let tries = 0;
  new Web(rig, (request) => {
    tries += 1;
    if (tries === 2) rig.hangUp(Channel.Mqtt, Closed.Broken);
    const whole = serve(request);
    return tries < 3 ? { bytes: whole.bytes.subarray(0, 7_000), end: Closed.Broken } : whole;
  });
  rig.settle();
  broker.publish(`/ota/device/upgrade/${productKey}/${deviceName}`, push(method));
  rig.advance(60_000);
  assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));
  assert.equal(tries, 3);
  assert.deepEqual(Buffer.from(rig.flash.subarray(65536, 65536 + FILE.length)), FILE);
  return confirm(rig, to, cut, spoil);
}

async function confirm(before: Rig, to: Recording, cut: Cut, spoil?: (snapshot: Uint8Array) => void): Promise<Rig> {
  const options: RigOptions = { flash: before.flash, booted: [1, Boot.Trial, 0] };
  const rig = await Rig.create(options);
  record(rig, to, cut, spoil);
  new Broker(rig);
  rig.settle();
  assert.deepEqual(rig.boot, [{ op: BootOp.Confirm, slot: 1 }]);
  assert.equal(rig.named("update.confirmed").length, 1);
  return rig;
}

const scenarios: Record<string, (to: Recording, cut: Cut, spoil?: (snapshot: Uint8Array) => void) => Promise<Rig>> = {
  "a session": session,
  "an update with MD5": (to, cut, spoil) => update(to, cut, "md5", spoil),
  "an update with SHA-256": (to, cut, spoil) => update(to, cut, "sha256", spoil),
};

/** The first call that differs, with what led there. */
function compare(actual: Recording, expected: Recording, name: string): void {
  const at = expected.calls.findIndex((call, i) => call !== actual.calls[i]);
  if (at < 0 && actual.calls.length === expected.calls.length) return;
  const from = Math.max(0, at - 4);
  assert.fail(
    `${name}: call ${at} differs after\n${expected.calls.slice(from, at).join("\n")}\nexpected ${expected.calls[at]}\nactual   ${actual.calls[at]}`,
  );
}

for (const [name, run] of Object.entries(scenarios)) {
  test(`${name}: a fresh instance before and after every poll`, async () => {
    const [plain, cut] = [fresh(), fresh()];
    const one = await run(plain, () => false);
    const other = await run(cut, () => true);
    assert.ok(plain.polls > 200, `${plain.polls} polls`);
    assert.equal(cut.swaps, 2 * plain.polls);
    compare(cut, plain, name);
    assert.deepEqual(other.events, one.events);
    assert.deepEqual(other.flash, one.flash);
  });
}

test("a single fresh instance, at each of a hundred places", async () => {
  for (const [name, run] of Object.entries(scenarios)) {
    const plain = fresh();
    await run(plain, () => false);
    for (let n = 0; n < 100; n++) {
      const place = Math.floor((n * plain.polls) / 100);
      const cut = fresh();
      await run(cut, (poll) => poll === place);
      compare(cut, plain, `${name}, stopped at poll ${place}`);
    }
  }
});

test("a byte that is not carried over shows", async () => {
  const plain = fresh();
  await session(plain, () => false);
  const size = (await Agent.create(module)).snapshot().length;
  const lost = fresh();
  let carried = false;
  try {
    await session(
      lost,
      (n) => n === 40,
      (snapshot) => {
        if (lost.polls > 40) snapshot.fill(0, size - 4096);
      },
    );
    compare(lost, plain, "spoiled");
    carried = true;
  } catch {
    // any difference will do
  }
  assert.ok(!carried, "the recorder does not notice that state is lost");
});

test("after a sleep the links are gone, time has gone on, and the host's clock may begin anew", async () => {
  const rig = await Rig.create();
  const broker = new Broker(rig);
  rig.settle();
  assert.equal(rig.agent.exports.counter(Counter.BytesSent) > 100, true);
  broker.acknowledge = false;
  const id = rig.agent.post(Post.Property, Buffer.from('{"kept":1}'));
  rig.settle();
  const snapshot = rig.agent.snapshot();
  rig.agent = await Agent.create(module);
  assert.equal(rig.agent.exports.resumed(1), Code.BadState, "nothing was there before");
  rig.agent.restore(snapshot);
  assert.equal(rig.agent.exports.resumed(-1), Code.BadArgument);
  assert.equal(rig.agent.exports.resumed(3_600_000), Code.Ok);
  rig.linked.fill(false);
  rig.now = 5;
  broker.acknowledge = true;
  rig.advance(10_000);
  assert.deepEqual(
    rig.named("device.disconnected").map(({ code }) => code),
    [Code.LinkFailed],
  );
  assert.equal(rig.named("device.connected").length, 2);
  broker.publish(`${sys}/thing/event/property/post_reply`, { id: String(id), code: 200, data: {} });
  rig.settle();
  assert.deepEqual(rig.named("property.posted"), [{ event: "property.posted", id, code: 200 }]);
  assert.equal(rig.agent.exports.counter(99), Code.BadArgument);
  assert.ok(rig.agent.exports.counter(Counter.Polls) > 3);
});
