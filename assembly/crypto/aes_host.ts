// AES by tables of whole columns, four of 1 KiB for each direction, and an inverse S-box: the host grade. It differs from
// aes_mcu.ts in that a table for each place in the column saves the rotations, and two rounds a turn the copies.
//
// Not constant-time: which word of a table is read depends on key and data, and a core with a data cache (Cortex-M7,
// ESP32, every PC) shows that in its timing.

import { AES_BLOCK, Aes, KEYS } from "./aes_context";
import { INVERSE, S, T, TABLE, TI } from "./aes_schedule";

/** Columns of one round; the arguments are the words that hold the column's four bytes after ShiftRows. */
@final
class Column {
  @inline static mixed(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      load<u32>((a & 0xff) << 2, T) ^
      load<u32>((b >> 6) & 0x3fc, T + TABLE) ^
      load<u32>((c >> 14) & 0x3fc, T + 2 * TABLE) ^
      load<u32>((d >> 22) & 0x3fc, T + 3 * TABLE) ^
      key
    );
  }

  @inline static last(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      (load<u8>((a & 0xff) << 2, T + S) |
        (load<u8>((b >> 6) & 0x3fc, T + S) << 8) |
        (load<u8>((c >> 14) & 0x3fc, T + S) << 16) |
        (load<u8>((d >> 22) & 0x3fc, T + S) << 24)) ^
      key
    );
  }

  @inline static mixedBack(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      key ^
      load<u32>((a & 0xff) << 2, TI) ^
      load<u32>((b >> 6) & 0x3fc, TI + TABLE) ^
      (load<u32>((c >> 14) & 0x3fc, TI + 2 * TABLE) ^ load<u32>((d >> 22) & 0x3fc, TI + 3 * TABLE))
    );
  }

  @inline static lastBack(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      (load<u8>(a & 0xff, INVERSE) |
        (load<u8>((b >> 8) & 0xff, INVERSE) << 8) |
        (load<u8>((c >> 16) & 0xff, INVERSE) << 16) |
        (load<u8>(d >> 24, INVERSE) << 24)) ^
      key
    );
  }
}

/** Encrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.1, SP 800-38A §6.2. */
export function encrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  // The turn that ends after its first half: both numbers of rounds are even, the last round is another.
  const last = first + ((ctx.rounds - 2) << 4);
  let a = <u32>ctx.chain;
  let b = <u32>(ctx.chain >> 32);
  let c = <u32>ctx.chain1;
  let d = <u32>(ctx.chain1 >> 32);
  let p: u32 = 0;
  let q: u32 = 0;
  let r: u32 = 0;
  let s: u32 = 0;
  for (const end = src + len; src < end; src += AES_BLOCK) {
    let key = first;
    a ^= load<u32>(src) ^ load<u32>(key);
    b ^= load<u32>(src, 4) ^ load<u32>(key, 4);
    c ^= load<u32>(src, 8) ^ load<u32>(key, 8);
    d ^= load<u32>(src, 12) ^ load<u32>(key, 12);
    for (; ; key += 2 * AES_BLOCK) {
      p = Column.mixed(a, b, c, d, load<u32>(key, 16));
      q = Column.mixed(b, c, d, a, load<u32>(key, 20));
      r = Column.mixed(c, d, a, b, load<u32>(key, 24));
      s = Column.mixed(d, a, b, c, load<u32>(key, 28));
      if (key === last) break;
      a = Column.mixed(p, q, r, s, load<u32>(key, 32));
      b = Column.mixed(q, r, s, p, load<u32>(key, 36));
      c = Column.mixed(r, s, p, q, load<u32>(key, 40));
      d = Column.mixed(s, p, q, r, load<u32>(key, 44));
    }
    a = Column.last(p, q, r, s, load<u32>(key, 32));
    b = Column.last(q, r, s, p, load<u32>(key, 36));
    c = Column.last(r, s, p, q, load<u32>(key, 40));
    d = Column.last(s, p, q, r, load<u32>(key, 44));
    store<u32>(dst, a);
    store<u32>(dst, b, 4);
    store<u32>(dst, c, 8);
    store<u32>(dst, d, 12);
    dst += AES_BLOCK;
  }
  ctx.chain = a | ((<u64>b) << 32);
  ctx.chain1 = c | ((<u64>d) << 32);
}

/** Decrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.3.5, SP 800-38A §6.2. */
export function decrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + ((ctx.rounds - 2) << 4);
  let chain = ctx.chain;
  let chain1 = ctx.chain1;
  let p: u32 = 0;
  let q: u32 = 0;
  let r: u32 = 0;
  let s: u32 = 0;
  for (const end = src + len; src < end; src += AES_BLOCK) {
    let key = first;
    const low = load<u64>(src);
    const high = load<u64>(src, 8);
    let a = <u32>low ^ load<u32>(key);
    let b = <u32>(low >> 32) ^ load<u32>(key, 4);
    let c = <u32>high ^ load<u32>(key, 8);
    let d = <u32>(high >> 32) ^ load<u32>(key, 12);
    for (; ; key += 2 * AES_BLOCK) {
      p = Column.mixedBack(a, d, c, b, load<u32>(key, 16));
      q = Column.mixedBack(b, a, d, c, load<u32>(key, 20));
      r = Column.mixedBack(c, b, a, d, load<u32>(key, 24));
      s = Column.mixedBack(d, c, b, a, load<u32>(key, 28));
      if (key === last) break;
      a = Column.mixedBack(p, s, r, q, load<u32>(key, 32));
      b = Column.mixedBack(q, p, s, r, load<u32>(key, 36));
      c = Column.mixedBack(r, q, p, s, load<u32>(key, 40));
      d = Column.mixedBack(s, r, q, p, load<u32>(key, 44));
    }
    a = Column.lastBack(p, s, r, q, load<u32>(key, 32));
    b = Column.lastBack(q, p, s, r, load<u32>(key, 36));
    c = Column.lastBack(r, q, p, s, load<u32>(key, 40));
    d = Column.lastBack(s, r, q, p, load<u32>(key, 44));
    store<u64>(dst, (a | ((<u64>b) << 32)) ^ chain);
    store<u64>(dst, (c | ((<u64>d) << 32)) ^ chain1, 8);
    chain = low;
    chain1 = high;
    dst += AES_BLOCK;
  }
  ctx.chain = chain;
  ctx.chain1 = chain1;
}
