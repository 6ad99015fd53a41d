// crypto.wasm, crypto-mcu.wasm and crypto-small.wasm: digests, HMAC, AES-CBC, CRCs, Base64 and hexadecimal, and nothing else.
//
// Arguments and results are i32. Pointers are byte offsets into the exported memory, contexts are the caller's, of the
// size told here and at multiples of 8; the functions' own files say the rest. `kind` is 0 MD5, 1 SHA-1, 2 SHA-256. A runtime
// that shrinks the memory to __heap_base keeps the window; a host may grow the memory and use all above __heap_base.

import { AES_SIZE } from "./crypto/aes_context";
import { crc64 as checksum } from "./crypto/crc64";
import { HOST } from "./crypto/grade";
import { Digest, DigestContext, Hmac } from "./crypto/hmac";
import { digestShort as short } from "./crypto/short";

export { base64Decode, base64Encode } from "./bytes/base64";
export { constantTimeEqual, hexDecode, hexEncode } from "./bytes/text";
export { aesInit, aesWipe, cbcBlocks, cbcOpen, cbcSeal, cbcStart } from "./crypto/aes";
export { crc16 } from "./crypto/crc16";
export { digestFinal, digestInit, digestLength, digestUpdate, hmacFinal, hmacInit, hmacUpdate } from "./crypto/hmac";

// @ts-ignore: the compiler's own global, exported for runtimes that shrink the memory to it
export { __heap_base };
/** The other global that such a runtime looks for. */
export const __data_end: i32 = 0;

/** Bytes of memory for the caller: contexts, keys, messages. */
const WINDOW: i32 = HOST ? 32768 : 4992;
const window = memory.data(WINDOW, 16);

/** First byte of the caller's memory, a multiple of 16. */
export function windowPtr(): usize {
  return window;
}

/** Bytes of the caller's memory. */
export function windowLen(): i32 {
  return WINDOW;
}

/** Bytes in the context of any digest. */
export function digestSize(): usize {
  return offsetof<DigestContext>();
}

/** Bytes in the context of an HMAC. */
export function hmacSize(): usize {
  return offsetof<Hmac>();
}

/** Bytes in the context of AES. */
export function aesSize(): usize {
  return AES_SIZE;
}

/** The host grade's quick way for short messages: see crypto/short.ts. The other grades have none. */
export function digestShort(kind: Digest, ctx: DigestContext, ptr: usize, len: usize, out: usize): void {
  if (HOST) short(kind, ctx, ptr, len, out);
}

/** CRC-64/XZ, whose eight bytes at `crc` are the sum of the bytes before and, afterwards, with `len` more. */
export function crc64(crc: usize, ptr: usize, len: usize): void {
  store<u64>(crc, checksum(load<u64>(crc), ptr, len));
}
