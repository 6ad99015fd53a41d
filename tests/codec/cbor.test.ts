// The core's CBOR against npm cborg and the examples of RFC 8949 appendix A.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decode, encode } from "cborg";
import fc from "fast-check";
import { Code, call, input, memory, place, room } from "./core.js";

const bytes = (length: number): Buffer => Buffer.from(memory.subarray(place.sink, place.sink + length));

function toCbor(json: string, slice = 4096, cap = room): Buffer | number {
  // the blank ends a number that is the whole document
  const text = Buffer.from(`${json} `);
  const length = call("cborEncode", place.sink, cap, input(text), text.length, slice);
  return length < 0 ? length : bytes(length);
}

function toJson(cbor: Uint8Array, slice = 4096): string | number {
  const length = call("cborDecode", place.sink, input(cbor), cbor.length, slice);
  return length < 0 ? length : bytes(length).toString();
}

/** RFC 8949 appendix A, the part that JSON has words for. */
const EXAMPLES: [hex: string, json: string][] = [
  ["00", "0"],
  ["01", "1"],
  ["0a", "10"],
  ["17", "23"],
  ["1818", "24"],
  ["1819", "25"],
  ["1864", "100"],
  ["1903e8", "1000"],
  ["1a000f4240", "1000000"],
  ["1b000000e8d4a51000", "1000000000000"],
  ["20", "-1"],
  ["29", "-10"],
  ["3863", "-100"],
  ["3903e7", "-1000"],
  ["f93e00", "1.5"],
  ["fa47c35000", "100000.0"],
  ["fb3ff199999999999a", "1.1"],
  ["f9c400", "-4.0"],
  ["fbc010666666666666", "-4.1"],
  ["f98000", "-0"],
  ["f4", "false"],
  ["f5", "true"],
  ["f6", "null"],
  ["60", '""'],
  ["6161", '"a"'],
  ["6449455446", '"IETF"'],
  ["62225c", '"\\"\\\\"'],
  ["62c3bc", '"ü"'],
  ["63e6b0b4", '"水"'],
  ["64f0908591", '"𐅑"'],
  ["80", "[]"],
  ["83010203", "[1,2,3]"],
  ["8301820203820405", "[1,[2,3],[4,5]]"],
  ["98190102030405060708090a0b0c0d0e0f101112131415161718181819", `[${Array.from({ length: 25 }, (_, i) => i + 1)}]`],
  ["a0", "{}"],
  ["a26161016162820203", '{"a":1,"b":[2,3]}'],
  ["826161a161626163", '["a",{"b":"c"}]'],
  ["a56161614161626142616361436164614461656145", '{"a":"A","b":"B","c":"C","d":"D","e":"E"}'],
];

/** Numbers that both sides write as integers come back so: 100000.0 is 100000 here. */
const INTEGERS = new Set(["fa47c35000", "f9c400"]);

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }).map((x) => Number(x.toFixed(6))),
    fc.string({ unit: "grapheme", maxLength: 30 }),
    fc.constantFrom<unknown>(true, false, null, "", "x".repeat(300), 0.1, 21.5, -273.15, 1e-3, 65535, 2 ** 53 - 1),
    tie("list"),
    tie("object"),
  ),
  list: fc.array(tie("any"), { maxLength: 30 }),
  object: fc.dictionary(fc.string({ maxLength: 12 }), tie("any"), { maxKeys: 30 }),
})).any;

const clean = (text: string): unknown => JSON.parse(text);

describe("cbor", () => {
  it("writes and reads the examples of RFC 8949 appendix A", () => {
    for (const [hex, json] of EXAMPLES) {
      if (!INTEGERS.has(hex)) assert.equal((toCbor(json) as Buffer).toString("hex"), hex, json);
      assert.deepEqual(JSON.parse(toJson(Buffer.from(hex, "hex")) as string), JSON.parse(json), hex);
    }
  });

  it("writes what cborg reads, as short as cborg does, whatever the slices", () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 40 }), (made, slice) => {
        const json = JSON.stringify(made);
        const cbor = toCbor(json, slice);
        if (typeof cbor === "number") return fc.pre(false);
        assert.deepEqual(decode(cbor), clean(json));
        // the same items, in the order of the members: so the lengths agree
        assert.equal(cbor.length, encode(clean(json)).length, json);
        return true;
      }),
      { numRuns: 500 },
    );
  });

  it("reads what cborg writes, whatever the slices", () => {
    fc.assert(
      fc.property(value, fc.integer({ min: 1, max: 40 }), (made, slice) => {
        const clear = clean(JSON.stringify(made));
        const json = toJson(encode(clear), slice);
        assert.equal(typeof json, "string", JSON.stringify(clear));
        assert.deepEqual(JSON.parse(json as string), clear);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps every double of six decimals and every single", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, min: 1e-6, max: 1e12 }), (x) => {
        const json = toJson(encode(x));
        assert.equal(Number(json), x);
        const short = Number(x.toPrecision(15));
        const back = toCbor(String(short));
        if (typeof back !== "number") assert.equal(decode(back), short);
      }),
      { numRuns: 3000 },
    );
    for (const half of [0x0001, 0x3c01, 0x7bff, 0x8400]) {
      const cbor = Buffer.from([0xf9, half >> 8, half & 255]);
      assert.equal(Number(toJson(cbor)), decode(cbor));
    }
  });

  it("refuses what it does not write: the caller takes JSON then", () => {
    for (const json of [
      "1e30",
      "123456789012345678901",
      "0.1234567890123456789",
      `{"${"k".repeat(41)}":1}`,
      "[".repeat(13) + "]".repeat(13),
    ])
      assert.equal(toCbor(json), Code.Unsupported, json);
    const whole = toCbor('{"a":[1,2,"text"],"b":1000}') as Buffer;
    for (let cap = 0; cap < whole.length; cap++)
      assert.equal(toCbor('{"a":[1,2,"text"],"b":1000}', 4096, cap), Code.Unsupported);
  });

  it("refuses what JSON has no word for, and every truncation", () => {
    for (const hex of [
      "4101",
      "a10102",
      "9fff",
      "bfff",
      "7f6161ff",
      "f97e00",
      "f97c00",
      "fb7ff0000000000000",
      "ff",
      "1c",
      "f0",
      "3bffffffffffffffff",
      "0000",
    ])
      assert.equal(toJson(Buffer.from(hex, "hex")), Code.BadMessage, hex);
    assert.equal(toJson(Buffer.from("c11a514b67b0", "hex")), "1363896240", "a tag is passed over");
    assert.equal(toJson(Buffer.alloc(13, 0x81)), Code.BadMessage, "nested too deep");
    const whole = encode({ a: [1, 1000, "text", null, -1.5], b: { c: "" } });
    for (let cut = 0; cut < whole.length; cut++)
      assert.ok((toJson(whole.subarray(0, cut)) as number) < 0, `${cut} bytes`);
  });

  it("never reads or writes where it should not, whatever comes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.integer({ min: 1, max: 8 }), (made, slice) => {
        const json = toJson(made, slice);
        if (typeof json === "number") assert.ok(json < 0);
      }),
      { numRuns: 3000 },
    );
  });
});
