/**
 * CBOR (RFC 8949) of JSON as it comes, in slices of any size: integers where a number is one, else the shortest float that
 * has its value (§4.2.2); members stay in the order they have. No float is computed with: the module has none, so numbers are
 * taken apart as integers.
 */
import { Code } from "../abi";
import { move } from "../bytes/text";
import { putByte, Writer } from "../bytes/writer";
import {
  CBOR_DEPTH,
  CBOR_DIGITS,
  CBOR_MAP,
  Cbor,
  cborInit,
  cborPutBytes,
  cborPutHead,
  cborPutText,
  cborSlot,
} from "./cbor";
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
  let point: i32 = 0;
  const negative = load<u8>(ptr) == 0x2d;
  const end = ptr + len;
  if (negative) ptr++;
  for (; ptr < end; ptr++) {
    const byte: u32 = load<u8>(ptr);
    if (byte == 0x2e) point = 1;
    else if (byte - 48 < 10) {
      if (digits >> FULL) return false;
      digits = digits * 10 + (byte - 48);
      scale += point;
    } else break;
  }
  if (ptr < end) {
    let exponent: i32 = 0;
    const minus = load<u8>(ptr, 1) == 0x2d;
    while (++ptr < end && exponent < 100) {
      const digit = <u32>load<u8>(ptr) - 48;
      if (digit < 10) exponent = exponent * 10 + digit;
    }
    scale += minus ? exponent : -exponent;
  }
  if (digits == 0) scale = 0;
  for (; scale < 0; scale++) {
    if (digits >> FULL) return false;
    digits *= 10;
  }
  if (<u32>scale > CBOR_DIGITS) return false;
  let divisor: u64 = 1;
  for (; scale > 0; scale--) divisor *= 10;
  const rest = digits % divisor;
  if (rest != 0 || (digits == 0 && negative)) float(w, negative ? 1 : 0, digits / divisor, rest, divisor);
  else {
    digits /= divisor;
    cborPutHead(w, negative ? 0x20 : 0, negative ? digits - 1 : digits);
  }
  return true;
}

/** A number has no room for a further digit above two to this. */
const FULL: u64 = 60;

/** q + r / d, rounded to 53 bits (§4.2.2: then the shortest of the three formats that has all of them). */
function float(w: Writer, sign: u64, q: u64, r: u64, d: u64): void {
  // all but zero are brought to 54 bits, the last one to round by
  let e: i32 = 53;
  for (; q >> 53 == 0 && d != 1; e--) {
    q <<= 1;
    r <<= 1;
    if (r >= d) {
      r -= d;
      q += 1;
    }
  }
  for (; q >> 54 != 0; e++) {
    r |= q & 1;
    q >>= 1;
  }
  // to even
  q = (q >> 1) + (q & 1 & ((r != 0 ? 1 : 0) | (q >> 1)));
  // 52 bits behind the first one, which is not written; a sum that carried has none of them
  e += <i32>(q >> 53);
  if (d == 1 || (!(q << 22) && e + 14 >= 0 && e <= 15)) put(w, 2, sign, d == 1 ? 0 : e + 15, q, 10);
  else if (!(q << 35)) put(w, 4, sign, e + 127, q, 23);
  else put(w, 8, sign, e + 1023, q, 52);
}

/** A float of `bytes` of which `fraction` bits are those of q behind its first one. */
function put(w: Writer, bytes: u32, sign: u64, exponent: i32, q: u64, fraction: u64): void {
  const size: u64 = <u64>(bytes << 3);
  const bits = (sign << (size - 1)) | ((<u64>exponent) << fraction) | ((q & 0xfffffffffffff) >> (52 - fraction));
  putByte(w, 0xf8 + (bytes == 8 ? 3 : bytes >>> 1));
  cborPutBytes(w, bytes, bits);
}
