// AES by tables of whole columns, 1 KiB for each direction, and an inverse S-box: the MCU grade. Keys and text are read
// eight bytes at a time, since translators to C check the bounds of every access.
//
// Not constant-time: which word of a table is read depends on key and data, and a core with a data cache (Cortex-M7,
// ESP32, every PC) shows that in its timing. Cortex-M0 to M4 without a cache do not.

import { AES_BLOCK, Aes, KEYS } from "./aes_context";
import { INVERSE, S, T, TI } from "./aes_schedule";
import { Table } from "./table";

/**
 * Columns of one round; the arguments are the words that hold the column's four bytes after ShiftRows. The rotations are
 * nested, so that few values wait at a time: a microcontroller has few registers.
 */
@final
class Column {
  @inline static mixed(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      rotl<u32>(
        rotl<u32>(rotl<u32>(load<u32>((d >> 22) & 0x3fc, T), 8) ^ load<u32>((c >> 14) & 0x3fc, T), 8) ^
          load<u32>((b >> 6) & 0x3fc, T),
        8,
      ) ^
      load<u32>((a & 0xff) << 2, T) ^
      key
    );
  }

  @inline static last(a: u32, b: u32, c: u32, d: u32): u32 {
    return (
      load<u8>((a & 0xff) << 2, T + S) |
      (load<u8>((b >> 6) & 0x3fc, T + S) << 8) |
      (load<u8>((c >> 14) & 0x3fc, T + S) << 16) |
      (load<u8>((d >> 22) & 0x3fc, T + S) << 24)
    );
  }

  @inline static mixedBack(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      rotl<u32>(
        rotl<u32>(rotl<u32>(load<u32>((d >> 22) & 0x3fc, TI), 8) ^ load<u32>((c >> 14) & 0x3fc, TI), 8) ^
          load<u32>((b >> 6) & 0x3fc, TI),
        8,
      ) ^
      load<u32>((a & 0xff) << 2, TI) ^
      key
    );
  }

  @inline static lastBack(a: u32, b: u32, c: u32, d: u32): u32 {
    return (
      load<u8>(a & 0xff, INVERSE) |
      (load<u8>((b >> 8) & 0xff, INVERSE) << 8) |
      (load<u8>((c >> 16) & 0xff, INVERSE) << 16) |
      (load<u8>(d >> 24, INVERSE) << 24)
    );
  }
}

/** Encrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.1, SP 800-38A §6.2. */
export function encrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + (ctx.rounds << 4);
  let left = ctx.chain;
  let right = ctx.chain1;
  for (const end = src + len; src < end; src += AES_BLOCK) {
    Table.reach(T + 1020);
    const low = left ^ load<u64>(src) ^ load<u64>(first);
    const high = right ^ load<u64>(src, 8) ^ load<u64>(first, 8);
    let a = <u32>low;
    let b = <u32>(low >> 32);
    let c = <u32>high;
    let d = <u32>(high >> 32);
    let key = first + AES_BLOCK;
    for (; key < last; key += AES_BLOCK) {
      const k = load<u64>(key);
      const l = load<u64>(key, 8);
      const p = Column.mixed(a, b, c, d, <u32>k);
      const q = Column.mixed(b, c, d, a, <u32>(k >> 32));
      const r = Column.mixed(c, d, a, b, <u32>l);
      d = Column.mixed(d, a, b, c, <u32>(l >> 32));
      a = p;
      b = q;
      c = r;
    }
    left = Column.last(a, b, c, d) | ((<u64>Column.last(b, c, d, a)) << 32);
    right = Column.last(c, d, a, b) | ((<u64>Column.last(d, a, b, c)) << 32);
    left ^= load<u64>(key);
    right ^= load<u64>(key, 8);
    store<u64>(dst, left);
    store<u64>(dst, right, 8);
    dst += AES_BLOCK;
  }
  ctx.chain = left;
  ctx.chain1 = right;
}

/** Decrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.3.5, SP 800-38A §6.2. */
export function decrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + (ctx.rounds << 4);
  let chain = ctx.chain;
  let chain1 = ctx.chain1;
  for (const end = src + len; src < end; src += AES_BLOCK) {
    Table.reach(INVERSE + 252);
    const low = load<u64>(src);
    const high = load<u64>(src, 8);
    let left = low ^ load<u64>(first);
    let right = high ^ load<u64>(first, 8);
    let a = <u32>left;
    let b = <u32>(left >> 32);
    let c = <u32>right;
    let d = <u32>(right >> 32);
    let key = first + AES_BLOCK;
    for (; key < last; key += AES_BLOCK) {
      const k = load<u64>(key);
      const l = load<u64>(key, 8);
      const p = Column.mixedBack(a, d, c, b, <u32>k);
      const q = Column.mixedBack(b, a, d, c, <u32>(k >> 32));
      const r = Column.mixedBack(c, b, a, d, <u32>l);
      d = Column.mixedBack(d, c, b, a, <u32>(l >> 32));
      a = p;
      b = q;
      c = r;
    }
    left = Column.lastBack(a, d, c, b) | ((<u64>Column.lastBack(b, a, d, c)) << 32);
    right = Column.lastBack(c, b, a, d) | ((<u64>Column.lastBack(d, c, b, a)) << 32);
    store<u64>(dst, left ^ load<u64>(key) ^ chain);
    store<u64>(dst, right ^ load<u64>(key, 8) ^ chain1, 8);
    chain = low;
    chain1 = high;
    dst += AES_BLOCK;
  }
  ctx.chain = chain;
  ctx.chain1 = chain1;
}
