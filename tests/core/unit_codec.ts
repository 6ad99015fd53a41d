// The codecs' internals for tests on Node. Structures are the caller's memory of the size told; fields are passed in and
// out by functions, so that no test knows a layout.

import { Chunked, chunkedInit as beginChunked, chunkedNext as nextChunk } from "../../assembly/codec/chunked";
import * as http from "../../assembly/codec/http";
import * as json from "../../assembly/codec/json";
import { jsonEscape as writeEscaped } from "../../assembly/codec/json_escape";
import * as url from "../../assembly/codec/url";
import { Writer, writerDone, writerInit } from "../../assembly/bytes/writer";

const WRITER = memory.data(offsetof<Writer>());

function writer(ptr: usize, cap: u32): Writer {
  const w = changetype<Writer>(WRITER);
  writerInit(w, ptr, cap);
  return w;
}

// ---- json

export function jsonSize(): i32 {
  return offsetof<json.JsonReader>();
}

export function jsonInit(r: usize): void {
  json.jsonInit(changetype<json.JsonReader>(r));
}

export function jsonInput(r: usize, at: usize, end: usize): void {
  changetype<json.JsonReader>(r).at = at;
  changetype<json.JsonReader>(r).end = end;
}

export function jsonSink(r: usize, out: usize, cap: u32): void {
  changetype<json.JsonReader>(r).out = out;
  changetype<json.JsonReader>(r).cap = cap;
}

export function jsonNext(r: usize): i32 {
  return json.jsonNext(changetype<json.JsonReader>(r));
}

export function jsonFinish(r: usize): i32 {
  return json.jsonFinish(changetype<json.JsonReader>(r));
}

export function jsonAt(r: usize): usize {
  return changetype<json.JsonReader>(r).at;
}

export function jsonCap(r: usize): u32 {
  return changetype<json.JsonReader>(r).cap;
}

export function jsonLen(r: usize): u32 {
  return changetype<json.JsonReader>(r).len;
}

export function jsonTotal(r: usize): u32 {
  return changetype<json.JsonReader>(r).total;
}

export function jsonDepth(r: usize): i32 {
  return changetype<json.JsonReader>(r).depth;
}

export function jsonKeyPtr(r: usize): usize {
  return json.jsonKeyPtr(changetype<json.JsonReader>(r));
}

export function jsonKeyLen(r: usize): u32 {
  return changetype<json.JsonReader>(r).keyLen;
}

/** -> bytes written at `out`, or -1. */
export function jsonEscape(out: usize, cap: u32, ptr: usize, len: u32): i32 {
  const w = writer(out, cap);
  writeEscaped(w, ptr, len);
  return writerDone(w);
}

// ---- url

export function urlSize(): i32 {
  return offsetof<url.Url>();
}

export function urlParse(u: usize, ptr: usize, len: u32): i32 {
  return url.urlParse(changetype<url.Url>(u), ptr, len);
}

export function urlField(u: usize, field: i32): u32 {
  const it = changetype<url.Url>(u);
  switch (field) {
    case 0:
      return it.scheme;
    case 1:
      return it.port;
    case 2:
      return it.hostAt;
    case 3:
      return it.hostLen;
    case 4:
      return it.pathAt;
    case 5:
      return it.pathLen;
  }
  return url.urlTls(it) ? 1 : 0;
}

export function urlResolve(out: usize, cap: u32, u: usize, ptr: usize, len: u32): i32 {
  return url.urlResolve(writer(out, cap), changetype<url.Url>(u), ptr, len);
}

// ---- http

export function httpGet(out: usize, cap: u32, u: usize, from: u32, to: u32, ranged: bool): i32 {
  const w = writer(out, cap);
  http.httpGet(w, changetype<url.Url>(u), from, to, ranged);
  return writerDone(w);
}

export function httpSize(): i32 {
  return offsetof<http.HttpResponse>();
}

export function httpInit(r: usize, location: usize, cap: u32): void {
  const it = changetype<http.HttpResponse>(r);
  it.location = location;
  it.locationCap = cap;
  http.httpInit(it);
}

export function httpHead(r: usize, at: usize, end: usize): i32 {
  return http.httpHead(changetype<http.HttpResponse>(r), at, end);
}

export function httpAt(r: usize): usize {
  return changetype<http.HttpResponse>(r).at;
}

export function httpField(r: usize, field: i32): u32 {
  const it = changetype<http.HttpResponse>(r);
  switch (field) {
    case 0:
      return it.status;
    case 1:
      return it.hasLength ? 1 : 0;
    case 2:
      return it.contentLength;
    case 3:
      return it.chunked ? 1 : 0;
    case 4:
      return it.range;
    case 5:
      return it.rangeFirst;
    case 6:
      return it.rangeLast;
    case 7:
      return it.rangeTotal;
  }
  return it.locationLen;
}

// ---- chunked

export function chunkedSize(): i32 {
  return offsetof<Chunked>();
}

export function chunkedInit(c: usize): void {
  beginChunked(changetype<Chunked>(c));
}

export function chunkedNext(c: usize, at: usize, end: usize): i32 {
  return nextChunk(changetype<Chunked>(c), at, end);
}

export function chunkedAt(c: usize): usize {
  return changetype<Chunked>(c).at;
}

export function chunkedDataPtr(c: usize): usize {
  return changetype<Chunked>(c).dataPtr;
}

export function chunkedDataLen(c: usize): u32 {
  return changetype<Chunked>(c).dataLen;
}
