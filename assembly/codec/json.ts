/**
 * JSON (RFC 8259): a pull reader that may stop and go on at any byte.
 *
 * The reader checks the whole grammar but builds no tree. A document may be far longer than any buffer: the reader keeps
 * one key, and stores of a scalar only what the caller has given room for. All of its state stands in JsonReader; the
 * pointers in it are the caller's, so a byte copy of the structure goes on alike. Text is UTF-8 and must be well-formed
 * (§8.1); duplicate members are reported as they come (§4).
 */
import { Code } from "../abi";
import { fill } from "../bytes/text";
import { JSON_KEY, JsonText, TextResult, textBegin, textKey, textNext, textPutRun } from "./json_text";

/** What `jsonNext` found; results below zero are a `Code`. */
export const enum JsonToken {
  /** All input is taken and the document goes on. */
  NeedMore = 0,
  ObjectStart = 1,
  ObjectEnd = 2,
  ArrayStart = 3,
  ArrayEnd = 4,
  /** A member's name, at jsonKeyPtr; keyLen has its length. */
  Key = 5,
  /** The sink has its text, unescaped. */
  String = 6,
  /** The sink has its text as it was written, so no digit is lost. */
  Number = 7,
  True = 8,
  False = 9,
  Null = 10,
  /** The document is complete; of what follows only white space is valid. */
  End = 11,
}

/** Deepest nesting of arrays and objects; the kind of each level is one bit of `kinds`. */
export const JSON_DEPTH: i32 = 32;
export { JSON_KEY };

/** What is expected next, or is being read. */
const enum State {
  Value = 0,
  /** A value or the end of the array. */
  FirstElement = 1,
  Key = 2,
  /** A key or the end of the object. */
  FirstKey = 3,
  Colon = 4,
  /** A comma or the end of the array or object. */
  Next = 5,
  End = 6,
  /** Inside a string: JsonText has the rest. */
  Text = 7,
  Number = 8,
  Word = 9,
}

/** Where in a number (§6). Those from `Zero` on may end it. */
const enum Part {
  Start = 0,
  Minus = 1,
  Point = 2,
  E = 3,
  ESign = 4,
  Zero = 5,
  Integer = 6,
  Fraction = 7,
  Exponent = 8,
}

/** The caller sets `at` and `end`, the input, and `out` and `cap`, the sink of the next value; see JsonText. */
@unmanaged
@final
export class JsonReader extends JsonText {
  /** Arrays and objects that are open, 0..JSON_DEPTH. */
  depth: i32 = 0;
  /** Length of the last key, bytes; more than JSON_KEY when it was cut. */
  keyLen: u32 = 0;
  state: i32 = 0;
  /** Bit n: level n + 1 is an object. */
  kinds: u32 = 0;
  /** Part of a number, or the token of a word. */
  step: i32 = 0;
  /** Bytes of a word that are still to come, the next one lowest. */
  rest: u32 = 0;
  /** The first error, for good; Ok = none. */
  fault: i32 = 0;
}

/** Begin a document. `at` and `end` are the caller's to set. */
export function jsonInit(r: JsonReader): void {
  // zero is the beginning of everything: State.Value, Code.Ok, no depth
  fill(changetype<usize>(r), 0, offsetof<JsonReader>());
}

/** -> the last key, min(keyLen, JSON_KEY) bytes, until the next key begins. */
export function jsonKeyPtr(r: JsonReader): usize {
  return textKey(r);
}

/**
 * Read up to the next token or the end of the input, in time linear in the bytes taken.
 * -> a JsonToken, or for good BadMessage (not JSON) or OverLimit (nested deeper than JSON_DEPTH).
 */
export function jsonNext(r: JsonReader): i32 {
  if (r.fault != Code.Ok) return r.fault;
  let token: i32 = JsonToken.NeedMore;
  while (token == JsonToken.NeedMore && r.at < r.end) token = advance(r);
  if (token == JsonToken.NeedMore && r.state == State.End) token = JsonToken.End;
  return settle(r, token);
}

/**
 * As jsonNext when no more input comes: ends a number that is the whole document, and answers BadMessage instead of
 * NeedMore. -> as jsonNext; call it until it answers End.
 */
export function jsonFinish(r: JsonReader): i32 {
  const token = jsonNext(r);
  if (token != JsonToken.NeedMore) return token;
  if (r.state != State.Number || r.step < Part.Zero || r.depth != 0) return settle(r, Code.BadMessage);
  r.state = State.End;
  return settle(r, JsonToken.Number);
}

function settle(r: JsonReader, token: i32): i32 {
  if (token < 0) r.fault = token;
  else if (token != JsonToken.NeedMore && token != JsonToken.Key) {
    r.out = 0;
    r.cap = 0;
  }
  return token;
}

/** Take at least one byte, or change the state so that the next call does. Only when there is input. */
function advance(r: JsonReader): i32 {
  const state = r.state;
  if (state == State.Text) return text(r);
  if (state == State.Number) return number(r);
  const byte: u32 = load<u8>(r.at);
  r.at += 1;
  if (state == State.Word) return word(r, byte);
  if (byte == 0x20 || (byte <= 0x0d && ((1 << byte) & 0x2600) != 0)) return JsonToken.NeedMore;
  return structure(r, state, byte);
}

/** §2: structural characters; the first byte of every value. */
function structure(r: JsonReader, state: i32, byte: u32): i32 {
  switch (state) {
    case State.FirstElement:
      return byte == 0x5d ? close(r, 0) : value(r, byte);
    case State.Value:
      return value(r, byte);
    case State.FirstKey:
      if (byte == 0x7d) return close(r, 1);
    case State.Key:
      if (byte != 0x22) return Code.BadMessage;
      return begin(r, State.Text, true);
    case State.Colon:
      if (byte != 0x3a) return Code.BadMessage;
      r.state = State.Value;
      return JsonToken.NeedMore;
    case State.Next:
      if (byte == 0x5d) return close(r, 0);
      if (byte == 0x7d) return close(r, 1);
      if (byte != 0x2c) return Code.BadMessage;
      r.state = innermost(r) ? State.Key : State.Value;
      return JsonToken.NeedMore;
  }
  return Code.BadMessage;
}

/** -> 1 inside an object, 0 inside an array. Only when depth > 0. */
function innermost(r: JsonReader): u32 {
  return (r.kinds >>> (r.depth - 1)) & 1;
}

function value(r: JsonReader, byte: u32): i32 {
  switch (byte) {
    case 0x7b:
      return open(r, 1);
    case 0x5b:
      return open(r, 0);
    case 0x22:
      return begin(r, State.Text, false);
    case 0x74:
      return beginWord(r, JsonToken.True, 0x657572);
    case 0x66:
      return beginWord(r, JsonToken.False, 0x65736c61);
    case 0x6e:
      return beginWord(r, JsonToken.Null, 0x6c6c75);
  }
  if (byte != 0x2d && byte - 48 > 9) return Code.BadMessage;
  r.at -= 1;
  r.step = Part.Start;
  return begin(r, State.Number, false);
}

function open(r: JsonReader, object: u32): i32 {
  if (r.depth == JSON_DEPTH) return Code.OverLimit;
  const bit: u32 = 1 << r.depth;
  r.kinds = object ? r.kinds | bit : r.kinds & ~bit;
  r.depth += 1;
  r.state = object ? State.FirstKey : State.FirstElement;
  return object ? JsonToken.ObjectStart : JsonToken.ArrayStart;
}

function close(r: JsonReader, object: u32): i32 {
  if (innermost(r) != object) return Code.BadMessage;
  r.depth -= 1;
  ended(r);
  return object ? JsonToken.ObjectEnd : JsonToken.ArrayEnd;
}

/** A value is complete. */
function ended(r: JsonReader): void {
  r.state = r.depth == 0 ? State.End : State.Next;
}

/** A string, a number or a word begins. */
function begin(r: JsonReader, state: i32, key: bool): i32 {
  r.state = state;
  textBegin(r, key);
  return JsonToken.NeedMore;
}

/** §3: `rest` has the word's bytes after the first, the next one lowest. */
function beginWord(r: JsonReader, token: i32, rest: u32): i32 {
  r.step = token;
  r.rest = rest;
  return begin(r, State.Word, false);
}

function word(r: JsonReader, byte: u32): i32 {
  if (byte != (r.rest & 0xff)) return Code.BadMessage;
  r.rest >>>= 8;
  if (r.rest != 0) return JsonToken.NeedMore;
  ended(r);
  return r.step;
}

/** A number goes on; the byte that ends it is not taken. */
function number(r: JsonReader): i32 {
  const from = r.at;
  const end = r.end;
  let at = from;
  let part = r.step;
  let next = part;
  while (at < end) {
    next = numberPart(part, load<u8>(at));
    if (next < 0) break;
    part = next;
    at += 1;
  }
  textPutRun(r, from, <u32>(at - from));
  r.at = at;
  r.step = part;
  if (next >= 0) return JsonToken.NeedMore;
  if (part < Part.Zero) return Code.BadMessage;
  ended(r);
  return JsonToken.Number;
}

/** §6: -> the part that `byte` leads to from `part`, or -1 when the number cannot go on with it. */
function numberPart(part: i32, byte: u32): i32 {
  if (byte - 48 < 10) {
    if (part <= Part.Minus) return byte == 48 ? Part.Zero : Part.Integer;
    if (part == Part.Point) return Part.Fraction;
    if (part == Part.E || part == Part.ESign) return Part.Exponent;
    return part == Part.Zero ? -1 : part;
  }
  if (byte == 0x2e) return part == Part.Zero || part == Part.Integer ? Part.Point : -1;
  if ((byte | 0x20) == 0x65) return part >= Part.Zero && part <= Part.Fraction ? Part.E : -1;
  if (part == Part.Start) return byte == 0x2d ? Part.Minus : -1;
  return part == Part.E && (byte == 0x2b || byte == 0x2d) ? Part.ESign : -1;
}

/** A string goes on. */
function text(r: JsonReader): i32 {
  const result = textNext(r);
  if (result != TextResult.Complete) return result;
  if (r.inKey) {
    r.keyLen = r.total;
    r.state = State.Colon;
    return JsonToken.Key;
  }
  ended(r);
  return JsonToken.String;
}
