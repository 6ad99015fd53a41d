/**
 * The inside of a JSON string (RFC 8259 §7), read at any pace and stored unescaped in a sink of any size. It is the part
 * of the reader in json.ts that looks at characters; that one puts the text of numbers into the same sink.
 */
import { Code } from "../abi";
import { Ascii, copy, litLen, litPtr, S } from "../bytes/text";

/** Longest key that is kept, bytes. A longer one is cut in the carry, which its length tells. */
export const JSON_KEY: u32 = 40;

/** What `textNext` found; results below zero are a `Code`. */
export const enum TextResult {
  NeedMore = 0,
  /** The closing quote is taken. */
  Complete = 1,
}

/** What the next byte is. */
const enum Inside {
  Plain = 0,
  Escape = 1,
  /** A digit of an escape. */
  Hex = 2,
  /** Inside a UTF-8 sequence. */
  Sequence = 3,
}

/** Input, sink, and where in a string the reader is. Not @final: JsonReader lies over it. */
@unmanaged
export class JsonText {
  /** Next byte of the input; moves on as bytes are taken. */
  at: usize = 0;
  /** End of the input that is there. */
  end: usize = 0;
  /** Sink of the next scalar value; back to none after every value. */
  out: usize = 0;
  /** Room in the sink, bytes; 0 = skip the value. */
  cap: u32 = 0;
  /** Bytes of the last scalar or key that were stored. Never ends inside a UTF-8 sequence. */
  len: u32 = 0;
  /** Bytes it has in all; more than `len` when it was cut. Stays at 2^32 - 1 once there. */
  total: u32 = 0;
  inside: i32 = 0;
  /** Whether it is a key, which is stored in the carry. */
  inKey: bool = false;
  /** Digits or bytes still to come in Hex and Sequence. */
  left: i32 = 0;
  /** Code unit or code point so far. */
  unit: u32 = 0;
  /** High surrogate that waits for its low one, which only an escape can be, 0 = none; in Sequence, the least code point of that length. */
  mark: u32 = 0;
  key0: u64 = 0;
  key1: u64 = 0;
  key2: u64 = 0;
  key3: u64 = 0;
  key4: u64 = 0;
}

/** Begin a scalar: a key, or a value for the sink. */
export function textBegin(t: JsonText, key: bool): void {
  t.len = 0;
  t.total = 0;
  t.inside = Inside.Plain;
  t.inKey = key;
  t.mark = 0;
}

/** -> the carry of keys. */
export function textKey(t: JsonText): usize {
  return changetype<usize>(t) + offsetof<JsonText>("key0");
}

/** Read on after the opening quote. -> a TextResult, or BadMessage for a control character, escape or byte that is none. */
export function textNext(t: JsonText): i32 {
  let result: i32 = TextResult.NeedMore;
  while (result == TextResult.NeedMore && t.at < t.end) {
    result = t.inside == Inside.Plain ? plain(t) : special(t, load<u8>(t.at));
  }
  return result;
}

/** A run of ASCII that stands for itself, and the byte that ends it. */
function plain(t: JsonText): i32 {
  const from = t.at;
  const end = t.end;
  let at = from;
  let byte: u32 = 0;
  for (; at < end; at++) {
    byte = load<u8>(at);
    if (byte - 0x20 >= 0x60 || byte == 0x22 || byte == 0x5c) break;
  }
  if (at != from || byte != 0x5c) noPair(t);
  if (at != from) textPutRun(t, from, <u32>(at - from));
  t.at = at;
  if (at == end) return TextResult.NeedMore;
  t.at += 1;
  if (byte == 0x22) return TextResult.Complete;
  if (byte == 0x5c) {
    t.inside = Inside.Escape;
    return TextResult.NeedMore;
  }
  return lead(t, byte);
}

/** First byte of a UTF-8 sequence (RFC 3629 §4), or a byte that is none. */
function lead(t: JsonText, byte: u32): i32 {
  if (byte - 0xc2 > 0x32) return Code.BadMessage;
  const more = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  t.left = more;
  t.unit = byte & (0x3f >>> more);
  t.mark = more == 1 ? 0x80 : more == 2 ? 0x800 : 0x10000;
  t.inside = Inside.Sequence;
  return TextResult.NeedMore;
}

/** A byte of a string that is not plain. */
function special(t: JsonText, byte: u32): i32 {
  t.at += 1;
  if (t.inside == Inside.Escape) return escape(t, byte);
  return t.inside == Inside.Hex ? hex(t, byte) : sequence(t, byte);
}

/** What comes is no low surrogate: a high one that waits for it becomes U+FFFD. */
function noPair(t: JsonText): void {
  if (t.mark == 0) return;
  t.mark = 0;
  putCodePoint(t, 0xfffd);
}

/** §7: characters with a short escape: the letter behind the backslash, then what it stands for. */
export const ESCAPES: usize = S('b\bf\fn\nr\rt\t""//\\\\');

/** §7: the byte after a backslash. */
function escape(t: JsonText, byte: u32): i32 {
  if (byte == 0x75) {
    t.left = 4;
    t.unit = 0;
    t.inside = Inside.Hex;
    return TextResult.NeedMore;
  }
  noPair(t);
  t.inside = Inside.Plain;
  for (let at = litPtr(ESCAPES); at < litPtr(ESCAPES) + litLen(ESCAPES); at += 2) {
    if (load<u8>(at) != byte) continue;
    textPutRun(t, at + 1, 1);
    return TextResult.NeedMore;
  }
  return Code.BadMessage;
}

function hex(t: JsonText, byte: u32): i32 {
  const digit = Ascii.hexDigit(byte);
  if (digit < 0) return Code.BadMessage;
  t.unit = (t.unit << 4) | digit;
  t.left -= 1;
  if (t.left == 0) codeUnit(t, t.unit);
  return TextResult.NeedMore;
}

/** A UTF-16 code unit from an escape; one half of a surrogate pair alone becomes U+FFFD. */
function codeUnit(t: JsonText, unit: u32): void {
  const low = unit - 0xdc00 < 0x400;
  t.inside = Inside.Plain;
  if (t.mark != 0 && low) {
    unit += (t.mark << 10) - 0x35fdc00;
    t.mark = 0;
  } else {
    noPair(t);
    if (low) unit = 0xfffd;
    if (unit - 0xd800 < 0x400) {
      t.mark = unit;
      return;
    }
  }
  putCodePoint(t, unit);
}

/** Not the first byte of a UTF-8 sequence. Overlong forms, surrogates and what lies above U+10FFFF are errors. */
function sequence(t: JsonText, byte: u32): i32 {
  if ((byte & 0xc0) != 0x80) return Code.BadMessage;
  const unit = (t.unit << 6) | (byte & 0x3f);
  t.unit = unit;
  t.left -= 1;
  if (t.left != 0) return TextResult.NeedMore;
  if (unit < t.mark || unit > 0x10ffff || unit - 0xd800 < 0x800) return Code.BadMessage;
  t.mark = 0;
  t.inside = Inside.Plain;
  putCodePoint(t, unit);
  return TextResult.NeedMore;
}

/** Store a character (RFC 3629 §3): `unit` takes its bytes, the first one lowest. */
function putCodePoint(t: JsonText, c: u32): void {
  let bytes: u32 = 0;
  let n: u32 = 1;
  let lead: u32 = 0;
  // the most that a first byte has room for, before it is known to be less
  for (let most: u32 = 0x7f; c > most; n++) {
    bytes = (bytes | 0x80 | (c & 0x3f)) << 8;
    c >>>= 6;
    most = n == 1 ? 0x1f : most >>> 1;
    lead = (lead >>> 1) | (n == 1 ? 0xc0 : 0x80);
  }
  t.unit = bytes | lead | c;
  textPutRun(t, changetype<usize>(t) + offsetof<JsonText>("unit"), n);
}

/** Store `n` bytes of whole characters, or as many of the characters as there is room for. */
export function textPutRun(t: JsonText, from: usize, n: u32): void {
  let take = room(t);
  if (take >= n) take = n;
  else while (take > 0 && (load<u8>(from + take) & 0xc0) == 0x80) take--;
  copy(sink(t), from, take);
  t.len += take;
  count(t, n);
}

/** -> room left, bytes; none once something was cut, so that what is stored is a beginning. */
function room(t: JsonText): u32 {
  const cap = t.inKey ? JSON_KEY : t.cap;
  return t.len == t.total && t.len < cap ? cap - t.len : 0;
}

function sink(t: JsonText): usize {
  return (t.inKey ? textKey(t) : t.out) + t.len;
}

function count(t: JsonText, n: u32): void {
  const total = t.total + n;
  t.total = total < n ? u32.MAX_VALUE : total;
}
