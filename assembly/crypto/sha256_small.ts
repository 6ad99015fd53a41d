// SHA-256 in the fewest bytes: one round a turn over a schedule in memory.

import { fill } from "../bytes/text";
import { BLOCK, Word, swapWords } from "./block";
import { SMALL } from "./grade";
import { W as SHA1_W } from "./sha1_small";
import { K, Sha256 } from "./sha256_context";

/** The schedule of the block in hand, 64 words: in the room of SHA-1's, which is wiped after every message as this is. */
const W: usize = SMALL ? SHA1_W : 0;

/** Forget the last message. */
export function wipe(): void {
  fill(W, 0, 256);
}

/** x turned right by three numbers of bits, one less than the other, exclusive-or: the functions of FIPS 180-4 §4.1.2. */
function turned(x: u32, first: u32, second: u32, third: u32): u32 {
  return rotr<u32>(x, first) ^ rotr<u32>(x, second) ^ rotr<u32>(x, third);
}

/** Write the 64 words of the schedule of the block at `ptr`. FIPS 180-4 §6.2.2 step 1. */
function schedule(ptr: usize): void {
  swapWords(W, ptr, BLOCK);
  for (let at = W; at < W + 3 * BLOCK; at += 4) {
    const w1 = load<u32>(at, 4);
    const w14 = load<u32>(at, 56);
    const low = rotr<u32>(w1, 7) ^ rotr<u32>(w1, 18) ^ (w1 >> 3);
    const high = rotr<u32>(w14, 17) ^ rotr<u32>(w14, 19) ^ (w14 >> 10);
    store<u32>(at, load<u32>(at) + low + load<u32>(at, 36) + high, 64);
  }
}

/** Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.2.2. */
export function blocks(ctx: Sha256, ptr: usize, len: usize): void {
  for (const end = ptr + len; ptr < end; ptr += BLOCK) {
    schedule(ptr);
    let a = ctx.a;
    let b = ctx.b;
    let c = ctx.c;
    let d = ctx.d;
    let e = ctx.e;
    let f = ctx.f;
    let g = ctx.g;
    let h = ctx.h;
    for (let i: usize = 0; i < 4 * BLOCK; i += 4) {
      const t = h + Word.choose(e, f, g) + turned(e, 6, 11, 25) + load<u32>(i, K) + load<u32>(i, W);
      h = g;
      g = f;
      f = e;
      e = d + t;
      d = c;
      c = b;
      b = a;
      a = t + ((c & d) + (b & (c ^ d))) + turned(b, 2, 13, 22);
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
