/**
 * The session with the platform over CoAP in symmetric mode (Alink §4): signs in, numbers and encrypts requests, and goes
 * on after everything that a response, or its absence, can mean. One request at a time.
 *
 * Token, key and sequence outlive the link. A request that may or may not have arrived is sent again under its own number,
 * and a platform that has seen the number refuses it: so what the application hands over arrives once.
 */
import { Closed, Code } from "../abi";
import { litLen } from "../bytes/text";
import { CoapType } from "../codec/coap";
import { randomBelow } from "./backoff";
import { compose, encode, seal, sign, signBegin } from "./coap_compose";
import { Arrival, exchangeArrival, exchangeTick, exchangeTimeout, reached } from "./coap_exchange";
import { backoff, done, forsake, lose } from "./coap_outcome";
import { read, respond } from "./coap_response";
import { CoapSession, Link, Request, Step, Tell } from "./coap_task";

/** A session with nothing to do looks at the clock so often, ms: the clock wraps at 2^32. */
const IDLE: i32 = 1 << 30;

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
    else if (pullDue(s) && reached(s.now, pullTime(s))) s.request = Request.Pull;
    else {
      // it stays near the clock, which wraps
      s.dueAt = s.now;
      return false;
    }
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

/** Whether a pull is wanted, now or at a time. */
function pullDue(s: CoapSession): bool {
  return s.pull || s.pullMs != 0;
}

/** When the wanted pull may go. */
function pullTime(s: CoapSession): u32 {
  const at = s.pull ? s.now : s.pullAt;
  // the number of a property set that waits for the application
  return load<u32>(s.reply.tags) != 0 && reached(s.holdAt, at) ? s.holdAt : at;
}

/** A datagram is there. */
function arrive(s: CoapSession): void {
  const e = s.exchange;
  const arrival = exchangeArrival(e);
  if (arrival == Arrival.Response && s.step == Step.Await) return respond(s);
  e.rxLen = 0;
  if (arrival == Arrival.Reset) lose(s, Code.Refused, 0, backoff(s));
}

/** -> milliseconds until there is something to do without the peer; -1 = never. */
export function sessionTimeout(s: CoapSession): i32 {
  if (s.link != Link.Up && s.link != Link.Down) return -1;
  let at = s.dueAt;
  if (s.link == Link.Up) {
    if (s.step == Step.Await) return exchangeTimeout(s.exchange);
    if (pullDue(s)) {
      const pull = pullTime(s);
      if (s.offer == Request.None && reached(pull, at)) at = pull;
    } else if (s.step == Step.Idle && reached(s.now, at)) return IDLE;
  }
  return reached(s.now, at) ? 0 : <i32>(at - s.now);
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
