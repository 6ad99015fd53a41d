// AES by its two S-boxes, the columns mixed by arithmetic: the small grade.
//
// Not constant-time, as aes_mcu.ts says of its tables.

import { AES_BLOCK, Aes, KEYS } from "./aes_context";
import { Field, INVERSE, inverseMix, T } from "./aes_schedule";

/**
 * The column that SubBytes, ShiftRows and, where it is due, MixColumns make of one byte from each word; one function, because
 * calls are what a microcontroller pays most for. FIPS 197 §5.1.1 to §5.1.3.
 */
function column(a: u32, b: u32, c: u32, d: u32, mixed: bool): u32 {
  const word: u32 =
    load<u8>(a & 0xff, T) |
    (load<u8>((b >> 8) & 0xff, T) << 8) |
    (load<u8>((c >> 16) & 0xff, T) << 16) |
    (load<u8>(d >> 24, T) << 24);
  if (!mixed) return word;
  const two = Field.times(word);
  return two ^ rotr<u32>(two ^ word, 8) ^ rotr<u32>(word, 16) ^ rotl<u32>(word, 8);
}

/** The same for the inverse cipher, with the round key between. FIPS 197 §5.3.1 to §5.3.4. */
function columnBack(a: u32, b: u32, c: u32, d: u32, key: u32, mixed: bool): u32 {
  const word: u32 =
    load<u8>(a & 0xff, INVERSE) |
    (load<u8>((b >> 8) & 0xff, INVERSE) << 8) |
    (load<u8>((c >> 16) & 0xff, INVERSE) << 16) |
    (load<u8>(d >> 24, INVERSE) << 24);
  return mixed ? inverseMix(word ^ key) : word ^ key;
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
    for (let more = true; more; ) {
      key += AES_BLOCK;
      more = key < last;
      const p = column(a, b, c, d, more) ^ load<u32>(key);
      const q = column(b, c, d, a, more) ^ load<u32>(key, 4);
      const r = column(c, d, a, b, more) ^ load<u32>(key, 8);
      d = column(d, a, b, c, more) ^ load<u32>(key, 12);
      a = p;
      b = q;
      c = r;
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
    for (let more = true; more; ) {
      key -= AES_BLOCK;
      more = key > first;
      const p = columnBack(a, d, c, b, load<u32>(key), more);
      const q = columnBack(b, a, d, c, load<u32>(key, 4), more);
      const r = columnBack(c, b, a, d, load<u32>(key, 8), more);
      d = columnBack(d, c, b, a, load<u32>(key, 12), more);
      a = p;
      b = q;
      c = r;
    }
    store<u64>(dst, (a | ((<u64>b) << 32)) ^ ctx.chain);
    store<u64>(dst, (c | ((<u64>d) << 32)) ^ ctx.chain1, 8);
    ctx.chain = low;
    ctx.chain1 = high;
    dst += AES_BLOCK;
  }
}
