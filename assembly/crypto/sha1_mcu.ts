// SHA-1 for microcontrollers: five steps a turn (after five, the words stand in their places again) over a schedule of eighty
// words in memory. That is half the speed of writing out all eighty steps, at a third of the code.

import { fill } from "../bytes/text";
import { BLOCK, Word, swapWords } from "./block";
import { HOST, SMALL } from "./grade";
import { Sha1 } from "./sha1_context";
import { Table } from "./table";

/** Bytes in twenty words of the message schedule, one round. */
const ROUND: usize = 80;

/** The message schedule of the block in hand, eighty words; shared by all contexts. */
export const W: usize = HOST || SMALL ? 0 : memory.data(320);

/** Forget the last message. */
export function wipe(): void {
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

/**
 * Write the eighty words of the schedule of the block at `ptr`, two a turn: a compiler knows what is in bounds only until the
 * next store. FIPS 180-4 §6.1.2 step 1.
 */
function schedule(ptr: usize): void {
  swapWords(W, ptr, BLOCK);
  for (let i: usize = 0; i < 4 * ROUND - BLOCK - 7; i += 8) {
    Table.reach(W + 316);
    const low = load<u32>(i, W + 52) ^ load<u32>(i, W + 32) ^ load<u32>(i, W + 8) ^ load<u32>(i, W);
    const high = load<u32>(i, W + 56) ^ load<u32>(i, W + 36) ^ load<u32>(i, W + 12) ^ load<u32>(i, W + 4);
    store<u32>(i, rotl<u32>(low, 1), W + 64);
    store<u32>(i, rotl<u32>(high, 1), W + 68);
  }
}

/** Compress `len` bytes, a multiple of 64. FIPS 180-4 §6.1.2. */
export function blocks(ctx: Sha1, ptr: usize, len: usize): void {
  let stateA = ctx.a;
  let stateB = ctx.b;
  let stateC = ctx.c;
  let stateD = ctx.d;
  let stateE = ctx.e;
  for (; len > 0; len -= BLOCK) {
    schedule(ptr);
    Table.reach(W + 316);
    let a = stateA;
    let b = stateB;
    let c = stateC;
    let d = stateD;
    let e = stateE;
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
    // The second round and the fourth differ by their constant alone. A bound less 19 lets no turn begin that would pass the end.
    let k: u32 = 0x6ed9eba1;
    for (let end: usize = 2 * ROUND - 19; ; end = 4 * ROUND - 19) {
      for (; i < end; i += 20) {
        e += Step.parity(a, b, c, d, load<u32>(i, W), k);
        b = rotl<u32>(b, 30);
        d += Step.parity(e, a, b, c, load<u32>(i, W + 4), k);
        a = rotl<u32>(a, 30);
        c += Step.parity(d, e, a, b, load<u32>(i, W + 8), k);
        e = rotl<u32>(e, 30);
        b += Step.parity(c, d, e, a, load<u32>(i, W + 12), k);
        d = rotl<u32>(d, 30);
        a += Step.parity(b, c, d, e, load<u32>(i, W + 16), k);
        c = rotl<u32>(c, 30);
      }
      if (i === 4 * ROUND) break;
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
      k = 0xca62c1d6;
    }
    ptr += BLOCK;
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
