/** What the session with the platform over CoAP knows: settings, token and sequence, and the request in hand. */
import { Cbor } from "../codec/cbor";
import { Aes } from "../crypto/aes_context";
import { Hmac } from "../crypto/hmac";
import { Backoff } from "./backoff";
import { Exchange } from "./coap_exchange";
import { CoapReply } from "./coap_reply";
import { IDENTIFIER_MAX } from "./identifier";
import { Identity } from "./sign";

/**
 * Room before and behind the application's JSON for the envelope around it; before it, the agent's own payloads have room. An
 * event's identifier has its own: where it stood before the JSON.
 */
export const ENVELOPE_HEAD: u32 = 112;
export const ENVELOPE_TAIL: u32 = 1;
/** Members of /auth that are signed. */
export const MEMBERS: u32 = 6;
/** The seed of the sequence as a counted text, bytes. */
export const SEED: u32 = 9;

/** Kinds of request. */
export const enum Request {
  None = 0,
  Auth = 1,
  Inform = 2,
  Pull = 3,
  // from the application, by way of `offer`
  /** A post of the thing model, `thing.event.{identifier}.post`; that of properties is the event "property". */
  Property = 4,
  Publish = 5,
  Reply = 6,
}

/** Where the request is. */
export const enum Step {
  Idle = 0,
  /** The datagram is written up to its payload. */
  Compose = 1,
  /** The payload is encrypted, a slice at a time. */
  Seal = 2,
  Await = 3,
  /** The response is decrypted and read, a slice at a time. */
  Read = 4,
  /** After Compose: the post is made CBOR, a slice at a time. */
  Encode = 5,
  /** Before Compose: the signature is completed. */
  Sign = 6,
}

/** Where the link is. */
export const enum Link {
  /** None, and none before `dueAt`. */
  Down = 0,
  Opening = 1,
  Up = 2,
  Closing = 3,
  /** The application has ended the session. */
  Stopped = 4,
}

/** What the application is to be told: bits, which are told from the lowest on. */
export const enum Tell {
  /** The application's message is answered: `status` has the Alink code, or the status of CoAP as HTTP writes it. */
  Answered = 1,
  Connected = 2,
  /** fault, detail and retry say why and for how long. */
  Lost = 4,
  /** The link is wanted. */
  Connecting = 8,
}

@unmanaged
@final
export class CoapSession {
  exchange: Exchange = changetype<Exchange>(0);
  reply: CoapReply = changetype<CoapReply>(0);
  identity: Identity = changetype<Identity>(0);
  hmac: Hmac = changetype<Hmac>(0);
  aes: Aes = changetype<Aes>(0);
  codec: Cbor = changetype<Cbor>(0);
  backoff: Backoff = changetype<Backoff>(0);
  /** Counted text: the identifier of the last post of the thing model. */
  name: usize = 0;
  /** For `putTemplate`; and addresses (u16) of the values of MEMBERS. */
  fields: usize = 0;
  members: usize = 0;
  /** Thirty-two bytes for a digest, and SEED. */
  mac: usize = 0;
  seed: usize = 0;
  /** Counted texts; an empty token = there is none. */
  token: usize = 0;
  nonce: usize = 0;

  // settings
  cbor: bool = false;
  unconfirmed: bool = false;
  /** Between two pulls, ms; 0 = only when asked. */
  pullMs: u32 = 0;

  link: Link = Link.Down;
  now: u32 = 0;
  /** Nothing is begun before this. */
  dueAt: u32 = 0;
  pullAt: u32 = 0;
  /** While a property set waits for the application nothing is pulled before this, for the next one would take its place. */
  holdAt: u32 = 0;
  /** A set of `Tell`. */
  tell: u32 = 0;
  status: i32 = 0;
  /** A pull was asked for. */
  pull: bool = false;
  /** The application knows that the platform can be reached. */
  connected: bool = false;
  /** The token is new and the application does not know yet. */
  fresh: bool = false;
  /** The application has ended the session, the link is still to go. */
  stopping: bool = false;
  /** The version was told since the start. */
  informed: bool = false;
  /** Refusals of the token under this request, and answers 5.xx. */
  unauthorized: u32 = 0;
  failures: u32 = 0;
  fault: i32 = 0;
  detail: i32 = 0;
  retry: i32 = 0;

  /** Number of the next request, and of the one in hand. */
  sequence: u32 = 0;
  used: u32 = 0;
  /** The request in hand went out before under the same number, and nobody knows whether it arrived. */
  resent: bool = false;

  request: Request = Request.None;
  step: Step = Step.Idle;
  /** What the application wants sent; its parts below. */
  offer: Request = Request.None;
  /** Alink id of the application's message and of the last one of all. */
  id: u32 = 0;
  lastId: u32 = 0;
  /** The application's bytes, with ENVELOPE_HEAD and ENVELOPE_TAIL around them. Publish: first the topic and a zero byte, an event its identifier and one. */
  body: usize = 0;
  topicLen: u32 = 0;
  /** What of them is payload. */
  data: usize = 0;
  dataLen: u32 = 0;
  /** Reply: the Alink code. */
  code: i32 = 0;

  /** Length of the whole plaintext, and how much of its ciphertext earlier blocks took (RFC 7959). */
  plainLen: u32 = 0;
  offset: u32 = 0;
  /** Size exponent of Block1; 7 = one datagram holds all. */
  szx: u32 = 0;
  last: bool = false;
  /** The message in hand goes as JSON although CBOR is wanted: it has something that CBOR is not written for here. */
  asJson: bool = false;
  /** Next slice to encrypt, where it goes, and what is left. */
  source: usize = 0;
  target: usize = 0;
  left: u32 = 0;
  /** Bytes of the response that earlier blocks took, and its size exponent. */
  received: u32 = 0;
  szx2: u32 = 0;
  more: bool = false;
  /** The response is CBOR. */
  binary: bool = false;
  readAt: u32 = 0;
  /** The chain between two blocks. */
  chain: u64 = 0;
  chain1: u64 = 0;
}
