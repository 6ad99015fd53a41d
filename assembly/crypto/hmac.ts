// One set of verbs over the three digests, and HMAC (RFC 2104) over any of them.
//
// The digest is chosen by a number at run time: a device may be told MD5 for one package and SHA-256 for the next. What
// the three do alike around their blocks stands here once. Whoever needs only one digest calls that digest's own file,
// and the others are left out of the module.

import { copy, fill } from "../bytes/text";
import { BLOCK, BLOCK_AT, Block, blockFill, blockLength, blockPad, swapWords } from "./block";
import { WITH_SHA1 } from "./grade";
import { MD5_LENGTH, Md5, md5Blocks } from "./md5";
import { SHA1_LENGTH, Sha1, sha1Blocks, sha1Wipe } from "./sha1";
import { SHA256_LENGTH, Sha256, sha256Blocks, sha256Wipe } from "./sha256";
import { INITIAL } from "./sha256_context";

/** The digests Alink uses. */
export const enum Digest {
  Md5 = 0,
  Sha1 = 1,
  Sha256 = 2,
}

/** Bytes in the longest digest. */
export const DIGEST_MAX: u32 = SHA256_LENGTH;

/** Room for a running digest of any kind: the conventions of block.ts hold. It does not know its kind: every call names it. */
@unmanaged
export class DigestContext extends Block {
  /** Thirty-two bytes of state. */
  state: u64 = 0;
  state1: u64 = 0;
  state2: u64 = 0;
  state3: u64 = 0;
}

/** Bytes in a digest: 16, 20 or 32. */
export function digestLength(kind: Digest): u32 {
  return kind == Digest.Sha256 ? SHA256_LENGTH : WITH_SHA1 && kind == Digest.Sha1 ? SHA1_LENGTH : MD5_LENGTH;
}

/** The initial state of SHA-1 (FIPS 180-4 §5.3.1), of which the first four words are that of MD5 (RFC 1321 §3.3). */
const INITIAL_SHORT: usize = memory.data<u32>([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);

const STATE: usize = offsetof<DigestContext>("state");

/** Compress `len` bytes, a multiple of 64. */
function blocks(kind: Digest, ctx: DigestContext, ptr: usize, len: usize): void {
  if (kind == Digest.Sha256) sha256Blocks(changetype<Sha256>(ctx), ptr, len);
  else if (WITH_SHA1 && kind == Digest.Sha1) sha1Blocks(changetype<Sha1>(ctx), ptr, len);
  else md5Blocks(changetype<Md5>(ctx), ptr, len);
}

/** Begin a message. */
export function digestInit(kind: Digest, ctx: DigestContext): void {
  ctx.length = 0;
  copy(changetype<usize>(ctx) + STATE, kind == Digest.Sha256 ? INITIAL : INITIAL_SHORT, digestLength(kind));
}

/** Absorb `len` bytes, read only during the call. */
export function digestUpdate(kind: Digest, ctx: DigestContext, ptr: usize, len: usize): void {
  if (<usize>ctx.length & (BLOCK - 1)) {
    const taken = blockFill(ctx, ptr, len);
    if (!(<usize>ctx.length & (BLOCK - 1))) blocks(kind, ctx, changetype<usize>(ctx) + BLOCK_AT, BLOCK);
    ptr += taken;
    len -= taken;
  }
  const whole = len & ~(BLOCK - 1);
  blocks(kind, ctx, ptr, whole);
  ctx.length += whole;
  blockFill(ctx, ptr + whole, len - whole);
}

/** Write digestLength(kind) bytes to `out`, which may lie anywhere outside the context, and wipe the context. */
export function digestFinal(kind: Digest, ctx: DigestContext, out: usize): void {
  const block = changetype<usize>(ctx) + BLOCK_AT;
  const state = changetype<usize>(ctx) + STATE;
  if (blockPad(ctx)) {
    blocks(kind, ctx, block, BLOCK);
    fill(block, 0, BLOCK);
  }
  // MD5 is little-endian throughout, the others are big-endian
  if (kind == Digest.Md5) store<u64>(block, ctx.length << 3, BLOCK - 8);
  else blockLength(ctx);
  blocks(kind, ctx, block, BLOCK);
  if (kind == Digest.Md5) copy(out, state, MD5_LENGTH);
  else swapWords(out, state, digestLength(kind));
  fill(changetype<usize>(ctx), 0, offsetof<DigestContext>());
  if (WITH_SHA1 && kind == Digest.Sha1) sha1Wipe();
  if (kind == Digest.Sha256) sha256Wipe();
}

/**
 * A running HMAC. A byte copy taken right after hmacInit authenticates another message under the same key without the
 * key; it is as secret as the key.
 */
@unmanaged
@final
export class Hmac extends DigestContext {
  /** The state after the key's outer block, 32 bytes; while hmacInit runs, a key longer than a block, hashed. */
  outer: u64 = 0;
  outer1: u64 = 0;
  outer2: u64 = 0;
  outer3: u64 = 0;
  kind: Digest = 0;
}

const OUTER: usize = offsetof<Hmac>("outer");

/** RFC 2104 §2: opad, and what turns a byte of key XOR opad into key XOR ipad, eight bytes wide. */
const OPAD: u64 = 0x5c5c5c5c5c5c5c5c;
const OPAD_TO_IPAD: u64 = 0x6a6a6a6a6a6a6a6a;

function xorBlock(block: usize, mask: u64): void {
  for (const end = block + BLOCK; block < end; block += 8) store<u64>(block, load<u64>(block) ^ mask);
}

/** Begin a message under a key of any length. The key is not needed after the call. */
export function hmacInit(ctx: Hmac, kind: Digest, key: usize, keyLen: usize): void {
  const block = changetype<usize>(ctx) + BLOCK_AT;
  const outer = changetype<usize>(ctx) + OUTER;
  if (keyLen > BLOCK) {
    digestInit(kind, ctx);
    digestUpdate(kind, ctx, key, keyLen);
    digestFinal(kind, ctx, outer);
    key = outer;
    keyLen = digestLength(kind);
  }
  ctx.kind = kind;
  copy(block, key, keyLen);
  fill(block + keyLen, 0, BLOCK - keyLen);
  // The key stays in the block for both pads: absorbing a whole block from there reads it and stores nothing.
  xorBlock(block, OPAD);
  digestInit(kind, ctx);
  digestUpdate(kind, ctx, block, BLOCK);
  copy(outer, changetype<usize>(ctx) + STATE, DIGEST_MAX);
  xorBlock(block, OPAD_TO_IPAD);
  digestInit(kind, ctx);
  digestUpdate(kind, ctx, block, BLOCK);
  fill(block, 0, BLOCK);
}

/** Absorb `len` bytes, read only during the call. */
export function hmacUpdate(ctx: Hmac, ptr: usize, len: usize): void {
  digestUpdate(ctx.kind, ctx, ptr, len);
}

/** Write digestLength(kind) bytes to `out`, which may lie anywhere outside the context, and wipe the context. */
export function hmacFinal(ctx: Hmac, out: usize): void {
  const kind = ctx.kind;
  digestFinal(kind, ctx, out);
  copy(changetype<usize>(ctx) + STATE, changetype<usize>(ctx) + OUTER, DIGEST_MAX);
  ctx.length = BLOCK;
  digestUpdate(kind, ctx, out, digestLength(kind));
  digestFinal(kind, ctx, out);
  fill(changetype<usize>(ctx), 0, offsetof<Hmac>());
}
