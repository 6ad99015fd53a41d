/**
 * The configuration: one JSON document, keys in any letter case. Each value goes from the reader straight to where it is
 * kept. An unknown key is reported and passed over; a value that cannot be used is refused with a Fault event that names
 * the key and what it takes.
 */
import { Code, Event, WRITE_UNIT } from "../abi";
import {
  CLIENT_ID,
  CONFIG,
  CONFIG_BUFFER,
  DEVICE_NAME,
  DEVICE_SECRET,
  ENDPOINT,
  EVENTS,
  FLASH,
  IDENTITY,
  IN,
  IN_READER,
  INSTANCE_ID,
  PRODUCT_KEY,
  REGION,
  TIMESTAMP,
  VERSION,
} from "../arena";
import { equalsIgnoreCase, parseU32, S } from "../bytes/text";
import { putBytes, putText } from "../bytes/writer";
import { JSON_KEY, JsonReader, JsonToken, jsonFinish, jsonInit, jsonKeyPtr, jsonNext } from "../codec/json";
import { jsonEscape } from "../codec/json_escape";
import { Digest } from "../crypto/hmac";
import { eventBegin, eventEnd, eventsRoom } from "../protocol/events";
import { VERSION_MAX } from "../protocol/offer";

const enum Member {
  None = 0,
  // texts
  ProductKey = 1,
  DeviceName = 2,
  DeviceSecret = 3,
  ClientId = 4,
  Timestamp = 5,
  Region = 6,
  InstanceId = 7,
  Endpoint = 8,
  Version = 9,
  SignMethod = 10,
  // others
  KeepAlive = 11,
  CleanSession = 12,
  AllowPlain = 13,
  Flash = 14,
  // members of flash
  Sector = 15,
  Write = 16,
  Erased = 17,
  Slots = 18,
  State = 19,
  Queue = 20,
  /** The boot loader's record: the host's own. */
  Boot = 21,
}

const SCRATCH: u32 = 24;

function is(ptr: usize, len: u32, name: usize): bool {
  return equalsIgnoreCase(ptr, len, name);
}

function memberOf(p: usize, n: u32): Member {
  if (is(p, n, S("productKey"))) return Member.ProductKey;
  if (is(p, n, S("deviceName"))) return Member.DeviceName;
  if (is(p, n, S("deviceSecret"))) return Member.DeviceSecret;
  if (is(p, n, S("clientId"))) return Member.ClientId;
  if (is(p, n, S("timestamp"))) return Member.Timestamp;
  if (is(p, n, S("region"))) return Member.Region;
  if (is(p, n, S("instanceId"))) return Member.InstanceId;
  if (is(p, n, S("endpoint"))) return Member.Endpoint;
  if (is(p, n, S("version"))) return Member.Version;
  if (is(p, n, S("signMethod"))) return Member.SignMethod;
  if (is(p, n, S("keepAlive"))) return Member.KeepAlive;
  if (is(p, n, S("cleanSession"))) return Member.CleanSession;
  if (is(p, n, S("allowPlain"))) return Member.AllowPlain;
  return is(p, n, S("flash")) ? Member.Flash : Member.None;
}

function flashMemberOf(p: usize, n: u32): Member {
  if (is(p, n, S("sector"))) return Member.Sector;
  if (is(p, n, S("write"))) return Member.Write;
  if (is(p, n, S("erased"))) return Member.Erased;
  if (is(p, n, S("slots"))) return Member.Slots;
  if (is(p, n, S("state"))) return Member.State;
  if (is(p, n, S("queue"))) return Member.Queue;
  return is(p, n, S("boot")) ? Member.Boot : Member.None;
}

/** Where a text is kept: a length byte, then the value. 0 = it is not kept. */
function textOf(member: Member): usize {
  switch (member) {
    case Member.ProductKey:
      return PRODUCT_KEY;
    case Member.DeviceName:
      return DEVICE_NAME;
    case Member.DeviceSecret:
      return DEVICE_SECRET;
    case Member.ClientId:
      return CLIENT_ID;
    case Member.Timestamp:
      return TIMESTAMP;
    case Member.Region:
      return REGION;
    case Member.InstanceId:
      return INSTANCE_ID;
    case Member.Endpoint:
      return ENDPOINT;
    case Member.Version:
      return VERSION;
    default:
      return 0;
  }
}

/** Longest value of a text, bytes (Alink §1). */
function textMax(member: Member): u32 {
  switch (member) {
    case Member.ProductKey:
    case Member.Timestamp:
      return 20;
    case Member.DeviceName:
    case Member.Region:
      return 32;
    case Member.Endpoint:
      return 254;
    case Member.Version:
      return VERSION_MAX;
    default:
      return 64;
  }
}

/** What a member takes, for the message about a value that it does not. */
function expected(member: Member): usize {
  switch (member) {
    case Member.ProductKey:
      return S("takes 1 to 20 letters and digits");
    case Member.DeviceName:
      return S("takes 4 to 32 of letters, digits and - _ @ . :");
    case Member.ClientId:
      return S("takes 1 to 64 of letters, digits and - _ @ . : &");
    case Member.DeviceSecret:
      return S("takes a text of 1 to 64 bytes");
    case Member.Timestamp:
      return S("takes milliseconds as a text of digits");
    case Member.Version:
      return S("takes 1 to 64 of letters, digits and . _ -");
    case Member.Endpoint:
      return S("takes mqtts://host:port or mqtt://host:port");
    case Member.SignMethod:
      return S("takes hmacsha256, hmacsha1 or hmacmd5");
    case Member.KeepAlive:
      return S("takes a number of seconds from 30 to 1200");
    case Member.CleanSession:
      return S("takes true or false");
    case Member.AllowPlain:
      return S('takes a list of "mqtt" and "http"');
    case Member.Region:
    case Member.InstanceId:
      return S("takes letters, digits and hyphens");
    default:
      return S(
        "takes sector, write, erased, slots, state and queue; offsets and lengths are multiples of the sector, regions have two sectors or more and do not overlap",
      );
  }
}

/** Tell about a key: that it is unknown (code Ok), or what it takes. */
function complain(code: i32, name: usize, length: u32, text: usize): void {
  if (!eventsRoom(EVENTS)) return;
  const w = eventBegin(EVENTS, S('{"event":"fault","code":'));
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
  r.out = text != 0 ? text + 1 : CONFIG_BUFFER;
  r.cap = text != 0 ? textMax(CONFIG.member) : SCRATCH;
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
  if (member != Member.Boot && !accept(r, token, member)) return refuse(member, 0);
  if (r.depth == base) CONFIG.member = Member.None;
  // the next element of a list needs a sink again
  r.out = CONFIG_BUFFER;
  r.cap = SCRATCH;
}

function refuse(member: Member, name: usize): void {
  CONFIG.fault = Code.BadArgument;
  if (name != 0) refuseMember(name, expected(member));
  else complain(Code.BadArgument, jsonKeyPtr(IN_READER), min<u32>(IN_READER.keyLen, JSON_KEY), expected(member));
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
  const end = token == JsonToken.ArrayEnd;
  switch (member) {
    case Member.SignMethod:
      return token == JsonToken.String && signMethod(r.len);
    case Member.KeepAlive:
      CONFIG.keepAlive = <u32>parseU32(CONFIG_BUFFER, r.len);
      return token == JsonToken.Number && CONFIG.keepAlive >= 30 && CONFIG.keepAlive <= 1200;
    case Member.CleanSession:
      CONFIG.cleanSession = token == JsonToken.True;
      return token == JsonToken.True || token == JsonToken.False;
    case Member.AllowPlain:
      if (start) {
        CONFIG.plainMqtt = false;
        CONFIG.plainHttp = false;
      }
      return start || end || (token == JsonToken.String && allowPlain(r.len));
    case Member.Flash:
      return false;
    default: {
      if (start || end) return true;
      const number = parseU32(CONFIG_BUFFER, r.len);
      if (token != JsonToken.Number || number < 0) return false;
      return flashNumber(member, <u32>number);
    }
  }
}

function signMethod(length: u32): bool {
  if (is(CONFIG_BUFFER, length, S("hmacsha256"))) IDENTITY.signMethod = Digest.Sha256;
  else if (is(CONFIG_BUFFER, length, S("hmacsha1"))) IDENTITY.signMethod = Digest.Sha1;
  else if (is(CONFIG_BUFFER, length, S("hmacmd5"))) IDENTITY.signMethod = Digest.Md5;
  else return false;
  return true;
}

function allowPlain(length: u32): bool {
  if (is(CONFIG_BUFFER, length, S("mqtt"))) CONFIG.plainMqtt = true;
  else if (is(CONFIG_BUFFER, length, S("http"))) CONFIG.plainHttp = true;
  else return false;
  return true;
}

/** Letters, digits, and what else a member may have: nothing that means something in a topic, a client id or a host. */
function plain(member: Member, ptr: usize, length: u32): bool {
  if (member == Member.DeviceSecret || member == Member.Endpoint) return length > 0;
  if (length < (member == Member.DeviceName ? <u32>4 : <u32>1)) return false;
  for (let i: u32 = 0; i < length; i++) {
    const c: u32 = load<u8>(ptr + i);
    if (c - 48 < 10) continue;
    if (member == Member.Timestamp) return false;
    if ((c | 32) - 97 < 26) continue;
    if (member == Member.ProductKey) return false;
    const hyphen = c == 45;
    const name = hyphen || c == 46 || c == 95;
    const wide = name || c == 64 || c == 58;
    if (
      member == Member.Version
        ? name
        : member == Member.DeviceName
          ? wide
          : member == Member.ClientId
            ? wide || c == 38
            : hyphen
    )
      continue;
    return false;
  }
  return true;
}

/** The next number of a flash member. -> false when there are too many. */
function flashNumber(member: Member, number: u32): bool {
  const f = FLASH;
  const index = CONFIG.index;
  CONFIG.index += 1;
  switch (member) {
    case Member.Sector:
      f.sector = number;
      return index == 0;
    case Member.Write:
      f.write = number;
      return index == 0;
    case Member.Erased:
      f.erased = number;
      return index == 0 && number <= 255;
    case Member.Slots:
      if (index == 0) f.slotOffset0 = number;
      else if (index == 1) f.slotLength0 = number;
      else if (index == 2) f.slotOffset1 = number;
      else f.slotLength1 = number;
      return index < 4;
    case Member.State:
      if (index == 0) f.stateOffset = number;
      else f.stateLength = number;
      return index < 2;
    default:
      if (index == 0) f.queueOffset = number;
      else f.queueLength = number;
      return index < 2;
  }
}

/** Whether the regions are made of whole sectors, have room, and lie apart. The write unit is a power of two. */
function flashFits(): bool {
  const f = FLASH;
  if (
    f.sector == 0 ||
    f.write == 0 ||
    f.write > <u32>WRITE_UNIT ||
    (f.write & (f.write - 1)) != 0 ||
    f.sector % f.write != 0
  )
    return false;
  // records are at most one page: a sector holds its header and several of them
  if (f.sector < 1024) return false;
  return (
    region(f.slotOffset0, f.slotLength0, 1) &&
    region(f.slotOffset1, f.slotLength1, 1) &&
    region(f.stateOffset, f.stateLength, 2) &&
    region(f.queueOffset, f.queueLength, 2) &&
    apart(f.slotOffset0, f.slotLength0, f.slotOffset1, f.slotLength1) &&
    apart(f.slotOffset0, f.slotLength0, f.stateOffset, f.stateLength) &&
    apart(f.slotOffset1, f.slotLength1, f.stateOffset, f.stateLength) &&
    apart(f.slotOffset0, f.slotLength0, f.queueOffset, f.queueLength) &&
    apart(f.slotOffset1, f.slotLength1, f.queueOffset, f.queueLength) &&
    apart(f.stateOffset, f.stateLength, f.queueOffset, f.queueLength)
  );
}

/** A region ends below 2^31, so that sums of offsets never wrap. */
function region(offset: u32, length: u32, sectors: u32): bool {
  const sector = FLASH.sector;
  const whole = offset % sector == 0 && length % sector == 0;
  return whole && length >= sectors * sector && <u64>offset + <u64>length < 0x80000000;
}

function apart(a: u32, aLength: u32, b: u32, bLength: u32): bool {
  return a + aLength <= b || b + bLength <= a;
}
