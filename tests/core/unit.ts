// The core's internals for tests on Node, one section a layer. Never shipped. Addresses are byte offsets into `memory`.

import { DigestContext, Hmac } from "../../assembly/crypto/hmac";
import * as hmac from "../../assembly/crypto/hmac";

// ---- scratch

/** Bytes a test may use as it likes: 48 KiB. */
const SCRATCH = memory.data(49152);

export function scratchPtr(): usize {
  return SCRATCH;
}

export function scratchLen(): i32 {
  return 49152;
}

// ---- crypto: contexts are caller's memory of the size told

export function digestSize(): i32 {
  return offsetof<DigestContext>();
}

export function digestLength(kind: i32): i32 {
  return hmac.digestLength(kind);
}

export function digestInit(kind: i32, ctx: usize): void {
  hmac.digestInit(kind, changetype<DigestContext>(ctx));
}

export function digestUpdate(kind: i32, ctx: usize, ptr: usize, len: i32): void {
  hmac.digestUpdate(kind, changetype<DigestContext>(ctx), ptr, len);
}

export function digestFinal(kind: i32, ctx: usize, out: usize): void {
  hmac.digestFinal(kind, changetype<DigestContext>(ctx), out);
}

export function hmacSize(): i32 {
  return offsetof<Hmac>();
}

export function hmacInit(ctx: usize, kind: i32, key: usize, keyLen: i32): void {
  hmac.hmacInit(changetype<Hmac>(ctx), kind, key, keyLen);
}

export function hmacUpdate(ctx: usize, ptr: usize, len: i32): void {
  hmac.hmacUpdate(changetype<Hmac>(ctx), ptr, len);
}

export function hmacFinal(ctx: usize, out: usize): void {
  hmac.hmacFinal(changetype<Hmac>(ctx), out);
}

// ---- codec

export * from "./unit_codec";
export * from "./unit_coap";
