/**
 * The contract between the module and its hosts. This file and index.ts are its only description: the TypeScript
 * types (host/abi.ts) are generated from them and a test compares.
 * The grammar is kept narrow for that: `export const enum`, `export const NAME: i32 = NUMBER` and comments.
 *
 * Conventions
 * - Every argument and result is an i32. A result >= 0 is a value, a result < 0 is a `Code`.
 * - All memory is one static arena; nothing is allocated and memory never grows. Pointers are byte offsets into the
 *   exported memory. A pointer, and the length that goes with it, hold until the next call into the module.
 * - The host drives: it calls, the module answers; the module never calls out, so re-entrancy cannot happen.
 * - `poll` says what is wanted as a set of `Want` bits. A bit stays set until the host has answered it (`opened`,
 *   `closed`, `sent`, `flashDone`, …), so a host may serve them in any order and at any pace.
 * - Time is `nowMs`, a monotonic count of milliseconds that wraps at 2^32. `timeout` says how long the host may sleep.
 * - Text is UTF-8 without a terminator. Events and the configuration are JSON documents (RFC 8259).
 * - Secrets are written once by `configure` and never come out again, except as signatures.
 */

/** Version of this contract; a host refuses a module with another one. */
export const ABI_VERSION: i32 = 1;

/** Results below zero, grouped by whose fault it is. */
export const enum Code {
  /** Done. */
  Ok = 0,
  /** Caller: the window still holds what was written before; poll and try again. */
  Busy = -2,
  /** Caller: an argument is out of range, or the document is not what the call takes. */
  BadArgument = -3,
  /** Caller: the call is not possible in this state, for instance before `configure`. */
  BadState = -4,
  /** Caller: does not fit; `detail(Channel.Application)` has the bytes available. */
  TooLarge = -5,
  /** Caller: the application declined the package. */
  Declined = -6,
  /** Peer: bytes that no valid message begins with. */
  BadMessage = -20,
  /** Peer: valid, but not something this agent handles. */
  Unsupported = -21,
  /** Peer: above a limit of this module. */
  OverLimit = -22,
  /** Peer: said no; `detail` has its number (CONNACK code, HTTP status, Alink code). */
  Refused = -23,
  /** Peer: silent for too long. */
  TimedOut = -24,
  /** Peer: hung up in the middle of something. */
  Interrupted = -25,
  /** Integrity: the digest of the package differs. */
  BadDigest = -40,
  /** Integrity: length or range of the package differs from what was announced. */
  BadSize = -41,
  /** Integrity: the package came over a path that the configuration does not allow. */
  NotAllowed = -42,
  /** Integrity: the configuration has a key, and the package's signature is missing or wrong. */
  BadSignature = -43,
  /** Integrity: the package's version is older than the configuration allows. */
  Downgrade = -44,
  /** Host: the link could not be established or failed. */
  LinkFailed = -60,
  /** Host: the peer's certificate is not trusted, or does not name the host. */
  Untrusted = -61,
  /** Host: a flash operation failed, or read back something else than was written. */
  FlashFailed = -62,
  /** Host: the boot loader refused. */
  BootFailed = -63,
}

/** What `poll` asks for. Bits of the channels are `Open << channel` and so on; more than one may be set. */
export const enum Want {
  /** There is more work ready now: call `poll` again without sleeping. */
  Again = 1,
  /** A flash operation: see `flashOp`; answer with `flashDone`. */
  Flash = 2,
  /** A request to the boot loader: see `bootOp`; answer with `bootDone`. */
  Boot = 4,
  /** Random bytes: fill `entropyLen()` bytes at `entropyPtr()`, then `entropyDone()`. */
  Entropy = 8,
  /** At least one event waits: see `eventKind`. */
  Event = 16,
  /** Restart the device: what is in flight may be dropped. The module does nothing more. */
  Restart = 32,
  /** Connect channel 0 to `peerPtr`; answer with `opened` or `closed`. */
  Open = 256,
  /** Take channel 0 down after the bytes in its transmit window; answer with `closed`. */
  Close = 4096,
  /** Channel 0 has bytes to send. */
  Transmit = 65536,
  /** Channel 0 has room for received bytes. */
  Receive = 1048576,
}

/** Byte channels. Each has a receive and a transmit window. `Application` has no link; it only names faults. */
export const enum Channel {
  /** The session with the platform. */
  Mqtt = 0,
  /** Downloads. */
  Http = 1,
  /** Not a link: `fault` and `detail` of the application's own posts. */
  Application = 2,
}

/** Number of channels that have a link. */
export const CHANNELS: i32 = 2;

/** Why a link ended, told by the host in `closed`. */
export const enum Closed {
  /** The module asked for it. */
  Local = 0,
  /** The peer ended it in an orderly way. */
  Peer = 1,
  /** It could not be established: refused, unreachable, name not found. */
  Unreachable = 2,
  /** It broke. */
  Broken = 3,
  /** TLS: the peer's certificate is not trusted or does not name the host. */
  Untrusted = 4,
}

/** Kinds of flash operation. Offsets and lengths are bytes from the start of the flash that `configure` describes. */
export const enum FlashOp {
  None = 0,
  /** Read `flashLen` bytes at `flashOffset` into `flashPtr`. */
  Read = 1,
  /** Program `flashLen` bytes (a multiple of the write unit) from `flashPtr`. */
  Write = 2,
  /** Erase `flashLen` bytes (a multiple of the sector). */
  Erase = 3,
}

/** Results for `flashDone` and `bootDone`. */
export const enum Done {
  Ok = 0,
  /** The operation failed. */
  Failed = -1,
  /** A read found bits that its error correction cannot mend, as a power cut leaves them. */
  Unreadable = -2,
}

/** Requests to the boot loader. */
export const enum BootOp {
  None = 0,
  /** Start slot `bootSlot()` at the next restart, on trial: unless it is confirmed, the present one comes back. */
  Activate = 1,
  /** The running slot is good: keep it. */
  Confirm = 2,
}

/** How the running image came to run; told by the host in `booted`. */
export const enum Boot {
  /** The running slot is confirmed. */
  Confirmed = 0,
  /** The running slot is on trial. */
  Trial = 1,
  /** A trial failed and the boot loader fell back to the running slot. */
  FellBack = 2,
}

/** What an application hands over with `post`; the payload stands in the in-window. */
export const enum Post {
  /** Properties: a JSON object `{identifier: value}`. Answered by Event.PropertyPosted with the id. */
  Property = 1,
  /** An application topic, a zero byte, then the payload: published at QoS 1. */
  Publish = 2,
  /** An application topic to subscribe to. */
  Subscribe = 3,
  /** An application topic to unsubscribe from. */
  Unsubscribe = 4,
  /** End the session in an orderly way; no payload. Nothing is opened again before `post(Connect)`. */
  Disconnect = 5,
  /** Connect again after Disconnect or a refusal; no payload. */
  Connect = 6,
  /** Take the package of the last Event.UpdateOffered with confirm; no payload. */
  UpdateAccept = 7,
  /** Not now: ask the platform for it again after so many seconds, 1–604800 in decimal digits; no payload = an hour. */
  UpdateLater = 8,
  /** Refuse it: the platform is told, and its task fails; no payload. */
  UpdateNever = 9,
  /** CoAP: ask the platform for its messages now; no payload. Over other transports they come by themselves. */
  Pull = 10,
  /**
   * An event of the thing model (Alink §6): its identifier, a zero byte, then its params, a JSON object
   * `{"value":{output: value},"time":ms since 1970}`, of which `time` may be left out. The identifier has 1 to 50 letters,
   * digits and `_` and is not "property", which names the posts of properties; for another one, or when nothing follows it,
   * the answer is BadArgument and `detail` is 50. What `detail` says after TooLarge counts the identifier and the zero byte,
   * too. Answered by Event.EventPosted with the id.
   */
  Event = 11,
}

/** What `counter` counts since the instance began; each wraps at 2^32. */
export const enum Counter {
  /** Bytes that the host sent on all channels: of a datagram, its payload. */
  BytesSent = 0,
  /** Bytes that came in. */
  BytesReceived = 1,
  /** Calls of `poll`. */
  Polls = 2,
  /** CoAP only: 1 while a request waits for its response, or to be sent, and a device that sleeps has to send it again; else 0. */
  Underway = 3,
}

/** Kinds of event. Each event is one JSON object with the member "event"; long ones come in pieces, one after the other. */
export const enum Event {
  None = 0,
  /** "device.connecting": {peer, attempt} */
  Connecting = 1,
  /** "device.connected": {sessionPresent} */
  Connected = 2,
  /** "device.disconnected": {code, detail, retryMs, desc}; retryMs -1: will not try again by itself */
  Disconnected = 3,
  /** "property.posted": {id, code} */
  PropertyPosted = 4,
  /** "property.set": {token, params} */
  PropertySet = 5,
  /** "message": {topic, payload}, payload as text */
  Message = 6,
  /** "update.offered": {version, size, signMethod, confirm}; confirm: nothing happens before Post.UpdateAccept */
  UpdateOffered = 7,
  /** "update.progress": {step, bytes, size} */
  UpdateProgress = 8,
  /** "update.verified": {version, size, digest, slot} */
  UpdateVerified = 9,
  /** "update.restart": {version, slot} */
  UpdateRestart = 10,
  /** "update.confirmed": {from, version, slot, digest, size} */
  UpdateConfirmed = 11,
  /** "update.failed": {version, step, code, detail, desc} */
  UpdateFailed = 12,
  /** "fault": {code, detail, desc}: something to know about that needs no other event */
  Fault = 13,
  /** "subscribed": {id, granted}: the platform's answer to Post.Subscribe or Post.Unsubscribe */
  Subscribed = 14,
  /** "event.posted": {id, code} */
  EventPosted = 15,
}

/** How a piece of an event goes on: `eventMore`. */
export const enum Piece {
  /** It ends the event. */
  Last = 0,
  /** More pieces of the same event follow. */
  More = 1,
  /** The event cannot be finished (the peer's message was cut or malformed): forget its pieces. */
  Abandoned = 2,
}

/** Longest configuration document and longest post, bytes: the in-window. */
export const IN_WINDOW: i32 = 1024;
/** Receive window of the MQTT channel, bytes. */
export const MQTT_RX: i32 = 2048;
/** Transmit window of the MQTT channel, bytes; unacknowledged QoS 1 messages stay in it. */
export const MQTT_TX: i32 = 2048;
/** One half of the HTTP window and one flash block, bytes. */
export const HTTP_BLOCK: i32 = 2048;
/** Event queue, bytes. */
export const EVENT_QUEUE: i32 = 1024;
/** Longest piece of an event, bytes. */
export const EVENT_PIECE: i32 = 400;
/** Largest write unit of a flash, bytes. */
export const WRITE_UNIT: i32 = 32;
/** Entropy asked for at start, bytes. */
export const ENTROPY: i32 = 16;
