// What MD5, SHA-1 and SHA-256 share: a message is absorbed in blocks of 64 bytes, a part of a block waits in the context,
// and the end is padded with 0x80, zeros and the length in bits (RFC 1321 §3.1-3.2, FIPS 180-4 §5.1.1).
//
// Conventions of all digests here: the caller owns the context, offsetof<Context>() bytes at a multiple of 8, and prepares
// it with Init; it holds no address, so a byte copy of it is a second, independent digest, and bytes saved in mid-stream
// go on later. Any split of a message gives the same digest. Final writes the digest and wipes the context. No call fails.
// Time grows with `len`: callers slice long input.

import { copy, fill } from "../bytes/text";

/** Bytes in a block of each of the three digests. */
export const BLOCK: usize = 64;

/** The part of every digest context that does not depend on the algorithm; the state words follow it. */
@unmanaged
export class Block {
  /** Message bytes so far; the low six bits say how many wait in the block. */
  length: u64 = 0;
  /** Sixty-four bytes; only the first field is named in the code. */
  first: u64 = 0;
  second: u64 = 0;
  third: u64 = 0;
  fourth: u64 = 0;
  fifth: u64 = 0;
  sixth: u64 = 0;
  seventh: u64 = 0;
  eighth: u64 = 0;
}

/** First byte of the block in a context, and of the state behind it. */
export const BLOCK_AT: usize = offsetof<Block>("first");
export const STATE_AT: usize = offsetof<Block>();

/** Copy as much of the input as the block has room for. Returns the bytes taken; the block is full when length is a multiple of 64. */
export function blockFill(ctx: Block, ptr: usize, len: usize): usize {
  const held = <usize>ctx.length & (BLOCK - 1);
  const room = BLOCK - held;
  const taken = len < room ? len : room;
  copy(changetype<usize>(ctx) + BLOCK_AT + held, ptr, taken);
  ctx.length += taken;
  return taken;
}

/** End the message in the block: 0x80, then zeros. Returns whether the eight bytes of length need another block. */
export function blockPad(ctx: Block): bool {
  const held = <usize>ctx.length & (BLOCK - 1);
  const at = changetype<usize>(ctx) + BLOCK_AT + held;
  store<u8>(at, 0x80);
  fill(at + 1, 0, BLOCK - 1 - held);
  return held >= BLOCK - 8;
}

/** Copy `len` bytes, a multiple of 4, each word of four with its bytes in the opposite order. dst may be src. */
export function swapWords(dst: usize, src: usize, len: usize): void {
  for (const end = src + len; src < end; src += 4) {
    store<u32>(dst, Word.swap(load<u32>(src)));
    dst += 4;
  }
}

/** Write the length of the message in bits, big-endian, at the end of the context's block. */
export function blockLength(ctx: Block): void {
  const at = changetype<usize>(ctx) + BLOCK_AT + BLOCK - 8;
  store<u64>(at, rotl<u64>(ctx.length << 3, 32));
  swapWords(at, at, 8);
}

/** Operations on a 32-bit word. A class because the compiler inlines methods on request; its own bswap stays a call. */
@final
export class Word {
  /** The word with its four bytes in the opposite order. */
  @inline static swap(x: u32): u32 {
    return (rotl<u32>(x, 8) & 0x00ff00ff) | (rotr<u32>(x, 8) & 0xff00ff00);
  }

  /** Bits of y where x has ones, of z where it has zeros: F of MD5, Ch of SHA. */
  @inline static choose(x: u32, y: u32, z: u32): u32 {
    return z ^ (x & (y ^ z));
  }
}
