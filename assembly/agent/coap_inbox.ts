/**
 * What the application hands over. A post must be one JSON object, or the envelope around it would not be JSON either: it is
 * checked in slices. Then it is offered to the session, and stays in the in-window until the platform has answered.
 */
import { Code, Event, Post } from "../abi";
import { equals, litLen, litPtr, move, S } from "../bytes/text";
import { putDecimal, putSigned, putText } from "../bytes/writer";
import { JsonToken, jsonInit, jsonNext } from "../codec/json";
import { AGENT, EVENTS, IDENTITY, IN_FRAME, READER, REPLY, SESSION } from "../coap_arena";
import { identifierAt } from "../protocol/coap_compose";
import { replyTag } from "../protocol/coap_reply";
import { ENVELOPE_HEAD, Request, Step } from "../protocol/coap_task";
import { sessionStart, sessionStop } from "../protocol/coap_session";
import { eventBegin, eventEnd } from "../protocol/events";
import { IN_WINDOW } from "../profile";
import { IDENTIFIER_MAX, identifierLength } from "../protocol/identifier";
import { ownTopic } from "../protocol/topics";

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
  const bare = kind >= Post.Disconnect && kind <= Post.Pull;
  if (bare ? length != 0 : length < 1 || length > IN_WINDOW) return fault(Code.BadArgument, IN_WINDOW);
  switch (kind) {
    case Post.Disconnect:
      sessionStop(SESSION);
      return Code.Ok;
    case Post.Connect:
      sessionStart(SESSION);
      return Code.Ok;
    case Post.Pull:
      SESSION.pull = true;
      return Code.Ok;
    case Post.Subscribe:
    case Post.Unsubscribe:
      return fault(Code.Unsupported, 0);
  }
  if (inCap() == 0) return fault(Code.Busy, 0);
  if (kind == Post.Property || kind == Post.Event) {
    const properties = S("property");
    let name = litLen(properties);
    let from = litPtr(properties);
    if (kind == Post.Event) {
      name = identifierLength(IN, length);
      if (name == 0) return fault(Code.BadArgument, IDENTIFIER_MAX);
      from = IN;
      length -= name + 1;
    }
    SESSION.topicLen = name;
    move(identifierAt(SESSION), from, name);
    if (kind == Post.Event) move(IN, IN + name + 1, length);
    const id = (SESSION.lastId % 0x7fffffff) + 1;
    SESSION.lastId = id;
    return take(Request.Property, length, id);
  }
  let topic: i32 = 0;
  while (topic < length && load<u8>(IN + topic) != 0) topic++;
  if (kind != Post.Publish || topic == length || !ownTopic(IDENTITY, IN, topic)) return fault(Code.BadArgument, 0);
  SESSION.topicLen = topic;
  take(Request.Publish, length, 0);
  return Code.Ok;
}

export function reply(token: i32, code: i32, length: i32): i32 {
  fault(Code.Ok, 0);
  if (!AGENT.assembled) return Code.BadState;
  if (inCap() == 0) return fault(Code.Busy, 0);
  const entry = token > 0 ? replyTag(REPLY, token) : 0;
  if (entry == 0 || length < 0 || length > IN_WINDOW) return fault(Code.BadArgument, IN_WINDOW);
  if (length == 0) {
    store<u16>(IN, 0x7d7b);
    length = 2;
  }
  SESSION.code = code;
  SESSION.tag = entry;
  take(Request.Reply, length, token);
  return Code.Ok;
}

function take(kind: Request, length: u32, id: u32): i32 {
  AGENT.kind = kind;
  AGENT.unchecked = length;
  SESSION.id = id;
  SESSION.bodyLen = length;
  jsonInit(READER);
  READER.at = IN;
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
  if (kind == Request.Reply) store<u32>(SESSION.tag, 0);
  if (kind != Request.Property && code == 200) return;
  // "property" is no identifier of an event
  const properties = equals(identifierAt(SESSION), SESSION.topicLen, S("property"));
  const posted = properties ? S('{"event":"property.posted","id":') : S('{"event":"event.posted","id":');
  const w = eventBegin(EVENTS, kind == Request.Property ? posted : S('{"event":"fault","detail":'));
  putDecimal(w, SESSION.id);
  putText(w, S(',"code":'));
  putSigned(w, code);
  if (kind == Request.Property) return eventEnd(EVENTS, properties ? Event.PropertyPosted : Event.EventPosted);
  putText(w, S(',"desc":"a message of the application was refused"'));
  eventEnd(EVENTS, Event.Fault);
}
