/** How a request over CoAP ends: done, given up for now, or with the link taken down; and what the application is told of it. */
import { Code } from "../abi";
import { backoffNext } from "./backoff";
import { exchangeDrop } from "./coap_exchange";
import { replyAbandon } from "./coap_reply";
import { CoapSession, Link, Request, Step, Tell } from "./coap_task";

const BACKOFF_BASE: u32 = 2000;
const BACKOFF_LONGEST: u32 = 120000;

export function backoff(s: CoapSession): u32 {
  return backoffNext(s.backoff, s.exchange.random, BACKOFF_BASE, BACKOFF_LONGEST);
}

/** Nothing is in hand any more, a half-read response neither: a token of which the key is not known is none. */
export function idle(s: CoapSession): void {
  if (s.request == Request.Auth) store<u8>(s.token, 0);
  s.exchange.rxLen = 0;
  s.received = 0;
  s.step = Step.Idle;
  replyAbandon(s.reply);
}

/** Give the request in hand up, for now: nobody knows whether it arrived. */
export function forsake(s: CoapSession): void {
  exchangeDrop(s.exchange);
  idle(s);
  s.resent = s.request >= Request.Property;
  if (!s.resent) s.request = Request.None;
}

/** The platform cannot be reached or says no: take the link down and try again after `retry` ms. */
export function lose(s: CoapSession, fault: i32, detail: i32, retry: u32): void {
  forsake(s);
  s.connected = false;
  s.fault = fault;
  s.detail = detail;
  s.retry = retry;
  s.dueAt = s.now + retry;
  s.link = Link.Closing;
  s.tell |= Tell.Lost;
}

/** The request in hand is over. */
export function done(s: CoapSession, status: i32): void {
  const request = s.request;
  s.request = Request.None;
  idle(s);
  s.resent = false;
  // a token that is refused again at the next request is replaced again
  s.unauthorized = 0;
  if (request == Request.Inform) s.informed = true;
  if (request >= Request.Property) {
    s.offer = Request.None;
    s.status = status;
    s.tell |= Tell.Answered;
  }
  if (status > 0) online(s);
}

/** The platform has answered. */
export function online(s: CoapSession): void {
  if (s.connected) return;
  s.connected = true;
  s.fault = Code.Ok;
  s.detail = 0;
  s.tell |= Tell.Connected;
}
