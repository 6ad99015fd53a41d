/**
 * Reads the payload of an incoming PUBLISH as it arrives. Replies and offers are taken member by member; the params of a
 * property set and the payload of an application topic go on to the application in pieces, whatever their length.
 */
import { Event, Piece } from "../abi";
import { copy, equals, fill, parseU32, S } from "../bytes/text";
import { putByte, putBytes, putDecimal, putText } from "../bytes/writer";
import { JsonReader, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import { jsonEscape } from "../codec/json_escape";
import { eventOf, Events, pieceBegin, pieceEnd } from "./events";
import { Offer, offerInit, offerKey, offerValue } from "./offer";
import { Topic } from "./topics";

/** Longest id that is echoed, bytes; the documented ones have at most ten digits. */
export const TOKEN_MAX: u32 = 64;
/** Bytes taken in one step: bounds the work of a call, and what comes of them fits one piece of an event. */
const JSON_SLICE: u32 = 128;
/** The same for application messages, of which every byte may become six. */
const TEXT_SLICE: u32 = 48;
/** Longest UTF-8 sequence that may be cut by the end of a slice. */
const CUT_MAX: u32 = 4;

const enum Member {
  None = 0,
  Id = 1,
  Code = 2,
  /** `data` of a reply or an offer. */
  Data = 3,
  /** `params` of a property set, handed on as it comes. */
  Params = 4,
}

@unmanaged
@final
export class Downlink {
  reader: JsonReader = changetype<JsonReader>(0);
  events: Events = changetype<Events>(0);
  offer: Offer = changetype<Offer>(0);
  /** Whether an offer in this message may be read into `offer`. */
  offers: bool = false;
  /** Number of the present property set, for the application's reply. */
  request: u32 = 0;
  /** The id as it came: TOKEN_MAX bytes, and two more for the quotes. */
  id: usize = 0;
  scratch: usize = 0;
  /** The beginning of a UTF-8 sequence of an application message that was cut by the end of a slice. */
  cut: usize = 0;
  // what follows is zero at the beginning of a message
  topic: Topic = Topic.Application;
  member: Member = Member.None;
  /** The result of the last reader step, to see the end and faults. */
  token: i32 = 0;
  /** An event was begun whose last piece is still to come. */
  open: bool = false;
  /** The params of a property set are being handed on as they come. */
  streaming: bool = false;
  /** They were handed on whole. */
  delivered: bool = false;
  idText: bool = false;
  idCut: bool = false;
  idLength: u32 = 0;
  code: u32 = 0;
  cutLength: u32 = 0;
}

export const DOWNLINK_SCRATCH: u32 = 16;
export const DOWNLINK_CUT: u32 = CUT_MAX + TEXT_SLICE;

/** A PUBLISH begins; `topicPtr` is its topic where it is an application topic. */
export function downlinkStart(d: Downlink, topic: Topic, topicPtr: usize, topicLength: u32): void {
  const from = offsetof<Downlink>("topic");
  fill(changetype<usize>(d) + from, 0, offsetof<Downlink>() - from);
  d.topic = topic;
  jsonInit(d.reader);
  if (topic == Topic.Upgrade || topic == Topic.FirmwareGetReply) {
    if (d.offers) offerInit(d.offer);
  } else if (topic == Topic.Application) {
    const w = eventOf(d.events, S('message","topic":"'));
    putBytes(w, topicPtr, topicLength);
    putText(w, S('","payload":"'));
    pieceEnd(d.events, Event.Message, Piece.More);
    d.open = true;
  }
}

/** Most bytes of this payload that one step may take. */
export function downlinkSlice(d: Downlink): u32 {
  return d.topic == Topic.Application ? TEXT_SLICE : JSON_SLICE;
}

/** Take up to downlinkSlice bytes of the payload; there must be room for a piece of an event. */
export function downlinkData(d: Downlink, ptr: usize, len: u32): void {
  if (d.topic == Topic.Application) return message(d, ptr, len);
  if (d.topic == Topic.Ignored || d.token < 0) return;
  const r = d.reader;
  r.at = ptr;
  r.end = ptr + len;
  let raw: usize = d.streaming ? ptr : 0;
  if (raw != 0) pieceBegin(d.events);
  for (;;) {
    d.token = jsonNext(r);
    if (d.token <= JsonToken.NeedMore || d.token == JsonToken.End) break;
    if (raw == 0 && d.member == Member.Params && !d.delivered && r.depth == 2 && d.token == JsonToken.ObjectStart) {
      propertySet(d);
      raw = r.at - 1;
    } else if (raw != 0 && r.depth == 1) {
      putRaw(d, raw, r.at);
      raw = 0;
      d.member = Member.None;
      d.streaming = false;
      d.delivered = true;
      pieceEnd(d.events, Event.PropertySet, Piece.More);
    } else if (raw == 0) step(d, d.token);
  }
  if (raw == 0) return;
  putRaw(d, raw, r.at);
  pieceEnd(d.events, Event.PropertySet, Piece.More);
}

/** Copy raw JSON; white space between tokens becomes a blank, so that an event stays one line. */
function putRaw(d: Downlink, from: usize, to: usize): void {
  for (let at = from; at < to; at++) {
    const c: u32 = load<u8>(at);
    putByte(d.events.writer, c < 32 ? 32 : c);
  }
}

function propertySet(d: Downlink): void {
  d.request += 1;
  d.open = true;
  d.streaming = true;
  const w = eventOf(d.events, S('property.set","token":'));
  putDecimal(w, d.request);
  putText(w, S(',"params":'));
}

function step(d: Downlink, token: JsonToken): void {
  const r = d.reader;
  if (token == JsonToken.Key) {
    if (r.depth == 1) return topMember(d);
    if (r.depth == 2 && d.member == Member.Data && d.offers) offerKey(d.offer, r);
    return;
  }
  if (r.depth == 1 && d.member != Member.None) {
    if (d.member == Member.Id) idValue(d, token);
    else if (d.member == Member.Code) d.code = codeValue(d);
    d.member = Member.None;
    return;
  }
  const inside = r.depth == 2 || (r.depth == 3 && (token == JsonToken.ObjectStart || token == JsonToken.ArrayStart));
  const ends = token == JsonToken.ObjectEnd || token == JsonToken.ArrayEnd;
  if (inside && !ends && d.member == Member.Data && d.offers) offerValue(d.offer, r, token);
}

function topMember(d: Downlink): void {
  const r = d.reader;
  const key = jsonKeyPtr(r);
  d.member = Member.None;
  if (equals(key, r.keyLen, S("id"))) {
    d.member = Member.Id;
    r.out = d.id + 1;
    r.cap = TOKEN_MAX;
  } else if (equals(key, r.keyLen, S("code"))) {
    d.member = Member.Code;
    r.out = d.scratch;
    r.cap = DOWNLINK_SCRATCH;
  } else if (d.topic == Topic.PropertySet) {
    if (equals(key, r.keyLen, S("params"))) d.member = Member.Params;
  } else if (equals(key, r.keyLen, S("data"))) d.member = Member.Data;
}

function idValue(d: Downlink, token: JsonToken): void {
  d.idLength = d.reader.len;
  d.idText = token == JsonToken.String;
  d.idCut = d.reader.total > d.reader.len || (token != JsonToken.String && token != JsonToken.Number);
}

/** `code` comes as a number or as text (Alink §7). */
function codeValue(d: Downlink): u32 {
  const value = parseU32(d.scratch, d.reader.len);
  return value < 0 ? 0 : <u32>value;
}

/** The id of a reply as one of ours; 0 = it is not. */
export function downlinkId(d: Downlink): u32 {
  const value = d.idCut ? -1 : parseU32(d.id + 1, d.idLength);
  return value < 0 ? 0 : <u32>value;
}

/** Payload of an application topic: text, escaped; what is not UTF-8 is replaced. */
function message(d: Downlink, ptr: usize, len: u32): void {
  copy(d.cut + d.cutLength, ptr, len);
  let whole = d.cutLength + len;
  const tail = cutTail(d.cut, whole);
  whole -= tail;
  const w = pieceBegin(d.events);
  jsonEscape(w, d.cut, whole);
  pieceEnd(d.events, Event.Message, Piece.More);
  copy(d.cut, d.cut + whole, tail);
  d.cutLength = tail;
}

/** Bytes at the end of the range that begin a UTF-8 sequence without finishing it (RFC 3629). */
function cutTail(ptr: usize, len: u32): u32 {
  for (let back: u32 = 1; back < CUT_MAX && back <= len; back++) {
    const c: u32 = load<u8>(ptr + len - back);
    if (c >= 0xc0) return back < (c >= 0xf0 ? <u32>4 : c >= 0xe0 ? <u32>3 : <u32>2) ? back : 0;
    if (c < 0x80) return 0;
  }
  return 0;
}

/** The payload is complete. -> whether it was a well-formed document (or an application message). */
export function downlinkEnd(d: Downlink): bool {
  if (d.topic == Topic.Application) {
    const w = pieceBegin(d.events);
    jsonEscape(w, d.cut, d.cutLength);
    putText(w, S('"}'));
    pieceEnd(d.events, Event.Message, Piece.Last);
    d.open = false;
    return true;
  }
  if (d.topic == Topic.Ignored) return true;
  if (d.token >= 0) d.token = jsonFinish(d.reader);
  const whole = d.token == JsonToken.End;
  if (whole && d.delivered) {
    // only now may the application answer: the id may stand behind the params
    putByte(pieceBegin(d.events), 125);
    pieceEnd(d.events, Event.PropertySet, Piece.Last);
    d.open = false;
  }
  downlinkAbandon(d);
  return whole;
}

/** The message will not be completed: the link is gone or the document is malformed. */
export function downlinkAbandon(d: Downlink): void {
  if (!d.open) return;
  pieceBegin(d.events);
  pieceEnd(d.events, d.topic == Topic.Application ? Event.Message : Event.PropertySet, Piece.Abandoned);
  d.open = false;
}
