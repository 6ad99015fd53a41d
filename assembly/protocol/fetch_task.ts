/** The download in hand: what is remembered of it, and how it ends, for good or until the next try. */
import { Code } from "../abi";
import { Writer } from "../bytes/writer";
import { Chunked } from "../codec/chunked";
import { HttpResponse } from "../codec/http";
import { Url } from "../codec/url";
import { HTTP_BLOCK, REQUEST_ROOM, URL_MAX, WITH_CHUNKED, WITH_QUIET } from "../profile";
import { Backoff, backoffNext, Random } from "./backoff";
import { Image, imagePtr } from "./image";

/** Request, and later the Location of a redirect and what it resolves to. */
export const HTTP_TX: u32 = REQUEST_ROOM ? 2 * URL_MAX : HTTP_BLOCK;
/** Longest peer URI: scheme, host, port. */
export const PEER_MAX: u32 = 272;
/** Tries in a row that brought nothing new. */
const TRIES: u32 = 10;
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
  hungUp: i32 = 0;
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

/** Whether no link is wanted now. */
export function fetchHeld(f: Fetch): bool {
  return WITH_QUIET && f.held;
}

/** Where the request stands. */
export function fetchTxPtr(f: Fetch): usize {
  return REQUEST_ROOM ? f.tx : f.image.window + (~f.image.placed & <u32>HTTP_BLOCK);
}

/** Whether there is room for a request: one half of the window, at least, holds nothing that is still on its way to flash. */
export function fetchTxRoom(f: Fetch): bool {
  return REQUEST_ROOM || f.image.placed - f.image.done < <u32>HTTP_BLOCK;
}

/** Give up: the fetch ends in Failed once the link is down. */
export function fetchCancel(f: Fetch): void {
  if (f.phase == FetchPhase.Idle || f.phase >= FetchPhase.Done) return;
  fetchFail(f, Code.Interrupted, 0);
}

export function fetchFail(f: Fetch, code: i32, detail: i32): void {
  f.fault = code;
  f.detail = detail;
  fetchClose(f, FetchPhase.Failed);
}

/** Take the link down, then go to `after`. */
export function fetchClose(f: Fetch, after: FetchPhase): void {
  f.after = after;
  f.raw = 0;
  f.txAt = f.txEnd;
  const linked = f.phase >= FetchPhase.Opening && f.phase <= FetchPhase.Closing && f.hungUp < 0;
  f.hungUp = -1;
  f.phase = linked ? FetchPhase.Closing : after;
}

/** Try again later, unless several tries in a row brought nothing new. */
export function fetchRetry(f: Fetch, code: i32, detail: i32): void {
  // less than a block is no progress: a server may not keep a device busy byte by byte
  if (f.image.placed >= f.furthest + <u32>HTTP_BLOCK) {
    f.furthest = f.image.placed;
    f.tries = 0;
    f.backoff.attempt = 0;
  }
  f.tries += 1;
  if (f.tries > TRIES) return fetchFail(f, code, detail);
  f.due = f.now + backoffNext(f.backoff, f.random, RETRY_BASE, RETRY_LONGEST);
  fetchClose(f, FetchPhase.Waiting);
}

/**
 * Where received bytes are decoded: behind the image's last byte, so that most are in place already. Once the image is
 * whole its last block is on its way to flash, padded, and what ends a chunked body goes where the request was.
 */
export function fetchRaw(f: Fetch): usize {
  return WITH_CHUNKED && f.image.placed == f.image.size ? f.tx : imagePtr(f.image);
}
