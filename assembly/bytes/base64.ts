// Base64 (RFC 4648 §4): the standard alphabet, always padded. Without tables, so the time depends on the length alone
// while encoding, and on where the first fault is while decoding.

/** One sextet or one digit. A class because the compiler inlines methods on request. */
@final
class Digit {
  /** The character of 0..63. */
  @inline static of(value: u32): u32 {
    return value + (value < 26 ? 65 : value < 52 ? 71 : value < 62 ? -4 : value === 62 ? -19 : -16);
  }
}

/** The value of a digit, 0..63, or -1. */
function valueOf(digit: u32): i32 {
  if (digit - 65 < 26) return digit - 65;
  if (digit - 97 < 26) return digit - 71;
  if (digit - 48 < 10) return digit + 4;
  return digit === 43 ? 62 : digit === 47 ? 63 : -1;
}

/** Write `len` bytes as 4 * ceil(len / 3) characters. The ranges must not overlap. Returns the number of characters. */
export function base64Encode(dst: usize, src: usize, len: usize): i32 {
  const start = dst;
  for (const end = src + len; src < end; src += 3) {
    const left = end - src;
    const second: u32 = left > 1 ? load<u8>(src, 1) : 0;
    const third: u32 = left > 2 ? load<u8>(src, 2) : 0;
    const bits = ((<u32>load<u8>(src)) << 16) | (second << 8) | third;
    store<u8>(dst, Digit.of(bits >> 18));
    store<u8>(dst, Digit.of((bits >> 12) & 63), 1);
    store<u8>(dst, left > 1 ? Digit.of((bits >> 6) & 63) : 61, 2);
    store<u8>(dst, left > 2 ? Digit.of(bits & 63) : 61, 3);
    dst += 4;
  }
  return <i32>(dst - start);
}

/**
 * Read `len` characters into at most 3 * len / 4 bytes. dst may be src: the bytes replace their characters. Returns the
 * number of bytes, or -1 when the length is no multiple of four, a character is not of the alphabet, padding is missing or
 * in the wrong place, or the bits that padding leaves over are not zero (RFC 4648 §3.5); what dst holds is then of no use.
 */
export function base64Decode(dst: usize, src: usize, len: usize): i32 {
  if (len & 3) return -1;
  const start = dst;
  for (const end = src + len; src < end; src += 4) {
    let padding: u32 = 0;
    if (src + 4 === end && load<u8>(src, 3) === 61) padding = load<u8>(src, 2) === 61 ? 2 : 1;
    const a = valueOf(load<u8>(src));
    const b = valueOf(load<u8>(src, 1));
    const c = padding > 1 ? 0 : valueOf(load<u8>(src, 2));
    const d = padding > 0 ? 0 : valueOf(load<u8>(src, 3));
    if ((a | b | c | d) < 0) return -1;
    const bits = (a << 18) | (b << 12) | (c << 6) | d;
    if (padding > 0 && bits & (padding > 1 ? 0xffff : 0xff)) return -1;
    store<u8>(dst, bits >> 16);
    if (padding < 2) store<u8>(dst, bits >> 8, 1);
    if (padding < 1) store<u8>(dst, bits, 2);
    dst += 3 - padding;
  }
  return <i32>(dst - start);
}
