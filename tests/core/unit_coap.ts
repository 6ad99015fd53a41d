// The CoAP codec's internals for tests on Node, as unit_codec.ts.

import * as cbor from "../../assembly/codec/cbor";
import { cborDecode as decode } from "../../assembly/codec/cbor_decode";
import { cborEncode as encode, cborEncodeInit } from "../../assembly/codec/cbor_encode";
import * as coap from "../../assembly/codec/coap";
import { JsonReader, JsonToken, jsonInit } from "../../assembly/codec/json";
import { putBytes, Writer, writerDone, writerInit } from "../../assembly/bytes/writer";

const WRITER = memory.data(offsetof<Writer>());

function w(): Writer {
  return changetype<Writer>(WRITER);
}

export function coapSize(): i32 {
  return offsetof<coap.CoapMessage>();
}

export function coapParse(m: usize, ptr: usize, len: u32): i32 {
  return coap.coapParse(changetype<coap.CoapMessage>(m), ptr, len);
}

export function coapNext(m: usize): i32 {
  return coap.coapNext(changetype<coap.CoapMessage>(m));
}

export function coapNumber(m: usize): i32 {
  return coap.coapNumber(changetype<coap.CoapMessage>(m));
}

export function coapField(m: usize, field: i32): u32 {
  const it = changetype<coap.CoapMessage>(m);
  switch (field) {
    case 0:
      return it.type;
    case 1:
      return it.code;
    case 2:
      return it.messageId;
    case 3:
      return <u32>it.token;
    case 4:
      return it.tokenLen;
    case 5:
      return <u32>it.payload;
    case 6:
      return it.payloadLen;
    case 7:
      return it.number;
    case 8:
      return <u32>it.value;
  }
  return it.valueLen;
}

/** Begin a message at `out`; what follows is written behind it. */
export function coapHeader(out: usize, cap: u32, type: i32, code: u32, id: u32, token: usize, tokenLen: u32): void {
  writerInit(w(), out, cap);
  coap.coapPutHeader(w(), type, code, id, token, tokenLen);
}

export function coapOption(delta: u32, ptr: usize, len: u32): void {
  coap.coapPutOption(w(), delta, ptr, len);
}

export function coapNumberOption(delta: u32, value: u32): void {
  coap.coapPutNumber(w(), delta, value);
}

export function coapPath(delta: u32, ptr: usize, len: u32): void {
  coap.coapPutPath(w(), delta, ptr, len);
}

export function coapPayload(ptr: usize, len: u32): void {
  coap.coapPutMarker(w());
  putBytes(w(), ptr, len);
}

/** -> bytes written, or -1. */
export function coapDone(): i32 {
  return writerDone(w());
}

// ---- cbor

const CBOR = memory.data(offsetof<cbor.Cbor>());
const STACK = memory.data(cbor.CBOR_STACK);
const READER = memory.data(offsetof<JsonReader>());

function its(): cbor.Cbor {
  const c = changetype<cbor.Cbor>(CBOR);
  c.stack = STACK;
  return c;
}

/** Write the CBOR of the JSON in slices of `slice` bytes. -> its length, or a code. */
export function cborEncode(out: usize, cap: u32, ptr: usize, len: u32, slice: u32): i32 {
  const r = changetype<JsonReader>(READER);
  jsonInit(r);
  writerInit(w(), out, cap);
  cborEncodeInit(its(), r, w());
  r.at = ptr;
  r.end = ptr;
  let code: i32 = JsonToken.NeedMore;
  for (let left = len; left != 0 && code >= 0; ) {
    const n = left < slice ? left : slice;
    r.end += n;
    left -= n;
    code = encode(its(), r, w());
  }
  return code < 0 ? code : code == JsonToken.End ? writerDone(w()) : -1;
}

/** Write the JSON of the CBOR in slices; the text is put together from pieces of 96 bytes. -> its length, or a code. */
export function cborDecode(out: usize, ptr: usize, len: u32, slice: u32): i32 {
  const c = its();
  cbor.cborInit(c);
  c.at = ptr;
  c.end = ptr;
  let to = out;
  for (let left = len; c.at < c.end || left != 0; ) {
    if (c.at == c.end) {
      const n = left < slice ? left : slice;
      c.end += n;
      left -= n;
    }
    writerInit(w(), to, 96);
    const code = decode(c, w());
    if (code < 0) return code;
    to += writerDone(w());
  }
  return c.done ? <i32>(to - out) : -1;
}
