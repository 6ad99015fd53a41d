/** Puts the agent over CoAP together: hands every structure the buffers and the neighbours it works with. */
import { Code } from "../abi";
import { copy, equalsIgnoreCase, litLen, litPtr, S } from "../bytes/text";
import { putByte, putText, writerDone, writerInit } from "../bytes/writer";
import * as arena from "../coap_arena";
import { Digest } from "../crypto/hmac";
import { ENVELOPE_HEAD, SECRET_MAX } from "../protocol/coap_task";
import { eventsInit } from "../protocol/events";
import { complete, refuseEndpoint } from "./coap_config";
import { ENDPOINT_MAX } from "./coap_state";

/** Where the random of /auth stands in the scratch memory: behind what its other members are read into. */
const NONCE_AT: u32 = 24;
/** Between two pulls when the configuration names no time, ms. */
const PULL: u32 = 60000;

/** What the configuration needs: it may be refused before anything else exists, and it overrides what stands here. */
export function assembleFirst(): void {
  if (arena.EVENTS.buffer != 0) return;
  eventsInit(arena.EVENTS, arena.EVENT_BUFFER, arena.EVENT_WRITER);
  arena.SESSION.pullMs = PULL;
  arena.IDENTITY.signMethod = Digest.Sha256;
}

/** The configuration is complete. -> Ok, or BadArgument after a Fault event that names what is missing. */
export function assemble(): i32 {
  const code = complete();
  if (code < 0) return code;
  const w = arena.SESSION_WRITER;
  if (litLen(arena.VERSION) == 0) copy(arena.VERSION, S("1.0.0"), 6);
  if (litLen(arena.CLIENT_ID) == 0) {
    // {pk}.{dn}, as the C SDKs have it (Alink §1)
    writerInit(w, arena.CLIENT_ID + 1, 64);
    putText(w, arena.PRODUCT_KEY);
    putByte(w, 46);
    putText(w, arena.DEVICE_NAME);
    store<u8>(arena.CLIENT_ID, writerDone(w));
  }
  if (litLen(arena.ENDPOINT) == 0) {
    // the platform's own host and its port of the symmetric mode (Alink §1, §4)
    writerInit(w, arena.ENDPOINT + 1, ENDPOINT_MAX);
    putText(w, S("coap://"));
    putText(w, arena.PRODUCT_KEY);
    putText(w, S(".coap.cn-shanghai.link.aliyuncs.com"));
    store<u8>(arena.ENDPOINT, writerDone(w));
  }
  if (!peer()) return refuseEndpoint();
  wire();
  return Code.Ok;
}

/** Make coap://host[:port] in its place udp://host:port, one character shorter. */
function peer(): bool {
  const field = arena.ENDPOINT;
  let end = field + 1 + litLen(field);
  const scheme = S("coap://");
  if (litLen(field) < 8 || !equalsIgnoreCase(field + 1, 7, scheme)) return false;
  const host = field + 8;
  if (load<u8>(end - 1) == 0x2f) end--;
  let port: usize = 0;
  let bracket = false;
  for (let at = host; at < end; at++) {
    const c: u32 = load<u8>(at);
    if (c == 0x5b && at == host) bracket = true;
    else if (c == 0x5d && bracket) bracket = false;
    else if (c == 0x3a && !bracket && port == 0 && at != host) port = at;
    else if (port != 0 ? c - 48 >= 10 : !nameCharacter(c, bracket)) return false;
  }
  if (bracket || host == end) return false;
  const digits = port != 0 ? <u32>(end - port) - 1 : 0;
  if (digits > 5 || (digits == 0 && port != 0)) return false;
  let number: u32 = 0;
  for (let at = port + 1; digits != 0 && at < end; at++) number = number * 10 + load<u8>(at) - 48;
  if (port != 0 && number - 1 >= 65535) return false;
  const length = <u32>(end - host);
  copy(field + 1, litPtr(S("udp://")), 6);
  copy(field + 7, host, length);
  if (port == 0) copy(field + 7 + length, litPtr(S(":5682")), 5);
  arena.AGENT.peerLength = 6 + length + (port == 0 ? 5 : 0);
  return true;
}

function nameCharacter(c: u32, bracket: bool): bool {
  if (c - 48 < 10 || c == 0x2e) return true;
  const letter = (c | 32) - 97;
  return bracket ? c == 0x3a || letter < 6 : letter < 26 || c == 0x2d || c == 0x5f;
}

function wire(): void {
  const i = arena.IDENTITY;
  i.productKey = arena.PRODUCT_KEY;
  i.deviceName = arena.DEVICE_NAME;
  i.deviceSecret = arena.DEVICE_SECRET;
  i.clientId = arena.CLIENT_ID;
  i.timestamp = arena.TIMESTAMP;
  const e = arena.EXCHANGE;
  e.writer = arena.SESSION_WRITER;
  e.message = arena.MESSAGE;
  e.random = arena.RANDOM;
  e.tx = arena.TX_WINDOW;
  e.rx = arena.RX_WINDOW;
  const r = arena.REPLY;
  r.reader = arena.READER;
  r.events = arena.EVENTS;
  r.identity = i;
  r.token = arena.TOKEN;
  r.nonce = arena.SCRATCH + NONCE_AT;
  r.secretMax = SECRET_MAX;
  r.scratch = arena.SCRATCH;
  r.tag = arena.REPLY_TAG;
  r.tags = arena.REPLY_TAGS;
  const s = arena.SESSION;
  s.exchange = e;
  s.reply = r;
  s.identity = i;
  s.hmac = arena.HMAC;
  s.aes = arena.AES;
  s.codec = arena.CODEC;
  arena.CODEC.stack = arena.CODEC_STACK;
  s.backoff = arena.BACKOFF;
  s.mac = arena.SCRATCH;
  s.token = arena.TOKEN;
  s.nonce = r.nonce;
  s.version = arena.VERSION;
  s.body = arena.IN_FRAME + ENVELOPE_HEAD;
}
