/**
 * Bounded output cursor with a sticky fault: after the first write that does not fit nothing more is written, and one
 * check at the end (`writerDone`) covers the whole message.
 */
import { copy, litLen, litPtr } from "./text";

/** Cursor over [at, end); `start` is where it began. Invariant: at <= end. */
@unmanaged
@final
export class Writer {
  start: usize = 0;
  at: usize = 0;
  end: usize = 0;
  /** Bytes that were asked for in all, whether they fitted or not. */
  need: u32 = 0;
}

/** Begin writing into [ptr, ptr + cap). */
export function writerInit(w: Writer, ptr: usize, cap: u32): void {
  w.start = ptr;
  w.at = ptr;
  w.end = ptr + cap;
  w.need = 0;
}

/** -> bytes written, or -1 when something did not fit. */
export function writerDone(w: Writer): i32 {
  const length = <u32>(w.at - w.start);
  return w.need == length ? <i32>length : -1;
}

function reserve(w: Writer, n: u32): bool {
  const fits = w.need == <u32>(w.at - w.start) && n <= <u32>(w.end - w.at);
  w.need += n;
  return fits;
}

export function putByte(w: Writer, value: u32): void {
  if (!reserve(w, 1)) return;
  store<u8>(w.at, value);
  w.at += 1;
}

/** Network byte order. */
export function putU16(w: Writer, value: u32): void {
  putByte(w, value >>> 8);
  putByte(w, value);
}

export function putBytes(w: Writer, ptr: usize, len: u32): void {
  if (!reserve(w, len)) return;
  copy(w.at, ptr, len);
  w.at += len;
}

/** A counted literal, `S("…")`. */
export function putText(w: Writer, literal: usize): void {
  putBytes(w, litPtr(literal), litLen(literal));
}

/** Decimal, no leading zeros. */
export function putDecimal(w: Writer, value: u32): void {
  let divisor: u32 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) putByte(w, 48 + ((value / divisor) % 10));
}

/** Decimal with a minus sign where it is needed. */
export function putSigned(w: Writer, value: i32): void {
  if (value < 0) {
    putByte(w, 45);
    putDecimal(w, <u32>-value);
  } else putDecimal(w, <u32>value);
}

/** Two hexadecimal digits a byte; `upper` chooses their case. */
export function putHex(w: Writer, ptr: usize, len: u32, upper: bool): void {
  const ten: u32 = upper ? 55 : 87;
  for (let i: u32 = 0; i < len; i++) {
    const byte: u32 = load<u8>(ptr + i);
    putHexDigit(w, byte >>> 4, ten);
    putHexDigit(w, byte & 15, ten);
  }
}

function putHexDigit(w: Writer, digit: u32, ten: u32): void {
  putByte(w, digit + (digit < 10 ? 48 : ten));
}
