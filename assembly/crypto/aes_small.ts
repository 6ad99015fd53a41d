// AES by its two S-boxes, the columns mixed by arithmetic: the small grade.
//
// Not constant-time, as aes_mcu.ts says of its tables.

import { AES_BLOCK, Aes, KEYS } from "./aes_context";
import { inverseMix, substitute, substituteBack, times } from "./aes_schedule";

/** One column through MixColumns. FIPS 197 §5.1.3. */
function mix(word: u32): u32 {
  const two = times(word);
  return two ^ rotr<u32>(two ^ word, 8) ^ rotr<u32>(word, 16) ^ rotl<u32>(word, 8);
}

/** The column that ShiftRows makes of one byte from each word. */
function shift(a: u32, b: u32, c: u32, d: u32): u32 {
  return (a & 0xff) | (b & 0xff00) | (c & 0xff0000) | (d & 0xff000000);
}

/** Encrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.1, SP 800-38A §6.2. */
export function encrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + (ctx.rounds << 4);
  for (const end = src + len; src < end; src += AES_BLOCK) {
    ctx.chain ^= load<u64>(src);
    ctx.chain1 ^= load<u64>(src, 8);
    let key = first;
    let a = <u32>ctx.chain ^ load<u32>(key);
    let b = <u32>(ctx.chain >> 32) ^ load<u32>(key, 4);
    let c = <u32>ctx.chain1 ^ load<u32>(key, 8);
    let d = <u32>(ctx.chain1 >> 32) ^ load<u32>(key, 12);
    for (;;) {
      const p = substitute(shift(a, b, c, d));
      const q = substitute(shift(b, c, d, a));
      const r = substitute(shift(c, d, a, b));
      const s = substitute(shift(d, a, b, c));
      key += AES_BLOCK;
      const more = key < last;
      a = (more ? mix(p) : p) ^ load<u32>(key);
      b = (more ? mix(q) : q) ^ load<u32>(key, 4);
      c = (more ? mix(r) : r) ^ load<u32>(key, 8);
      d = (more ? mix(s) : s) ^ load<u32>(key, 12);
      if (!more) break;
    }
    ctx.chain = a | ((<u64>b) << 32);
    ctx.chain1 = c | ((<u64>d) << 32);
    store<u64>(dst, ctx.chain);
    store<u64>(dst, ctx.chain1, 8);
    dst += AES_BLOCK;
  }
}

/** Decrypt `len` bytes, a multiple of AES_BLOCK. FIPS 197 §5.3, SP 800-38A §6.2. */
export function decrypt(ctx: Aes, dst: usize, src: usize, len: usize): void {
  const first = changetype<usize>(ctx) + KEYS;
  const last = first + (ctx.rounds << 4);
  for (const end = src + len; src < end; src += AES_BLOCK) {
    const low = load<u64>(src);
    const high = load<u64>(src, 8);
    let key = last;
    let a = <u32>low ^ load<u32>(key);
    let b = <u32>(low >> 32) ^ load<u32>(key, 4);
    let c = <u32>high ^ load<u32>(key, 8);
    let d = <u32>(high >> 32) ^ load<u32>(key, 12);
    for (;;) {
      key -= AES_BLOCK;
      const p = substituteBack(shift(a, d, c, b)) ^ load<u32>(key);
      const q = substituteBack(shift(b, a, d, c)) ^ load<u32>(key, 4);
      const r = substituteBack(shift(c, b, a, d)) ^ load<u32>(key, 8);
      const s = substituteBack(shift(d, c, b, a)) ^ load<u32>(key, 12);
      const more = key > first;
      a = more ? inverseMix(p) : p;
      b = more ? inverseMix(q) : q;
      c = more ? inverseMix(r) : r;
      d = more ? inverseMix(s) : s;
      if (!more) break;
    }
    store<u64>(dst, (a | ((<u64>b) << 32)) ^ ctx.chain);
    store<u64>(dst, (c | ((<u64>d) << 32)) ^ ctx.chain1, 8);
    ctx.chain = low;
    ctx.chain1 = high;
    dst += AES_BLOCK;
  }
}
