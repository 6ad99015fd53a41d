/**
 * What differs between the modules that are made of these sources: constants of the compilation, chosen per target in
 * asconfig.json (`"use": ["PROFILE_LITE=1"]`). abi.ts has the sizes of the full module; what an instance has, it says
 * itself (inCap, rxCap, txLen, flashLen).
 */
import * as abi from "./abi";

/** agent-lite.wasm: MQTT, thing model and update over HTTP(S) with smaller windows, and without what stands below. */
export const LITE: bool = isDefined(PROFILE_LITE);

/** agent-host.wasm: the full module with larger blocks, for hosts on which each call and each flash operation has its price. */
const WIDE: bool = isDefined(PROFILE_HOST);

/** agent-coap.wasm: CoAP reporting, a quarter of the memory. */
const COAP: bool = isDefined(PROFILE_COAP);

// What agent-lite.wasm does without. A configuration member that needs it is refused there.
/** Signatures of packages: RSA, base64 and "updateKey". */
export const WITH_SIGNATURES: bool = !LITE;
/** Versions in their order: "updateFloor", and a newer package takes the place of the one in hand. Else that one is finished first. */
export const WITH_VERSION_ORDER: bool = !LITE;
/** The application decides on packages: "updateConfirm". */
export const WITH_CONFIRM: bool = !LITE;
/** Quiet hours: "updateQuiet". */
export const WITH_QUIET: bool = !LITE;
/** A limit for downloads: "updateRate". */
export const WITH_RATE: bool = !LITE;
/** Chunked bodies. Object stores tell the length of a file; a response in chunks is Unsupported. */
export const WITH_CHUNKED: bool = !LITE;
/** Redirects. URLs of the platform lead to the file itself; a 3xx is Refused. */
export const WITH_REDIRECTS: bool = !LITE;
/** Reasons in words beside their numbers. */
export const WITH_WORDS: bool = !LITE;

/** The request of a download has room of its own; else it stands in the half of the HTTP window that is free until the answer begins. */
export const REQUEST_ROOM: bool = !LITE;
/** Longest URL of a package, bytes; presigned ones with a token reach about 825. With what a request has beside it, HTTP_BLOCK at most. */
export const URL_MAX: u32 = LITE ? 896 : 1024;

/** Longest configuration document and longest post, bytes: the in-window. */
export const IN_WINDOW: i32 = LITE ? 512 : COAP ? 640 : abi.IN_WINDOW;
/** Receive and transmit window of the MQTT channel, bytes. */
export const MQTT_RX: i32 = LITE ? 1024 : abi.MQTT_RX;
export const MQTT_TX: i32 = LITE ? 1280 : abi.MQTT_TX;
/** One half of the HTTP window and one flash block, bytes; a power of two, and MARK_INTERVAL (image.ts) at most. */
export const HTTP_BLOCK: i32 = LITE ? 1024 : WIDE ? 16384 : abi.HTTP_BLOCK;
/** Bytes hashed in one step: bounds the work of a call. */
export const HASH_SLICE: u32 = WIDE ? 8192 : LITE ? 448 : 512;
/** Bytes read back at a time; the journal's two pages of 256 have room there. */
export const READ_BACK: u32 = WIDE ? 16384 : LITE ? 512 : 1024;
/** Bytes erased at a time, rounded up to sectors; 0 = a sector. */
export const ERASE_AHEAD: u32 = WIDE ? HTTP_BLOCK : 0;
/** Event queue, bytes: a piece of the full size, a short event, and what is left of the piece before them. */
export const EVENT_QUEUE: u32 = LITE ? 768 : COAP ? 360 : abi.EVENT_QUEUE;
/** Longest piece of an event, bytes. */
export const EVENT_PIECE: u32 = COAP ? 224 : abi.EVENT_PIECE;
/** What one step may emit beside a piece of the full size, bytes. */
export const SHORT_EVENT: u32 = COAP ? 100 : 200;
/** Requests that may wait for the application's answer at a time; a further one takes the place of the oldest. */
export const REPLIES: u32 = LITE ? 2 : 4;
