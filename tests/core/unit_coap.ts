// The CoAP codec's internals for tests on Node, as unit_codec.ts.

import * as coap from "../../assembly/codec/coap";
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
