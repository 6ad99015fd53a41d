/** Writes the requests of Alink over CoAP (§4): path, options, and the payload that is then encrypted slice by slice. */
import { copy, L, litLen, litPtr, S, wordAt } from "../bytes/text";
import { putByte, putDecimal, putHex, putTemplate, putText, Writer, writerDone, writerInit } from "../bytes/writer";
import { cborPutHead, cborPutText } from "../codec/cbor";
import { cborEncode, cborEncodeInit } from "../codec/cbor_encode";
import {
  CoapOption,
  CoapType,
  ContentFormat,
  coapPutMarker,
  coapPutNumber,
  coapPutOption,
  coapPutOptionHead,
  coapPutPath,
} from "../codec/coap";
import { jsonInit } from "../codec/json";
import { cbcBlocks, cbcSeal, cbcStart } from "../crypto/aes";
import { AES_BLOCK, Direction } from "../crypto/aes_context";
import { digestLength, hmacFinal, hmacInit } from "../crypto/hmac";
import { DATAGRAM, exchangeBegin, exchangeSend } from "./coap_exchange";
import { CoapSession, ENVELOPE_HEAD, ENVELOPE_TAIL, MEMBERS, Request, Step } from "./coap_task";
import { IDENTIFIER_MAX } from "./identifier";
import { absorb, signMethodName } from "./sign";

/** Largest ciphertext that goes in one datagram: what the longest path and token leave, in whole AES blocks. */
const SINGLE: u32 = 512;
/** Size exponent of Block1 for more than that: 512 bytes (RFC 7959 §2.2). */
export const SZX: u32 = 5;
/** Bytes encrypted in one step. */
const SLICE: u32 = 128;
/** Bytes of JSON made CBOR in one step. */
const ENCODED: u32 = 48;
/** The initialisation vector of every message (Alink §4). */
const IV: usize = S("543yhjy97ae7fyfg") + 1;

/** Longest path as text, without a topic of the application's own. */
const PATH_MAX: u32 = 136;

// By request, in its order; the fields are those of coap_events.ts.

const PATHS: usize = L(
  "auth",
  "topic/ota/device/inform/\x09/\x0a",
  "pull",
  "topic/sys/\x09/\x0a/thing/event/\x0f/post",
  "topic",
  "topic/sys/\x09/\x0a/thing/service/property/set_reply",
);

/** What stands before the application's bytes, and the whole payload where there are none. */
const HEADS: usize = L(
  "",
  '{"id":"\x04","params":{"version":"\x0b"}}',
  '{"pageSize":"1"}',
  '{"id":"\x05","version":"1.0","method":"thing.event.\x0f.post","params":',
  "",
  '{"id":\x0e,"code":\x06,"data":',
);

/** What stands behind them. */
const TAILS: usize = L("", "", "", "}", "", "}");

/**
 * Write the datagram up to its payload. The path is put together at the window's end, which nothing else reaches before it
 * has been read.
 */
export function compose(s: CoapSession): void {
  const e = s.exchange;
  const w = e.writer;
  const auth = s.request == Request.Auth;
  const own = s.request < Request.Property;
  const binary = s.cbor && !s.asJson && s.request == Request.Property;
  envelope(s);
  if (s.offset == 0) s.szx = binary || s.plainLen < SINGLE ? 7 : SZX;
  writerInit(w, e.tx + DATAGRAM - PATH_MAX, PATH_MAX);
  putTemplate(w, wordAt(PATHS, s.request - 1), s.fields, 0);
  const length = <u32>(w.at - w.start);
  exchangeBegin(e, own || !s.unconfirmed ? CoapType.Confirmable : CoapType.NonConfirmable);
  coapPutPath(w, CoapOption.UriPath, e.tx + DATAGRAM - PATH_MAX, length);
  if (s.request == Request.Publish) coapPutPath(w, 0, s.body, s.topicLen);
  const format = binary ? ContentFormat.Cbor : ContentFormat.Json;
  coapPutNumber(w, 1, s.request == Request.Publish ? ContentFormat.Octets : format);
  coapPutNumber(w, CoapOption.Accept - CoapOption.ContentFormat, s.cbor ? ContentFormat.Cbor : ContentFormat.Json);
  const size: u32 = 16 << s.szx;
  s.last = s.szx == 7 || s.offset + size >= (s.plainLen & ~(AES_BLOCK - 1)) + AES_BLOCK;
  const block = putBlock(w, s);
  if (!auth) {
    coapPutOption(w, CoapOption.Token - block, litPtr(s.token), litLen(s.token));
    putSequence(w, s);
  }
  if (s.received != 0) return launch(s, writerDone(w));
  coapPutMarker(w);
  s.target = w.at;
  if (binary) return encodeBegin(s, w);
  if (auth) {
    putAuth(w, s);
    return launch(s, writerDone(w));
  }
  s.source += s.offset;
  s.left = s.last ? s.plainLen - s.offset : size;
  beginChain(s, Direction.Encrypt, s.offset == 0);
  s.step = Step.Seal;
}

/** The option of RFC 7959 that the request needs, if any. -> the number of the last option so far. */
function putBlock(w: Writer, s: CoapSession): CoapOption {
  // a long answer to a pull is to come in blocks from the start (§2.4)
  let option = CoapOption.Block2;
  let value = SZX;
  // and its next block is asked for without a payload (§3.3)
  if (s.received != 0) value = ((s.received >>> (s.szx2 + 4)) << 4) | s.szx2;
  else if (s.request != Request.Pull) {
    if (s.szx == 7) return CoapOption.Accept;
    option = CoapOption.Block1;
    value = ((s.offset >>> (s.szx + 4)) << 4) | (s.last ? 0 : 8) | s.szx;
  }
  coapPutNumber(w, option - CoapOption.Accept, value);
  return option;
}

function launch(s: CoapSession, length: i32): void {
  exchangeSend(s.exchange, length);
  s.step = Step.Await;
}

/** Set the cipher to the beginning of a message, or to where its last block ended. */
export function beginChain(s: CoapSession, direction: Direction, first: bool): void {
  // the small grade has one set of round keys for both directions
  s.aes.direction = direction;
  cbcStart(s.aes, first ? IV : changetype<usize>(s) + offsetof<CoapSession>("chain"));
}

export function keepChain(s: CoapSession): void {
  copy(changetype<usize>(s) + offsetof<CoapSession>("chain"), changetype<usize>(s.aes), AES_BLOCK);
}

/** Option 2089: the number of the request in decimal, encrypted by itself. */
function putSequence(w: Writer, s: CoapSession): void {
  beginChain(s, Direction.Encrypt, true);
  coapPutOptionHead(w, 1, AES_BLOCK);
  const at = w.at;
  putDecimal(w, s.used);
  const length = <u32>(w.at - at);
  // at most ten digits, so one block
  w.at += cbcSeal(s.aes, at, at, length) - length;
  w.need += AES_BLOCK - length;
}

/** Encrypt a slice of the payload; after the last one the datagram goes out. */
export function seal(s: CoapSession): void {
  const n = s.left < SLICE ? s.left : SLICE;
  const ends = n == s.left;
  let made = n;
  if (ends && s.last) made = cbcSeal(s.aes, s.target, s.source, n);
  else cbcBlocks(s.aes, s.target, s.source, n);
  s.source += n;
  s.target += made;
  s.left -= n;
  if (!ends) return;
  keepChain(s);
  launch(s, <i32>(s.target - s.exchange.tx));
}

/** The envelope of a post as CBOR up to its params, the members in the order of RFC 8949 §4.2.1. */
function encodeBegin(s: CoapSession, w: Writer): void {
  // what does not fit goes as JSON, in blocks
  w.end = s.target + SINGLE - 1;
  cborPutHead(w, 0xa0, 4);
  text(w, S("id"));
  const at = w.at;
  putByte(w, 0);
  putDecimal(w, s.id);
  store<u8>(at, 0x60 + <u32>(w.at - at) - 1);
  text(w, S("method"));
  cborPutHead(w, 0x60, litLen(s.name) + 17);
  putTemplate(w, S("thing.event.\x0f.post"), s.fields, 0);
  text(w, S("params"));
  const r = s.reply.reader;
  jsonInit(r);
  r.at = s.data;
  r.end = s.data;
  cborEncodeInit(s.codec, r, w);
  s.left = s.dataLen;
  s.step = Step.Encode;
}

function text(w: Writer, literal: usize): void {
  cborPutText(w, litPtr(literal), litLen(literal));
}

/** Make the next slice of the post CBOR. */
export function encode(s: CoapSession): void {
  const w = s.exchange.writer;
  const r = s.reply.reader;
  const n = s.left < ENCODED ? s.left : ENCODED;
  r.end += n;
  s.left -= n;
  const code = cborEncode(s.codec, r, w);
  if (code >= 0 && s.left != 0) return;
  text(w, S("version"));
  text(w, S("1.0"));
  if (code < 0 || writerDone(w) < 0) {
    s.asJson = true;
    s.step = Step.Compose;
    return;
  }
  s.plainLen = <u32>(w.at - s.target);
  s.source = s.target;
  s.left = s.plainLen;
  s.last = true;
  beginChain(s, Direction.Encrypt, true);
  s.step = Step.Seal;
}

/** The payload as JSON: the application's, with the envelope in the room before and behind it, or all of it in that before. */
function envelope(s: CoapSession): void {
  const w = s.exchange.writer;
  const own = s.request < Request.Property;
  const data = own ? s.body : s.data;
  const length = own ? 0 : s.dataLen;
  // before the datagram is begun its window is free
  writerInit(w, s.exchange.tx, ENVELOPE_HEAD + IDENTIFIER_MAX);
  putTemplate(w, wordAt(HEADS, s.request - 1), s.fields, 0);
  const head = <u32>(w.at - w.start);
  s.source = data - head;
  copy(s.source, w.start, head);
  writerInit(w, data + length, ENVELOPE_TAIL);
  putTemplate(w, wordAt(TAILS, s.request - 1), s.fields, 0);
  s.plainLen = <u32>(w.at - s.source);
}

/**
 * Sign the request for a token, in two steps: every member but sign and signmethod, in ASCII order (Alink §4). The seed of the sequence,
 * `seq`, is of no use to anyone: it is told in plain text, and the platform answers with its own.
 */
export function signBegin(s: CoapSession): void {
  const i = s.identity;
  const w = s.exchange.writer;
  writerInit(w, s.seed + 1, 8);
  putDecimal(w, s.used);
  store<u8>(s.seed, writerDone(w));
  hmacInit(s.hmac, i.signMethod, litPtr(i.deviceSecret), litLen(i.deviceSecret));
  s.step = Step.Sign;
}

export function sign(s: CoapSession): void {
  members(s, true);
  hmacFinal(s.hmac, s.mac);
  s.step = Step.Compose;
}

/** The members that are signed, as far as they have a value: into the signature, or as JSON. */
function members(s: CoapSession, signing: bool): void {
  let name = L("ackMode clientId deviceName productKey seq timestamp");
  for (let i: u32 = 0; i < MEMBERS; i++) {
    const value: usize = load<u16>(s.members + (i << 1));
    if (litLen(value) != 0) {
      if (signing) absorb(s.hmac, name, value);
      else {
        putText(s.exchange.writer, name);
        putTemplate(s.exchange.writer, S('":"\x1f","'), s.fields, value);
      }
    }
    name += 1 + litLen(name);
  }
}

function putAuth(w: Writer, s: CoapSession): void {
  const method = s.identity.signMethod;
  putText(w, S('{"'));
  members(s, false);
  putTemplate(w, S('signmethod":"\x1f","sign":"'), s.fields, signMethodName(method));
  putHex(w, s.mac, digestLength(method), false);
  putText(w, S('"}'));
}
