// The benchmark as a program: what it reports, not how fast anything is.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { measure, measureCoap, percentile, type Result } from "../../host/cli/bench.js";
import { chart } from "../../host/cli/bench_chart.js";
import { COAP_CASE, coapPosters, modulePoster, OTHER, Peer } from "../../host/cli/bench_coap.js";
import { inputOf, loadSubjects, OURS, SIZES } from "../../host/cli/bench_subjects.js";
import { measureUpdate } from "../../host/cli/bench_update.js";
import { wasm } from "../paths.js";

const EFFORT = { rounds: 3, turn: 0.05 };

const result = (over: Partial<Result>): Result => ({
  name: "md5",
  subject: OURS,
  size: 64,
  median: 100,
  p10: 90,
  p90: 110,
  unit: "MB/s",
  ratioTo: {},
  version: "1.2.3",
  machine: "a machine",
  ...over,
});

describe("percentile", () => {
  it("interpolates between the sorted values", () => {
    assert.equal(percentile([3, 1, 2], 0.5), 2);
    assert.equal(percentile([4, 1, 2, 3], 0.5), 2.5);
    assert.equal(percentile([10, 0], 0.1), 1);
    assert.equal(percentile([7], 0.9), 7);
  });
});

describe("cases", () => {
  it("every algorithm in every size, ours and node:crypto among the subjects, all with the same result", async () => {
    const { cases, versions } = await loadSubjects();
    const names = ["md5", "sha1", "sha256", "hmac-sha256", "aes-128-cbc encrypt", "aes-128-cbc decrypt"];
    assert.deepEqual([...new Set(cases.map(({ name }) => name))], names);
    assert.equal(cases.length, names.length * SIZES.length);
    assert.equal(versions.get("node:crypto"), process.versions.node);
    for (const { name, size, works } of cases) {
      assert.deepEqual([works.has(OURS), works.has("node:crypto")], [true, true], name);
      if (size > 16384) continue;
      const input = inputOf(name, size);
      const expected = Buffer.from(works.get("node:crypto")!(input)).toString("hex");
      for (const [subject, work] of works)
        assert.equal(Buffer.from(work(input)).toString("hex"), expected, `${subject}: ${name} ${size}`);
    }
  });
});

describe("measure", () => {
  const slow = (work: () => Uint8Array) => () => {
    for (let i = 0; i < 2000; i++) work();
    return work();
  };
  const same = () => new Uint8Array([1]);

  it("gives one result for each subject, with the ratios to the others", () => {
    const works = new Map([
      [OURS, same],
      ["another", slow(same)],
    ]);
    const versions = new Map([
      [OURS, "1"],
      ["another", "2"],
    ]);
    const results = measure({ name: "md5", size: 64, works }, versions, EFFORT);
    assert.deepEqual(
      results.map(({ name, subject, size, unit, version }) => [name, subject, size, unit, version]),
      [
        ["md5", OURS, 64, "MB/s", "1"],
        ["md5", "another", 64, "MB/s", "2"],
      ],
    );
    const [ours, another] = results as [Result, Result];
    assert.deepEqual([Object.keys(ours.ratioTo), Object.keys(another.ratioTo)], [["another"], [OURS]]);
    // Two thousand times the work: a ratio, not a speed.
    assert.ok(ours.ratioTo.another! > 1 && another.ratioTo[OURS]! < 1);
    for (const { p10, median, p90 } of results) assert.ok(p10 <= median && median <= p90 && p10 > 0);
  });

  it("refuses subjects that disagree", () => {
    const works = new Map([
      [OURS, same],
      ["wrong", () => new Uint8Array([2])],
    ]);
    assert.throws(
      () => measure({ name: "md5", size: 64, works }, new Map(), EFFORT),
      /wrong and alink-agent disagree on md5 of 64 bytes/,
    );
  });
});

describe("an update", () => {
  it("goes through beside the digest alone and the programs that only fetch and hash", async () => {
    const results = await measureUpdate(2, "1", "a machine", 100_003);
    const subjects = results.map(({ subject }) => subject);
    for (const subject of [OURS, "its SHA-256 alone", "node:crypto"]) assert.ok(subjects.includes(subject), subject);
    for (const { size, median, ratioTo } of results) {
      assert.equal(size, 100_003);
      assert.ok(median > 0);
      assert.equal(Object.keys(ratioTo).length, results.length - 1);
    }
  });
});

describe("chart", () => {
  it("has a bar for each speed, the sizes of the modules, the machine and the versions; text is escaped", () => {
    const svg = chart([
      result({ machine: "<machine> & more" }),
      result({ subject: "hash-wasm", median: 50, version: "4.5.6" }),
      result({ name: "x.wasm", unit: "bytes", median: 1234 }),
    ]);
    assert.equal(svg.match(/<title>/g)?.length, 2);
    for (const part of ["x.wasm 1234 bytes", "&#60;machine&#62; &#38; more", "hash-wasm 4.5.6", "alink-agent 1.2.3"])
      assert.ok(svg.includes(part), part);
    assert.ok(!svg.includes("<machine>"));
  });

  it("draws heights in proportion to the medians", () => {
    const svg = chart([result({ p90: 100 }), result({ subject: "hash-wasm", median: 50, p10: 50, p90: 50 })]);
    const heights = [...svg.matchAll(/height="([\d.]+)" fill="#\w+"><title>/g)].map(([, height]) => Number(height));
    assert.equal(heights.length, 2);
    assert.ok(Math.abs(heights[0]! / heights[1]! - 2) < 0.01);
  });
});

describe("posts over CoAP", () => {
  it("gives one result for each subject, with the ratio between them", async () => {
    const results = await measureCoap("1.2.3", 3, 5);
    assert.deepEqual(
      results.map(({ name, subject, unit, version }) => [name, subject, unit, version]),
      [
        [COAP_CASE, OURS, "posts/s", "1.2.3"],
        [COAP_CASE, OTHER, "posts/s", results[1]!.version],
      ],
    );
    assert.match(results[1]!.version, /^1\./);
    for (const { median, p10, p90 } of results) assert.ok(median > 0 && p10 <= median && median <= p90);
    const [ours, other] = results.map(({ ratioTo }) => Object.values(ratioTo)[0]!);
    assert.ok(Math.abs(ours! * other! - 1) < 0.02, `${ours} ${other}`);
  });

  it("each post is one request that the peer answered", async () => {
    const peer = new Peer();
    const module = await WebAssembly.compile(readFileSync(wasm("agent-coap")));
    const poster = await modulePoster(module, peer);
    await poster(1);
    // The version is informed before the first post.
    const before = peer.requests;
    await poster(20);
    assert.equal(peer.requests - before, 20);
    const { other } = await coapPosters();
    await other!(3);
  });
});
