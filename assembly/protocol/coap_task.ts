/** What the session with the platform over CoAP knows: settings, token and sequence, and the request in hand. */
import { Cbor } from "../codec/cbor";
import { Aes } from "../crypto/aes_context";
import { Hmac } from "../crypto/hmac";
import { Backoff } from "./backoff";
import { Exchange } from "./coap_exchange";
import { CoapReply } from "./coap_reply";
import { IDENTIFIER_MAX } from "./identifier";
import { Identity } from "./sign";

/** Longest token and longest `random` of the platform, bytes. */
export const SECRET_MAX: u32 = 64;
/** Room before and behind the application's JSON for the envelope around it: an id has ten digits at most. */
export const ENVELOPE_HEAD: u32 = 73 + IDENTIFIER_MAX;
export const ENVELOPE_TAIL: u32 = 1;

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
  /** The signature is begun. */
  Sign = 1,
  /** The datagram is written up to its payload. */
  Compose = 2,
  /** The payload is encrypted, a slice at a time. */
  Seal = 3,
  Await = 4,
  /** The response is decrypted and read, a slice at a time. */
  Read = 5,
  /** After Sign: the signature is completed. */
  Digest = 6,
  /** After Compose: the post is made CBOR, a slice at a time. */
  Encode = 7,
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
  /** Thirty-two bytes for a digest, and eight for the seed of the sequence. */
  mac: usize = 0;
  /** Counted texts of SECRET_MAX bytes; an empty token = there is none. */
  token: usize = 0;
  nonce: usize = 0;
  version: usize = 0;

  // settings
  separate: bool = false;
  cbor: bool = false;
  unconfirmed: bool = false;
  /** Between two pulls, ms; 0 = only when asked. */
  pullMs: u32 = 0;

  link: Link = Link.Down;
  now: u32 = 0;
  /** Nothing is begun before this. */
  dueAt: u32 = 0;
  pullAt: u32 = 0;
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
  /** Refusals of the token without a success in between, and answers 5.xx. */
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
  /** The application's bytes, with ENVELOPE_HEAD and ENVELOPE_TAIL around them. Publish: the topic, a zero byte, the payload. */
  body: usize = 0;
  bodyLen: u32 = 0;
  /** Publish: bytes of the topic. Property: bytes of the identifier, which stands where the envelope has it (`identifierAt`). */
  topicLen: u32 = 0;
  /** Reply: the Alink code, and the entry of the request (replyTag). */
  code: i32 = 0;
  tag: usize = 0;

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
  /** The chain between two blocks. */
  chain: u64 = 0;
  chain1: u64 = 0;

  /** Bytes of the response that earlier blocks took, and its size exponent. */
  received: u32 = 0;
  szx2: u32 = 0;
  more: bool = false;
  /** The response is CBOR. */
  binary: bool = false;
  readAt: u32 = 0;
}
