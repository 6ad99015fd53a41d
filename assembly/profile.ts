/**
 * What differs between the modules that are made of these sources: constants of the compilation, chosen per target in
 * asconfig.json (`"use": ["PROFILE_LITE=1"]`). abi.ts has the sizes of the full module, which are the largest of any
 * profile, so a host may size its own buffers by them; what an instance has, it says itself (inCap, rxCap, txLen).
 */
import * as abi from "./abi";

/** agent-lite.wasm: MQTT, thing model and update over HTTP(S), without SHA-1 and with smaller windows. */
export const LITE: bool = isDefined(PROFILE_LITE);

/** agent-coap.wasm: CoAP reporting, a quarter of the memory. */
const COAP: bool = isDefined(PROFILE_COAP);

/** Longest configuration document and longest post, bytes: the in-window. */
export const IN_WINDOW: i32 = LITE ? 512 : COAP ? 640 : abi.IN_WINDOW;
/** Receive and transmit window of the MQTT channel, bytes. */
export const MQTT_RX: i32 = LITE ? 1536 : abi.MQTT_RX;
export const MQTT_TX: i32 = LITE ? 1536 : abi.MQTT_TX;
/** One half of the HTTP window and one flash block, bytes; a power of two, and no sector is smaller. */
export const HTTP_BLOCK: i32 = LITE ? 1024 : abi.HTTP_BLOCK;
/** Event queue, bytes: a piece of the full size, a short event, and what is left of the piece before them. */
export const EVENT_QUEUE: u32 = LITE ? 768 : COAP ? 360 : abi.EVENT_QUEUE;
/** Longest piece of an event, bytes. */
export const EVENT_PIECE: u32 = COAP ? 224 : abi.EVENT_PIECE;
/** What one step may emit beside a piece of the full size, bytes. */
export const SHORT_EVENT: u32 = COAP ? 100 : 200;
/** Requests that may wait for the application's answer at a time; a further one takes the place of the oldest. */
export const REPLIES: u32 = LITE ? 2 : 4;
