// The core's JSON reader and writer against JSON.parse and JSON.stringify, in one piece and in all others.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Code, call, input, latin1, memory, pieces, place, room, splits, utf8 } from "./core.js";
import { agrees, build, type Reading, read, reference } from "./json_tokens.js";

const whole = (bytes: Uint8Array): Reading => read([bytes]);

/** Documents that JSON.parse takes. */
const valid = [
  "{}",
  "[]",
  " \t\r\n[ \n]\t ",
  '""',
  "0",
  "-0",
  "-0.0e-0",
  "10",
  "1e5",
  "1E+05",
  "1.25e-7",
  "9007199254740993",
  "123456789012345678901234567890.5",
  "1e999",
  "true",
  " false ",
  "null",
  '{"":0}',
  '{"a":1,"a":2}',
  '{"a":{"b":[[],{},[{}]]},"c":[1,-2,"x",true,false,null]}',
  '"\\"\\\\\\/\\b\\f\\n\\r\\t"',
  '"\\u0000\\u001f\\u007f\\u00e9\\u20AC\\ud83d\\uDe00"',
  '"é€😀\u007f\u2028\ufeff"',
  '"\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}"',
  '"\\ud800"',
  '"\\ud800x"',
  '"\\udc00\\ud800"',
  '"\\ud800\\ud800\\udc00"',
  '"\\ud800\\n"',
  '"\\ud800é\\udc00"',
  '"\\ud800\\u0041"',
  `${"[".repeat(32)}${"]".repeat(32)}`,
  `${'{"a":'.repeat(32)}1${"}".repeat(32)}`,
];

/** Documents that it refuses; as bytes, one a character. */
const invalid = [
  "",
  " ",
  "{",
  "[",
  "]",
  "}",
  "[}",
  "{]",
  "[1}",
  '{"a":1]',
  "[1,]",
  "[,1]",
  "[1 2]",
  "[,]",
  "{,}",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{"a":1 "b":2}',
  '{"a" 1}',
  '{"a"::1}',
  "{a:1}",
  "{1:1}",
  "{null:1}",
  "1 2",
  "{}{}",
  "[]]",
  "{}}",
  '""x',
  ":",
  ",",
  "01",
  "-01",
  "-",
  "--1",
  "+1",
  ".5",
  "1.",
  "1.e1",
  "1e",
  "1e+",
  "1e+-1",
  "1ee1",
  "1.2.3",
  "0x10",
  "0e",
  "1a",
  "1_000",
  "Infinity",
  "NaN",
  "tru",
  "truee",
  "True",
  "nul",
  "nulll",
  "fals",
  "trux",
  "'a'",
  '"',
  '"a',
  '"\\"',
  '"\\x41"',
  '"\\a"',
  '"\\u"',
  '"\\u12"',
  '"\\u12g4"',
  '"\\u12 4"',
  '"\\U0041"',
  '"\\ud800\\u"',
  '"\\ud800\\',
  '"\\ud800',
  '"a\nb"',
  '"\t"',
  '"\0"',
  '"\x1f"',
  '"\x80"',
  '"\xbf"',
  '"\xc0\x80"',
  '"\xc1\xbf"',
  '"\xc3"',
  '"\xc3(',
  '"\xe0\x80\x80"',
  '"\xe0\x9f\xbf"',
  '"\xe2\x82"',
  '"\xed\xa0\x80"',
  '"\xed\xbf\xbf"',
  '"\xf0\x80\x80\x80"',
  '"\xf0\x8f\xbf\xbf"',
  '"\xf4\x90\x80\x80"',
  '"\xf5\x80\x80\x80"',
  '"\xff"',
  "\xef\xbb\xbf{}",
  "\xa0{}",
  "\x0b1",
  "\x0c1",
  "// x\n1",
  "1 /* x */",
  "\0",
  "[1]\0",
];

/** Escapes some characters that need none and puts white space between tokens, as `style` says. */
function styled(value: unknown, style: () => number): string {
  const space = () => ["", "", " ", "\n\t", "\r\n "][style() % 5] ?? "";
  const string = (text: string): string => {
    let body = "";
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      const escaped = `\\u${unit.toString(16).padStart(4, "0")}`;
      const plain = unit >= 0xd800 && unit <= 0xdfff ? escaped : JSON.stringify(text[i]).slice(1, -1);
      body += style() % 4 === 0 ? (style() % 2 ? escaped.toUpperCase().replace("U", "u") : escaped) : plain;
    }
    return `"${body}"`;
  };
  const write = (item: unknown): string => {
    if (typeof item === "string") return string(item);
    if (Array.isArray(item)) return `[${space()}${item.map((each) => write(each) + space()).join(",")}]`;
    if (typeof item !== "object" || item === null) return JSON.stringify(item) + space();
    const members = Object.entries(item).map(([key, each]) => `${space()}${string(key)}${space()}:${write(each)}`);
    return `{${members.join(`${space()},`)}${space()}}`;
  };
  return space() + write(value) + space();
}

const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: "grapheme" }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: fc.constantFrom("\ud800", "\udbff", "\udc00", "\udfff", "a", "\n"), maxLength: 6 }),
);
/** Keys stay within the 40 bytes that the reader keeps, so that values can be compared. */
const keys = fc.oneof(
  texts.map((text) => text.slice(0, 6)),
  fc.constantFrom("__proto__", "id", "params", "x".repeat(40)),
);
const values = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, depthSize: "small" },
    fc.constantFrom(null, true, false),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    texts,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(keys, tie("value"), { maxKeys: 5 }),
  ),
})).value;
const documents = fc.tuple(values, fc.array(fc.nat(), { minLength: 1, maxLength: 24 })).map(([value, style]) => {
  let i = 0;
  return utf8(styled(value, () => style[i++ % style.length] ?? 0));
});

const morsels = '{|}|[|]|:|,|"|\\|\\u|\\ud83d|\\ude00|0|1|9|-|+|.|e|E|true|false|null|tru|a| |\n|\t|\0|""|"a":|é|\x7f'
  .split("|")
  .map(utf8);
const hostileBytes = fc.oneof(
  fc.constantFrom(...morsels),
  fc.uint8Array({ maxLength: 4 }),
  fc.constantFrom(0x80, 0xc0, 0xc3, 0xe2, 0xed, 0xf0, 0xf4, 0xff).map((byte) => Uint8Array.of(byte)),
);
const edits = fc.array(fc.tuple(fc.nat(), fc.nat(4), hostileBytes), { minLength: 1, maxLength: 4 });
const mutated = fc.tuple(documents, edits).map(([document, list]) => {
  let bytes: Uint8Array = document;
  for (const [where, remove, insert] of list) {
    const at = where % (bytes.length + 1);
    bytes = Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);
  }
  return bytes;
});
const soup = fc.array(hostileBytes, { maxLength: 20 }).map((parts) => new Uint8Array(Buffer.concat(parts)));
const cuts = fc.array(fc.nat(400), { maxLength: 8 });

describe("json reader", () => {
  it("takes what JSON.parse takes, and means the same, at every split", () => {
    for (const text of valid) {
      const bytes = utf8(text);
      const reading = whole(bytes);
      assert.equal(reading.result, 0, text);
      assert.deepEqual(build(reading.tokens), reference(bytes), text);
      for (const split of splits(bytes)) assert.deepEqual(read(split), reading, text);
    }
  });

  it("refuses what JSON.parse refuses, at every split", () => {
    for (const text of invalid) {
      const bytes = latin1(text);
      assert.equal(reference(bytes), undefined, `the case is wrong: ${JSON.stringify(text)}`);
      const reading = whole(bytes);
      assert.equal(reading.result, Code.BadMessage, JSON.stringify(text));
      for (const split of splits(bytes)) assert.deepEqual(read(split), reading, JSON.stringify(text));
    }
  });

  it("refuses the 33rd level of nesting", () => {
    for (const text of ["[".repeat(33), '{"a":'.repeat(33), `${"[".repeat(32)}{`]) {
      const reading = whole(utf8(text));
      assert.equal(reading.result, Code.OverLimit);
      assert.equal(reading.tokens.filter(([name]) => name !== "key").length, 32);
    }
    assert.equal(whole(utf8(`[${`${"[".repeat(31)}${"]".repeat(31)},`.repeat(9)}0]`)).result, 0);
  });

  it("keeps an error for good", () => {
    call("jsonInit", place.structure);
    call("jsonInput", place.structure, input(utf8("[1,]1]")), memory.length);
    let token = 0;
    while (token >= 0 && token !== 11) token = call("jsonNext", place.structure);
    for (let i = 0; i < 3; i++) assert.equal(call("jsonNext", place.structure), Code.BadMessage);
    call("jsonInput", place.structure, input(utf8("[]")), memory.length);
    assert.equal(call("jsonNext", place.structure), Code.BadMessage);
    assert.equal(call("jsonFinish", place.structure), Code.BadMessage);
  });

  it("agrees with JSON.parse on generated documents, however they are cut", () => {
    fc.assert(
      fc.property(documents, cuts, (bytes, at) => {
        fc.pre(bytes.length < 8000);
        const reading = whole(bytes);
        assert.equal(reading.result, 0);
        assert.deepEqual(build(reading.tokens), reference(bytes));
        assert.deepEqual(read(pieces(bytes, at)), reading);
        assert.deepEqual(read(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), reading);
      }),
      { numRuns: 500 },
    );
  });

  it("reads its own kind of documents, JSON.stringify's, at every split", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), (text) => {
        const bytes = utf8(text).subarray(0, 300);
        const reading = whole(bytes);
        assert.ok(agrees(reading, bytes));
        for (const split of splits(bytes)) assert.deepEqual(read(split), reading);
      }),
      { numRuns: 100 },
    );
  });

  it("accepts exactly what JSON.parse accepts of broken and hostile documents", () => {
    fc.assert(
      fc.property(fc.oneof(mutated, soup), cuts, (bytes, at) => {
        fc.pre(bytes.length < 8000);
        const reading = whole(bytes);
        assert.ok(agrees(reading, bytes));
        if (
          reading.result === 0 &&
          reading.tokens.every(([name, text]) => name !== "key" || !/^\d+ bytes$/.test(text ?? ""))
        )
          assert.deepEqual(build(reading.tokens), reference(bytes));
        assert.deepEqual(read(pieces(bytes, at)), reading);
        assert.deepEqual(read(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), reading);
      }),
      { numRuns: 4000 },
    );
  });

  it("agrees with JSON.parse on every byte at every place of a few documents", () => {
    for (const text of ["[1e5,-0.25E-7]", '{"a":[true,false,null]}', '"\\u00e9\\n\\ud83d\\ude00é😀"', " 10 "]) {
      const bytes = utf8(text);
      for (let at = 0; at <= bytes.length; at++) {
        for (let byte = 0; byte < 256; byte++) {
          for (const rest of [bytes.subarray(at), bytes.subarray(at + 1)]) {
            const changed = Buffer.concat([bytes.subarray(0, at), Uint8Array.of(byte), rest]);
            const reading = whole(changed);
            assert.ok(agrees(reading, changed), changed.toString("latin1"));
            if (reading.result === 0) assert.deepEqual(build(reading.tokens), reference(changed));
          }
        }
      }
    }
  });

  it("cuts a value at the sink's end, never inside a character", () => {
    const value = 'ab\\u00e9é€"😀\\ud83d\\ude00\\n'.replace('"', '\\"');
    const characters = [...'abéé€"😀😀\n'];
    const total = utf8(characters.join("")).length;
    const bytes = utf8(`"${value}"`);
    for (let cap = 0; cap <= total + 2; cap++) {
      let kept = "";
      for (const character of characters) {
        if (utf8(kept + character).length > cap) break;
        kept += character;
      }
      for (const split of splits(bytes)) {
        const reading = read(split, cap);
        assert.deepEqual(reading, { tokens: [["string", kept]], result: 0 }, `cap ${cap}`);
      }
    }
  });

  it("keeps long numbers as they are written, and tells how long a cut one is", () => {
    const digits = `-${"1234567890".repeat(12)}.50e+1`;
    assert.deepEqual(whole(utf8(`[${digits}]`)).tokens[1], ["number", digits]);
    assert.deepEqual(read([utf8(`[${digits}]`)], 7).tokens[1], ["number", "-123456"]);
    call("jsonInit", place.structure);
    call("jsonInput", place.structure, input(utf8(digits)), memory.length);
    call("jsonSink", place.structure, place.sink, 7);
    assert.equal(call("jsonFinish", place.structure), 7);
    assert.equal(call("jsonLen", place.structure), 7);
    assert.equal(call("jsonTotal", place.structure), digits.length);
    assert.equal(call("jsonCap", place.structure), 0, "the sink is for one value");
  });

  it("keeps keys of 40 bytes whole and the length of longer ones", () => {
    for (const length of [0, 1, 39, 40, 41, 300]) {
      const key = "k".repeat(length);
      const expected = length <= 40 ? key : `${length} bytes`;
      assert.deepEqual(whole(utf8(`{"${key}":1}`)).tokens[1], ["key", expected]);
    }
    assert.deepEqual(whole(utf8(`{"${"x".repeat(39)}é":1}`)).tokens[1], ["key", "41 bytes"]);
  });
});

describe("json writer", () => {
  const escaped = (bytes: Uint8Array, cap: number): string | undefined => {
    const length = call("jsonEscape", place.sink, cap, input(bytes), bytes.length);
    return length < 0 ? undefined : Buffer.from(memory.subarray(place.sink, place.sink + length)).toString("utf8");
  };

  it("writes what JSON.stringify writes, and U+FFFD for what is not UTF-8", () => {
    const anything = fc.oneof(
      texts.map(utf8),
      fc.uint8Array({ maxLength: 60 }),
      fc.array(hostileBytes, { maxLength: 12 }).map((parts) => Buffer.concat(parts)),
    );
    fc.assert(
      fc.property(anything, (bytes) => {
        const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
        assert.equal(escaped(bytes, room), JSON.stringify(text).slice(1, -1));
      }),
      { numRuns: 2000 },
    );
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    assert.equal(escaped(every, room), JSON.stringify(new TextDecoder().decode(every)).slice(1, -1));
  });

  it("is read back as it was", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const bytes = utf8(text);
        const reading = whole(utf8(`"${escaped(bytes, room)}"`));
        assert.deepEqual(reading, { tokens: [["string", bytes.toString("utf8")]], result: 0 });
      }),
    );
  });

  it("writes nothing beyond its room", () => {
    const bytes = utf8('a"\n\u0001é');
    const length = utf8(escaped(bytes, room) ?? "").length;
    for (let cap = 0; cap <= length; cap++) {
      memory.fill(0x5a, place.sink, place.sink + 64);
      assert.equal(escaped(bytes, cap) === undefined, cap < length);
      assert.ok(memory.subarray(place.sink + cap, place.sink + 64).every((byte) => byte === 0x5a));
    }
  });
});
