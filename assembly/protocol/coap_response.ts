/** Responses over CoAP (Alink §4): decrypted and read slice by slice, and what each code leads to. */
import { Code } from "../abi";
import { litLen, litPtr, S } from "../bytes/text";
import { writerInit } from "../bytes/writer";
import { cborInit } from "../codec/cbor";
import { cborDecode } from "../codec/cbor_decode";
import { CoapCode, ContentFormat, coapStatus } from "../codec/coap";
import { aesInit, cbcBlocks, cbcOpen } from "../crypto/aes";
import { AES_BLOCK, Direction } from "../crypto/aes_context";
import { Digest, digestFinal, digestInit, digestUpdate } from "../crypto/hmac";
import { randomBelow } from "./backoff";
import { beginChain, keepChain } from "./coap_compose";
import { backoff, done, idle, lose, online } from "./coap_outcome";
import { replyEnd, replyFeed, replyInit } from "./coap_reply";
import { CoapSession, Request, Step } from "./coap_task";

/** After a refusal of the identity, ms: as over MQTT. */
const REFUSED: u32 = 300000;
/** After 5.00, ms (Alink §4). */
const RETRY: u32 = 1000;
/** Times a data request is sent again after 5.xx or an interrupted transfer. */
const FAILURES: u32 = 4;
/** The application's answer to a property set is waited for before the next is asked for, ms. */
const ANSWER: u32 = 10000;
/** Bytes of a response that are read in one step. */
const SLICE: u32 = 48;
/** Bytes of text that are made of CBOR in one step. */
const TEXT: u32 = 96;

/** The response to the request in hand. */
export function respond(s: CoapSession): void {
  const e = s.exchange;
  const m = e.message;
  if (m.code == CoapCode.Continue && s.received == 0 && !s.last) return nextBlock(s);
  if (m.code >>> 5 != 2) return refused(s, m.code);
  const block = e.block2 < 0 ? 0 : <u32>e.block2;
  s.szx2 = block & 7;
  s.more = (block & 8) != 0;
  const part = s.more && m.payloadLen != (<u32>16) << s.szx2;
  if (s.szx2 == 7 || part || (block >>> 4) << (s.szx2 + 4) != s.received) {
    // data requests have their tries; signing in has none but this
    if (s.request == Request.Auth) return lose(s, Code.BadMessage, 0, backoff(s));
    return again(s, 0);
  }
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
export function read(s: CoapSession): void {
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
  if (s.request == Request.Pull) {
    // what came may not be the last that waits
    s.pull = whole && s.reply.messages != 0;
    s.pullAt = s.now + s.pullMs;
    s.holdAt = s.now + ANSWER;
  }
  done(s, s.reply.number != 0 && whole ? s.reply.number : 200);
}

/** /auth was answered: the key is bytes 8 to 23 of SHA-256(DeviceSecret "," random). */
function signedIn(s: CoapSession, whole: bool): void {
  s.request = Request.None;
  idle(s);
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
