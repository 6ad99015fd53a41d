/**
 * JSON of CBOR (RFC 8949) as it comes, in slices of any size. Tags are passed over; what JSON has no word for (byte strings,
 * keys that are no text, NaN and infinities) and indefinite lengths are refused. No float is computed with.
 */
import { Code } from "../abi";
import { L, S, wordAt } from "../bytes/text";
import { putByte, putHex, putText, Writer } from "../bytes/writer";
import { CBOR_DEPTH, CBOR_DIGITS, CBOR_MAP, Cbor, cborSlot } from "./cbor";

/** What one byte of CBOR may become at most: a number, or the ends of everything that is open. */
const ROOM: u32 = 64;
/** Reading: the array or map has an element already. */
const FILLED: u32 = 0x40000000;
const COUNT: u32 = 0x3fffffff;

/** Write the JSON of the input in [at, end), as far as the writer has room. -> Ok, or BadMessage. */
export function cborDecode(c: Cbor, w: Writer): i32 {
  while (c.at < c.end && <u32>(w.end - w.at) >= ROOM) {
    const byte: u32 = load<u8>(c.at);
    c.at += 1;
    if (c.text != 0) character(c, w, byte);
    else if (c.left != 0) {
      c.value = (c.value << 8) | byte;
      c.left -= 1;
      if (c.left == 0 && !item(c, w)) return Code.BadMessage;
    } else {
      const info = byte & 31;
      c.first = byte;
      c.value = info;
      if (info > 27 || c.done) return Code.BadMessage;
      if (info > 23) {
        c.value = 0;
        c.left = 1 << (info - 24);
      } else if (!item(c, w)) return Code.BadMessage;
    }
  }
  return Code.Ok;
}

function character(c: Cbor, w: Writer, byte: u32): void {
  if (byte < 0x20) {
    putText(w, S("\\u00"));
    c.byte = <u8>byte;
    putHex(w, changetype<usize>(c) + offsetof<Cbor>("byte"), 1, false);
  } else {
    if (byte == 0x22 || byte == 0x5c) putByte(w, 0x5c);
    putByte(w, byte);
  }
  c.text -= 1;
  if (c.text == 0) textEnd(c, w);
}

function textEnd(c: Cbor, w: Writer): void {
  putByte(w, 0x22);
  after(c, w);
}

/** An item's head is complete. -> false when JSON has no word for it. */
function item(c: Cbor, w: Writer): bool {
  const major = c.first >>> 5;
  const value = c.value;
  if (major == 6) return true;
  if (major == 2 || !before(c, w, major == 3)) return false;
  switch (major) {
    case 0:
      integer(w, value);
      break;
    case 1:
      if (value == u64.MAX_VALUE) return false;
      putByte(w, 0x2d);
      integer(w, value + 1);
      break;
    case 3:
      if (value > COUNT) return false;
      putByte(w, 0x22);
      c.text = <u32>value;
      if (value == 0) textEnd(c, w);
      return true;
    case 7:
      if (!simple(c, w)) return false;
      break;
    default: {
      const map = major == 5;
      if (value > COUNT / 2 || c.depth == CBOR_DEPTH) return false;
      putByte(w, map ? 0x7b : 0x5b);
      c.depth += 1;
      store<u32>(cborSlot(c), ((<u32>value) << (map ? 1 : 0)) | (map ? CBOR_MAP : 0));
      if (value != 0) return true;
      end(c, w);
    }
  }
  after(c, w);
  return true;
}

/** What stands before an item. -> false for a key that is no text. */
function before(c: Cbor, w: Writer, text: bool): bool {
  if (c.depth == 0) return true;
  const top = load<u32>(cborSlot(c));
  const value = top >= CBOR_MAP && (top & 1) != 0;
  if (value) putByte(w, 0x3a);
  else if (top & FILLED) putByte(w, 0x2c);
  store<u32>(cborSlot(c), top | FILLED);
  return value || top < CBOR_MAP || text;
}

function end(c: Cbor, w: Writer): void {
  putByte(w, load<u32>(cborSlot(c)) >= CBOR_MAP ? 0x7d : 0x5d);
  c.depth -= 1;
}

/** An item is complete, and with it perhaps what it stands in. */
function after(c: Cbor, w: Writer): void {
  while (c.depth != 0) {
    const top = load<u32>(cborSlot(c)) - 1;
    store<u32>(cborSlot(c), top);
    if (top & COUNT) return;
    end(c, w);
  }
  c.done = true;
}

function integer(w: Writer, value: u64): void {
  let divisor: u64 = 1;
  while (value / divisor >= 10) divisor *= 10;
  for (; divisor != 0; divisor /= 10) putByte(w, 48 + <u32>((value / divisor) % 10));
}

function simple(c: Cbor, w: Writer): bool {
  const info = c.first & 31;
  if (info == 25) return decimal(w, c.value, 10, 15);
  if (info == 26) return decimal(w, c.value, 23, 127);
  if (info == 27) return decimal(w, c.value, 52, 1023);
  if (info < 20 || info > 23) return false;
  putText(w, wordAt(L("false true null null"), info - 20));
  return true;
}

/** A float in decimal: eighteen digits at most, which is one more than tell all doubles apart. */
function decimal(w: Writer, bits: u64, fraction: u64, bias: i32): bool {
  const top = <i32>(bits >> fraction) & (bias * 2 + 1);
  let m = bits & (((<u64>1) << fraction) - 1);
  if (top == bias * 2 + 1) return false;
  if (top != 0) m |= (<u64>1) << fraction;
  let k: i32 = <i32>fraction + bias - (top != 0 ? top : 1);
  if ((bits >> (fraction == 10 ? 15 : fraction == 23 ? 31 : 63)) & 1) putByte(w, 0x2d);
  for (; m != 0 && !(m & 1); k--) m >>= 1;
  // the smallest and the largest have no place in eighteen digits
  if (m != 0 && (k > 100 || 64 - <i32>clz(m) - k > 60)) return false;
  if (m == 0 || k <= 0) {
    integer(w, m << (<u64>-k));
    return true;
  }
  const whole = k < 64 ? m >> <u64>k : 0;
  integer(w, whole);
  if (k < 64) m -= whole << (<u64>k);
  putByte(w, 0x2e);
  let digits: u32 = 0;
  for (let n: u32 = 0; m != 0 && digits < CBOR_DIGITS && n < 36; n++) {
    for (; m >= 0x1000000000000000; k--) m >>= 1;
    m *= 10;
    const digit = k < 64 ? m >> <u64>k : 0;
    if (k < 64) m -= digit << (<u64>k);
    if (digits != 0 || digit != 0 || whole != 0) digits += 1;
    putByte(w, 48 + <u32>digit);
  }
  return true;
}
