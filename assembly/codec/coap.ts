/**
 * CoAP messages (RFC 7252 §3): an emitter, and a reader that checks a datagram whole before anything of it is used.
 * One datagram is one message, so nothing here has to stop in the middle.
 */
import { Code } from "../abi";
import { putByte, putBytes, putU16, Writer } from "../bytes/writer";

/** Message types (§3). */
export const enum CoapType {
  Confirmable = 0,
  NonConfirmable = 1,
  Acknowledgement = 2,
  Reset = 3,
}

/** Codes, class in the upper three bits (§12.1; 2.31 and 4.08: RFC 7959 §2.9). */
export const enum CoapCode {
  Empty = 0x00,
  Post = 0x02,
  Content = 0x45,
  Continue = 0x5f,
  Unauthorized = 0x81,
  BadOption = 0x82,
  Incomplete = 0x88,
  ServerError = 0xa0,
}

/** Options (§5.10, RFC 7959 §2.1) and the three of the platform (Alink §4). Odd ones are critical. */
export const enum CoapOption {
  UriPath = 11,
  ContentFormat = 12,
  Accept = 17,
  Block2 = 23,
  Block1 = 27,
  /** Of the platform: the session's token. */
  Token = 2088,
  /** Of the platform: the encrypted number of the request. */
  Sequence = 2089,
}

/** Content-Formats (§12.3, RFC 8949 §9.5). */
export const enum ContentFormat {
  Octets = 42,
  Json = 50,
  Cbor = 60,
}

/** Longest token, bytes (§3). */
const TOKEN_MAX: u32 = 8;
const MARKER: u32 = 0xff;

/** Header and token (§3). A token has at most eight bytes. */
export function coapPutHeader(w: Writer, type: CoapType, code: u32, messageId: u32, token: usize, tokenLen: u32): void {
  putByte(w, 0x40 | (type << 4) | tokenLen);
  putByte(w, code);
  putU16(w, messageId);
  putBytes(w, token, tokenLen);
}

/** §3.1: the four bits that stand for a delta or a length. */
function nibble(value: u32): u32 {
  return value < 13 ? value : value < 269 ? 13 : 14;
}

function putExtension(w: Writer, value: u32): void {
  if (value >= 269) putU16(w, value - 269);
  else if (value >= 13) putByte(w, value - 13);
}

/** First bytes of an option whose `len` bytes follow; `delta` counts from the option before. Both go up to 65804. */
export function coapPutOptionHead(w: Writer, delta: u32, len: u32): void {
  putByte(w, (nibble(delta) << 4) | nibble(len));
  putExtension(w, delta);
  putExtension(w, len);
}

export function coapPutOption(w: Writer, delta: u32, ptr: usize, len: u32): void {
  coapPutOptionHead(w, delta, len);
  putBytes(w, ptr, len);
}

/** An option that is a number: in as few bytes as it has (§3.2). */
export function coapPutNumber(w: Writer, delta: u32, value: u32): void {
  let len: u32 = 0;
  while (len < 4 && value >>> (len << 3) != 0) len++;
  coapPutOptionHead(w, delta, len);
  while (len-- > 0) putByte(w, value >>> (len << 3));
}

/**
 * A path as Uri-Path options, one a level; a slash at its beginning counts for nothing. `delta` counts from the option
 * before; behind a path it counts from UriPath.
 */
export function coapPutPath(w: Writer, delta: u32, path: usize, len: u32): void {
  let from: u32 = len != 0 && load<u8>(path) == 0x2f ? 1 : 0;
  for (let at = from; at <= len; at++) {
    if (at != len && load<u8>(path + at) != 0x2f) continue;
    coapPutOption(w, delta, path + from, at - from);
    delta = 0;
    from = at + 1;
  }
}

/** What stands before a payload of at least one byte. */
export function coapPutMarker(w: Writer): void {
  putByte(w, MARKER);
}

/** A message by its parts; the pointers are into the datagram. */
@unmanaged
@final
export class CoapMessage {
  type: CoapType = 0;
  code: u32 = 0;
  messageId: u32 = 0;
  token: usize = 0;
  /** 0..8 */
  tokenLen: u32 = 0;
  payload: usize = 0;
  payloadLen: u32 = 0;
  /** Number of the last option and its value. */
  number: u32 = 0;
  value: usize = 0;
  valueLen: u32 = 0;
  /** What follows it, and the end of the datagram. */
  at: usize = 0;
  end: usize = 0;
}

/**
 * Read a datagram of `len` bytes. -> Ok, after which `coapNext` gives its options; Unsupported for another version, which
 * §3 has ignored in silence; BadMessage for what is no message. The number and type of a message that has four bytes are
 * set even then, so that it can be rejected.
 */
export function coapParse(m: CoapMessage, ptr: usize, len: u32): i32 {
  if (len < 4) return Code.BadMessage;
  const first: u32 = load<u8>(ptr);
  if (first >>> 6 != 1) return Code.Unsupported;
  m.type = (first >>> 4) & 3;
  m.code = load<u8>(ptr, 1);
  m.messageId = ((<u32>load<u8>(ptr, 2)) << 8) | load<u8>(ptr, 3);
  m.tokenLen = first & 15;
  m.token = ptr + 4;
  m.end = ptr + len;
  // §4.1: an Empty message is four bytes and no more
  if (m.tokenLen > TOKEN_MAX || len < 4 + m.tokenLen || (m.code == CoapCode.Empty && len != 4)) return Code.BadMessage;
  coapRewind(m);
  let more = 0;
  do more = coapNext(m);
  while (more > 0);
  if (more < 0) return more;
  // §3: a marker with nothing behind it is an error
  if (m.at != m.end && ++m.at == m.end) return Code.BadMessage;
  m.payload = m.at;
  m.payloadLen = <u32>(m.end - m.at);
  coapRewind(m);
  return Code.Ok;
}

/** Back to before the first option. */
export function coapRewind(m: CoapMessage): void {
  m.at = m.token + m.tokenLen;
  m.number = 0;
}

/** -> 1: the next option is in number, value and valueLen; 0: there is none; or BadMessage. */
export function coapNext(m: CoapMessage): i32 {
  if (m.at == m.end) return 0;
  const first: u32 = load<u8>(m.at);
  if (first == MARKER) return 0;
  m.at += 1;
  const delta = extended(m, first >>> 4);
  const len = extended(m, first & 15);
  if ((delta | len) < 0 || <u32>len > <u32>(m.end - m.at)) return Code.BadMessage;
  m.number += delta;
  if (m.number > 0xffff) return Code.BadMessage;
  m.value = m.at;
  m.valueLen = len;
  m.at += len;
  return 1;
}

/** §3.1: a delta or a length; 15 is reserved. */
function extended(m: CoapMessage, value: u32): i32 {
  if (value < 13) return value;
  const bytes: u32 = value - 12;
  if (bytes > 2 || bytes > <u32>(m.end - m.at)) return Code.BadMessage;
  const high: u32 = load<u8>(m.at);
  m.at += bytes;
  return bytes == 1 ? high + 13 : ((high << 8) | load<u8>(m.at - 1)) + 269;
}

/** -> the option's value as a number (§3.2), or BadMessage for more than four bytes or a number above 2^31 - 1. */
export function coapNumber(m: CoapMessage): i32 {
  if (m.valueLen > 4) return Code.BadMessage;
  let value: u32 = 0;
  for (let i: u32 = 0; i < m.valueLen; i++) value = (value << 8) | load<u8>(m.value + i);
  return <i32>value < 0 ? Code.BadMessage : value;
}

/** The same as HTTP's status has it: 4.04 is 404. */
export function coapStatus(code: u32): i32 {
  return (code >>> 5) * 100 + (code & 31);
}
