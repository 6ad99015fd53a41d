/**
 * What the application hands over. A post is checked in slices (it must be one JSON object, or the envelope around it
 * would not be JSON either) and then written into the transmit window; until then the in-window is taken.
 */
import { Code, Event, Post } from "../abi";
import { ALINK, DOWNLINK, EVENTS, IDENTITY, IN, IN_READER, INBOX, REPLY_TABLE, SESSION, UPDATE } from "../arena";
import { litLen, litPtr, move, parseU32, S } from "../bytes/text";
import { putBytes, putByte, putDecimal, putSigned, putText, Writer, writerDone, writerInit } from "../bytes/writer";
import { JsonToken, jsonFinish, jsonInit, jsonNext } from "../codec/json";
import { jsonEscape } from "../codec/json_escape";
import { largestBody, Message, nextMessage, pendingAdd, pendingRoom, send } from "../protocol/alink";
import { emitFault, eventOf, eventEnd } from "../protocol/events";
import {
  publishBegin,
  publishEnd,
  publishId,
  sessionLargest,
  sessionStart,
  sessionStop,
  sessionSubscribe,
} from "../protocol/mqtt_session";
import { IDENTIFIER_MAX, identifierLength } from "../protocol/identifier";
import { ownTopic, Topic, validFilter } from "../protocol/topics";
import { IN_WINDOW, REPLIES, WITH_CONFIRM } from "../profile";
import { Decision, Task } from "../protocol/update_task";
import { REPLY, REPLY_ID } from "./inbox_state";

/** Kind of a post that is an answer. */
const POST_REPLY: i32 = 100;
/** Post.UpdateLater without a number, and the largest one, seconds. */
const LATER: i32 = 3600;
const LATER_MOST: i32 = 604800;
/** Bytes checked in one step. */
const SLICE: u32 = 128;

/** Whether the application may write into the in-window. */
export function inboxFree(): bool {
  return INBOX.kind == 0;
}

function fault(code: i32, detail: i32): i32 {
  INBOX.fault = code;
  INBOX.detail = detail;
  return code;
}

export function post(kind: i32, length: i32): i32 {
  INBOX.fault = 0;
  INBOX.detail = 0;
  if (kind == Post.Disconnect || kind == Post.Connect) {
    if (length != 0) return fault(Code.BadArgument, 0);
    // what the application wants of the session counts more than a download that has paused it
    UPDATE.paused = false;
    if (kind == Post.Disconnect) sessionStop(SESSION);
    else sessionStart(SESSION);
    return Code.Ok;
  }
  if (!inboxFree()) return fault(Code.Busy, 0);
  if (WITH_CONFIRM && kind >= Post.UpdateAccept && kind <= Post.UpdateNever) return decide(kind, length);
  if (length < 1 || length > IN_WINDOW) return fault(Code.BadArgument, IN_WINDOW);
  INBOX.skip = 0;
  INBOX.length = length;
  switch (kind) {
    case Post.Event:
    case Post.Property: {
      if (kind == Post.Event) {
        const name = identifierLength(IN, length);
        if (name == 0) return fault(Code.BadArgument, IDENTIFIER_MAX);
        INBOX.skip = name + 1;
      }
      const m = postMessage();
      const most = largestBody(ALINK, m) + <i32>INBOX.skip;
      if (length > most) return fault(Code.TooLarge, most);
      return take(kind, length, m.id);
    }
    case Post.Publish: {
      const topic = topicLength(length);
      // the platform hangs up on a device that publishes anywhere but on its own topics (Alink §3)
      if (topic <= 0 || !ownTopic(IDENTITY, IN, topic)) return fault(Code.BadArgument, 0);
      if (<u32>length - 1 > sessionLargest(SESSION)) return fault(Code.TooLarge, <i32>sessionLargest(SESSION));
      take(kind, length, 0);
      return Code.Ok;
    }
    case Post.Subscribe:
    case Post.Unsubscribe: {
      if (!validFilter(IN, length)) return fault(Code.BadArgument, 0);
      const result = sessionSubscribe(SESSION, IN, length, kind == Post.Subscribe);
      return result < 0 ? fault(result, 0) : result;
    }
    default:
      return fault(Code.BadArgument, 0);
  }
}

/** What the application says to the package that it was asked about. */
function decide(kind: i32, length: i32): i32 {
  let seconds: i64 = LATER;
  if (kind == Post.UpdateLater && length > 0 && length < 8) seconds = parseU32(IN, length);
  else if (length != 0) return fault(Code.BadArgument, 0);
  if (seconds < 1 || seconds > LATER_MOST) return fault(Code.BadArgument, LATER_MOST);
  if (UPDATE.task != Task.Ask || UPDATE.decision != Decision.None) return fault(Code.BadState, 0);
  UPDATE.laterMs = <u32>seconds * 1000;
  UPDATE.decision = kind - Post.UpdateAccept + Decision.Accept;
  return Code.Ok;
}

/** A message of the thing model with what stands in the in-window. */
function postMessage(): Message {
  const skip = INBOX.skip;
  const m = nextMessage(ALINK, skip == 0 ? Topic.PropertyPost : Topic.EventPost);
  const properties = S("property");
  m.token = skip == 0 ? litPtr(properties) : IN;
  m.tokenLength = skip == 0 ? litLen(properties) : skip - 1;
  m.body = IN + skip;
  m.bodyLength = INBOX.length - skip;
  return m;
}

function take(kind: i32, length: u32, id: u32): i32 {
  INBOX.kind = kind;
  INBOX.length = length;
  INBOX.checked = INBOX.skip;
  INBOX.id = id;
  jsonInit(IN_READER);
  return <i32>id;
}

/** Bytes before the zero byte that ends the topic; -1 = there is none. */
function topicLength(length: u32): i32 {
  for (let i: u32 = 0; i < length; i++) if (load<u8>(IN + i) == 0) return <i32>i;
  return -1;
}

function replyEntry(index: u32): usize {
  return REPLY_TABLE + index * REPLY;
}

/** Keep the id of the downlink request that was read last, until the application answers. */
export function awaitReply(): bool {
  // oldest first: a further request takes the place of the oldest one, which is told so (Alink §6)
  if (load<u32>(replyEntry(0)) != 0) answer(0, 429);
  move(REPLY_TABLE, REPLY_TABLE + REPLY, (REPLIES - 1) * REPLY);
  const at = replyEntry(REPLIES - 1);
  const length = putRequestId(EVENTS.writer, at + 8, REPLY_ID);
  store<u32>(at, length < 0 ? 0 : DOWNLINK.request);
  store<u32>(at, length, 4);
  return length >= 0;
}

/** The id of the request as JSON, as it came: text in quotes, or a number. -> its length, -1 when it cannot be echoed. */
function putRequestId(w: Writer, ptr: usize, cap: u32): i32 {
  const d = DOWNLINK;
  if (d.idCut || d.idLength == 0) return -1;
  writerInit(w, ptr, cap);
  if (d.idText) {
    putByte(w, 34);
    jsonEscape(w, d.id + 1, d.idLength);
    putByte(w, 34);
  } else putBytes(w, d.id + 1, d.idLength);
  return writerDone(w);
}

/** Answer a property set that cannot be handed to the application: its params are no object. */
export function refuseRequest(): void {
  if (!awaitReply()) return;
  answer(REPLIES - 1, 460);
}

/** Answer a request without the application. One that cannot be answered now is one that the platform gives up in time. */
function answer(index: u32, code: i32): void {
  const m = replyMessage(index);
  m.number = code;
  m.bodyLength = 0;
  send(ALINK, m, 1);
  store<u32>(replyEntry(index), 0);
}

export function reply(token: i32, code: i32, length: i32): i32 {
  INBOX.fault = 0;
  INBOX.detail = 0;
  if (!inboxFree()) return fault(Code.Busy, 0);
  if (length < 0 || length > IN_WINDOW || token <= 0) return fault(Code.BadArgument, IN_WINDOW);
  for (let i: u32 = 0; i < REPLIES; i++) {
    if (load<u32>(replyEntry(i)) != <u32>token) continue;
    const m = replyMessage(i);
    m.bodyLength = length;
    const most = largestBody(ALINK, m);
    if (length > most) return fault(Code.TooLarge, most);
    INBOX.token = token;
    INBOX.code = code;
    INBOX.skip = 0;
    take(POST_REPLY, length, 0);
    return Code.Ok;
  }
  return fault(Code.BadArgument, 0);
}

/** A reply with the id of entry `index`; without one when that entry is gone. */
function replyMessage(index: u32): Message {
  const m = nextMessage(ALINK, Topic.PropertySetReply);
  m.token = replyEntry(index) + 8;
  m.tokenLength = load<u32>(replyEntry(index), 4);
  m.number = INBOX.code;
  m.body = IN;
  m.bodyLength = INBOX.length;
  return m;
}

/** Go on with the post in the in-window. -> whether there is more to do now. */
export function inboxStep(): bool {
  const inbox = INBOX;
  if (inbox.kind == 0) return false;
  if (inbox.kind != Post.Publish && inbox.checked < inbox.length) {
    if (!check()) return refuseBody();
    if (inbox.checked < inbox.length) return true;
  }
  const result = forward();
  if (result != Code.Busy) inbox.kind = 0;
  return false;
}

/** Check the next slice. -> false when it is not one JSON object. */
function check(): bool {
  const r = IN_READER;
  const rest = INBOX.length - INBOX.checked;
  const n = rest < SLICE ? rest : SLICE;
  r.at = IN + INBOX.checked;
  r.end = r.at + n;
  INBOX.checked += n;
  let token = jsonNext(r);
  for (; token > JsonToken.NeedMore && token != JsonToken.End; token = jsonNext(r)) {
    if (r.depth == 0 && token != JsonToken.ObjectEnd) return false;
    if (token == JsonToken.ArrayStart && r.depth == 1) return false;
  }
  if (token < 0) return false;
  return token == JsonToken.End || INBOX.checked < INBOX.length || jsonFinish(r) == JsonToken.End;
}

/** The body is not JSON: say so with the id that the application knows. */
function refuseBody(): bool {
  if (INBOX.id != 0) emitPosted(INBOX.id, Code.BadArgument, INBOX.skip == 0);
  else emitFault(EVENTS, Code.BadArgument, INBOX.token, S("data of the reply is not a JSON object"));
  INBOX.kind = 0;
  return false;
}

/** How the post `id` ended; `properties`: it was one of properties, else an event. */
export function emitPosted(id: u32, code: i32, properties: bool): void {
  const w = eventOf(EVENTS, properties ? S('property.posted","id":') : S('event.posted","id":'));
  putDecimal(w, id);
  putText(w, S(',"code":'));
  putSigned(w, code);
  eventEnd(EVENTS, properties ? Event.PropertyPosted : Event.EventPosted);
}

/** Write the post into the transmit window. -> Busy while it has to wait. */
function forward(): i32 {
  const inbox = INBOX;
  if (inbox.kind == Post.Publish) return publish();
  if (inbox.id != 0) {
    if (!pendingRoom(ALINK)) return Code.Busy;
    const m = postMessage();
    m.id = inbox.id;
    const result = send(ALINK, m, 1);
    if (result >= 0) pendingAdd(ALINK, inbox.id, m.topic);
    return result;
  }
  for (let i: u32 = 0; i < REPLIES; i++) {
    if (load<u32>(replyEntry(i)) != inbox.token) continue;
    const result = send(ALINK, replyMessage(i), 1);
    if (result != Code.Busy) store<u32>(replyEntry(i), 0);
    return result;
  }
  return Code.Ok;
}

function publish(): i32 {
  const topic = <u32>topicLength(INBOX.length);
  const payload = INBOX.length - topic - 1;
  const begun = publishBegin(SESSION, topic, payload, 1);
  if (begun < 0) return begun;
  putBytes(SESSION.writer, IN, topic);
  publishId(SESSION);
  putBytes(SESSION.writer, IN + topic + 1, payload);
  return <i32>publishEnd(SESSION, 1);
}
