/**
 * The agent over CoAP behind the exports: one channel, one session, no flash, no updates. Each call does a bounded piece of
 * work; while the event queue has no room, nothing goes on that could emit one and nothing is received.
 */
import { Boot, Channel, Closed, Code, Counter, ENTROPY, Event, Want } from "../abi";
import { litLen, S } from "../bytes/text";
import { AGENT, ENDPOINT, EVENTS, EXCHANGE, RANDOM, SCRATCH, SESSION } from "../coap_arena";
import { randomSeed } from "../protocol/backoff";
import { DATAGRAM, exchangeInit, exchangeSent, exchangeTxLen, exchangeTxPtr } from "../protocol/coap_exchange";
import { sessionClosed, sessionOpened, sessionResumed, sessionStep, sessionTimeout } from "../protocol/coap_session";
import { Link, Request, Tell } from "../protocol/coap_task";
import { eventsKind, eventsRoom } from "../protocol/events";
import { IN_WINDOW } from "../profile";
import { assemble } from "./coap_assemble";
import { readConfiguration } from "./coap_config";
import { emit } from "./coap_events";
import { answered, inboxStep } from "./coap_inbox";
import { CoapAgent } from "./coap_state";
import { wire } from "./coap_wiring";

/** The first of the counters. */
const COUNTERS: usize = offsetof<CoapAgent>("bytesSent");

export function configure(length: i32): i32 {
  if (AGENT.assembled) return Code.BadState;
  if (length < 0 || length > IN_WINDOW || (length == 0 && AGENT.left == 0)) return Code.BadArgument;
  return readConfiguration(length);
}

/** Nothing here depends on the slot that runs. */
export function booted(slot: i32, how: i32): i32 {
  if (AGENT.assembled) return Code.BadState;
  return <u32>slot > 1 || <u32>how > <u32>Boot.FellBack ? Code.BadArgument : Code.Ok;
}

/** Nothing here goes by the time of day. */
export function wallClock(): i32 {
  return AGENT.assembled ? Code.Ok : Code.BadState;
}

export function poll(nowMs: i32): i32 {
  if (AGENT.refused) return Code.BadArgument;
  if (!AGENT.present) return Code.BadState;
  if (!AGENT.assembled) {
    wire();
    const code = assemble();
    if (code < 0) return code;
    AGENT.assembled = true;
    SESSION.dueAt = nowMs;
    SESSION.pullAt = nowMs;
  }
  if (AGENT.resumed) AGENT.shift = AGENT.now - nowMs;
  AGENT.resumed = false;
  AGENT.now = nowMs + AGENT.shift;
  SESSION.now = AGENT.now;
  AGENT.polls += 1;
  return wants(AGENT.seeded && eventsRoom(EVENTS) && work());
}

/** The device slept: time went on, and the link is gone without a word. Token and sequence are as they were. */
export function resumed(elapsedMs: i32): i32 {
  if (!AGENT.assembled) return Code.BadState;
  if (elapsedMs < 0) return Code.BadArgument;
  AGENT.now += elapsedMs;
  SESSION.now = AGENT.now;
  sessionResumed(SESSION);
  AGENT.resumed = true;
  return Code.Ok;
}

function wants(again: bool): i32 {
  let want: i32 = again ? Want.Again : 0;
  if (!AGENT.seeded) want |= Want.Entropy;
  if (eventsKind(EVENTS) != Event.None) want |= Want.Event;
  if (SESSION.link == Link.Opening) want |= Want.Open;
  if (SESSION.link == Link.Closing) want |= Want.Close;
  if (txLen(Channel.Mqtt) != 0) want |= Want.Transmit;
  if (rxCap(Channel.Mqtt) != 0) want |= Want.Receive;
  return want;
}

/** -> whether there is more to do now. What a step has to tell is told with it. */
function work(): bool {
  let more = true;
  if (SESSION.tell == 0) {
    if (AGENT.unchecked != 0) inboxStep();
    else more = sessionStep(SESSION);
  }
  const tell = SESSION.tell;
  if (tell == 0) return more;
  SESSION.tell = tell & (tell - 1);
  if (tell & Tell.Answered) answered(SESSION.status);
  else if (tell & Tell.Connected) emitConnected();
  else if (tell & Tell.Lost) emitDisconnected();
  else emitConnecting();
  return true;
}

function emitConnecting(): void {
  AGENT.attempt += 1;
  emit(Event.Connecting, S('device.connecting","peer":"\x0c","attempt":\x08}'), 0);
}

function emitConnected(): void {
  // an earlier token was taken: /auth was not needed
  const present = SESSION.fresh ? S("false") : S("true");
  SESSION.fresh = false;
  emit(Event.Connected, S('device.connected","sessionPresent":\x1f}'), present);
}

function emitDisconnected(): void {
  const template = S('device.disconnected","code":\x01,"detail":\x02,"retryMs":\x03,"desc":"\x1f"}');
  emit(Event.Disconnected, template, words(SESSION.fault));
}

function words(fault: i32): usize {
  if (fault == Code.Refused) return S("refused");
  if (fault == Code.TimedOut) return S("no answer in time");
  if (fault == Code.BadMessage) return S("malformed answer");
  return fault == Code.Ok ? S("") : S("server cannot be reached");
}

export function timeout(): i32 {
  return AGENT.assembled ? sessionTimeout(SESSION) : -1;
}

export function rxPtr(ch: i32): i32 {
  return <i32>EXCHANGE.rx;
}

export function rxCap(ch: i32): i32 {
  const room = SESSION.link == Link.Up && EXCHANGE.rxLen == 0 && eventsRoom(EVENTS);
  return ch == Channel.Mqtt && room ? DATAGRAM : 0;
}

/** One datagram, whole. */
export function received(ch: i32, n: i32): i32 {
  if (n < 0 || n > rxCap(ch)) return Code.BadArgument;
  EXCHANGE.rxLen = n;
  AGENT.bytesReceived += n;
  return Code.Ok;
}

export function txPtr(ch: i32): i32 {
  return <i32>exchangeTxPtr(EXCHANGE);
}

export function txLen(ch: i32): i32 {
  return ch == Channel.Mqtt && SESSION.link == Link.Up ? <i32>exchangeTxLen(EXCHANGE) : 0;
}

/** The window is one datagram: all of it or nothing. */
export function sent(ch: i32, n: i32): i32 {
  if (n == 0) return Code.Ok;
  if (n != txLen(ch)) return Code.BadArgument;
  AGENT.bytesSent += n;
  exchangeSent(EXCHANGE);
  return Code.Ok;
}

export function counter(which: i32): i32 {
  if (which == Counter.Underway) return <i32>(SESSION.request != Request.None || AGENT.kind != 0 || SESSION.pull);
  // in the order of Counter
  return <u32>which > <u32>Counter.Polls
    ? Code.BadArgument
    : load<i32>(changetype<usize>(AGENT) + ((<u32>which) << 2), COUNTERS);
}

export function peerPtr(ch: i32): i32 {
  return <i32>ENDPOINT + 1;
}

export function peerLen(ch: i32): i32 {
  return ch == Channel.Mqtt ? litLen(ENDPOINT) : 0;
}

export function opened(ch: i32): i32 {
  if (ch != Channel.Mqtt || SESSION.link != Link.Opening) return Code.BadState;
  sessionOpened(SESSION);
  return Code.Ok;
}

export function closed(ch: i32, reason: i32): i32 {
  if (<u32>reason > <u32>Closed.Untrusted) reason = Closed.Broken;
  if (ch == Channel.Mqtt) sessionClosed(SESSION, reason);
  return Code.Ok;
}

export function fault(ch: i32): i32 {
  return ch == Channel.Mqtt ? SESSION.fault : ch == Channel.Application ? AGENT.postFault : 0;
}

export function detail(ch: i32): i32 {
  return ch == Channel.Mqtt ? SESSION.detail : ch == Channel.Application ? AGENT.postDetail : 0;
}

export function entropyPtr(): i32 {
  return <i32>SCRATCH;
}

export function entropyLen(): i32 {
  return ENTROPY;
}

export function entropyDone(): i32 {
  randomSeed(RANDOM, SCRATCH);
  exchangeInit(EXCHANGE);
  AGENT.seeded = true;
  return Code.Ok;
}
