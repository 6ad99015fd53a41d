/**
 * The message layer of CoAP (RFC 7252 §4, §5.2) for one request at a time (NSTART = 1, §4.7): retransmission, matching of
 * responses, piggy-backed or separate, and of what must be rejected. A window of the host's is one datagram.
 */
import { Code } from "../abi";
import { Writer, writerInit } from "../bytes/writer";
import {
  CoapCode,
  CoapMessage,
  CoapOption,
  CoapType,
  coapNext,
  coapNumber,
  coapParse,
  coapPutHeader,
} from "../codec/coap";
import { Random, randomBelow, randomNext } from "./backoff";

/** Largest datagram sent and received, bytes: a block of 512 and all that stands before it. §4.6 would allow 1152. */
export const DATAGRAM: u32 = 768;

/** ACK_TIMEOUT and what ACK_RANDOM_FACTOR adds to it at most, ms (§4.8). */
const ACK_TIMEOUT: u32 = 2000;
const ACK_RANDOM: u32 = 1000;
const MAX_RETRANSMIT: u32 = 4;
/** MAX_TRANSMIT_WAIT, ms (§4.8.2): a separate response, or one to a NON, is not waited for any longer. */
const LONGEST_WAIT: u32 = 93000;

/** Where the request is. */
const enum Delivery {
  /** There is none, or its response is there. */
  Idle = 0,
  /** The datagram is to be sent, for the first time or again. */
  Send = 1,
  /** It was sent; the timer runs. */
  Sent = 2,
  /** It was acknowledged, the response comes separately (§5.2.2). */
  Acknowledged = 3,
}

/** What a datagram was. */
export const enum Arrival {
  Nothing = 0,
  /** The response: its parts are in `message`. */
  Response = 1,
  /** The peer rejects the request (§4.2). */
  Reset = 2,
}

@unmanaged
@final
export class Exchange {
  writer: Writer = changetype<Writer>(0);
  message: CoapMessage = changetype<CoapMessage>(0);
  random: Random = changetype<Random>(0);
  /** DATAGRAM bytes each. */
  tx: usize = 0;
  rx: usize = 0;
  txLen: u32 = 0;
  /** A datagram of this length waits to be read; 0 = none. */
  rxLen: u32 = 0;
  delivery: Delivery = Delivery.Idle;
  type: CoapType = CoapType.Confirmable;
  messageId: u32 = 0;
  token: u32 = 0;
  now: u32 = 0;
  due: u32 = 0;
  wait: u32 = 0;
  tries: u32 = 0;
  /** An empty message to send before anything else, as it goes on the wire; 0 = none. */
  empty: u32 = 0;
  /** Message ID of the peer's last confirmable response, which may come again; -1 = none. */
  answered: i32 = 0;
  /** Options of the response as numbers; below zero = there is none. */
  block1: i32 = 0;
  block2: i32 = 0;
  format: i32 = 0;
}

/** Whether `now` is at or past `at`; both wrap. */
export function reached(now: u32, at: u32): bool {
  return <i32>(now - at) >= 0;
}

/** The entropy is there: message IDs begin anywhere (§4.4). */
export function exchangeInit(e: Exchange): void {
  e.messageId = randomNext(e.random);
  e.answered = -1;
}

/** Begin a request with a fresh message ID and token; options and payload go to the writer that comes back. */
export function exchangeBegin(e: Exchange, type: CoapType): Writer {
  e.type = type;
  e.messageId = (e.messageId + 1) & 0xffff;
  e.token = randomNext(e.random);
  const w = e.writer;
  writerInit(w, e.tx, DATAGRAM);
  coapPutHeader(w, type, CoapCode.Post, e.messageId, changetype<usize>(e) + offsetof<Exchange>("token"), 4);
  return w;
}

/** Send what was begun, `length` bytes. Below zero it did not fit, and was never to be begun: nothing is sent then, and time runs out. */
export function exchangeSend(e: Exchange, length: i32): void {
  const fits = length >= 0;
  e.txLen = length;
  e.delivery = fits ? Delivery.Send : Delivery.Sent;
  e.tries = fits ? 0 : MAX_RETRANSMIT;
  e.wait = ACK_TIMEOUT + randomBelow(e.random, ACK_RANDOM + 1);
  e.due = e.now;
}

/** Forget the request; a response to it will be rejected. */
export function exchangeDrop(e: Exchange): void {
  e.delivery = Delivery.Idle;
}

export function exchangeBusy(e: Exchange): bool {
  return e.delivery != Delivery.Idle;
}

export function exchangeTxPtr(e: Exchange): usize {
  return e.empty != 0 ? changetype<usize>(e) + offsetof<Exchange>("empty") : e.tx;
}

export function exchangeTxLen(e: Exchange): u32 {
  return e.empty != 0 ? 4 : e.delivery == Delivery.Send ? e.txLen : 0;
}

/** The datagram went out. */
export function exchangeSent(e: Exchange): void {
  if (e.empty != 0) {
    e.empty = 0;
    return;
  }
  e.delivery = Delivery.Sent;
  e.due = e.now + (e.type == CoapType.Confirmable ? e.wait : LONGEST_WAIT);
}

/** §4.2: send again when it is time. -> whether there is no more hope of a response. */
export function exchangeTick(e: Exchange): bool {
  if (e.delivery < Delivery.Sent || !reached(e.now, e.due)) return false;
  if (e.delivery == Delivery.Sent && e.type == CoapType.Confirmable && e.tries < MAX_RETRANSMIT) {
    e.tries += 1;
    e.wait <<= 1;
    e.delivery = Delivery.Send;
    return false;
  }
  e.delivery = Delivery.Idle;
  return true;
}

/** Milliseconds until exchangeTick has something to do; -1 = nothing to wait for. */
export function exchangeTimeout(e: Exchange): i32 {
  if (e.delivery < Delivery.Sent) return -1;
  const left = <i32>(e.due - e.now);
  return left < 0 ? 0 : left;
}

/** An empty message to the peer about its last one. */
function putEmpty(e: Exchange, type: CoapType): void {
  const id = e.message.messageId;
  e.empty = 0x40 | (type << 4) | ((id >>> 8) << 16) | (id << 24);
}

/** Read the datagram that waits; its bytes stay where they are until `rxLen` is set to 0. */
export function exchangeArrival(e: Exchange): Arrival {
  const m = e.message;
  const code = coapParse(m, e.rx, e.rxLen);
  // §4.2: what cannot be processed is rejected, what is not confirmable ignored
  const confirmable = e.rxLen >= 4 && code != Code.Unsupported && m.type == CoapType.Confirmable;
  if (code == Code.Ok) {
    if (m.code == CoapCode.Empty && m.type >= CoapType.Acknowledgement) return acknowledged(e);
    if (matches(e)) {
      if (confirmable) {
        putEmpty(e, CoapType.Acknowledgement);
        e.answered = m.messageId;
      }
      e.delivery = Delivery.Idle;
      return Arrival.Response;
    }
  }
  if (confirmable) putEmpty(e, <i32>m.messageId == e.answered ? CoapType.Acknowledgement : CoapType.Reset);
  return Arrival.Nothing;
}

/** An empty acknowledgement or a reset. */
function acknowledged(e: Exchange): Arrival {
  if (e.message.messageId != e.messageId || e.delivery == Delivery.Idle) return Arrival.Nothing;
  if (e.message.type == CoapType.Reset) {
    e.delivery = Delivery.Idle;
    return Arrival.Reset;
  }
  if (e.delivery != Delivery.Acknowledged) {
    e.delivery = Delivery.Acknowledged;
    e.due = e.now + LONGEST_WAIT;
  }
  return Arrival.Nothing;
}

/** §5.3.2: whether the message is the response, §5.4.1: without critical options that are not known here. Its options are kept. */
function matches(e: Exchange): bool {
  const m = e.message;
  if (e.delivery == Delivery.Idle || m.code < 0x40 || m.tokenLen != 4 || load<u32>(m.token) != e.token) return false;
  if (m.type == CoapType.Reset) return false;
  if (m.type == CoapType.Acknowledgement && m.messageId != e.messageId) return false;
  e.block1 = -1;
  e.block2 = -1;
  e.format = -1;
  while (coapNext(m) > 0) {
    const number = coapNumber(m);
    if (m.number == CoapOption.Block1) e.block1 = number;
    else if (m.number == CoapOption.Block2) e.block2 = number;
    else if (m.number == CoapOption.ContentFormat) e.format = number;
    else if (m.number & 1) return false;
  }
  return true;
}
