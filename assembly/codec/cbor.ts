/**
 * CBOR (RFC 8949) and JSON, each made of the other as it comes, in slices of any size. Written: definite lengths, the shortest
 * heads, integers where a number is one, else the shortest float that has the value (§4.2.1, §4.2.2); members stay in
 * the order they have. Read: the same subset in any order, and tags, which are passed over; what JSON has no word for (byte
 * strings, keys that are no text, indefinite lengths, NaN and infinities) is refused. No float is computed with: the module
 * has none, so numbers are taken apart as integers.
 */
import { Code } from "../abi";
import { move } from "../bytes/text";
import { putByte, putBytes, Writer } from "../bytes/writer";
import { JSON_KEY, JsonReader, JsonToken, jsonKeyPtr, jsonNext } from "./json";

/** Deepest nesting. */
const DEPTH: u32 = 12;
/** Bytes of the stack of open arrays and maps, a u32 each. */
export const CBOR_STACK: u32 = 4 * DEPTH;
/** Longest head. Texts are read to behind that and then moved down. */
const HEAD: u32 = 3;
/** What one byte of CBOR may become at most: a number, or the ends of everything that is open. */
const ROOM: u32 = 64;
const MAP: u32 = 0x80000000;
/** Reading: the array or map has an element already. */
const FILLED: u32 = 0x40000000;
const COUNT: u32 = 0x3fffffff;
/** Most digits of a number, and what has that many. */
const DIGITS: u32 = 18;

@unmanaged
@final
export class Cbor {
  /** CBOR_STACK bytes. Writing: offset, count in the upper half. Reading: items still to come. */
  stack: usize = 0;
  depth: u32 = 0;
  /** Reading: the input. */
  at: usize = 0;
  end: usize = 0;
  value: u64 = 0;
  /** First byte of the head, bytes of it and of a text that are still to come. */
  first: u32 = 0;
  left: u32 = 0;
  text: u32 = 0;
  done: bool = false;
}

export function cborInit(c: Cbor): void {
  c.depth = 0;
  c.left = 0;
  c.text = 0;
  c.done = false;
  c.at = c.end;
}

/** Head of an item (§3): `major` is the type in the upper three bits. */
export function cborPutHead(w: Writer, major: u32, value: u64): void {
  let bytes: u32 = 0;
  if (value < 24) return putByte(w, major | <u32>value);
  if (value < 0x100) bytes = 1;
  else if (value < 0x10000) bytes = 2;
  else bytes = value < 0x100000000 ? 4 : 8;
  putByte(w, major + 24 + (bytes > 2 ? (bytes >>> 2) + 1 : bytes - 1));
  while (bytes-- > 0) putByte(w, <u32>(value >> ((<u64>bytes) << 3)));
}

export function cborPutText(w: Writer, ptr: usize, len: u32): void {
  cborPutHead(w, 0x60, len);
  putBytes(w, ptr, len);
}

// ---- JSON to CBOR

/** Begin to write the value that the reader is at the beginning of. */
export function cborEncodeInit(c: Cbor, r: JsonReader, w: Writer): void {
  cborInit(c);
  sink(r, w);
}

function sink(r: JsonReader, w: Writer): void {
  const room = <u32>(w.end - w.at);
  r.out = w.at + HEAD;
  r.cap = room < HEAD ? 0 : room - HEAD;
}

/**
 * Write what the reader's input has. -> NeedMore, End, or Unsupported: it does not fit, is nested deeper than DEPTH, or has
 * a number or a key that is too long.
 */
export function cborEncode(c: Cbor, r: JsonReader, w: Writer): i32 {
  let token = jsonNext(r);
  for (; token > JsonToken.NeedMore && token != JsonToken.End; token = jsonNext(r)) {
    if (!encode(c, r, w, token) || w.need != <u32>(w.at - w.start)) return Code.Unsupported;
    sink(r, w);
  }
  return token;
}

function slot(c: Cbor): usize {
  return c.stack + (c.depth << 2) - 4;
}

/** Count a member by its key, an element by its value. */
function count(c: Cbor, key: bool): void {
  if (c.depth == 0) return;
  const top = load<u32>(slot(c));
  if (key == top >= MAP) store<u32>(slot(c), top + 0x10000);
}

function encode(c: Cbor, r: JsonReader, w: Writer, token: JsonToken): bool {
  if (token == JsonToken.ObjectEnd || token == JsonToken.ArrayEnd) return close(c, w);
  count(c, token == JsonToken.Key);
  switch (token) {
    case JsonToken.Key:
      cborPutText(w, jsonKeyPtr(r), r.keyLen);
      return r.keyLen <= JSON_KEY;
    case JsonToken.ObjectStart:
    case JsonToken.ArrayStart:
      if (c.depth == DEPTH) return false;
      c.depth += 1;
      store<u32>(slot(c), <u32>(w.at - w.start) | (token == JsonToken.ObjectStart ? MAP : 0));
      putByte(w, 0);
      return true;
    case JsonToken.String: {
      const len = r.len;
      const from = w.at + HEAD;
      cborPutHead(w, 0x60, len);
      move(w.at, from, len);
      w.at += len;
      w.need += len;
      return r.total == len;
    }
    case JsonToken.Number:
      return r.total == r.len && number(w, w.at + HEAD, r.len);
    default:
      putByte(w, token == JsonToken.Null ? 0xf6 : token == JsonToken.True ? 0xf5 : 0xf4);
      return true;
  }
}

/** An array or map ends: its head is known now, and what stands behind it makes room where it is longer than a byte. */
function close(c: Cbor, w: Writer): bool {
  const top = load<u32>(slot(c));
  c.depth -= 1;
  const n = (top & ~MAP) >>> 16;
  const head = w.start + (top & 0xffff);
  const major: u32 = top >= MAP ? 0xa0 : 0x80;
  if (n < 24) {
    store<u8>(head, major | n);
    return true;
  }
  // in the room that a datagram has there are never more than 255
  if (n > 255) return false;
  putByte(w, 0);
  if (w.need != <u32>(w.at - w.start)) return false;
  for (let at = w.at - 1; at > head; at--) store<u8>(at, load<u8>(at - 1));
  store<u8>(head, major | 24);
  store<u8>(head, n, 1);
  return true;
}

/** A number of JSON: digits times a power of ten, as an integer or as a quotient of two. */
function number(w: Writer, ptr: usize, len: u32): bool {
  let digits: u64 = 0;
  let scale: i32 = 0;
  let exponent: i32 = 0;
  let i: u32 = 0;
  const negative = load<u8>(ptr) == 0x2d;
  let point = false;
  for (i = negative ? 1 : 0; i < len; i++) {
    const byte: u32 = load<u8>(ptr + i);
    if (byte == 0x2e) point = true;
    else if (byte - 48 < 10) {
      if (digits >= 100000000000000000) return false;
      digits = digits * 10 + (byte - 48);
      if (point) scale += 1;
    } else break;
  }
  if (i < len) {
    const minus = load<u8>(ptr + ++i) == 0x2d;
    if (minus || load<u8>(ptr + i) == 0x2b) i++;
    for (; i < len && exponent < 100; i++) exponent = exponent * 10 + load<u8>(ptr + i) - 48;
    scale -= minus ? -exponent : exponent;
  }
  while (scale > 0 && digits % 10 == 0 && digits != 0) {
    digits /= 10;
    scale -= 1;
  }
  for (; scale < 0 && digits != 0; scale++) {
    if (digits >= 100000000000000000) return false;
    digits *= 10;
  }
  if (digits == 0 && !negative) scale = 0;
  if (scale <= 0 && (digits != 0 || !negative)) {
    cborPutHead(w, negative ? 0x20 : 0, negative ? digits - 1 : digits);
    return true;
  }
  if (<u32>scale > DIGITS && digits != 0) return false;
  float(w, negative, digits, scale);
  return true;
}

/** digits / 10^scale, rounded to 53 bits (§4.2.2: then the shortest of the three formats that has all of them). */
function float(w: Writer, negative: bool, digits: u64, scale: i32): void {
  let d: u64 = 1;
  for (; scale > 0 && digits != 0; scale--) d *= 10;
  let q = digits / d;
  let r = digits % d;
  let e = 0;
  for (; q < 0x20000000000000 && digits != 0; e--) {
    q <<= 1;
    r <<= 1;
    if (r >= d) {
      r -= d;
      q += 1;
    }
  }
  // one bit more than there is room for: round to even
  for (; q >= 0x40000000000000; e++) {
    r |= q & 1;
    q >>= 1;
  }
  const half = q & 1;
  q = (q >> 1) + (half & ((r != 0 ? 1 : 0) | (q >> 1)));
  e += 53;
  if (q >= 0x20000000000000) {
    q >>= 1;
    e += 1;
  }
  q &= 0xfffffffffffff;
  const sign: u64 = negative ? 1 : 0;
  if (digits == 0) cborFloat(w, 2, sign << 15);
  else if (!(q & 0x3ffffffffff) && e + 14 >= 0 && e <= 15)
    cborFloat(w, 2, (sign << 15) | ((<u64>(e + 15)) << 10) | (q >> 42));
  else if (!(q & 0x1fffffff)) cborFloat(w, 4, (sign << 31) | ((<u64>(e + 127)) << 23) | (q >> 29));
  else cborFloat(w, 8, (sign << 63) | ((<u64>(e + 1023)) << 52) | q);
}

function cborFloat(w: Writer, bytes: u32, bits: u64): void {
  putByte(w, 0xf8 + (bytes == 2 ? 1 : bytes == 4 ? 2 : 3));
  while (bytes-- > 0) putByte(w, <u32>(bits >> ((<u64>bytes) << 3)));
}

// ---- CBOR to JSON

/** Write the JSON of the input in [at, end), as far as the writer has room. -> Ok, or BadMessage. */
export function cborDecode(c: Cbor, w: Writer): i32 {
  while (c.at < c.end && <u32>(w.end - w.at) >= ROOM) {
    const byte: u32 = load<u8>(c.at);
    c.at += 1;
    if (c.text != 0) character(c, w, byte);
    else if (c.left != 0) {
      c.value = (c.value << 8) | byte;
      c.left -= 1;
      if (c.left == 0 && !item(c, w)) return Code.BadMessage;
    } else {
      const info = byte & 31;
      c.first = byte;
      c.value = info;
      if (info > 27 || c.done) return Code.BadMessage;
      if (info > 23) {
        c.value = 0;
        c.left = 1 << (info - 24);
      } else if (!item(c, w)) return Code.BadMessage;
    }
  }
  return Code.Ok;
}

function character(c: Cbor, w: Writer, byte: u32): void {
  if (byte < 0x20) {
    putByte(w, 0x5c);
    putByte(w, 0x75);
    putByte(w, 0x30);
    putByte(w, 0x30);
    putByte(w, 0x30 + (byte >>> 4));
    byte &= 15;
    putByte(w, byte + (byte < 10 ? 48 : 87));
  } else {
    if (byte == 0x22 || byte == 0x5c) putByte(w, 0x5c);
    putByte(w, byte);
  }
  c.text -= 1;
  if (c.text == 0) textEnd(c, w);
}

function textEnd(c: Cbor, w: Writer): void {
  putByte(w, 0x22);
  after(c, w);
}

/** An item's head is complete. -> false when JSON has no word for it. */
function item(c: Cbor, w: Writer): bool {
  const major = c.first >>> 5;
  const value = c.value;
  if (major == 6) return true;
  if (major == 2 || !before(c, w, major == 3)) return false;
  switch (major) {
    case 0:
      integer(w, value);
      break;
    case 1:
      if (value == u64.MAX_VALUE) return false;
      putByte(w, 0x2d);
      integer(w, value + 1);
      break;
    case 3:
      if (value > COUNT) return false;
      putByte(w, 0x22);
      c.text = <u32>value;
      if (value == 0) textEnd(c, w);
      return true;
    case 7:
      if (!simple(c, w)) return false;
      break;
    default: {
      const map = major == 5;
      if (value > COUNT / 2 || c.depth == DEPTH) return false;
      putByte(w, map ? 0x7b : 0x5b);
      c.depth += 1;
      store<u32>(slot(c), ((<u32>value) << (map ? 1 : 0)) | (map ? MAP : 0));
      if (value != 0) return true;
      end(c, w);
    }
  }
  after(c, w);
  return true;
}

/** What stands before an item. -> false for a key that is no text. */
function before(c: Cbor, w: Writer, text: bool): bool {
  if (c.depth == 0) return true;
  const top = load<u32>(slot(c));
  const value = top >= MAP && (top & 1) != 0;
  if (value) putByte(w, 0x3a);
  else if (top & FILLED) putByte(w, 0x2c);
  store<u32>(slot(c), top | FILLED);
  return value || top < MAP || text;
}

function end(c: Cbor, w: Writer): void {
  putByte(w, load<u32>(slot(c)) >= MAP ? 0x7d : 0x5d);
  c.depth -= 1;
}

/** An item is complete, and with it perhaps what it stands in. */
function after(c: Cbor, w: Writer): void {
  while (c.depth != 0) {
    const top = load<u32>(slot(c)) - 1;
    store<u32>(slot(c), top);
    if (top & COUNT) return;
    end(c, w);
  }
  c.done = true;
}

function integer(w: Writer, value: u64): void {
  let divisor: u64 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) putByte(w, 48 + <u32>((value / divisor) % 10));
}

const NULL: u32 = 0x6c6c756e;
const TRUE: u32 = 0x65757274;
const FALSE: u32 = 0x736c6166;

function simple(c: Cbor, w: Writer): bool {
  const info = c.first & 31;
  if (info == 25) return decimal(w, c.value, 10, 15);
  if (info == 26) return decimal(w, c.value, 23, 127);
  if (info == 27) return decimal(w, c.value, 52, 1023);
  if (info < 20 || info > 23) return false;
  let word = info == 20 ? FALSE : info == 21 ? TRUE : NULL;
  for (; word != 0; word >>>= 8) putByte(w, word & 0xff);
  if (info == 20) putByte(w, 0x65);
  return true;
}

/** A float in decimal: eighteen digits at most, which is one more than tell all doubles apart. */
function decimal(w: Writer, bits: u64, fraction: u64, bias: i32): bool {
  const top = <i32>(bits >> fraction) & (bias * 2 + 1);
  let m = bits & (((<u64>1) << fraction) - 1);
  if (top == bias * 2 + 1) return false;
  if (top != 0) m |= (<u64>1) << fraction;
  let k: i32 = <i32>fraction + bias - (top != 0 ? top : 1);
  if ((bits >> (fraction == 10 ? 15 : fraction == 23 ? 31 : 63)) & 1) putByte(w, 0x2d);
  for (; m != 0 && !(m & 1); k--) m >>= 1;
  // the smallest and the largest have no place in eighteen digits
  if (m != 0 && (k > 100 || 64 - <i32>clz(m) - k > 60)) return false;
  if (m == 0 || k <= 0) {
    integer(w, m << (<u64>-k));
    return true;
  }
  const whole = k < 64 ? m >> <u64>k : 0;
  integer(w, whole);
  if (k < 64) m -= whole << (<u64>k);
  putByte(w, 0x2e);
  let digits: u32 = 0;
  for (let n: u32 = 0; m != 0 && digits < DIGITS && n < 36; n++) {
    for (; m >= 0x1000000000000000; k--) m >>= 1;
    m *= 10;
    const digit = k < 64 ? m >> <u64>k : 0;
    if (k < 64) m -= digit << (<u64>k);
    if (digits != 0 || digit != 0 || whole != 0) digits += 1;
    putByte(w, 48 + <u32>digit);
  }
  return true;
}
