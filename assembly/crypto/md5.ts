// MD5 (RFC 1321), streaming: see block.ts for what holds for every digest here. Only where a protocol asks for it.

import { fill } from "../bytes/text";
import { BLOCK, BLOCK_AT, blockFill, blockPad } from "./block";
import { SMALL_MD5 } from "./grade";
import { MD5_LENGTH, Md5 } from "./md5_context";
import * as small from "./md5_small";
import * as unrolled from "./md5_unrolled";

export { MD5_LENGTH, Md5 } from "./md5_context";

/** Compress `len` bytes, a multiple of 64, in the way of the grade. */
export function md5Blocks(ctx: Md5, ptr: usize, len: usize): void {
  if (SMALL_MD5) small.blocks(ctx, ptr, len);
  else unrolled.blocks(ctx, ptr, len);
}

/** Begin a message. RFC 1321 §3.3. */
export function md5Init(ctx: Md5): void {
  ctx.length = 0;
  ctx.a = 0x67452301;
  ctx.b = 0xefcdab89;
  ctx.c = 0x98badcfe;
  ctx.d = 0x10325476;
}

/** Absorb `len` bytes, read only during the call. */
export function md5Update(ctx: Md5, ptr: usize, len: usize): void {
  if (<usize>ctx.length & (BLOCK - 1)) {
    const taken = blockFill(ctx, ptr, len);
    if (!(<usize>ctx.length & (BLOCK - 1))) md5Blocks(ctx, changetype<usize>(ctx) + BLOCK_AT, BLOCK);
    ptr += taken;
    len -= taken;
  }
  const whole = len & ~(BLOCK - 1);
  md5Blocks(ctx, ptr, whole);
  ctx.length += whole;
  blockFill(ctx, ptr + whole, len - whole);
}

/** Write MD5_LENGTH bytes of digest to `out`, which may lie anywhere outside the context, and wipe the context. */
export function md5Final(ctx: Md5, out: usize): void {
  const block = changetype<usize>(ctx) + BLOCK_AT;
  if (blockPad(ctx)) {
    md5Blocks(ctx, block, BLOCK);
    fill(block, 0, BLOCK);
  }
  store<u64>(block, ctx.length << 3, BLOCK - 8);
  md5Blocks(ctx, block, BLOCK);
  store<u32>(out, ctx.a);
  store<u32>(out, ctx.b, 4);
  store<u32>(out, ctx.c, 8);
  store<u32>(out, ctx.d, 12);
  fill(changetype<usize>(ctx), 0, offsetof<Md5>());
}
