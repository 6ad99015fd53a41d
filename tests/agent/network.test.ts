// Downloads over a network and from servers that do everything wrong, at every byte of the response: the update succeeds
// or ends with a reason, nothing but the announced bytes is ever started, and the device is ready for the next one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { BootOp, Channel, Closed } from "../../host/abi.js";
import { Cloud } from "./cloud.js";
import { FlashModel, random } from "./flash_model.js";
import { Bench, type Geometry, image } from "./power.js";
import { Rig } from "./rig.js";
import { type Answer, fileServer, type Request, response } from "./web.js";

/** Two blocks and a rest. */
const GEOMETRY: Geometry = { sector: 4096, write: 16, erased: 255, size: 4413, before: 0 };
const SIZE = GEOMETRY.size;
const bench = await Bench.create(GEOMETRY);
const file = image(SIZE, 77);
const HOUR = 3_600_000;

type Serve = (request: Request, index: number) => Answer;

interface Result {
  status: string;
  desc: string;
  requests: Request[];
  cloud: Cloud;
  rig: Rig;
  flash: FlashModel;
}

/** One release on a fresh device; the clock turns until the task is over or the device restarts. */
async function update(
  serve: Serve,
  start = 1000,
  disturb: (rig: Rig, minute: number) => void = () => {},
): Promise<Result> {
  const cloud = new Cloud();
  const flash = new FlashModel(bench.layout, random(1), bench.start);
  const loader = bench.makeLoader(flash);
  const { slot, how, reason } = loader.boot();
  const rig = await Rig.create({
    configured: bench.fresh(),
    booted: [slot, how, reason],
    parts: {
      flash: (op, offset, length, bytes) => {
        if (op === 1) bytes.set(flash.read(offset, length));
        else if (op === 2) flash.write(offset, bytes);
        else flash.erase(offset, length);
        return 0;
      },
      boot: (op, target) => {
        assert.equal(op, BootOp.Activate);
        assert.deepEqual(flash.look(bench.layout.slots[target]![0], SIZE), file, "other bytes are activated");
        loader.activate(target);
        return 0;
      },
    },
  });
  rig.now = start;
  const requests: Request[] = [];
  cloud.serve = (request) => {
    requests.push(request);
    return serve(request, requests.length - 1);
  };
  cloud.attach(rig);
  rig.settle();
  const task = cloud.release(file, "2.0.0");
  for (let minute = 0; !rig.restart && task.status !== "FAILED"; minute++) {
    assert.ok(minute < 240, `nothing goes on: ${JSON.stringify(rig.events.slice(-2))}`);
    disturb(rig, minute);
    rig.advance(60_000);
    cloud.now += 60_000;
  }
  return { status: rig.restart ? "restart" : task.status, desc: task.desc, requests, cloud, rig, flash };
}

function succeeded({ status, desc }: Result, what: string): void {
  assert.equal(status, "restart", `${what}: ${desc}`);
}

/** It failed with a reason; the next release works. */
async function failed(result: Result, what: string): Promise<void> {
  assert.equal(result.status, "FAILED", what);
  assert.notEqual(result.desc, "", what);
  const { cloud, rig } = result;
  cloud.serve = undefined;
  cloud.release(file, "2.0.0");
  for (let minute = 0; !rig.restart && minute < 20; minute++) rig.advance(60_000);
  assert.ok(rig.restart, `${what}: the next release ${JSON.stringify(rig.events.slice(-2))}`);
}

const good = fileServer(file);
const whole = good({ uri: "", target: "", headers: new Map() }).bytes;
/** Bytes of the head of a good answer. */
const HEAD = Buffer.from(whole).indexOf("\r\n\r\n") + 4;
const OFFSETS = Array.from({ length: whole.length + 1 }, (_, i) => i);

for (const [name, end] of [
  ["closed", Closed.Peer],
  ["broken", Closed.Broken],
] as const)
  test(`the link is ${name} at every byte of the response`, async () => {
    for (const offset of OFFSETS) {
      const result = await update((request, index) => {
        const answer = good(request);
        return index === 0 ? { bytes: answer.bytes.subarray(0, offset), end } : answer;
      });
      succeeded(result, `${name} after ${offset} bytes`);
      const [, second] = result.requests;
      // what had arrived is not fetched again
      const arrived = Math.max(0, offset - HEAD);
      assert.equal(second?.from ?? 0, arrived === SIZE ? 0 : arrived, `${name} after ${offset} bytes`);
    }
  });

test("the server stalls at every byte of the response", async () => {
  for (const offset of OFFSETS) {
    const result = await update((request, index) => {
      const answer = good(request);
      return index === 0 ? { bytes: answer.bytes.subarray(0, offset) } : answer;
    });
    succeeded(result, `stalled after ${offset} bytes`);
  }
});

test("garbage from any byte of the response on never starts, and the next release works", async () => {
  const noise = random(9);
  for (const offset of OFFSETS) {
    // bytes behind the announced end are none of the response
    if (offset === whole.length) continue;
    const bytes = Buffer.from(whole);
    for (let i = offset; i < bytes.length; i++) bytes[i] = Math.floor(noise() * 256) ^ 0x80;
    const result = await update(() => ({ bytes, end: Closed.Peer }));
    await failed(result, `garbage from byte ${offset}`);
  }
});

test("one bit that is not the announced one, anywhere in the body, is found", async () => {
  for (let offset = 0; offset < SIZE; offset += 61) {
    const bytes = Buffer.from(whole);
    bytes[HEAD + offset]! ^= 1 << (offset % 8);
    const result = await update(() => ({ bytes, end: Closed.Peer }));
    await failed(result, `bit at ${offset}`);
    assert.match(result.desc, /digest/i);
  }
});

test("lengths and ranges that do not agree are refused, or gone on with when a part is only short", async () => {
  const part = (from: number, to: number, total = SIZE) =>
    response(
      "206 Partial Content",
      { "Content-Length": to - from, "Content-Range": `bytes ${from}-${to - 1}/${total}` },
      Buffer.from(file.subarray(from, to)),
    );
  const after = 2048 + 300;
  const cut = { bytes: whole.subarray(0, HEAD + after), end: Closed.Broken };
  const second: [name: string, answer: (from: number) => Buffer, works: boolean][] = [
    ["the range that was asked for", (from) => part(from, SIZE), true],
    ["200 and everything", () => Buffer.from(whole), true],
    ["an earlier range", (from) => part(from - 1, SIZE), false],
    ["a later range", (from) => part(from + 1, SIZE), false],
    ["another total", (from) => part(from, SIZE, SIZE + 1), false],
    ["416", () => response("416 Range Not Satisfiable", { "Content-Length": 0 }), false],
    ["404", () => response("404 Not Found", { "Content-Length": 0 }), false],
    [
      "a whole body one byte short",
      () => response("200 OK", { "Content-Length": SIZE - 1 }, Buffer.from(file.subarray(1))),
      false,
    ],
    [
      "a whole body one byte long",
      () => response("200 OK", { "Content-Length": SIZE + 1 }, Buffer.concat([file, Buffer.of(1)])),
      false,
    ],
    ["more than announced", () => Buffer.concat([whole, Buffer.from("x")]), false],
    [
      "206 without a range",
      () => response("206 Partial Content", { "Content-Length": SIZE }, Buffer.from(file)),
      false,
    ],
  ];
  for (const [name, answer, works] of second) {
    const result = await update((request, index) =>
      index === 0 ? cut : { bytes: answer(request.from ?? 0), end: Closed.Peer },
    );
    if (works) succeeded(result, name);
    else await failed(result, name);
  }
  // a server that gives 1,000 bytes a time is slow, but does come to the end
  const slow = await update((request) => {
    const from = request.from ?? 0;
    return { bytes: part(from, Math.min(SIZE, from + 1000)), end: Closed.Peer };
  });
  succeeded(slow, "1,000 bytes a time");
});

test("a server that ignores Range is fetched from the start, however often the link breaks before", async () => {
  for (const breaks of [1, 2, 3]) {
    const result = await update((_request, index) =>
      index < breaks
        ? { bytes: whole.subarray(0, HEAD + 2048 * index + 700), end: Closed.Broken }
        : { bytes: whole, end: Closed.Peer },
    );
    succeeded(result, `${breaks} breaks`);
  }
});

test("a URL whose time is over is renewed once", async () => {
  const denied = response("403 Forbidden", { "Content-Length": 0 });
  const result = await update((request, index) => (index === 0 ? { bytes: denied, end: Closed.Peer } : good(request)));
  succeeded(result, "renewed");
  await failed(await update(() => ({ bytes: denied, end: Closed.Peer })), "never valid");
});

test("old pushes that come again change nothing", async () => {
  const result = await update((request) => good(request));
  succeeded(result, "the update");
  const replayed = result.cloud.pushes[0];
  // the new image runs, and the old offer comes again
  const { flash, cloud } = result;
  const loader = bench.makeLoader(flash);
  const { slot, how, reason } = loader.boot();
  const before = flash.operations.length;
  const rig = await Rig.create({
    configured: bench.fresh(),
    booted: [slot, how, reason],
    parts: {
      flash: (op, offset, length, bytes) => {
        if (op === 1) bytes.set(flash.read(offset, length));
        else if (op === 2) flash.write(offset, bytes);
        else flash.erase(offset, length);
        return 0;
      },
      boot: (op) => {
        assert.equal(op, BootOp.Confirm);
        loader.confirm();
        return 0;
      },
    },
  });
  cloud.attach(rig);
  rig.settle();
  assert.ok(flash.operations.length > before);
  const settled = flash.operations.length;
  for (let i = 0; i < 5; i++) {
    cloud.push(replayed);
    rig.advance(60_000);
  }
  assert.equal(flash.operations.slice(settled).filter((operation) => operation !== "read").length, 0);
  assert.equal(rig.restart, false);
  assert.equal(rig.named("update.offered").length, 0);
});

test("the clock wraps at any moment of a download, and jumps ahead", async () => {
  const serve: Serve = (request, index) => {
    const answer = good(request);
    return index < 3
      ? { bytes: answer.bytes.subarray(0, HEAD + 900), end: index === 1 ? undefined : Closed.Broken }
      : answer;
  };
  for (const before of [0, 1, 500, 1_000, 5_000, 29_999, 30_000, 30_001, 45_000, 61_000, 90_000]) {
    succeeded(await update(serve, 2 ** 32 - before), `wrap after ${before} ms`);
  }
  for (const jump of [1_000, 31_000, HOUR, 24 * HOUR, 2 ** 30]) {
    const result = await update(serve, 1000, (rig, minute) => {
      if (minute === 0) rig.now += jump;
    });
    succeeded(result, `jump of ${jump} ms`);
  }
});

test("the session breaks at any poll of the update", async () => {
  for (let polls = 1; polls < 60; polls++) {
    const result = await update(good, 1000, (rig, minute) => {
      if (minute > 0) return;
      for (let i = 0; i < polls && !rig.restart; i++) rig.serve(rig.agent.exports.poll(rig.now | 0));
      if (rig.linked[Channel.Mqtt]) rig.hangUp(Channel.Mqtt, Closed.Broken);
    });
    succeeded(result, `session broken after ${polls} polls`);
  }
});
