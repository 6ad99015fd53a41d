/**
 * The order of versions, of which the platform says no more than which characters they have (Alink §8): runs of digits
 * compare as numbers, everything else byte by byte. A version that another one goes on from is the older one, unless the
 * other goes on with a hyphen: that is what comes before a release (1.0.0-rc.1 < 1.0.0 < 1.0.0.1; semver §11).
 */

const HYPHEN: i32 = 45;

/** The byte at `at`, or -1 behind the end. */
function byteAt(ptr: usize, len: u32, at: u32): i32 {
  return at < len ? load<u8>(ptr + at) : -1;
}

function digit(c: i32): bool {
  return <u32>(c - 48) < 10;
}

/** -> below zero when a is older than b, 0 when they are the same, above zero when a is newer. */
export function versionCompare(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  let i: u32 = 0;
  let j: u32 = 0;
  while (i < aLength || j < bLength) {
    let x = byteAt(a, aLength, i);
    let y = byteAt(b, bLength, j);
    if (digit(x) && digit(y)) {
      const order = compareNumbers(a + i, aLength - i, b + j, bLength - j);
      if (order != 0) return order;
      for (; digit(x); x = byteAt(a, aLength, i)) i++;
      for (; digit(y); y = byteAt(b, bLength, j)) j++;
    }
    if (x != y) return x < 0 && y == HYPHEN ? 1 : y < 0 && x == HYPHEN ? -1 : x - y;
    i++;
    j++;
  }
  return 0;
}

/** The numbers that two ranges begin with: without their leading zeros the longer one is larger. */
function compareNumbers(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  let i: u32 = 0;
  let j: u32 = 0;
  while (byteAt(a, aLength, i) == 48) i++;
  while (byteAt(b, bLength, j) == 48) j++;
  let order = 0;
  for (; i < aLength || j < bLength; i++, j++) {
    const x = byteAt(a, aLength, i);
    const y = byteAt(b, bLength, j);
    if (!digit(x) || !digit(y)) return digit(x) ? 1 : digit(y) ? -1 : order;
    if (order == 0) order = x - y;
  }
  return order;
}
