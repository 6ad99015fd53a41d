// SHA-256 for interpreters and microcontrollers: sixteen rounds a turn, four turns a block, with the eight working
// variables and a window of sixteen schedule words in locals. Interpreters run locals for next to nothing; a schedule in
// memory would cost them half the speed, and writing out all sixty-four rounds buys them nothing for twice the code.

import { BLOCK, Word } from "./block";
import { K, Sha256 } from "./sha256_context";
import { Table } from "./table";

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
export function blocks(ctx: Sha256, ptr: usize, len: usize): void {
  let stateA = ctx.a;
  let stateB = ctx.b;
  let stateC = ctx.c;
  let stateD = ctx.d;
  let stateE = ctx.e;
  let stateF = ctx.f;
  let stateG = ctx.g;
  let stateH = ctx.h;
  for (; len > 0; len -= BLOCK) {
    Table.reach(K + 252);
    let a = stateA;
    let b = stateB;
    let c = stateC;
    let d = stateD;
    let e = stateE;
    let f = stateF;
    let g = stateG;
    let h = stateH;
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
    for (let i: usize = 0; ; i = (i + BLOCK) & 0xc0) {
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
    ptr += BLOCK;
    stateA += a;
    stateB += b;
    stateC += c;
    stateD += d;
    stateE += e;
    stateF += f;
    stateG += g;
    stateH += h;
  }
  ctx.a = stateA;
  ctx.b = stateB;
  ctx.c = stateC;
  ctx.d = stateD;
  ctx.e = stateE;
  ctx.f = stateF;
  ctx.g = stateG;
  ctx.h = stateH;
}
