/**
 * The configuration of the agent over CoAP: one JSON document, keys in any letter case (docs/configuration.md). Members
 * that only other transports have are passed over, an unknown key is reported, a value that cannot be used is refused.
 */
import { Code, Event } from "../abi";
import { equalsIgnoreCase, litLen, litPtr, parseU32, S } from "../bytes/text";
import { putBytes, putText } from "../bytes/writer";
import { JSON_KEY, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import { jsonEscape } from "../codec/json_escape";
import {
  AGENT,
  CLIENT_ID,
  DEVICE_NAME,
  DEVICE_SECRET,
  ENDPOINT,
  EVENTS,
  IDENTITY,
  IN_FRAME,
  READER,
  PRODUCT_KEY,
  SCRATCH,
  SESSION,
  TIMESTAMP,
  VERSION,
} from "../coap_arena";
import { Digest } from "../crypto/hmac";
import { ENVELOPE_HEAD } from "../protocol/coap_task";
import { eventBegin, eventEnd, eventsRoom } from "../protocol/events";
import { ENDPOINT_MAX } from "./coap_state";

/** Bytes of a document that are read in one call: bounds its work. */
const SLICE: u32 = 128;
const GO_ON: i32 = 1;
/** Between two pulls when the configuration names no time, ms. */
const PULL: u32 = 60000;
/** Bytes of a word or a number. */
const WORD: u32 = 16;

/** A member: its name and what it takes. */
const ROW: u32 = 8;
/** A text: where it is kept, its longest and shortest, and its characters beside letters and digits. */
const MOST: u32 = 4;
const LEAST: u32 = 8;
const CHARACTERS: u32 = 12;
const TEXT_ROW: u32 = 16;

const TEXTS: i32 = 7;
const NONE: i32 = -1;
const SIGN_METHOD: i32 = 7;
const ACK_MODE: i32 = 8;
const CONTENT_FORMAT: i32 = 9;
const CONFIRMABLE: i32 = 10;
/** Those of other transports, from here on. */
const OTHERS: i32 = 12;
const MEMBERS: i32 = 18;

/** Any character at all, but none is missing. */
const ANY: usize = 0;
const DIGITS: usize = 1;

// biome-ignore format: a table
const TABLE = memory.data<usize>([
  S("productKey"), S("takes 1 to 20 letters and digits"),
  S("deviceName"), S("takes 4 to 32 of letters, digits and - _ @ . :"),
  S("deviceSecret"), S("takes a text of 1 to 64 bytes"),
  S("clientId"), S("takes 1 to 64 of letters, digits and - _ @ . : &"),
  S("timestamp"), S("takes milliseconds as a text of digits"),
  S("version"), S("takes 1 to 64 of letters, digits and . _ -"),
  S("endpoint"), S("takes coap://host:port"),
  S("signMethod"), S("takes hmacsha256, hmacsha1 or hmacmd5"),
  S("ackMode"), S("takes 0 (piggy-backed) or 1 (separate)"),
  S("contentFormat"), S("takes json or cbor"),
  S("confirmable"), S("takes true or false"),
  S("pullInterval"), S("takes a number of seconds from 0 to 86400"),
  S("keepAlive"), 0, S("cleanSession"), 0, S("allowPlain"), 0, S("region"), 0, S("instanceId"), 0, S("flash"), 0,
]);

// biome-ignore format: a table
const TEXT_TABLE = memory.data<usize>([
  PRODUCT_KEY, 20, 1, S(""),
  DEVICE_NAME, 32, 4, S("-_@.:"),
  DEVICE_SECRET, 64, 1, ANY,
  CLIENT_ID, 64, 1, S("-_@.:&"),
  TIMESTAMP, 20, 1, DIGITS,
  VERSION, 64, 1, S("-_."),
  ENDPOINT, ENDPOINT_MAX, 1, ANY,
]);

function nameOf(member: i32): usize {
  return load<usize>(TABLE + member * ROW);
}

function column(member: i32, at: u32): usize {
  return load<usize>(TEXT_TABLE + member * TEXT_ROW + at);
}

/** Tell about a key: that it is unknown (code Ok), or what it takes. */
function complain(code: i32, name: usize, length: u32, text: usize): i32 {
  // unknown keys leave room for the one refusal that ends it all
  if (code == Code.Ok && !eventsRoom(EVENTS)) return code;
  const w = eventBegin(EVENTS, S('{"event":"fault","code":'));
  putText(w, code == Code.Ok ? S("0") : S("-3"));
  putText(w, S(',"detail":0,"desc":"configuration: '));
  jsonEscape(w, name, length);
  putText(w, S(" "));
  jsonEscape(w, litPtr(text), litLen(text));
  putBytes(w, S('"') + 1, 1);
  eventEnd(EVENTS, Event.Fault);
  return code;
}

/** Complain about a member: `text` = 0 says what it takes. */
export function refuseMember(member: i32, text: usize): i32 {
  const name = nameOf(member);
  return complain(
    Code.BadArgument,
    litPtr(name),
    litLen(name),
    text != 0 ? text : load<usize>(TABLE + member * ROW, 4),
  );
}

/** Members that have to be there: the first three. -> Ok, or BadArgument. */
export function complete(): i32 {
  for (let i = 0; i < 3; i++) if (litLen(column(i, 0)) == 0) return refuseMember(i, S("is missing"));
  return Code.Ok;
}

/** The endpoint is not what it takes. */
export function refuseEndpoint(): i32 {
  return refuseMember(TEXTS - 1, 0);
}

/** As readConfiguration of config.ts. */
export function readConfiguration(length: u32): i32 {
  const r = READER;
  if (length != 0) {
    if (!AGENT.configured) {
      AGENT.configured = true;
      SESSION.pullMs = PULL;
      IDENTITY.signMethod = Digest.Sha256;
    }
    jsonInit(r);
    r.at = IN_FRAME + ENVELOPE_HEAD;
    AGENT.left = length;
    AGENT.member = NONE;
    AGENT.fault = 0;
    AGENT.present = false;
  }
  const n = AGENT.left < SLICE ? AGENT.left : SLICE;
  r.end = r.at + n;
  AGENT.left -= n;
  const code = read();
  if (code < 0) AGENT.refused = true;
  AGENT.present = code == Code.Ok;
  return code;
}

function read(): i32 {
  const r = READER;
  let token = jsonNext(r);
  for (; token > JsonToken.NeedMore && token != JsonToken.End; token = jsonNext(r)) {
    if (r.depth == 0 && token != JsonToken.ObjectEnd) return notAnObject();
    if (token == JsonToken.Key) key();
    else if (r.depth <= 1 || token >= JsonToken.String) value(token);
    if (AGENT.fault != 0) return AGENT.fault;
  }
  if (token >= 0 && AGENT.left != 0) return GO_ON;
  return token == JsonToken.End || jsonFinish(r) == JsonToken.End ? Code.Ok : notAnObject();
}

function notAnObject(): i32 {
  const name = S("document");
  return complain(Code.BadArgument, litPtr(name), litLen(name), S("is not a JSON object"));
}

function key(): void {
  const r = READER;
  if (r.depth != 1) return;
  let member: i32 = MEMBERS;
  do member -= 1;
  while (member >= 0 && !equalsIgnoreCase(jsonKeyPtr(r), r.keyLen, nameOf(member)));
  AGENT.member = member;
  if (member < 0) complain(Code.Ok, jsonKeyPtr(r), min<u32>(r.keyLen, JSON_KEY), S("is not a known key"));
  else if (member < TEXTS) {
    r.out = column(member, 0) + 1;
    r.cap = <u32>column(member, MOST);
  } else {
    r.out = SCRATCH;
    r.cap = WORD;
  }
}

function value(token: JsonToken): void {
  const r = READER;
  const member = AGENT.member;
  if (member < 0 || member >= OTHERS || r.depth == 0) return;
  AGENT.member = NONE;
  if (r.depth == 1 && (member < TEXTS ? text(member, token) : accept(member, token))) return;
  AGENT.fault = refuseMember(member, 0);
}

/** -> false when the member does not take the value. */
function text(member: i32, token: JsonToken): bool {
  const place = column(member, 0);
  const length = READER.len;
  if (token != JsonToken.String || READER.total > length || length < <u32>column(member, LEAST)) return false;
  store<u8>(place, length);
  const others = column(member, CHARACTERS);
  for (let i: u32 = 1; i <= length && others != ANY; i++) {
    const c: u32 = load<u8>(place + i);
    if (c - 48 < 10) continue;
    if (others == DIGITS || ((c | 32) - 97 >= 26 && !among(c, others))) return false;
  }
  return true;
}

function among(c: u32, literal: usize): bool {
  for (let i: u32 = 1; i <= litLen(literal); i++) if (load<u8>(literal + i) == c) return true;
  return false;
}

function is(name: usize): bool {
  return equalsIgnoreCase(SCRATCH, READER.len, name);
}

function accept(member: i32, token: JsonToken): bool {
  if (member == CONFIRMABLE) {
    SESSION.unconfirmed = token == JsonToken.False;
    return token == JsonToken.True || token == JsonToken.False;
  }
  if (member == SIGN_METHOD || member == CONTENT_FORMAT) return token == JsonToken.String && word(member);
  const number = parseU32(SCRATCH, READER.len);
  if (token != JsonToken.Number || number < 0 || number > (member == ACK_MODE ? 1 : 86400)) return false;
  if (member == ACK_MODE) SESSION.separate = number != 0;
  else SESSION.pullMs = <u32>number * 1000;
  return true;
}

function word(member: i32): bool {
  if (member == CONTENT_FORMAT) {
    SESSION.cbor = is(S("cbor"));
    return SESSION.cbor || is(S("json"));
  }
  let method = Digest.Md5;
  if (is(S("hmacsha256"))) method = Digest.Sha256;
  else if (is(S("hmacsha1"))) method = Digest.Sha1;
  else if (!is(S("hmacmd5"))) return false;
  IDENTITY.signMethod = method;
  return true;
}
