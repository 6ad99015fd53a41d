/** Puts the agent together: hands every structure the buffers and the neighbours it works with. */
import { Code, MQTT_TX } from "../abi";
import * as arena from "../arena";
import { copy, litLen, litPtr, S } from "../bytes/text";
import { putByte, putBytes, putDecimal, putText, Writer, writerDone, writerInit } from "../bytes/writer";
import { Scheme, urlHost, urlParse, urlTls } from "../codec/url";
import { eventsInit } from "../protocol/events";
import { PEER_MAX } from "../protocol/fetch_task";
import { windowInit } from "../protocol/mqtt_window";
import { refuseMember } from "./config";

/** Keep-alive when the configuration names none, seconds. */
const KEEP_ALIVE: u32 = 300;

/** The queue of events is needed before anything else: a configuration may be refused. */
export function assembleEvents(): void {
  if (arena.EVENTS.buffer == 0) eventsInit(arena.EVENTS, arena.EVENT_BUFFER, arena.EVENT_WRITER);
}

/** The configuration is complete. -> Ok, or BadArgument after a Fault event that names what is missing. */
export function assemble(): i32 {
  if (litLen(arena.PRODUCT_KEY) == 0) return refuseMember(S("productKey"), S("is missing"));
  if (litLen(arena.DEVICE_NAME) == 0) return refuseMember(S("deviceName"), S("is missing"));
  if (litLen(arena.DEVICE_SECRET) == 0) return refuseMember(S("deviceSecret"), S("is missing"));
  if (litLen(arena.VERSION) == 0) setText(arena.VERSION, S("1.0.0"));
  defaultClientId();
  if (litLen(arena.ENDPOINT) == 0) defaultEndpoint();
  const peer = assemblePeer();
  if (peer < 0) return peer;
  assembleIdentity();
  assembleSession();
  assembleDownlink();
  assembleFetch();
  assembleUpdate();
  return Code.Ok;
}

function setText(field: usize, literal: usize): void {
  copy(field, literal, 1 + litLen(literal));
}

/** A writer over the value of a text field. */
function fieldWriter(field: usize, cap: u32): Writer {
  writerInit(arena.COUNTER, field + 1, cap);
  return arena.COUNTER;
}

/** {pk}.{dn}, as the C SDKs have it (Alink §1). */
function defaultClientId(): void {
  if (litLen(arena.CLIENT_ID) != 0) return;
  const w = fieldWriter(arena.CLIENT_ID, 64);
  putText(w, arena.PRODUCT_KEY);
  putByte(w, 46);
  putText(w, arena.DEVICE_NAME);
  store<u8>(arena.CLIENT_ID, writerDone(w));
}

/** The platform's own host: of the instance when one is named, else of the region (Alink §1). */
function defaultEndpoint(): void {
  const w = fieldWriter(arena.ENDPOINT, 254);
  putText(w, S("mqtts://"));
  if (litLen(arena.INSTANCE_ID) != 0) {
    putText(w, arena.INSTANCE_ID);
    putText(w, S(".mqtt.iothub.aliyuncs.com:1883"));
  } else {
    putText(w, arena.PRODUCT_KEY);
    putText(w, S(".iot-as-mqtt."));
    putText(w, litLen(arena.REGION) != 0 ? arena.REGION : S("cn-shanghai"));
    putText(w, S(".aliyuncs.com:443"));
  }
  store<u8>(arena.ENDPOINT, writerDone(w));
}

/** The peer of the MQTT channel, tcp://host:port or tls://host:port. */
function assemblePeer(): i32 {
  const u = arena.URL;
  const parsed = urlParse(u, litPtr(arena.ENDPOINT), litLen(arena.ENDPOINT));
  if (parsed < 0 || u.scheme < <u32>Scheme.Mqtt || u.pathLen > 1) {
    return refuseMember(S("endpoint"), S("takes mqtts://host:port or mqtt://host:port"));
  }
  const w = arena.COUNTER;
  writerInit(w, arena.MQTT_PEER, PEER_MAX);
  putText(w, urlTls(u) ? S("tls://") : S("tcp://"));
  putBytes(w, urlHost(u), u.hostLen);
  putByte(w, 58);
  putDecimal(w, u.port);
  arena.CONFIG.peerLength = <u32>writerDone(w);
  arena.SESSION.secure = urlTls(u);
  return Code.Ok;
}

function assembleIdentity(): void {
  const i = arena.IDENTITY;
  i.productKey = arena.PRODUCT_KEY;
  i.deviceName = arena.DEVICE_NAME;
  i.deviceSecret = arena.DEVICE_SECRET;
  i.clientId = arena.CLIENT_ID;
  i.timestamp = arena.TIMESTAMP;
}

function assembleSession(): void {
  const s = arena.SESSION;
  windowInit(arena.WINDOW, arena.MQTT_TX_WINDOW, MQTT_TX, arena.FLIGHTS_BUFFER);
  s.window = arena.WINDOW;
  s.writer = arena.SESSION_WRITER;
  s.identity = arena.IDENTITY;
  s.hmac = arena.HMAC;
  s.mac = arena.MAC;
  s.backoff = arena.SESSION_BACKOFF;
  s.random = arena.RANDOM;
  s.rx = arena.MQTT_RX_WINDOW;
  s.header = arena.FIXED_HEADER;
  s.carry = arena.CARRY;
  s.cleanSession = arena.CONFIG.cleanSession;
  s.keepAlive = arena.CONFIG.keepAlive != 0 ? arena.CONFIG.keepAlive : KEEP_ALIVE;
  const a = arena.ALINK;
  a.session = s;
  a.message = arena.MESSAGE;
  a.counter = arena.COUNTER;
  a.pending = arena.PENDING_BUFFER;
}

function assembleDownlink(): void {
  const d = arena.DOWNLINK;
  d.reader = arena.READER;
  d.events = arena.EVENTS;
  d.offer = arena.OFFER;
  d.id = arena.DOWNLINK_ID;
  d.scratch = arena.DOWNLINK_BUFFER;
  d.cut = arena.DOWNLINK_CUT_BUFFER;
  const o = arena.OFFER;
  o.version = arena.OFFER_VERSION;
  o.url = arena.OFFER_URL;
  o.digest = arena.OFFER_DIGEST;
  o.scratch = arena.OFFER_BUFFER;
}

function assembleFetch(): void {
  const i = arena.IMAGE;
  i.flash = arena.FLASH;
  i.window = arena.HTTP_WINDOW;
  i.readBack = arena.READ_BACK_BUFFER;
  i.digest = arena.DIGEST;
  i.mark = arena.MARK;
  const f = arena.FETCH;
  f.image = i;
  f.url = arena.URL;
  f.response = arena.RESPONSE;
  f.chunked = arena.CHUNKED;
  f.backoff = arena.FETCH_BACKOFF;
  f.random = arena.RANDOM;
  f.writer = arena.FETCH_WRITER;
  f.urlText = arena.OFFER_URL;
  f.tx = arena.HTTP_TX_WINDOW;
  f.peer = arena.HTTP_PEER;
}

function assembleUpdate(): void {
  const j = arena.JOURNAL;
  j.flash = arena.FLASH;
  j.page = arena.READ_BACK_BUFFER;
  j.state1 = changetype<usize>(arena.INSTALLED);
  j.size1 = arena.INSTALLED_CAP;
  j.state2 = changetype<usize>(arena.UPDATE_STATE);
  j.size2 = arena.UPDATE_CAP;
  j.state3 = changetype<usize>(arena.MARK);
  j.size3 = arena.MARK_CAP;
  const u = arena.UPDATE;
  u.alink = arena.ALINK;
  u.events = arena.EVENTS;
  u.flash = arena.FLASH;
  u.image = arena.IMAGE;
  u.fetch = arena.FETCH;
  u.journal = j;
  u.offer = arena.OFFER;
  u.url = arena.URL;
  u.state = arena.UPDATE_STATE;
  u.installed = arena.INSTALLED;
  u.mark = arena.MARK;
  u.running = arena.RUNNING;
  arena.RUNNING.version = arena.RUNNING_VERSION;
  u.configured = arena.VERSION;
  u.scratch = arena.UPDATE_BUFFER;
  u.backoff = arena.UPDATE_BACKOFF;
  u.policy = arena.POLICY;
  arena.POLICY.floor = arena.FLOOR;
  arena.POLICY.key = arena.KEY;
  // signatures are read where the request of the download will stand
  if (arena.POLICY.keyed) arena.OFFER.signature = arena.HTTP_TX_WINDOW;
}
