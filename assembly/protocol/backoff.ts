/**
 * How long to wait before the next try: exponential with full jitter, so that a fleet that lost its platform does not
 * come back all at once. The count starts again only after a link has stayed up (the caller says so).
 */
@unmanaged
@final
export class Backoff {
  attempt: u32 = 0;
}

/** Source of jitter: xorshift32, seeded from the host's entropy. Not for secrets. */
@unmanaged
@final
export class Random {
  state: u32 = 0;
}

export function randomSeed(r: Random, ptr: usize): void {
  r.state = load<u32>(ptr) ^ load<u32>(ptr, 4) ^ load<u32>(ptr, 8) ^ load<u32>(ptr, 12);
  // xorshift never leaves zero
  if (r.state == 0) r.state = 0x9e3779b9;
}

/** The next 32 bits. */
export function randomNext(r: Random): u32 {
  let x = r.state;
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  r.state = x;
  return x;
}

/** A number in [0, bound), bound > 0. */
export function randomBelow(r: Random, bound: u32): u32 {
  return <u32>((<u64>randomNext(r) * <u64>bound) >> 32);
}

/** Milliseconds to wait before the next try: random in [0, min(longest, base * 2^attempt)). */
export function backoffNext(b: Backoff, r: Random, base: u32, longest: u32): u32 {
  let bound = base;
  for (let i: u32 = 0; i < b.attempt && bound < longest; i++) bound <<= 1;
  if (bound > longest) bound = longest;
  b.attempt += 1;
  return randomBelow(r, bound);
}
