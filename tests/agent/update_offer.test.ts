// What becomes of an offer, and how the device asks for one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Channel, Code, FlashOp } from "../../host/abi.js";
import { Broker, layout, Rig } from "./rig.js";
import { bench, failure, GET_REPLY, image, offer, push, steps, UPGRADE } from "./update_bench.js";
import { fileServer, response } from "./web.js";

test("both shapes of a push, and one of 10 KB with Udi and tags", async () => {
  const file = image(3000);
  const udi = JSON.stringify({ text: '"\\'.repeat(900), emoji: "😀" });
  const tags = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`tag.${i}`, "v".repeat(400)]));
  const large = offer(file, {
    extData: { ...tags, _package_udi: udi },
    url: `https://files.example/${"p".repeat(700)}?Expires=1&security-token=${"t".repeat(80)}`,
  });
  const shapes: unknown[] = [
    push(offer(file)),
    { id: "123", code: 200, data: offer(file), message: "success" },
    push(large),
    { id: 1, code: "1000", data: offer(file, { signMethod: "Sha256", module: "default", extData: {} }) },
  ];
  assert.ok(JSON.stringify(shapes[2]).length > 10_000);
  for (const shape of shapes) {
    for (const fragment of [1, 100, undefined]) {
      const { rig, broker, web } = await bench(file, fragment === undefined ? {} : { fragment });
      broker.publish(UPGRADE, shape);
      rig.settle();
      assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));
      if (shape === shapes[2])
        assert.equal(web.requests[0]!.target.length, 700 + 1 + "?Expires=1&security-token=".length + 80);
    }
  }
});

test("a device asks for a package that waits, and an empty answer is none", async () => {
  const file = image(3000);
  const { rig, broker } = await bench(file);
  const [ask] = broker.payloads("thing/ota/firmware/get");
  assert.equal(ask!.method, "thing.ota.firmware.get");
  broker.publish(GET_REPLY, { id: ask!.id, code: 200, data: {} });
  rig.settle();
  assert.equal(rig.named("update.offered").length + rig.named("fault").length, 0);
  const other = await bench(file);
  other.broker.publish(GET_REPLY, { id: other.broker.payloads("firmware/get")[0]!.id, code: 200, data: offer(file) });
  other.rig.settle();
  assert.ok(other.rig.restart);
});

test("an offer that cannot be taken is refused before anything is fetched", async () => {
  const file = image(5000);
  const good = offer(file);
  const cases: [string, Record<string, unknown>, number][] = [
    ["larger than the slot", { ...good, size: 65_537 }, Code.OverLimit],
    ["no url", { ...good, url: undefined }, Code.BadMessage],
    ["no digest", { ...good, sign: undefined }, Code.BadMessage],
    ["half a digest", { ...good, sign: "abcd" }, Code.BadMessage],
    ["a digest that is not hexadecimal", { ...good, sign: "z".repeat(64) }, Code.BadMessage],
    ["an unknown digest", { ...good, signMethod: "SHA3" }, Code.Unsupported],
    ["an md5 length for sha256", { ...good, sign: "0".repeat(32) }, Code.BadMessage],
    ["no size", { ...good, size: undefined }, Code.BadMessage],
    ["size 0", { ...good, size: 0 }, Code.BadMessage],
    ["a negative size", { ...good, size: -1 }, Code.BadMessage],
    ["a size beyond 2^32", { ...good, size: 4294967296 }, Code.BadMessage],
    ["a long version", { ...good, version: "1".repeat(65) }, Code.OverLimit],
    ["a version with a slash", { ...good, version: "1/2" }, Code.BadMessage],
    ["a long url", { ...good, url: `https://files.example/${"x".repeat(1024)}` }, Code.OverLimit],
    ["a plain url", { ...good, url: "http://files.example/x" }, Code.NotAllowed],
    ["a url with a password", { ...good, url: "https://u:p@files.example/x" }, Code.BadMessage],
    ["another scheme", { ...good, url: "ftp://files.example/x" }, Code.Unsupported],
    ["a diff", { ...good, isDiff: 1 }, Code.Unsupported],
    ["several files", { ...good, files: [{ fileSize: 1 }] }, Code.Unsupported],
    ["a download over MQTT", { ...good, url: undefined, dProtocol: "mqtt", streamId: 1 }, Code.Unsupported],
  ];
  for (const [name, data, code] of cases) {
    const { rig, broker, web } = await bench(file);
    broker.publish(UPGRADE, push(data));
    rig.settle();
    assert.equal(failure(rig).code, code, name);
    assert.equal(steps(broker).at(-1), "-1", name);
    assert.ok((broker.payloads("/ota/device/progress/").at(-1)!.params as { desc: string }).desc.length > 10, name);
    assert.equal(web.requests.length, 0, name);
    assert.ok(!rig.flashOps.some((op) => op.op !== FlashOp.Read && op.offset < layout.state[0]!), name);
  }
});

test("plain paths are refused unless the configuration names them", async () => {
  const file = image(2500);
  const plain = { url: "http://files.example/x" };
  const cases: [string, string[] | undefined, Record<string, unknown>, boolean][] = [
    ["mqtt://broker.example:1883", undefined, {}, false],
    ["mqtt://broker.example:1883", ["http"], {}, false],
    ["mqtt://broker.example:1883", ["mqtt"], {}, true],
    ["mqtt://broker.example:1883", ["mqtt"], plain, false],
    ["mqtt://broker.example:1883", ["mqtt", "http"], plain, true],
    ["mqtts://broker.example:8883", ["http"], plain, true],
  ];
  for (const [endpoint, allowPlain, members, taken] of cases) {
    const { rig, broker } = await bench(file, { configuration: { endpoint, ...(allowPlain ? { allowPlain } : {}) } });
    broker.publish(UPGRADE, push(offer(file, members)));
    rig.settle();
    assert.equal(rig.restart, taken, `${endpoint} ${allowPlain} ${JSON.stringify(members)}`);
    if (!taken) assert.equal(failure(rig).code, Code.NotAllowed);
  }
});

test("without a flash an offer is refused, and the session goes on", async () => {
  const file = image(100);
  const rig = await Rig.create({ configuration: { flash: undefined } });
  const broker = new Broker(rig);
  rig.settle();
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.equal(rig.restart, false);
  assert.equal(rig.linked[Channel.Mqtt], true);
});

test("an offer for another module is told and reported to nobody", async () => {
  const file = image(500);
  const { rig, broker } = await bench(file);
  for (const module of ["MCU", "a-module-with-a-long-name"]) {
    broker.publish(UPGRADE, push(offer(file, { module })));
    rig.settle();
    assert.equal(rig.named("fault").at(-1)!.code, Code.Unsupported);
  }
  assert.deepEqual(steps(broker), []);
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.ok(rig.restart);
});

test("an offer that comes while another update is in hand or a failure is reported is asked for afterwards", async () => {
  const file = image(5000);
  const { rig, broker, web } = await bench(file);
  const other = offer(file, { version: "3.0.0" });
  web.answer = (request) =>
    request.target === "/bad"
      ? { bytes: response("404 Not Found", { "Content-Length": 0 }) }
      : fileServer(file)(request);
  let pushed = false;
  broker.published = (topic, payload) => {
    if (topic.includes("/progress/") && !pushed) {
      pushed = true;
      broker.publish(UPGRADE, push(other));
    }
    if (topic.endsWith("firmware/get") && pushed)
      broker.publish(GET_REPLY, { id: (JSON.parse(payload) as { id: string }).id, code: 200, data: other });
  };
  broker.publish(UPGRADE, push(offer(file, { url: "https://files.example/bad" })));
  rig.advance(1000);
  assert.equal(failure(rig).detail, 404);
  assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));
  assert.equal(rig.named("update.verified")[0]!.version, "3.0.0");
});

test("firmware/get without an answer is asked again, a few times", async () => {
  const { rig, broker } = await bench(image(10));
  assert.equal(broker.payloads("thing/ota/firmware/get").length, 1);
  rig.advance(3_600_000);
  assert.equal(broker.payloads("thing/ota/firmware/get").length, 4);
});
