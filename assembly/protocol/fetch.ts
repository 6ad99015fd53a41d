/**
 * Fetches a firmware image over HTTP/1.1 into an Image: one GET at a time, redirects within limits, and after a lost link
 * a range request for what is missing. A response is used only if its lengths agree with what the platform announced.
 *
 *   Waiting ── due ──> Opening ── opened ──> Head ── 200, 206 ──> Body ── last byte ──> Closing ──> Done
 *      ^                                      |                     |                     |  |
 *      └──────────── lost, 5xx, silent ───────┴─────────────────────┴─────────────────────┘  └───> Failed
 */
import { Closed, Code, HTTP_BLOCK } from "../abi";
import { copy, move, S } from "../bytes/text";
import { putByte, putDecimal, putText, Writer, writerDone, writerInit, putBytes } from "../bytes/writer";
import { Chunked, ChunkedPart, chunkedInit, chunkedNext } from "../codec/chunked";
import { ContentRange, HTTP_OPEN, HttpResponse, HttpResult, httpGet, httpHead, httpInit } from "../codec/http";
import { Url, urlHost, urlParse, urlResolve, urlTls } from "../codec/url";
import { Backoff, backoffNext, Random } from "./backoff";
import { Image, imageInit, imagePlaced, imagePtr, imageRoom } from "./image";
import { reached } from "./mqtt_session";
import { URL_MAX } from "./offer";

/** Request, and later the Location of a redirect and what it resolves to. */
export const HTTP_TX: u32 = 2 * URL_MAX;
/** Longest peer URI: scheme, host, port. */
export const PEER_MAX: u32 = 272;
/** A server that sends nothing for this long is given up, ms. */
const SILENT: u32 = 30000;
/** Redirects in a row (RFC 9110 §15.4 asks for a bound). */
const REDIRECTS: u32 = 5;
/** Tries in a row that brought nothing new. */
const TRIES: u32 = 10;
/** Bytes of a head, and chunks of a body, that are decoded in one step: bounds the work of a call. */
const HEAD_SLICE: u32 = 256;
const CHUNKS_SLICE: u32 = 64;
/** A rate limit is kept over intervals of a quarter of a second, ms. */
const BUDGET_INTERVAL: u32 = 250;
/** First wait after a failed try and the longest one, ms. */
const RETRY_BASE: u32 = 1000;
const RETRY_LONGEST: u32 = 60000;

export const enum FetchPhase {
  Idle = 0,
  Waiting = 1,
  Opening = 2,
  Head = 3,
  Body = 4,
  Closing = 5,
  Done = 6,
  Failed = 7,
}

@unmanaged
@final
export class Fetch {
  phase: FetchPhase = FetchPhase.Idle;
  /** What comes after Closing. */
  after: FetchPhase = FetchPhase.Idle;
  plainAllowed: bool = false;
  /** The URL that is being fetched is https. */
  tls: bool = false;
  /** Quiet hours: no link now. */
  held: bool = false;
  /** Most bytes a second, 0 = any number; how many may still come until `budgetDue`. */
  rate: u32 = 0;
  budget: u32 = 0;
  budgetDue: u32 = 0;
  now: u32 = 0;
  due: u32 = 0;
  fault: i32 = 0;
  detail: i32 = 0;
  redirects: u32 = 0;
  tries: u32 = 0;
  /** The furthest byte of any try. */
  furthest: u32 = 0;
  /** The link is down with this reason, but received bytes are still to be decoded; -1 = it is not. */
  hungUp: i32 = -1;
  /** Received bytes at imagePtr that are not decoded yet. */
  raw: u32 = 0;
  /** Bytes of the body still to come when its length is known. */
  left: u32 = 0;
  bounded: bool = false;
  image: Image = changetype<Image>(0);
  url: Url = changetype<Url>(0);
  response: HttpResponse = changetype<HttpResponse>(0);
  chunked: Chunked = changetype<Chunked>(0);
  backoff: Backoff = changetype<Backoff>(0);
  random: Random = changetype<Random>(0);
  writer: Writer = changetype<Writer>(0);
  /** URL_MAX bytes, HTTP_TX bytes, PEER_MAX bytes. */
  urlText: usize = 0;
  urlLength: u32 = 0;
  tx: usize = 0;
  txAt: u32 = 0;
  txEnd: u32 = 0;
  peer: usize = 0;
  peerLength: u32 = 0;
}

/** Fetch `urlLength` bytes of URL at urlText into the image, from where the image stands. */
export function fetchStart(f: Fetch, urlLength: u32): void {
  f.urlLength = urlLength;
  f.redirects = 0;
  f.tries = 0;
  f.furthest = f.image.placed;
  f.backoff.attempt = 0;
  f.fault = 0;
  f.detail = 0;
  f.raw = 0;
  open(f, f.now);
}

/** Dial the URL's host at `due`. */
function open(f: Fetch, due: u32): void {
  const parsed = urlParse(f.url, f.urlText, f.urlLength);
  if (parsed < 0 || f.url.scheme > 1) return fail(f, parsed < 0 ? parsed : Code.Unsupported, 0);
  // a redirect may lead from plain to TLS, never back
  if (!urlTls(f.url) && (!f.plainAllowed || (f.tls && f.redirects != 0))) return fail(f, Code.NotAllowed, 0);
  f.tls = urlTls(f.url);
  const w = f.writer;
  writerInit(w, f.peer, PEER_MAX);
  putText(w, urlTls(f.url) ? S("tls://") : S("tcp://"));
  putBytes(w, urlHost(f.url), f.url.hostLen);
  putByte(w, 58);
  putDecimal(w, f.url.port);
  f.peerLength = <u32>writerDone(w);
  f.phase = FetchPhase.Waiting;
  f.due = due;
}

/** Give up: the fetch ends in Failed once the link is down. */
export function fetchCancel(f: Fetch): void {
  if (f.phase == FetchPhase.Idle || f.phase >= FetchPhase.Done) return;
  fail(f, Code.Interrupted, 0);
}

function fail(f: Fetch, code: i32, detail: i32): void {
  f.fault = code;
  f.detail = detail;
  close(f, FetchPhase.Failed);
}

/** Take the link down, then go to `after`. */
function close(f: Fetch, after: FetchPhase): void {
  f.after = after;
  f.raw = 0;
  f.txAt = f.txEnd;
  const linked = f.phase >= FetchPhase.Opening && f.phase <= FetchPhase.Closing && f.hungUp < 0;
  f.hungUp = -1;
  f.phase = linked ? FetchPhase.Closing : after;
}

/** Try again later, unless several tries in a row brought nothing new. */
function retry(f: Fetch, code: i32, detail: i32): void {
  // less than a block is no progress: a server may not keep a device busy byte by byte
  if (f.image.placed >= f.furthest + <u32>HTTP_BLOCK) {
    f.furthest = f.image.placed;
    f.tries = 0;
    f.backoff.attempt = 0;
  }
  f.tries += 1;
  if (f.tries > TRIES) return fail(f, code, detail);
  f.due = f.now + backoffNext(f.backoff, f.random, RETRY_BASE, RETRY_LONGEST);
  close(f, FetchPhase.Waiting);
}

/** -> whether the host should dial now. */
export function fetchTick(f: Fetch, now: u32): bool {
  f.now = now;
  // after a redirect the new address is judged once the old link is down
  if (f.phase == FetchPhase.Waiting && f.peerLength == 0) open(f, now);
  if (f.rate != 0 && reached(now, f.budgetDue)) {
    f.budget = f.rate / 4;
    f.budgetDue = now + BUDGET_INTERVAL;
  }
  if (f.held) {
    if (f.phase >= FetchPhase.Opening && f.phase <= FetchPhase.Body) {
      f.due = now;
      close(f, FetchPhase.Waiting);
    }
    return false;
  }
  if (f.phase == FetchPhase.Waiting && reached(now, f.due)) {
    f.phase = FetchPhase.Opening;
    f.due = now + SILENT;
    return true;
  }
  // while the flash is behind, the server is not the one that is silent
  if (f.phase == FetchPhase.Body && fetchRxCap(f) == 0) f.due = now + SILENT;
  if (f.phase < FetchPhase.Opening || f.phase > FetchPhase.Body || !reached(now, f.due)) return false;
  // all but the end of a chunked body is there: the digest will tell whether it is right
  if (f.phase == FetchPhase.Body && f.image.placed == f.image.size) close(f, FetchPhase.Done);
  else retry(f, Code.TimedOut, 0);
  return false;
}

/** Nothing could be done for `ms`, for reasons of ours: the server has as much more time. */
export function fetchShift(f: Fetch, ms: u32): void {
  if (f.phase >= FetchPhase.Opening && f.phase <= FetchPhase.Body) f.due += ms;
}

/** Milliseconds until fetchTick has something to do; -1 = nothing. */
export function fetchTimeout(f: Fetch): i32 {
  if (f.phase < FetchPhase.Waiting || f.phase > FetchPhase.Body || f.held) return -1;
  const limited = f.rate != 0 && f.budget == 0 && f.phase >= FetchPhase.Head;
  const ms = <i32>((limited ? f.budgetDue : f.due) - f.now);
  return ms < 0 ? 0 : ms;
}

/** The host has a link: send the request. */
export function fetchOpened(f: Fetch): void {
  const w = f.writer;
  writerInit(w, f.tx, HTTP_TX);
  const from = f.image.placed;
  httpGet(w, f.url, from, HTTP_OPEN, from != 0, false);
  f.txAt = 0;
  f.txEnd = <u32>writerDone(w);
  f.raw = 0;
  f.hungUp = -1;
  f.response.location = f.tx;
  f.response.locationCap = URL_MAX;
  httpInit(f.response);
  f.phase = FetchPhase.Head;
  f.due = f.now + SILENT;
}

/** The link is down or was not to be had. */
export function fetchClosed(f: Fetch, reason: i32): void {
  if (f.phase == FetchPhase.Closing) {
    f.phase = f.after;
    return;
  }
  if (f.phase < FetchPhase.Opening || f.phase > FetchPhase.Body) return;
  if (f.raw != 0) {
    f.hungUp = reason;
    return;
  }
  f.hungUp = -1;
  const opening = f.phase == FetchPhase.Opening;
  const whole = f.phase == FetchPhase.Body && f.image.placed == f.image.size;
  f.phase = FetchPhase.Waiting;
  if (reason == Closed.Untrusted) fail(f, Code.Untrusted, reason);
  else if (whole) f.phase = FetchPhase.Done;
  else retry(f, opening ? Code.LinkFailed : Code.Interrupted, <i32>f.image.placed);
}

/**
 * Where received bytes are decoded: behind the image's last byte, so that most are in place already. Once the image is
 * whole its last block is on its way to flash, padded, and what ends a chunked body goes where the request was.
 */
function rawPtr(f: Fetch): usize {
  return f.image.placed == f.image.size ? f.tx : imagePtr(f.image);
}

export function fetchRxPtr(f: Fetch): usize {
  return rawPtr(f) + f.raw;
}

export function fetchRxCap(f: Fetch): u32 {
  if ((f.phase != FetchPhase.Head && f.phase != FetchPhase.Body) || f.hungUp >= 0) return 0;
  const room = f.image.placed == f.image.size ? HTTP_TX : imageRoom(f.image);
  if (room <= f.raw) return 0;
  return f.rate != 0 && f.budget < room - f.raw ? f.budget : room - f.raw;
}

export function fetchReceived(f: Fetch, n: u32): void {
  // the answer has begun: what is left of the request is of no use, and its room is
  f.txAt = f.txEnd;
  f.raw += n;
  if (f.rate != 0) f.budget -= n;
  f.due = f.now + SILENT;
}

/** Decode what was received, by one bounded step. -> whether there is more to decode. */
export function fetchStep(f: Fetch): bool {
  if (f.raw == 0) return false;
  if (f.phase == FetchPhase.Head) head(f);
  else if (f.phase == FetchPhase.Body) {
    if (f.response.chunked) chunks(f);
    else identity(f);
  }
  if (f.raw == 0 && f.hungUp >= 0) fetchClosed(f, f.hungUp);
  return true;
}

function head(f: Fetch): void {
  const start = imagePtr(f.image);
  const n = f.raw < HEAD_SLICE ? f.raw : HEAD_SLICE;
  const result = httpHead(f.response, start, start + n);
  if (result < 0) return fail(f, result, <i32>f.response.status);
  const taken = <u32>(f.response.at - start);
  f.raw -= taken;
  move(start, start + taken, f.raw);
  if (result == HttpResult.Done) answer(f, start);
}

/** The head is complete; `start` is where the first bytes of the body lie. */
function answer(f: Fetch, start: usize): void {
  const r = f.response;
  const status = r.status;
  if (status == 200) {
    // the server does not do ranges: begin again, with the bytes that have come already
    if (f.image.placed != 0) {
      startOver(f);
      move(imagePtr(f.image), start, f.raw);
    }
    return body(f, r.hasLength, r.contentLength);
  }
  if (status == 206) {
    const total = r.rangeTotal == HTTP_OPEN ? f.image.size : r.rangeTotal;
    const inside = r.rangeFirst == f.image.placed && r.rangeLast < f.image.size;
    const part = r.range == ContentRange.Part && inside && total == f.image.size;
    const length = r.rangeLast - r.rangeFirst + 1;
    if (!part || (r.hasLength && r.contentLength != length)) return fail(f, Code.BadSize, <i32>r.rangeTotal);
    f.left = length;
    f.bounded = true;
    f.response.hasLength = true;
    f.phase = FetchPhase.Body;
    if (r.chunked) chunkedInit(f.chunked);
    return;
  }
  if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) return redirect(f);
  // it has less than we have: another package, and the digest will tell
  if (status == 416 && f.image.placed != 0) {
    startOver(f);
    return retry(f, Code.BadSize, <i32>r.rangeTotal);
  }
  if (status == 408 || status == 429 || status >= 500) return retry(f, Code.Refused, <i32>status);
  fail(f, status == 416 ? Code.BadSize : Code.Refused, <i32>status);
}

function startOver(f: Fetch): void {
  imageInit(f.image, f.image.slot, f.image.size, f.image.method);
}

/** A whole body: it must have the announced size. */
function body(f: Fetch, bounded: bool, length: u32): void {
  if (bounded && length != f.image.size) return fail(f, Code.BadSize, <i32>length);
  f.bounded = bounded || f.response.chunked;
  f.left = length;
  f.phase = FetchPhase.Body;
  if (f.response.chunked) chunkedInit(f.chunked);
}

function redirect(f: Fetch): void {
  const r = f.response;
  f.redirects += 1;
  if (r.locationLen == 0 || r.locationLen > URL_MAX || f.redirects > REDIRECTS)
    return fail(f, Code.Refused, <i32>r.status);
  writerInit(f.writer, f.tx + URL_MAX, URL_MAX);
  const length = urlResolve(f.writer, f.url, f.tx, r.locationLen);
  if (length < 0) return fail(f, length, <i32>r.status);
  copy(f.urlText, f.tx + URL_MAX, length);
  f.urlLength = length;
  f.peerLength = 0;
  close(f, FetchPhase.Waiting);
}

function identity(f: Fetch): void {
  const image = f.image;
  const missing = image.size - image.placed;
  let n = f.raw;
  if (f.bounded && n > f.left) n = f.left;
  if (n > missing || n < f.raw) return fail(f, Code.BadSize, <i32>(image.placed + f.raw));
  imagePlaced(image, n);
  f.raw = 0;
  f.left -= f.bounded ? n : 0;
  if (f.bounded && f.left == 0) ended(f);
}

function chunks(f: Fetch): void {
  const image = f.image;
  let at = rawPtr(f);
  const end = at + f.raw;
  for (let i: u32 = 0; i < CHUNKS_SLICE; i++) {
    const part = chunkedNext(f.chunked, at, end);
    at = f.chunked.at;
    f.raw = <u32>(end - at);
    if (part < 0) return fail(f, part, 0);
    if (part == ChunkedPart.NeedMore) return;
    if (part == ChunkedPart.End) return ended(f);
    const n = f.chunked.dataLen;
    if (n > image.size - image.placed) return fail(f, Code.BadSize, <i32>(image.placed + n));
    move(imagePtr(image), f.chunked.dataPtr, n);
    imagePlaced(image, n);
  }
  // what is left moves up to where the next step looks for it
  if (f.raw != 0) move(rawPtr(f), at, f.raw);
}

/** The body is over. */
function ended(f: Fetch): void {
  if (f.image.placed == f.image.size) return close(f, FetchPhase.Done);
  // a part that ends early is gone on with; a whole body that does so is short
  if (f.response.status == 206) return retry(f, Code.BadSize, <i32>f.image.placed);
  fail(f, Code.BadSize, <i32>f.image.placed);
}
