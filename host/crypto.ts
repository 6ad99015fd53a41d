/**
 * Digests, HMAC and AES in WebAssembly, in the shape known from node:crypto.
 *
 * One instance of crypto.wasm serves all objects. Each running digest has a slot above the module's own memory: its context
 * and room for short pieces of input, which wait there until they are many enough to be worth a call. What MD5 and SHA-1 are
 * for is compatibility: neither resists collisions.
 */

export { aes128cbc, aes256cbc, type Cbc, type CbcParameters } from "./crypto/cbc.js";
export { createHash, createHmac, type Hash, type Hmac } from "./crypto/digest.js";
export type { Digest } from "./crypto/module.js";

/** Whether two byte strings are equal, in a time that depends on their lengths alone: for digests and signatures. */
export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
