/** Topics piece by piece, and whether one is the device's own (Alink §3). */
import { equals, litLen, S } from "../bytes/text";
import { Identity } from "./sign";

/** Longest topic the platform takes, bytes (Alink §3). */
export const TOPIC_MAX: u32 = 128;

/** -> the place behind `text` when the range has it at `at`, else -1 (so that a chain of them stays negative). */
export function topicSkip(ptr: usize, len: u32, at: i32, text: usize): i32 {
  const n = litLen(text);
  if (at < 0 || <u32>at + n > len || !equals(ptr + at, n, text)) return -1;
  return at + <i32>n;
}

/** -> the place behind {prefix}{pk}/{dn} when the range begins with it, else -1. */
export function topicOwn(identity: Identity, ptr: usize, len: u32, prefix: usize): i32 {
  let at = topicSkip(ptr, len, 0, prefix);
  at = topicSkip(ptr, len, at, identity.productKey);
  at = topicSkip(ptr, len, at, S("/"));
  return topicSkip(ptr, len, at, identity.deviceName);
}

/** Whether a device may publish there: below /{pk}/{dn}/, without wildcards and control characters. */
export function ownTopic(identity: Identity, ptr: usize, len: u32): bool {
  const at = topicSkip(ptr, len, topicOwn(identity, ptr, len, S("/")), S("/"));
  if (at < 0 || <u32>at == len || len > TOPIC_MAX) return false;
  for (let i: u32 = 0; i < len; i++) {
    const c: u32 = load<u8>(ptr + i);
    if (c < 33 || c > 126 || c == 35 || c == 43) return false;
  }
  return true;
}
