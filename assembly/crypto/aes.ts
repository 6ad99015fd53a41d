// AES (FIPS 197) with 128 and 256-bit keys, in CBC mode (SP 800-38A §6.2) with PKCS#7 padding (RFC 5652 §6.3).
//
// The caller owns the context, offsetof<Aes>() bytes at a multiple of 8; it holds no address, so a byte copy of it is
// independent. A context works in one direction, chosen when its key is set. Time grows with `len`: callers slice.
//
// What is constant-time is said in the file of the block cipher that the grade uses; that of padding is, in all grades:
// the time of cbcOpen tells the length of the ciphertext and whether the padding was right, nothing else.

import { Code } from "../abi";
import { copy, fill } from "../bytes/text";
import { aesBlock, aesSchedule } from "./aes_rounds";

/** Bytes in a block, an initialisation vector and a key of AES-128. */
export const AES_BLOCK: usize = 16;

/** What a context does with its key. */
export const enum Direction {
  Encrypt = 0,
  Decrypt = 1,
}

/** A key made ready and the state of a chain. As secret as the key: wipe it with aesWipe. */
@unmanaged
@final
export class Aes {
  /** The chaining value: the initialisation vector, then the last block of ciphertext. */
  chain: u64 = 0;
  chain1: u64 = 0;
  /** 10 or 14. */
  rounds: u32 = 0;
  direction: Direction = 0;
  /** Round keys in the order of use, 16 bytes each, at most 15 of them; only the first is named in the code. */
  key: u64 = 0;
}

/** Bytes in a context, round keys included. */
export const AES_SIZE: usize = offsetof<Aes>("key") + 240;

/**
 * Set key and direction. `key` has 16 or 32 bytes and is not needed after the call. Returns Code.BadArgument for another
 * length, with nothing done. FIPS 197 §5.2.
 */
export function aesInit(ctx: Aes, direction: Direction, key: usize, keyLen: u32): Code {
  if (keyLen !== 16 && keyLen !== 32) return Code.BadArgument;
  ctx.direction = direction;
  ctx.rounds = keyLen === 16 ? 10 : 14;
  aesSchedule(ctx, key, keyLen);
  return Code.Ok;
}

/** Overwrite the key and the chain with zeros. */
export function aesWipe(ctx: Aes): void {
  fill(changetype<usize>(ctx), 0, AES_SIZE);
}

/** Begin a message with an initialisation vector of AES_BLOCK bytes. */
export function cbcStart(ctx: Aes, iv: usize): void {
  copy(changetype<usize>(ctx), iv, AES_BLOCK);
}
