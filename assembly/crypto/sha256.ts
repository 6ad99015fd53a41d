// SHA-256 (FIPS 180-4 §6.2), streaming: see block.ts for what holds for every digest here.

import { copy, fill } from "../bytes/text";
import { BLOCK, BLOCK_AT, STATE_AT, blockFill, blockLength, blockPad, swapWords } from "./block";
import { HOST, SMALL } from "./grade";
import { INITIAL, SHA256_LENGTH, Sha256 } from "./sha256_context";
import * as host from "./sha256_host";
import * as mcu from "./sha256_mcu";
import * as small from "./sha256_small";

export { SHA256_LENGTH, Sha256 } from "./sha256_context";

/** Compress `len` bytes, a multiple of 64, in the way of the grade. */
export function sha256Blocks(ctx: Sha256, ptr: usize, len: usize): void {
  if (HOST) host.blocks(ctx, ptr, len);
  else if (SMALL) small.blocks(ctx, ptr, len);
  else mcu.blocks(ctx, ptr, len);
}

/** Begin a message. FIPS 180-4 §5.3.3. */
export function sha256Init(ctx: Sha256): void {
  ctx.length = 0;
  copy(changetype<usize>(ctx) + STATE_AT, INITIAL, SHA256_LENGTH);
}

/** Absorb `len` bytes, read only during the call. */
export function sha256Update(ctx: Sha256, ptr: usize, len: usize): void {
  if (<usize>ctx.length & (BLOCK - 1)) {
    const taken = blockFill(ctx, ptr, len);
    if (!(<usize>ctx.length & (BLOCK - 1))) sha256Blocks(ctx, changetype<usize>(ctx) + BLOCK_AT, BLOCK);
    ptr += taken;
    len -= taken;
  }
  const whole = len & ~(BLOCK - 1);
  sha256Blocks(ctx, ptr, whole);
  ctx.length += whole;
  blockFill(ctx, ptr + whole, len - whole);
}

/** Write SHA256_LENGTH bytes of digest to `out`, which may lie anywhere outside the context, and wipe the context. */
export function sha256Final(ctx: Sha256, out: usize): void {
  const block = changetype<usize>(ctx) + BLOCK_AT;
  if (blockPad(ctx)) {
    sha256Blocks(ctx, block, BLOCK);
    fill(block, 0, BLOCK);
  }
  blockLength(ctx);
  sha256Blocks(ctx, block, BLOCK);
  swapWords(out, changetype<usize>(ctx) + STATE_AT, SHA256_LENGTH);
  fill(changetype<usize>(ctx), 0, offsetof<Sha256>());
  sha256Wipe();
}

/** Forget the last block where it was spread out beside the context. */
export function sha256Wipe(): void {
  if (HOST) host.wipe();
  if (SMALL) small.wipe();
}
