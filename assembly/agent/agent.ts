/**
 * The agent behind the exports: owns the sessions, routes what comes in over the channels, and answers `poll`. Each call
 * does a bounded piece of work; while the event queue has no room for a full piece, nothing goes on that could emit one.
 */
import { ABI_VERSION, Boot, Channel, Closed, Code, Counter, Done, ENTROPY, Event, FlashOp, Want } from "../abi";
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
  POLICY,
  RANDOM,
  RUNNING,
  SESSION,
  UPDATE,
} from "../arena";
import { IN_WINDOW, WITH_QUIET } from "../profile";
import { pendingTimeout } from "../protocol/alink";
import { randomSeed } from "../protocol/backoff";
import { eventsKind, eventsLen, eventsMore, eventsPtr, eventsTake } from "../protocol/events";
import { fetchTimeout } from "../protocol/fetch";
import { FetchPhase } from "../protocol/fetch_task";
import { flashAnswer, flashWanted } from "../protocol/flash";
import { Phase, sessionStart, sessionTimeout } from "../protocol/mqtt_session";
import { updateBooted, updateTimeout, updateWant } from "../protocol/update";
import { policyClock } from "../protocol/update_policy";
import { Task } from "../protocol/update_task";
import { assemble } from "./assemble";
import { readConfiguration } from "./config";
import { inboxFree, post as inboxPost, reply as inboxReply } from "./inbox";
import { channelWants, closed } from "./channels";
import { wire } from "./wiring";
import { work } from "./work";

export function abiVersion(): i32 {
  return ABI_VERSION;
}

export function configure(length: i32): i32 {
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

export function wallClock(seconds: i32): i32 {
  if (!CONFIG.assembled) return Code.BadState;
  if (WITH_QUIET) policyClock(POLICY, seconds, AGENT.now);
  return Code.Ok;
}

export function poll(nowMs: i32): i32 {
  if (CONFIG.refused) return Code.BadArgument;
  if (!CONFIG.present) return Code.BadState;
  if (!CONFIG.assembled) {
    wire();
    const code = assemble();
    if (code < 0) return code;
    CONFIG.assembled = true;
    SESSION.now = nowMs;
    UPDATE.now = nowMs;
    FETCH.now = nowMs;
    sessionStart(SESSION);
  }
  if (AGENT.resumed) AGENT.shift = AGENT.now - nowMs;
  AGENT.resumed = false;
  AGENT.now = nowMs + AGENT.shift;
  AGENT.polls += 1;
  const again = UPDATE.task != Task.Restart && AGENT.seeded && work();
  return wants(again);
}

/** The device slept: time went on, and nothing is left of the links. */
export function resumed(elapsedMs: i32): i32 {
  if (!CONFIG.assembled) return Code.BadState;
  if (elapsedMs < 0) return Code.BadArgument;
  AGENT.now += elapsedMs;
  AGENT.resumed = true;
  SESSION.now = AGENT.now;
  FETCH.now = AGENT.now;
  closed(Channel.Mqtt, Closed.Broken);
  closed(Channel.Http, Closed.Broken);
  return Code.Ok;
}

export function counter(which: i32): i32 {
  if (which == Counter.BytesSent) return <i32>AGENT.bytesSent;
  if (which == Counter.BytesReceived) return <i32>AGENT.bytesReceived;
  return which == Counter.Polls ? <i32>AGENT.polls : Code.BadArgument;
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
