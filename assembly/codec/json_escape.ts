/**
 * JSON strings for output (RFC 8259 §7). Everything else of a document is punctuation that its author writes as it is.
 */
import { litLen, litPtr, S } from "../bytes/text";
import { putByte, putBytes, putText, Writer } from "../bytes/writer";
import { ESCAPES } from "./json_text";

/**
 * Write `len` bytes of text as the body of a JSON string, quotes not included. Control characters become their short
 * form or \u00XX; every part that is not UTF-8 becomes U+FFFD, so what is written is always valid JSON.
 */
export function jsonEscape(w: Writer, ptr: usize, len: u32): void {
  const end = ptr + len;
  let from = ptr;
  let at = ptr;
  while (at < end) {
    const byte: u32 = load<u8>(at);
    if (byte - 0x20 < 0x60 && byte != 0x22 && byte != 0x5c) {
      at += 1;
      continue;
    }
    const n = byte < 0x80 ? 0 : sequenceLength(at, end);
    if (n > 0) {
      at += n;
      continue;
    }
    putBytes(w, from, <u32>(at - from));
    if (n == 0) putEscaped(w, byte);
    else putText(w, S("\ufffd"));
    at += n == 0 ? 1 : -n;
    from = at;
  }
  putBytes(w, from, <u32>(at - from));
}

/** §7: a byte that may not stand in a string as it is. */
function putEscaped(w: Writer, byte: u32): void {
  for (let at = litPtr(ESCAPES); at < litPtr(ESCAPES) + litLen(ESCAPES); at += 2) {
    if (load<u8>(at, 1) != byte) continue;
    putByte(w, 0x5c);
    return putByte(w, load<u8>(at));
  }
  putText(w, S("\\u00"));
  putByte(w, 0x30 + (byte >>> 4));
  const low = byte & 15;
  putByte(w, low + (low < 10 ? 48 : 87));
}

/** -> length of the UTF-8 sequence at `at` (RFC 3629 §4), or minus the number of bytes that begin none. */
function sequenceLength(at: usize, end: usize): i32 {
  const byte: u32 = load<u8>(at);
  if (byte - 0xc2 > 0x32) return -1;
  const more: i32 = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
  // The second byte alone decides on overlong forms, surrogates and the upper end.
  let low: u32 = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
  let high: u32 = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
  for (let i = 1; i <= more; i++) {
    if (at + i >= end) return -i;
    const next: u32 = load<u8>(at + i);
    if (next < low || next > high) return -i;
    low = 0x80;
    high = 0xbf;
  }
  return more + 1;
}
