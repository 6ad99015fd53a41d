// The core's CoAP messages against npm coap-packet, the RFC's own examples, and the vectors of Alink.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import packet from "coap-packet";
import fc from "fast-check";
import { root } from "../paths.js";
import { Code, call, input, memory, place, room } from "./core.js";

interface Message {
  type: number;
  code: number;
  messageId: number;
  token: Buffer;
  options: { number: number; value: Buffer }[];
  payload: Buffer;
}

const bytes = (at: number, length: number): Buffer => Buffer.from(memory.subarray(at, at + length));

/** What the core reads in a datagram, or its code. */
function read(datagram: Uint8Array): Message | number {
  const m = place.structure;
  const code = call("coapParse", m, input(datagram), datagram.length);
  if (code < 0) return code;
  const field = (n: number): number => call("coapField", m, n) >>> 0;
  const message: Message = {
    type: field(0),
    code: field(1),
    messageId: field(2),
    token: bytes(field(3), field(4)),
    options: [],
    payload: bytes(field(5), field(6)),
  };
  while (call("coapNext", m) === 1) message.options.push({ number: field(7), value: bytes(field(8), field(9)) });
  return message;
}

/** What the core writes; `null` where it has no room. */
function write(message: Message, cap = room): Buffer | null {
  // texts stand at the end of the memory, one after the other
  const at = (value: Uint8Array): number => input(value);
  call(
    "coapHeader",
    place.sink,
    cap,
    message.type,
    message.code,
    message.messageId,
    at(message.token),
    message.token.length,
  );
  let last = 0;
  for (const { number, value } of message.options) {
    call("coapOption", number - last, at(value), value.length);
    last = number;
  }
  if (message.payload.length > 0) call("coapPayload", at(message.payload), message.payload.length);
  const length = call("coapDone");
  return length < 0 ? null : bytes(place.sink, length);
}

/** What coap-packet makes of a datagram, in the same shape. */
function reference(datagram: Buffer): Message {
  const parsed = packet.parse(datagram);
  const [high, low] = parsed.code.split(".").map(Number);
  return {
    type: parsed.confirmable ? 0 : parsed.ack ? 2 : parsed.reset ? 3 : 1,
    code: (high! << 5) | low!,
    messageId: parsed.messageId,
    token: Buffer.from(parsed.token),
    options: parsed.options.map(({ name, value }) => ({ number: numberOf(name), value: Buffer.from(value) })),
    payload: Buffer.from(parsed.payload),
  };
}

const NUMBERS: Record<string, number> = {
  "If-Match": 1,
  "Uri-Host": 3,
  ETag: 4,
  "If-None-Match": 5,
  Observe: 6,
  "Uri-Port": 7,
  "Location-Path": 8,
  OSCORE: 9,
  "Uri-Path": 11,
  "Content-Format": 12,
  "Max-Age": 14,
  "Uri-Query": 15,
  Accept: 17,
  "Location-Query": 20,
  Block2: 23,
  Block1: 27,
  "Proxy-Uri": 35,
  "Proxy-Scheme": 39,
  Size1: 60,
};

function numberOf(name: string | number): number {
  return NUMBERS[name] ?? Number(name);
}

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");
const empty = Buffer.alloc(0);

/** RFC 7252 appendix A, figures 16 to 25: every message whose bytes or fields are given there. */
const EXAMPLES: [name: string, datagram: Buffer, message: Message][] = [
  [
    "figure 16, CON GET",
    hex("44 01 7d 34 00000000 bb 74656d7065726174757265").fill(0x20, 4, 8),
    { type: 0, code: 1, messageId: 0x7d34, token: hex("20202020"), options: path("temperature"), payload: empty },
  ],
  [
    "figure 16, CON GET without a token",
    hex("40 01 7d 34 bb 74656d7065726174757265"),
    { type: 0, code: 1, messageId: 0x7d34, token: empty, options: path("temperature"), payload: empty },
  ],
  [
    "figure 16, ACK 2.05",
    hex("60 45 7d 34 ff 32322e332043"),
    { type: 2, code: 0x45, messageId: 0x7d34, token: empty, options: [], payload: Buffer.from("22.3 C") },
  ],
  [
    "figure 17, CON GET with a token",
    hex("41 01 7d 35 20 bb 74656d7065726174757265"),
    { type: 0, code: 1, messageId: 0x7d35, token: hex("20"), options: path("temperature"), payload: empty },
  ],
  [
    "figure 17, ACK 2.05 with a token",
    hex("61 45 7d 35 20 ff 32322e332043"),
    { type: 2, code: 0x45, messageId: 0x7d35, token: hex("20"), options: [], payload: Buffer.from("22.3 C") },
  ],
  [
    "figure 20, empty ACK",
    hex("60 00 7d 38"),
    { type: 2, code: 0, messageId: 0x7d38, token: empty, options: [], payload: empty },
  ],
  [
    "figure 20, separate CON 2.05",
    hex("41 45 ad 7b 53 ff 32322e332043"),
    { type: 0, code: 0x45, messageId: 0xad7b, token: hex("53"), options: [], payload: Buffer.from("22.3 C") },
  ],
  [
    "figure 21, RST",
    hex("70 00 ad 7b"),
    { type: 3, code: 0, messageId: 0xad7b, token: empty, options: [], payload: empty },
  ],
  [
    "figure 22, NON GET",
    hex("51 01 7d 40 75 bb 74656d7065726174757265"),
    { type: 1, code: 1, messageId: 0x7d40, token: hex("75"), options: path("temperature"), payload: empty },
  ],
];

function path(...levels: string[]): Message["options"] {
  return levels.map((level) => ({ number: 11, value: Buffer.from(level) }));
}

const LIMITS = [0, 1, 12, 13, 14, 268, 269, 270, 2000, 65535];

const message: fc.Arbitrary<Message> = fc
  .record({
    type: fc.nat(3),
    code: fc.integer({ min: 1, max: 255 }),
    messageId: fc.nat(65535),
    token: fc.uint8Array({ maxLength: 8 }).map((token) => Buffer.from(token)),
    options: fc.array(
      fc.record({
        number: fc.oneof(fc.constantFrom(...LIMITS), fc.nat(65535)),
        value: fc
          .oneof(
            fc.uint8Array({ maxLength: 20 }),
            fc.constantFrom(12, 13, 268, 269, 270).map((n) => new Uint8Array(n).fill(n)),
          )
          .map((value) => Buffer.from(value)),
      }),
      { maxLength: 6 },
    ),
    payload: fc.uint8Array({ maxLength: 40 }).map((payload) => Buffer.from(payload)),
  })
  // coap-packet writes 1,280 bytes at most
  .filter(({ options }) => options.reduce((sum, { value }) => sum + value.length + 5, 0) <= 1200)
  .map((made) => ({
    ...made,
    options: made.options.map(({ number, value }) => ({ number, value })).sort((a, b) => a.number - b.number),
  }));

describe("coap", () => {
  it("reads and writes the examples of RFC 7252 appendix A", () => {
    for (const [name, datagram, expected] of EXAMPLES) {
      assert.deepEqual(read(datagram), expected, name);
      assert.deepEqual(write(expected), datagram, name);
    }
  });

  it("writes what coap-packet reads, and reads what it writes", () => {
    fc.assert(
      fc.property(message, (made) => {
        const datagram = write(made);
        assert.ok(datagram);
        assert.deepEqual(reference(datagram), made);
        assert.deepEqual(read(datagram), made);
        const { type } = made;
        const theirs = packet.generate({
          confirmable: type === 0,
          ack: type === 2,
          reset: type === 3,
          code: `${made.code >> 5}.${String(made.code & 31).padStart(2, "0")}`,
          messageId: made.messageId,
          token: made.token,
          options: made.options.map(({ number, value }) => ({ name: number as unknown as string, value })),
          payload: made.payload,
        } as Parameters<typeof packet.generate>[0]);
        assert.deepEqual(read(theirs), made);
      }),
    );
  });

  it("takes deltas and lengths of 12, 13, 268, 269 and the largest", () => {
    for (const number of LIMITS)
      for (const length of [0, 12, 13, 268, 269, 2000]) {
        const options = [{ number, value: Buffer.alloc(length, 7) }];
        const made = { type: 0, code: 2, messageId: 1, token: empty, options, payload: Buffer.from("x") };
        const datagram = write(made);
        assert.ok(datagram);
        assert.deepEqual(reference(datagram), made);
        assert.deepEqual(read(datagram), made);
      }
    // §3.1: 65804 is the largest that can be written; an option number ends at 65535 (§12.2), a datagram before that
    assert.equal(read(hex("40010001 e0 ffff")), Code.BadMessage);
    assert.equal(read(hex("40010001 e0 fef3")), Code.BadMessage);
    assert.deepEqual((read(hex("40010001 e0 fef2")) as Message).options, [{ number: 65535, value: empty }]);
    assert.equal(read(hex("40010001 0e ffff")), Code.BadMessage);
    assert.equal(read(hex("40010001 e0fef2 10")), Code.BadMessage, "the sum of the deltas is above 65535");
  });

  it("refuses every truncation inside a header, a token or an option", () => {
    const made: Message = {
      type: 0,
      code: 2,
      messageId: 9,
      token: hex("0102030405060708"),
      options: [11, 24, 300, 2088].map((number, i) => ({ number, value: Buffer.alloc([5, 20, 300, 0][i]!, 0x41) })),
      payload: empty,
    };
    const whole = write(made)!;
    // where a message may end: behind the token and behind each option
    const ends = made.options.map((_, n) => write({ ...made, options: made.options.slice(0, n + 1) })!.length);
    const valid = new Set([12, ...ends]);
    for (let length = 0; length < whole.length; length++) {
      const result = read(whole.subarray(0, length));
      if (valid.has(length)) assert.notEqual(typeof result, "number");
      else assert.equal(result, Code.BadMessage, `${length} bytes`);
    }
    assert.equal(read(Buffer.concat([whole, hex("ff")])), Code.BadMessage, "a marker without a payload");
  });

  it("refuses what RFC 7252 §3 calls a format error", () => {
    for (const each of [
      "",
      "40",
      "400100",
      "49010001",
      `4f010001${"00".repeat(15)}`,
      "40000001 00",
      "41000001 00",
      "40010001 f0",
      "40010001 0f",
      "40010001 ef 0000",
    ])
      assert.equal(read(hex(each)), Code.BadMessage, each);
    for (const version of ["00", "80", "c0"]) assert.equal(read(hex(`${version}010001`)), Code.Unsupported);
  });

  it("never reads outside a datagram, whatever it holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (made, valid) => {
        const datagram = Buffer.from(made);
        if (valid && datagram.length > 0) datagram[0] = 0x40 | (datagram[0]! & 0x38);
        const result = read(datagram);
        if (typeof result === "number") return;
        const again = write(result);
        assert.ok(again, "what is read can be written");
        assert.deepEqual(read(again), result);
      }),
      { numRuns: 2000 },
    );
  });

  it("writes nothing beyond its room", () => {
    const made: Message = {
      type: 0,
      code: 2,
      messageId: 1,
      token: hex("01"),
      options: path("a", "b"),
      payload: hex("00"),
    };
    const whole = write(made)!;
    for (let cap = 0; cap < whole.length; cap++) {
      memory[place.sink + cap] = 0x5a;
      assert.equal(write(made, cap), null);
      assert.equal(memory[place.sink + cap], 0x5a);
    }
  });

  it("numbers take the bytes they need", () => {
    for (const value of [0, 1, 255, 256, 65535, 65536, 0xffffff, 0x1000000, 0x7fffffff]) {
      call("coapHeader", place.sink, room, 0, 2, 1, 0, 0);
      call("coapNumberOption", 12, value);
      const datagram = bytes(place.sink, call("coapDone"));
      const plain =
        value === 0
          ? empty
          : hex(
              value
                .toString(16)
                .padStart(8, "0")
                .replace(/^(00)+/, ""),
            );
      assert.deepEqual((read(datagram) as Message).options, [{ number: 12, value: plain }]);
      read(datagram);
      assert.equal(call("coapNext", place.structure), 0);
      call("coapParse", place.structure, input(datagram), datagram.length);
      call("coapNext", place.structure);
      assert.equal(call("coapNumber", place.structure), value);
    }
    for (const value of ["ffffffff", "80000000", "0000000001"]) {
      const datagram = write({
        type: 0,
        code: 2,
        messageId: 1,
        token: empty,
        options: [{ number: 12, value: hex(value) }],
        payload: empty,
      })!;
      call("coapParse", place.structure, input(datagram), datagram.length);
      call("coapNext", place.structure);
      assert.equal(call("coapNumber", place.structure), Code.BadMessage);
    }
  });

  it("writes the options of a post as the vector has them", () => {
    const vectors = JSON.parse(readFileSync(join(root, "tests/vectors/alink.json"), "utf8")) as {
      id: string;
      in: { uriPath: string[]; contentFormat: number; accept: number; token2088: string; seq2089: string };
      out: { hex: string };
    }[];
    const vector = vectors.find(({ id }) => id === "coap-options")!;
    for (const slash of ["", "/"]) {
      call("coapHeader", place.sink, room, 0, 2, 1, 0, 0);
      const text = Buffer.from(slash + vector.in.uriPath.join("/"));
      call("coapPath", 11, input(text), text.length);
      call("coapNumberOption", 1, vector.in.contentFormat);
      call("coapNumberOption", 5, vector.in.accept);
      const token = Buffer.from(vector.in.token2088);
      call("coapOption", 2088 - 17, input(token), token.length);
      const sequence = hex(vector.in.seq2089);
      call("coapOption", 1, input(sequence), sequence.length);
      assert.equal(bytes(place.sink + 4, call("coapDone") - 4).toString("hex"), vector.out.hex);
    }
  });
});
