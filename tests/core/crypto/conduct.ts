// What holds for every digest, whatever its algorithm; the specs beside this file add each one's known answers.

import { copy } from "../../../assembly/bytes/text";
import {
  Digest,
  DigestContext,
  digestFinal,
  digestInit,
  digestLength,
  digestUpdate,
} from "../../../assembly/crypto/hmac";
import { hex } from "../ranges";

/** Longest message fed here. */
export const LONGEST: u32 = 200;
export const message = memory.data(LONGEST);
export const out = memory.data(64);
const first = changetype<DigestContext>(memory.data(offsetof<DigestContext>(), 8));
const second = changetype<DigestContext>(memory.data(offsetof<DigestContext>(), 8));

/** Byte i of the message of `seed` is 7 * i + seed, modulo 256. */
export function write(seed: u32): void {
  for (let i: u32 = 0; i < LONGEST; i++) store<u8>(message + i, i * 7 + seed);
}

function digestOf(kind: Digest, len: u32, cut: u32, later: u32): string {
  digestInit(kind, first);
  digestUpdate(kind, first, message, cut);
  digestUpdate(kind, first, message + cut, later - cut);
  digestUpdate(kind, first, message + later, len - later);
  digestFinal(kind, first, out);
  return hex(out, digestLength(kind));
}

/** The digest over the digests of one message of each length 0..130, which node:crypto computes to the same. */
export function digestOfDigests(kind: Digest): string {
  digestInit(kind, second);
  for (let len: u32 = 0; len <= 130; len++) {
    write(len);
    digestOf(kind, len, 0, 0);
    digestUpdate(kind, second, out, digestLength(kind));
  }
  digestFinal(kind, second, out);
  return hex(out, digestLength(kind));
}

/** Every length 0..130 in every two pieces, and in three pieces cut at the edges of blocks. */
export function expectSplitsNotToMatter(kind: Digest): void {
  write(3);
  for (let len: u32 = 0; len <= 130; len++) {
    const whole = digestOf(kind, len, 0, 0);
    for (let cut: u32 = 1; cut <= len; cut++) {
      if (digestOf(kind, len, cut, cut) !== whole) expect(cut).toBe(0, `length ${len}`);
    }
    for (let cut: u32 = 1; cut <= len; cut += cut < 60 ? 9 : 1) {
      for (let later = cut; later <= len; later += 21) {
        if (digestOf(kind, len, cut, later) !== whole) expect(cut).toBe(0, `length ${len}, then ${later}`);
      }
    }
  }
  expect(digestOf(kind, 130, 64, 128)).toBe(digestOf(kind, 130, 0, 0));
}

/** A copy of the context's bytes, taken at any point, gives the digest of what each of the two absorbed. */
export function expectCopiesToBeIndependent(kind: Digest): void {
  write(5);
  for (let cut: u32 = 0; cut <= 130; cut++) {
    digestInit(kind, first);
    digestUpdate(kind, first, message, cut);
    copy(changetype<usize>(second), changetype<usize>(first), offsetof<DigestContext>());
    digestUpdate(kind, first, message, 70);
    digestFinal(kind, first, out);
    digestUpdate(kind, second, message + cut, 60);
    digestFinal(kind, second, out);
    const resumed = hex(out, digestLength(kind));
    if (resumed !== digestOf(kind, cut + 60, 0, 0)) expect(cut).toBe(9999, "a copy taken here");
  }
  expect(digestOf(kind, 1, 0, 0)).not.toBe(digestOf(kind, 2, 0, 0));
}

/** A context may be used again after Init, whatever it held. */
export function expectInitToForget(kind: Digest): void {
  write(1);
  const clean = digestOf(kind, 100, 0, 0);
  digestInit(kind, first);
  digestUpdate(kind, first, message, 77);
  expect(digestOf(kind, 100, 0, 0)).toBe(clean);
}
