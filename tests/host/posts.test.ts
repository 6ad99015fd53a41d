// Posts, subscriptions and their answers, against a scripted module: over lost links, fresh instances and silence.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, mock, test } from "node:test";
import { Code, Event, Post, Want } from "../../host/abi.js";
import { Device } from "../../host/node/device.js";
import { ANSWER_MS, Posts } from "../../host/node/posts.js";
import { Subscriptions } from "../../host/node/subscriptions.js";
import { Script } from "./script.js";

const folder = mkdtempSync(join(tmpdir(), "alink-posts-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
let device: Device;
afterEach(() => device?.stop());

/** A device on scripted instances; `next` scripts each one before it runs. */
function create(next: (script: Script, index: number) => void): Script[] {
  const scripts: Script[] = [];
  const sector = 256;
  const slots = [
    [0, 1024],
    [1024, 1024],
  ];
  device = new Device({
    configuration: { deviceName: "d", flash: { sector, slots } },
    flash: join(folder, `${count++}.flash`),
    instantiate: async () => {
      const script = new Script();
      next(script, scripts.length);
      scripts.push(script);
      return script.agent();
    },
  });
  return scripts;
}

/** Answers every subscription at once; topics in `refused` are not granted. */
function answering(script: Script, refused: string[] = []): void {
  script.onPost = (kind, topic) => {
    if (kind !== Post.Subscribe && kind !== Post.Unsubscribe) return;
    const granted = !refused.includes(topic);
    script.emit(Event.Subscribed, { event: "subscribed", id: script.lastId(kind), granted });
  };
}

/** The posts of a kind by their text. */
const posted = (script: Script, kind: number) => script.posts.filter(([of]) => of === kind).map(([, text]) => text);

/** Let the device see what was emitted: a post, even a refused one, wakes it. */
const wake = () => device.publish("/wake", "").catch(() => {});

async function connect(script: Script, sessionPresent: boolean): Promise<void> {
  const connected = once(device, "device.connected");
  script.emit(Event.Connected, { event: "device.connected", sessionPresent });
  void wake();
  await connected;
}

async function disconnect(script: Script, retryMs: number): Promise<void> {
  const gone = once(device, "device.disconnected");
  script.emit(Event.Disconnected, { event: "device.disconnected", code: -60, detail: 0, retryMs, desc: "" });
  void wake();
  await gone;
}

/** Resolves when something has come true; fails when it never does. */
async function until(holds: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !holds(); await new Promise(setImmediate))
    assert.ok(Date.now() < deadline, `never came true: ${holds}`);
}

/** The instance with this number, once it was started. */
async function instance(scripts: Script[], index: number): Promise<Script> {
  await until(() => scripts[index] !== undefined);
  await scripts[index]!.called("booted");
  return scripts[index]!;
}

/** Whether a promise is settled, after everything that is due has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const mark = () => {
    done = true;
  };
  promise.then(mark, mark);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  return done;
}

test("a subscription settles on the platform's answer, not before, and never on a message's", async () => {
  const scripts = create(() => {});
  await device.start();
  const script = scripts[0]!;
  const subscribed = device.subscribe("/t/a");
  await script.called("post");
  const id = script.lastId(Post.Subscribe);
  script.emit(Event.PropertyPosted, { event: "property.posted", id, code: 200 });
  script.emit(Event.Subscribed, { event: "subscribed", id: id + 1, granted: true });
  void wake();
  assert.equal(await settled(subscribed), false);
  script.emit(Event.Subscribed, { event: "subscribed", id, granted: true });
  void wake();
  await subscribed;
  const unsubscribed = device.unsubscribe("/t/a");
  await script.called("post", script.posts.length + 1);
  assert.equal(await settled(unsubscribed), false);
  script.emit(Event.Subscribed, { event: "subscribed", id: script.lastId(Post.Unsubscribe), granted: true });
  void wake();
  await unsubscribed;
});

test("an event settles on its own answer, not on a property post's with the same id", async () => {
  const scripts = create(() => {});
  await device.start();
  const script = scripts[0]!;
  const event = device.postEvent("alarm", { a: 1 }, { time: 5 });
  await script.called("post");
  assert.deepEqual(posted(script, Post.Event), ['alarm\0{"value":{"a":1},"time":5}']);
  const id = script.lastId(Post.Event);
  script.emit(Event.PropertyPosted, { event: "property.posted", id, code: 200 });
  script.emit(Event.EventPosted, { event: "event.posted", id: id + 1, code: 200 });
  void wake();
  assert.equal(await settled(event), false);
  script.emit(Event.EventPosted, { event: "event.posted", id, code: 6320 });
  void wake();
  assert.deepEqual(await event, { id, code: 6320 });
  const late = device.postEvent("alarm", {});
  await script.called("post", script.posts.length + 1);
  script.emit(Event.EventPosted, {
    event: "event.posted",
    id: script.lastId(Post.Event),
    code: Code.TimedOut,
  });
  void wake();
  await assert.rejects(late, { code: Code.TimedOut, message: /^the event post got no answer: TimedOut/ });
});

test("a refused subscription is rejected and names the topic", async () => {
  create((script) => answering(script, ["/t/no"]));
  await device.start();
  await assert.rejects(device.subscribe("/t/no"), {
    name: "PostError",
    code: Code.Refused,
    message: "the subscription to /t/no was refused by the platform",
  });
});

test("a lost link rejects the subscriptions that have no answer yet, and nothing else", async () => {
  const scripts = create(() => {});
  await device.start();
  const property = device.postProperties({ a: 1 });
  const subscribed = device.subscribe("/t/a");
  await scripts[0]!.called("post", 2);
  const rejected = assert.rejects(subscribed, {
    code: Code.Interrupted,
    message: "the subscription to /t/a: the link was lost before the answer came",
  });
  await disconnect(scripts[0]!, 1000);
  await rejected;
  const id = scripts[0]!.lastId(Post.Property);
  scripts[0]!.emit(Event.PropertyPosted, { event: "property.posted", id, code: 200 });
  void wake();
  assert.deepEqual(await property, { id, code: 200 });
});

test("a subscription waits for the connection", async () => {
  const scripts = create((script) => {
    script.connected = false;
    answering(script);
  });
  await device.start();
  const subscribed = device.subscribe("/t/a");
  assert.equal(await settled(subscribed), false);
  scripts[0]!.connected = true;
  await Promise.all([connect(scripts[0]!, false), subscribed]);
});

test("silence for 15 s rejects a subscription; an answer in time does not", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const script = new Script();
    const agent = script.agent();
    const posts = new Posts(() => {});
    const ask = (topic: string) => posts.post(`the subscription to ${topic}`, Post.Subscribe, Buffer.from(topic));
    const [silent, answered] = [ask("/t/a"), ask("/t/b")];
    posts.turn(agent);
    mock.timers.tick(ANSWER_MS - 1);
    const id = script.lastId(Post.Subscribe);
    posts.settle({ event: "subscribed", id, granted: true });
    assert.deepEqual(await answered, { id, code: 0 });
    assert.equal(await settled(silent), false);
    mock.timers.tick(1);
    await assert.rejects(silent, {
      code: Code.TimedOut,
      message: "the subscription to /t/a got no answer within 15 s",
    });
  } finally {
    mock.timers.reset();
  }
});

test("what was granted is subscribed again in a fresh session, and only there", async () => {
  const scripts = create((script) => answering(script, ["/t/no"]));
  await device.start();
  const script = scripts[0]!;
  await device.subscribe("/t/a");
  await device.subscribe("/t/b");
  await device.subscribe("/t/c");
  await device.unsubscribe("/t/b");
  await assert.rejects(device.subscribe("/t/no"));
  const before = posted(script, Post.Subscribe).length;
  await disconnect(script, 1000);
  await connect(script, true);
  await device.publish("/t/after", "");
  assert.equal(posted(script, Post.Subscribe).length, before, "the platform kept the session");
  for (let session = 1; session <= 2; session++) {
    await disconnect(script, 1000);
    await connect(script, false);
    await until(() => posted(script, Post.Subscribe).length >= before + 2 * session);
    await device.publish("/t/after", "");
    assert.deepEqual(posted(script, Post.Subscribe).slice(before + 2 * (session - 1)), ["/t/a", "/t/c"]);
  }
  await disconnect(script, 1000);
  await connect(script, true);
  await device.publish("/t/after", "");
  assert.equal(posted(script, Post.Subscribe).length, before + 4, "what was renewed is not missing any more");
});

test("a renewal that the link cut short goes on in the next session, even one that the platform kept", async () => {
  const scripts = create((script) => answering(script));
  await device.start();
  const script = scripts[0]!;
  await device.subscribe("/t/a");
  script.onPost = () => {};
  await connect(script, false);
  await until(() => posted(script, Post.Subscribe).length >= 2);
  await disconnect(script, 1000);
  answering(script);
  await connect(script, true);
  await until(() => posted(script, Post.Subscribe).length >= 3);
  assert.deepEqual(posted(script, Post.Subscribe), ["/t/a", "/t/a", "/t/a"]);
});

test("a renewal that the platform refuses is told and forgotten", async () => {
  const scripts = create((script) => answering(script));
  await device.start();
  await device.subscribe("/t/a");
  answering(scripts[0]!, ["/t/a"]);
  const fault = once(device, "fault");
  await connect(scripts[0]!, false);
  const [{ code, desc }] = (await fault) as [{ code: number; desc: string }];
  assert.deepEqual([code, desc], [Code.Refused, "the renewed subscription to /t/a was refused by the platform"]);
  await connect(scripts[0]!, false);
  await device.publish("/t/after", "");
  assert.equal(posted(scripts[0]!, Post.Subscribe).length, 2);
});

test("a renewal does not count among the posts that may wait, and does not undo an end on its way", async () => {
  const script = new Script();
  answering(script);
  const agent = script.agent();
  const posts = new Posts(() => {});
  const subscriptions = new Subscriptions(posts, () => assert.fail("nothing is lost"));
  const serve = async (rounds: number) => {
    for (let round = 0; round < rounds; round++) {
      posts.turn(agent);
      for (let event = agent.takeEvent(); event !== undefined; event = agent.takeEvent())
        if (event.event === "subscribed") posts.settle(event);
      await new Promise(setImmediate);
    }
  };
  for (const topic of ["/t/a", "/t/b"]) await Promise.all([subscriptions.subscribe(topic), serve(1)]);
  const end = subscriptions.unsubscribe("/t/a");
  for (let i = 0; i < 63; i++) void posts.post("a message", Post.Publish, Buffer.from("/t\0"));
  await assert.rejects(posts.post("a message", Post.Publish, Buffer.from("/t\0")), { code: Code.Busy });
  subscriptions.connected(false);
  await Promise.all([end, serve(3)]);
  assert.deepEqual(posted(script, Post.Subscribe), ["/t/a", "/t/b", "/t/b"]);
});

test("an update's restart: what the module never took goes to the next instance, what it took is rejected", async () => {
  const scripts = create((script, index) => {
    if (index === 1) script.connected = false;
    if (index > 0) answering(script);
  });
  await device.start();
  const [old] = scripts as [Script];
  const property = device.postProperties({ taken: 1 });
  const subscribed = device.subscribe("/t/taken");
  await old.called("post", 2);
  const message = /the device restarted before the answer came, the platform may have it: send it again if in doubt/;
  const rejected = Promise.all([
    assert.rejects(property, { name: "PostError", message }),
    assert.rejects(subscribed, { name: "PostError", message: /the link was lost before the answer came/ }),
  ]);
  const restart = once(device, "update.restart");
  old.emit(Event.UpdateRestart, { event: "update.restart", version: "2", slot: "b" });
  void wake();
  await restart;
  const before = old.posts.length;
  const waiting = [device.postProperties({ kept: 1 }), device.subscribe("/t/kept"), device.publish("/t/kept", "x")];
  await disconnect(old, -1);
  const late = device.postProperties({ late: 1 });
  old.want(Want.Restart);
  void wake();
  const fresh = await instance(scripts, 1);
  await rejected;
  assert.equal(old.posts.length, before, "nothing is handed to an instance that is about to go");
  fresh.connected = true;
  await connect(fresh, false);
  await Promise.all(waiting.slice(1));
  await until(() => posted(fresh, Post.Property).length >= 2);
  assert.deepEqual(posted(fresh, Post.Property), ['{"kept":1}', '{"late":1}']);
  assert.deepEqual(posted(fresh, Post.Subscribe), ["/t/kept"]);
  const ids = fresh.posts.flatMap(([kind], index) => (kind === Post.Property ? [101 + index] : []));
  for (const id of ids) fresh.emit(Event.PropertyPosted, { event: "property.posted", id, code: 200 });
  void wake();
  assert.deepEqual(await Promise.all([waiting[0], late]), [
    { id: ids[0], code: 200 },
    { id: ids[1], code: 200 },
  ]);
});

test("a reply belongs to the instance that has read the request", async () => {
  const scripts = create(() => {});
  await device.start();
  const asked = once(device, "property.set");
  scripts[0]!.emit(Event.PropertySet, { event: "property.set", token: 1, params: {} });
  void wake();
  const [, reply] = await asked;
  scripts[0]!.want(Want.Restart);
  void wake();
  const fresh = await instance(scripts, 1);
  await assert.rejects(reply(200), { message: /the device restarted and no longer knows the request/ });
  await device.publish("/t/after", "");
  assert.deepEqual(fresh.replies, []);
});

test("a reply that still waits at a restart is rejected; before it, it is handed over past what is held", async () => {
  const script = new Script();
  const posts = new Posts(() => {});
  posts.hold();
  void posts.post("a message", Post.Publish, Buffer.from("/t\0"));
  const first = posts.reply(7, 200, new Uint8Array(0));
  posts.turn(script.agent());
  await first;
  assert.deepEqual([script.replies, script.posts], [[[7, 200, ""]], []]);
  const second = posts.reply(8, 200, new Uint8Array(0));
  posts.restarted();
  await assert.rejects(second, { message: /the device restarted and no longer knows the request/ });
  const fresh = new Script();
  posts.turn(fresh.agent());
  assert.deepEqual([fresh.replies, posted(fresh, Post.Publish)], [[], ["/t\0"]]);
});

test("a post that stops the module is rejected and not given to the next instance", async () => {
  const scripts = create((script) => {
    script.onPost = (_kind, text) => {
      if (text.includes("poison")) throw new WebAssembly.RuntimeError("unreachable");
    };
  });
  device.on("fault", () => {});
  await device.start();
  const poison = assert.rejects(device.publish("/t/poison", ""), { message: /the module stopped when it was handed/ });
  const next = device.publish("/t/next", "");
  await poison;
  await next;
  assert.equal(scripts.length, 2);
  assert.deepEqual(posted(scripts[1]!, Post.Publish), ["/t/next\0"]);
});
