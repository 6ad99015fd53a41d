/**
 * The session with the platform over CoAP in symmetric mode (Alink §4): signs in, numbers and encrypts requests, and goes
 * on after everything that a response, or its absence, can mean. One request at a time.
 *
 * Token, key and sequence outlive the link. A request that may or may not have arrived is sent again under its own number,
 * and a platform that has seen the number refuses it: so what the application hands over arrives once.
 */
import { Closed, Code } from "../abi";
import { litLen, litPtr, S } from "../bytes/text";
import { writerInit } from "../bytes/writer";
import { cborInit } from "../codec/cbor";
import { cborDecode } from "../codec/cbor_decode";
import { CoapCode, CoapType, ContentFormat, coapStatus } from "../codec/coap";
import { aesInit, cbcBlocks, cbcOpen } from "../crypto/aes";
import { AES_BLOCK, Direction } from "../crypto/aes_context";
import { Digest, digestFinal, digestInit, digestUpdate } from "../crypto/hmac";
import { backoffNext, randomBelow } from "./backoff";
import { beginChain, compose, encode, keepChain, seal, sign, signBegin } from "./coap_compose";
import { Arrival, exchangeArrival, exchangeDrop, exchangeTick, exchangeTimeout, reached } from "./coap_exchange";
import { replyAbandon, replyEnd, replyFeed, replyInit } from "./coap_reply";
import { CoapSession, Link, Request, Step, Tell } from "./coap_task";

/** After a refusal of the identity, ms: as over MQTT. */
const REFUSED: u32 = 300000;
const BACKOFF_BASE: u32 = 2000;
const BACKOFF_LONGEST: u32 = 120000;
/** After 5.00, ms (Alink §4). */
const RETRY: u32 = 1000;
/** Times a data request is sent again after 5.xx or an interrupted transfer. */
const FAILURES: u32 = 4;
/** Bytes of a response that are read in one step. */
const SLICE: u32 = 48;
/** Bytes of text that are made of CBOR in one step. */
const TEXT: u32 = 96;

/** A bounded piece of work; there must be room for events. -> whether there is more to do now. */
export function sessionStep(s: CoapSession): bool {
  const e = s.exchange;
  e.now = s.now;
  if (s.link != Link.Up) {
    if (s.link != Link.Down || !reached(s.now, s.dueAt)) return false;
    s.link = Link.Opening;
    s.tell |= Tell.Connecting;
    return true;
  }
  switch (s.step) {
    case Step.Sign:
      sign(s);
      return true;
    case Step.Compose:
      compose(s);
      return true;
    case Step.Encode:
      encode(s);
      return true;
    case Step.Seal:
      seal(s);
      return true;
    case Step.Read:
      read(s);
      return true;
  }
  if (e.rxLen != 0) {
    arrive(s);
    return true;
  }
  if (s.step == Step.Await) {
    if (!exchangeTick(e)) return false;
    if (e.type == CoapType.NonConfirmable) done(s, Code.TimedOut);
    else lose(s, Code.TimedOut, 0, backoff(s));
    return true;
  }
  return reached(s.now, s.dueAt) && choose(s);
}

/** Choose what to send next. -> whether there is something. */
function choose(s: CoapSession): bool {
  if (litLen(s.token) == 0) s.request = Request.Auth;
  else if (s.request == Request.None) {
    s.resent = false;
    s.asJson = false;
    s.failures = 0;
    if (!s.informed) {
      s.request = Request.Inform;
      s.lastId += 1;
    } else if (s.offer != Request.None) s.request = s.offer;
    else if (s.pull || (s.pullMs != 0 && reached(s.now, s.pullAt))) s.request = Request.Pull;
    else return false;
  }
  s.offset = 0;
  s.step = Step.Compose;
  if (s.request == Request.Auth) {
    s.used = randomBelow(s.exchange.random, 10000);
    signBegin(s);
  } else if (!s.resent) {
    s.used = s.sequence;
    s.sequence += 1;
  }
  return true;
}

/** -> milliseconds until there is something to do without the peer; -1 = never. */
export function sessionTimeout(s: CoapSession): i32 {
  if (s.link != Link.Up && s.link != Link.Down) return -1;
  let at = s.dueAt;
  if (s.link == Link.Up) {
    if (s.step == Step.Await) return exchangeTimeout(s.exchange);
    if (s.pullMs != 0 && s.offer == Request.None && reached(s.pullAt, at)) at = s.pullAt;
    else if (s.pullMs == 0 && s.step == Step.Idle && reached(s.now, at)) return -1;
  }
  return reached(s.now, at) ? 0 : <i32>(at - s.now);
}

function backoff(s: CoapSession): u32 {
  return backoffNext(s.backoff, s.exchange.random, BACKOFF_BASE, BACKOFF_LONGEST);
}

/** Nothing is in hand any more, a half-read response neither. */
function idle(s: CoapSession): void {
  s.exchange.rxLen = 0;
  s.received = 0;
  s.step = Step.Idle;
  replyAbandon(s.reply);
}

/** Give the request in hand up, for now: nobody knows whether it arrived. */
function forsake(s: CoapSession): void {
  s.resent = s.request >= Request.Property;
  if (!s.resent) s.request = Request.None;
  exchangeDrop(s.exchange);
  idle(s);
}

/** The platform cannot be reached or says no: take the link down and try again after `retry` ms. */
function lose(s: CoapSession, fault: i32, detail: i32, retry: u32): void {
  forsake(s);
  s.connected = false;
  s.fault = fault;
  s.detail = detail;
  s.retry = retry;
  s.dueAt = s.now + retry;
  s.link = Link.Closing;
  s.tell |= Tell.Lost;
}

/** A datagram is there. */
function arrive(s: CoapSession): void {
  const e = s.exchange;
  const arrival = exchangeArrival(e);
  if (arrival == Arrival.Response && s.step == Step.Await) return respond(s);
  e.rxLen = 0;
  if (arrival == Arrival.Reset) lose(s, Code.Refused, 0, backoff(s));
}

/** The response to the request in hand. */
function respond(s: CoapSession): void {
  const e = s.exchange;
  const m = e.message;
  if (m.code == CoapCode.Continue && s.received == 0 && !s.last) return nextBlock(s);
  if (m.code >>> 5 != 2) return refused(s, m.code);
  const block = e.block2 < 0 ? 0 : <u32>e.block2;
  s.szx2 = block & 7;
  s.more = (block & 8) != 0;
  const part = s.more && m.payloadLen != (<u32>16) << s.szx2;
  if (s.szx2 == 7 || part || (block >>> 4) << (s.szx2 + 4) != s.received) return again(s, 0);
  // a later block need not say the format again
  if (s.received == 0 || e.format >= 0) s.binary = e.format == ContentFormat.Cbor;
  if (s.received == 0) {
    replyInit(s.reply, s.request == Request.Pull);
    cborInit(s.codec);
    if (s.request == Request.Auth) store<u8>(s.nonce, 0);
  }
  s.readAt = 0;
  s.step = Step.Read;
  beginChain(s, Direction.Decrypt, s.received == 0);
}

/** 2.31: the block was taken; the peer may ask for smaller ones from now on (RFC 7959 §2.3). */
function nextBlock(s: CoapSession): void {
  const e = s.exchange;
  e.rxLen = 0;
  s.offset += 16 << s.szx;
  if (e.block1 >= 0) s.szx = min<u32>(e.block1 & 7, s.szx);
  s.step = Step.Compose;
}

/** Read a slice of the payload. */
function read(s: CoapSession): void {
  const m = s.exchange.message;
  const c = s.codec;
  if (c.at == c.end && s.readAt != m.payloadLen) slice(s);
  if (c.at != c.end) {
    // the request is answered, so its window is free for the text
    const w = s.exchange.writer;
    writerInit(w, s.exchange.tx, TEXT);
    if (cborDecode(c, w) < 0) {
      s.reply.fault = true;
      c.at = c.end;
    } else replyFeed(s.reply, w.start, <u32>(w.at - w.start));
  }
  if (c.at != c.end || s.readAt != m.payloadLen) return;
  keepChain(s);
  s.received += m.payloadLen;
  s.exchange.rxLen = 0;
  if (s.more) s.step = Step.Compose;
  else {
    const empty = s.received == 0;
    finish(s, replyEnd(s.reply) || empty);
  }
}

/** Decrypt a slice of the payload, and read it unless it is CBOR. */
function slice(s: CoapSession): void {
  const m = s.exchange.message;
  const rest = m.payloadLen - s.readAt;
  const ptr = m.payload + s.readAt;
  let n: i32 = rest < SLICE ? rest : SLICE;
  s.readAt += n;
  if (s.request != Request.Auth) {
    if (n & (AES_BLOCK - 1)) n = Code.BadMessage;
    else if (<u32>n == rest && !s.more) n = cbcOpen(s.aes, ptr, ptr, n);
    else cbcBlocks(s.aes, ptr, ptr, n);
  }
  if (n < 0) s.reply.fault = true;
  else if (s.binary) {
    s.codec.at = ptr;
    s.codec.end = ptr + n;
  } else replyFeed(s.reply, ptr, n);
}

/** The response is read to its end. */
function finish(s: CoapSession, whole: bool): void {
  s.backoff.attempt = 0;
  if (s.request == Request.Auth) return signedIn(s, whole);
  s.unauthorized = 0;
  if (s.request == Request.Pull) {
    // what came may not be the last that waits
    s.pull = whole && s.reply.messages != 0;
    s.pullAt = s.now + s.pullMs;
  }
  done(s, s.reply.number != 0 && whole ? s.reply.number : 200);
}

/** The request in hand is over. */
function done(s: CoapSession, status: i32): void {
  const request = s.request;
  s.request = Request.None;
  idle(s);
  s.resent = false;
  if (request == Request.Inform) s.informed = true;
  if (request >= Request.Property) {
    s.offer = Request.None;
    s.status = status;
    s.tell |= Tell.Answered;
  }
  if (status > 0) online(s);
}

/** The platform has answered. */
function online(s: CoapSession): void {
  if (s.connected) return;
  s.connected = true;
  s.fault = Code.Ok;
  s.detail = 0;
  s.tell |= Tell.Connected;
}

/** /auth was answered: the key is bytes 8 to 23 of SHA-256(DeviceSecret "," random). */
function signedIn(s: CoapSession, whole: bool): void {
  idle(s);
  s.request = Request.None;
  if (!whole || litLen(s.token) == 0 || litLen(s.nonce) == 0) {
    store<u8>(s.token, 0);
    return lose(s, Code.BadMessage, 0, backoff(s));
  }
  const h = s.hmac;
  digestInit(Digest.Sha256, h);
  absorb(s, s.identity.deviceSecret);
  absorb(s, S(","));
  absorb(s, s.nonce);
  digestFinal(Digest.Sha256, h, s.mac);
  aesInit(s.aes, Direction.Encrypt, s.mac + 8, 16);
  s.sequence = s.reply.number;
  s.fresh = true;
  s.pullAt = s.now;
  s.resent = false;
  online(s);
}

function absorb(s: CoapSession, text: usize): void {
  digestUpdate(Digest.Sha256, s.hmac, litPtr(text), litLen(text));
}

/** An answer that is no success. */
function refused(s: CoapSession, code: u32): void {
  idle(s);
  const auth = s.request == Request.Auth;
  const more = s.failures < FAILURES;
  if (code >>> 5 == 5 && (auth || more)) return again(s, RETRY << min<u32>(s.failures, 6));
  if (auth) return lose(s, Code.Refused, coapStatus(code), REFUSED + randomBelow(s.exchange.random, REFUSED));
  const option = code == CoapCode.BadOption;
  // a number that is refused when it comes again has arrived the first time
  if (s.resent && option) return finish(s, false);
  if ((option || code == CoapCode.Unauthorized) && s.unauthorized == 0) {
    s.unauthorized = 1;
    store<u8>(s.token, 0);
    return;
  }
  if (code == CoapCode.Incomplete && more) return again(s, 0);
  done(s, coapStatus(code));
}

/** Begin the request anew, under a new number, after `ms`. */
function again(s: CoapSession, ms: u32): void {
  idle(s);
  s.failures += 1;
  if (s.failures > FAILURES && s.request != Request.Auth) return done(s, 500);
  s.resent = false;
  s.dueAt = s.now + ms;
}

/** End the session: nothing is opened again before sessionStart. What the application has handed over stays. */
export function sessionStop(s: CoapSession): void {
  if (s.link == Link.Down) s.link = Link.Stopped;
  else if (s.link != Link.Stopped) {
    lose(s, Code.Ok, 0, 0);
    // told when the link is gone
    s.tell ^= Tell.Lost;
    s.retry = -1;
    s.stopping = true;
  }
}

export function sessionStart(s: CoapSession): void {
  s.stopping = false;
  s.dueAt = s.now;
  if (s.link == Link.Stopped) s.link = Link.Down;
}

/**
 * The device slept: the link is gone, token and sequence are as they were. A request that was in hand begins anew under its
 * number, because the platform may have forgotten its message ID (EXCHANGE_LIFETIME, RFC 7252 §4.8.2).
 */
export function sessionResumed(s: CoapSession): void {
  if (s.step != Step.Idle) forsake(s);
  if (s.link == Link.Up || s.link == Link.Opening) s.dueAt = s.now;
  else if (s.link != Link.Closing) return;
  s.link = s.stopping ? Link.Stopped : Link.Down;
}

export function sessionOpened(s: CoapSession): void {
  s.link = Link.Up;
}

/** The link is down, or could not be established. */
export function sessionClosed(s: CoapSession, reason: i32): void {
  if (s.link == Link.Down || s.link == Link.Stopped) return;
  if (s.link != Link.Closing)
    lose(s, reason == Closed.Untrusted ? Code.Untrusted : Code.LinkFailed, reason, backoff(s));
  s.link = Link.Down;
  if (s.stopping) {
    s.tell |= Tell.Lost;
    s.link = Link.Stopped;
  }
}
