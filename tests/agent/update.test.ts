// An update from the push to the confirmed image, and what may go wrong after the download.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Boot, BootOp, Channel, Closed, Code, Done, FlashOp } from "../../host/abi.js";
import { bench, failure, image, offer, push, restarted, slot, steps, UPGRADE } from "./update_bench.js";
import { fileServer, response, Web } from "./web.js";

test("an update from the push to the confirmed image, in fragments of any size", async () => {
  for (const [size, fragment, method] of [
    [1, undefined, "sha256"],
    [2048, 1000, "md5"],
    [2049, 13, "sha256"],
    [20_000, undefined, "md5"],
    [65_536, 1460, "sha256"],
  ] as const) {
    const file = image(size);
    const { rig, broker } = await bench(file, fragment === undefined ? {} : { fragment });
    assert.deepEqual(broker.payloads("/ota/device/inform/")[0]!.params, { version: "1.0.0" });
    broker.publish(UPGRADE, push(offer(file, {}, method)));
    rig.settle();
    assert.ok(rig.restart, `${size}: ${JSON.stringify(rig.events.slice(-3))}`);
    assert.deepEqual(slot(rig, 1, size), file);
    assert.deepEqual(rig.boot, [{ op: BootOp.Activate, slot: 1 }]);
    assert.equal(rig.named("update.verified")[0]!.digest, createHash(method).update(file).digest("hex"));
    assert.equal(steps(broker).at(-1), "100");
    assert.equal(broker.packets.at(-1)!.cmd, "disconnect");

    const next = await restarted(rig, 1, Boot.Trial);
    next.rig.settle();
    assert.deepEqual(next.broker.payloads("/ota/device/inform/")[0]!.params, { version: "2.0.0" });
    assert.deepEqual(next.rig.boot, [{ op: BootOp.Confirm, slot: 1 }]);
    const [confirmed] = next.rig.named("update.confirmed");
    assert.equal(confirmed!.from, "1.0.0");
    assert.equal(confirmed!.version, "2.0.0");
    assert.equal(confirmed!.slot, "b");

    const later = await restarted(next.rig, 1, Boot.Confirmed);
    later.rig.settle();
    assert.deepEqual(later.broker.payloads("/ota/device/inform/")[0]!.params, { version: "2.0.0" });
    assert.deepEqual(later.rig.boot, []);
  }
});

test("a second update goes back into the first slot", async () => {
  const one = image(5000);
  const first = await bench(one);
  first.broker.publish(UPGRADE, push(offer(one)));
  first.rig.settle();
  const second = await restarted(first.rig, 1, Boot.Trial);
  second.rig.settle();
  const two = image(7000, 2);
  new Web(second.rig, fileServer(two));
  second.broker.publish(UPGRADE, push(offer(two, { version: "3.0.0" })));
  second.rig.settle();
  assert.ok(second.rig.restart);
  assert.deepEqual(slot(second.rig, 0, 7000), two);
  assert.deepEqual(slot(second.rig, 1, 5000), one);
  const third = await restarted(second.rig, 0, Boot.Trial);
  third.rig.settle();
  assert.equal(third.rig.named("update.confirmed")[0]!.from, "2.0.0");
});

test("flash that fails or reads back other bytes ends the update with step -4", async () => {
  const file = image(9000);
  for (const failing of [FlashOp.Erase, FlashOp.Write, FlashOp.Read]) {
    const { rig, broker } = await bench(file);
    rig.flashResult = (op, offset) => (op === failing && offset >= 65536 && offset < 131072 ? Done.Failed : Done.Ok);
    broker.publish(UPGRADE, push(offer(file)));
    rig.settle();
    assert.equal(failure(rig).code, Code.FlashFailed);
    assert.deepEqual(steps(broker).at(-1), "-4");
  }
  const { rig, broker } = await bench(file);
  rig.flashResult = (op, offset) => {
    if (op === FlashOp.Read && offset === 65536 + 4096) rig.flash[offset + 5]! ^= 1;
    return Done.Ok;
  };
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.equal(failure(rig).code, Code.FlashFailed);
});

test("progress: at most one report a second, never backwards, the last one always", async () => {
  const file = image(60_000);
  const { rig, broker, web } = await bench(file);
  const body = fileServer(file)({ uri: "", target: "", headers: new Map() }).bytes;
  web.answer = () => ({ bytes: body.subarray(0, 1000) });
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  const at: number[] = [];
  broker.published = (topic) => {
    if (topic.includes("/progress/")) at.push(rig.now);
  };
  for (let from = 1000; from < body.length; from += 1000) {
    rig.feed(Channel.Http, body.subarray(from, from + 1000));
    rig.advance(300);
    if (rig.restart) break;
  }
  assert.ok(rig.restart);
  const reported = steps(broker).map(Number);
  assert.ok(reported.length > 10);
  assert.deepEqual(
    reported,
    [...reported].sort((a, b) => a - b),
  );
  assert.equal(reported.at(-1), 100);
  at.slice(0, -1).forEach((time, index) => {
    if (index > 0) assert.ok(time - at[index - 1]! >= 1000);
  });
});

test("the boot loader fell back: the failure is reported once, and the old version informed", async () => {
  const file = image(5000);
  const { rig, broker } = await bench(file);
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  const back = await restarted(rig, 0, Boot.FellBack, 1);
  back.rig.settle();
  assert.deepEqual(back.broker.payloads("/ota/device/inform/")[0]!.params, { version: "1.0.0" });
  assert.equal(failure(back.rig).code, Code.BootFailed);
  assert.deepEqual(steps(back.broker), ["-1"]);
  const later = await restarted(back.rig, 0, Boot.FellBack, 1);
  later.rig.settle();
  assert.deepEqual(steps(later.broker), []);
  assert.equal(later.rig.named("update.failed").length, 0);
});

test("an outcome that could not be reported is reported after the next restart", async () => {
  const file = image(5000);
  const { rig, broker, web } = await bench(file);
  broker.acknowledge = false;
  web.answer = () => ({ bytes: response("404 Not Found", { "Content-Length": 0 }) });
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.deepEqual(steps(broker), ["-2"]);
  const next = await restarted(rig, 0, Boot.Confirmed);
  next.rig.settle();
  assert.deepEqual(steps(next.broker), ["-2"]);
  assert.match((next.broker.payloads("/ota/device/progress/")[0]!.params as { desc: string }).desc, /404/);
  const last = await restarted(next.rig, 0, Boot.Confirmed);
  last.rig.settle();
  assert.deepEqual(steps(last.broker), []);
});

test("an image on trial is not replaced by another offer", async () => {
  const file = image(5000);
  const { rig, broker } = await bench(file);
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  const next = await restarted(rig, 1, Boot.Trial);
  next.broker.acknowledge = false;
  next.rig.settle();
  next.broker.publish(UPGRADE, push(offer(image(100), { version: "9.0.0" })));
  next.rig.settle();
  assert.deepEqual(slot(next.rig, 0, 16), Buffer.alloc(16, 255));
  assert.equal(next.rig.named("update.offered").length, 0);
  assert.deepEqual(next.rig.boot, []);
});

test("a boot loader that does not confirm: no other offer is taken, the version stays true, the device restarts", async () => {
  const file = image(5000);
  const { rig, broker } = await bench(file);
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  const next = await restarted(rig, 1, Boot.Trial);
  next.rig.bootResult = Done.Failed;
  next.rig.settle();
  next.broker.publish(UPGRADE, push(offer(image(100, 3), { version: "3.0.0" })));
  next.rig.advance(20_000);
  assert.ok(next.rig.restart);
  assert.equal(next.rig.named("update.confirmed").length, 0);
  assert.deepEqual(slot(next.rig, 0, 16), Buffer.alloc(16, 255));
  const again = await restarted(next.rig, 1, Boot.Trial);
  again.rig.settle();
  assert.deepEqual(again.broker.payloads("/ota/device/inform/")[0]!.params, { version: "2.0.0" });
  assert.equal(again.rig.named("update.confirmed").length, 1);
});

test("an image on trial that does not connect is given back", async () => {
  const file = image(5000);
  const { rig, broker } = await bench(file);
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  const next = await restarted(rig, 1, Boot.Trial);
  next.rig.peers[Channel.Mqtt] = { dial: () => Closed.Unreachable };
  next.rig.advance(599_000);
  assert.equal(next.rig.restart, false);
  next.rig.advance(20_000);
  assert.ok(next.rig.restart);
  assert.deepEqual(next.rig.boot, []);
});

test("the last step is reported even when the session was lost during the download", async () => {
  const file = image(9000);
  const { rig, broker, web } = await bench(file);
  rig.advance(61_000);
  const serve = fileServer(file);
  web.answer = (request) => {
    rig.hangUp(Channel.Mqtt, Closed.Broken);
    return serve(request);
  };
  broker.publish(UPGRADE, push(offer(file)));
  rig.advance(30_000);
  assert.ok(rig.restart);
  assert.equal(steps(broker).at(-1), "100");
});

test("a failure that waits to be told is told before the version, which may bring the next package", async () => {
  const file = image(5000);
  const { rig, broker } = await bench(file);
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  const next = await restarted(rig, 0, Boot.FellBack, 1);
  next.rig.settle();
  const said = next.broker
    .of("publish")
    .map(({ topic }) => /device\/(inform|progress)\//.exec(topic)?.[1])
    .filter((kind) => kind !== undefined);
  assert.deepEqual(said, ["progress", "inform"]);
  assert.equal(steps(next.broker).at(-1), "-1");
});
