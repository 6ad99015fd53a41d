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

/** Fields of a template below this are numbers, those from here on texts. */
export const TEMPLATE_TEXT: u32 = 9;
/** The field that is the caller's own text. */
export const TEMPLATE_OWN: u32 = 31;

/**
 * A counted literal in which each byte below 32 stands for a field: `fields` has their addresses (u16 each, by that byte). At
 * those below TEMPLATE_TEXT is an i32, written in decimal; at the others a counted text, and TEMPLATE_OWN is `own`.
 */
export function putTemplate(w: Writer, template: usize, fields: usize, own: usize): void {
  let from = litPtr(template);
  const end = from + litLen(template);
  for (let at = from; at < end; at++) {
    const field: u32 = load<u8>(at);
    if (field >= 32) continue;
    putBytes(w, from, <u32>(at - from));
    from = at + 1;
    const place: usize = load<u16>(fields + (field << 1));
    if (field < TEMPLATE_TEXT) putSigned(w, load<i32>(place));
    else putText(w, field == TEMPLATE_OWN ? own : place);
  }
  putBytes(w, from, <u32>(end - from));
}
