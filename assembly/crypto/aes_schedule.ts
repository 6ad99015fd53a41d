// The S-box of AES, the tables made from it, and the key schedule: FIPS 197 §4, §5.1.1, §5.2.
//
// Tables are computed when the first key is set: that takes a tenth of the code that they would take as data.

import { AES_BLOCK, Aes, KEYS } from "./aes_context";
import { HOST, SMALL } from "./grade";

/** Bytes between two entries of T. */
const STEP: u32 = SMALL ? 1 : 4;
/** Where S(x) stands in an entry of T. */
export const S: usize = SMALL ? 0 : 1;

/** Bytes in a table of words. */
export const TABLE: usize = 1024;
/**
 * By byte x: S(x) in the small grade; else the column MixColumns(S(x), 0, 0, 0), little-endian. The host grade has three
 * more tables behind it, for S(x) in the column's other places.
 */
export const T = memory.data(SMALL ? 512 : HOST ? 4096 : 1024, 16);
/** By byte S(x): the column InvMixColumns(x, 0, 0, 0), and as above. The small grade has none. */
export const TI: usize = SMALL ? 0 : memory.data(HOST ? 4096 : 1024, 16);
/** By byte S(x): x. The small grade indexes both tables from T, so they are one. */
export const INVERSE: usize = SMALL ? T + 256 : memory.data(256);

/** GF(2^8), four bytes at a time. */
@final
export class Field {
  /** Each byte of the word times x. FIPS 197 §4.2.1. */
  @inline static times(word: u32): u32 {
    return ((word & 0x7f7f7f7f) << 1) ^ (((word >> 7) & 0x01010101) * 0x1b);
  }
}

/** One column through InvMixColumns. FIPS 197 §5.3.3. */
function inverseMix(word: u32): u32 {
  const two = Field.times(word);
  const four = Field.times(two);
  const eight = Field.times(four);
  const nine = eight ^ word;
  return eight ^ four ^ two ^ rotr<u32>(nine ^ two, 8) ^ rotr<u32>(nine ^ four, 16) ^ rotl<u32>(nine, 8);
}

/** Write the entries for S(x) = s. */
function place(x: u32, s: u32): void {
  if (SMALL) store<u8>(x, s, T);
  else {
    const two = Field.times(s);
    const column = ((two ^ s) << 24) | (s << 16) | (s << 8) | two;
    const inverse = inverseMix(x);
    store<u32>(x << 2, column, T);
    store<u32>(s << 2, inverse, TI);
    if (HOST) {
      for (let i: u32 = 1; i < 4; i++) {
        store<u32>(((<usize>i) << 10) + (x << 2), rotl<u32>(column, 8 * i), T);
        store<u32>(((<usize>i) << 10) + (s << 2), rotl<u32>(inverse, 8 * i), TI);
      }
    }
  }
  store<u8>(s, x, INVERSE);
}

/** Make the tables: x walks over the powers of 3, y over those of 1/3, which are the inverses. FIPS 197 §5.1.1. */
function fillTables(): void {
  place(0, 0x63);
  let x: u32 = 1;
  let y: u32 = 1;
  do {
    const twice = (y << 8) | y;
    place(x, ((y ^ (twice >> 7) ^ (twice >> 6) ^ (twice >> 5) ^ (twice >> 4)) & 0xff) ^ 0x63);
    x ^= Field.times(x);
    y ^= y << 1;
    y ^= y << 2;
    y = (y ^ (y << 4)) & 0xff;
    y ^= (y >> 7) * 0x09;
  } while (x !== 1);
}

/** The four bytes of the word through the S-box. */
function substitute(word: u32): u32 {
  return (
    load<u8>((word & 0xff) * STEP, T + S) |
    (load<u8>(((word >> 8) & 0xff) * STEP, T + S) << 8) |
    (load<u8>(((word >> 16) & 0xff) * STEP, T + S) << 16) |
    (load<u8>((word >> 24) * STEP, T + S) << 24)
  );
}

/** Expand a key of 16 or 32 bytes into the context; its number of rounds is set already. FIPS 197 §5.2. */
export function expand(ctx: Aes, key: usize, keyLen: usize): void {
  if (load<u8>(T) === 0) fillTables();
  const first = changetype<usize>(ctx) + KEYS;
  const end = first + ((ctx.rounds + 1) << 4);
  for (let i: usize = 0; i < keyLen; i += 4) store<u32>(first + i, load<u32>(key + i));
  let constant: u32 = 1;
  let i: usize = 0;
  for (let at = first + keyLen; at < end; at += 4) {
    let word = load<u32>(at - 4);
    if ((i & 15) === 0) word = substitute(word);
    if (i === 0) {
      word = rotr<u32>(word, 8) ^ constant;
      constant = Field.times(constant);
    }
    store<u32>(at, load<u32>(at - keyLen) ^ word);
    i = (i + 4) & (keyLen - 1);
  }
}

/** Make an expanded key that of the equivalent inverse cipher: in the other order, its middle mixed. FIPS 197 §5.3.5. */
export function invert(ctx: Aes): void {
  let low = changetype<usize>(ctx) + KEYS;
  let high = low + (ctx.rounds << 4);
  for (let at = low + AES_BLOCK; at < high; at += 4) store<u32>(at, inverseMix(load<u32>(at)));
  for (; low < high; high -= 2 * AES_BLOCK) {
    for (const end = low + AES_BLOCK; low < end; low += 8) {
      const word = load<u64>(low);
      store<u64>(low, load<u64>(high));
      store<u64>(high, word);
      high += 8;
    }
  }
}
