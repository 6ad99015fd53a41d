/**
 * The chunked transfer coding (RFC 9112 §7.1), decoded in place: the data is handed on where it lies. Chunk extensions and
 * trailer fields are skipped within a bound. Line ends are CRLF and nothing else, as a decoder that guesses can be made
 * to see another body than its neighbour.
 */
import { Code } from "../abi";
import { Ascii, fill } from "../bytes/text";

/** What `chunkedNext` found; results below zero are a `Code`. */
export const enum ChunkedPart {
  /** All input is taken and the body goes on. */
  NeedMore = 0,
  /** dataLen > 0 bytes of the body at dataPtr. */
  Data = 1,
  /** The body and its trailer section are complete. */
  End = 2,
}

/** Longest chunk extensions and trailer section of a body, bytes in all. */
export const CHUNKED_EXTRA: u32 = 8192;

const enum State {
  /** Before the first digit of a chunk's size. */
  Size = 0,
  Digits = 1,
  Extension = 2,
  SizeLf = 3,
  Data = 4,
  DataCr = 5,
  DataLf = 6,
  /** At the beginning of a trailer line. */
  Trailer = 7,
  TrailerLine = 8,
  TrailerLf = 9,
  EndLf = 10,
  End = 11,
}

@unmanaged
@final
export class Chunked {
  /** First byte that was not taken, after chunkedNext. */
  at: usize = 0;
  dataPtr: usize = 0;
  dataLen: u32 = 0;
  state: i32 = 0;
  /** Bytes of the chunk that are still to come; while its size is read, the size so far. */
  left: u32 = 0;
  /** Digits of the size so far. */
  digits: u32 = 0;
  /** Bytes of extensions and trailers so far. */
  extra: u32 = 0;
  /** The first error, for good; Ok = none. */
  fault: i32 = 0;
}

/** Begin a body. */
export function chunkedInit(c: Chunked): void {
  // zero is State.Size and Code.Ok, too
  fill(changetype<usize>(c), 0, offsetof<Chunked>());
}

/**
 * Take input from [at, end) up to the next piece of data; go on at c.at. Nothing after the body is taken.
 * -> a ChunkedPart, or for good BadMessage (no chunk) or OverLimit (a size above 32 bits, more than CHUNKED_EXTRA).
 */
export function chunkedNext(c: Chunked, at: usize, end: usize): i32 {
  let part: i32 = c.fault != Code.Ok ? c.fault : c.state == State.End ? ChunkedPart.End : ChunkedPart.NeedMore;
  while (part == ChunkedPart.NeedMore && at < end) {
    if (c.state == State.Data) {
      const there = <u32>(end - at);
      c.dataPtr = at;
      c.dataLen = there < c.left ? there : c.left;
      c.left -= c.dataLen;
      if (c.left == 0) c.state = State.DataCr;
      at += c.dataLen;
      part = ChunkedPart.Data;
    } else {
      part = framing(c, load<u8>(at));
      at += 1;
    }
  }
  c.at = at;
  if (part < 0) c.fault = part;
  return part;
}

/** One byte that is not data. */
function framing(c: Chunked, byte: u32): i32 {
  switch (c.state) {
    case State.Size:
    case State.Digits:
      return size(c, byte);
    case State.Extension:
      return byte == 0x0d ? enter(c, State.SizeLf) : skip(c, byte, State.Extension);
    case State.SizeLf:
      return byte == 0x0a ? enter(c, c.left == 0 ? State.Trailer : State.Data) : Code.BadMessage;
    case State.DataCr:
      return byte == 0x0d ? enter(c, State.DataLf) : Code.BadMessage;
    case State.DataLf:
      c.digits = 0;
      return byte == 0x0a ? enter(c, State.Size) : Code.BadMessage;
    case State.Trailer:
      return byte == 0x0d ? enter(c, State.EndLf) : skip(c, byte, State.TrailerLine);
    case State.TrailerLine:
      return byte == 0x0d ? enter(c, State.TrailerLf) : skip(c, byte, State.TrailerLine);
    case State.TrailerLf:
      return byte == 0x0a ? enter(c, State.Trailer) : Code.BadMessage;
  }
  if (byte != 0x0a) return Code.BadMessage;
  c.state = State.End;
  return ChunkedPart.End;
}

function enter(c: Chunked, state: i32): i32 {
  c.state = state;
  return ChunkedPart.NeedMore;
}

/** chunk-size [ chunk-ext ] CRLF; at least one digit. */
function size(c: Chunked, byte: u32): i32 {
  const digit = Ascii.hexDigit(byte);
  if (digit >= 0) {
    // Leading zeros count: nothing about a chunk may go on without bound.
    if (c.digits == 8) return Code.OverLimit;
    c.left = (c.left << 4) | digit;
    c.digits += 1;
    return enter(c, State.Digits);
  }
  if (c.state == State.Size) return Code.BadMessage;
  if (byte == 0x0d) return enter(c, State.SizeLf);
  return byte == 0x3b || byte == 0x20 || byte == 0x09 ? skip(c, byte, State.Extension) : Code.BadMessage;
}

function skip(c: Chunked, byte: u32, state: i32): i32 {
  if ((byte < 0x20 && byte != 0x09) || byte == 0x7f) return Code.BadMessage;
  c.extra += 1;
  return c.extra > CHUNKED_EXTRA ? Code.OverLimit : enter(c, state);
}
