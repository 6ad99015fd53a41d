/**
 * The agent behind the exports: owns the sessions, routes what comes in over the channels, and answers `poll`. Each call
 * does a bounded piece of work; while the event queue has no room for a full piece, nothing goes on that could emit one.
 */
import { ABI_VERSION, Boot, Channel, Closed, Code, Done, ENTROPY, Event, FlashOp, IN_WINDOW, Want } from "../abi";
import {
  AGENT,
  ALINK,
  CONFIG,
  DOWNLINK,
  ENTROPY_BUFFER,
  EVENTS,
  FETCH,
  FLASH,
  IN,
  INBOX,
  JOURNAL,
  MQTT_PEER,
  RANDOM,
  RUNNING,
  SESSION,
  UPDATE,
} from "../arena";
import { S } from "../bytes/text";
import { putBytes, putDecimal, putSigned, putText } from "../bytes/writer";
import { pendingExpired, pendingTimeout } from "../protocol/alink";
import { randomSeed } from "../protocol/backoff";
import { describe } from "../protocol/describe";
import { downlinkAbandon } from "../protocol/downlink";
import {
  eventBegin,
  eventEnd,
  eventsKind,
  eventsLen,
  eventsMore,
  eventsPtr,
  eventsRoom,
  eventsTake,
} from "../protocol/events";
import {
  fetchClosed,
  fetchOpened,
  FetchPhase,
  fetchReceived,
  fetchRxCap,
  fetchRxPtr,
  fetchStep,
  fetchTick,
  fetchTimeout,
} from "../protocol/fetch";
import { flashAnswer, flashWanted } from "../protocol/flash";
import { journalBusy, journalLoad, journalStep } from "../protocol/journal";
import {
  Phase,
  sessionClosed,
  sessionOpened,
  sessionReceived,
  sessionRxCap,
  sessionSent,
  sessionStart,
  sessionTick,
  sessionTimeout,
} from "../protocol/mqtt_session";
import { Topic } from "../protocol/topics";
import { updateBooted, updateResume, updateStep, updateTimeout, updateWant, Task } from "../protocol/update";
import { assemble, assembleEvents } from "./assemble";
import { readConfiguration } from "./config";
import { emitPosted, inboxFree, inboxStep, post as inboxPost, reply as inboxReply } from "./inbox";
import { route } from "./route";

export function abiVersion(): i32 {
  return ABI_VERSION;
}

export function configure(length: i32): i32 {
  assembleEvents();
  if (CONFIG.assembled) return Code.BadState;
  if (length < 0 || length > IN_WINDOW || (length == 0 && CONFIG.left == 0)) return Code.BadArgument;
  return readConfiguration(length);
}

export function booted(slot: i32, how: i32, reason: i32): i32 {
  if (CONFIG.assembled) return Code.BadState;
  if (slot < 0 || slot > 1 || how < Boot.Confirmed || how > Boot.FellBack) return Code.BadArgument;
  RUNNING.slot = slot;
  RUNNING.how = how;
  RUNNING.reason = reason;
  return Code.Ok;
}

export function poll(nowMs: i32): i32 {
  assembleEvents();
  if (CONFIG.refused) return Code.BadArgument;
  if (!CONFIG.present) return Code.BadState;
  if (!CONFIG.assembled) {
    const code = assemble();
    if (code < 0) return code;
    CONFIG.assembled = true;
    SESSION.now = nowMs;
    FETCH.now = nowMs;
    sessionStart(SESSION);
  }
  AGENT.now = nowMs;
  const again = UPDATE.task != Task.Restart && AGENT.seeded && work();
  return wants(again);
}

/** A bounded piece of work. -> whether there is more to do now. */
function work(): bool {
  const now = AGENT.now;
  if (!eventsRoom(EVENTS)) {
    // the peer is not the one that is silent
    SESSION.lastReceived = now;
    return false;
  }
  if (!AGENT.loaded) return load();
  SESSION.now = now;
  if (AGENT.hungUp != 0 && !unread()) hangUp(AGENT.hungUp - 1);
  if (AGENT.lost) {
    downlinkAbandon(DOWNLINK);
    emitDisconnected();
    AGENT.lost = false;
    return true;
  }
  if (sessionTick(SESSION, now)) {
    emitConnecting();
    return true;
  }
  let again = route() || (AGENT.hungUp != 0 && !unread());
  if (fetchTick(FETCH, now)) return true;
  // an event in pieces is not broken up by others: what could emit one waits for its end
  if (DOWNLINK.open) {
    journalStep(JOURNAL);
    return again;
  }
  if (!eventsRoom(EVENTS)) return true;
  again = inboxStep() || again;
  if (!eventsRoom(EVENTS)) return true;
  again = expire() || again;
  if (!eventsRoom(EVENTS)) return true;
  again = fetchStep(FETCH) || again;
  const task = UPDATE.task;
  again = updateStep(UPDATE, now) || again;
  const recording = journalBusy(JOURNAL);
  journalStep(JOURNAL);
  return again || task != UPDATE.task || (recording && !journalBusy(JOURNAL));
}

/** Read the state region before anything else: it says which version runs. */
function load(): bool {
  if (FLASH.sector != 0 && !AGENT.loading) {
    journalLoad(JOURNAL);
    AGENT.loading = true;
  }
  if (AGENT.loading) journalStep(JOURNAL);
  if (AGENT.loading && journalBusy(JOURNAL)) return false;
  AGENT.loaded = true;
  updateResume(UPDATE);
  return true;
}

/** Requests that got no reply in time; only a standing session makes them late. */
function expire(): bool {
  if (SESSION.phase != Phase.Ready) return false;
  const id = pendingExpired(ALINK);
  if (id == 0) return false;
  if (ALINK.message.topic == Topic.PropertyPost) emitPosted(id, Code.TimedOut);
  return true;
}

function wants(again: bool): i32 {
  let want: i32 = again ? Want.Again : 0;
  if (!AGENT.seeded) want |= Want.Entropy;
  if (eventsKind(EVENTS) != Event.None) want |= Want.Event;
  if (flashWanted(FLASH) != FlashOp.None) want |= Want.Flash;
  want |= updateWant(UPDATE);
  if (want & Want.Restart) return want;
  want |= channelWants(
    Channel.Mqtt,
    SESSION.phase == Phase.Opening,
    SESSION.phase == Phase.Closing && AGENT.hungUp == 0,
  );
  want |= channelWants(Channel.Http, FETCH.phase == FetchPhase.Opening, FETCH.phase == FetchPhase.Closing);
  return want;
}

function channelWants(ch: i32, open: bool, close: bool): i32 {
  let want: i32 = 0;
  if (open) want |= Want.Open << ch;
  if (close) want |= Want.Close << ch;
  if (txLen(ch) != 0) want |= Want.Transmit << ch;
  if (rxCap(ch) != 0) want |= Want.Receive << ch;
  return want;
}

/** The smaller of two waits, of which -1 is none. */
function sooner(a: i32, b: i32): i32 {
  return a < 0 ? b : b < 0 || a < b ? a : b;
}

export function timeout(): i32 {
  if (!CONFIG.assembled || !AGENT.loaded || UPDATE.task == Task.Restart) return -1;
  const ms = sooner(sessionTimeout(SESSION), fetchTimeout(FETCH));
  // what waits for the end of an event in pieces does not wait for time
  return DOWNLINK.open ? ms : sooner(ms, workTimeout());
}

function workTimeout(): i32 {
  let ms: i32 = -1;
  if (SESSION.phase == Phase.Ready) ms = pendingTimeout(ALINK);
  return sooner(ms, updateTimeout(UPDATE));
}

export function rxPtr(ch: i32): i32 {
  return ch == Channel.Mqtt ? <i32>(SESSION.rx + SESSION.rxEnd) : ch == Channel.Http ? <i32>fetchRxPtr(FETCH) : 0;
}

export function rxCap(ch: i32): i32 {
  if (!CONFIG.assembled) return 0;
  // what would come in could not be told to the application
  if (ch == Channel.Mqtt) return eventsRoom(EVENTS) && AGENT.hungUp == 0 ? <i32>sessionRxCap(SESSION) : 0;
  return ch == Channel.Http ? <i32>fetchRxCap(FETCH) : 0;
}

export function received(ch: i32, n: i32): i32 {
  if (n < 0 || n > rxCap(ch)) return Code.BadArgument;
  if (n == 0) return Code.Ok;
  if (ch == Channel.Mqtt) sessionReceived(SESSION, n);
  else fetchReceived(FETCH, n);
  return Code.Ok;
}

export function txPtr(ch: i32): i32 {
  if (ch == Channel.Mqtt) return CONFIG.assembled ? <i32>(SESSION.window.base + SESSION.window.out) : 0;
  return ch == Channel.Http ? <i32>(FETCH.tx + FETCH.txAt) : 0;
}

export function txLen(ch: i32): i32 {
  if (!CONFIG.assembled) return 0;
  if (ch == Channel.Http) return <i32>(FETCH.txEnd - FETCH.txAt);
  // what waits in the window goes out once there is a session
  const linked = SESSION.phase >= Phase.Connecting && AGENT.hungUp == 0;
  return ch == Channel.Mqtt && linked ? <i32>(SESSION.window.end - SESSION.window.out) : 0;
}

export function sent(ch: i32, n: i32): i32 {
  if (n < 0 || n > txLen(ch)) return Code.BadArgument;
  if (n == 0) return Code.Ok;
  if (ch == Channel.Mqtt) sessionSent(SESSION, n);
  else FETCH.txAt += n;
  return Code.Ok;
}

export function peerPtr(ch: i32): i32 {
  return ch == Channel.Mqtt ? <i32>MQTT_PEER : <i32>FETCH.peer;
}

export function peerLen(ch: i32): i32 {
  return ch == Channel.Mqtt ? CONFIG.peerLength : ch == Channel.Http ? FETCH.peerLength : 0;
}

export function opened(ch: i32): i32 {
  if (ch == Channel.Mqtt && SESSION.phase == Phase.Opening) sessionOpened(SESSION);
  else if (ch == Channel.Http && FETCH.phase == FetchPhase.Opening) fetchOpened(FETCH);
  else return Code.BadState;
  return Code.Ok;
}

export function closed(ch: i32, reason: i32): i32 {
  if (reason < Closed.Local || reason > Closed.Untrusted) reason = Closed.Broken;
  if (ch == Channel.Http) fetchClosed(FETCH, reason);
  if (ch != Channel.Mqtt || SESSION.phase < Phase.Opening || AGENT.hungUp != 0) return Code.Ok;
  // what came before the end counts: it may say why
  if (unread()) AGENT.hungUp = reason + 1;
  else hangUp(reason);
  return Code.Ok;
}

function unread(): bool {
  const linked = SESSION.phase == Phase.Connecting || SESSION.phase == Phase.Ready;
  return linked && SESSION.rxAt != SESSION.rxEnd;
}

/** The MQTT link is down, and all that it brought is read. */
function hangUp(reason: i32): void {
  sessionClosed(SESSION, reason);
  AGENT.hungUp = 0;
  AGENT.lost = true;
  AGENT.fault = SESSION.fault;
  AGENT.detail = SESSION.detail;
  AGENT.retry = SESSION.retry;
}

export function fault(ch: i32): i32 {
  return ch == Channel.Mqtt ? SESSION.fault : ch == Channel.Http ? FETCH.fault : INBOX.fault;
}

export function detail(ch: i32): i32 {
  return ch == Channel.Mqtt ? SESSION.detail : ch == Channel.Http ? FETCH.detail : INBOX.detail;
}

export function flashOp(): i32 {
  return flashWanted(FLASH);
}

export function flashOffset(): i32 {
  return <i32>FLASH.offset;
}

export function flashPtr(): i32 {
  return <i32>FLASH.ptr;
}

export function flashLen(): i32 {
  return <i32>FLASH.len;
}

export function flashDone(result: i32): i32 {
  if (flashWanted(FLASH) == FlashOp.None) return Code.BadState;
  flashAnswer(FLASH, result);
  return Code.Ok;
}

export function bootOp(): i32 {
  return UPDATE.bootOp;
}

export function bootSlot(): i32 {
  return <i32>UPDATE.bootSlot;
}

export function bootDone(result: i32): i32 {
  if (UPDATE.bootOp == 0) return Code.BadState;
  updateBooted(UPDATE, result > Done.Ok ? Done.Ok : result);
  return Code.Ok;
}

export function entropyPtr(): i32 {
  return <i32>ENTROPY_BUFFER;
}

export function entropyLen(): i32 {
  return ENTROPY;
}

export function entropyDone(): i32 {
  randomSeed(RANDOM, ENTROPY_BUFFER);
  AGENT.seeded = true;
  return Code.Ok;
}

export function inPtr(): i32 {
  return <i32>IN;
}

export function inCap(): i32 {
  return inboxFree() ? IN_WINDOW : 0;
}

export function post(kind: i32, length: i32): i32 {
  return CONFIG.assembled ? inboxPost(kind, length) : Code.BadState;
}

export function reply(token: i32, code: i32, length: i32): i32 {
  return CONFIG.assembled ? inboxReply(token, code, length) : Code.BadState;
}

export function eventKind(): i32 {
  return eventsKind(EVENTS);
}

export function eventPtr(): i32 {
  return <i32>eventsPtr(EVENTS);
}

export function eventLen(): i32 {
  return <i32>eventsLen(EVENTS);
}

export function eventMore(): i32 {
  return eventsMore(EVENTS);
}

export function eventDone(): i32 {
  eventsTake(EVENTS);
  return Code.Ok;
}

function emitConnecting(): void {
  AGENT.attempt += 1;
  const w = eventBegin(EVENTS, S('{"event":"device.connecting","peer":"'));
  putBytes(w, MQTT_PEER, CONFIG.peerLength);
  putText(w, S('","attempt":'));
  putDecimal(w, AGENT.attempt);
  eventEnd(EVENTS, Event.Connecting);
}

function emitDisconnected(): void {
  const w = eventBegin(EVENTS, S('{"event":"device.disconnected","code":'));
  putSigned(w, AGENT.fault);
  putText(w, S(',"detail":'));
  putSigned(w, AGENT.detail);
  putText(w, S(',"retryMs":'));
  putSigned(w, AGENT.retry);
  putText(w, S(',"desc":"'));
  if (AGENT.fault != 0) describe(w, AGENT.fault, AGENT.detail);
  putText(w, S('"'));
  eventEnd(EVENTS, Event.Disconnected);
}
