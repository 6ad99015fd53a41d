// A download goes on where it was: after a lost link, a restart, a power cut, another URL.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Boot, Channel, Closed, Code, FlashOp } from "../../host/abi.js";
import { layout, type Rig } from "./rig.js";
import { answerGet, type Bench, bench, failure, image, offer, push, slot, steps, UPGRADE } from "./update_bench.js";
import { fileServer, response, type Web } from "./web.js";

const SLOT = layout.slots[1]![0]!;
const MARK = 32768;
const FILE = image(60_000);

/** Where the module had erased and programmed the slot, by operation. */
const offsets = (rig: Rig, op: number): number[] =>
  rig.flashOps
    .filter((done) => done.op === op && done.offset >= SLOT && done.offset < layout.state[0]!)
    .map(({ offset }) => offset);
const froms = (web: Web): (number | undefined)[] => web.requests.map(({ from }) => from);

/** Push FILE and let `bytes` of its response through, then nothing more comes. */
async function cutAt(bytes: number, members: Record<string, unknown> = {}): Promise<Bench> {
  const first = await bench(FILE);
  const serve = fileServer(FILE);
  first.web.answer = (request) => ({ bytes: serve(request).bytes.subarray(0, bytes) });
  first.broker.publish(UPGRADE, push(offer(FILE, members)));
  first.rig.settle();
  assert.equal(first.rig.restart, false);
  return first;
}

/** The next run on the same flash. */
async function again(from: Bench, data: unknown): Promise<Bench> {
  const next = await bench(FILE, { flash: from.rig.flash, booted: [0, Boot.Confirmed, 0] }, false);
  answerGet(next, () => data);
  next.rig.settle();
  return next;
}

test("after a restart only what is behind the mark is fetched, and no sector below it is touched", async () => {
  const first = await cutAt(50_000);
  const next = await again(first, offer(FILE, { url: "https://files.example/renewed" }));
  assert.ok(next.rig.restart, JSON.stringify(next.rig.events.slice(-2)));
  assert.deepEqual(froms(next.web), [MARK]);
  assert.equal(next.web.requests[0]!.target, "/renewed");
  assert.deepEqual(slot(next.rig, 1, FILE.length), FILE);
  for (const op of [FlashOp.Erase, FlashOp.Write, FlashOp.Read])
    assert.ok(Math.min(...offsets(next.rig, op)) >= SLOT + MARK, `operation ${op} below the mark`);
  const erased = offsets(next.rig, FlashOp.Erase);
  assert.equal(new Set(erased).size, erased.length);
});

test("a clean update erases each sector once and marks once in 32 KiB", async () => {
  const { rig, broker } = await bench(FILE);
  broker.publish(UPGRADE, push(offer(FILE)));
  rig.settle();
  assert.ok(rig.restart);
  assert.deepEqual(
    offsets(rig, FlashOp.Erase),
    Array.from({ length: 15 }, (_, i) => SLOT + i * 4096),
  );
  const records = rig.flashOps.filter(({ op, offset }) => op === FlashOp.Write && offset >= layout.state[0]!);
  assert.deepEqual(
    records.map(({ length }) => length),
    // the first header, accepted, mark, verified, activated
    [192, 16, 48, 192, 192],
  );
});

test("before the first mark, or with another package, the download starts over", async () => {
  const early = await again(await cutAt(20_000), offer(FILE));
  assert.ok(early.rig.restart);
  assert.deepEqual(froms(early.web), [undefined]);
  const other = image(60_000, 2);
  const first = await cutAt(50_000);
  const next = await bench(other, { flash: first.rig.flash }, false);
  answerGet(next, () => offer(other));
  next.rig.settle();
  assert.ok(next.rig.restart, JSON.stringify(next.rig.events.slice(-2)));
  assert.deepEqual(froms(next.web), [undefined]);
  assert.deepEqual(slot(next.rig, 1, other.length), other);
});

test("a mark of a package that another one has begun to overwrite is not used", async () => {
  const first = await cutAt(50_000);
  const other = image(60_000, 2);
  const second = await bench(other, { flash: first.rig.flash }, false);
  const serve = fileServer(other);
  second.web.answer = (request) => ({ bytes: serve(request).bytes.subarray(0, 5000) });
  answerGet(second, () => offer(other));
  second.rig.settle();
  const third = await again(second, offer(FILE));
  assert.ok(third.rig.restart, JSON.stringify(third.rig.events.slice(-2)));
  assert.deepEqual(froms(third.web), [undefined]);
});

test("a server without ranges starts over, and a cut then does not go on at the old mark", async () => {
  const first = await cutAt(50_000);
  const second = await bench(FILE, { flash: first.rig.flash }, false);
  second.web.answer = () => ({ bytes: response("200 OK", { "Content-Length": FILE.length }, FILE).subarray(0, 9000) });
  answerGet(second, () => offer(FILE));
  second.rig.settle();
  assert.deepEqual(froms(second.web), [MARK]);
  assert.ok(offsets(second.rig, FlashOp.Erase).includes(SLOT));
  const third = await again(second, offer(FILE));
  assert.ok(third.rig.restart);
  assert.deepEqual(froms(third.web), [undefined]);
  assert.deepEqual(slot(third.rig, 1, FILE.length), FILE);
});

test("416 on a range starts over once", async () => {
  const first = await cutAt(50_000);
  const second = await bench(FILE, { flash: first.rig.flash }, false);
  const serve = fileServer(FILE);
  second.web.answer = (request) =>
    request.from === undefined
      ? serve(request)
      : { bytes: response("416 Range Not Satisfiable", { "Content-Length": 0, "Content-Range": "bytes */9" }) };
  answerGet(second, () => offer(FILE));
  second.rig.advance(10_000);
  assert.ok(second.rig.restart, JSON.stringify(second.rig.events.slice(-2)));
  assert.deepEqual(froms(second.web), [MARK, undefined]);
});

test("a wrong digest takes the mark along; a failed download keeps it for the next try", async () => {
  const tampered = Buffer.from(FILE);
  tampered[40_000]! ^= 1;
  const bad = await bench(tampered);
  bad.broker.publish(UPGRADE, push(offer(FILE)));
  bad.rig.settle();
  assert.equal(failure(bad.rig).code, Code.BadDigest);
  bad.web.answer = fileServer(FILE);
  bad.broker.publish(UPGRADE, push(offer(FILE)));
  bad.rig.settle();
  assert.ok(bad.rig.restart);
  assert.deepEqual(froms(bad.web), [undefined, undefined]);

  const lost = await cutAt(50_000);
  lost.web.answer = () => ({ bytes: response("404 Not Found", { "Content-Length": 0 }), end: Closed.Peer });
  lost.rig.hangUp(Channel.Http, Closed.Broken);
  lost.rig.advance(10_000);
  assert.equal(failure(lost.rig).step, -2);
  assert.deepEqual(steps(lost.broker).at(-1), "-2");
  const next = await bench(FILE, { flash: lost.rig.flash }, false);
  answerGet(next, () => ({}));
  next.rig.settle();
  next.broker.publish(UPGRADE, push(offer(FILE)));
  next.rig.settle();
  assert.ok(next.rig.restart);
  assert.deepEqual(froms(next.web), [MARK]);
});

test("another layout of the flash makes the mark useless, and nothing else", async () => {
  const first = await cutAt(50_000);
  const flash = { ...layout, sector: 65536, slots: layout.slots, state: [131072, 131072], queue: [262144, 131072] };
  const bytes = Buffer.alloc(393_216, 255);
  bytes.set(first.rig.flash);
  const next = await bench(FILE, { flash: bytes, configuration: { flash } }, false);
  answerGet(next, () => offer(FILE));
  next.rig.settle();
  assert.ok(next.rig.restart, JSON.stringify(next.rig.events.slice(-2)));
  assert.deepEqual(froms(next.web), [undefined]);
});

test("an update wears the state region as docs/state-region.md says", async () => {
  for (const [write, size] of [
    [16, 60_000],
    [32, 64_000],
    [1, 30_000],
  ] as const) {
    const up = (n: number): number => Math.ceil(n / write) * write;
    const file = image(size);
    const configuration = { flash: { ...layout, write } };
    const first = await bench(file, { configuration });
    first.broker.publish(UPGRADE, push(offer(file)));
    first.rig.settle();
    const next = await bench(file, { configuration, flash: first.rig.flash, booted: [1, Boot.Trial, 0] });
    const ops = [...first.rig.flashOps, ...next.rig.flashOps].filter(({ offset }) => offset >= layout.state[0]!);
    const written = ops.filter(({ op }) => op === FlashOp.Write).reduce((sum, { length }) => sum + length, 0);
    const erases = ops.filter(({ op }) => op === FlashOp.Erase).length;
    const marks = Math.ceil(size / MARK) - 1;
    const records = 4 * up(188) + up(112) + marks * up(48);
    // the second run begins its sector with what is live: the update, and its mark
    const moved = up(188) + Math.min(marks, 1) * up(48);
    assert.equal(erases, 2);
    assert.ok(written <= records + moved + erases * up(16), `${written} bytes of ${records} and ${moved}`);
    assert.ok(written >= records + erases * up(16));
  }
});
