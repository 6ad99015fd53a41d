// SHA-1 in the fewest bytes: one step a turn over a schedule in memory.

import { fill } from "../bytes/text";
import { BLOCK, Word, swapWords } from "./block";
import { SMALL } from "./grade";
import { Sha1 } from "./sha1_context";

/** The message schedule of the block in hand, eighty words; shared by all contexts, and with the SHA-256 of this grade. */
export const W: usize = SMALL ? memory.data(320, 4) : 0;

/** Forget the last message. */
export function wipe(): void {
  fill(W, 0, 320);
}

/** Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.1.2. */
export function blocks(ctx: Sha1, ptr: usize, len: usize): void {
  for (const end = ptr + len; ptr < end; ptr += BLOCK) {
    swapWords(W, ptr, BLOCK);
    for (let at = W; at < W + 256; at += 4) {
      store<u32>(at, rotl<u32>(load<u32>(at, 52) ^ load<u32>(at, 32) ^ load<u32>(at, 8) ^ load<u32>(at), 1), 64);
    }
    let a = ctx.a;
    let b = ctx.b;
    let c = ctx.c;
    let d = ctx.d;
    let e = ctx.e;
    for (let i: u32 = 0; i < 80; i++) {
      let mixed = (b ^ c ^ d) + (i < 40 ? 0x6ed9eba1 : 0xca62c1d6);
      if (i < 20) mixed = Word.choose(b, c, d) + 0x5a827999;
      else if (i - 40 < 20) mixed = ((b & c) | (d & (b | c))) + 0x8f1bbcdc;
      const sum = mixed + rotl<u32>(a, 5) + e + load<u32>(W + (i << 2));
      e = d;
      d = c;
      c = rotl<u32>(b, 30);
      b = a;
      a = sum;
    }
    ctx.a += a;
    ctx.b += b;
    ctx.c += c;
    ctx.d += d;
    ctx.e += e;
  }
}
