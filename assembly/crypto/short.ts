// A whole short message in one call, padded where it stands: for hosts, in which calls and copies are most of its price.

import { copy, fill } from "../bytes/text";
import { BLOCK, STATE_AT, swapWords } from "./block";
import { Digest, DigestContext, digestInit, digestLength, digestUpdate } from "./hmac";
import { HOST } from "./grade";
import * as sha1 from "./sha1_host";
import * as sha256 from "./sha256_host";

/** Bytes behind a message that its padding may take. */
export const PADDING_MAX: usize = BLOCK + 8;

/** Write the digest of the `len` bytes at `ptr` to `out`, and wipe them, PADDING_MAX bytes behind them, and the context. */
export function digestShort(kind: Digest, ctx: DigestContext, ptr: usize, len: usize, out: usize): void {
  const total = (len + PADDING_MAX) & ~(BLOCK - 1);
  fill(ptr + len, 0, total - len);
  store<u8>(ptr + len, 0x80);
  const last = ptr + total - 8;
  store<u64>(last, kind === Digest.Md5 ? (<u64>len) << 3 : bswap<u64>((<u64>len) << 3));
  digestInit(kind, ctx);
  digestUpdate(kind, ctx, ptr, total);
  const state = changetype<usize>(ctx) + STATE_AT;
  const length = digestLength(kind);
  if (kind === Digest.Md5) copy(out, state, length);
  else swapWords(out, state, length);
  fill(ptr, 0, total);
  fill(state, 0, length);
  if (HOST && kind === Digest.Sha1) sha1.wipe();
  if (HOST && kind === Digest.Sha256) sha256.wipe();
}
