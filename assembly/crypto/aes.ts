// AES (FIPS 197) with keys of 128 and 256 bits, in CBC mode (SP 800-38A §6.2), with PKCS#7 padding (RFC 5652 §6.3).
//
// The caller owns the context, AES_SIZE bytes at a multiple of 8. It holds no address, so a byte copy of it is independent,
// and works in the direction named with its key. A destination is the source or does not overlap it. Time grows with
// `len`: callers slice long messages at whole blocks, and pad or unpad the last slice.
//
// What is constant-time about the cipher is said in the files of the grades. Removing the padding is: the time of cbcOpen
// tells the length of the ciphertext and whether the padding was right, nothing else. A caller that answers a peer
// must not let it learn even that before a MAC was checked.

import { Code } from "../abi";
import { copy, fill } from "../bytes/text";
import { AES_BLOCK, AES_SIZE, Aes, Direction } from "./aes_context";
import * as host from "./aes_host";
import { expand, invert } from "./aes_schedule";
import * as mcu from "./aes_mcu";
import * as small from "./aes_small";
import { HOST, SMALL } from "./grade";

/**
 * Set direction and key. `key` has 16 or 32 bytes and is not needed after the call. Returns Code.BadArgument for another
 * length, and does nothing then.
 */
export function aesInit(ctx: Aes, direction: Direction, key: usize, keyLen: u32): Code {
  if (keyLen !== 16 && keyLen !== 32) return Code.BadArgument;
  ctx.direction = direction;
  ctx.rounds = keyLen === 16 ? 10 : 14;
  expand(ctx, key, keyLen);
  if (!SMALL && direction === Direction.Decrypt) invert(ctx);
  return Code.Ok;
}

/** Overwrite the key and the chaining value with zeros. */
export function aesWipe(ctx: Aes): void {
  fill(changetype<usize>(ctx), 0, AES_SIZE);
}

/** Begin a message: set the initialisation vector, AES_BLOCK bytes. */
export function cbcStart(ctx: Aes, iv: usize): void {
  copy(changetype<usize>(ctx), iv, AES_BLOCK);
}

/** Encrypt or decrypt whole blocks, as the context's direction says; `len` is a multiple of AES_BLOCK. */
export function cbcBlocks(ctx: Aes, dst: usize, src: usize, len: usize): void {
  if (SMALL) small.blocks(ctx, dst, src, len);
  else if (ctx.direction === Direction.Encrypt) {
    if (HOST) host.encrypt(ctx, dst, src, len);
    else mcu.encrypt(ctx, dst, src, len);
  } else {
    if (HOST) host.decrypt(ctx, dst, src, len);
    else mcu.decrypt(ctx, dst, src, len);
  }
}

/**
 * Pad and encrypt the end of a message: any `len`. `dst` takes the next multiple of AES_BLOCK above it, `src` is read to
 * `len`. Returns the bytes written.
 */
export function cbcSeal(ctx: Aes, dst: usize, src: usize, len: usize): i32 {
  const held = len & (AES_BLOCK - 1);
  const whole = len - held;
  cbcBlocks(ctx, dst, src, whole);
  const last = dst + whole;
  const padding = AES_BLOCK - <u32>held;
  if (dst !== src) copy(last, src + whole, held);
  fill(last + held, padding, padding);
  cbcBlocks(ctx, last, last, AES_BLOCK);
  return <i32>(whole + AES_BLOCK);
}

/**
 * Decrypt the end of a message and remove its padding. `dst` takes `len` bytes. Returns the length without the padding;
 * Code.BadMessage for a length that is no positive multiple of AES_BLOCK, with nothing written, or for bytes that do not
 * end in a padding: key or message are not the sender's.
 */
export function cbcOpen(ctx: Aes, dst: usize, src: usize, len: usize): i32 {
  if (len === 0 || len & (AES_BLOCK - 1)) return Code.BadMessage;
  cbcBlocks(ctx, dst, src, len);
  const end = dst + len;
  const padding: u32 = load<u8>(end - 1);
  // Sixteen bytes are looked at whatever the padding is: those inside it must equal it.
  let wrong: u32 = ((padding - 1) | (AES_BLOCK - padding)) >> 31;
  for (let i: u32 = 1; i <= AES_BLOCK; i++) {
    const inside: u32 = 0 - ((i - 1 - padding) >> 31);
    wrong |= (load<u8>(end - i) ^ padding) & inside;
  }
  return wrong ? Code.BadMessage : <i32>(len - padding);
}
