/**
 * What the application hands over. A post must be one JSON object, or the envelope around it would not be JSON either: it is
 * checked in slices. Then it is offered to the session, and stays in the in-window until the platform has answered.
 */
import { Code, Event, Post } from "../abi";
import { copy, equals, litLen, litPtr, S } from "../bytes/text";
import { JsonToken, jsonInit, jsonNext } from "../codec/json";
import { AGENT, EVENT_NAME, IDENTITY, IN_FRAME, READER, REPLY_TAGS, SESSION } from "../coap_arena";
import { ENVELOPE_HEAD, Request, Step } from "../protocol/coap_task";
import { sessionStart, sessionStop } from "../protocol/coap_session";
import { IN_WINDOW } from "../profile";
import { IDENTIFIER_MAX, identifierLength } from "../protocol/identifier";
import { ownTopic } from "../protocol/own_topic";
import { emit } from "./coap_events";

/** Bytes checked in one step. */
const SLICE: u32 = 128;
const IN: usize = IN_FRAME + ENVELOPE_HEAD;

function fault(code: i32, detail: i32): i32 {
  AGENT.postFault = code;
  AGENT.postDetail = detail;
  return code;
}

export function inPtr(): i32 {
  return <i32>IN;
}

export function inCap(): i32 {
  // while a response is read its reader is not to be had
  return AGENT.kind == 0 && SESSION.step != Step.Read && SESSION.received == 0 ? IN_WINDOW : 0;
}

export function post(kind: i32, length: i32): i32 {
  fault(Code.Ok, 0);
  if (!AGENT.assembled) return Code.BadState;
  if (kind >= Post.Disconnect && kind <= Post.Pull && length == 0) {
    if (kind == Post.Disconnect) sessionStop(SESSION);
    else if (kind == Post.Connect) sessionStart(SESSION);
    else if (kind == Post.Pull) SESSION.pull = true;
    else return fault(Code.BadArgument, 0);
    return Code.Ok;
  }
  if (kind == Post.Subscribe || kind == Post.Unsubscribe) return fault(Code.Unsupported, 0);
  if (length < 1 || length > IN_WINDOW) return fault(Code.BadArgument, IN_WINDOW);
  if (inCap() == 0) return fault(Code.Busy, 0);
  if (kind == Post.Property || kind == Post.Event) {
    let from = S("property");
    let skip: u32 = 0;
    if (kind == Post.Event) {
      const name = identifierLength(IN, length);
      if (name == 0) return fault(Code.BadArgument, IDENTIFIER_MAX);
      from = IN - 1;
      store<u8>(from, name);
      skip = name + 1;
    }
    copy(EVENT_NAME, from, 1 + litLen(from));
    SESSION.lastId = (SESSION.lastId % 0x7fffffff) + 1;
    return take(Request.Property, IN + skip, length - skip, SESSION.lastId);
  }
  let topic: i32 = 0;
  while (topic < length && load<u8>(IN + topic) != 0) topic++;
  if (kind != Post.Publish || topic == length || !ownTopic(IDENTITY, IN, topic)) return fault(Code.BadArgument, 0);
  SESSION.topicLen = topic;
  return take(Request.Publish, IN + topic + 1, length - topic - 1, 0);
}

export function reply(token: i32, code: i32, length: i32): i32 {
  fault(Code.Ok, 0);
  if (!AGENT.assembled) return Code.BadState;
  // what a pull brings may take the place of the set that this answers
  if (inCap() == 0 || SESSION.request == Request.Pull) return fault(Code.Busy, 0);
  if (token <= 0 || load<i32>(REPLY_TAGS) != token || length < 0 || length > IN_WINDOW)
    return fault(Code.BadArgument, IN_WINDOW);
  if (length == 0) {
    store<u16>(IN, 0x7d7b);
    length = 2;
  }
  SESSION.code = code;
  take(Request.Reply, IN, length, token);
  return Code.Ok;
}

function take(kind: Request, data: usize, length: u32, id: u32): i32 {
  AGENT.kind = kind;
  AGENT.unchecked = length;
  SESSION.id = id;
  SESSION.data = data;
  SESSION.dataLen = length;
  jsonInit(READER);
  READER.at = data;
  // a payload of the application's own is not looked at
  if (kind == Request.Publish) offer();
  return <i32>id;
}

function offer(): void {
  AGENT.unchecked = 0;
  SESSION.offer = <Request>AGENT.kind;
}

/** Check the next slice of the post; until that is done the session stands still, whose reader it takes. */
export function inboxStep(): void {
  const r = READER;
  const n = AGENT.unchecked < SLICE ? AGENT.unchecked : SLICE;
  r.end = r.at + n;
  AGENT.unchecked -= n;
  let token = jsonNext(r);
  for (; token > JsonToken.NeedMore && token != JsonToken.End; token = jsonNext(r)) {
    if (r.depth == 0 && token != JsonToken.ObjectEnd) break;
    if (r.depth == 1 && token == JsonToken.ArrayStart) break;
  }
  if (token == JsonToken.NeedMore && AGENT.unchecked != 0) return;
  if (token != JsonToken.End) answered(Code.BadArgument);
  else if (AGENT.unchecked == 0) offer();
}

/** The post is over: a Code, an Alink code, or a status of CoAP as HTTP has it. */
export function answered(code: i32): void {
  const kind = AGENT.kind;
  AGENT.kind = 0;
  AGENT.unchecked = 0;
  SESSION.code = code;
  // no event is called "property"
  const properties = equals(litPtr(EVENT_NAME), litLen(EVENT_NAME), S("property"));
  if (kind == Request.Property)
    emit(
      properties ? Event.PropertyPosted : Event.EventPosted,
      S('\x1f.posted","id":\x05,"code":\x06}'),
      properties ? S("property") : S("event"),
    );
  else {
    if (kind == Request.Reply) store<u32>(REPLY_TAGS, 0);
    if (code != 200)
      emit(Event.Fault, S('fault","detail":\x05,"code":\x06,"desc":"a message of the application was refused"}'), 0);
  }
}
