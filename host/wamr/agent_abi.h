/* Generated from assembly/abi.ts and assembly/index.ts by host/generate_c_header.ts; do not edit. */
#ifndef ALINK_AGENT_ABI_H
#define ALINK_AGENT_ABI_H

/*
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
#define ALINK_ABI_VERSION 1

/** Results below zero, grouped by whose fault it is. */
enum alink_code {
  /** Done. */
  ALINK_CODE_OK = 0,
  /** Caller: the window still holds what was written before; poll and try again. */
  ALINK_CODE_BUSY = -2,
  /** Caller: an argument is out of range, or the document is not what the call takes. */
  ALINK_CODE_BAD_ARGUMENT = -3,
  /** Caller: the call is not possible in this state, for instance before `configure`. */
  ALINK_CODE_BAD_STATE = -4,
  /** Caller: does not fit; `detail(Channel.Application)` has the bytes available. */
  ALINK_CODE_TOO_LARGE = -5,
  /** Caller: the application declined the package. */
  ALINK_CODE_DECLINED = -6,
  /** Peer: bytes that no valid message begins with. */
  ALINK_CODE_BAD_MESSAGE = -20,
  /** Peer: valid, but not something this agent handles. */
  ALINK_CODE_UNSUPPORTED = -21,
  /** Peer: above a limit of this module. */
  ALINK_CODE_OVER_LIMIT = -22,
  /** Peer: said no; `detail` has its number (CONNACK code, HTTP status, Alink code). */
  ALINK_CODE_REFUSED = -23,
  /** Peer: silent for too long. */
  ALINK_CODE_TIMED_OUT = -24,
  /** Peer: hung up in the middle of something. */
  ALINK_CODE_INTERRUPTED = -25,
  /** Integrity: the digest of the package differs. */
  ALINK_CODE_BAD_DIGEST = -40,
  /** Integrity: length or range of the package differs from what was announced. */
  ALINK_CODE_BAD_SIZE = -41,
  /** Integrity: the package came over a path that the configuration does not allow. */
  ALINK_CODE_NOT_ALLOWED = -42,
  /** Integrity: the configuration has a key, and the package's signature is missing or wrong. */
  ALINK_CODE_BAD_SIGNATURE = -43,
  /** Integrity: the package's version is older than the configuration allows. */
  ALINK_CODE_DOWNGRADE = -44,
  /** Host: the link could not be established or failed. */
  ALINK_CODE_LINK_FAILED = -60,
  /** Host: the peer's certificate is not trusted, or does not name the host. */
  ALINK_CODE_UNTRUSTED = -61,
  /** Host: a flash operation failed, or read back something else than was written. */
  ALINK_CODE_FLASH_FAILED = -62,
  /** Host: the boot loader refused. */
  ALINK_CODE_BOOT_FAILED = -63,
};

/** What `poll` asks for. Bits of the channels are `Open << channel` and so on; more than one may be set. */
enum alink_want {
  /** There is more work ready now: call `poll` again without sleeping. */
  ALINK_WANT_AGAIN = 1,
  /** A flash operation: see `flashOp`; answer with `flashDone`. */
  ALINK_WANT_FLASH = 2,
  /** A request to the boot loader: see `bootOp`; answer with `bootDone`. */
  ALINK_WANT_BOOT = 4,
  /** Random bytes: fill `entropyLen()` bytes at `entropyPtr()`, then `entropyDone()`. */
  ALINK_WANT_ENTROPY = 8,
  /** At least one event waits: see `eventKind`. */
  ALINK_WANT_EVENT = 16,
  /** Restart the device: what is in flight may be dropped. The module does nothing more. */
  ALINK_WANT_RESTART = 32,
  /** Connect channel 0 to `peerPtr`; answer with `opened` or `closed`. */
  ALINK_WANT_OPEN = 256,
  /** Take channel 0 down after the bytes in its transmit window; answer with `closed`. */
  ALINK_WANT_CLOSE = 4096,
  /** Channel 0 has bytes to send. */
  ALINK_WANT_TRANSMIT = 65536,
  /** Channel 0 has room for received bytes. */
  ALINK_WANT_RECEIVE = 1048576,
};

/** Byte channels. Each has a receive and a transmit window. `Application` has no link; it only names faults. */
enum alink_channel {
  /** The session with the platform. */
  ALINK_CHANNEL_MQTT = 0,
  /** Downloads. */
  ALINK_CHANNEL_HTTP = 1,
  /** Not a link: `fault` and `detail` of the application's own posts. */
  ALINK_CHANNEL_APPLICATION = 2,
};

/** Number of channels that have a link. */
#define ALINK_CHANNELS 2

/** Why a link ended, told by the host in `closed`. */
enum alink_closed {
  /** The module asked for it. */
  ALINK_CLOSED_LOCAL = 0,
  /** The peer ended it in an orderly way. */
  ALINK_CLOSED_PEER = 1,
  /** It could not be established: refused, unreachable, name not found. */
  ALINK_CLOSED_UNREACHABLE = 2,
  /** It broke. */
  ALINK_CLOSED_BROKEN = 3,
  /** TLS: the peer's certificate is not trusted or does not name the host. */
  ALINK_CLOSED_UNTRUSTED = 4,
};

/** Kinds of flash operation. Offsets and lengths are bytes from the start of the flash that `configure` describes. */
enum alink_flash_op {
  ALINK_FLASH_OP_NONE = 0,
  /** Read `flashLen` bytes at `flashOffset` into `flashPtr`. */
  ALINK_FLASH_OP_READ = 1,
  /** Program `flashLen` bytes (a multiple of the write unit) from `flashPtr`. */
  ALINK_FLASH_OP_WRITE = 2,
  /** Erase `flashLen` bytes (a multiple of the sector). */
  ALINK_FLASH_OP_ERASE = 3,
};

/** Results for `flashDone` and `bootDone`. */
enum alink_done {
  ALINK_DONE_OK = 0,
  /** The operation failed. */
  ALINK_DONE_FAILED = -1,
  /** A read found bits that its error correction cannot mend, as a power cut leaves them. */
  ALINK_DONE_UNREADABLE = -2,
};

/** Requests to the boot loader. */
enum alink_boot_op {
  ALINK_BOOT_OP_NONE = 0,
  /** Start slot `bootSlot()` at the next restart, on trial: unless it is confirmed, the present one comes back. */
  ALINK_BOOT_OP_ACTIVATE = 1,
  /** The running slot is good: keep it. */
  ALINK_BOOT_OP_CONFIRM = 2,
};

/** How the running image came to run; told by the host in `booted`. */
enum alink_boot {
  /** The running slot is confirmed. */
  ALINK_BOOT_CONFIRMED = 0,
  /** The running slot is on trial. */
  ALINK_BOOT_TRIAL = 1,
  /** A trial failed and the boot loader fell back to the running slot. */
  ALINK_BOOT_FELL_BACK = 2,
};

/** What an application hands over with `post`; the payload stands in the in-window. */
enum alink_post {
  /** Properties: a JSON object `{identifier: value}`. Answered by Event.PropertyPosted with the id. */
  ALINK_POST_PROPERTY = 1,
  /** An application topic, a zero byte, then the payload: published at QoS 1. */
  ALINK_POST_PUBLISH = 2,
  /** An application topic to subscribe to. */
  ALINK_POST_SUBSCRIBE = 3,
  /** An application topic to unsubscribe from. */
  ALINK_POST_UNSUBSCRIBE = 4,
  /** End the session in an orderly way; no payload. Nothing is opened again before `post(Connect)`. */
  ALINK_POST_DISCONNECT = 5,
  /** Connect again after Disconnect or a refusal; no payload. */
  ALINK_POST_CONNECT = 6,
  /** Take the package of the last Event.UpdateOffered with confirm; no payload. */
  ALINK_POST_UPDATE_ACCEPT = 7,
  /** Not now: ask the platform for it again after so many seconds, 1–604800 in decimal digits; no payload = an hour. */
  ALINK_POST_UPDATE_LATER = 8,
  /** Refuse it: the platform is told, and its task fails; no payload. */
  ALINK_POST_UPDATE_NEVER = 9,
  /** CoAP: ask the platform for its messages now; no payload. Over other transports they come by themselves. */
  ALINK_POST_PULL = 10,
  /**
   * An event of the thing model (Alink §6): its identifier, a zero byte, then its params, a JSON object
   * `{"value":{output: value},"time":ms since 1970}`, of which `time` may be left out. The identifier has 1 to 50 letters,
   * digits and `_` and is not "property", which names the posts of properties; for another one, or when nothing follows it,
   * the answer is BadArgument and `detail` is 50. What `detail` says after TooLarge counts the identifier and the zero byte,
   * too. Answered by Event.EventPosted with the id.
   */
  ALINK_POST_EVENT = 11,
};

/** What `counter` counts since the instance began; each wraps at 2^32. */
enum alink_counter {
  /** Bytes that the host sent on all channels: of a datagram, its payload. */
  ALINK_COUNTER_BYTES_SENT = 0,
  /** Bytes that came in. */
  ALINK_COUNTER_BYTES_RECEIVED = 1,
  /** Calls of `poll`. */
  ALINK_COUNTER_POLLS = 2,
  /** CoAP only: 1 while a request waits for its response, or to be sent, and a device that sleeps has to send it again; else 0. */
  ALINK_COUNTER_UNDERWAY = 3,
};

/** Kinds of event. Each event is one JSON object with the member "event"; long ones come in pieces, one after the other. */
enum alink_event {
  ALINK_EVENT_NONE = 0,
  /** "device.connecting": {peer, attempt} */
  ALINK_EVENT_CONNECTING = 1,
  /** "device.connected": {sessionPresent} */
  ALINK_EVENT_CONNECTED = 2,
  /** "device.disconnected": {code, detail, retryMs, desc}; retryMs -1: will not try again by itself */
  ALINK_EVENT_DISCONNECTED = 3,
  /** "property.posted": {id, code} */
  ALINK_EVENT_PROPERTY_POSTED = 4,
  /** "property.set": {token, params} */
  ALINK_EVENT_PROPERTY_SET = 5,
  /** "message": {topic, payload}, payload as text */
  ALINK_EVENT_MESSAGE = 6,
  /** "update.offered": {version, size, signMethod, confirm}; confirm: nothing happens before Post.UpdateAccept */
  ALINK_EVENT_UPDATE_OFFERED = 7,
  /** "update.progress": {step, bytes, size} */
  ALINK_EVENT_UPDATE_PROGRESS = 8,
  /** "update.verified": {version, size, digest, slot} */
  ALINK_EVENT_UPDATE_VERIFIED = 9,
  /** "update.restart": {version, slot} */
  ALINK_EVENT_UPDATE_RESTART = 10,
  /** "update.confirmed": {from, version, slot, digest, size} */
  ALINK_EVENT_UPDATE_CONFIRMED = 11,
  /** "update.failed": {version, step, code, detail, desc} */
  ALINK_EVENT_UPDATE_FAILED = 12,
  /** "fault": {code, detail, desc}: something to know about that needs no other event */
  ALINK_EVENT_FAULT = 13,
  /** "subscribed": {id, granted}: the platform's answer to Post.Subscribe or Post.Unsubscribe */
  ALINK_EVENT_SUBSCRIBED = 14,
  /** "event.posted": {id, code} */
  ALINK_EVENT_EVENT_POSTED = 15,
};

/** How a piece of an event goes on: `eventMore`. */
enum alink_piece {
  /** It ends the event. */
  ALINK_PIECE_LAST = 0,
  /** More pieces of the same event follow. */
  ALINK_PIECE_MORE = 1,
  /** The event cannot be finished (the peer's message was cut or malformed): forget its pieces. */
  ALINK_PIECE_ABANDONED = 2,
};

/** Longest configuration document and longest post, bytes: the in-window. */
#define ALINK_IN_WINDOW 1024

/** Receive window of the MQTT channel, bytes. */
#define ALINK_MQTT_RX 2048

/** Transmit window of the MQTT channel, bytes; unacknowledged QoS 1 messages stay in it. */
#define ALINK_MQTT_TX 2048

/** One half of the HTTP window and one flash block, bytes. */
#define ALINK_HTTP_BLOCK 2048

/** Event queue, bytes. */
#define ALINK_EVENT_QUEUE 1024

/** Longest piece of an event, bytes. */
#define ALINK_EVENT_PIECE 400

/** Largest write unit of a flash, bytes. */
#define ALINK_WRITE_UNIT 32

/** Entropy asked for at start, bytes. */
#define ALINK_ENTROPY 16

/*
 * The exported functions: X(CONSTANT, name, number of parameters). All take and give i32. Beside them the module
 * exports its memory as "memory" and two immutable i32 globals, __heap_base and __data_end.
 *
 * abiVersion(): -> ABI_VERSION.
 * configure(len): Read one JSON document of `len` bytes from the in-window. -> 1: call again with 0 to go on with it; Ok; or BadArgument with a Fault event that names the member, after which only a fresh instance will do (a length out of range changes nothing). Several documents may be given before the first `poll`; later members win.
 * booted(slot, how, reason): Tell which slot runs (0 or 1), how it came to run (`Boot`) and, for FellBack, the boot loader's reason (0 = none). Before the first `poll`.
 * wallClock(seconds): Tell the time: seconds since 1970-01-01 00:00 UTC, as u32. For quiet hours: without it there are none. Once after the first `poll`, and again when the host's clock was set or a day has passed. -> Ok, or BadState before the first `poll`.
 * poll(nowMs): Do a bounded piece of work. -> a set of `Want` bits, or BadState before `configure`.
 * timeout(): -> milliseconds after the last `poll` until the next one is due if nothing else happens; -1 = none.
 * resumed(elapsedMs): The device slept for `elapsedMs` (>= 0) after this memory was last in use: `nowMs` may begin anew, and every link is gone. To be called once, before the next `poll`. -> Ok, BadArgument, or BadState when the agent had not been polled yet.
 * counter(which): -> a number of work or traffic, `which` is one of `Counter`; as a u32. BadArgument for another one.
 * rxPtr(ch): -> where received bytes of a channel go.
 * rxCap(ch): -> how many received bytes fit at rxPtr; 0 = stop reading from the link.
 * received(ch, n): `n` bytes were put at rxPtr. -> Ok, or BadArgument when n > rxCap.
 * txPtr(ch): -> first byte to send.
 * txLen(ch): -> how many bytes to send.
 * sent(ch, n): The first `n` bytes at txPtr were sent. -> Ok, or BadArgument when n > txLen.
 * peerPtr(ch): -> the URI to connect to: tcp://host:port or tls://host:port (RFC 3986; an IPv6 host stands in brackets).
 * peerLen(ch): -> length of that URI, bytes.
 * opened(ch): The link is established (TLS included). -> Ok, or BadState when it was not asked for.
 * closed(ch, reason): The link is down, or could not be established; `reason` is one of `Closed`. -> Ok.
 * fault(ch): -> the first fault of a channel since it was opened, a `Code`; Ok = none.
 * detail(ch): -> the number that goes with `fault`: CONNACK code, HTTP status, Alink code, bytes available.
 * flashOp(): -> the flash operation that is wanted, a `FlashOp`.
 * flashOffset(): -> its first byte in the flash.
 * flashPtr(): -> where its bytes come from or go to.
 * flashLen(): -> its length, bytes.
 * flashDone(result): The flash operation is over; `result` is one of `Done`. -> Ok, or BadState when none was wanted.
 * bootOp(): -> what the boot loader is asked, a `BootOp`.
 * bootSlot(): -> the slot it is about, 0 or 1.
 * bootDone(result): The boot loader has answered; `result` is one of `Done`. -> Ok, or BadState when nothing was asked.
 * entropyPtr(): -> where random bytes go.
 * entropyLen(): -> how many.
 * entropyDone(): The random bytes are there. -> Ok.
 * inPtr(): -> the application's in-window.
 * inCap(): -> how many bytes may be put there now; 0 = the previous post is still being taken, poll first.
 * post(kind, len): Hand over `len` bytes in the in-window; `kind` is one of `Post`. -> the message's id (> 0) where it gets an answer, else Ok; Busy, BadArgument, BadState, or TooLarge (fault and detail of Channel.Application say how many bytes would fit).
 * reply(token, code, len): Answer the downlink request `token` with an Alink `code` (200 = done) and, in the in-window, a JSON object of `len` bytes as data (0 = {}). -> Ok or as `post`.
 * eventKind(): -> the kind of the oldest event, an `Event`; None = the queue is empty.
 * eventPtr(): -> the bytes of its next piece.
 * eventLen(): -> their number.
 * eventMore(): -> how the event goes on after this piece, a `Piece`.
 * eventDone(): The piece was taken. -> Ok.
 */
#define ALINK_EXPORTS(X) \
  X(ABI_VERSION, abiVersion, 0) \
  X(CONFIGURE, configure, 1) \
  X(BOOTED, booted, 3) \
  X(WALL_CLOCK, wallClock, 1) \
  X(POLL, poll, 1) \
  X(TIMEOUT, timeout, 0) \
  X(RESUMED, resumed, 1) \
  X(COUNTER, counter, 1) \
  X(RX_PTR, rxPtr, 1) \
  X(RX_CAP, rxCap, 1) \
  X(RECEIVED, received, 2) \
  X(TX_PTR, txPtr, 1) \
  X(TX_LEN, txLen, 1) \
  X(SENT, sent, 2) \
  X(PEER_PTR, peerPtr, 1) \
  X(PEER_LEN, peerLen, 1) \
  X(OPENED, opened, 1) \
  X(CLOSED, closed, 2) \
  X(FAULT, fault, 1) \
  X(DETAIL, detail, 1) \
  X(FLASH_OP, flashOp, 0) \
  X(FLASH_OFFSET, flashOffset, 0) \
  X(FLASH_PTR, flashPtr, 0) \
  X(FLASH_LEN, flashLen, 0) \
  X(FLASH_DONE, flashDone, 1) \
  X(BOOT_OP, bootOp, 0) \
  X(BOOT_SLOT, bootSlot, 0) \
  X(BOOT_DONE, bootDone, 1) \
  X(ENTROPY_PTR, entropyPtr, 0) \
  X(ENTROPY_LEN, entropyLen, 0) \
  X(ENTROPY_DONE, entropyDone, 0) \
  X(IN_PTR, inPtr, 0) \
  X(IN_CAP, inCap, 0) \
  X(POST, post, 2) \
  X(REPLY, reply, 3) \
  X(EVENT_KIND, eventKind, 0) \
  X(EVENT_PTR, eventPtr, 0) \
  X(EVENT_LEN, eventLen, 0) \
  X(EVENT_MORE, eventMore, 0) \
  X(EVENT_DONE, eventDone, 0)

#define ALINK_EXPORT_INDEX(constant, name, parameters) ALINK_EXPORT_##constant,
/** Places of the exports in a table. */
enum alink_export { ALINK_EXPORTS(ALINK_EXPORT_INDEX) ALINK_EXPORT_COUNT };
#undef ALINK_EXPORT_INDEX

#endif
