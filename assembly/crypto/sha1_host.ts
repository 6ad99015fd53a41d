// SHA-1 for hosts: the message schedule four words at a time in vectors, the steps in scalars, all eighty written out.
//
// From word 32 on the schedule is made by a second form of its recurrence, applied to itself: W(t) = rotl(W(t-6) ^ W(t-16) ^
// W(t-28) ^ W(t-32), 2). No word of a vector needs another one of it then.

import { BLOCK, Word } from "./block";
import { HOST } from "./grade";
import { Sha1 } from "./sha1_context";
import { Words } from "./words";

/** Schedule words and round constants of the block in hand, added; shared by all contexts. */
const W: usize = HOST ? memory.data(320, 16) : 0;

/** The round constants, four times each. FIPS 180-4 §4.2.1. */
// biome-ignore format: a table
const K: usize = HOST ? memory.data<u32>([
  0x5a827999, 0x5a827999, 0x5a827999, 0x5a827999,
  0x6ed9eba1, 0x6ed9eba1, 0x6ed9eba1, 0x6ed9eba1,
  0x8f1bbcdc, 0x8f1bbcdc, 0x8f1bbcdc, 0x8f1bbcdc,
  0xca62c1d6, 0xca62c1d6, 0xca62c1d6, 0xca62c1d6,
], 16) : 0;

/** Forget the last message. */
export function wipe(): void {
  for (let at = W; at < W + 320; at += 16) v128.store(at, i32x4.splat(0));
}

/** One step of each round: the new word; `e` has the schedule word and the constant added. FIPS 180-4 §4.1.1. */
@final
class Step {
  @inline static choose(a: u32, b: u32, c: u32, d: u32, e: u32): u32 {
    return e + Word.choose(b, c, d) + rotl<u32>(a, 5);
  }

  @inline static parity(a: u32, b: u32, c: u32, d: u32, e: u32): u32 {
    return e + (b ^ (c ^ d)) + rotl<u32>(a, 5);
  }

  @inline static majority(a: u32, b: u32, c: u32, d: u32, e: u32): u32 {
    return e + ((b & (c ^ d)) ^ (c & d)) + rotl<u32>(a, 5);
  }

  /** The four words after those in x0..x3. The fourth needs the first, so it is put right afterwards. */
  @inline static early(x0: v128, x1: v128, x2: v128, x3: v128): v128 {
    const zero = i32x4.splat(0);
    const w2 = v128.shuffle<u32>(x0, x1, 2, 3, 4, 5);
    const w13 = v128.shuffle<u32>(x3, zero, 1, 2, 3, 4);
    const word = v128.xor(v128.xor(x0, w2), v128.xor(x2, w13));
    const turned = v128.or(i32x4.shl(word, 1), i32x4.shr_u(word, 31));
    const last = v128.shuffle<u32>(turned, zero, 4, 4, 4, 0);
    return v128.xor(turned, v128.or(i32x4.shl(last, 1), i32x4.shr_u(last, 31)));
  }

  /** The four words that follow 32 others, of which those numbered 0, 4, 16, 24 and 28 begin these vectors. */
  @inline static late(w0: v128, w4: v128, w16: v128, w24: v128, w28: v128): v128 {
    const word = v128.xor(v128.xor(w0, w4), v128.xor(w16, v128.shuffle<u32>(w24, w28, 2, 3, 4, 5)));
    return v128.or(i32x4.shl(word, 2), i32x4.shr_u(word, 30));
  }
}

/** Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.1.2. */
export function blocks(ctx: Sha1, ptr: usize, len: usize): void {
  let stateA = ctx.a;
  let stateB = ctx.b;
  let stateC = ctx.c;
  let stateD = ctx.d;
  let stateE = ctx.e;
  for (const end = ptr + len; ptr < end; ptr += BLOCK) {
    let a = stateA;
    let b = stateB;
    let c = stateC;
    let d = stateD;
    let e = stateE;
    let x0 = Words.swapped(ptr);
    v128.store(W, i32x4.add(x0, v128.load(K)));
    let x1 = Words.swapped(ptr + 16);
    v128.store(W, i32x4.add(x1, v128.load(K)), 16);
    let x2 = Words.swapped(ptr + 32);
    v128.store(W, i32x4.add(x2, v128.load(K)), 32);
    let x3 = Words.swapped(ptr + 48);
    v128.store(W, i32x4.add(x3, v128.load(K)), 48);
    e = Step.choose(a, b, c, d, e + load<u32>(W));
    b = rotl<u32>(b, 30);
    d = Step.choose(e, a, b, c, d + load<u32>(W, 4));
    a = rotl<u32>(a, 30);
    c = Step.choose(d, e, a, b, c + load<u32>(W, 8));
    e = rotl<u32>(e, 30);
    b = Step.choose(c, d, e, a, b + load<u32>(W, 12));
    d = rotl<u32>(d, 30);
    let x4 = Step.early(x0, x1, x2, x3);
    v128.store(W, i32x4.add(x4, v128.load(K)), 64);
    a = Step.choose(b, c, d, e, a + load<u32>(W, 16));
    c = rotl<u32>(c, 30);
    e = Step.choose(a, b, c, d, e + load<u32>(W, 20));
    b = rotl<u32>(b, 30);
    d = Step.choose(e, a, b, c, d + load<u32>(W, 24));
    a = rotl<u32>(a, 30);
    c = Step.choose(d, e, a, b, c + load<u32>(W, 28));
    e = rotl<u32>(e, 30);
    let x5 = Step.early(x1, x2, x3, x4);
    v128.store(W, i32x4.add(x5, v128.load(K, 16)), 80);
    b = Step.choose(c, d, e, a, b + load<u32>(W, 32));
    d = rotl<u32>(d, 30);
    a = Step.choose(b, c, d, e, a + load<u32>(W, 36));
    c = rotl<u32>(c, 30);
    e = Step.choose(a, b, c, d, e + load<u32>(W, 40));
    b = rotl<u32>(b, 30);
    d = Step.choose(e, a, b, c, d + load<u32>(W, 44));
    a = rotl<u32>(a, 30);
    let x6 = Step.early(x2, x3, x4, x5);
    v128.store(W, i32x4.add(x6, v128.load(K, 16)), 96);
    c = Step.choose(d, e, a, b, c + load<u32>(W, 48));
    e = rotl<u32>(e, 30);
    b = Step.choose(c, d, e, a, b + load<u32>(W, 52));
    d = rotl<u32>(d, 30);
    a = Step.choose(b, c, d, e, a + load<u32>(W, 56));
    c = rotl<u32>(c, 30);
    e = Step.choose(a, b, c, d, e + load<u32>(W, 60));
    b = rotl<u32>(b, 30);
    let x7 = Step.early(x3, x4, x5, x6);
    v128.store(W, i32x4.add(x7, v128.load(K, 16)), 112);
    d = Step.choose(e, a, b, c, d + load<u32>(W, 64));
    a = rotl<u32>(a, 30);
    c = Step.choose(d, e, a, b, c + load<u32>(W, 68));
    e = rotl<u32>(e, 30);
    b = Step.choose(c, d, e, a, b + load<u32>(W, 72));
    d = rotl<u32>(d, 30);
    a = Step.choose(b, c, d, e, a + load<u32>(W, 76));
    c = rotl<u32>(c, 30);
    x0 = Step.late(x0, x1, x4, x6, x7);
    v128.store(W, i32x4.add(x0, v128.load(K, 16)), 128);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 80));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 84));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 88));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 92));
    d = rotl<u32>(d, 30);
    x1 = Step.late(x1, x2, x5, x7, x0);
    v128.store(W, i32x4.add(x1, v128.load(K, 16)), 144);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 96));
    c = rotl<u32>(c, 30);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 100));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 104));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 108));
    e = rotl<u32>(e, 30);
    x2 = Step.late(x2, x3, x6, x0, x1);
    v128.store(W, i32x4.add(x2, v128.load(K, 32)), 160);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 112));
    d = rotl<u32>(d, 30);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 116));
    c = rotl<u32>(c, 30);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 120));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 124));
    a = rotl<u32>(a, 30);
    x3 = Step.late(x3, x4, x7, x1, x2);
    v128.store(W, i32x4.add(x3, v128.load(K, 32)), 176);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 128));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 132));
    d = rotl<u32>(d, 30);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 136));
    c = rotl<u32>(c, 30);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 140));
    b = rotl<u32>(b, 30);
    x4 = Step.late(x4, x5, x0, x2, x3);
    v128.store(W, i32x4.add(x4, v128.load(K, 32)), 192);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 144));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 148));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 152));
    d = rotl<u32>(d, 30);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 156));
    c = rotl<u32>(c, 30);
    x5 = Step.late(x5, x6, x1, x3, x4);
    v128.store(W, i32x4.add(x5, v128.load(K, 32)), 208);
    e = Step.majority(a, b, c, d, e + load<u32>(W, 160));
    b = rotl<u32>(b, 30);
    d = Step.majority(e, a, b, c, d + load<u32>(W, 164));
    a = rotl<u32>(a, 30);
    c = Step.majority(d, e, a, b, c + load<u32>(W, 168));
    e = rotl<u32>(e, 30);
    b = Step.majority(c, d, e, a, b + load<u32>(W, 172));
    d = rotl<u32>(d, 30);
    x6 = Step.late(x6, x7, x2, x4, x5);
    v128.store(W, i32x4.add(x6, v128.load(K, 32)), 224);
    a = Step.majority(b, c, d, e, a + load<u32>(W, 176));
    c = rotl<u32>(c, 30);
    e = Step.majority(a, b, c, d, e + load<u32>(W, 180));
    b = rotl<u32>(b, 30);
    d = Step.majority(e, a, b, c, d + load<u32>(W, 184));
    a = rotl<u32>(a, 30);
    c = Step.majority(d, e, a, b, c + load<u32>(W, 188));
    e = rotl<u32>(e, 30);
    x7 = Step.late(x7, x0, x3, x5, x6);
    v128.store(W, i32x4.add(x7, v128.load(K, 48)), 240);
    b = Step.majority(c, d, e, a, b + load<u32>(W, 192));
    d = rotl<u32>(d, 30);
    a = Step.majority(b, c, d, e, a + load<u32>(W, 196));
    c = rotl<u32>(c, 30);
    e = Step.majority(a, b, c, d, e + load<u32>(W, 200));
    b = rotl<u32>(b, 30);
    d = Step.majority(e, a, b, c, d + load<u32>(W, 204));
    a = rotl<u32>(a, 30);
    x0 = Step.late(x0, x1, x4, x6, x7);
    v128.store(W, i32x4.add(x0, v128.load(K, 48)), 256);
    c = Step.majority(d, e, a, b, c + load<u32>(W, 208));
    e = rotl<u32>(e, 30);
    b = Step.majority(c, d, e, a, b + load<u32>(W, 212));
    d = rotl<u32>(d, 30);
    a = Step.majority(b, c, d, e, a + load<u32>(W, 216));
    c = rotl<u32>(c, 30);
    e = Step.majority(a, b, c, d, e + load<u32>(W, 220));
    b = rotl<u32>(b, 30);
    x1 = Step.late(x1, x2, x5, x7, x0);
    v128.store(W, i32x4.add(x1, v128.load(K, 48)), 272);
    d = Step.majority(e, a, b, c, d + load<u32>(W, 224));
    a = rotl<u32>(a, 30);
    c = Step.majority(d, e, a, b, c + load<u32>(W, 228));
    e = rotl<u32>(e, 30);
    b = Step.majority(c, d, e, a, b + load<u32>(W, 232));
    d = rotl<u32>(d, 30);
    a = Step.majority(b, c, d, e, a + load<u32>(W, 236));
    c = rotl<u32>(c, 30);
    x2 = Step.late(x2, x3, x6, x0, x1);
    v128.store(W, i32x4.add(x2, v128.load(K, 48)), 288);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 240));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 244));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 248));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 252));
    d = rotl<u32>(d, 30);
    x3 = Step.late(x3, x4, x7, x1, x2);
    v128.store(W, i32x4.add(x3, v128.load(K, 48)), 304);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 256));
    c = rotl<u32>(c, 30);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 260));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 264));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 268));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 272));
    d = rotl<u32>(d, 30);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 276));
    c = rotl<u32>(c, 30);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 280));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 284));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 288));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 292));
    d = rotl<u32>(d, 30);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 296));
    c = rotl<u32>(c, 30);
    e = Step.parity(a, b, c, d, e + load<u32>(W, 300));
    b = rotl<u32>(b, 30);
    d = Step.parity(e, a, b, c, d + load<u32>(W, 304));
    a = rotl<u32>(a, 30);
    c = Step.parity(d, e, a, b, c + load<u32>(W, 308));
    e = rotl<u32>(e, 30);
    b = Step.parity(c, d, e, a, b + load<u32>(W, 312));
    d = rotl<u32>(d, 30);
    a = Step.parity(b, c, d, e, a + load<u32>(W, 316));
    c = rotl<u32>(c, 30);
    stateA += a;
    stateB += b;
    stateC += c;
    stateD += d;
    stateE += e;
  }
  ctx.a = stateA;
  ctx.b = stateB;
  ctx.c = stateC;
  ctx.d = stateD;
  ctx.e = stateE;
}
