// The download: what servers and links may do to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Closed, Code } from "../../host/abi.js";
import { bench, failure, GET_REPLY, image, offer, push, slot, steps, UPGRADE } from "./update_bench.js";
import { chunked, fileServer, response } from "./web.js";

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
