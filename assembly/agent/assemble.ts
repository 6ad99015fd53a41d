/** Puts the agent together from its configuration. Who works with whose buffers is known before: see wiring.ts. */
import { Code } from "../abi";
import * as arena from "../arena";
import { copy, litLen, litPtr, S } from "../bytes/text";
import { putByte, putBytes, putDecimal, putText, Writer, writerDone, writerInit } from "../bytes/writer";
import { Scheme, urlHost, urlParse, urlTls } from "../codec/url";
import { WITH_SIGNATURES } from "../profile";
import { PEER_MAX } from "../protocol/fetch_task";
import { refuseMember } from "./config";

/** Keep-alive when the configuration names none, seconds. */
const KEEP_ALIVE: u32 = 300;

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
  const c = arena.CONFIG;
  arena.SESSION.cleanSession = c.cleanSession;
  arena.SESSION.keepAlive = c.keepAlive != 0 ? c.keepAlive : KEEP_ALIVE;
  // every field is 0 in fresh memory, which stands for no CONNECT everywhere but here
  arena.WINDOW.connectAt = -1;
  assembleJournal();
  // signatures are read where the request of the download will stand
  if (WITH_SIGNATURES && arena.POLICY.keyed) arena.OFFER.signature = arena.HTTP_TX_WINDOW;
  return Code.Ok;
}

function setText(field: usize, literal: usize): void {
  copy(field, literal, 1 + litLen(literal));
}

/** A writer over the value of a text field. */
function fieldWriter(field: usize, cap: u32): Writer {
  writerInit(arena.WRITER, field + 1, cap);
  return arena.WRITER;
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
  const w = arena.WRITER;
  // the host stands in the endpoint, no lower than in what takes its place
  writerInit(w, arena.MQTT_PEER, PEER_MAX);
  putText(w, urlTls(u) ? S("tls://") : S("tcp://"));
  putBytes(w, urlHost(u), u.hostLen);
  putByte(w, 58);
  putDecimal(w, u.port);
  arena.CONFIG.peerLength = <u32>writerDone(w);
  arena.SESSION.secure = urlTls(u);
  return Code.Ok;
}

/** What the journal keeps, kind by kind; it takes them by number. */
function assembleJournal(): void {
  const j = arena.JOURNAL;
  j.state1 = changetype<usize>(arena.INSTALLED);
  j.size1 = arena.INSTALLED_CAP;
  j.state2 = changetype<usize>(arena.UPDATE_STATE);
  j.size2 = arena.UPDATE_CAP;
  j.state3 = changetype<usize>(arena.MARK);
  j.size3 = arena.MARK_CAP;
}
