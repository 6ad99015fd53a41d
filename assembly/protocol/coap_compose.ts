/** Writes the requests of Alink over CoAP (§4): path, options, and the payload that is then encrypted slice by slice. */
import { copy, litLen, litPtr, S } from "../bytes/text";
import {
  putByte,
  putBytes,
  putDecimal,
  putHex,
  putSigned,
  putText,
  Writer,
  writerDone,
  writerInit,
} from "../bytes/writer";
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
import { DIGEST_MAX, digestLength, hmacFinal, hmacInit } from "../crypto/hmac";
import { DATAGRAM, exchangeBegin, exchangeSend } from "./coap_exchange";
import { CoapSession, ENVELOPE_HEAD, Request, Step } from "./coap_task";
import { absorb, Identity, signMethodName } from "./sign";

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

function putPath(w: Writer, s: CoapSession): void {
  const i = s.identity;
  if (s.request == Request.Auth) return level(w, CoapOption.UriPath, S("auth"));
  if (s.request == Request.Pull) return level(w, CoapOption.UriPath, S("pull"));
  level(w, CoapOption.UriPath, S("topic"));
  if (s.request == Request.Publish) return coapPutPath(w, 0, s.body, s.topicLen);
  level(w, 0, s.request == Request.Inform ? S("ota/device/inform") : S("sys"));
  level(w, 0, i.productKey);
  level(w, 0, i.deviceName);
  if (s.request == Request.Property) {
    level(w, 0, S("thing/event"));
    coapPutPath(w, 0, identifierAt(s), s.topicLen);
    level(w, 0, S("post"));
  } else if (s.request == Request.Reply) level(w, 0, S("thing/service/property/set_reply"));
}

function level(w: Writer, delta: u32, text: usize): void {
  coapPutPath(w, delta, litPtr(text), litLen(text));
}

/** Write the datagram up to its payload, and the payload itself where it does not come from the application. */
export function compose(s: CoapSession): void {
  const enveloped = s.request == Request.Property || s.request == Request.Reply;
  if (enveloped) envelope(s);
  else s.source = s.body + s.topicLen + 1;
  const data = s.request != Request.Auth;
  const binary = s.cbor && !s.asJson && s.request == Request.Property;
  if (binary) s.szx = 7;
  const confirmed = !s.unconfirmed || s.request < Request.Property;
  const w = exchangeBegin(s.exchange, confirmed ? CoapType.Confirmable : CoapType.NonConfirmable);
  putPath(w, s);
  const format = binary ? ContentFormat.Cbor : ContentFormat.Json;
  coapPutNumber(w, 1, s.request == Request.Publish ? ContentFormat.Octets : format);
  const accepted = s.cbor ? ContentFormat.Cbor : ContentFormat.Json;
  coapPutNumber(w, CoapOption.Accept - CoapOption.ContentFormat, accepted);
  const size: u32 = 16 << s.szx;
  const end = (s.plainLen & ~(AES_BLOCK - 1)) + AES_BLOCK;
  s.last = s.szx == 7 || s.offset + size >= end;
  let before: u32 = CoapOption.Accept;
  if (s.received != 0) {
    // RFC 7959 §3.3: the next block of the response is asked for without a payload
    coapPutNumber(w, CoapOption.Block2 - before, ((s.received >>> (s.szx2 + 4)) << 4) | s.szx2);
    before = CoapOption.Block2;
  } else if (s.request == Request.Pull) {
    // and a long one is to come in blocks from the start (§2.4)
    coapPutNumber(w, CoapOption.Block2 - before, SZX);
    before = CoapOption.Block2;
  } else if (s.szx != 7) {
    const number = s.offset >>> (s.szx + 4);
    coapPutNumber(w, CoapOption.Block1 - before, (number << 4) | (s.last ? 0 : 8) | s.szx);
    before = CoapOption.Block1;
  }
  if (data) {
    coapPutOption(w, CoapOption.Token - before, litPtr(s.token), litLen(s.token));
    putSequence(w, s);
  }
  if (s.received != 0) return launch(s);
  coapPutMarker(w);
  s.target = w.at;
  if (binary) return encodeBegin(s, w);
  if (s.request < Request.Property) {
    putOwn(w, s);
    s.source = s.target;
    s.plainLen = <u32>(w.at - s.target);
  }
  if (!data) return launch(s);
  s.source += s.offset;
  s.left = s.last ? s.plainLen - s.offset : size;
  beginChain(s, Direction.Encrypt, s.offset == 0);
  s.step = Step.Seal;
}

function launch(s: CoapSession): void {
  exchangeSend(s.exchange);
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
  const w = s.exchange.writer;
  w.at = s.target;
  w.need = <u32>(w.at - w.start);
  launch(s);
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
  cborPutHead(w, 0x60, litLen(METHOD) + s.topicLen + litLen(POST));
  putMethod(w, s);
  text(w, S("params"));
  const r = s.reply.reader;
  jsonInit(r);
  r.at = s.body;
  r.end = s.body;
  cborEncodeInit(s.codec, r, w);
  s.left = s.bodyLen;
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
    measure(s);
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

/** What stands around the identifier in a method, and behind the method up to the params. */
const METHOD: usize = S("thing.event.");
const POST: usize = S(".post");
const PARAMS: usize = S('","params":');

/** Where the identifier of a post stands, in the head of the envelope: it is kept nowhere else. */
export function identifierAt(s: CoapSession): usize {
  return s.body - s.topicLen - litLen(POST) - litLen(PARAMS);
}

function putMethod(w: Writer, s: CoapSession): void {
  putText(w, METHOD);
  putBytes(w, identifierAt(s), s.topicLen);
  putText(w, POST);
}

/** The envelope around the application's JSON, written in the room before and behind it. */
function envelope(s: CoapSession): void {
  const w = s.exchange.writer;
  // before the datagram is begun its window is free
  writerInit(w, s.exchange.tx, ENVELOPE_HEAD);
  putText(w, S('{"id":'));
  if (s.request == Request.Property) {
    putByte(w, 34);
    putDecimal(w, s.id);
    putText(w, S('","version":"1.0","method":"'));
    putMethod(w, s);
    putText(w, PARAMS);
  } else {
    putBytes(w, s.tag + 8, load<u32>(s.tag, 4));
    putText(w, S(',"code":'));
    putSigned(w, s.code);
    putText(w, S(',"data":'));
  }
  const head = <u32>(w.at - w.start);
  s.source = s.body - head;
  copy(s.source, w.start, head);
  store<u8>(s.body + s.bodyLen, 125);
  s.plainLen = head + s.bodyLen + 1;
}

/** How the payload of an application's message is to be cut: whole, or in blocks. To be called once for each message. */
export function measure(s: CoapSession): void {
  s.offset = 0;
  s.szx = 7;
  if (s.request == Request.Publish) {
    s.plainLen = s.bodyLen - s.topicLen - 1;
  } else if (s.request >= Request.Property) envelope(s);
  else s.plainLen = 0;
  if (s.plainLen >= SINGLE) s.szx = SZX;
}

/** The agent's own payloads. */
function putOwn(w: Writer, s: CoapSession): void {
  if (s.request == Request.Auth) return putAuth(w, s);
  if (s.request == Request.Pull) return putText(w, S('{"pageSize":"1"}'));
  s.lastId += 1;
  putText(w, S('{"id":"'));
  putDecimal(w, s.lastId);
  putText(w, S('","params":{"version":"'));
  putText(w, s.version);
  putText(w, S('"}}'));
}

/**
 * Sign, in two steps. What is signed is every member but sign and signmethod, in ASCII order (Alink §4). The seed of the
 * sequence, `seq`, is of no use to anyone: it is told in plain text, and the platform answers with its own.
 */
export function signStep(s: CoapSession): void {
  const i = s.identity;
  const h = s.hmac;
  if (s.step == Step.Sign) {
    hmacInit(h, i.signMethod, litPtr(i.deviceSecret), litLen(i.deviceSecret));
    s.step = Step.Digest;
    return;
  }
  if (s.separate) absorb(h, S("ackMode"), S("1"));
  absorb(h, S("clientId"), i.clientId);
  absorb(h, S("deviceName"), i.deviceName);
  absorb(h, S("productKey"), i.productKey);
  absorb(h, S("seq"), seed(s));
  if (litLen(i.timestamp) != 0) absorb(h, S("timestamp"), i.timestamp);
  hmacFinal(h, s.mac);
  s.step = Step.Compose;
}

/** The seed as a counted text of one to four digits, behind the digest. */
function seed(s: CoapSession): usize {
  const at = s.mac + DIGEST_MAX;
  const w = s.exchange.writer;
  writerInit(w, at + 1, 8);
  putDecimal(w, s.used);
  store<u8>(at, writerDone(w));
  return at;
}

function member(w: Writer, name: usize, value: usize): void {
  putText(w, name);
  putText(w, S('":"'));
  putText(w, value);
  putText(w, S('","'));
}

function putAuth(w: Writer, s: CoapSession): void {
  const i: Identity = s.identity;
  putText(w, S('{"'));
  if (s.separate) member(w, S("ackMode"), S("1"));
  member(w, S("clientId"), i.clientId);
  member(w, S("deviceName"), i.deviceName);
  member(w, S("productKey"), i.productKey);
  member(w, S("seq"), s.mac + DIGEST_MAX);
  if (litLen(i.timestamp) != 0) member(w, S("timestamp"), i.timestamp);
  member(w, S("signmethod"), signMethodName(i.signMethod));
  putText(w, S('sign":"'));
  putHex(w, s.mac, digestLength(i.signMethod), false);
  putText(w, S('"}'));
}
