/**
 * The exports of agent-coap.wasm: those of index.ts, where they are documented. There is no flash, no boot loader and no
 * second channel here, so what asks for them says that nothing is wanted.
 */
import { ABI_VERSION, Code } from "./abi";
import * as agent from "./agent/coap_agent";
import * as inbox from "./agent/coap_inbox";
import * as queue from "./agent/coap_queue";

/** -> ABI_VERSION. */
export function abiVersion(): i32 {
  return ABI_VERSION;
}
/**
 * Read one JSON document of `len` bytes from the in-window. -> 1: call again with 0 to go on with it; Ok; or BadArgument
 * with a Fault event that names the member, after which only a fresh instance will do (a length out of range changes
 * nothing). Several documents may be given before the first `poll`; later members win.
 */
export function configure(len: i32): i32 {
  return agent.configure(len);
}
/** Tell which slot runs (0 or 1), how it came to run (`Boot`) and, for FellBack, the boot loader's reason (0 = none). Before the first `poll`. */
export function booted(slot: i32, how: i32, reason: i32): i32 {
  return agent.booted(slot, how);
}
/** Tell the time, which this module has no use for. -> Ok, or BadState before the first `poll`. */
export function wallClock(seconds: i32): i32 {
  return agent.wallClock();
}
/** Do a bounded piece of work. -> a set of `Want` bits, or BadState before `configure`. */
export function poll(nowMs: i32): i32 {
  return agent.poll(nowMs);
}
/** -> milliseconds after the last `poll` until the next one is due if nothing else happens; -1 = none. */
export function timeout(): i32 {
  return agent.timeout();
}
/**
 * The device slept for `elapsedMs` (>= 0) after this memory was last in use: `nowMs` may begin anew, and every link is gone.
 * To be called once, before the next `poll`. -> Ok, BadArgument, or BadState when the agent had not been polled yet.
 */
export function resumed(elapsedMs: i32): i32 {
  return agent.resumed(elapsedMs);
}
/** -> a number of work or traffic, `which` is one of `Counter`; as a u32. BadArgument for another one. */
export function counter(which: i32): i32 {
  return agent.counter(which);
}
/** -> where received bytes of a channel go. */
export function rxPtr(ch: i32): i32 {
  return agent.rxPtr(ch);
}
/** -> how many received bytes fit at rxPtr; 0 = stop reading from the link. */
export function rxCap(ch: i32): i32 {
  return agent.rxCap(ch);
}
/** `n` bytes were put at rxPtr. -> Ok, or BadArgument when n > rxCap. */
export function received(ch: i32, n: i32): i32 {
  return agent.received(ch, n);
}
/** -> first byte to send. */
export function txPtr(ch: i32): i32 {
  return agent.txPtr(ch);
}
/** -> how many bytes to send. */
export function txLen(ch: i32): i32 {
  return agent.txLen(ch);
}
/** The first `n` bytes at txPtr were sent. -> Ok, or BadArgument when n > txLen. */
export function sent(ch: i32, n: i32): i32 {
  return agent.sent(ch, n);
}
/** -> the URI to connect to: tcp://host:port or tls://host:port (RFC 3986; an IPv6 host stands in brackets). */
export function peerPtr(ch: i32): i32 {
  return agent.peerPtr(ch);
}
/** -> length of that URI, bytes. */
export function peerLen(ch: i32): i32 {
  return agent.peerLen(ch);
}
/** The link is established (TLS included). -> Ok, or BadState when it was not asked for. */
export function opened(ch: i32): i32 {
  return agent.opened(ch);
}
/** The link is down, or could not be established; `reason` is one of `Closed`. -> Ok. */
export function closed(ch: i32, reason: i32): i32 {
  return agent.closed(ch, reason);
}
/** -> the first fault of a channel since it was opened, a `Code`; Ok = none. */
export function fault(ch: i32): i32 {
  return agent.fault(ch);
}
/** -> the number that goes with `fault`: CONNACK code, HTTP status, Alink code, bytes available. */
export function detail(ch: i32): i32 {
  return agent.detail(ch);
}
/** -> the flash operation that is wanted, a `FlashOp`. */
export function flashOp(): i32 {
  return 0;
}
/** -> its first byte in the flash. */
export function flashOffset(): i32 {
  return 0;
}
/** -> where its bytes come from or go to. */
export function flashPtr(): i32 {
  return 0;
}
/** -> its length, bytes. */
export function flashLen(): i32 {
  return 0;
}
/** The flash operation is over; `result` is one of `Done`. -> Ok, or BadState when none was wanted. */
export function flashDone(result: i32): i32 {
  return Code.BadState;
}
/** -> what the boot loader is asked, a `BootOp`. */
export function bootOp(): i32 {
  return 0;
}
/** -> the slot it is about, 0 or 1. */
export function bootSlot(): i32 {
  return 0;
}
/** The boot loader has answered; `result` is one of `Done`. -> Ok, or BadState when nothing was asked. */
export function bootDone(result: i32): i32 {
  return Code.BadState;
}
/** -> where random bytes go. */
export function entropyPtr(): i32 {
  return agent.entropyPtr();
}
/** -> how many. */
export function entropyLen(): i32 {
  return agent.entropyLen();
}
/** The random bytes are there. -> Ok. */
export function entropyDone(): i32 {
  return agent.entropyDone();
}
/** -> the application's in-window. */
export function inPtr(): i32 {
  return inbox.inPtr();
}
/** -> how many bytes may be put there now; 0 = the previous post is still being taken, poll first. */
export function inCap(): i32 {
  return inbox.inCap();
}
/**
 * Hand over `len` bytes in the in-window; `kind` is one of `Post`. -> the message's id (> 0) where it gets an answer,
 * else Ok; Busy, BadArgument, BadState, or TooLarge (fault and detail of Channel.Application say how many bytes would fit).
 */
export function post(kind: i32, len: i32): i32 {
  return inbox.post(kind, len);
}
/** Answer the downlink request `token` with an Alink `code` (200 = done) and, in the in-window, a JSON object of `len` bytes as data (0 = {}). -> Ok or as `post`. */
export function reply(token: i32, code: i32, len: i32): i32 {
  return inbox.reply(token, code, len);
}
/** -> the kind of the oldest event, an `Event`; None = the queue is empty. */
export function eventKind(): i32 {
  return queue.eventKind();
}
/** -> the bytes of its next piece. */
export function eventPtr(): i32 {
  return queue.eventPtr();
}
/** -> their number. */
export function eventLen(): i32 {
  return queue.eventLen();
}
/** -> how the event goes on after this piece, a `Piece`. */
export function eventMore(): i32 {
  return queue.eventMore();
}
/** The piece was taken. -> Ok. */
export function eventDone(): i32 {
  return queue.eventDone();
}

/** First byte after the static arena: a host that snapshots or shrinks the memory needs no more than [0, __heap_base). */
export { __heap_base };
/** Zero on purpose: WAMR ignores __heap_base when this, rounded up to 16, lies above it. */
export const __data_end: i32 = 0;
