// MD5 for hosts and microcontrollers: all 64 steps written out, with the state and the sixteen message words in locals. That
// is 2 KB, and twice as quick in an interpreter as any loop over tables. Under V8 nothing is left to win: the
// steps take as many cycles as their dependencies are long, 4.5 on average.

import { BLOCK, Word } from "./block";
import { HOST } from "./grade";
import { Md5 } from "./md5_context";

/** One step of each round: the new value of the word `a`. `x` is a message word, `k` and `s` the step's constants. */
@final
class Step {
  @inline static f(a: u32, b: u32, c: u32, d: u32, x: u32, k: u32, s: u32): u32 {
    return b + rotl<u32>(a + k + x + Word.choose(b, c, d), s);
  }

  @inline static g(a: u32, b: u32, c: u32, d: u32, x: u32, k: u32, s: u32): u32 {
    // The two parts have no bit in common, so they may be added, and the word that comes last waits for less.
    if (HOST) return b + rotl<u32>((b & d) + (a + k + x + (c & ~d)), s);
    return b + rotl<u32>(a + k + x + Word.choose(d, b, c), s);
  }

  /** h in every other step of its round, from the first: the next step's c ^ d is this one's b ^ c, which a compiler then computes once. */
  @inline static odd(a: u32, b: u32, c: u32, d: u32, x: u32, k: u32, s: u32): u32 {
    // A host has more to gain from what does not wait for b.
    if (HOST) return Step.h(a, b, c, d, x, k, s);
    return b + rotl<u32>(a + k + x + (b ^ c ^ d), s);
  }

  @inline static h(a: u32, b: u32, c: u32, d: u32, x: u32, k: u32, s: u32): u32 {
    return b + rotl<u32>(a + k + x + (b ^ (c ^ d)), s);
  }

  @inline static i(a: u32, b: u32, c: u32, d: u32, x: u32, k: u32, s: u32): u32 {
    return b + rotl<u32>(a + k + x + (c ^ (b | ~d)), s);
  }
}

/** Compress `len` bytes, a multiple of 64. RFC 1321 §3.4. */
export function blocks(ctx: Md5, ptr: usize, len: usize): void {
  let stateA = ctx.a;
  let stateB = ctx.b;
  let stateC = ctx.c;
  let stateD = ctx.d;
  for (; len > 0; len -= BLOCK) {
    let a = stateA;
    let b = stateB;
    let c = stateC;
    let d = stateD;
    // One check of bounds for two words. More such pairs save nothing: the second word of each waits on the stack.
    const pair = load<u64>(ptr);
    const x0 = <u32>pair;
    const x1 = <u32>(pair >> 32);
    const x2 = load<u32>(ptr, 8);
    const x3 = load<u32>(ptr, 12);
    const x4 = load<u32>(ptr, 16);
    const x5 = load<u32>(ptr, 20);
    const x6 = load<u32>(ptr, 24);
    const x7 = load<u32>(ptr, 28);
    const x8 = load<u32>(ptr, 32);
    const x9 = load<u32>(ptr, 36);
    const x10 = load<u32>(ptr, 40);
    const x11 = load<u32>(ptr, 44);
    const x12 = load<u32>(ptr, 48);
    const x13 = load<u32>(ptr, 52);
    const x14 = load<u32>(ptr, 56);
    const x15 = load<u32>(ptr, 60);
    a = Step.f(a, b, c, d, x0, 0xd76aa478, 7);
    d = Step.f(d, a, b, c, x1, 0xe8c7b756, 12);
    c = Step.f(c, d, a, b, x2, 0x242070db, 17);
    b = Step.f(b, c, d, a, x3, 0xc1bdceee, 22);
    a = Step.f(a, b, c, d, x4, 0xf57c0faf, 7);
    d = Step.f(d, a, b, c, x5, 0x4787c62a, 12);
    c = Step.f(c, d, a, b, x6, 0xa8304613, 17);
    b = Step.f(b, c, d, a, x7, 0xfd469501, 22);
    a = Step.f(a, b, c, d, x8, 0x698098d8, 7);
    d = Step.f(d, a, b, c, x9, 0x8b44f7af, 12);
    c = Step.f(c, d, a, b, x10, 0xffff5bb1, 17);
    b = Step.f(b, c, d, a, x11, 0x895cd7be, 22);
    a = Step.f(a, b, c, d, x12, 0x6b901122, 7);
    d = Step.f(d, a, b, c, x13, 0xfd987193, 12);
    c = Step.f(c, d, a, b, x14, 0xa679438e, 17);
    b = Step.f(b, c, d, a, x15, 0x49b40821, 22);
    a = Step.g(a, b, c, d, x1, 0xf61e2562, 5);
    d = Step.g(d, a, b, c, x6, 0xc040b340, 9);
    c = Step.g(c, d, a, b, x11, 0x265e5a51, 14);
    b = Step.g(b, c, d, a, x0, 0xe9b6c7aa, 20);
    a = Step.g(a, b, c, d, x5, 0xd62f105d, 5);
    d = Step.g(d, a, b, c, x10, 0x02441453, 9);
    c = Step.g(c, d, a, b, x15, 0xd8a1e681, 14);
    b = Step.g(b, c, d, a, x4, 0xe7d3fbc8, 20);
    a = Step.g(a, b, c, d, x9, 0x21e1cde6, 5);
    d = Step.g(d, a, b, c, x14, 0xc33707d6, 9);
    c = Step.g(c, d, a, b, x3, 0xf4d50d87, 14);
    b = Step.g(b, c, d, a, x8, 0x455a14ed, 20);
    a = Step.g(a, b, c, d, x13, 0xa9e3e905, 5);
    d = Step.g(d, a, b, c, x2, 0xfcefa3f8, 9);
    c = Step.g(c, d, a, b, x7, 0x676f02d9, 14);
    b = Step.g(b, c, d, a, x12, 0x8d2a4c8a, 20);
    a = Step.odd(a, b, c, d, x5, 0xfffa3942, 4);
    d = Step.h(d, a, b, c, x8, 0x8771f681, 11);
    c = Step.odd(c, d, a, b, x11, 0x6d9d6122, 16);
    b = Step.h(b, c, d, a, x14, 0xfde5380c, 23);
    a = Step.odd(a, b, c, d, x1, 0xa4beea44, 4);
    d = Step.h(d, a, b, c, x4, 0x4bdecfa9, 11);
    c = Step.odd(c, d, a, b, x7, 0xf6bb4b60, 16);
    b = Step.h(b, c, d, a, x10, 0xbebfbc70, 23);
    a = Step.odd(a, b, c, d, x13, 0x289b7ec6, 4);
    d = Step.h(d, a, b, c, x0, 0xeaa127fa, 11);
    c = Step.odd(c, d, a, b, x3, 0xd4ef3085, 16);
    b = Step.h(b, c, d, a, x6, 0x04881d05, 23);
    a = Step.odd(a, b, c, d, x9, 0xd9d4d039, 4);
    d = Step.h(d, a, b, c, x12, 0xe6db99e5, 11);
    c = Step.odd(c, d, a, b, x15, 0x1fa27cf8, 16);
    b = Step.h(b, c, d, a, x2, 0xc4ac5665, 23);
    a = Step.i(a, b, c, d, x0, 0xf4292244, 6);
    d = Step.i(d, a, b, c, x7, 0x432aff97, 10);
    c = Step.i(c, d, a, b, x14, 0xab9423a7, 15);
    b = Step.i(b, c, d, a, x5, 0xfc93a039, 21);
    a = Step.i(a, b, c, d, x12, 0x655b59c3, 6);
    d = Step.i(d, a, b, c, x3, 0x8f0ccc92, 10);
    c = Step.i(c, d, a, b, x10, 0xffeff47d, 15);
    b = Step.i(b, c, d, a, x1, 0x85845dd1, 21);
    a = Step.i(a, b, c, d, x8, 0x6fa87e4f, 6);
    d = Step.i(d, a, b, c, x15, 0xfe2ce6e0, 10);
    c = Step.i(c, d, a, b, x6, 0xa3014314, 15);
    b = Step.i(b, c, d, a, x13, 0x4e0811a1, 21);
    a = Step.i(a, b, c, d, x4, 0xf7537e82, 6);
    d = Step.i(d, a, b, c, x11, 0xbd3af235, 10);
    c = Step.i(c, d, a, b, x2, 0x2ad7d2bb, 15);
    b = Step.i(b, c, d, a, x9, 0xeb86d391, 21);
    ptr += BLOCK;
    stateA += a;
    stateB += b;
    stateC += c;
    stateD += d;
  }
  ctx.a = stateA;
  ctx.b = stateB;
  ctx.c = stateC;
  ctx.d = stateD;
}
