/**
 * Which structure or buffer each pointer between the structures of the agent over CoAP stands for: as wiring.ts, every line
 * is a constant of the compilation.
 */
import {
  AES,
  BACKOFF,
  CLIENT_ID,
  CODEC,
  CODEC_STACK,
  DEVICE_NAME,
  DEVICE_SECRET,
  EVENT_BUFFER,
  EVENT_NAME,
  EVENTS,
  EXCHANGE,
  HMAC,
  IDENTITY,
  IN_FRAME,
  MESSAGE,
  NONCE,
  PRODUCT_KEY,
  RANDOM,
  READER,
  REPLY,
  REPLY_TAGS,
  RX_WINDOW,
  SCRATCH,
  SESSION,
  TIMESTAMP,
  TOKEN,
  TX_WINDOW,
  WRITER,
} from "../coap_arena";
import { ENVELOPE_HEAD } from "../protocol/coap_task";
import { AUTH_VALUES, FIELDS, SEED_AT } from "./coap_events";

export function wire(): void {
  EVENTS.buffer = EVENT_BUFFER;
  EVENTS.writer = WRITER;
  IDENTITY.productKey = PRODUCT_KEY;
  IDENTITY.deviceName = DEVICE_NAME;
  IDENTITY.deviceSecret = DEVICE_SECRET;
  IDENTITY.clientId = CLIENT_ID;
  IDENTITY.timestamp = TIMESTAMP;
  EXCHANGE.writer = WRITER;
  EXCHANGE.message = MESSAGE;
  EXCHANGE.random = RANDOM;
  EXCHANGE.tx = TX_WINDOW;
  EXCHANGE.rx = RX_WINDOW;
  REPLY.reader = READER;
  REPLY.events = EVENTS;
  REPLY.identity = IDENTITY;
  REPLY.token = TOKEN;
  REPLY.nonce = NONCE;
  REPLY.fields = FIELDS;
  REPLY.scratch = SCRATCH;
  REPLY.tags = REPLY_TAGS;
  SESSION.exchange = EXCHANGE;
  SESSION.reply = REPLY;
  SESSION.identity = IDENTITY;
  SESSION.hmac = HMAC;
  SESSION.aes = AES;
  SESSION.codec = CODEC;
  SESSION.backoff = BACKOFF;
  SESSION.mac = SCRATCH;
  SESSION.token = TOKEN;
  SESSION.nonce = NONCE;
  SESSION.fields = FIELDS;
  SESSION.members = AUTH_VALUES;
  SESSION.seed = SEED_AT;
  SESSION.body = IN_FRAME + ENVELOPE_HEAD;
  SESSION.name = EVENT_NAME;
  CODEC.stack = CODEC_STACK;
}
