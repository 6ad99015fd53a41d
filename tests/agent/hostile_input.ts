// Input that hostile peers and applications make up.

import fc from "fast-check";
import { offer, push, STATE } from "./recovery.js";
import { FLASH_SIZE, type RigOptions } from "./rig.js";

export type Edit = (bytes: Buffer) => Buffer;

export const INTERESTING = [
  0, 1, 2, 0x22, 0x2c, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x7f, 0x80, 0xc0, 0xed, 0xf4, 0xff, 0x0a, 0x0d, 0x30, 0x3a,
];

export const byte = fc.oneof(fc.constantFrom(...INTERESTING), fc.integer({ min: 0, max: 255 }));

/** One change at a place given in 1/10000 of the length. */
export const edit: fc.Arbitrary<Edit> = fc
  .tuple(fc.nat(9999), fc.nat(5), byte, fc.integer({ min: 1, max: 40 }))
  .map(([place, kind, value, n]) => (bytes: Buffer) => {
    const at = Math.floor((place * bytes.length) / 10_000);
    const [head, tail] = [bytes.subarray(0, at), bytes.subarray(at)];
    if (kind === 0) return Buffer.from(head);
    if (kind === 1) return Buffer.concat([head, tail.subarray(n)]);
    if (kind === 2) return Buffer.concat([head, Buffer.alloc(n, value), tail]);
    if (kind === 3) return Buffer.concat([head, tail.subarray(0, n), tail]);
    const changed = Buffer.from(bytes);
    if (at < changed.length) changed[at] = kind === 4 ? value : changed[at]! ^ (1 << (n & 7));
    return changed;
  });

export const edits = (max: number): fc.Arbitrary<Edit> =>
  fc
    .array(edit, { minLength: 0, maxLength: max })
    .map((all) => (bytes) => all.reduce((kept, change) => change(kept), bytes));

export const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.array(byte, { maxLength }).map((list) => Buffer.from(list));

export const fragment = fc.constantFrom(undefined, 1, 17, 700);

export const withFragment = (size: number | undefined): RigOptions => (size === undefined ? {} : { fragment: size });

/** Documents of every shape, most of them near what the module looks for. */
export const json: fc.Arbitrary<Buffer> = (() => {
  const scalar = fc.oneof(
    fc.constantFrom<unknown>(
      "",
      "1000",
      200,
      -1,
      0,
      1e308,
      4294967295,
      9007199254740992,
      true,
      false,
      null,
      "x".repeat(300),
    ),
    fc.string({ unit: "binary", maxLength: 20 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const name = fc.constantFrom(
    "id",
    "code",
    "data",
    "params",
    "method",
    "version",
    "message",
    "size",
    "url",
    "sign",
    "x",
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof({ maxDepth: 3, withCrossShrink: true }, scalar, tie("list"), tie("object")),
    list: fc.array(tie("any"), { maxLength: 4 }),
    object: fc.dictionary(name, tie("any"), { maxKeys: 6 }),
  })).any;
  const members = fc.dictionary(
    fc.constantFrom(
      "size",
      "version",
      "url",
      "sign",
      "signMethod",
      "module",
      "md5",
      "isDiff",
      "files",
      "dProtocol",
      "extData",
    ),
    value,
    { maxKeys: 5 },
  );
  const document = fc.oneof(
    value,
    members.map((changed) => push(offer(changed))),
    fc
      .tuple(value, value)
      .map(([id, params]) => ({ method: "thing.service.property.set", id, params, version: "1.0.0" })),
    fc.tuple(value, value).map(([id, data]) => ({ id, code: 200, data })),
  );
  // -0 and the like aside, this is JSON; numbers of any length come in by hand below
  return document.map((made) => Buffer.from(JSON.stringify(made) ?? "null"));
})();

export const HAND_MADE: Buffer[] = [
  "",
  " ",
  "{",
  "[",
  '"',
  "{}",
  "[]",
  '{"id"',
  '{"id":',
  '{"id":1',
  '{"params":{}',
  "nul",
  "truefalse",
  "-",
  "1e",
  "\u{feff}{}",
  `${"[".repeat(5000)}`,
  `${'{"a":'.repeat(5000)}`,
  `{"params":${"[".repeat(40)}${"]".repeat(40)}}`,
  `{"id":${"9".repeat(5000)},"code":${"1".repeat(400)},"params":{}}`,
  `{"params":{"x":-${"1".repeat(3000)}e+${"9".repeat(3000)}}}`,
  '{"id":"1","id":"2","params":{},"params":{"a":1},"params":{"b":2}}',
  '{"params":{"a":1},"id":1}',
  '{"params":[],"id":1}',
  '{"id":"\\ud800","params":{}}',
  '{"id":"\\u0000","params":{"\\u0000":"\\u0000"}}',
  '{"id":1,"params":null}',
  '{"id":{"a":1},"params":{"a":1}}',
  '{"id":[1],"params":{"a":1}}',
  `{"id":"${'\\"'.repeat(64)}","params":{}}`,
  `{"id":"${"x".repeat(65)}","params":{}}`,
  `{"${"k".repeat(9000)}":1}`,
  `{"params":{"k":"${"\\u00e9".repeat(2000)}"}}`,
  `{"code":200,"data":[${JSON.stringify(offer())}]}`,
  `{"data":${JSON.stringify(offer())}}`,
  '{"data":{"data":{"url":1}}}',
  JSON.stringify(push(offer({ size: -1 }))),
  JSON.stringify(push(offer({ size: 65537 }))),
  JSON.stringify(push(offer({ size: 2 ** 53 }))),
  JSON.stringify(push(offer({ url: "http://plain.example/" }))),
  JSON.stringify(push(offer({ url: `https://${"h".repeat(2000)}/` }))),
  JSON.stringify(push(offer({ sign: "zz" }))),
  JSON.stringify(push(offer({ sign: "ab".repeat(64) }))),
]
  .map((text) => Buffer.from(text))
  .concat([
    Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
    Buffer.from([0x22, 0xc0, 0xaf, 0x22]),
    Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]),
    Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]),
    Buffer.alloc(3000, 0),
    Buffer.alloc(3000, 0xff),
  ]);

function crc32(bytes: Uint8Array): Buffer {
  let crc = 0xffffffff;
  for (const each of bytes) {
    crc ^= each;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  const sum = Buffer.alloc(4);
  sum.writeUInt32LE(~crc >>> 0);
  return sum;
}

/** A record of the state region with its checksum, padded to the write unit: docs/state-region.md. */
export function journalRecord(kind: number, payload: Uint8Array): Buffer {
  const plain = Buffer.concat([Buffer.from([0x5a, kind, payload.length & 255, payload.length >> 8]), payload]);
  const whole = Buffer.concat([plain, crc32(plain)]);
  return Buffer.concat([whole, Buffer.alloc(-whole.length & 15, 255)]);
}

/** A flash whose state region holds these records. */
export function flashWith(records: Uint8Array[]): Uint8Array {
  const head = Buffer.from([0x41, 0x4c, 0x4a, 0x31, 1, 0, 0, 0, 1, 0, 0, 0]);
  const flash = new Uint8Array(FLASH_SIZE).fill(255);
  flash.set(Buffer.concat([head, crc32(head), ...records]), STATE);
  return flash;
}
