// SHA-256 (FIPS 180-4 §6.2), streaming: see block.ts for what holds for every digest here.
//
// Sixteen rounds a turn, four turns a block, with the eight working variables and a window of sixteen schedule words in
// locals. Interpreters run locals for next to nothing; a schedule in memory would cost them half the speed, and writing
// out all sixty-four rounds buys them nothing for twice the code.

import { fill } from "../bytes/text";
import { BLOCK, Block, Word, blockFill, blockPad, blockPtr } from "./block";

/** Bytes in a SHA-256 digest. */
export const SHA256_LENGTH: u32 = 32;

/** The round constants: the first 32 bits of the fractions of the cube roots of the first 64 primes. FIPS 180-4 §4.2.2. */
// biome-ignore format: a table
const K = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);

/** A running SHA-256. */
@unmanaged
@final
export class Sha256 extends Block {
  a: u32 = 0;
  b: u32 = 0;
  c: u32 = 0;
  d: u32 = 0;
  e: u32 = 0;
  f: u32 = 0;
  g: u32 = 0;
  h: u32 = 0;
}

/** Begin a message. FIPS 180-4 §5.3.3. */
export function sha256Init(ctx: Sha256): void {
  ctx.length = 0;
  ctx.a = 0x6a09e667;
  ctx.b = 0xbb67ae85;
  ctx.c = 0x3c6ef372;
  ctx.d = 0xa54ff53a;
  ctx.e = 0x510e527f;
  ctx.f = 0x9b05688c;
  ctx.g = 0x1f83d9ab;
  ctx.h = 0x5be0cd19;
}

/** Absorb `len` bytes, read only during the call. */
export function sha256Update(ctx: Sha256, ptr: usize, len: usize): void {
  if (<usize>ctx.length & (BLOCK - 1)) {
    const taken = blockFill(ctx, ptr, len);
    if (!(<usize>ctx.length & (BLOCK - 1))) sha256Blocks(ctx, blockPtr(ctx), BLOCK);
    ptr += taken;
    len -= taken;
  }
  const whole = len & ~(BLOCK - 1);
  sha256Blocks(ctx, ptr, whole);
  ctx.length += whole;
  blockFill(ctx, ptr + whole, len - whole);
}

/** Write SHA256_LENGTH bytes of digest to `out`, which may lie anywhere outside the context, and wipe the context. */
export function sha256Final(ctx: Sha256, out: usize): void {
  const block = blockPtr(ctx);
  if (blockPad(ctx)) {
    sha256Blocks(ctx, block, BLOCK);
    fill(block, 0, BLOCK);
  }
  store<u32>(block, Word.swap(<u32>(ctx.length >> 29)), BLOCK - 8);
  store<u32>(block, Word.swap((<u32>ctx.length) << 3), BLOCK - 4);
  sha256Blocks(ctx, block, BLOCK);
  store<u32>(out, Word.swap(ctx.a));
  store<u32>(out, Word.swap(ctx.b), 4);
  store<u32>(out, Word.swap(ctx.c), 8);
  store<u32>(out, Word.swap(ctx.d), 12);
  store<u32>(out, Word.swap(ctx.e), 16);
  store<u32>(out, Word.swap(ctx.f), 20);
  store<u32>(out, Word.swap(ctx.g), 24);
  store<u32>(out, Word.swap(ctx.h), 28);
  fill(changetype<usize>(ctx), 0, offsetof<Sha256>());
}

/** The functions of FIPS 180-4 §4.1.2. */
@final
class Step {
  /** T1 of a round; `w` is the schedule word and its round constant, added. */
  @inline static first(e: u32, f: u32, g: u32, h: u32, w: u32): u32 {
    return h + w + Word.choose(e, f, g) + rotr<u32>(rotr<u32>(rotr<u32>(e, 14) ^ e, 5) ^ e, 6);
  }

  /** T2 of a round, less its majority. */
  @inline static sum(a: u32): u32 {
    return rotr<u32>(rotr<u32>(rotr<u32>(a, 9) ^ a, 11) ^ a, 2);
  }

  /** The schedule word sixteen after `w`; the others are one, nine and fourteen after it. */
  @inline static word(w: u32, w1: u32, w9: u32, w14: u32): u32 {
    const low = rotr<u32>(w1, 7) ^ rotr<u32>(w1, 18) ^ (w1 >> 3);
    const high = rotr<u32>(w14, 17) ^ rotr<u32>(w14, 19) ^ (w14 >> 10);
    return w + low + w9 + high;
  }
}

/**
 * Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.2.2.
 * Maj(a, b, c) is b ^ ((a ^ b) & (b ^ c)), and one round's a ^ b is the next one's b ^ c: `p` and `q` hold them in turn.
 */
function sha256Blocks(ctx: Sha256, ptr: usize, len: usize): void {
  for (const end = ptr + len; ptr < end; ptr += BLOCK) {
    let a = ctx.a;
    let b = ctx.b;
    let c = ctx.c;
    let d = ctx.d;
    let e = ctx.e;
    let f = ctx.f;
    let g = ctx.g;
    let h = ctx.h;
    let p: u32 = 0;
    let q = b ^ c;
    let t: u32 = 0;
    let w0 = Word.swap(load<u32>(ptr));
    let w1 = Word.swap(load<u32>(ptr, 4));
    let w2 = Word.swap(load<u32>(ptr, 8));
    let w3 = Word.swap(load<u32>(ptr, 12));
    let w4 = Word.swap(load<u32>(ptr, 16));
    let w5 = Word.swap(load<u32>(ptr, 20));
    let w6 = Word.swap(load<u32>(ptr, 24));
    let w7 = Word.swap(load<u32>(ptr, 28));
    let w8 = Word.swap(load<u32>(ptr, 32));
    let w9 = Word.swap(load<u32>(ptr, 36));
    let w10 = Word.swap(load<u32>(ptr, 40));
    let w11 = Word.swap(load<u32>(ptr, 44));
    let w12 = Word.swap(load<u32>(ptr, 48));
    let w13 = Word.swap(load<u32>(ptr, 52));
    let w14 = Word.swap(load<u32>(ptr, 56));
    let w15 = Word.swap(load<u32>(ptr, 60));
    for (let i: usize = 0; ; i += BLOCK) {
      t = Step.first(e, f, g, h, w0 + load<u32>(i, K));
      d += t;
      p = a ^ b;
      h = t + (b ^ (p & q)) + Step.sum(a);
      t = Step.first(d, e, f, g, w1 + load<u32>(i, K + 4));
      c += t;
      q = h ^ a;
      g = t + (a ^ (q & p)) + Step.sum(h);
      t = Step.first(c, d, e, f, w2 + load<u32>(i, K + 8));
      b += t;
      p = g ^ h;
      f = t + (h ^ (p & q)) + Step.sum(g);
      t = Step.first(b, c, d, e, w3 + load<u32>(i, K + 12));
      a += t;
      q = f ^ g;
      e = t + (g ^ (q & p)) + Step.sum(f);
      t = Step.first(a, b, c, d, w4 + load<u32>(i, K + 16));
      h += t;
      p = e ^ f;
      d = t + (f ^ (p & q)) + Step.sum(e);
      t = Step.first(h, a, b, c, w5 + load<u32>(i, K + 20));
      g += t;
      q = d ^ e;
      c = t + (e ^ (q & p)) + Step.sum(d);
      t = Step.first(g, h, a, b, w6 + load<u32>(i, K + 24));
      f += t;
      p = c ^ d;
      b = t + (d ^ (p & q)) + Step.sum(c);
      t = Step.first(f, g, h, a, w7 + load<u32>(i, K + 28));
      e += t;
      q = b ^ c;
      a = t + (c ^ (q & p)) + Step.sum(b);
      t = Step.first(e, f, g, h, w8 + load<u32>(i, K + 32));
      d += t;
      p = a ^ b;
      h = t + (b ^ (p & q)) + Step.sum(a);
      t = Step.first(d, e, f, g, w9 + load<u32>(i, K + 36));
      c += t;
      q = h ^ a;
      g = t + (a ^ (q & p)) + Step.sum(h);
      t = Step.first(c, d, e, f, w10 + load<u32>(i, K + 40));
      b += t;
      p = g ^ h;
      f = t + (h ^ (p & q)) + Step.sum(g);
      t = Step.first(b, c, d, e, w11 + load<u32>(i, K + 44));
      a += t;
      q = f ^ g;
      e = t + (g ^ (q & p)) + Step.sum(f);
      t = Step.first(a, b, c, d, w12 + load<u32>(i, K + 48));
      h += t;
      p = e ^ f;
      d = t + (f ^ (p & q)) + Step.sum(e);
      t = Step.first(h, a, b, c, w13 + load<u32>(i, K + 52));
      g += t;
      q = d ^ e;
      c = t + (e ^ (q & p)) + Step.sum(d);
      t = Step.first(g, h, a, b, w14 + load<u32>(i, K + 56));
      f += t;
      p = c ^ d;
      b = t + (d ^ (p & q)) + Step.sum(c);
      t = Step.first(f, g, h, a, w15 + load<u32>(i, K + 60));
      e += t;
      q = b ^ c;
      a = t + (c ^ (q & p)) + Step.sum(b);
      if (i === 3 * BLOCK) break;
      w0 = Step.word(w0, w1, w9, w14);
      w1 = Step.word(w1, w2, w10, w15);
      w2 = Step.word(w2, w3, w11, w0);
      w3 = Step.word(w3, w4, w12, w1);
      w4 = Step.word(w4, w5, w13, w2);
      w5 = Step.word(w5, w6, w14, w3);
      w6 = Step.word(w6, w7, w15, w4);
      w7 = Step.word(w7, w8, w0, w5);
      w8 = Step.word(w8, w9, w1, w6);
      w9 = Step.word(w9, w10, w2, w7);
      w10 = Step.word(w10, w11, w3, w8);
      w11 = Step.word(w11, w12, w4, w9);
      w12 = Step.word(w12, w13, w5, w10);
      w13 = Step.word(w13, w14, w6, w11);
      w14 = Step.word(w14, w15, w7, w12);
      w15 = Step.word(w15, w0, w8, w13);
    }
    ctx.a += a;
    ctx.b += b;
    ctx.c += c;
    ctx.d += d;
    ctx.e += e;
    ctx.f += f;
    ctx.g += g;
    ctx.h += h;
  }
}
