/**
 * The RAM budget: every static structure and buffer of the module, with its size in bytes, its owner and its lifetime.
 * Only agent/ imports this file; everything below takes pointers. The compiler refuses to exceed the limit named in
 * asconfig.json ("lowMemoryLimit"). Zero-filled memory costs no byte of the module. The order is the order in memory.
 */
import { ENTROPY } from "./abi";
import { S } from "./bytes/text";
import { Writer } from "./bytes/writer";
import { Chunked } from "./codec/chunked";
import { HttpResponse } from "./codec/http";
import { JsonReader } from "./codec/json";
import { FixedHeader } from "./codec/mqtt";
import { Url } from "./codec/url";
import { WITH_SHA1 } from "./crypto/grade";
import { DigestContext, Hmac } from "./crypto/hmac";
import { RSA_LENGTH } from "./crypto/rsa";
import { W } from "./crypto/sha1_mcu";
import { K } from "./crypto/sha256_context";
import { Alink, Message, PENDING_TABLE } from "./protocol/alink";
import { Backoff, Random } from "./protocol/backoff";
import { Downlink, DOWNLINK_CUT, DOWNLINK_SCRATCH, TOKEN_MAX } from "./protocol/downlink";
import { Events } from "./protocol/events";
import { Fetch, HTTP_TX, PEER_MAX } from "./protocol/fetch_task";
import { Flash } from "./protocol/flash";
import { Image } from "./protocol/image";
import { Journal } from "./protocol/journal";
import { TOPIC_MAX } from "./protocol/mqtt_reader";
import { MqttSession } from "./protocol/mqtt_session";
import { FLIGHT_TABLE, Window } from "./protocol/mqtt_window";
import { DIGEST_MAX, Offer, OFFER_SCRATCH, VERSION_MAX } from "./protocol/offer";
import { Identity } from "./protocol/sign";
import { Policy } from "./protocol/update_policy";
import { Update, UPDATE_SCRATCH } from "./protocol/update_task";
import {
  EVENT_QUEUE,
  HTTP_BLOCK,
  IN_WINDOW,
  MQTT_RX,
  MQTT_TX,
  READ_BACK,
  REPLIES,
  REQUEST_ROOM,
  URL_MAX,
  WITH_CHUNKED,
  WITH_SIGNATURES,
  WITH_VERSION_ORDER,
} from "./profile";
import { Installed, INSTALLED_SIZE, Mark, MARK_SIZE, Running, UPDATE_SIZE, UpdateState } from "./protocol/update_state";
import { AgentState } from "./agent/agent_state";
import { Config, CONFIG_SCRATCH } from "./agent/config_state";
import { Inbox, REPLY } from "./agent/inbox_state";

// structures: all that the agent knows is in these; they come first because low addresses are shorter in code
/** Of whatever is being written: an event, a packet or a request is begun and ended within one call, one after the other. */
export const WRITER = changetype<Writer>(memory.data(offsetof<Writer>(), 8));
export const SESSION = changetype<MqttSession>(memory.data(offsetof<MqttSession>(), 8));
export const UPDATE = changetype<Update>(memory.data(offsetof<Update>(), 8));
export const FETCH = changetype<Fetch>(memory.data(offsetof<Fetch>(), 8));
export const AGENT = changetype<AgentState>(memory.data(offsetof<AgentState>(), 8));
export const CONFIG = changetype<Config>(memory.data(offsetof<Config>(), 8));
export const INBOX = changetype<Inbox>(memory.data(offsetof<Inbox>(), 8));
export const IDENTITY = changetype<Identity>(memory.data(offsetof<Identity>(), 8));
export const EVENTS = changetype<Events>(memory.data(offsetof<Events>(), 8));
export const FLASH = changetype<Flash>(memory.data(offsetof<Flash>(), 8));
export const RANDOM = changetype<Random>(memory.data(offsetof<Random>(), 8));
export const WINDOW = changetype<Window>(memory.data(offsetof<Window>(), 8));
export const SESSION_BACKOFF = changetype<Backoff>(memory.data(offsetof<Backoff>(), 8));
export const FIXED_HEADER = changetype<FixedHeader>(memory.data(offsetof<FixedHeader>(), 8));
export const HMAC = changetype<Hmac>(memory.data(offsetof<Hmac>(), 8));
export const MESSAGE = changetype<Message>(memory.data(offsetof<Message>(), 8));
export const ALINK = changetype<Alink>(memory.data(offsetof<Alink>(), 8));
/** Incoming messages. */
export const READER = changetype<JsonReader>(memory.data(offsetof<JsonReader>(), 8));
/** The configuration at first, then the application's posts. */
export const IN_READER = changetype<JsonReader>(memory.data(offsetof<JsonReader>(), 8));
export const DOWNLINK = changetype<Downlink>(memory.data(offsetof<Downlink>(), 8));
export const OFFER = changetype<Offer>(memory.data(offsetof<Offer>(), 8));
export const DIGEST = changetype<DigestContext>(memory.data(offsetof<DigestContext>(), 8));
export const IMAGE = changetype<Image>(memory.data(offsetof<Image>(), 8));
export const URL = changetype<Url>(memory.data(offsetof<Url>(), 8));
export const RESPONSE = changetype<HttpResponse>(memory.data(offsetof<HttpResponse>(), 8));
export const CHUNKED = changetype<Chunked>(WITH_CHUNKED ? memory.data(offsetof<Chunked>(), 8) : 0);
export const FETCH_BACKOFF = changetype<Backoff>(memory.data(offsetof<Backoff>(), 8));
export const JOURNAL = changetype<Journal>(memory.data(offsetof<Journal>(), 8));
/** Payloads of the journal's records, as they stand in the state region. */
export const INSTALLED_CAP: u32 = INSTALLED_SIZE;
export const UPDATE_CAP: u32 = UPDATE_SIZE;
export const MARK_CAP: u32 = MARK_SIZE;
export const INSTALLED = changetype<Installed>(memory.data(INSTALLED_SIZE, 8));
export const UPDATE_STATE = changetype<UpdateState>(memory.data(UPDATE_SIZE, 8));
export const MARK = changetype<Mark>(memory.data(MARK_SIZE, 8));
export const RUNNING = changetype<Running>(memory.data(offsetof<Running>(), 8));
export const UPDATE_BACKOFF = changetype<Backoff>(memory.data(offsetof<Backoff>(), 8));
export const POLICY = changetype<Policy>(memory.data(offsetof<Policy>(), 8));

// the literals of all texts stand here, because addresses below 8192 are shorter in code
export const LITERALS: usize = S("");
// so do the tables that are read at an offset known while compiling
export const SHA256_CONSTANTS: usize = K;
export const SHA1_SCHEDULE: usize = WITH_SHA1 ? W : 0;

// texts of the configuration: a length byte each, then the longest value
export const PRODUCT_KEY: usize = memory.data(1 + 20, 1);
export const DEVICE_NAME: usize = memory.data(1 + 32, 1);
export const DEVICE_SECRET: usize = memory.data(1 + 64, 1);
export const CLIENT_ID: usize = memory.data(1 + 64, 1);
export const TIMESTAMP: usize = memory.data(1 + 20, 1);
/** The endpoint, and from when the agent is put together the peer of the MQTT channel in its place. */
export const ENDPOINT: usize = memory.data(PEER_MAX, 4);
export const MQTT_PEER: usize = ENDPOINT;
export const VERSION: usize = memory.data(1 + VERSION_MAX, 1);
export const FLOOR: usize = WITH_VERSION_ORDER ? memory.data(1 + VERSION_MAX, 1) : 0;
export const CONFIG_BUFFER: usize = memory.data(CONFIG_SCRATCH, 4);

/** Modulus of the key for signatures of packages, big-endian. */
export const KEY: usize = WITH_SIGNATURES ? memory.data(RSA_LENGTH, 4) : 0;

// peer of the HTTP channel
export const HTTP_PEER: usize = memory.data(PEER_MAX, 4);

// one update at a time
export const RUNNING_VERSION: usize = memory.data(VERSION_MAX, 4);
export const OFFER_VERSION: usize = memory.data(VERSION_MAX, 4);
/** Of the offer; while the agent is being configured, two texts that name an endpoint. */
export const OFFER_URL: usize = memory.data(URL_MAX, 4);
export const REGION: usize = OFFER_URL;
export const INSTANCE_ID: usize = OFFER_URL + 1 + 32;
export const OFFER_DIGEST: usize = memory.data(DIGEST_MAX, 4);
export const OFFER_BUFFER: usize = memory.data(OFFER_SCRATCH, 4);
/** What was written, read back; and the two pages of the journal, which has the flash to itself when it works. */
export const READ_BACK_BUFFER: usize = memory.data(READ_BACK, 4);
export const UPDATE_BUFFER: usize = memory.data(UPDATE_SCRATCH, 4);

// sessions
export const CARRY: usize = memory.data(TOPIC_MAX, 4);
export const FLIGHTS_BUFFER: usize = memory.data(FLIGHT_TABLE, 4);
export const PENDING_BUFFER: usize = memory.data(PENDING_TABLE, 4);
/** Ids of the requests that wait for the application. */
export const REPLY_TABLE: usize = memory.data(REPLIES * REPLY, 4);
export const MAC: usize = memory.data(DIGEST_MAX, 4);
export const DOWNLINK_ID: usize = memory.data(TOKEN_MAX + 2, 4);
export const DOWNLINK_BUFFER: usize = memory.data(DOWNLINK_SCRATCH, 4);
export const DOWNLINK_CUT_BUFFER: usize = memory.data(DOWNLINK_CUT, 4);

// windows: the host's from the call that returns them until the matching acknowledgement
export const MQTT_RX_WINDOW: usize = memory.data(MQTT_RX);
export const MQTT_TX_WINDOW: usize = memory.data(MQTT_TX);
/** Two halves of one flash block each: receive window of the HTTP channel and source of flash writes; before a download, where signatures are verified, the room for that. */
export const HTTP_WINDOW: usize = memory.data(2 * HTTP_BLOCK);
/** Request of the HTTP channel; later the Location of a redirect; before, the signature of an offer or of the configuration's key. */
export const HTTP_TX_WINDOW: usize = REQUEST_ROOM ? memory.data(HTTP_TX) : 0;
/** What the application hands over: a configuration document or a post. */
export const IN: usize = memory.data(IN_WINDOW);
/** What the application is told. */
export const EVENT_BUFFER: usize = memory.data(EVENT_QUEUE);
export const ENTROPY_BUFFER: usize = memory.data(ENTROPY);
