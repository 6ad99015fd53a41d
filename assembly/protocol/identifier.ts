/** What an event of the thing model may be called (Alink, "ThingModelJson"). */
import { equals, S } from "../bytes/text";

/** Longest identifier, bytes. */
export const IDENTIFIER_MAX: u32 = 50;

/**
 * The identifier of an event that a zero byte ends: 1 to IDENTIFIER_MAX letters, digits and `_`, and not that of the
 * properties (what else the thing model reserves is the platform's to refuse). -> its length; 0 = the range begins with
 * none, or nothing follows it.
 */
export function identifierLength(ptr: usize, len: u32): u32 {
  for (let n: u32 = 0; n < IDENTIFIER_MAX + 1 && n + 1 < len; n++) {
    const c: u32 = load<u8>(ptr + n);
    if (c == 0) return equals(ptr, n, S("property")) ? 0 : n;
    if (c - 48 >= 10 && (c | 32) - 97 >= 26 && c != 95) return 0;
  }
  return 0;
}
