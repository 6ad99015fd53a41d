import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { Boot, BootOp, Channel, Closed, Code, Done, FlashOp } from "../../host/abi.js";
import { Broker, identity, layout, type Message, Rig, type RigOptions } from "./rig.js";
import { chunked, fileServer, response, Web } from "./web.js";

const { productKey, deviceName } = identity;
const UPGRADE = `/ota/device/upgrade/${productKey}/${deviceName}`;
const GET_REPLY = `/sys/${productKey}/${deviceName}/thing/ota/firmware/get_reply`;

/** `size` bytes that no other size or seed has. */
function image(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let x = seed * 2654435761 + size;
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

function offer(
  file: Uint8Array,
  members: Record<string, unknown> = {},
  method: "md5" | "sha256" = "sha256",
): Record<string, unknown> {
  const sign = createHash(method).update(file).digest("hex");
  return {
    size: file.length,
    version: "2.0.0",
    url: "https://files.example/fw.bin?Expires=1&Signature=x%2B",
    sign,
    signMethod: method === "md5" ? "Md5" : "SHA256",
    ...(method === "md5" ? { md5: sign } : {}),
    ...members,
  };
}

const push = (data: unknown): unknown => ({ code: "1000", data, id: 1695281536874, message: "success" });

interface Bench {
  rig: Rig;
  broker: Broker;
  web: Web;
}

async function bench(file: Uint8Array, options: RigOptions = {}): Promise<Bench> {
  const rig = await Rig.create(options);
  const broker = new Broker(rig);
  const web = new Web(rig, fileServer(file));
  rig.settle();
  return { rig, broker, web };
}

/** Restart on the same flash, as the boot loader decides. */
async function restarted(
  from: Rig,
  slot: number,
  how: number,
  reason = 0,
  options: RigOptions = {},
): Promise<{ rig: Rig; broker: Broker }> {
  const rig = await Rig.create({ ...options, flash: from.flash, booted: [slot, how, reason] });
  return { rig, broker: new Broker(rig) };
}

function slot(rig: Rig, index: number, length: number): Buffer {
  return Buffer.from(rig.flash.subarray(layout.slots[index]![0]!, layout.slots[index]![0]! + length));
}

function failure(rig: Rig): Message {
  const [failed] = rig.named("update.failed");
  assert.ok(failed, `no update.failed in ${JSON.stringify(rig.events)}`);
  return failed;
}

/** The steps that the device reported to the platform. */
const steps = (broker: Broker): string[] =>
  broker.payloads("/ota/device/progress/").map((message) => (message.params as { step: string }).step);

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

test("the body may be chunked, ranged, redirected, or end with the link", async () => {
  const file = image(9000);
  const whole: Record<string, (from: number | undefined) => Buffer> = {
    "chunks of 1": () => response("200 OK", { "Transfer-Encoding": "chunked" }, chunked(file, 1)),
    "chunks of 1000": () => response("200 OK", { "Transfer-Encoding": "chunked" }, chunked(file, 1000)),
    "chunks of 4096": () => response("200 OK", { "transfer-encoding": "Chunked" }, chunked(file, 4096)),
    "no length": () => response("200 OK", {}, file),
    "an interim response first": () =>
      Buffer.concat([
        Buffer.from("HTTP/1.1 100 Continue\r\n\r\n"),
        response("200 OK", { "Content-Length": 9000 }, file),
      ]),
  };
  for (const [name, bytes] of Object.entries(whole)) {
    for (const fragment of [1, 777, undefined]) {
      const { rig, broker, web } = await bench(file, fragment === undefined ? {} : { fragment });
      web.answer = (request) => ({ bytes: bytes(request.from), end: Closed.Peer });
      broker.publish(UPGRADE, push(offer(file)));
      rig.settle();
      assert.ok(rig.restart, `${name}, fragments of ${fragment}: ${JSON.stringify(rig.events.slice(-2))}`);
      assert.deepEqual(slot(rig, 1, 9000), file);
    }
  }
  const { rig, broker, web } = await bench(file);
  const serve = fileServer(file);
  web.answer = (request) => {
    if (request.uri === "tls://files.example:443")
      return { bytes: response("302 Found", { Location: "https://mirror.example:8443/a?b=c" }), end: Closed.Peer };
    if (request.target === "/a?b=c")
      return { bytes: response("307 Temporary Redirect", { Location: "/final" }), end: Closed.Peer };
    return serve(request);
  };
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.ok(rig.restart);
  assert.deepEqual(
    web.requests.map(({ uri, target }) => `${uri}${target}`),
    [
      "tls://files.example:443/fw.bin?Expires=1&Signature=x%2B",
      "tls://mirror.example:8443/a?b=c",
      "tls://mirror.example:8443/final",
    ],
  );
});

test("a lost link is resumed where it broke; a server without ranges starts over", async () => {
  const file = image(30_000);
  for (const ranges of [true, false]) {
    const { rig, broker, web } = await bench(file);
    let tries = 0;
    const serve = fileServer(file);
    web.answer = (request) => {
      tries += 1;
      const whole = ranges ? serve(request) : serve({ ...request, from: undefined as never });
      return tries < 4 ? { bytes: whole.bytes.subarray(0, 9_000), end: Closed.Broken } : whole;
    };
    broker.publish(UPGRADE, push(offer(file)));
    rig.advance(120_000);
    assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));
    assert.deepEqual(slot(rig, 1, 30_000), file);
    const froms = web.requests.map((request) => request.from ?? 0);
    assert.equal(froms[0], 0);
    assert.ok(froms[1]! > 8_000 && froms[1]! < 9_000);
    if (ranges) assert.ok(froms[2]! > froms[1]! && froms[3]! > froms[2]!);
  }
});

test("a download that does not agree with the offer is refused with its step and reason", async () => {
  const file = image(5000);
  const cases: [
    string,
    Partial<Record<string, unknown>>,
    (request: { from?: number }) => { bytes: Buffer; end?: number },
    number,
    number,
  ][] = [
    [
      "longer than announced",
      {},
      () => ({ bytes: response("200 OK", { "Content-Length": 5001 }, image(5001)) }),
      Code.BadSize,
      -2,
    ],
    [
      "shorter than announced",
      {},
      () => ({ bytes: response("200 OK", { "Content-Length": 4999 }, image(4999)) }),
      Code.BadSize,
      -2,
    ],
    [
      "chunks beyond the end",
      {},
      () => ({ bytes: response("200 OK", { "Transfer-Encoding": "chunked" }, chunked(image(6000), 512)) }),
      Code.BadSize,
      -2,
    ],
    [
      "more than the length says",
      {},
      () => ({ bytes: response("200 OK", { "Content-Length": 5000 }, image(5100)) }),
      Code.BadSize,
      -2,
    ],
    [
      "other bytes",
      {},
      () => ({ bytes: response("200 OK", { "Content-Length": 5000 }, image(5000, 9)) }),
      Code.BadDigest,
      -3,
    ],
    ["not found", {}, () => ({ bytes: response("404 Not Found", { "Content-Length": 0 }) }), Code.Refused, -2],
    ["not HTTP", {}, () => ({ bytes: Buffer.from("SSH-2.0-x\r\n") }), Code.BadMessage, -2],
    [
      "both lengths",
      {},
      () => ({ bytes: response("200 OK", { "Content-Length": 5000, "Transfer-Encoding": "chunked" }) }),
      Code.BadMessage,
      -2,
    ],
    ["gzip", {}, () => ({ bytes: response("200 OK", { "Transfer-Encoding": "gzip" }) }), Code.Unsupported, -2],
    [
      "an endless head",
      {},
      () => ({ bytes: Buffer.from(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(9000)}\r\n`) }),
      Code.OverLimit,
      -2,
    ],
    [
      "redirects without end",
      {},
      () => ({ bytes: response("302 Found", { Location: "/again" }), end: Closed.Peer }),
      Code.Refused,
      -2,
    ],
    [
      "a redirect to plain HTTP",
      {},
      () => ({ bytes: response("302 Found", { Location: "http://files.example/x" }), end: Closed.Peer }),
      Code.NotAllowed,
      -2,
    ],
    [
      "a redirect to nowhere",
      {},
      () => ({ bytes: response("302 Found", { Location: "ftp://x/" }), end: Closed.Peer }),
      Code.Unsupported,
      -2,
    ],
  ];
  for (const [name, members, answer, code, step] of cases) {
    const { rig, broker, web } = await bench(file);
    web.answer = answer;
    broker.publish(UPGRADE, push(offer(file, members)));
    rig.settle();
    const failed = failure(rig);
    assert.equal(failed.code, code, name);
    assert.equal(failed.step, step, name);
    assert.equal(steps(broker).at(-1), String(step), name);
    assert.ok(!rig.restart && rig.boot.length === 0, name);
    // and the device is ready for the next one
    web.answer = fileServer(file);
    broker.publish(UPGRADE, push(offer(file)));
    rig.settle();
    assert.ok(rig.restart, `${name}: the next update ${JSON.stringify(rig.events.slice(-2))}`);
  }
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

test("an expired URL is renewed once", async () => {
  const file = image(5000);
  const denied = response("403 Forbidden", { "Content-Length": 0 });
  const { rig, broker, web } = await bench(file);
  const serve = fileServer(file);
  web.answer = (request) => (request.target === "/new" ? serve(request) : { bytes: denied, end: Closed.Peer });
  broker.published = (topic, payload) => {
    if (!topic.endsWith("firmware/get")) return;
    const url = web.requests.length === 0 ? undefined : "https://files.example/new";
    broker.publish(GET_REPLY, {
      id: (JSON.parse(payload) as { id: string }).id,
      code: 200,
      data: url === undefined ? {} : offer(file, { url }),
    });
  };
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));

  const again = await bench(file);
  again.web.answer = () => ({ bytes: denied, end: Closed.Peer });
  again.broker.published = (topic, payload) => {
    if (!topic.endsWith("firmware/get")) return;
    again.broker.publish(GET_REPLY, {
      id: (JSON.parse(payload) as { id: string }).id,
      code: 200,
      data: again.web.requests.length === 0 ? {} : offer(file),
    });
  };
  again.broker.publish(UPGRADE, push(offer(file)));
  again.rig.settle();
  const failed = failure(again.rig);
  assert.equal(failed.code, Code.Refused);
  assert.equal(failed.detail, 403);
  assert.equal(again.web.requests.length, 2);
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
  rig.settle();
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

test("a server that gives a byte at a time is given up", async () => {
  const file = image(9000);
  const { rig, broker, web } = await bench(file);
  const serve = fileServer(file);
  web.answer = (request) => {
    const { bytes } = serve(request);
    const head = Buffer.from(bytes).indexOf("\r\n\r\n") + 4;
    return { bytes: bytes.subarray(0, head + 1), end: Closed.Peer };
  };
  broker.publish(UPGRADE, push(offer(file)));
  rig.advance(600_000);
  assert.equal(failure(rig).step, -2);
  assert.ok(web.requests.length < 20);
});

test("a redirect never leads from TLS to plain HTTP, even where plain HTTP is allowed", async () => {
  const file = image(900);
  const { rig, broker, web } = await bench(file, { configuration: { allowPlain: ["http"] } });
  web.answer = () => ({ bytes: response("302 Found", { Location: "http://evil.example/x" }), end: Closed.Peer });
  broker.publish(UPGRADE, push(offer(file)));
  rig.settle();
  assert.equal(failure(rig).code, Code.NotAllowed);
  assert.equal(web.requests.length, 1);
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
