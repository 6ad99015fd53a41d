// AES by its two S-boxes, the columns mixed by arithmetic, and one loop for both directions: the small grade. Two columns a turn,
// because the key is read eight bytes at a time: translators to C check the bounds of every access.
//
// Not constant-time, as aes_mcu.ts says of its tables.

import { AES_BLOCK, Aes, Direction, KEYS } from "./aes_context";
import { Field, INVERSE, T } from "./aes_schedule";
import { Table } from "./table";

/** Operations on the four bytes of a column. */
@final
class Column {
  /** MixColumns. FIPS 197 §5.1.3. */
  @inline static mix(word: u32): u32 {
    const two = Field.times(word);
    return two ^ rotr<u32>(two ^ word, 8) ^ rotr<u32>(word, 16) ^ rotl<u32>(word, 8);
  }

  /** What has to be done before MixColumns to make it InvMixColumns (§5.3.3): that matrix is MixColumns times {05}, 0, {04}, 0. */
  @inline static beforeInverse(word: u32): u32 {
    return word ^ Field.times(Field.times(word ^ rotl<u32>(word, 16)));
  }

  /** SubBytes and ShiftRows, or InvSubBytes when `box` is where INVERSE begins, counted from T: a byte of each word. */
  @inline static substitute(a: u32, b: u32, c: u32, d: u32, box: u32): u32 {
    return (
      load<u8>((a & 0xff) + box, T) |
      (load<u8>(((b >> 8) & 0xff) + box, T) << 8) |
      (load<u8>(((c >> 16) & 0xff) + box, T) << 16) |
      (load<u8>((d >> 24) + box, T) << 24)
    );
  }
}

/**
 * Encrypt or decrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.1 and §5.3, SP 800-38A §6.2.
 *
 * ShiftRows takes byte i of column j from column j + i, InvShiftRows from j - i: the same with the columns in the opposite order.
 * So to decrypt, the words are turned round, the key is read from its end, and it is added before the columns are mixed.
 */
export function blocks(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const back = ctx.direction !== Direction.Encrypt;
  const box: u32 = back ? <u32>(INVERSE - T) : 0;
  const turns = ctx.rounds << 1;
  const step = back ? -8 : 8;
  const first = changetype<usize>(ctx) + KEYS + (back ? (<usize>turns) << 3 : 0);
  for (const stop = src + len; src < stop; src += AES_BLOCK) {
    Table.reach(INVERSE + 252);
    const low = load<u64>(src);
    const high = load<u64>(src, 8);
    let left = low ^ load<u64>(first);
    let right = high ^ load<u64>(first, 8);
    if (back) {
      const swapped = rotl<u64>(left, 32);
      left = rotl<u64>(right, 32);
      right = swapped;
    } else {
      left ^= ctx.chain;
      right ^= ctx.chain1;
    }
    let a = <u32>left;
    let b = <u32>(left >> 32);
    let c = <u32>right;
    let d = <u32>(right >> 32);
    let x: u32 = 0;
    let y: u32 = 0;
    let key = back ? first : first + 8;
    // Columns of the round in hand: v and w are made of a to d, x and y wait for the round's other two.
    for (let more = turns; more; ) {
      key += step;
      const k = load<u64>(key);
      let v = Column.substitute(a, b, c, d, box);
      let w = Column.substitute(b, c, d, a, box);
      if (back) {
        v ^= <u32>(k >> 32);
        w ^= <u32>k;
        if (more > 2) {
          v = Column.beforeInverse(v);
          w = Column.beforeInverse(w);
        }
      }
      if (more > 2) {
        v = Column.mix(v);
        w = Column.mix(w);
      }
      if (!back) {
        v ^= <u32>k;
        w ^= <u32>(k >> 32);
      }
      if (--more & 1) {
        x = v;
        y = w;
        v = a;
        w = b;
        a = c;
        b = d;
        c = v;
        d = w;
      } else {
        a = x;
        b = y;
        c = v;
        d = w;
      }
    }
    left = a | ((<u64>b) << 32);
    right = c | ((<u64>d) << 32);
    if (back) {
      const swapped = rotl<u64>(left, 32);
      left = rotl<u64>(right, 32) ^ ctx.chain;
      right = swapped ^ ctx.chain1;
    }
    store<u64>(dst, left);
    store<u64>(dst, right, 8);
    ctx.chain = back ? low : left;
    ctx.chain1 = back ? high : right;
    dst += AES_BLOCK;
  }
}
