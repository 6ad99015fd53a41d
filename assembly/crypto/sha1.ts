// SHA-1 (FIPS 180-4 §6.1), streaming: see block.ts for what holds for every digest here.
//
// Only where a protocol asks for it. Five steps a turn (after five, the words stand in their places again) over a schedule
// of eighty words in memory: half the speed of writing out all eighty steps, at a third of the code.

import { fill } from "../bytes/text";
import { BLOCK, Block, Word, blockFill, blockPad, blockPtr } from "./block";

/** Bytes in a SHA-1 digest. */
export const SHA1_LENGTH: u32 = 20;

/** Bytes in twenty words of the message schedule, one round. */
const ROUND: usize = 80;

/** The message schedule of the block in hand, eighty words; shared by all contexts, wiped by sha1Final. */
const W = memory.data(320);

/** A running SHA-1. */
@unmanaged
@final
export class Sha1 extends Block {
  a: u32 = 0;
  b: u32 = 0;
  c: u32 = 0;
  d: u32 = 0;
  e: u32 = 0;
}

/** Begin a message. FIPS 180-4 §5.3.1. */
export function sha1Init(ctx: Sha1): void {
  ctx.length = 0;
  ctx.a = 0x67452301;
  ctx.b = 0xefcdab89;
  ctx.c = 0x98badcfe;
  ctx.d = 0x10325476;
  ctx.e = 0xc3d2e1f0;
}

/** Absorb `len` bytes, read only during the call. */
export function sha1Update(ctx: Sha1, ptr: usize, len: usize): void {
  if (<usize>ctx.length & (BLOCK - 1)) {
    const taken = blockFill(ctx, ptr, len);
    if (!(<usize>ctx.length & (BLOCK - 1))) sha1Blocks(ctx, blockPtr(ctx), BLOCK);
    ptr += taken;
    len -= taken;
  }
  const whole = len & ~(BLOCK - 1);
  sha1Blocks(ctx, ptr, whole);
  ctx.length += whole;
  blockFill(ctx, ptr + whole, len - whole);
}

/** Write SHA1_LENGTH bytes of digest to `out`, which may lie anywhere outside the context, and wipe the context. */
export function sha1Final(ctx: Sha1, out: usize): void {
  const block = blockPtr(ctx);
  if (blockPad(ctx)) {
    sha1Blocks(ctx, block, BLOCK);
    fill(block, 0, BLOCK);
  }
  store<u32>(block, Word.swap(<u32>(ctx.length >> 29)), BLOCK - 8);
  store<u32>(block, Word.swap((<u32>ctx.length) << 3), BLOCK - 4);
  sha1Blocks(ctx, block, BLOCK);
  store<u32>(out, Word.swap(ctx.a));
  store<u32>(out, Word.swap(ctx.b), 4);
  store<u32>(out, Word.swap(ctx.c), 8);
  store<u32>(out, Word.swap(ctx.d), 12);
  store<u32>(out, Word.swap(ctx.e), 16);
  fill(changetype<usize>(ctx), 0, offsetof<Sha1>());
  fill(W, 0, 4 * ROUND);
}

/** One step of each round: what is added to the word `e`; `w` is a word of the schedule. FIPS 180-4 §4.1.1. */
@final
class Step {
  @inline static choose(a: u32, b: u32, c: u32, d: u32, w: u32): u32 {
    return w + 0x5a827999 + Word.choose(b, c, d) + rotl<u32>(a, 5);
  }

  @inline static parity(a: u32, b: u32, c: u32, d: u32, w: u32, k: u32): u32 {
    return w + k + (b ^ (c ^ d)) + rotl<u32>(a, 5);
  }

  @inline static majority(a: u32, b: u32, c: u32, d: u32, w: u32): u32 {
    return w + 0x8f1bbcdc + ((b & c) + (d & (b ^ c))) + rotl<u32>(a, 5);
  }
}

/** Write the eighty words of the schedule of the block at `ptr`. FIPS 180-4 §6.1.2 step 1. */
function schedule(ptr: usize): void {
  for (let i: usize = 0; i < BLOCK; i += 4) store<u32>(i, Word.swap(load<u32>(ptr + i)), W);
  for (let i: usize = 0; i < 4 * ROUND - BLOCK; i += 4) {
    const word = load<u32>(i, W + 52) ^ load<u32>(i, W + 32) ^ load<u32>(i, W + 8) ^ load<u32>(i, W);
    store<u32>(i, rotl<u32>(word, 1), W + 64);
  }
}

/** Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.1.2. */
function sha1Blocks(ctx: Sha1, ptr: usize, len: usize): void {
  for (const end = ptr + len; ptr < end; ptr += BLOCK) {
    schedule(ptr);
    let a = ctx.a;
    let b = ctx.b;
    let c = ctx.c;
    let d = ctx.d;
    let e = ctx.e;
    let i: usize = 0;
    for (; i < ROUND; i += 20) {
      e += Step.choose(a, b, c, d, load<u32>(i, W));
      b = rotl<u32>(b, 30);
      d += Step.choose(e, a, b, c, load<u32>(i, W + 4));
      a = rotl<u32>(a, 30);
      c += Step.choose(d, e, a, b, load<u32>(i, W + 8));
      e = rotl<u32>(e, 30);
      b += Step.choose(c, d, e, a, load<u32>(i, W + 12));
      d = rotl<u32>(d, 30);
      a += Step.choose(b, c, d, e, load<u32>(i, W + 16));
      c = rotl<u32>(c, 30);
    }
    for (; i < 2 * ROUND; i += 20) {
      e += Step.parity(a, b, c, d, load<u32>(i, W), 0x6ed9eba1);
      b = rotl<u32>(b, 30);
      d += Step.parity(e, a, b, c, load<u32>(i, W + 4), 0x6ed9eba1);
      a = rotl<u32>(a, 30);
      c += Step.parity(d, e, a, b, load<u32>(i, W + 8), 0x6ed9eba1);
      e = rotl<u32>(e, 30);
      b += Step.parity(c, d, e, a, load<u32>(i, W + 12), 0x6ed9eba1);
      d = rotl<u32>(d, 30);
      a += Step.parity(b, c, d, e, load<u32>(i, W + 16), 0x6ed9eba1);
      c = rotl<u32>(c, 30);
    }
    for (; i < 3 * ROUND; i += 20) {
      e += Step.majority(a, b, c, d, load<u32>(i, W));
      b = rotl<u32>(b, 30);
      d += Step.majority(e, a, b, c, load<u32>(i, W + 4));
      a = rotl<u32>(a, 30);
      c += Step.majority(d, e, a, b, load<u32>(i, W + 8));
      e = rotl<u32>(e, 30);
      b += Step.majority(c, d, e, a, load<u32>(i, W + 12));
      d = rotl<u32>(d, 30);
      a += Step.majority(b, c, d, e, load<u32>(i, W + 16));
      c = rotl<u32>(c, 30);
    }
    for (; i < 4 * ROUND; i += 20) {
      e += Step.parity(a, b, c, d, load<u32>(i, W), 0xca62c1d6);
      b = rotl<u32>(b, 30);
      d += Step.parity(e, a, b, c, load<u32>(i, W + 4), 0xca62c1d6);
      a = rotl<u32>(a, 30);
      c += Step.parity(d, e, a, b, load<u32>(i, W + 8), 0xca62c1d6);
      e = rotl<u32>(e, 30);
      b += Step.parity(c, d, e, a, load<u32>(i, W + 12), 0xca62c1d6);
      d = rotl<u32>(d, 30);
      a += Step.parity(b, c, d, e, load<u32>(i, W + 16), 0xca62c1d6);
      c = rotl<u32>(c, 30);
    }
    ctx.a += a;
    ctx.b += b;
    ctx.c += c;
    ctx.d += d;
    ctx.e += e;
  }
}
