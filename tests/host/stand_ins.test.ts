// Stand-ins for credentials, at every split of what holds them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Begun, HttpHead, Known, StandIns } from "../../host/record/stand_ins.js";

const CASES: [what: string, text: string, expected: string][] = [
  ["a member", '{"deviceSecret":"ga7X","a":1}', '{"deviceSecret":"xxxx","a":1}'],
  ["a member in other letters, with spaces", '{"DEVICEsecret" :\n "ga7X"}', '{"DEVICEsecret" :\n "xxxx"}'],
  ["escapes keep their length", '{"token":"a\\"b\\u0041\\\\c","x":"y"}', '{"token":"x\\\\x\\u0078\\\\x","x":"y"}'],
  ["a number is no credential", '{"token":12345}', '{"token":12345}'],
  ["the sign of an offer is a digest", '{"sign":"ab12","signMethod":"MD5"}', '{"sign":"ab12","signMethod":"MD5"}'],
  ["a value is no name", '["token","secret"]', '["token","secret"]'],
  ["a longer name is another one", '{"mytoken":"a","token_":"b"}', '{"mytoken":"a","token_":"b"}'],
  [
    "a presigned URL",
    "https://h/p?Expires=1&OSSAccessKeyId=LT.a-1&Signature=a%2Bb%3D&security-token=CAI/z+=&x=1 ",
    "https://h/p?Expires=1&OSSAccessKeyId=xx.x-x&Signature=x%2Bx%3D&security-token=xxx/x+=&x=1 ",
  ],
  [
    "escaped in JSON",
    '{"url":"https:\\/\\/h\\/p?a=1\\u0026Signature=ab","b":"c"}',
    '{"url":"https:\\/\\/h\\/p?a=1\\u0026Signature=xx","b":"c"}',
  ],
  [
    "version 4",
    "?x-oss-signature-version=OSS4&x-oss-signature=ab12 x",
    "?x-oss-signature-version=OSS4&x-oss-signature=xxxx x",
  ],
  ["in binary", '\x30\x10\xff\x00{"password":"p\xc3\xa4ss"}\x00', '\x30\x10\xff\x00{"password":"xxxxx"}\x00'],
];

for (const [what, text, expected] of CASES)
  test(what, () => {
    const bytes = Buffer.from(text, "latin1");
    for (let at = 0; at <= bytes.length; at++) {
      const standIns = new StandIns();
      const pieces = [Buffer.from(bytes.subarray(0, at)), Buffer.from(bytes.subarray(at))];
      for (const piece of pieces) standIns.replace(piece);
      assert.equal(Buffer.concat(pieces).toString("latin1"), expected, `split at ${at}`);
    }
    const standIns = new StandIns();
    for (let at = 0; at < bytes.length; at++) standIns.replace(bytes.subarray(at, at + 1));
    assert.equal(bytes.toString("latin1"), expected);
  });

test("of an HTTP response the head is looked through, the package is as it is", () => {
  const head = "HTTP/1.1 302 Found\r\nLocation: https://h/?Signature=ab\r\n\r\n";
  const body = "?Signature=ab\r\n\r\n?Signature=ab";
  const bytes = Buffer.from(head + body);
  const http = new HttpHead();
  for (let at = 0; at < bytes.length; at += 7) http.replace(bytes.subarray(at, at + 7));
  assert.equal(bytes.toString(), head.replace("=ab", "=xx") + body);
});

test("a value that was met is found again, also in pieces", () => {
  const known = new Known();
  const standIns = new StandIns(known.add);
  standIns.replace(Buffer.from('{"deviceToken":"ToKeNtOkEn-1","secret":"short","token":"xxxxxxxxxx"}'));
  const text = "aTaToKeNToKeNtOkEn-1ToKeNtOkEn-1bToKeN short xxxxxxxxxxx";
  const expected = "aTaToKeNxxxxxxxxxxxxxxxxxxxxxxxxbToKeN short xxxxxxxxxxx";
  const whole = Buffer.from(text);
  known.replace(whole);
  assert.equal(whole.toString(), expected);
  for (let size = 1; size <= text.length; size++) {
    const bytes = Buffer.from(text);
    const begun: Begun = new Map();
    for (let at = 0; at < bytes.length; at += size) known.replace(bytes.subarray(at, at + size), begun);
    const found = bytes.toString();
    // Beside what looks like a beginning at the end of a piece, everything else stays.
    assert.equal(found.replaceAll("x", "").replace(/[ToKeNtOkEn1-]/g, ""), "aab shr ");
    // Of each occurrence three bytes at most are left.
    for (const at of [8, 20])
      assert.match(found.slice(at, at + 12), /^[ToK]{0,3}x{9,}$/, `pieces of ${size}: ${found}`);
  }
});
