/**
 * HTTP/1.1 as a client speaks it (RFC 9110, RFC 9112): a GET request, and the head of a response read at any pace. No
 * input or output happens here. Left out on purpose: content codings (the request refuses them), upgrades, and every
 * header field that a download does not need. The body's chunks are in chunked.ts.
 */
import { Code } from "../abi";
import { equalsIgnoreCase, fill, L, S, wordIndex } from "../bytes/text";
import { putByte, putDecimal, putText, Writer } from "../bytes/writer";
import { HTTP_OPEN, HttpRange, rangeRead, u32Read } from "./http_range";
import { WITH_CHUNKED, WITH_REDIRECTS } from "../profile";
import { Url, urlPutAuthority, urlPutPath } from "./url";

export { ContentRange, HTTP_OPEN } from "./http_range";

/**
 * Write a GET request for `url`. When `ranged`, for the bytes from..to of it, both included; `to` may be HTTP_OPEN
 * (RFC 9110 §14.2). The connection serves this one request. The writer keeps a fault.
 */
export function httpGet(w: Writer, url: Url, from: u32, to: u32, ranged: bool): void {
  putText(w, S("GET "));
  urlPutPath(w, url);
  putText(w, S(" HTTP/1.1\r\nHost: "));
  urlPutAuthority(w, url);
  if (ranged) {
    putText(w, S("\r\nRange: bytes="));
    putDecimal(w, from);
    putByte(w, 0x2d);
    if (to != HTTP_OPEN) putDecimal(w, to);
  }
  putText(w, S("\r\nAccept-Encoding: identity\r\nUser-Agent: alink-agent\r\nConnection: close\r\n\r\n"));
}

/** Longest head of a response, bytes; interim responses (1xx) before it count. */
export const HTTP_HEAD: u32 = 8192;
/** Longest value of a field that is kept, bytes; Location has a room of its own. */
export const HTTP_VALUE: u32 = 64;

/** What `httpHead` found; results below zero are a `Code`. */
export const enum HttpResult {
  NeedMore = 0,
  /** The head is complete: the body begins at `at`. */
  Done = 1,
}

const enum State {
  /** Inside the status line. */
  Status = 0,
  /** After the digits of the status: the reason, skipped. */
  Reason = 1,
  /** At the beginning of a line. */
  Line = 2,
  Name = 3,
  Value = 4,
  /** After the CR of a line; LF must follow. */
  Lf = 5,
  /** After the CR of the empty line. */
  LastLf = 6,
  Done = 7,
}

/** Fields that are kept; each has one bit in `seen`. */
const enum Field {
  Other = 0,
  ContentLength = 1,
  TransferEncoding = 2,
  ContentRange = 3,
  Location = 4,
}

/** Of a response's fields the caller sets location and locationCap before it begins, and reads those down to locationLen. */
@unmanaged
@final
export class HttpResponse extends HttpRange {
  /** Length of Location, bytes; 0 = there was none. */
  locationLen: u32 = 0;
  /** 200..599. */
  status: u32 = 0;
  /** Whether the body's length is known from the head: contentLength. */
  hasLength: bool = false;
  /** Whether the body is chunked. When neither, it ends with the connection. */
  chunked: bool = false;
  contentLength: u32 = 0;
  state: i32 = 0;
  /** Minor version. */
  minor: u32 = 0;
  /** The Field whose value is being read. */
  field: i32 = 0;
  /** What was there: a bit for each Field (that of Other: any field at all). */
  seen: u32 = 0;
  /** Bytes in the carry: status line, then name or value of the present field. */
  carried: u32 = 0;
  /** 1 while white space in a value waits for what follows it. */
  space: u32 = 0;
  // what follows outlives a head: an interim response is followed by another one
  /** First byte that was not taken, after httpHead. */
  at: usize = 0;
  /** Where Location is copied to. */
  location: usize = 0;
  /** Room there, bytes. A longer Location is cut, which locationLen tells. */
  locationCap: u32 = 0;
  /** Bytes of the head so far. */
  taken: u32 = 0;
  /** The first error, for good; Ok = none. */
  fault: i32 = 0;
  carry0: u64 = 0;
  carry1: u64 = 0;
  carry2: u64 = 0;
  carry3: u64 = 0;
  carry4: u64 = 0;
  carry5: u64 = 0;
  carry6: u64 = 0;
  carry7: u64 = 0;
}

/** Begin a response; `location` and `locationCap` stay as the caller has set them. */
export function httpInit(r: HttpResponse): void {
  r.at = 0;
  r.taken = 0;
  r.fault = Code.Ok;
  beginHead(r);
}

/** Everything up to `at` begins at zero: State.Status, Field.Other, and nothing said about a range. */
function beginHead(r: HttpResponse): void {
  fill(changetype<usize>(r), 0, offsetof<HttpResponse>("at"));
}

function carry(r: HttpResponse): usize {
  return changetype<usize>(r) + offsetof<HttpResponse>("carry0");
}

/**
 * Take bytes of the head from [at, end); the first byte not taken is r.at. Interim responses are passed over.
 * -> an HttpResult, or for good BadMessage (not a response, or lengths that contradict each other), Unsupported (another
 * major version, coding or range unit), OverLimit (longer than HTTP_HEAD, a value longer than HTTP_VALUE, numbers above
 * 32 bits).
 */
export function httpHead(r: HttpResponse, at: usize, end: usize): i32 {
  let result: i32 = r.fault != Code.Ok ? r.fault : r.state == State.Done ? HttpResult.Done : HttpResult.NeedMore;
  while (result == HttpResult.NeedMore && at < end) {
    r.taken += 1;
    result = r.taken > HTTP_HEAD ? Code.OverLimit : take(r, load<u8>(at));
    at += 1;
  }
  r.at = at;
  if (result < 0) r.fault = result;
  return result;
}

function take(r: HttpResponse, byte: u32): i32 {
  switch (r.state) {
    case State.Status:
      return statusLine(r, byte);
    case State.Reason:
      return inLine(r, byte) ? skipped(byte) : Code.Ok;
    case State.Line:
      return line(r, byte);
    case State.Name:
      return name(r, byte);
    case State.Value:
      return inLine(r, byte) ? value(r, byte) : Code.Ok;
    case State.Lf:
      r.state = State.Line;
      return byte == 0x0a ? HttpResult.NeedMore : Code.BadMessage;
  }
  return byte == 0x0a ? complete(r) : Code.BadMessage;
}

/** Handle the end of a line. A single LF ends one too (RFC 9112 §2.2). -> whether `byte` belongs to the line. */
function inLine(r: HttpResponse, byte: u32): bool {
  if (byte != 0x0d && byte != 0x0a) return true;
  r.state = byte == 0x0d ? State.Lf : State.Line;
  return false;
}

/** Text of a line that is not looked at may hold anything but control characters. */
function skipped(byte: u32): i32 {
  return (byte < 0x20 && byte != 0x09) || byte == 0x7f ? Code.BadMessage : HttpResult.NeedMore;
}

/** RFC 9112 §4: "HTTP/1." DIGIT SP 3DIGIT, then SP and a reason, or nothing. */
function statusLine(r: HttpResponse, byte: u32): i32 {
  const i = r.carried;
  if (i == 12) {
    if (r.status < 100 || r.status > 599) return Code.BadMessage;
    r.state = State.Reason;
    return inLine(r, byte) && byte != 0x20 ? Code.BadMessage : HttpResult.NeedMore;
  }
  r.carried = i + 1;
  const digit = byte - 48;
  if (i == 5 && digit < 10 && digit != 1) return Code.Unsupported;
  if (i < 7) return byte == load<u8>(S("HTTP/1.") + i, 1) ? HttpResult.NeedMore : Code.BadMessage;
  if (i == 8) return byte == 0x20 ? HttpResult.NeedMore : Code.BadMessage;
  if (digit > 9) return Code.BadMessage;
  if (i == 7) {
    if (WITH_CHUNKED) r.minor = digit;
  } else r.status = r.status * 10 + digit;
  return HttpResult.NeedMore;
}

/** First byte of a line: only now is it certain that the value before it is over (RFC 9112 §5.2, folded lines). */
function line(r: HttpResponse, byte: u32): i32 {
  if (byte == 0x20 || byte == 0x09) {
    // Folding needs a field to go on with; `space` keeps what was there apart from what comes.
    if ((r.seen & 1) == 0) return Code.BadMessage;
    r.state = State.Value;
    r.space = 1;
    return HttpResult.NeedMore;
  }
  const code = keep(r);
  if (code < 0) return code;
  r.field = Field.Other;
  r.carried = 0;
  r.space = 0;
  if (byte == 0x0d) {
    r.state = State.LastLf;
    return HttpResult.NeedMore;
  }
  if (byte == 0x0a) return complete(r);
  r.state = State.Name;
  return byte == 0x3a ? Code.BadMessage : name(r, byte);
}

/** RFC 9112 §5.1: a token, and the colon right behind it. */
function name(r: HttpResponse, byte: u32): i32 {
  if (byte == 0x3a) {
    r.field = fieldOf(carry(r), r.carried);
    r.seen |= 1;
    r.carried = 0;
    r.state = State.Value;
    if (!WITH_REDIRECTS || r.field != Field.Location) return HttpResult.NeedMore;
    return r.seen & (1 << Field.Location) ? Code.BadMessage : HttpResult.NeedMore;
  }
  if (byte <= 0x20 || byte >= 0x7f) return Code.BadMessage;
  // A name that does not fit is none of those that are kept; its length then matches none.
  if (r.carried < HTTP_VALUE) {
    store<u8>(carry(r) + r.carried, byte);
    r.carried += 1;
  }
  return HttpResult.NeedMore;
}

/** Names in the order of Field. */
function fieldOf(ptr: usize, len: u32): i32 {
  return wordIndex(
    ptr,
    len,
    WITH_REDIRECTS
      ? L("Content-Length Transfer-Encoding Content-Range Location")
      : L("Content-Length Transfer-Encoding Content-Range"),
    true,
  );
}

/** A byte of a value. White space around it is dropped, and inside it becomes one space. */
function value(r: HttpResponse, byte: u32): i32 {
  if (skipped(byte) < 0) return Code.BadMessage;
  if (r.field == Field.Other) return HttpResult.NeedMore;
  if (byte == 0x20 || byte == 0x09) {
    r.space = 1;
    return HttpResult.NeedMore;
  }
  if (r.space && valueLength(r) != 0) {
    const code = append(r, 0x20);
    if (code < 0) return code;
  }
  r.space = 0;
  return append(r, byte);
}

function valueLength(r: HttpResponse): u32 {
  return WITH_REDIRECTS && r.field == Field.Location ? r.locationLen : r.carried;
}

function append(r: HttpResponse, byte: u32): i32 {
  if (WITH_REDIRECTS && r.field == Field.Location) {
    if (r.locationLen < r.locationCap) store<u8>(r.location + r.locationLen, byte);
    r.locationLen += 1;
    return HttpResult.NeedMore;
  }
  if (r.carried == HTTP_VALUE) return Code.OverLimit;
  store<u8>(carry(r) + r.carried, byte);
  r.carried += 1;
  return HttpResult.NeedMore;
}

/** Take in the field whose value has just ended. */
function keep(r: HttpResponse): i32 {
  const field = r.field;
  if (field == Field.Other) return Code.Ok;
  const bit: u32 = 1 << field;
  const again = (r.seen & bit) != 0;
  r.seen |= bit;
  switch (field) {
    case Field.ContentLength:
      return contentLength(r, again);
    case Field.TransferEncoding:
      // Of an answer without the file the head alone is read. A coding that is not undone would end up in the flash.
      if (r.status != 200 && r.status != 206) return Code.Ok;
      if (!WITH_CHUNKED || again || !equalsIgnoreCase(carry(r), r.carried, S("chunked"))) return Code.Unsupported;
      r.chunked = true;
      return Code.Ok;
    case Field.ContentRange:
      if (r.status != 206 && r.status != 416) return Code.Ok;
      return again ? Code.BadMessage : rangeRead(r, carry(r), r.carried);
  }
  return Code.Ok;
}

/** RFC 9112 §6.3: the same length said more than once is one length, two lengths and a list of them are an error. */
function contentLength(r: HttpResponse, again: bool): i32 {
  const length = u32Read(carry(r), r.carried);
  if (length < 0) return <i32>length;
  if (again && r.contentLength != <u32>length) return Code.BadMessage;
  r.contentLength = <u32>length;
  r.hasLength = true;
  return Code.Ok;
}

/** The empty line is there: what the body will be (RFC 9112 §6.3). */
function complete(r: HttpResponse): i32 {
  if (r.status < 200) {
    // 101 would hand the connection over to a protocol that nobody asked for.
    if (r.status == 101) return Code.BadMessage;
    beginHead(r);
    return HttpResult.NeedMore;
  }
  // Both at once is how one response is smuggled into another.
  if (WITH_CHUNKED && r.chunked && (r.hasLength || r.minor == 0)) return Code.BadMessage;
  if (r.status == 204 || r.status == 304) {
    if (WITH_CHUNKED) r.chunked = false;
    r.hasLength = true;
    r.contentLength = 0;
  }
  r.state = State.Done;
  return HttpResult.Done;
}
