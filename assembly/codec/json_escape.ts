/**
 * JSON strings for output (RFC 8259 §7). Everything else of a document is punctuation that its author writes as it is.
 */
import { putByte, putBytes, Writer } from "../bytes/writer";
import { sequenceLength } from "./json_text";

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
    else {
      putByte(w, 0xef);
      putByte(w, 0xbf);
      putByte(w, 0xbd);
    }
    at += n == 0 ? 1 : -n;
    from = at;
  }
  putBytes(w, from, <u32>(at - from));
}

/** §7: a byte that may not stand in a string as it is. */
function putEscaped(w: Writer, byte: u32): void {
  putByte(w, 0x5c);
  switch (byte) {
    case 0x22:
    case 0x5c:
      putByte(w, byte);
      return;
    case 8:
      putByte(w, 0x62);
      return;
    case 9:
      putByte(w, 0x74);
      return;
    case 10:
      putByte(w, 0x6e);
      return;
    case 12:
      putByte(w, 0x66);
      return;
    case 13:
      putByte(w, 0x72);
      return;
  }
  putByte(w, 0x75);
  putByte(w, 0x30);
  putByte(w, 0x30);
  putByte(w, 0x30 + (byte >>> 4));
  const low = byte & 15;
  putByte(w, low + (low < 10 ? 48 : 87));
}
