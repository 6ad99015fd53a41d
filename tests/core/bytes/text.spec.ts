import {
  Ascii,
  S,
  constantTimeEqual,
  copy,
  equals,
  equalsIgnoreCase,
  fill,
  hexDecode,
  hexEncode,
  litLen,
  litPtr,
  move,
  parseU32,
} from "../../../assembly/bytes/text";
import { hex, put, text } from "../ranges";

const A = memory.data(512);
const B = memory.data(512);
const TABLE = memory.data<usize>([S("one"), S("é€😀")]);
const CONSTANT: usize = S("one");

function literal(s: usize): string {
  return text(litPtr(s), litLen(s));
}

/** Different bytes everywhere, so that a byte out of place shows. */
function ramp(ptr: usize, len: u32, seed: u32): void {
  for (let i: u32 = 0; i < len; i++) store<u8>(ptr + i, i * 7 + seed);
}

function is(string: string, s: usize): bool {
  return equals(A, put(A, string), s);
}

function isIgnoringCase(string: string, s: usize): bool {
  return equalsIgnoreCase(A, put(A, string), s);
}

function decimal(string: string): i64 {
  return parseU32(A, put(A, string));
}

function decoded(string: string): i32 {
  return hexDecode(B, A, put(A, string));
}

describe("literals", () => {
  it("hold a length byte and UTF-8", () => {
    expect(literal(S("HTTP/1.1 "))).toBe("HTTP/1.1 ");
    expect(litLen(S("HTTP/1.1 "))).toBe(9);
    expect(load<u8>(S("HTTP/1.1 "))).toBe(9);
    expect(literal(S("é€😀"))).toBe("é€😀");
    expect(litLen(S("é€😀"))).toBe(9);
    expect(litLen(S('\r\n"\\\0'))).toBe(5);
    expect(load<u8>(S("\0"), 1)).toBe(0);
  });

  it("may be empty, or 255 bytes long", () => {
    expect(litLen(S(""))).toBe(0);
    const long = S(
      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde",
    );
    expect(litLen(long)).toBe(255);
    expect(load<u8>(long, 255)).toBe(101);
  });

  it("stand once each, and may fill tables and constants", () => {
    expect(S("one")).toBe(CONSTANT);
    expect(load<usize>(TABLE)).toBe(CONSTANT);
    expect(literal(load<usize>(TABLE, sizeof<usize>()))).toBe("é€😀");
    expect(S("on")).not.toBe(S("one"));
  });
});

describe("copy, move, fill", () => {
  it("copy every length to and from every alignment, and nothing else", () => {
    for (let len: u32 = 0; len < 40; len++) {
      for (let skew: u32 = 0; skew < 64; skew++) {
        const src = A + (skew & 7);
        const dst = B + 8 + (skew >> 3);
        ramp(A, 64, len);
        ramp(B, 64, 101);
        copy(dst, src, len);
        for (let i: u32 = 0; i < 64; i++) {
          const at = B + i;
          const copied = at >= dst && at < dst + len;
          const expected = <u8>(copied ? load<u8>(src + (at - dst)) : i * 7 + 101);
          if (load<u8>(at) !== expected) expect(i).toBe(255, `len ${len}, skew ${skew}`);
        }
      }
    }
    expect(load<u8>(A)).toBe(39);
  });

  it("move down over any distance, overlapping", () => {
    for (let distance: u32 = 0; distance < 40; distance++) {
      for (let len: u32 = 0; len < 70; len++) {
        ramp(A, 128, 3);
        move(A, A + distance, len);
        for (let i: u32 = 0; i < 128; i++) {
          const expected = <u8>((i < len ? i + distance : i) * 7 + 3);
          if (load<u8>(A + i) !== expected) expect(i).toBe(255, `distance ${distance}, len ${len}`);
        }
      }
    }
    expect(load<u8>(A, 1)).toBe(<u8>(40 * 7 + 3));
  });

  it("fill with the low eight bits, and nothing outside", () => {
    for (let len: u32 = 0; len < 40; len++) {
      for (let skew: u32 = 0; skew < 8; skew++) {
        ramp(A, 64, 3);
        fill(A + 8 + skew, 0x1ff, len);
        for (let i: u32 = 0; i < 64; i++) {
          const expected: u8 = i >= 8 + skew && i < 8 + skew + len ? 0xff : <u8>(i * 7 + 3);
          if (load<u8>(A + i) !== expected) expect(i).toBe(255, `len ${len}, skew ${skew}`);
        }
      }
    }
    fill(A, 0x5a, 9);
    expect(hex(A, 9)).toBe("5a5a5a5a5a5a5a5a5a");
  });
});

describe("comparison", () => {
  it("equals a literal, byte for byte", () => {
    expect(is("digest", S("digest"))).toBe(true);
    expect(is("", S(""))).toBe(true);
    expect(is("digesT", S("digest"))).toBe(false);
    expect(is("diges", S("digest"))).toBe(false);
    expect(is("digest5", S("digest"))).toBe(false);
    expect(is("", S("digest"))).toBe(false);
    expect(is("xigest", S("digest"))).toBe(false);
  });

  it("looks at no byte past the range", () => {
    const n = put(A, "digest");
    expect(equals(A, n - 1, S("digest"))).toBe(false);
    expect(equals(A, n, S("digests"))).toBe(false);
    expect(equals(A, 256 + n, S("digest"))).toBe(false);
  });

  it("equals a literal without regard to the case of ASCII letters alone", () => {
    expect(isIgnoringCase("CONTENT-length", S("Content-Length"))).toBe(true);
    expect(isIgnoringCase("az", S("AZ"))).toBe(true);
    expect(isIgnoringCase("content_length", S("Content-Length"))).toBe(false);
    expect(isIgnoringCase("@[`{", S("`{@["))).toBe(false);
    expect(isIgnoringCase("É", S("é"))).toBe(false);
    expect(isIgnoringCase("sha25", S("SHA256"))).toBe(false);
  });

  it("lowers A to Z and nothing else", () => {
    for (let i: u32 = 0; i < 256; i++) {
      const expected = i >= 65 && i <= 90 ? i + 32 : i;
      expect(Ascii.lower(i)).toBe(expected);
    }
  });

  it("constantTimeEqual sees each single bit", () => {
    ramp(A, 64, 1);
    copy(B, A, 64);
    expect(constantTimeEqual(A, B, 64)).toBe(true);
    expect(constantTimeEqual(A, B + 1, 0)).toBe(true);
    for (let bit: u32 = 0; bit < 256; bit++) {
      const at = B + (bit >> 3);
      store<u8>(at, <u32>load<u8>(at) ^ (1 << (bit & 7)));
      if (constantTimeEqual(A, B, 32)) expect(bit).toBe(9999, "a bit that does not count");
      store<u8>(at, <u32>load<u8>(at) ^ (1 << (bit & 7)));
    }
    store<u8>(B, 1, 32);
    expect(constantTimeEqual(A, B, 32)).toBe(true, "the byte after the range counts");
  });
});

describe("decimal", () => {
  it("reads 0 to 4294967295", () => {
    expect(decimal("0")).toBe(0);
    expect(decimal("7")).toBe(7);
    expect(decimal("1234567890")).toBe(1234567890);
    expect(decimal("2147483648")).toBe(2147483648);
    expect(decimal("4294967295")).toBe(4294967295);
    expect(decimal("0000000000000000000000000000004294967295")).toBe(4294967295);
  });

  it("refuses what is larger, at any length", () => {
    expect(decimal("4294967296")).toBe(-1);
    expect(decimal("42949672950")).toBe(-1);
    expect(decimal("18446744073709551616")).toBe(-1);
    expect(decimal("18446744073709551617")).toBe(-1);
    expect(decimal("99999999999999999999999999999999999999999999")).toBe(-1);
  });

  it("refuses everything but digits", () => {
    expect(decimal("")).toBe(-1);
    expect(decimal("-1")).toBe(-1);
    expect(decimal("+1")).toBe(-1);
    expect(decimal(" 1")).toBe(-1);
    expect(decimal("1 ")).toBe(-1);
    expect(decimal("1.0")).toBe(-1);
    expect(decimal("1e3")).toBe(-1);
    expect(decimal("0x10")).toBe(-1);
    expect(decimal("/")).toBe(-1);
    expect(decimal(":")).toBe(-1);
    expect(decimal("１")).toBe(-1);
  });
});

describe("hexadecimal", () => {
  it("writes every byte in either case", () => {
    for (let i: u32 = 0; i < 256; i++) store<u8>(A + i, i);
    hexEncode(B, A, 256, false);
    expect(text(B, 512)).toBe(hex(A, 256));
    hexEncode(B, A, 256, true);
    expect(text(B, 512)).toBe(hex(A, 256).toUpperCase());
  });

  it("reads both cases, also in place", () => {
    expect(decoded("00ff7F80aBcDeF")).toBe(7);
    expect(hex(B, 7)).toBe("00ff7f80abcdef");
    expect(decoded("")).toBe(0);
    expect(hexDecode(A, A, put(A, "0123456789abcdef"))).toBe(8);
    expect(hex(A, 8)).toBe("0123456789abcdef");
  });

  it("refuses an odd length and any other character, in either place of a byte", () => {
    fill(A, 48, 8);
    expect(hexDecode(B, A, 1)).toBe(-1, "a digit follows the range, but is not in it");
    expect(hexDecode(B, A, 3)).toBe(-1);
    for (let i: u32 = 0; i < 256; i++) {
      const digit = (i >= 48 && i <= 57) || (i >= 65 && i <= 70) || (i >= 97 && i <= 102);
      store<u8>(A, i);
      store<u8>(A, 48, 1);
      expect(hexDecode(B, A, 2)).toBe(digit ? 1 : -1);
      store<u8>(A, 48);
      store<u8>(A, i, 1);
      expect(hexDecode(B, A, 2)).toBe(digit ? 1 : -1);
    }
  });
});
