/**
 * Fetches a firmware image over HTTP/1.1 into an Image: one GET at a time, redirects within limits, and after a lost link
 * a range request for what is missing. A response is used only if its lengths agree with what the platform announced.
 *
 *   Waiting ── due ──> Opening ── opened ──> Head ── 200, 206 ──> Body ── last byte ──> Closing ──> Done
 *      ^                                      |                     |                     |  |
 *      └──────────── lost, 5xx, silent ───────┴─────────────────────┴─────────────────────┘  └───> Failed
 */
import { Closed, Code } from "../abi";
import { S } from "../bytes/text";
import { putByte, putBytes, putDecimal, putText, writerDone, writerInit } from "../bytes/writer";
import { HTTP_OPEN, httpGet, httpInit } from "../codec/http";
import { urlHost, urlParse, urlTls } from "../codec/url";
import { fetchBody, fetchHead } from "./fetch_answer";
import {
  Fetch,
  fetchClose,
  fetchFail,
  fetchHeld,
  FetchPhase,
  fetchRaw,
  fetchRetry,
  fetchTxPtr,
  fetchTxRoom,
  HTTP_TX,
  PEER_MAX,
} from "./fetch_task";
import { URL_MAX, WITH_CHUNKED, WITH_RATE, WITH_REDIRECTS } from "../profile";
import { imageRoom } from "./image";
import { reached } from "./mqtt_session";

/** A server that sends nothing for this long is given up, ms. */
const SILENT: u32 = 30000;
/** A rate limit is kept over intervals of a quarter of a second, ms. */
const BUDGET_INTERVAL: u32 = 250;

/** Fetch `urlLength` bytes of URL at urlText into the image, from where the image stands. */
export function fetchStart(f: Fetch, urlLength: u32): void {
  f.urlLength = urlLength;
  if (WITH_REDIRECTS) f.redirects = 0;
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
  if (parsed < 0 || f.url.scheme > 1) return fetchFail(f, parsed < 0 ? parsed : Code.Unsupported, 0);
  // a redirect may lead from plain to TLS, never back
  if (!urlTls(f.url) && (!f.plainAllowed || (WITH_REDIRECTS && f.tls && f.redirects != 0)))
    return fetchFail(f, Code.NotAllowed, 0);
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

/** -> whether the host should dial now. */
export function fetchTick(f: Fetch, now: u32): bool {
  f.now = now;
  // after a redirect the new address is judged once the old link is down
  if (WITH_REDIRECTS && f.phase == FetchPhase.Waiting && f.peerLength == 0) open(f, now);
  if (WITH_RATE && f.rate != 0 && reached(now, f.budgetDue)) {
    f.budget = f.rate / 4;
    f.budgetDue = now + BUDGET_INTERVAL;
  }
  if (fetchHeld(f)) {
    if (f.phase >= FetchPhase.Opening && f.phase <= FetchPhase.Body) {
      f.due = now;
      fetchClose(f, FetchPhase.Waiting);
    }
    return false;
  }
  if (f.phase == FetchPhase.Waiting && reached(now, f.due) && fetchTxRoom(f)) {
    f.phase = FetchPhase.Opening;
    f.due = now + SILENT;
    return true;
  }
  // while the flash is behind, the server is not the one that is silent
  if (f.phase == FetchPhase.Body && fetchRxCap(f) == 0) f.due = now + SILENT;
  if (f.phase < FetchPhase.Opening || f.phase > FetchPhase.Body || !reached(now, f.due)) return false;
  // all but the end of a chunked body is there: the digest will tell whether it is right
  if (WITH_CHUNKED && f.phase == FetchPhase.Body && f.image.placed == f.image.size) fetchClose(f, FetchPhase.Done);
  else fetchRetry(f, Code.TimedOut, 0);
  return false;
}

/** Nothing could be done for `ms`, for reasons of ours: the server has as much more time. */
export function fetchShift(f: Fetch, ms: u32): void {
  if (f.phase >= FetchPhase.Opening && f.phase <= FetchPhase.Body) f.due += ms;
}

/** Milliseconds until fetchTick has something to do; -1 = nothing. */
export function fetchTimeout(f: Fetch): i32 {
  if (f.phase < FetchPhase.Waiting || f.phase > FetchPhase.Body || fetchHeld(f)) return -1;
  // the flash is what is waited for
  if (f.phase == FetchPhase.Waiting && !fetchTxRoom(f)) return -1;
  const limited = WITH_RATE && f.rate != 0 && f.budget == 0 && f.phase >= FetchPhase.Head;
  const ms = <i32>((limited ? f.budgetDue : f.due) - f.now);
  return ms < 0 ? 0 : ms;
}

/** The host has a link: send the request. */
export function fetchOpened(f: Fetch): void {
  const w = f.writer;
  writerInit(w, fetchTxPtr(f), HTTP_TX);
  const from = f.image.placed;
  httpGet(w, f.url, from, HTTP_OPEN, from != 0);
  f.txAt = 0;
  f.txEnd = <u32>writerDone(w);
  f.raw = 0;
  f.hungUp = -1;
  if (WITH_REDIRECTS) {
    f.response.location = f.tx;
    f.response.locationCap = URL_MAX;
  }
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
  const whole = WITH_CHUNKED && f.phase == FetchPhase.Body && f.image.placed == f.image.size;
  f.phase = FetchPhase.Waiting;
  if (reason == Closed.Untrusted) fetchFail(f, Code.Untrusted, reason);
  else if (whole) f.phase = FetchPhase.Done;
  else fetchRetry(f, opening ? Code.LinkFailed : Code.Interrupted, <i32>f.image.placed);
}

export function fetchRxPtr(f: Fetch): usize {
  return fetchRaw(f) + f.raw;
}

export function fetchRxCap(f: Fetch): u32 {
  if ((f.phase != FetchPhase.Head && f.phase != FetchPhase.Body) || f.hungUp >= 0) return 0;
  const room = WITH_CHUNKED && f.image.placed == f.image.size ? HTTP_TX : imageRoom(f.image);
  if (room <= f.raw) return 0;
  return WITH_RATE && f.rate != 0 && f.budget < room - f.raw ? f.budget : room - f.raw;
}

export function fetchReceived(f: Fetch, n: u32): void {
  // the answer has begun: what is left of the request is of no use, and its room is
  f.txAt = f.txEnd;
  f.raw += n;
  if (WITH_RATE && f.rate != 0) f.budget -= n;
  f.due = f.now + SILENT;
}

/** Decode what was received, by one bounded step. -> whether there is more to decode. */
export function fetchStep(f: Fetch): bool {
  if (f.raw == 0) return false;
  if (f.phase == FetchPhase.Head) fetchHead(f);
  else if (f.phase == FetchPhase.Body) fetchBody(f);
  if (f.raw == 0 && f.hungUp >= 0) fetchClosed(f, f.hungUp);
  return true;
}
