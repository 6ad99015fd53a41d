/**
 * The configuration: one JSON document, keys in any letter case. Each value goes from the reader straight to where it is
 * kept. An unknown key is reported and passed over; a value that cannot be used is refused with a Fault event that names
 * the key and what it takes.
 */
import { Code, Event } from "../abi";
import {
  CONFIG,
  CONFIG_BUFFER,
  EVENTS,
  FETCH,
  FLASH,
  HTTP_TX_WINDOW,
  IDENTITY,
  IN,
  IN_READER,
  KEY,
  POLICY,
} from "../arena";
import { base64Decode } from "../bytes/base64";
import { L, parseU32, S, wordIndex } from "../bytes/text";
import { putBytes, putText } from "../bytes/writer";
import { JSON_KEY, JsonReader, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import { jsonEscape } from "../codec/json_escape";
import { WITH_SHA1 } from "../crypto/grade";
import { Digest } from "../crypto/hmac";
import { rsaModulus, SPKI_LENGTH } from "../crypto/rsa";
import { eventOf, eventEnd, eventsRoom } from "../protocol/events";
import { HTTP_TX } from "../protocol/fetch_task";
import { Member, absent, memberOf, flashMemberOf, textOf, textMax, expected, plain } from "./config_members";
import { WITH_CONFIRM, WITH_QUIET, WITH_RATE, WITH_SIGNATURES } from "../profile";
import { flashNumber, flashFits } from "./config_flash";
import { CONFIG_SCRATCH } from "./config_state";

/** Tell about a key: that it is unknown (code Ok), or what it takes. */
function complain(code: i32, name: usize, length: u32, text: usize): void {
  // unknown keys leave room for the one refusal that ends it all
  if (code == Code.Ok && !eventsRoom(EVENTS)) return;
  const w = eventOf(EVENTS, S('fault","code":'));
  putText(w, code == Code.Ok ? S("0") : S("-3"));
  putText(w, S(',"detail":0,"desc":"configuration: '));
  jsonEscape(w, name, length);
  putText(w, S(" "));
  jsonEscape(w, text + 1, load<u8>(text));
  putBytes(w, S('"') + 1, 1);
  eventEnd(EVENTS, Event.Fault);
}

/** Complain about a member by its name. */
export function refuseMember(name: usize, text: usize): i32 {
  complain(Code.BadArgument, name + 1, load<u8>(name), text);
  return Code.BadArgument;
}

/** Bytes of a document that are read in one call: bounds its work. */
const SLICE: u32 = 128;
/** The document goes on: call again. */
const GO_ON: i32 = 1;

/**
 * Read a document of `length` bytes from the in-window, or go on with it when `length` is 0. One that is refused may have
 * left values behind, so after it nothing but a fresh instance will do.
 */
export function readConfiguration(length: u32): i32 {
  const r = IN_READER;
  if (!CONFIG.begun) IDENTITY.signMethod = Digest.Sha256;
  CONFIG.begun = true;
  if (length != 0) {
    jsonInit(r);
    r.at = IN;
    CONFIG.left = length;
    CONFIG.member = Member.None;
    CONFIG.inFlash = false;
    CONFIG.fault = 0;
    CONFIG.present = false;
  }
  const n = CONFIG.left < SLICE ? CONFIG.left : SLICE;
  r.end = r.at + n;
  CONFIG.left -= n;
  const code = read(r);
  if (code < 0) CONFIG.refused = true;
  CONFIG.present = code == Code.Ok;
  return code;
}

function read(r: JsonReader): i32 {
  let token = jsonNext(r);
  for (; token > JsonToken.NeedMore && token != JsonToken.End; token = jsonNext(r)) {
    if (r.depth == 0 && token != JsonToken.ObjectEnd) return notAnObject();
    if (token == JsonToken.Key) key(r);
    else value(r, token);
    if (CONFIG.fault != 0) return CONFIG.fault;
  }
  if (token >= 0 && CONFIG.left != 0) return GO_ON;
  return token == JsonToken.End || jsonFinish(r) == JsonToken.End ? Code.Ok : notAnObject();
}

function notAnObject(): i32 {
  return refuseMember(S("document"), S("is not a JSON object"));
}

function key(r: JsonReader): void {
  const name = jsonKeyPtr(r);
  const length = r.keyLen < JSON_KEY ? r.keyLen : JSON_KEY;
  CONFIG.index = 0;
  // deeper objects belong to keys that are not ours
  if (r.depth > 2 || (r.depth == 2 && !CONFIG.inFlash)) return;
  CONFIG.member = CONFIG.inFlash ? flashMemberOf(name, r.keyLen) : memberOf(name, r.keyLen);
  if (CONFIG.member == Member.None) return complain(Code.Ok, name, length, S("is not a known key"));
  const text = textOf(CONFIG.member);
  const wide = WITH_SIGNATURES && CONFIG.member == Member.UpdateKey;
  r.out = text != 0 ? text + 1 : wide ? HTTP_TX_WINDOW : CONFIG_BUFFER;
  r.cap = text != 0 ? textMax(CONFIG.member) : wide ? HTTP_TX : CONFIG_SCRATCH;
}

function value(r: JsonReader, token: JsonToken): void {
  const member = <Member>CONFIG.member;
  if (token == JsonToken.ObjectStart && member == Member.Flash && r.depth == 2) {
    CONFIG.inFlash = true;
    FLASH.sector = 0;
    return;
  }
  if (token == JsonToken.ObjectEnd && CONFIG.inFlash && r.depth == 1) {
    CONFIG.inFlash = false;
    CONFIG.member = Member.None;
    if (!flashFits()) refuse(Member.Flash, S("flash"));
    return;
  }
  const base = CONFIG.inFlash ? 2 : 1;
  if (member == Member.None || r.depth < base) return;
  if (absent(member) || (member != Member.Boot && !accept(r, token, member))) return refuse(member, 0);
  if (r.depth == base) CONFIG.member = Member.None;
  // the next element of a list needs a sink again
  r.out = CONFIG_BUFFER;
  r.cap = CONFIG_SCRATCH;
}

function refuse(member: Member, name: usize): void {
  CONFIG.fault = Code.BadArgument;
  if (name != 0) refuseMember(name, expected(member));
  else complain(Code.BadArgument, jsonKeyPtr(IN_READER), min<u32>(IN_READER.keyLen, JSON_KEY), expected(member));
}

/** The words that members take: the sign methods in the order of Digest, then these. */
const WORDS: usize = WITH_CONFIRM
  ? L("hmacmd5 hmacsha1 hmacsha256 mqtt http parallel pause ask auto")
  : L("hmacmd5 hmacsha1 hmacsha256 mqtt http parallel pause");
const enum Word {
  Mqtt = 4,
  Http = 5,
  Parallel = 6,
  Pause = 7,
  Ask = 8,
}

/** -> false when the member does not take the value. */
function accept(r: JsonReader, token: JsonToken, member: Member): bool {
  const text = textOf(member);
  if (text != 0) {
    if (token != JsonToken.String || r.total > textMax(member)) return false;
    store<u8>(text, r.total);
    return plain(member, text + 1, r.total);
  }
  const start = token == JsonToken.ArrayStart;
  const listed = start || token == JsonToken.ArrayEnd;
  const word = token == JsonToken.String ? wordIndex(CONFIG_BUFFER, r.len, WORDS, true) : 0;
  const number: i64 = token == JsonToken.Number ? parseU32(CONFIG_BUFFER, r.len) : -1;
  switch (member) {
    case Member.SignMethod:
      IDENTITY.signMethod = word - 1;
      return word > 0 && word <= Digest.Sha256 + 1 && (WITH_SHA1 || word != Digest.Sha1 + 1);
    case Member.KeepAlive:
      CONFIG.keepAlive = <u32>number;
      return number >= 30 && number <= 1200;
    case Member.CleanSession:
      CONFIG.cleanSession = token == JsonToken.True;
      return token == JsonToken.True || token == JsonToken.False;
    case Member.AllowPlain:
      POLICY.plainMqtt = !start && (POLICY.plainMqtt || word == Word.Mqtt);
      POLICY.plainHttp = !start && (POLICY.plainHttp || word == Word.Http);
      return listed || word == Word.Mqtt || word == Word.Http;
    case Member.UpdateConfirm:
      if (!WITH_CONFIRM) return false;
      POLICY.ask = word == Word.Ask;
      return word >= Word.Ask;
    case Member.UpdateLink:
      POLICY.pause = word == Word.Pause;
      return word == Word.Pause || word == Word.Parallel;
    case Member.UpdateRate:
      if (!WITH_RATE) return false;
      FETCH.rate = <u32>number;
      return number >= 256;
    case Member.UpdateQuiet:
      if (!WITH_QUIET) return false;
      if (listed) return start || CONFIG.index == 2;
      return r.depth == 2 && quietMinute(number);
    case Member.UpdateKey:
      if (!WITH_SIGNATURES) return false;
      POLICY.keyed = token == JsonToken.String && r.total <= HTTP_TX && updateKey(r.len);
      return POLICY.keyed;
    case Member.Flash:
      return false;
    default:
      return listed || (number >= 0 && flashNumber(member, <u32>number));
  }
}

/** The next of the two minutes of the quiet hours. */
function quietMinute(minute: i64): bool {
  if (CONFIG.index == 0) POLICY.quietFrom = <u32>minute;
  else POLICY.quietTo = <u32>minute;
  CONFIG.index += 1;
  return CONFIG.index <= 2 && minute >= 0 && minute < 1440;
}

function updateKey(length: u32): bool {
  const decoded = base64Decode(HTTP_TX_WINDOW, HTTP_TX_WINDOW, length);
  return decoded == <i32>SPKI_LENGTH && rsaModulus(KEY, HTTP_TX_WINDOW);
}
