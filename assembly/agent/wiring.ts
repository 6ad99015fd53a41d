/**
 * Which structure or buffer each pointer between structures stands for. There is one of each in the module, so this is
 * known while it is compiled: assembly/transform/wiring.mjs turns every line into a constant, and `wire` into nothing.
 */
import {
  ALINK,
  CARRY,
  CHUNKED,
  CLIENT_ID,
  DEVICE_NAME,
  DEVICE_SECRET,
  DIGEST,
  DOWNLINK,
  DOWNLINK_BUFFER,
  DOWNLINK_CUT_BUFFER,
  DOWNLINK_ID,
  EVENT_BUFFER,
  EVENTS,
  FETCH,
  FETCH_BACKOFF,
  FIXED_HEADER,
  FLASH,
  FLOOR,
  FLIGHTS_BUFFER,
  HMAC,
  HTTP_PEER,
  HTTP_TX_WINDOW,
  HTTP_WINDOW,
  IDENTITY,
  IMAGE,
  INSTALLED,
  JOURNAL,
  KEY,
  MAC,
  MARK,
  MESSAGE,
  MQTT_RX_WINDOW,
  MQTT_TX_WINDOW,
  OFFER,
  OFFER_BUFFER,
  OFFER_DIGEST,
  OFFER_URL,
  OFFER_VERSION,
  PENDING_BUFFER,
  POLICY,
  PRODUCT_KEY,
  RANDOM,
  READ_BACK_BUFFER,
  READER,
  RESPONSE,
  RUNNING,
  RUNNING_VERSION,
  SESSION,
  SESSION_BACKOFF,
  TIMESTAMP,
  UPDATE,
  UPDATE_BACKOFF,
  UPDATE_BUFFER,
  UPDATE_STATE,
  URL,
  VERSION,
  WINDOW,
  WRITER,
} from "../arena";
import { MQTT_TX } from "../profile";

export function wire(): void {
  EVENTS.buffer = EVENT_BUFFER;
  EVENTS.writer = WRITER;
  IDENTITY.productKey = PRODUCT_KEY;
  IDENTITY.deviceName = DEVICE_NAME;
  IDENTITY.deviceSecret = DEVICE_SECRET;
  IDENTITY.clientId = CLIENT_ID;
  IDENTITY.timestamp = TIMESTAMP;
  WINDOW.base = MQTT_TX_WINDOW;
  WINDOW.cap = MQTT_TX;
  WINDOW.table = FLIGHTS_BUFFER;
  SESSION.window = WINDOW;
  SESSION.writer = WRITER;
  SESSION.identity = IDENTITY;
  SESSION.hmac = HMAC;
  SESSION.mac = MAC;
  SESSION.backoff = SESSION_BACKOFF;
  SESSION.random = RANDOM;
  SESSION.rx = MQTT_RX_WINDOW;
  SESSION.header = FIXED_HEADER;
  SESSION.carry = CARRY;
  ALINK.session = SESSION;
  ALINK.message = MESSAGE;
  ALINK.counter = WRITER;
  ALINK.pending = PENDING_BUFFER;
  DOWNLINK.reader = READER;
  DOWNLINK.events = EVENTS;
  DOWNLINK.offer = OFFER;
  DOWNLINK.id = DOWNLINK_ID;
  DOWNLINK.scratch = DOWNLINK_BUFFER;
  DOWNLINK.cut = DOWNLINK_CUT_BUFFER;
  OFFER.version = OFFER_VERSION;
  OFFER.url = OFFER_URL;
  OFFER.digest = OFFER_DIGEST;
  OFFER.scratch = OFFER_BUFFER;
  IMAGE.flash = FLASH;
  IMAGE.window = HTTP_WINDOW;
  IMAGE.readBack = READ_BACK_BUFFER;
  IMAGE.digest = DIGEST;
  IMAGE.mark = MARK;
  FETCH.image = IMAGE;
  FETCH.url = URL;
  FETCH.response = RESPONSE;
  FETCH.chunked = CHUNKED;
  FETCH.backoff = FETCH_BACKOFF;
  FETCH.random = RANDOM;
  FETCH.writer = WRITER;
  FETCH.urlText = OFFER_URL;
  FETCH.tx = HTTP_TX_WINDOW;
  FETCH.peer = HTTP_PEER;
  JOURNAL.flash = FLASH;
  JOURNAL.page = READ_BACK_BUFFER;
  RUNNING.version = RUNNING_VERSION;
  UPDATE.alink = ALINK;
  UPDATE.events = EVENTS;
  UPDATE.flash = FLASH;
  UPDATE.image = IMAGE;
  UPDATE.fetch = FETCH;
  UPDATE.journal = JOURNAL;
  UPDATE.offer = OFFER;
  UPDATE.url = URL;
  UPDATE.state = UPDATE_STATE;
  UPDATE.installed = INSTALLED;
  UPDATE.mark = MARK;
  UPDATE.running = RUNNING;
  UPDATE.configured = VERSION;
  UPDATE.scratch = UPDATE_BUFFER;
  UPDATE.backoff = UPDATE_BACKOFF;
  UPDATE.policy = POLICY;
  POLICY.floor = FLOOR;
  POLICY.key = KEY;
}
