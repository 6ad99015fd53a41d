/**
 * The numbers in HTTP fields: decimal ones, and the value of Content-Range (RFC 9110 §14.4).
 */
import { Code } from "../abi";
import { equals, equalsIgnoreCase, parseU32, S } from "../bytes/text";

/** In a request: a range that goes on to the end. In a response: the server does not know the length. */
export const HTTP_OPEN: u32 = 0xffffffff;

/** What Content-Range said (RFC 9110 §14.4). It is read in 206 and 416 only. */
export const enum ContentRange {
  None = 0,
  /** rangeFirst..rangeLast of rangeTotal. */
  Part = 1,
  /** No part; rangeTotal is the length there is. */
  Unsatisfied = 2,
}

/** What a response said about its range. Not @final: HttpResponse lies over it. */
@unmanaged
export class HttpRange {
  /** A ContentRange. */
  range: u32 = 0;
  rangeFirst: u32 = 0;
  rangeLast: u32 = 0;
  /** Length of the whole; HTTP_OPEN when the server does not know. */
  rangeTotal: u32 = 0;
}

/** Nothing was said. */
export function rangeInit(r: HttpRange): void {
  r.range = ContentRange.None;
  r.rangeFirst = 0;
  r.rangeLast = 0;
  r.rangeTotal = 0;
}

/**
 * Read the value of Content-Range: a unit, first-last or an asterisk, a slash, and the total or an asterisk.
 * -> Ok, BadMessage, Unsupported for another unit than bytes, OverLimit for a number above 32 bits.
 */
export function rangeRead(r: HttpRange, ptr: usize, len: u32): i32 {
  const unit = find(ptr, len, 0x20);
  if (unit == len) return Code.BadMessage;
  if (!equalsIgnoreCase(ptr, unit, S("bytes"))) return Code.Unsupported;
  const range = ptr + unit + 1;
  const rangeLen = len - unit - 1;
  const slash = find(range, rangeLen, 0x2f);
  if (slash == rangeLen) return Code.BadMessage;
  const totalLen = rangeLen - slash - 1;
  const unknown = equals(range + slash + 1, totalLen, S("*"));
  const total: i64 = unknown ? HTTP_OPEN : u32Read(range + slash + 1, totalLen);
  if (total < 0) return <i32>total;
  r.rangeTotal = <u32>total;
  if (equals(range, slash, S("*"))) {
    r.range = ContentRange.Unsatisfied;
    return unknown ? Code.BadMessage : Code.Ok;
  }
  const dash = find(range, slash, 0x2d);
  if (dash == slash) return Code.BadMessage;
  const first = u32Read(range, dash);
  if (first < 0) return <i32>first;
  const last = u32Read(range + dash + 1, slash - dash - 1);
  if (last < 0) return <i32>last;
  if (first > last || (!unknown && last >= total)) return Code.BadMessage;
  r.range = ContentRange.Part;
  r.rangeFirst = <u32>first;
  r.rangeLast = <u32>last;
  return Code.Ok;
}

/** -> index of the first `byte` in the range, or `len`. */
function find(ptr: usize, len: u32, byte: u32): u32 {
  let i: u32 = 0;
  while (i < len && load<u8>(ptr + i) != byte) i++;
  return i;
}

/** -> 0..2^32 - 1; BadMessage when there are other characters than digits or none, OverLimit above. */
export function u32Read(ptr: usize, len: u32): i64 {
  const number = parseU32(ptr, len);
  if (number >= 0 || len == 0) return number < 0 ? Code.BadMessage : number;
  for (let i: u32 = 0; i < len; i++) if (<u32>load<u8>(ptr + i) - 48 > 9) return Code.BadMessage;
  return Code.OverLimit;
}
