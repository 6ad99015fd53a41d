// What the configuration and the application say about updates: floor, confirmation, quiet hours, rate, one link.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Boot, Channel, Closed, Code, Post } from "../../host/abi.js";
import type { RigOptions } from "./rig.js";
import { answerGet, type Bench, bench, failure, image, offer, pushed, slot, steps } from "./update_bench.js";
import { fileServer, response } from "./web.js";

const FILE = image(60_000);
const NONE = Buffer.alloc(0);
const OFFER = offer(FILE);

const configured = (configuration: Record<string, unknown>): Promise<Bench> => bench(FILE, { configuration });

const wallClock = ({ rig }: Bench, text: string): number =>
  rig.agent.exports.wallClock(Math.floor(Date.parse(text) / 1000) | 0);

test("a package below the floor is refused, the floor itself is not", async () => {
  for (const [version, taken] of [
    ["1.9.9", false],
    ["1.10.0-rc1", false],
    ["1.10.0", true],
    ["1.10.1", true],
    ["2", true],
  ] as const) {
    const made = await configured({ updateFloor: "1.10.0" });
    pushed(made, { ...OFFER, version });
    assert.equal(made.rig.restart, taken, version);
    if (taken) continue;
    assert.equal(failure(made.rig).code, Code.Downgrade);
    assert.equal(steps(made.broker).at(-1), "-1");
  }
});

test("without a floor the platform may go back to an older version", async () => {
  const made = await configured({});
  pushed(made, { ...OFFER, version: "0.1" });
  assert.ok(made.rig.restart);
});

test("the application accepts: nothing is fetched or written before", async () => {
  const made = await configured({ updateConfirm: "ask" });
  pushed(made, OFFER);
  made.rig.advance(100_000);
  assert.equal(made.rig.named("update.offered")[0]!.confirm, true);
  assert.equal(made.web.requests.length, 0);
  pushed(made, OFFER);
  assert.equal(made.rig.named("update.offered").length, 1, "the same push once more is the same question");
  assert.equal(made.rig.agent.post(Post.UpdateAccept, NONE), Code.Ok);
  made.rig.settle();
  assert.ok(made.rig.restart);
  assert.deepEqual(slot(made.rig, 1, FILE.length), FILE);
});

test("the application says never: the platform is told", async () => {
  const made = await configured({ updateConfirm: "ask" });
  pushed(made, OFFER);
  assert.equal(made.rig.agent.post(Post.UpdateNever, NONE), Code.Ok);
  made.rig.settle();
  assert.equal(failure(made.rig).code, Code.Declined);
  assert.deepEqual(steps(made.broker), ["-1"]);
  assert.equal(made.web.requests.length, 0);
  // and may think otherwise about the next one
  pushed(made, { ...OFFER, version: "3.0.0" });
  made.rig.agent.post(Post.UpdateAccept, NONE);
  made.rig.settle();
  assert.ok(made.rig.restart);
});

test("the application says later: the platform is asked again after that time", async () => {
  for (const [payload, seconds] of [
    [NONE, 3600],
    [Buffer.from("90"), 90],
  ] as const) {
    const made = await configured({ updateConfirm: "ask" });
    answerGet(made, () => OFFER);
    pushed(made, OFFER);
    const asked = made.broker.payloads("firmware/get").length;
    assert.equal(made.rig.agent.post(Post.UpdateLater, payload), Code.Ok);
    made.rig.advance(seconds * 1000 - 1000);
    assert.equal(made.broker.payloads("firmware/get").length, asked);
    made.rig.advance(2000);
    assert.equal(made.broker.payloads("firmware/get").length, asked + 1);
    assert.equal(made.rig.named("update.offered").length, 2);
    assert.deepEqual(steps(made.broker), []);
    made.rig.agent.post(Post.UpdateAccept, NONE);
    made.rig.settle();
    assert.ok(made.rig.restart);
  }
});

test("decisions that nobody asked for, and those that make no sense, are refused", async () => {
  const made = await configured({ updateConfirm: "ask" });
  const post = (kind: Post, text: string): number => made.rig.agent.post(kind, Buffer.from(text));
  assert.equal(post(Post.UpdateAccept, ""), Code.BadState);
  pushed(made, OFFER);
  for (const [kind, text] of [
    [Post.UpdateAccept, "1"],
    [Post.UpdateNever, "x"],
    [Post.UpdateLater, "0"],
    [Post.UpdateLater, "604801"],
    [Post.UpdateLater, "-5"],
    [Post.UpdateLater, "12345678"],
  ] as const)
    assert.equal(post(kind, text), Code.BadArgument, text);
  assert.equal(post(Post.UpdateAccept, ""), Code.Ok);
  assert.equal(post(Post.UpdateNever, ""), Code.BadState);
});

test("what was accepted is not asked again after a restart", async () => {
  const configuration = { updateConfirm: "ask" };
  const first = await configured(configuration);
  first.web.answer = (request) => ({ bytes: fileServer(FILE)(request).bytes.subarray(0, 9000) });
  pushed(first, OFFER);
  first.rig.agent.post(Post.UpdateAccept, NONE);
  first.rig.settle();
  const options: RigOptions = { configuration, flash: Buffer.from(first.rig.flash), booted: [0, Boot.Confirmed, 0] };
  const next = await bench(FILE, options, false);
  answerGet(next, () => OFFER);
  next.rig.settle();
  assert.ok(next.rig.restart);
  assert.equal(next.rig.named("update.offered")[0]!.confirm, false);
  // but another package is
  const other = await bench(FILE, { ...options, flash: Buffer.from(first.rig.flash) }, false);
  answerGet(other, () => ({ ...OFFER, version: "2.0.1" }));
  other.rig.settle();
  assert.equal(other.rig.named("update.offered")[0]!.confirm, true);
  assert.equal(other.rig.restart, false);
});

test("quiet hours: no download and no restart, and afterwards both", async () => {
  const made = await configured({ updateQuiet: [22 * 60, 6 * 60] });
  assert.equal(wallClock(made, "2026-11-21T23:30:20Z"), Code.Ok);
  pushed(made, OFFER);
  made.rig.advance(6 * 3_600_000);
  assert.equal(made.web.requests.length, 0);
  made.rig.advance(1_800_000 - 21_000);
  assert.equal(made.web.requests.length, 0);
  made.rig.advance(2_000);
  assert.ok(made.rig.restart);
  // begun before, interrupted, gone on with
  const late = await configured({ updateQuiet: [22 * 60, 6 * 60] });
  wallClock(late, "2026-11-21T21:59:50Z");
  const serve = fileServer(FILE);
  late.web.answer = (request) => ({ bytes: serve(request).bytes.subarray(0, 40_000) });
  pushed(late, OFFER);
  assert.equal(late.rig.linked[Channel.Http], true);
  late.web.answer = serve;
  late.rig.advance(11_000);
  assert.equal(late.rig.linked[Channel.Http], false);
  late.rig.advance(8 * 3_600_000);
  assert.ok(late.rig.restart);
  assert.equal(late.web.requests.length, 2);
  assert.ok(late.web.requests[1]!.from! > 30_000);
});

test("quiet hours need a clock, and end when they are the same", async () => {
  for (const [updateQuiet, time] of [
    [[0, 1439], undefined],
    [[600, 600], "2026-11-21T10:00:00Z"],
    [[600, 660], "2026-11-21T11:00:00Z"],
    [[600, 660], "2026-11-21T09:59:59Z"],
  ] as const) {
    const made = await configured({ updateQuiet });
    if (time !== undefined) wallClock(made, time);
    pushed(made, OFFER);
    assert.ok(made.rig.restart, `${updateQuiet} ${time}`);
  }
});

test("the rate limit is kept, and a slow download is no silent one", async () => {
  const made = await configured({ updateRate: 1000 });
  pushed(made, OFFER);
  made.rig.advance(30_000);
  assert.equal(made.rig.restart, false);
  const bytes = made.rig.named("update.progress").at(-1)!.bytes as number;
  assert.ok(bytes > 24_000 && bytes <= 30_000, `${bytes} bytes in 30 s`);
  made.rig.advance(32_000);
  assert.ok(made.rig.restart);
  assert.equal(made.web.requests.length, 1);
});

test("updateLink pause: the session goes down for the download and comes back", async () => {
  const made = await configured({ updateLink: "pause" });
  const serve = fileServer(FILE);
  made.web.answer = (request) => ({ bytes: serve(request).bytes.subarray(0, 40_000) });
  pushed(made, OFFER);
  assert.equal(made.rig.linked[Channel.Mqtt], false);
  assert.equal(made.broker.packets.at(-1)!.cmd, "disconnect");
  assert.deepEqual(steps(made.broker), ["1"]);
  assert.equal(made.rig.named("device.disconnected")[0]!.retryMs, 0);
  made.rig.advance(3000);
  assert.equal(made.rig.linked[Channel.Mqtt], false);
  made.rig.feed(Channel.Http, serve(made.web.requests[0]!).bytes.subarray(40_000));
  made.rig.advance(5000);
  assert.ok(made.rig.restart);
  assert.equal(steps(made.broker).at(-1), "100");
  assert.equal(made.broker.of("connect").length, 2);
});

test("updateLink pause: the session comes back for a new URL and for a failure", async () => {
  const made = await configured({ updateLink: "pause" });
  made.web.answer = () => ({ bytes: response("403 Forbidden", { "Content-Length": 0 }), end: Closed.Peer });
  answerGet(made, () => (made.rig.named("update.failed").length === 0 ? OFFER : {}));
  pushed(made, OFFER);
  made.rig.advance(20_000);
  assert.equal(made.web.requests.length, 2);
  assert.equal(failure(made.rig).detail, 403);
  assert.equal(steps(made.broker).at(-1), "-2");
  assert.equal(made.rig.linked[Channel.Mqtt], true);
});

test("updateLink pause: a session that the application ends stays down", async () => {
  const made = await configured({ updateLink: "pause" });
  const serve = fileServer(FILE);
  made.web.answer = (request) => ({ bytes: serve(request).bytes.subarray(0, 40_000) });
  pushed(made, OFFER);
  made.rig.agent.post(Post.Disconnect, NONE);
  made.web.answer = () => ({ bytes: response("404 Not Found", { "Content-Length": 0 }), end: Closed.Peer });
  made.rig.hangUp(Channel.Http, Closed.Broken);
  made.rig.advance(60_000);
  assert.equal(failure(made.rig).detail, 404);
  assert.equal(made.rig.linked[Channel.Mqtt], false);
});

test("the configuration refuses what the members do not take", async () => {
  const { Agent } = await import("../../host/agent.js");
  const { module } = await import("./rig.js");
  for (const [member, values] of Object.entries({
    updateFloor: ["", "1/2", 1, "1".repeat(65)],
    updateConfirm: ["yes", true, ""],
    updateLink: ["serial", 0],
    updateRate: [0, 255, -1, "1000", 1.5],
    updateQuiet: [[], [1], [1, 2, 3], [0, 1440], [-1, 5], ["0", "1"], "22-6", 5],
  })) {
    for (const value of values) {
      const agent = await Agent.create(module);
      assert.throws(() => agent.configure({ [member]: value }), new RegExp(`${member} takes`), `${member} ${value}`);
    }
  }
});
