// AES by tables of whole columns, 1 KiB for each direction, and an inverse S-box: the MCU grade.
//
// Not constant-time: which word of a table is read depends on key and data, and a core with a data cache (Cortex-M7,
// ESP32, every PC) shows that in its timing. Cortex-M0 to M4 without a cache do not.

import { AES_BLOCK, Aes, KEYS } from "./aes_context";
import { T, TI, substitute, substituteBack } from "./aes_schedule";

/** Columns of one round; the arguments are the words that hold the column's four bytes after ShiftRows. */
@final
class Column {
  @inline static mixed(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      load<u32>((a & 0xff) << 2, T) ^
      rotl<u32>(load<u32>((b >> 6) & 0x3fc, T), 8) ^
      rotl<u32>(load<u32>((c >> 14) & 0x3fc, T), 16) ^
      rotr<u32>(load<u32>((d >> 22) & 0x3fc, T), 8) ^
      key
    );
  }

  @inline static last(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return substitute((a & 0xff) | (b & 0xff00) | (c & 0xff0000) | (d & 0xff000000)) ^ key;
  }

  @inline static mixedBack(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return (
      load<u32>((a & 0xff) << 2, TI) ^
      rotl<u32>(load<u32>((b >> 6) & 0x3fc, TI), 8) ^
      rotl<u32>(load<u32>((c >> 14) & 0x3fc, TI), 16) ^
      rotr<u32>(load<u32>((d >> 22) & 0x3fc, TI), 8) ^
      key
    );
  }

  @inline static lastBack(a: u32, b: u32, c: u32, d: u32, key: u32): u32 {
    return substituteBack((a & 0xff) | (b & 0xff00) | (c & 0xff0000) | (d & 0xff000000)) ^ key;
  }
}

/** Encrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.1, SP 800-38A §6.2. */
export function encrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + (ctx.rounds << 4);
  let a = load<u32>(changetype<usize>(ctx));
  let b = load<u32>(changetype<usize>(ctx), 4);
  let c = load<u32>(changetype<usize>(ctx), 8);
  let d = load<u32>(changetype<usize>(ctx), 12);
  for (const end = src + len; src < end; src += AES_BLOCK) {
    let key = first;
    a ^= load<u32>(src) ^ load<u32>(key);
    b ^= load<u32>(src, 4) ^ load<u32>(key, 4);
    c ^= load<u32>(src, 8) ^ load<u32>(key, 8);
    d ^= load<u32>(src, 12) ^ load<u32>(key, 12);
    for (key += AES_BLOCK; key < last; key += AES_BLOCK) {
      const p = Column.mixed(a, b, c, d, load<u32>(key));
      const q = Column.mixed(b, c, d, a, load<u32>(key, 4));
      const r = Column.mixed(c, d, a, b, load<u32>(key, 8));
      d = Column.mixed(d, a, b, c, load<u32>(key, 12));
      a = p;
      b = q;
      c = r;
    }
    const p = Column.last(a, b, c, d, load<u32>(key));
    const q = Column.last(b, c, d, a, load<u32>(key, 4));
    const r = Column.last(c, d, a, b, load<u32>(key, 8));
    d = Column.last(d, a, b, c, load<u32>(key, 12));
    a = p;
    b = q;
    c = r;
    store<u32>(dst, a);
    store<u32>(dst, b, 4);
    store<u32>(dst, c, 8);
    store<u32>(dst, d, 12);
    dst += AES_BLOCK;
  }
  store<u32>(changetype<usize>(ctx), a);
  store<u32>(changetype<usize>(ctx), b, 4);
  store<u32>(changetype<usize>(ctx), c, 8);
  store<u32>(changetype<usize>(ctx), d, 12);
}

/** Decrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.3.5, SP 800-38A §6.2. */
export function decrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + (ctx.rounds << 4);
  let chain = ctx.chain;
  let chain1 = ctx.chain1;
  for (const end = src + len; src < end; src += AES_BLOCK) {
    let key = first;
    let a = load<u32>(src) ^ load<u32>(key);
    let b = load<u32>(src, 4) ^ load<u32>(key, 4);
    let c = load<u32>(src, 8) ^ load<u32>(key, 8);
    let d = load<u32>(src, 12) ^ load<u32>(key, 12);
    for (key += AES_BLOCK; key < last; key += AES_BLOCK) {
      const p = Column.mixedBack(a, d, c, b, load<u32>(key));
      const q = Column.mixedBack(b, a, d, c, load<u32>(key, 4));
      const r = Column.mixedBack(c, b, a, d, load<u32>(key, 8));
      d = Column.mixedBack(d, c, b, a, load<u32>(key, 12));
      a = p;
      b = q;
      c = r;
    }
    const left = chain;
    const right = chain1;
    chain = load<u64>(src);
    chain1 = load<u64>(src, 8);
    store<u32>(dst, Column.lastBack(a, d, c, b, load<u32>(key)) ^ <u32>left);
    store<u32>(dst, Column.lastBack(b, a, d, c, load<u32>(key, 4)) ^ <u32>(left >> 32), 4);
    store<u32>(dst, Column.lastBack(c, b, a, d, load<u32>(key, 8)) ^ <u32>right, 8);
    store<u32>(dst, Column.lastBack(d, c, b, a, load<u32>(key, 12)) ^ <u32>(right >> 32), 12);
    dst += AES_BLOCK;
  }
  ctx.chain = chain;
  ctx.chain1 = chain1;
}
