/**
 * CBOR (RFC 8949): what writing (cbor_encode.ts) and reading (cbor_decode.ts) have in common. The subset is the one that
 * JSON has words for, in definite lengths and shortest heads (§4.2.1).
 */
import { putByte, putBytes, Writer } from "../bytes/writer";

/** Deepest nesting. */
export const CBOR_DEPTH: u32 = 12;
/** Bytes of the stack of open arrays and maps, a u32 each. */
export const CBOR_STACK: u32 = 4 * CBOR_DEPTH;
/** In the stack: it is a map. */
export const CBOR_MAP: u32 = 0x80000000;
/** Most digits of a number that is no integer. */
export const CBOR_DIGITS: u32 = 18;

@unmanaged
@final
export class Cbor {
  /** CBOR_STACK bytes. Writing: offset, count in the upper half. Reading: items still to come. */
  stack: usize = 0;
  depth: u32 = 0;
  /** Reading: the input. */
  at: usize = 0;
  end: usize = 0;
  value: u64 = 0;
  /** First byte of the head, bytes of it and of a text that are still to come. */
  first: u32 = 0;
  left: u32 = 0;
  text: u32 = 0;
  done: bool = false;
  /** Reading: a control character that is being written. */
  byte: u8 = 0;
}

export function cborInit(c: Cbor): void {
  c.depth = 0;
  c.left = 0;
  c.text = 0;
  c.done = false;
  c.at = c.end;
}

/** Head of an item (§3): `major` is the type in the upper three bits. */
export function cborPutHead(w: Writer, major: u32, value: u64): void {
  if (value < 24) return putByte(w, major | <u32>value);
  let size: u32 = 0;
  while (size < 3 && value >> <u64>(8 << size) != 0) size++;
  putByte(w, major + 24 + size);
  cborPutBytes(w, 1 << size, value);
}

/** The lowest `bytes` of a number, the highest of them first. */
export function cborPutBytes(w: Writer, bytes: u32, value: u64): void {
  while (bytes-- > 0) putByte(w, <u32>(value >> ((<u64>bytes) << 3)));
}

export function cborPutText(w: Writer, ptr: usize, len: u32): void {
  cborPutHead(w, 0x60, len);
  putBytes(w, ptr, len);
}

/** The innermost entry of the stack. */
export function cborSlot(c: Cbor): usize {
  return c.stack + (c.depth << 2) - 4;
}
