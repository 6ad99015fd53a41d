// Bytes as text: literals, comparison, decimal and hexadecimal, and moving bytes about.
//
// A literal is an address in the constant data: one length byte, then UTF-8 (`S`). A range is (ptr, len) in bytes; none
// is NUL-terminated. Nothing here checks that a range lies in memory: the caller has done so. The compiler's own
// memory.copy and memory.fill become byte loops when bulk memory is off, so copying is done here, eight bytes at a time.

/**
 * Address of the counted literal `text`: one length byte, then its UTF-8 bytes, at most 255. A constant: `text` must be
 * written in place. For tables, `memory.data<usize>([S("a"), S("b")])`. assembly/transform/literals.mjs replaces this function and every call of it.
 */
export function S(text: string): usize {
  ERROR("S needs the transform ./asc-transform.mjs: name it under transform in the asconfig file");
  return changetype<usize>(text);
}

/**
 * Address of a list of literals, for `wordIndex` and `wordAt`: `words` are ASCII, one blank between each two, written in
 * place; or several arguments, each an entry with whatever blanks it has.
 */
export function L(words: string): usize {
  ERROR("L needs the transform ./asc-transform.mjs: name it under transform in the asconfig file");
  return changetype<usize>(words);
}

/** Bytes in a literal, 0..255. */
export function litLen(literal: usize): u32 {
  return load<u8>(literal);
}

/** First byte of a literal. */
export function litPtr(literal: usize): usize {
  return literal + 1;
}

/** Copy `len` bytes upwards in address order. The ranges must not overlap. */
export function copy(dst: usize, src: usize, len: usize): void {
  const end = src + len;
  const words = end - (len & 7);
  while (src < words) {
    store<u64>(dst, load<u64>(src));
    src += 8;
    dst += 8;
  }
  while (src < end) {
    store<u8>(dst, load<u8>(src));
    src += 1;
    dst += 1;
  }
}

/**
 * Move `len` bytes down: dst <= src, the ranges may overlap. Each word is read before the word that begins lower is
 * written, and a write never reaches the next read, so copying upwards is enough.
 */
export function move(dst: usize, src: usize, len: usize): void {
  copy(dst, src, len);
}

/** Set `len` bytes to the low eight bits of `value`. */
export function fill(dst: usize, value: u32, len: usize): void {
  const word = <u64>(value & 0xff) * 0x0101010101010101;
  const end = dst + len;
  const words = end - (len & 7);
  while (dst < words) {
    store<u64>(dst, word);
    dst += 8;
  }
  while (dst < end) {
    store<u8>(dst, <u32>word);
    dst += 1;
  }
}

/** Whether the range is the literal, byte for byte. */
export function equals(ptr: usize, len: u32, literal: usize): bool {
  if (len !== load<u8>(literal)) return false;
  for (let i: u32 = 0; i < len; i++) {
    if (load<u8>(ptr + i) !== load<u8>(literal + i, 1)) return false;
  }
  return true;
}

/** Single characters. A class because the compiler inlines methods on request, and a call costs more than the work. */
@final
export class Ascii {
  /** The byte with A..Z made a..z; every other byte, those above 127 too, is unchanged. */
  @inline static lower(byte: u32): u32 {
    return byte - 65 < 26 ? byte + 32 : byte;
  }

  /** Value of a hexadecimal digit in either case, 0..15, or -1. */
  @inline static hexDigit(byte: u32): i32 {
    const digit = byte - 48;
    const letter = (byte | 32) - 97;
    return digit < 10 ? digit : letter < 6 ? letter + 10 : -1;
  }
}

/** Whether the range is the literal when the case of the ASCII letters does not count. */
export function equalsIgnoreCase(ptr: usize, len: u32, literal: usize): bool {
  if (len !== load<u8>(literal)) return false;
  for (let i: u32 = 0; i < len; i++) {
    if (Ascii.lower(load<u8>(ptr + i)) !== Ascii.lower(load<u8>(literal + i, 1))) return false;
  }
  return true;
}

/** Which word of the list the range is, counted from 1; 0 = none. With `anyCase` the case of ASCII letters does not count. */
export function wordIndex(ptr: usize, len: u32, list: usize, anyCase: bool): i32 {
  for (let index = 1; load<u8>(list) != 0; index++) {
    if (len === litLen(list) && (anyCase ? equalsIgnoreCase(ptr, len, list) : equals(ptr, len, list))) return index;
    list += 1 + litLen(list);
  }
  return 0;
}

/** Whether the range has nothing but ASCII letters, digits and the characters of the literal `marks`. */
export function plainText(ptr: usize, len: u32, marks: usize): bool {
  for (const end = ptr + len; ptr < end; ptr++) {
    const byte: u32 = load<u8>(ptr);
    if ((byte | 32) - 97 < 26 || byte - 48 < 10) continue;
    let mark = litLen(marks);
    while (mark != 0 && load<u8>(marks + mark) != byte) mark--;
    if (mark == 0) return false;
  }
  return true;
}

/** -> the literal of the list with this index, counted from 0; the list must have so many. */
export function wordAt(list: usize, index: u32): usize {
  for (; index != 0; index--) list += 1 + litLen(list);
  return list;
}

/** Whether two ranges of `len` bytes are equal, in a time that depends on `len` alone: for digests and signatures. */
export function constantTimeEqual(a: usize, b: usize, len: u32): bool {
  let difference: u32 = 0;
  for (let i: u32 = 0; i < len; i++) difference |= load<u8>(a + i) ^ load<u8>(b + i);
  return difference === 0;
}

/**
 * Value of a range of decimal digits, 0..4294967295. Leading zeros are allowed; a sign, a space or an empty range is not.
 * Returns -1 when the range is not such a number.
 */
export function parseU32(ptr: usize, len: u32): i64 {
  if (len === 0) return -1;
  let value: u64 = 0;
  for (let i: u32 = 0; i < len; i++) {
    const digit = <u32>load<u8>(ptr + i) - 48;
    if (digit > 9) return -1;
    value = value * 10 + digit;
    // Checked at every digit, so that no number of digits can wrap 64 bits.
    if (value > <u64>u32.MAX_VALUE) return -1;
  }
  return value;
}

/** Write `len` bytes as 2 * len hexadecimal digits, with the letters A..F when `upper`. The ranges must not overlap. */
export function hexEncode(dst: usize, src: usize, len: u32, upper: bool): void {
  const letters: u32 = upper ? 55 : 87;
  for (const end = src + len; src < end; src++) {
    const byte: u32 = load<u8>(src);
    const high = byte >> 4;
    const low = byte & 15;
    store<u8>(dst, high + (high < 10 ? 48 : letters));
    store<u8>(dst, low + (low < 10 ? 48 : letters), 1);
    dst += 2;
  }
}

/**
 * Read `len` hexadecimal digits of either case into len / 2 bytes. dst may be src: the bytes replace their digits.
 * Returns the number of bytes, or -1 at an odd length or another character; what dst holds is then of no use.
 */
export function hexDecode(dst: usize, src: usize, len: u32): i32 {
  if (len & 1) return -1;
  let byte = 0;
  for (let i: u32 = 0; i < len; i++) {
    const digit = Ascii.hexDigit(load<u8>(src + i));
    if (digit < 0) return -1;
    byte = (byte << 4) | digit;
    if (i & 1) store<u8>(dst + (i >> 1), byte);
  }
  return len >> 1;
}
