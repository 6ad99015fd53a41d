// SHA-1 (FIPS 180-4 §6.1), streaming: see block.ts for what holds for every digest here. Only where a protocol asks for it.

import { fill } from "../bytes/text";
import { BLOCK, BLOCK_AT, STATE_AT, blockFill, blockLength, blockPad, swapWords } from "./block";
import { HOST, SMALL } from "./grade";
import { SHA1_LENGTH, Sha1 } from "./sha1_context";
import * as host from "./sha1_host";
import * as mcu from "./sha1_mcu";
import * as small from "./sha1_small";

export { SHA1_LENGTH, Sha1 } from "./sha1_context";

/** Compress `len` bytes, a multiple of 64, in the way of the grade. */
export function sha1Blocks(ctx: Sha1, ptr: usize, len: usize): void {
  if (HOST) host.blocks(ctx, ptr, len);
  else if (SMALL) small.blocks(ctx, ptr, len);
  else mcu.blocks(ctx, ptr, len);
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
    if (!(<usize>ctx.length & (BLOCK - 1))) sha1Blocks(ctx, changetype<usize>(ctx) + BLOCK_AT, BLOCK);
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
  const block = changetype<usize>(ctx) + BLOCK_AT;
  if (blockPad(ctx)) {
    sha1Blocks(ctx, block, BLOCK);
    fill(block, 0, BLOCK);
  }
  blockLength(ctx);
  sha1Blocks(ctx, block, BLOCK);
  swapWords(out, changetype<usize>(ctx) + STATE_AT, SHA1_LENGTH);
  fill(changetype<usize>(ctx), 0, offsetof<Sha1>());
  sha1Wipe();
}

/** Forget the last block where it was spread out beside the context. */
export function sha1Wipe(): void {
  if (HOST) host.wipe();
  else if (SMALL) small.wipe();
  else mcu.wipe();
}
