/** What a server answers: the head, what follows from its status, and the body on its way into the image. */
import { Code } from "../abi";
import { copy, move } from "../bytes/text";
import { writerInit } from "../bytes/writer";
import { ChunkedPart, chunkedInit, chunkedNext } from "../codec/chunked";
import { ContentRange, HTTP_OPEN, HttpResult, httpHead } from "../codec/http";
import { urlResolve } from "../codec/url";
import { URL_MAX, WITH_CHUNKED, WITH_REDIRECTS } from "../profile";
import { Fetch, fetchClose, fetchFail, FetchPhase, fetchRaw, fetchRetry } from "./fetch_task";
import { imageInit, imagePlaced, imagePtr } from "./image";

/** Redirects in a row (RFC 9110 §15.4 asks for a bound). */
const REDIRECTS: u32 = 5;
/** Bytes of a head, and chunks of a body, that are decoded in one step: bounds the work of a call. */
const HEAD_SLICE: u32 = 256;
const CHUNKS_SLICE: u32 = 64;

export function fetchHead(f: Fetch): void {
  const start = imagePtr(f.image);
  const n = f.raw < HEAD_SLICE ? f.raw : HEAD_SLICE;
  const result = httpHead(f.response, start, start + n);
  if (result < 0) return fetchFail(f, result, <i32>f.response.status);
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
    if (!part || (r.hasLength && r.contentLength != length)) return fetchFail(f, Code.BadSize, <i32>r.rangeTotal);
    f.left = length;
    if (WITH_CHUNKED) f.bounded = true;
    f.response.hasLength = true;
    f.phase = FetchPhase.Body;
    if (WITH_CHUNKED && r.chunked) chunkedInit(f.chunked);
    return;
  }
  if (WITH_REDIRECTS && (status == 301 || status == 302 || status == 303 || status == 307 || status == 308))
    return redirect(f);
  // it has less than we have: another package, and the digest will tell
  if (status == 416 && f.image.placed != 0) {
    startOver(f);
    return fetchRetry(f, Code.BadSize, <i32>r.rangeTotal);
  }
  if (status == 408 || status == 429 || status >= 500) return fetchRetry(f, Code.Refused, <i32>status);
  fetchFail(f, status == 416 ? Code.BadSize : Code.Refused, <i32>status);
}

function startOver(f: Fetch): void {
  imageInit(f.image, f.image.slot, f.image.size, f.image.method);
}

/** A whole body: it must have the announced size. */
function body(f: Fetch, bounded: bool, length: u32): void {
  if (bounded && length != f.image.size) return fetchFail(f, Code.BadSize, <i32>length);
  f.phase = FetchPhase.Body;
  // without chunks a body ends with the image's last byte
  f.left = f.image.size;
  if (!WITH_CHUNKED) return;
  f.bounded = bounded || f.response.chunked;
  if (f.response.chunked) chunkedInit(f.chunked);
}

function redirect(f: Fetch): void {
  const r = f.response;
  f.redirects += 1;
  if (r.locationLen == 0 || r.locationLen > URL_MAX || f.redirects > REDIRECTS)
    return fetchFail(f, Code.Refused, <i32>r.status);
  writerInit(f.writer, f.tx + URL_MAX, URL_MAX);
  const length = urlResolve(f.writer, f.url, f.tx, r.locationLen);
  if (length < 0) return fetchFail(f, length, <i32>r.status);
  copy(f.urlText, f.tx + URL_MAX, length);
  f.urlLength = length;
  f.peerLength = 0;
  fetchClose(f, FetchPhase.Waiting);
}

/** Decode what there is of the body. */
export function fetchBody(f: Fetch): void {
  if (WITH_CHUNKED && f.response.chunked) chunks(f);
  else identity(f);
}

function identity(f: Fetch): void {
  const image = f.image;
  const missing = image.size - image.placed;
  const bounded = !WITH_CHUNKED || f.bounded;
  let n = f.raw;
  if (bounded && n > f.left) n = f.left;
  if (n > missing || n < f.raw) return fetchFail(f, Code.BadSize, <i32>(image.placed + f.raw));
  imagePlaced(image, n);
  f.raw = 0;
  f.left -= bounded ? n : 0;
  if (bounded && f.left == 0) ended(f);
}

function chunks(f: Fetch): void {
  const image = f.image;
  let at = fetchRaw(f);
  const end = at + f.raw;
  for (let i: u32 = 0; i < CHUNKS_SLICE; i++) {
    const part = chunkedNext(f.chunked, at, end);
    at = f.chunked.at;
    f.raw = <u32>(end - at);
    if (part < 0) return fetchFail(f, part, 0);
    if (part == ChunkedPart.NeedMore) return;
    if (part == ChunkedPart.End) return ended(f);
    const n = f.chunked.dataLen;
    if (n > image.size - image.placed) return fetchFail(f, Code.BadSize, <i32>(image.placed + n));
    move(imagePtr(image), f.chunked.dataPtr, n);
    imagePlaced(image, n);
  }
  // what is left moves up to where the next step looks for it
  if (f.raw != 0) move(fetchRaw(f), at, f.raw);
}

/** The body is over. */
function ended(f: Fetch): void {
  if (f.image.placed == f.image.size) return fetchClose(f, FetchPhase.Done);
  // a part that ends early is gone on with; a whole body that does so is short
  if (f.response.status == 206) return fetchRetry(f, Code.BadSize, <i32>f.image.placed);
  fetchFail(f, Code.BadSize, <i32>f.image.placed);
}
