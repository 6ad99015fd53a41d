/**
 * CBOR (RFC 8949) of JSON as it comes, in slices of any size: integers where a number is one, else the shortest float that
 * has its value (§4.2.2); members stay in the order they have. No float is computed with: the module has none, so numbers are
 * taken apart as integers.
 */
import { Code } from "../abi";
import { move } from "../bytes/text";
import { putByte, Writer } from "../bytes/writer";
import { CBOR_DEPTH, CBOR_DIGITS, CBOR_MAP, Cbor, cborInit, cborPutHead, cborPutText, cborSlot } from "./cbor";
import { JSON_KEY, JsonReader, JsonToken, jsonKeyPtr, jsonNext } from "./json";

/** Longest head. Texts are read to behind that and then moved down. */
const HEAD: u32 = 3;

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
 * Write what the reader's input has. -> NeedMore, End, or Unsupported: it does not fit, is nested deeper than CBOR_DEPTH, or has
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

/** Count a member by its key, an element by its value. */
function count(c: Cbor, key: bool): void {
  if (c.depth == 0) return;
  const top = load<u32>(cborSlot(c));
  if (key == top >= CBOR_MAP) store<u32>(cborSlot(c), top + 0x10000);
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
      if (c.depth == CBOR_DEPTH) return false;
      c.depth += 1;
      store<u32>(cborSlot(c), <u32>(w.at - w.start) | (token == JsonToken.ObjectStart ? CBOR_MAP : 0));
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
  const top = load<u32>(cborSlot(c));
  c.depth -= 1;
  const n = (top & ~CBOR_MAP) >>> 16;
  const head = w.start + (top & 0xffff);
  const major: u32 = top >= CBOR_MAP ? 0xa0 : 0x80;
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
  if (<u32>scale > CBOR_DIGITS && digits != 0) return false;
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
