/** What the agent over CoAP tells the application, and what its texts are put together of: the fields of `putTemplate`. */
import { Piece } from "../abi";
import { S } from "../bytes/text";
import { putTemplate, putText } from "../bytes/writer";
import {
  ACK_MODE,
  AGENT,
  CLIENT_ID,
  DEVICE_NAME,
  ENDPOINT,
  EVENT_NAME,
  EVENTS,
  PRODUCT_KEY,
  REPLY,
  REPLY_TAGS,
  SCRATCH,
  SESSION,
  TIMESTAMP,
  VERSION,
} from "../coap_arena";
import { DIGEST_MAX } from "../crypto/hmac";
import { CoapReply, TAG_TEXT } from "../protocol/coap_reply";
import { CoapSession } from "../protocol/coap_task";
import { pieceBegin, pieceEnd } from "../protocol/events";
import { CoapAgent } from "./coap_state";

/** Where the seed of the sequence stands, behind the signature. */
export const SEED_AT: usize = SCRATCH + DIGEST_MAX;

// biome-ignore format: a table
export const FIELDS: usize = memory.data<u16>([
  0,
  // numbers
  <u16>(changetype<usize>(SESSION) + offsetof<CoapSession>("fault")),
  <u16>(changetype<usize>(SESSION) + offsetof<CoapSession>("detail")),
  <u16>(changetype<usize>(SESSION) + offsetof<CoapSession>("retry")),
  <u16>(changetype<usize>(SESSION) + offsetof<CoapSession>("lastId")),
  <u16>(changetype<usize>(SESSION) + offsetof<CoapSession>("id")),
  <u16>(changetype<usize>(SESSION) + offsetof<CoapSession>("code")),
  <u16>(changetype<usize>(REPLY) + offsetof<CoapReply>("request")),
  <u16>(changetype<usize>(AGENT) + offsetof<CoapAgent>("attempt")),
  // texts
  <u16>PRODUCT_KEY, <u16>DEVICE_NAME, <u16>VERSION, <u16>ENDPOINT, <u16>SCRATCH, <u16>(REPLY_TAGS + TAG_TEXT),
  <u16>EVENT_NAME,
]);

/** Members of /auth that are signed, in the order in which they are (ASCII). */
// biome-ignore format: a table
export const AUTH_VALUES: usize = memory.data<u16>([
  <u16>ACK_MODE, <u16>CLIENT_ID, <u16>DEVICE_NAME, <u16>PRODUCT_KEY, <u16>SEED_AT, <u16>TIMESTAMP,
]);

/** A whole event, from its name on; there must be room for it. `own`: the text for TEMPLATE_OWN. */
export function emit(kind: i32, template: usize, own: usize): void {
  const w = pieceBegin(EVENTS);
  putText(w, S('{"event":"'));
  putTemplate(w, template, FIELDS, own);
  pieceEnd(EVENTS, kind, Piece.Last);
}
