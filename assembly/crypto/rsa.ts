// Verification of RSA signatures: RSASSA-PKCS1-v1_5 with SHA-256, 2048 bits, public exponent 65537 (RFC 8017 §8.2.2).
// Everything in it is public, so nothing has to run in constant time. The work, about three million operations, is cut
// into calls of rsaStep of some ten thousand.

import { copy, fill } from "../bytes/text";
import { SHA256_LENGTH } from "./sha256";

/** Bytes in a modulus and in a signature. */
export const RSA_LENGTH: u32 = 256;
const LIMBS: u32 = RSA_LENGTH / 4;
/** Rows of a multiplication in one step. */
const ROWS: u32 = 4;
/** 11 squarings take 2R to R·2^2048 = R·R; one multiplication by it, 16 squarings and one multiplication give s^65537. */
const ENTER: u32 = 11;
const LEAVE: u32 = 28;

/** A verification under way; numbers are little-endian words of 32 bits. RSA_CONTEXT bytes at a multiple of 8. */
@unmanaged
@final
export class Rsa {
  /** Which multiplication, and which row of it. */
  turn: u32 = 0;
  row: u32 = 0;
  /** -1 / modulus, modulo 2^32. */
  inverse: u32 = 0;
  // modulus, signature, accumulator: LIMBS each; a word that is no number's; sum: LIMBS + 2
}

const N: usize = offsetof<Rsa>();
const SIGNATURE: usize = N + RSA_LENGTH;
const X: usize = SIGNATURE + RSA_LENGTH;
/** The word before it takes what falls off the end of the sum: always zero. */
const SUM: usize = X + RSA_LENGTH + 4;
/** Bytes of a context. */
export const RSA_CONTEXT: u32 = <u32>SUM + RSA_LENGTH + 8;

/** `RSA_LENGTH` bytes in the opposite order: from big-endian to words and back. */
function reverse(dst: usize, src: usize): void {
  for (let i: u32 = 0; i < RSA_LENGTH; i++) store<u8>(dst + i, load<u8>(src + RSA_LENGTH - 1 - i));
}

/** a < b, LIMBS words each. */
function less(a: usize, b: usize): bool {
  for (let i = LIMBS; i > 0; i--) {
    const x = load<u32>(a + i * 4 - 4);
    const y = load<u32>(b + i * 4 - 4);
    if (x != y) return x < y;
  }
  return false;
}

/** dst = a - b modulo 2^2048. */
function subtract(dst: usize, a: usize, b: usize): void {
  let borrow: i64 = 0;
  for (let i: u32 = 0; i < RSA_LENGTH; i += 4) {
    borrow += <i64>load<u32>(a + i) - <i64>load<u32>(b + i);
    store<u32>(dst + i, <u32>borrow);
    borrow >>= 32;
  }
}

/**
 * Begin: `modulus` and `signature` are big-endian and RSA_LENGTH bytes each. The modulus is odd and has its highest bit
 * set. -> false when the signature is no number below it.
 */
export function rsaInit(r: Rsa, modulus: usize, signature: usize): bool {
  const at = changetype<usize>(r);
  r.turn = 0;
  r.row = 0;
  reverse(at + N, modulus);
  reverse(at + SIGNATURE, signature);
  const n = load<u32>(at + N);
  // each round doubles the bits that are right (Newton); n is its own inverse modulo 8
  let inverse = n;
  for (let i = 0; i < 4; i++) inverse *= 2 - n * inverse;
  r.inverse = 0 - inverse;
  // R modulo n is R - n; doubled once
  fill(at + X, 0, RSA_LENGTH);
  subtract(at + X, at + X, at + N);
  let carry: u32 = 0;
  for (let p = at + X; p < at + X + RSA_LENGTH; p += 4) {
    const word = load<u32>(p);
    store<u32>(p, (word << 1) | carry);
    carry = word >>> 31;
  }
  if (carry != 0 || !less(at + X, at + N)) subtract(at + X, at + X, at + N);
  fill(at + SUM, 0, RSA_LENGTH + 8);
  return less(at + SIGNATURE, at + N);
}

/** sum = (sum + x * word + m * n) / 2^32, with the m that makes the lowest word zero (Montgomery). */
function row(r: Rsa, word: u64): void {
  const at = changetype<usize>(r);
  const m: u64 = <u32>((load<u32>(at + SUM) + load<u32>(at + X) * <u32>word) * r.inverse);
  let product: u64 = 0;
  let reduced: u64 = 0;
  for (let i: usize = 0; i < RSA_LENGTH; i += 4) {
    product = (product >> 32) + <u64>load<u32>(at + i, SUM) + <u64>load<u32>(at + i, X) * word;
    reduced = (reduced >> 32) + (product & 0xffffffff) + <u64>load<u32>(at + i, N) * m;
    store<u32>(at + i, <u32>reduced, SUM - 4);
  }
  const top = (product >> 32) + (reduced >> 32) + load<u64>(at, SUM + RSA_LENGTH);
  store<u32>(at, <u32>top, SUM + RSA_LENGTH - 4);
  store<u64>(at, top >> 32, SUM + RSA_LENGTH);
}

/** Go on by some rows. -> whether there is more to do. */
export function rsaStep(r: Rsa): bool {
  const at = changetype<usize>(r);
  if (r.turn > LEAVE) return false;
  const other = at + (r.turn == ENTER || r.turn == LEAVE ? SIGNATURE : X);
  for (const end = r.row + ROWS; r.row < end; r.row++) row(r, load<u32>(other + r.row * 4));
  if (r.row < LIMBS) return true;
  // below 2n, so at most one n is too much
  const large = load<u32>(at, SUM + RSA_LENGTH) != 0 || !less(at + SUM, at + N);
  if (large) subtract(at + X, at + SUM, at + N);
  else copy(at + X, at + SUM, RSA_LENGTH);
  fill(at + SUM, 0, RSA_LENGTH + 8);
  r.row = 0;
  r.turn += 1;
  return r.turn <= LEAVE;
}

/** Byte of the padding before the digest: 00 01 FF … FF 00, then the DigestInfo of SHA-256 (RFC 8017 §9.2). */
const INFO = memory.data<u8>([
  0x00, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04,
  0x20,
]);
const INFO_LENGTH: u32 = 20;

/** After the last step: whether the signature is one of the message with this SHA-256 digest. */
export function rsaMatches(r: Rsa, digest: usize): bool {
  const at = changetype<usize>(r);
  const info = RSA_LENGTH - SHA256_LENGTH - INFO_LENGTH;
  const em = at + SIGNATURE;
  reverse(em, at + X);
  let wrong: u32 = load<u8>(em) | (load<u8>(em, 1) ^ 1);
  for (let i: u32 = 2; i < info; i++) wrong |= load<u8>(em + i) ^ 255;
  for (let i: u32 = 0; i < INFO_LENGTH; i++) wrong |= load<u8>(em + info + i) ^ load<u8>(INFO + i);
  for (let i: u32 = 0; i < SHA256_LENGTH; i++) wrong |= load<u8>(em + info + INFO_LENGTH + i) ^ load<u8>(digest + i);
  return wrong == 0;
}

/** What a SubjectPublicKeyInfo with such a key begins and ends with (RFC 8017 §A.1.1, RFC 5280 §4.1.2.7). */
const SPKI = memory.data<u8>([
  0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
  0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01, 0x0a, 0x02, 0x82, 0x01, 0x01, 0x00, 0x02, 0x03, 0x01, 0x00, 0x01,
]);
const SPKI_HEAD: u32 = 33;
const SPKI_TAIL: u32 = 5;
/** Bytes of such a SubjectPublicKeyInfo in DER. */
export const SPKI_LENGTH: u32 = SPKI_HEAD + RSA_LENGTH + SPKI_TAIL;

/** Take the modulus, big-endian, out of SPKI_LENGTH bytes. -> false when they are no RSA key of 2048 bits with e = 65537. */
export function rsaModulus(dst: usize, spki: usize): bool {
  let wrong: u32 = 0;
  for (let i: u32 = 0; i < SPKI_HEAD; i++) wrong |= load<u8>(spki + i) ^ load<u8>(SPKI + i);
  const tail = spki + SPKI_HEAD + RSA_LENGTH;
  for (let i: u32 = 0; i < SPKI_TAIL; i++) wrong |= load<u8>(tail + i) ^ load<u8>(SPKI + SPKI_HEAD + i);
  copy(dst, spki + SPKI_HEAD, RSA_LENGTH);
  // the highest bit makes it 2048 bits; an even number is no product of odd primes
  return wrong == 0 && load<u8>(dst) >= 128 && (load<u8>(dst, RSA_LENGTH - 1) & 1) != 0;
}
