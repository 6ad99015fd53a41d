// SHA-256 for hosts: the message schedule four words at a time in vectors, the rounds in scalars.
//
// V8 runs out of instruction slots before it runs out of time to wait, so what the vectors take over is won. The schedule
// is added to the round constants and goes through memory, sixteen rounds ahead of its use. Sixteen rounds are one
// turn: writing out all of them is no faster.

import { BLOCK, Word } from "./block";
import { HOST } from "./grade";
import { K, Sha256 } from "./sha256_context";
import { Words } from "./words";

/** Schedule words and round constants of the block in hand, added; shared by all contexts. */
const W: usize = HOST ? memory.data(256, 16) : 0;

/** Forget the last message. */
export function wipe(): void {
  for (let at = W; at < W + 256; at += 16) v128.store(at, i32x4.splat(0));
}

/** The functions of FIPS 180-4 §4.1.2. What is known early is added first, for the processor to have it ready. */
@final
class Step {
  /** T1; `w` is the schedule word and its round constant, added. */
  @inline static first(e: u32, f: u32, g: u32, h: u32, w: u32): u32 {
    return h + w + Word.choose(e, f, g) + (rotr<u32>(e, 6) ^ rotr<u32>(e, 11) ^ rotr<u32>(e, 25));
  }

  /** T1 + T2. Of the majority, a ^ b is the next round's b ^ c, and the engine computes it once. */
  @inline static second(a: u32, b: u32, c: u32, t: u32): u32 {
    return t + (b ^ ((a ^ b) & (b ^ c))) + (rotr<u32>(a, 2) ^ rotr<u32>(a, 13) ^ rotr<u32>(a, 22));
  }

  /** sigma 1 of two words, each filling one half of `pairs` twice over. The results stand in the low 32 bits of the halves. */
  @inline static high(pairs: v128): v128 {
    return v128.xor(v128.xor(i64x2.shr_u(pairs, 17), i64x2.shr_u(pairs, 19)), i32x4.shr_u(pairs, 10));
  }

  /** The four schedule words after those in x0..x3. The last two need the first two. */
  @inline static words(x0: v128, x1: v128, x2: v128, x3: v128): v128 {
    const zero = i32x4.splat(0);
    const w1 = v128.shuffle<u32>(x0, x1, 1, 2, 3, 4);
    const w9 = v128.shuffle<u32>(x2, x3, 1, 2, 3, 4);
    const seven = v128.xor(i32x4.shr_u(w1, 7), i32x4.shl(w1, 25));
    const eighteen = v128.xor(i32x4.shr_u(w1, 18), i32x4.shl(w1, 14));
    const low = v128.xor(v128.xor(seven, eighteen), i32x4.shr_u(w1, 3));
    const sum = i32x4.add(i32x4.add(x0, w9), low);
    const two = v128.shuffle<u32>(Step.high(v128.shuffle<u32>(x3, x3, 2, 2, 3, 3)), zero, 0, 2, 4, 4);
    const half = i32x4.add(sum, two);
    return i32x4.add(half, v128.shuffle<u32>(Step.high(v128.shuffle<u32>(half, half, 0, 0, 1, 1)), zero, 4, 4, 0, 2));
  }
}

/** Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.2.2. */
export function blocks(ctx: Sha256, ptr: usize, len: usize): void {
  let stateA = ctx.a;
  let stateB = ctx.b;
  let stateC = ctx.c;
  let stateD = ctx.d;
  let stateE = ctx.e;
  let stateF = ctx.f;
  let stateG = ctx.g;
  let stateH = ctx.h;
  for (const end = ptr + len; ptr < end; ptr += BLOCK) {
    let a = stateA;
    let b = stateB;
    let c = stateC;
    let d = stateD;
    let e = stateE;
    let f = stateF;
    let g = stateG;
    let h = stateH;
    let x0 = Words.swapped(ptr);
    v128.store(W, i32x4.add(x0, v128.load(K)));
    let x1 = Words.swapped(ptr + 16);
    v128.store(W, i32x4.add(x1, v128.load(K, 16)), 16);
    let x2 = Words.swapped(ptr + 32);
    v128.store(W, i32x4.add(x2, v128.load(K, 32)), 32);
    let x3 = Words.swapped(ptr + 48);
    v128.store(W, i32x4.add(x3, v128.load(K, 48)), 48);
    for (let i: usize = 0; i < 3 * BLOCK; i += BLOCK) {
      const w = W + i;
      x0 = Step.words(x0, x1, x2, x3);
      v128.store(w, i32x4.add(x0, v128.load(i, K + 64)), 64);
      h = Step.first(e, f, g, h, load<u32>(w));
      d += h;
      h = Step.second(a, b, c, h);
      g = Step.first(d, e, f, g, load<u32>(w, 4));
      c += g;
      g = Step.second(h, a, b, g);
      f = Step.first(c, d, e, f, load<u32>(w, 8));
      b += f;
      f = Step.second(g, h, a, f);
      e = Step.first(b, c, d, e, load<u32>(w, 12));
      a += e;
      e = Step.second(f, g, h, e);
      x1 = Step.words(x1, x2, x3, x0);
      v128.store(w, i32x4.add(x1, v128.load(i, K + 80)), 80);
      d = Step.first(a, b, c, d, load<u32>(w, 16));
      h += d;
      d = Step.second(e, f, g, d);
      c = Step.first(h, a, b, c, load<u32>(w, 20));
      g += c;
      c = Step.second(d, e, f, c);
      b = Step.first(g, h, a, b, load<u32>(w, 24));
      f += b;
      b = Step.second(c, d, e, b);
      a = Step.first(f, g, h, a, load<u32>(w, 28));
      e += a;
      a = Step.second(b, c, d, a);
      x2 = Step.words(x2, x3, x0, x1);
      v128.store(w, i32x4.add(x2, v128.load(i, K + 96)), 96);
      h = Step.first(e, f, g, h, load<u32>(w, 32));
      d += h;
      h = Step.second(a, b, c, h);
      g = Step.first(d, e, f, g, load<u32>(w, 36));
      c += g;
      g = Step.second(h, a, b, g);
      f = Step.first(c, d, e, f, load<u32>(w, 40));
      b += f;
      f = Step.second(g, h, a, f);
      e = Step.first(b, c, d, e, load<u32>(w, 44));
      a += e;
      e = Step.second(f, g, h, e);
      x3 = Step.words(x3, x0, x1, x2);
      v128.store(w, i32x4.add(x3, v128.load(i, K + 112)), 112);
      d = Step.first(a, b, c, d, load<u32>(w, 48));
      h += d;
      d = Step.second(e, f, g, d);
      c = Step.first(h, a, b, c, load<u32>(w, 52));
      g += c;
      c = Step.second(d, e, f, c);
      b = Step.first(g, h, a, b, load<u32>(w, 56));
      f += b;
      b = Step.second(c, d, e, b);
      a = Step.first(f, g, h, a, load<u32>(w, 60));
      e += a;
      a = Step.second(b, c, d, a);
    }
    h = Step.first(e, f, g, h, load<u32>(W, 192));
    d += h;
    h = Step.second(a, b, c, h);
    g = Step.first(d, e, f, g, load<u32>(W, 196));
    c += g;
    g = Step.second(h, a, b, g);
    f = Step.first(c, d, e, f, load<u32>(W, 200));
    b += f;
    f = Step.second(g, h, a, f);
    e = Step.first(b, c, d, e, load<u32>(W, 204));
    a += e;
    e = Step.second(f, g, h, e);
    d = Step.first(a, b, c, d, load<u32>(W, 208));
    h += d;
    d = Step.second(e, f, g, d);
    c = Step.first(h, a, b, c, load<u32>(W, 212));
    g += c;
    c = Step.second(d, e, f, c);
    b = Step.first(g, h, a, b, load<u32>(W, 216));
    f += b;
    b = Step.second(c, d, e, b);
    a = Step.first(f, g, h, a, load<u32>(W, 220));
    e += a;
    a = Step.second(b, c, d, a);
    h = Step.first(e, f, g, h, load<u32>(W, 224));
    d += h;
    h = Step.second(a, b, c, h);
    g = Step.first(d, e, f, g, load<u32>(W, 228));
    c += g;
    g = Step.second(h, a, b, g);
    f = Step.first(c, d, e, f, load<u32>(W, 232));
    b += f;
    f = Step.second(g, h, a, f);
    e = Step.first(b, c, d, e, load<u32>(W, 236));
    a += e;
    e = Step.second(f, g, h, e);
    d = Step.first(a, b, c, d, load<u32>(W, 240));
    h += d;
    d = Step.second(e, f, g, d);
    c = Step.first(h, a, b, c, load<u32>(W, 244));
    g += c;
    c = Step.second(d, e, f, c);
    b = Step.first(g, h, a, b, load<u32>(W, 248));
    f += b;
    b = Step.second(c, d, e, b);
    a = Step.first(f, g, h, a, load<u32>(W, 252));
    e += a;
    a = Step.second(b, c, d, a);
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
