/**
 * The configuration of the agent over CoAP: one JSON document, keys in any letter case (docs/configuration.md). Members
 * that only other transports have are passed over, an unknown key is reported, a value that cannot be used is refused.
 */
import { Code, Event } from "../abi";
import { copy, equalsIgnoreCase, L, litLen, litPtr, parseU32, S, wordAt, wordIndex } from "../bytes/text";
import { JSON_KEY, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import {
  ACK_MODE,
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
import { eventsRoom } from "../protocol/events";
import { SIGN_METHODS } from "../protocol/sign";
import { emit } from "./coap_events";
import { ENDPOINT_MAX } from "./coap_state";

/** Bytes of a document that are read in one call: bounds its work. */
const SLICE: u32 = 128;
const GO_ON: i32 = 1;
/** Bytes of a word or a number. */
const WORD: u32 = 16;
/** Between two pulls when the configuration names no time, ms. */
const PULL: u32 = 60000;

const NONE: i32 = -1;
/** The members up to here are texts. */
const ENDPOINT_MEMBER: i32 = 6;
const SIGN_METHOD: i32 = 7;
const ACK_MODE_MEMBER: i32 = 8;
const CONTENT_FORMAT: i32 = 9;
const CONFIRMABLE: i32 = 10;
const PULL_INTERVAL: i32 = 11;

/** Those behind PULL_INTERVAL are of other transports. */
const NAMES: usize = L(
  "productKey deviceName deviceSecret clientId timestamp version endpoint signMethod ackMode contentFormat confirmable pullInterval keepAlive cleanSession allowPlain region instanceId flash",
);

/** What each takes. */
const EXPECTED: usize = L(
  "takes 1 to 20 letters and digits",
  "takes 4 to 32 letters, digits, -_@.:",
  "takes a text of 1 to 64 bytes",
  "takes 1 to 64 letters, digits, -_@.:&",
  "takes milliseconds as a text of digits",
  "takes 1 to 64 letters, digits, -_.",
  "takes coap://host:port",
  "takes hmacsha256, hmacsha1 or hmacmd5",
  "takes 0 or 1",
  "takes json or cbor",
  "takes true or false",
  "takes seconds, 0 to 86400",
);

/** Characters beside letters and digits: a text takes so many of them. */
const OTHERS: usize = S("-_.@:&[]/");
const ANY: u16 = 255;
const DIGITS: u16 = 254;

/** A text: where it is kept, its longest and, in the upper byte, shortest, its characters. */
const PLACE: u32 = 0;
const MOST: u32 = 2;
const LEAST: u32 = 3;
const CHARACTERS: u32 = 4;
const ROW: u32 = 6;

// biome-ignore format: a table
const TEXTS: usize = memory.data<u16>([
  <u16>PRODUCT_KEY, 20 + 256, 0,
  <u16>DEVICE_NAME, 32 + 4 * 256, 5,
  <u16>DEVICE_SECRET, 64 + 256, ANY,
  <u16>CLIENT_ID, 64 + 256, 6,
  <u16>TIMESTAMP, 20 + 256, DIGITS,
  <u16>VERSION, 64 + 256, 3,
  <u16>ENDPOINT, <u16>ENDPOINT_MAX + 256, 9,
]);

function placeOf(member: i32): usize {
  return load<u16>(TEXTS + member * ROW, PLACE);
}

/** Tell about a key: that it is unknown (code Ok), or what it takes. */
function complain(code: i32, name: usize, length: u32, text: usize): i32 {
  // unknown keys leave room for the one refusal that ends it all
  if (code == Code.Ok && !eventsRoom(EVENTS)) return code;
  store<u8>(SCRATCH, length);
  for (let i: u32 = 0; i < length; i++) {
    const c: u32 = load<u8>(name + i);
    store<u8>(SCRATCH + i, c < 32 || c == 34 || c == 92 ? 63 : c, 1);
  }
  SESSION.fault = code;
  emit(Event.Fault, S('fault","code":\x01,"detail":0,"desc":"configuration: \x0d \x1f"}'), text);
  return code;
}

function complainOf(name: usize, text: usize): i32 {
  return complain(Code.BadArgument, litPtr(name), litLen(name), text);
}

/** The member's value is not what it takes. */
function refuse(member: i32): i32 {
  return complainOf(wordAt(NAMES, member), wordAt(EXPECTED, member));
}

/** Members that have to be there: the first three. -> Ok, or BadArgument. */
export function complete(): i32 {
  for (let i = 0; i < 3; i++) if (litLen(placeOf(i)) == 0) return complainOf(wordAt(NAMES, i), S("is missing"));
  return Code.Ok;
}

/** The endpoint is not what it takes. */
export function refuseEndpoint(): i32 {
  return refuse(ENDPOINT_MEMBER);
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
  return complainOf(S("document"), S("is not a JSON object"));
}

function key(): void {
  const r = READER;
  if (r.depth != 1) return;
  const member = wordIndex(jsonKeyPtr(r), r.keyLen, NAMES, true) - 1;
  AGENT.member = member;
  r.out = SCRATCH;
  r.cap = WORD;
  if (member == NONE) complain(Code.Ok, jsonKeyPtr(r), min<u32>(r.keyLen, JSON_KEY), S("is not a known key"));
  else if (member <= ENDPOINT_MEMBER) {
    r.out = placeOf(member) + 1;
    r.cap = load<u8>(TEXTS + member * ROW, MOST);
  }
}

function value(token: JsonToken): void {
  const r = READER;
  const member = AGENT.member;
  if (member < 0 || member > PULL_INTERVAL || r.depth == 0) return;
  AGENT.member = NONE;
  if (r.depth == 1 && (member <= ENDPOINT_MEMBER ? text(member, token) : accept(member, token))) return;
  AGENT.fault = refuse(member);
}

/** -> false when the member does not take the value. */
function text(member: i32, token: JsonToken): bool {
  const row = TEXTS + member * ROW;
  const place: usize = load<u16>(row);
  const others: u32 = load<u8>(row, CHARACTERS);
  const length = READER.len;
  if (token != JsonToken.String || READER.total > length || length < <u32>load<u8>(row, LEAST)) return false;
  store<u8>(place, length);
  for (let i: u32 = 1; i <= length && others != ANY; i++) {
    const c: u32 = load<u8>(place + i);
    if (c - 48 < 10) continue;
    if (others == DIGITS || ((c | 32) - 97 >= 26 && !among(c, others))) return false;
  }
  return true;
}

function among(c: u32, count: u32): bool {
  while (count != 0 && load<u8>(OTHERS + count) != c) count--;
  return count != 0;
}

function accept(member: i32, token: JsonToken): bool {
  const length = READER.len;
  if (member == CONFIRMABLE) {
    SESSION.unconfirmed = token == JsonToken.False;
    return token == JsonToken.True || token == JsonToken.False;
  }
  if (member == SIGN_METHOD || member == CONTENT_FORMAT) {
    const signing = member == SIGN_METHOD;
    const word = wordIndex(SCRATCH, length, signing ? SIGN_METHODS : L("json cbor"), true) - 1;
    if (signing) IDENTITY.signMethod = word;
    else SESSION.cbor = word != 0;
    return token == JsonToken.String && word >= 0;
  }
  const number = parseU32(SCRATCH, length);
  if (token != JsonToken.Number || <u64>number > (member == ACK_MODE_MEMBER ? 1 : 86400)) return false;
  if (member != ACK_MODE_MEMBER) SESSION.pullMs = <u32>number * 1000;
  else {
    store<u8>(ACK_MODE, <u32>number);
    store<u8>(ACK_MODE, 49, 1);
  }
  return true;
}

/** Make coap://host[:port] in its place udp://host:port, one character shorter. */
export function endpointPeer(): bool {
  const field = ENDPOINT;
  const host = field + 8;
  let end = field + 1 + litLen(field);
  if (load<u8>(end - 1) == 0x2f) end--;
  if (end <= host || !equalsIgnoreCase(field + 1, 7, S("coap://"))) return false;
  let port: usize = 0;
  let number: u32 = 0;
  let bracket = false;
  for (let at = host; at < end; at++) {
    const c: u32 = load<u8>(at);
    if (c == 0x2f) return false;
    if (port != 0) {
      number = number * 10 + c - 48;
      if (c - 48 >= 10 || number > 65535) return false;
    } else if (c == 0x3a && !bracket) {
      if (at == host) return false;
      port = at;
    } else if ((c | 6) == 0x5f && c != 0x5f) bracket = c == 0x5b;
  }
  if (bracket || (port != 0 && number == 0)) return false;
  copy(field + 1, litPtr(S("udp://")), 6);
  copy(field + 7, host, <u32>(end - host));
  if (port == 0) copy(end - 1, litPtr(S(":5682")), 5);
  store<u8>(field, <u32>(end - field) - 2 + (port == 0 ? 5 : 0));
  return true;
}
