// The update in hand and what else the platform offers: the same once more, a newer one, a new URL, what fails again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, Closed } from "../../host/abi.js";
import { Broker } from "./rig.js";
import {
  answerGet,
  type Bench,
  bench,
  GET_REPLY,
  image,
  offer,
  push,
  pushed,
  slot,
  steps,
  UPGRADE,
} from "./update_bench.js";
import { fileServer, response } from "./web.js";

const FILE = image(60_000);
const OFFER = offer(FILE);

const configured = (configuration: Record<string, unknown>): Promise<Bench> => bench(FILE, { configuration });

/** A download under way, of which the first bytes are there. */
async function underWay(configuration: Record<string, unknown> = {}): Promise<Bench> {
  const made = await configured(configuration);
  made.web.answer = (request) => ({ bytes: fileServer(FILE)(request).bytes.subarray(0, 9000) });
  pushed(made, OFFER);
  assert.equal(made.web.requests.length, 1);
  return made;
}

test("the same push twice is one update", async () => {
  const made = await underWay();
  pushed(made, { ...OFFER, url: "https://files.example/other" });
  assert.equal(made.rig.named("update.offered").length, 1);
  made.rig.feed(Channel.Http, fileServer(FILE)(made.web.requests[0]!).bytes.subarray(9000));
  made.rig.settle();
  assert.ok(made.rig.restart);
  assert.equal(made.web.requests.length, 1);
});

test("a newer push replaces the update in hand, an older or unreadable one does not", async () => {
  const other = image(50_000, 4);
  for (const [version, data, replaces] of [
    ["2.1.0", {}, true],
    ["2.0.0", {}, false],
    ["1.9.0", {}, false],
    ["3.0.0", { isDiff: 1 }, false],
  ] as const) {
    const made = await underWay();
    const next = { ...offer(other, { version, url: "https://files.example/other" }), ...data };
    answerGet(made, () => next);
    const serve = made.web.answer;
    made.web.answer = (request) => (request.target === "/other" ? fileServer(other)(request) : serve(request));
    pushed(made, next);
    made.rig.advance(1000);
    assert.equal(made.rig.named("update.offered").length, replaces ? 2 : 1, version);
    if (!replaces) {
      made.rig.feed(Channel.Http, fileServer(FILE)(made.web.requests[0]!).bytes.subarray(9000));
      made.rig.settle();
      assert.equal(made.rig.named("update.verified")[0]!.version, "2.0.0");
      continue;
    }
    assert.ok(made.rig.restart, JSON.stringify(made.rig.events.slice(-2)));
    assert.deepEqual(slot(made.rig, 1, other.length), other);
    // a failure of the old one would be taken for one of the new one
    assert.equal(made.rig.named("update.failed").length, 0);
    assert.ok(steps(made.broker).every((step) => !step.startsWith("-")));
  }
});

test("a package that fails and is offered again and again is tried ever less often", async () => {
  const made = await configured({ updateLink: "pause" });
  made.web.answer = () => ({ bytes: response("404 Not Found", { "Content-Length": 0 }), end: Closed.Peer });
  answerGet(made, () => OFFER);
  pushed(made, OFFER);
  made.rig.advance(3_600_000);
  const tries = made.web.requests.length;
  assert.ok(tries > 5 && tries < 40, `${tries} tries in an hour`);
});

test("a URL is renewed again when the last one brought something", async () => {
  const made = await configured({});
  const serve = fileServer(FILE);
  answerGet(made, () => (made.web.requests.length === 0 ? {} : OFFER));
  made.web.answer = (request) => {
    const n = made.web.requests.length;
    if (n % 2 === 0) return { bytes: response("403 Forbidden", { "Content-Length": 0 }), end: Closed.Peer };
    return { bytes: serve(request).bytes.subarray(0, 20_000), end: Closed.Broken };
  };
  pushed(made, OFFER);
  made.rig.advance(60_000);
  assert.ok(made.rig.restart, JSON.stringify(made.rig.events.slice(-2)));
});

test("another package instead of a new URL takes the place of the update, without a failure", async () => {
  const other = image(50_000, 4);
  const next = offer(other, { version: "2.1.0", url: "https://files.example/other" });
  const made = await configured({});
  answerGet(made, () => next);
  made.web.answer = (request) =>
    request.target === "/other"
      ? fileServer(other)(request)
      : { bytes: response("403 Forbidden", { "Content-Length": 0 }), end: Closed.Peer };
  made.broker.publish(UPGRADE, push(OFFER));
  made.broker.published = (topic, payload) => {
    if (topic.endsWith("firmware/get") && made.web.requests.length > 0)
      made.broker.publish(GET_REPLY, { id: (JSON.parse(payload) as { id: string }).id, code: 200, data: next });
  };
  made.rig.settle();
  assert.ok(made.rig.restart, JSON.stringify(made.rig.events.slice(-3)));
  assert.deepEqual(slot(made.rig, 1, other.length), other);
  assert.equal(made.rig.named("update.failed").length, 0);
});

test("without a session a new URL is waited for until there is one", async () => {
  const made = await configured({});
  const serve = fileServer(FILE);
  made.web.answer = (request) => {
    if (request.target === "/new") return serve(request);
    made.rig.peers[Channel.Mqtt] = { dial: () => Closed.Unreachable };
    made.rig.hangUp(Channel.Mqtt, Closed.Broken);
    return { bytes: response("403 Forbidden", { "Content-Length": 0 }), end: Closed.Peer };
  };
  pushed(made, OFFER);
  made.rig.advance(600_000);
  assert.equal(made.rig.named("update.failed").length, 0);
  const broker = new Broker(made.rig);
  answerGet({ ...made, broker }, () => ({ ...OFFER, url: "https://files.example/new" }));
  made.rig.advance(200_000);
  assert.ok(made.rig.restart, JSON.stringify(made.rig.events.slice(-2)));
});
