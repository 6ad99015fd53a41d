/**
 * Reads the JSON of a response as it is decrypted: token and random of /auth, `code` of an Alink reply, and the messages
 * that /pull brings, `[{"topic":…,"payload":{…}}]`, of which property sets go on to the application as they come.
 */
import { Event, Piece } from "../abi";
import { copy, equals, parseU32, S } from "../bytes/text";
import { putByte, putDecimal, putText } from "../bytes/writer";
import { JsonReader, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import { Events, pieceBegin, pieceEnd } from "./events";
import { topicOwn, topicSkip } from "./own_topic";
import { Identity } from "./sign";

/** Longest id of a request that can be answered, as JSON. */
export const TAG_MAX: u32 = 38;
/** Bytes of the id of the property set that waits for the application: its number, its length, the id. */
export const TAG_TABLE: u32 = 8 + TAG_MAX + 2;
/** Longest topic that is looked at, bytes: that of property sets has 85 at most. The random of /auth stands there, too. */
export const REPLY_TOPIC: u32 = 96;

const enum Member {
  None = 0,
  Code = 1,
  Offset = 2,
  Topic = 3,
  /** Of a property set. */
  Id = 4,
  Params = 5,
  Token = 6,
  Nonce = 7,
}

@unmanaged
@final
export class CoapReply {
  reader: JsonReader = changetype<JsonReader>(0);
  events: Events = changetype<Events>(0);
  identity: Identity = changetype<Identity>(0);
  /** Counted texts for what /auth says; their room is `secretMax`. */
  token: usize = 0;
  nonce: usize = 0;
  secretMax: u32 = 0;
  /** REPLY_TOPIC bytes; nothing is kept there between two slices but a text that is being read. */
  scratch: usize = 0;
  /** The id of a property set as JSON, TAG_MAX bytes and two quotes, and its length; 0 = it cannot be answered. */
  tag: usize = 0;
  tagLen: u32 = 0;
  /** TAG_TABLE bytes. */
  tags: usize = 0;
  /** Depth of the members that are looked at: 1, inside a pull 3. */
  base: i32 = 0;
  member: Member = Member.None;
  /** `code` or `seqOffset`; 0 = there was none. */
  number: u32 = 0;
  /** The topic of the present message is that of property sets. */
  isSet: bool = false;
  /** Messages in this response. */
  messages: u32 = 0;
  /** Number of the present property set, for the application's answer. */
  request: u32 = 0;
  /** It was begun; its params are being copied. */
  open: bool = false;
  streaming: bool = false;
  fault: bool = false;
}

/** A response begins; `pull`: it is an array of messages. */
export function replyInit(r: CoapReply, pull: bool): void {
  jsonInit(r.reader);
  r.base = pull ? 3 : 1;
  r.member = Member.None;
  r.number = 0;
  r.messages = 0;
  r.isSet = false;
  r.fault = false;
}

/** Take the next bytes of the document. */
export function replyFeed(r: CoapReply, ptr: usize, len: u32): void {
  const j = r.reader;
  j.at = ptr;
  j.end = ptr + len;
  let raw: usize = r.streaming ? ptr : 0;
  if (raw != 0) pieceBegin(r.events);
  for (;;) {
    const token = jsonNext(j);
    if (token < 0) r.fault = true;
    if (token <= JsonToken.NeedMore || token == JsonToken.End) break;
    if (raw == 0) {
      if (step(r, token)) raw = j.at - 1;
    } else if (j.depth == r.base) {
      putRaw(r, raw);
      raw = 0;
      r.streaming = false;
    }
  }
  if (raw != 0) putRaw(r, raw);
}

/** Copy raw JSON; white space becomes a blank, so that an event stays one line. */
function putRaw(r: CoapReply, from: usize): void {
  for (const end = r.reader.at; from < end; from++) {
    const c: u32 = load<u8>(from);
    putByte(r.events.writer, c < 32 ? 32 : c);
  }
  pieceEnd(r.events, Event.PropertySet, Piece.More);
}

/** One token. -> whether the params of a property set begin with it. */
function step(r: CoapReply, token: JsonToken): bool {
  const depth = r.reader.depth;
  if (token == JsonToken.Key) {
    if (depth == r.base) member(r);
    else if (depth == r.base - 1) topicKey(r);
    return false;
  }
  if (r.base == 3 && token == JsonToken.ObjectStart && depth == 2) begin(r);
  if (r.base == 3 && token == JsonToken.ObjectEnd && depth == 1) end(r);
  const which = r.member;
  if (which == Member.Params && token == JsonToken.ObjectStart && depth == 4 && r.isSet && !r.open) {
    propertySet(r);
    return true;
  }
  if (depth <= r.base) value(r, which, token);
  return false;
}

function begin(r: CoapReply): void {
  r.messages += 1;
  r.isSet = false;
  r.open = false;
  r.tagLen = 0;
}

/** A message is complete: only now may the application answer, because the id may stand behind the params. */
function end(r: CoapReply): void {
  if (!r.open) return;
  putByte(pieceBegin(r.events), 125);
  pieceEnd(r.events, Event.PropertySet, Piece.Last);
  r.open = false;
  if (r.tagLen == 0) return;
  // a further one takes its place: the next message is asked for only after this one
  store<u32>(r.tags, r.request);
  store<u32>(r.tags, r.tagLen, 4);
  copy(r.tags + 8, r.tag, r.tagLen);
}

/** -> the entry of the property set `request`: its number and the length of its id (u32 each), the id; 0 = there is none. */
export function replyTag(r: CoapReply, request: u32): usize {
  return load<u32>(r.tags) == request ? r.tags : 0;
}

/** The response ends. -> whether it was a well-formed document. */
export function replyEnd(r: CoapReply): bool {
  const whole = !r.fault && jsonFinish(r.reader) == JsonToken.End;
  replyAbandon(r);
  return whole;
}

/** The response will not go on: the application is to forget the pieces it has. */
export function replyAbandon(r: CoapReply): void {
  if (r.open) {
    pieceBegin(r.events);
    pieceEnd(r.events, Event.PropertySet, Piece.Abandoned);
  }
  r.open = false;
  r.streaming = false;
}

function propertySet(r: CoapReply): void {
  r.request += 1;
  r.open = true;
  r.streaming = true;
  const w = pieceBegin(r.events);
  putText(w, S('{"event":"property.set","token":'));
  putDecimal(w, r.request);
  putText(w, S(',"params":'));
}

function want(r: CoapReply, member: Member, out: usize, cap: u32): void {
  r.member = member;
  r.reader.out = out;
  r.reader.cap = cap;
}

function isKey(r: CoapReply, name: usize): bool {
  return equals(jsonKeyPtr(r.reader), r.reader.keyLen, name);
}

function topicKey(r: CoapReply): void {
  if (isKey(r, S("topic"))) want(r, Member.Topic, r.scratch, REPLY_TOPIC);
  else r.member = Member.None;
}

function member(r: CoapReply): void {
  r.member = Member.None;
  if (r.base == 3) {
    if (isKey(r, S("params"))) r.member = Member.Params;
    else if (isKey(r, S("id"))) want(r, Member.Id, r.tag + 1, TAG_MAX);
  } else if (isKey(r, S("code"))) want(r, Member.Code, r.scratch, 16);
  else if (isKey(r, S("seqOffset"))) want(r, Member.Offset, r.scratch, 16);
  else if (isKey(r, S("token"))) want(r, Member.Token, r.token + 1, r.secretMax);
  else if (isKey(r, S("random"))) want(r, Member.Nonce, r.nonce + 1, r.secretMax);
}

function value(r: CoapReply, which: Member, token: JsonToken): void {
  const j = r.reader;
  r.member = Member.None;
  const whole = j.total == j.len;
  if (which == Member.Code || which == Member.Offset) {
    const number = parseU32(r.scratch, j.len);
    r.number = number < 0 ? 0 : <u32>number;
  } else if (which == Member.Topic) r.isSet = token == JsonToken.String && whole && ownSet(r, j.len);
  else if (which == Member.Token && whole) store<u8>(r.token, j.len);
  else if (which == Member.Nonce && whole) store<u8>(r.nonce, j.len);
  else if (which == Member.Id && whole) tag(r, token);
}

/** Keep the id as JSON. One with an escape in it is not what the platform sends, and is not answered. */
function tag(r: CoapReply, token: JsonToken): void {
  const len = r.reader.len;
  r.tagLen = 0;
  if (token == JsonToken.Number) {
    for (let i: u32 = 0; i < len; i++) store<u8>(r.tag + i, load<u8>(r.tag + i, 1));
    r.tagLen = len;
  } else if (token == JsonToken.String) {
    for (let i: u32 = 1; i <= len; i++) {
      const c: u32 = load<u8>(r.tag + i);
      if (c < 32 || c == 34 || c == 92) return;
    }
    store<u8>(r.tag, 34);
    store<u8>(r.tag + len, 34, 1);
    r.tagLen = len + 2;
  }
}

/** Whether the topic is /sys/{pk}/{dn}/thing/service/property/set of this device. */
function ownSet(r: CoapReply, len: u32): bool {
  const at = topicOwn(r.identity, r.scratch, len, S("/sys/"));
  return topicSkip(r.scratch, len, at, S("/thing/service/property/set")) == <i32>len;
}
