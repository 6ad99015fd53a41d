/**
 * Reads the JSON of a response as it is decrypted: token and random of /auth, `code` of an Alink reply, and the messages
 * that /pull brings, `[{"topic":…,"payload":{…}}]`, of which property sets go on to the application as they come.
 */
import { Event, Piece } from "../abi";
import { copy, L, parseU32, S, wordIndex } from "../bytes/text";
import { putByte, putTemplate } from "../bytes/writer";
import { JsonReader, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import { Events, pieceBegin, pieceEnd } from "./events";
import { topicOwn, topicSkip } from "./own_topic";
import { Identity } from "./sign";

/** Longest id of a request that can be answered, as JSON without its quotes. */
const TAG_MAX: u32 = 38;
/** Bytes of the property set that waits for the application: its number (u32), then its id as JSON, a counted text. */
export const TAG_TABLE: u32 = 4 + 1 + TAG_MAX + 2;
/** Where in them the id is. */
export const TAG_TEXT: u32 = 4;
/** Longest token and longest `random` of the platform, bytes. */
export const SECRET_MAX: u32 = 64;
/** Longest value that is looked at, a counted text: the topic of property sets has 85 bytes at most. */
export const REPLY_VALUE: u32 = 96;

/** Members that are looked at, in the order of `key`. */
const enum Member {
  None = 0,
  Topic = 1,
  /** Of a property set. */
  Id = 2,
  Params = 3,
  // those of an answer that is no list
  Code = 4,
  Offset = 5,
  Token = 6,
  Nonce = 7,
}

@unmanaged
@final
export class CoapReply {
  reader: JsonReader = changetype<JsonReader>(0);
  events: Events = changetype<Events>(0);
  identity: Identity = changetype<Identity>(0);
  /** For `putTemplate`. */
  fields: usize = 0;
  /** Counted texts for what /auth says, SECRET_MAX bytes. */
  token: usize = 0;
  nonce: usize = 0;
  /** REPLY_VALUE bytes; nothing is kept there between two slices but a value that is being read. */
  scratch: usize = 0;
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
  /** It was begun; its params are being copied; it has an id that can be answered. */
  open: bool = false;
  streaming: bool = false;
  tagged: bool = false;
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
    key(r, depth);
    return false;
  }
  if (r.base == 3) {
    if (token == JsonToken.ObjectStart) {
      if (depth == 2) {
        r.messages += 1;
        r.isSet = false;
        r.open = false;
        r.tagged = false;
      }
      if (depth == 4 && r.member == Member.Params && !r.open) {
        propertySet(r);
        return true;
      }
    }
    if (token == JsonToken.ObjectEnd && depth == 1) end(r);
  }
  if (depth <= r.base) value(r, token);
  return false;
}

function key(r: CoapReply, depth: i32): void {
  const j = r.reader;
  const words = L("topic id params code seqOffset token random");
  const member = <Member>wordIndex(jsonKeyPtr(j), j.keyLen, words, false);
  if (depth > r.base) return;
  let known = depth == r.base && (r.base == 1 ? member >= Member.Code : r.isSet && member < Member.Code);
  if (member == Member.Topic) known = depth == r.base - 1;
  r.member = known ? member : Member.None;
  j.out = r.scratch + 1;
  j.cap = REPLY_VALUE - 1;
}

function value(r: CoapReply, token: JsonToken): void {
  const j = r.reader;
  const len = j.len;
  const which = r.member;
  r.member = Member.None;
  store<u8>(r.scratch, len);
  if (which == Member.Code || which == Member.Offset) {
    const number = parseU32(r.scratch + 1, len);
    r.number = number < 0 ? 0 : <u32>number;
  }
  if (j.total != len) return;
  if (which == Member.Topic) r.isSet = token == JsonToken.String && ownSet(r, len);
  if (which == Member.Id) tag(r, token == JsonToken.String ? 1 : 0);
  if (which >= Member.Token && len <= SECRET_MAX) copy(which == Member.Token ? r.token : r.nonce, r.scratch, len + 1);
}

/**
 * Keep the id as JSON: a number, or a text in its `quotes` (1 or 0 of them on each side). One with an escape in it is not what
 * the platform sends, and is not answered. A further property set takes the place of the one before: it was asked for only
 * after that.
 */
function tag(r: CoapReply, quotes: u32): void {
  const len = load<u8>(r.scratch);
  if (len > TAG_MAX) return;
  for (let i: u32 = 1; i <= len; i++) {
    const c: u32 = load<u8>(r.scratch + i);
    if (c < 32 || c == 34 || c == 92) return;
  }
  const text = r.tags + TAG_TEXT;
  store<u32>(r.tags, 0);
  store<u8>(text, len + 2 * quotes);
  store<u8>(text, 34, 1);
  store<u8>(text + len, 34, 2);
  copy(text + 1 + quotes, r.scratch + 1, len);
  r.tagged = true;
}

/** A message is complete: only now may the application answer, because the id may stand behind the params. */
function end(r: CoapReply): void {
  if (!r.open) return;
  putByte(pieceBegin(r.events), 125);
  pieceEnd(r.events, Event.PropertySet, Piece.Last);
  r.open = false;
  if (r.tagged) store<u32>(r.tags, r.request);
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
  putTemplate(pieceBegin(r.events), S('{"event":"property.set","token":\x07,"params":'), r.fields, 0);
}

/** Whether the topic is /sys/{pk}/{dn}/thing/service/property/set of this device. */
function ownSet(r: CoapReply, len: u32): bool {
  const text = r.scratch + 1;
  const at = topicOwn(r.identity, text, len, S("/sys/"));
  return topicSkip(text, len, at, S("/thing/service/property/set")) == <i32>len;
}
