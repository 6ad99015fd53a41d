/**
 * The RAM budget of agent-coap.wasm, as arena.ts is that of agent.wasm: every static structure and buffer with its size in
 * bytes. Only agent/ imports this file; everything below takes pointers. The order is the order in memory.
 */
import { Writer } from "./bytes/writer";
import { Cbor, CBOR_STACK } from "./codec/cbor";
import { CoapMessage } from "./codec/coap";
import { JsonReader } from "./codec/json";
import { Aes } from "./crypto/aes_context";
import { Hmac } from "./crypto/hmac";
import { Backoff, Random } from "./protocol/backoff";
import { DATAGRAM, Exchange } from "./protocol/coap_exchange";
import { CoapReply, REPLY_VALUE, SECRET_MAX, TAG_TABLE } from "./protocol/coap_reply";
import { CoapSession, ENVELOPE_HEAD, ENVELOPE_TAIL } from "./protocol/coap_task";
import { Events } from "./protocol/events";
import { IDENTIFIER_MAX } from "./protocol/identifier";
import { EVENT_QUEUE, IN_WINDOW } from "./profile";
import { Identity } from "./protocol/sign";
import { CoapAgent, ENDPOINT_MAX } from "./agent/coap_state";

// structures: all that the agent knows is in these
// the first 190 bytes take the shortest instructions
export const SESSION = changetype<CoapSession>(memory.data(offsetof<CoapSession>(), 8));
export const EVENTS = changetype<Events>(memory.data(offsetof<Events>(), 4));
/**
 * Datagrams and events are written one after the other: a datagram that takes several steps is written to its end, or is CBOR
 * of the application's post, during which nothing else is begun.
 */
export const WRITER = changetype<Writer>(memory.data(offsetof<Writer>(), 4));
export const RANDOM = changetype<Random>(memory.data(offsetof<Random>(), 4));
/** The configuration at first, then responses and the application's posts, one at a time. */
export const READER = changetype<JsonReader>(memory.data(offsetof<JsonReader>(), 8));
export const MESSAGE = changetype<CoapMessage>(memory.data(offsetof<CoapMessage>(), 4));
export const EXCHANGE = changetype<Exchange>(memory.data(offsetof<Exchange>(), 4));
export const CODEC = changetype<Cbor>(memory.data(offsetof<Cbor>(), 8));
export const AGENT = changetype<CoapAgent>(memory.data(offsetof<CoapAgent>(), 4));
export const REPLY = changetype<CoapReply>(memory.data(offsetof<CoapReply>(), 4));
export const IDENTITY = changetype<Identity>(memory.data(offsetof<Identity>(), 4));
export const BACKOFF = changetype<Backoff>(memory.data(offsetof<Backoff>(), 4));
/** Signing and deriving the key. */
export const HMAC = changetype<Hmac>(memory.data(offsetof<Hmac>(), 8));
/** The session's key with its eleven round keys, which stand from one request to the next. */
export const AES = changetype<Aes>(memory.data(24 + 11 * 16, 8));
/** Arrays and maps that CBOR has open. */
export const CODEC_STACK: usize = memory.data(CBOR_STACK, 4);

// texts of the configuration: a length byte each, then the longest value
export const PRODUCT_KEY: usize = memory.data(1 + 20, 1);
export const DEVICE_NAME: usize = memory.data(1 + 32, 1);
export const DEVICE_SECRET: usize = memory.data(1 + 64, 1);
export const CLIENT_ID: usize = memory.data(1 + 64, 1);
export const TIMESTAMP: usize = memory.data(1 + 20, 1);
/** "1", or empty: piggy-backed responses, which the platform is not told. */
export const ACK_MODE: usize = memory.data(1 + 1, 2);
export const VERSION: usize = memory.data(1 + 64, 1);
/** At first the endpoint, then the peer in its place. */
export const ENDPOINT: usize = memory.data(1 + ENDPOINT_MAX + 8, 1);

/** The identifier of the last post of the thing model. */
export const EVENT_NAME: usize = memory.data(1 + IDENTIFIER_MAX, 1);

// what the platform gave out
export const TOKEN: usize = memory.data(1 + SECRET_MAX, 1);
/** The random of /auth. */
export const NONCE: usize = memory.data(1 + SECRET_MAX, 1);
/** What does not live from one step to the next: words of the configuration, entropy, a digest, a value of a response. */
export const SCRATCH: usize = memory.data(REPLY_VALUE);
/** Id of the property set that waits for the application. */
export const REPLY_TAGS: usize = memory.data(TAG_TABLE, 4);

// windows: the host's from the call that returns them until the matching acknowledgement
export const RX_WINDOW: usize = memory.data(DATAGRAM);
export const TX_WINDOW: usize = memory.data(DATAGRAM);
/** What the application hands over, kept as it is until the platform has answered, with room for the envelope around it. */
export const IN_FRAME: usize = memory.data(ENVELOPE_HEAD + IN_WINDOW + ENVELOPE_TAIL);
/** What the application is told. */
export const EVENT_BUFFER: usize = memory.data(EVENT_QUEUE);
