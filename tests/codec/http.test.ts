// The core's HTTP response head and chunked decoder, in one piece and in all others, on good, odd and hostile input.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Code, latin1, pieces, splits } from "./core.js";
import { type Head, type HeadReading, readChunked, readHead } from "./http_reading.js";

const plain: Head = {
  status: 200,
  length: undefined,
  chunked: false,
  range: "none",
  first: 0,
  last: 0,
  total: 0,
  location: "",
};
const OPEN = 0xffffffff;

/** Lines to a head; the lines end as HTTP wants. */
const lines = (...each: string[]): string => `${each.join("\r\n")}\r\n\r\n`;
const ok = (...each: string[]): string => lines("HTTP/1.1 200 OK", ...each);
const partial = (range: string): string => lines("HTTP/1.1 206 Partial Content", `Content-Range: ${range}`);

const heads: [text: string, expected: Partial<Head>][] = [
  [ok(), {}],
  [lines("HTTP/1.1 200"), {}],
  [lines("HTTP/1.1 200 "), {}],
  [lines("HTTP/1.1 404 Not \xe9 Found\there"), { status: 404 }],
  [lines("HTTP/1.9 599 x"), { status: 599 }],
  [lines("HTTP/1.0 200 OK"), {}],
  ["HTTP/1.1 200 OK\nContent-Length: 5\n\n", { length: 5 }],
  ["HTTP/1.1 200\n\r\n", {}],
  [ok("Content-Length: 0"), { length: 0 }],
  [ok("content-LENGTH:\t 12 \t"), { length: 12 }],
  [ok("Content-Length:4294967295"), { length: 4294967295 }],
  [ok("Content-Length: 0042"), { length: 42 }],
  [ok("Content-Length: 7", "Content-Length: 7"), { length: 7 }],
  [ok("Content-Length:", " 7"), { length: 7 }],
  [ok("X-Content-Length: 9", "Content-Length2: 8", "Content-Lengt: 7"), {}],
  [ok("Transfer-Encoding: Chunked"), { chunked: true }],
  [ok("transfer-encoding:chunked"), { chunked: true }],
  [ok("Connection: close"), {}],
  [partial("bytes 0-0/1"), { status: 206, range: "part", first: 0, last: 0, total: 1 }],
  [
    partial("Bytes 100-4294967294/4294967295"),
    { status: 206, range: "part", first: 100, last: 4294967294, total: OPEN },
  ],
  [partial("bytes 5-9/*"), { status: 206, range: "part", first: 5, last: 9, total: OPEN }],
  [partial("bytes\t  5-9/10 "), { status: 206, range: "part", first: 5, last: 9, total: 10 }],
  [
    lines("HTTP/1.1 416 Range Not Satisfiable", "Content-Range: bytes */1234"),
    { status: 416, range: "unsatisfied", total: 1234 },
  ],
  [ok("Content-Range: nonsense"), {}],
  [
    lines("HTTP/1.1 302 Found", "Location: https://a.example/b?c=d%20e#f  "),
    { status: 302, location: "https://a.example/b?c=d%20e#f" },
  ],
  [lines("HTTP/1.1 302 Found", "location:", "\t/x"), { status: 302, location: "/x" }],
  [lines("HTTP/1.1 301 x", "Location: /a  b"), { status: 301, location: "/a b" }],
  [lines("HTTP/1.1 302 Found", "Location:"), { status: 302 }],
  [ok("X:", "Y: z", " folded", "\tagain", "Content-Length: 3"), { length: 3 }],
  [ok(`X-Long: ${"x".repeat(4000)}`, `${"N".repeat(300)}: 1`, "Content-Length: 3"), { length: 3 }],
  [ok("!#$%&'*+-.^_`|~09azAZ: any (name)"), {}],
  [lines("HTTP/1.1 204 No Content", "Content-Length: 9"), { status: 204, length: 0 }],
  [lines("HTTP/1.1 304 Not Modified", "Transfer-Encoding: chunked"), { status: 304, length: 0 }],
  [lines("HTTP/1.1 100 Continue") + ok("Content-Length: 3"), { length: 3 }],
  [
    lines("HTTP/1.1 103 Early Hints", "Location: /x", "Content-Length: 9", "Connection: close") + ok("Location: /y"),
    { location: "/y" },
  ],
];

const refused: [text: string, code: keyof typeof Code][] = [
  ["\r\n", "BadMessage"],
  ["http/1.1 200 OK\r\n", "BadMessage"],
  ["HTTP/1.1  200 OK\r\n", "BadMessage"],
  ["HTTP/1.1200 OK\r\n", "BadMessage"],
  ["HTTP/1.x 200 OK\r\n", "BadMessage"],
  ["HTTP/11 200 OK\r\n", "BadMessage"],
  ["HTTP/:.1 200 OK\r\n", "BadMessage"],
  ["HTTP//.1 200 OK\r\n", "BadMessage"],
  ["HTTP/2.0 200 OK\r\n", "Unsupported"],
  ["HTTP/0.9 200 OK\r\n", "Unsupported"],
  ["HTTP/1.1 20 OK\r\n", "BadMessage"],
  ["HTTP/1.1 2000 OK\r\n", "BadMessage"],
  ["HTTP/1.1 099 OK\r\n", "BadMessage"],
  ["HTTP/1.1 600 OK\r\n", "BadMessage"],
  ["HTTP/1.1 2 0 OK\r\n", "BadMessage"],
  ["HTTP/1.1 200 O\0K\r\n", "BadMessage"],
  ["HTTP/1.1 200 O\rK\r\n", "BadMessage"],
  ["<html>", "BadMessage"],
  [ok("No colon"), "BadMessage"],
  [ok(": x"), "BadMessage"],
  [ok("Content-Length : 3"), "BadMessage"],
  [ok("Cont\xe9nt: 3"), "BadMessage"],
  [ok("A\tB: 3"), "BadMessage"],
  [lines("HTTP/1.1 200 OK", " folded: into the status line"), "BadMessage"],
  [ok("X: a\0b"), "BadMessage"],
  [ok("X: a\x7f"), "BadMessage"],
  [ok("X: a\rb"), "BadMessage"],
  ["HTTP/1.1 200 OK\r\n\rx", "BadMessage"],
  [ok("Content-Length:"), "BadMessage"],
  [ok("Content-Length: -1"), "BadMessage"],
  [ok("Content-Length: +1"), "BadMessage"],
  [ok("Content-Length: 1 2"), "BadMessage"],
  [ok("Content-Length: 0x10"), "BadMessage"],
  [ok("Content-Length: 99999999999999999999999x"), "BadMessage"],
  [ok("Content-Length: 7,"), "BadMessage"],
  [ok("Content-Length: 4294967296"), "OverLimit"],
  [ok("Content-Length: 99999999999999999999999999999999"), "OverLimit"],
  [ok(`Content-Length: ${"0".repeat(64)}1`), "OverLimit"],
  [ok("Content-Length: 7", "Content-Length: 8"), "BadMessage"],
  [ok("Content-Length: 7, 8"), "BadMessage"],
  [ok("Content-Length: 7 , 7"), "BadMessage"],
  [ok("Content-Length: 7", "Transfer-Encoding: chunked"), "BadMessage"],
  [ok("Transfer-Encoding: chunked", "Content-Length: 0"), "BadMessage"],
  [lines("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), "BadMessage"],
  [ok("Transfer-Encoding: gzip, chunked"), "Unsupported"],
  [ok("Transfer-Encoding: chunked, gzip"), "Unsupported"],
  [ok("Transfer-Encoding: identity"), "Unsupported"],
  [ok("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), "Unsupported"],
  [ok("Transfer-Encoding: xchunked"), "Unsupported"],
  [ok("Transfer-Encoding:"), "Unsupported"],
  [partial("bytes"), "BadMessage"],
  [partial("bytes 0-1"), "BadMessage"],
  [partial("bytes 0/1"), "BadMessage"],
  [partial("bytes -1/2"), "BadMessage"],
  [partial("bytes 0-/2"), "BadMessage"],
  [partial("bytes 0-1/"), "BadMessage"],
  [partial("bytes 2-1/3"), "BadMessage"],
  [partial("bytes 0-3/3"), "BadMessage"],
  [partial("bytes 0-1/x"), "BadMessage"],
  [partial("bytes 0-1-2/9"), "BadMessage"],
  [partial("bytes */*"), "BadMessage"],
  [partial("bytes */"), "BadMessage"],
  [partial("bytes 0-4294967296/*"), "OverLimit"],
  [partial("bytes 0-1/4294967296"), "OverLimit"],
  [partial("items 0-1/2"), "Unsupported"],
  [lines("HTTP/1.1 206 x", "Content-Range: bytes 0-1/2", "Content-Range: bytes 0-1/2"), "BadMessage"],
  [lines("HTTP/1.1 302 Found", "Location: /a", "Location: /b"), "BadMessage"],
  [lines("HTTP/1.1 302 Found", "Location:", "Location: /b"), "BadMessage"],
  [lines("HTTP/1.1 101 Switching Protocols"), "BadMessage"],
  [ok(`Transfer-Encoding: ${"a".repeat(65)}`), "OverLimit"],
];

const everySplit = (bytes: Uint8Array, expected: HeadReading): void => {
  for (const split of splits(bytes)) assert.deepEqual(readHead(split), expected, JSON.stringify(bytes.toString()));
};

describe("http response head", () => {
  it("reads heads at every split and leaves the body where it is", () => {
    for (const [text, expected] of heads) {
      const bytes = latin1(`${text}HTTP/1.1 body`);
      const reading = { head: { ...plain, ...expected }, taken: text.length };
      assert.deepEqual(readHead([bytes]), reading, text);
      if (text.length < 1000) everySplit(bytes, reading);
      assert.equal(readHead([latin1(text).subarray(0, -1)]), undefined, text);
    }
  });

  it("refuses what is wrong or beyond it, at every split", () => {
    for (const [text, name] of refused) {
      assert.equal(readHead([latin1(text)]), Code[name], text);
      everySplit(latin1(text), Code[name]);
    }
  });

  it("knows for every byte whether it may stand in a name, a value and a reason", () => {
    for (let byte = 0; byte < 256; byte++) {
      if (byte === 10 || byte === 13) continue;
      const character = String.fromCharCode(byte);
      const done = (text: string): boolean => typeof readHead([latin1(text)]) === "object";
      const inText = byte === 9 || (byte >= 32 && byte !== 127);
      assert.equal(done(ok(`X${character}Y: z`)), byte > 32 && byte < 127, `name ${byte}`);
      assert.equal(done(ok(`X: a${character}b`)), inText, `value ${byte}`);
      assert.equal(done(lines("HTTP/1.1 302 Found", `Location: a${character}b`)), inText, `location ${byte}`);
      assert.equal(done(lines(`HTTP/1.1 200 a${character}b`)), inText, `reason ${byte}`);
      assert.equal(done(ok(`Content-Length: 1${character}`)), /[0-9 \t]/.test(character), `length ${byte}`);
    }
  });

  it("takes a head of 8192 bytes and no longer one, interim responses included", () => {
    const filler = (length: number): string => ok(`X: ${"x".repeat(length - ok("X: ").length)}`);
    const reading = (text: string) => readHead(pieces(latin1(text), [4000]));
    assert.deepEqual(reading(filler(8192)), { head: plain, taken: 8192 });
    assert.equal(reading(filler(8193)), Code.OverLimit);
    assert.equal(reading(lines("HTTP/1.1 100 Continue").repeat(400)), Code.OverLimit);
    assert.equal(reading("HTTP/1.1 200 ".padEnd(9000, "x")), Code.OverLimit);
  });

  it("cuts Location at its room and tells its length", () => {
    const text = lines("HTTP/1.1 302 Found", "Location: /0123456789");
    const location = (cap: number): string => {
      const reading = readHead([latin1(text)], cap);
      assert.ok(typeof reading === "object");
      return reading.head.location;
    };
    assert.deepEqual([0, 10, 11].map(location), ["… of 11", "/012345678… of 11", "/0123456789"]);
  });

  it("says the same however a hostile head is cut", () => {
    const morsels = ["HTTP/1.1 ", "200", "206", "100 \r\n\r\n", "\r\n", "\n", "\r", ":", " ", "\t", ",", "bytes 0-1/2"];
    const names = ["Content-Length: ", "Transfer-Encoding: chunked", "Content-Range: ", "Location: ", "Connection: "];
    const numbers = ["0", "12", "4294967296", "chunked", "close", "\0", "\xff", "x".repeat(70)];
    const soup = fc.array(fc.constantFrom(...morsels, ...names, ...numbers), { maxLength: 30 });
    const hostile = fc.tuple(fc.constantFrom("", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 206\r\n"), soup);
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(300), { maxLength: 6 }), ([start, parts], cuts) => {
        const bytes = latin1(start + parts.join(""));
        const whole = readHead([bytes]);
        assert.deepEqual(readHead(pieces(bytes, cuts)), whole);
        assert.deepEqual(readHead(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), whole);
        if (typeof whole === "number") assert.ok(Object.values<number>(Code).includes(whole));
      }),
      { numRuns: 3000 },
    );
  });

  it("finds the fields among others, in any order, case and spacing", () => {
    const spaces = fc.constantFrom("", " ", "\t", "  \t", "\r\n ");
    const letters = fc.array(fc.boolean(), { minLength: 17, maxLength: 17 });
    const other = fc.tuple(
      fc.string({ unit: fc.constantFrom(..."abcdefgXYZ-_09"), minLength: 1, maxLength: 30 }).map((name) => `x${name}`),
      fc.string({ unit: fc.constantFrom(..."ab:, \t\xe9"), maxLength: 90 }),
    );
    const length = fc.nat({ max: 0xffffffff });
    const model = fc.tuple(length, fc.boolean(), letters, spaces, spaces, fc.array(other, { maxLength: 5 }), fc.nat(5));
    fc.assert(
      fc.property(model, ([size, close, upper, before, after, others, position]) => {
        const name = [..."content-length"].map((c, i) => (upper[i] ? c.toUpperCase() : c)).join("");
        const list = others.map(([key, value]) => `${key}:${value}`);
        list.splice(position, 0, `${name}:${before}${size}${after}`, ...(close ? [`Connection:${after}close`] : []));
        const bytes = latin1(ok(...list));
        const expected = { head: { ...plain, length: size }, taken: bytes.length };
        assert.deepEqual(readHead([bytes]), expected);
        assert.deepEqual(readHead(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), expected);
      }),
      { numRuns: 500 },
    );
  });
});

const bodies: [text: string, body: string][] = [
  ["0\r\n\r\n", ""],
  ["5\r\nhello\r\n0\r\n\r\n", "hello"],
  ["1\r\na\r\n00000002\r\nbc\r\nA\r\n0123456789\r\n0\r\n\r\n", "abc0123456789"],
  ["0a\r\n0123456789\r\n00\r\n\r\n", "0123456789"],
  ["2;name=value\r\nhi\r\n0;x\r\n\r\n", "hi"],
  ['2 ; a="b;c\\"\r\nhi\r\n0\t\r\n\r\n', "hi"],
  ["4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n"],
  ["1\r\nx\r\n0\r\nDigest: abc\r\nX: y\r\n\r\n", "x"],
];

const brokenBodies: [text: string, code: keyof typeof Code][] = [
  ["\r\n", "BadMessage"],
  ["g\r\n", "BadMessage"],
  [" 5\r\n", "BadMessage"],
  ["-5\r\n", "BadMessage"],
  ["0x5\r\n", "BadMessage"],
  [";x\r\n", "BadMessage"],
  ["5\nhello", "BadMessage"],
  ["5\rhello", "BadMessage"],
  ["5\r\nhello!\r\n", "BadMessage"],
  ["5\r\nhello\n", "BadMessage"],
  ["5\r\nhello\r5", "BadMessage"],
  ["5;a\nhello", "BadMessage"],
  ["5;a\0\r\n", "BadMessage"],
  ["0\r\n\rx", "BadMessage"],
  ["0\r\n\n", "BadMessage"],
  ["0\r\nX: y\n", "BadMessage"],
  ["0\r\nX: y\rz", "BadMessage"],
  ["100000000\r\n", "OverLimit"],
  ["ffffffffffffffffffff\r\n", "OverLimit"],
  ["000000000\r\n", "OverLimit"],
];

describe("chunked body", () => {
  it("decodes bodies at every split and takes nothing after them", () => {
    for (const [text, body] of bodies) {
      const bytes = latin1(`${text}HTTP/1.1`);
      for (const split of [[bytes], ...splits(bytes)]) {
        assert.deepEqual(readChunked(split), { body, taken: text.length }, text);
      }
      for (let cut = 0; cut < text.length; cut++) assert.equal(readChunked([latin1(text.slice(0, cut))]), undefined);
    }
  });

  it("refuses what is no chunk, at every split", () => {
    for (const [text, name] of brokenBodies) {
      for (const split of [[latin1(text)], ...splits(latin1(text))]) assert.equal(readChunked(split), Code[name], text);
    }
  });

  it("takes a size of 32 bits", () => {
    assert.equal(readChunked([latin1("ffffffff\r\nabc")]), undefined);
    assert.equal(readChunked([latin1("FFFFFFFF\r\n")]), undefined);
  });

  it("skips 8192 bytes of extensions and trailers and no more", () => {
    const body = (extension: number, trailer: number): string =>
      `1;${"x".repeat(extension - 1)}\r\na\r\n0\r\n${"t".repeat(trailer)}\r\n\r\n`;
    const reading = (text: string) => readChunked(pieces(latin1(text), [3000, 6000]));
    assert.deepEqual(reading(body(4096, 4096)), { body: "a", taken: body(4096, 4096).length });
    assert.equal(reading(body(4096, 4097)), Code.OverLimit);
    assert.equal(reading(body(4097, 4096)), Code.OverLimit);
    assert.equal(reading(`0\r\n${"t: v\r\n".repeat(2100)}`.slice(0, 12_000)), undefined);
    assert.equal(reading("1;x\r\na\r\n".repeat(1000).concat("1;", "y".repeat(6300))), Code.OverLimit);
  });

  it("gives back what was encoded, however it is chunked and cut", () => {
    const chunk = fc.string({ unit: fc.constantFrom("\r", "\n", "0", "\xff", "a"), minLength: 1, maxLength: 40 });
    const encoded = fc.array(fc.tuple(chunk, fc.boolean(), fc.nat(3)), { maxLength: 12 }).map((chunks) => {
      const parts = chunks.map(([data, upper, zeros]) => {
        const size = "0".repeat(zeros) + data.length.toString(16);
        return `${upper ? size.toUpperCase() : size}\r\n${data}\r\n`;
      });
      return { text: `${parts.join("")}0\r\n\r\n`, body: chunks.map(([data]) => data).join("") };
    });
    fc.assert(
      fc.property(encoded, fc.array(fc.nat(300), { maxLength: 6 }), ({ text, body }, cuts) => {
        const expected = { body, taken: text.length };
        assert.deepEqual(readChunked(pieces(latin1(`${text}x`), cuts)), expected);
      }),
    );
  });

  it("says the same however hostile chunks are cut", () => {
    const morsels = [
      "0",
      "1",
      "a",
      "F",
      "5\r\nhello\r\n",
      "\r\n",
      "\r",
      "\n",
      ";",
      " ",
      "x",
      "0\r\n",
      "\0",
      "ffffffff",
    ];
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...morsels), { maxLength: 20 }),
        fc.array(fc.nat(60), { maxLength: 6 }),
        (parts, cuts) => {
          const bytes = latin1(parts.join(""));
          const whole = readChunked([bytes]);
          assert.deepEqual(readChunked(pieces(bytes, cuts)), whole);
          assert.deepEqual(readChunked(Array.from(bytes, (_, i) => bytes.subarray(i, i + 1))), whole);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
