/**
 * The MQTT session: link, CONNECT, keep-alive, back-off, and incoming packets as a stream of events.
 *
 *   Down ── enable ──> Waiting ── due ──> Opening ── opened ──> Connecting ── CONNACK 0 ──> Ready
 *     ^                   ^                  |                      |                         |
 *     |                   |                  | closed               | refused, silent         | silent, malformed, stop
 *     |                   |                  v                      v                         v
 *     └── stopped ────────┴──────────────── closed <──────────── Closing <────────────────────┘
 *
 * Beside the phase: `stopping` (the application or a restart wants the session down for good), `fault`/`detail` (why
 * the present link ends; the first one counts).
 */
import { Closed, Code } from "../abi";
import { putU16, Writer, writerDone, writerInit } from "../bytes/writer";
import {
  CONNECT_HEADER,
  FixedHeader,
  fixedHeaderSize,
  Packet,
  putConnectHeader,
  putEmpty,
  putFixedHeader,
  putSubscribe,
  putUnsubscribe,
} from "../codec/mqtt";
import { Hmac } from "../crypto/hmac";
import { MQTT_RX } from "../profile";
import { Backoff, backoffNext, Random, randomBelow } from "./backoff";
import { putClientId, putPassword, putUserName, sign } from "./mqtt_sign";
import { Identity } from "./sign";
import {
  FLIGHTS,
  Window,
  windowBegin,
  windowConnected,
  windowConnecting,
  windowEnd,
  windowHas,
  windowRewind,
  windowRoom,
  windowSent,
} from "./mqtt_window";

export const enum Phase {
  /** No link, and none wanted. */
  Down = 0,
  /** No link until `due`. */
  Waiting = 1,
  /** The host dials. */
  Opening = 2,
  /** CONNECT went out. */
  Connecting = 3,
  /** CONNACK 0 came in. */
  Ready = 4,
  /** The host hangs up. */
  Closing = 5,
}

/** First wait after a lost link and the longest one, ms. */
const BACKOFF_BASE: u32 = 1000;
const BACKOFF_LONGEST: u32 = 120000;
/** A link that stayed up this long starts the back-off anew, ms. */
const STABLE: u32 = 60000;
/** After a refusal the platform is left alone for this long, and as long again at random, ms. */
const REFUSED: u32 = 300000;
/** The host has this long to dial, ms. */
const OPEN_TIMEOUT: u32 = 30000;
/** The platform has this long for CONNACK and PINGRESP, ms. */
const ANSWER_TIMEOUT: u32 = 10000;
/** A QoS 1 message that is not acknowledged after this long means that the link is dead, ms. */
export const ACK_TIMEOUT: u32 = 30000;
/** A packet that began must go on within this time, because other work may wait for its end, ms. */
const STALLED: u32 = 30000;
/** Room in the transmit window that messages leave to CONNECT, PUBACK and PINGREQ, bytes. */
const RESERVE: u32 = 512;

@unmanaged
@final
export class MqttSession {
  phase: Phase = Phase.Down;
  stopping: bool = false;
  cleanSession: bool = false;
  secure: bool = false;
  sessionPresent: bool = false;
  pinging: bool = false;
  /** The session stood, and long enough to start the back-off anew. */
  stood: bool = false;
  stable: bool = false;
  /** The platform granted the subscription that it answered last. */
  granted: bool = false;
  /** Seconds. */
  keepAlive: u32 = 0;
  now: u32 = 0;
  /** When the present phase is over: dial, CONNACK; the end of waiting. */
  due: u32 = 0;
  readySince: u32 = 0;
  lastSent: u32 = 0;
  lastReceived: u32 = 0;
  pingDue: u32 = 0;
  ackDue: u32 = 0;
  retry: i32 = 0;
  fault: i32 = 0;
  detail: i32 = 0;
  packetId: u32 = 0;
  window: Window = changetype<Window>(0);
  writer: Writer = changetype<Writer>(0);
  identity: Identity = changetype<Identity>(0);
  hmac: Hmac = changetype<Hmac>(0);
  mac: usize = 0;
  backoff: Backoff = changetype<Backoff>(0);
  random: Random = changetype<Random>(0);
  // incoming: see mqtt_reader.ts
  rx: usize = 0;
  rxAt: u32 = 0;
  rxEnd: u32 = 0;
  header: FixedHeader = changetype<FixedHeader>(0);
  stage: i32 = 0;
  remaining: u32 = 0;
  carry: usize = 0;
  carried: u32 = 0;
  topicLength: u32 = 0;
  incomingId: u32 = 0;
}

/** Whether `due` has come, on a clock that wraps. */
export function reached(now: u32, due: u32): bool {
  return <i32>(now - due) >= 0;
}

/** Want the session up: at once, whatever the back-off says. */
export function sessionStart(s: MqttSession): void {
  s.stopping = false;
  if (s.phase != Phase.Down && s.phase != Phase.Waiting) return;
  s.phase = Phase.Waiting;
  s.due = s.now;
}

/** Take the session down in an orderly way (DISCONNECT, §3.14) and leave it down. */
export function sessionStop(s: MqttSession): void {
  s.stopping = true;
  if (s.phase == Phase.Waiting) s.phase = Phase.Down;
  if (s.phase == Phase.Ready) {
    if (windowBegin(s.window, 2) != 0) {
      writerInit(s.writer, windowBegin(s.window, 2), 2);
      putEmpty(s.writer, Packet.Disconnect);
      windowEnd(s.window, 2, 0);
    }
    s.phase = Phase.Closing;
  } else if (s.phase == Phase.Opening || s.phase == Phase.Connecting) s.phase = Phase.Closing;
}

/** The link cannot go on: the first reason counts. */
export function sessionFail(s: MqttSession, fault: i32, detail: i32): void {
  if (s.phase == Phase.Down || s.phase == Phase.Waiting || s.phase == Phase.Closing) return;
  s.fault = fault;
  s.detail = detail;
  s.phase = Phase.Closing;
}

/** The host has a link: build the CONNECT. */
export function sessionOpened(s: MqttSession): void {
  s.phase = Phase.Connecting;
  s.due = s.now + ANSWER_TIMEOUT;
  s.rxAt = 0;
  s.rxEnd = 0;
  s.stage = 0;
  s.header.bytes = 0;
  s.fault = 0;
  s.detail = 0;
  sign(s.hmac, s.identity, s.mac);
  const w = s.writer;
  writerInit(w, 0, 0);
  putClientId(w, s.identity, s.secure);
  const clientId = w.need;
  writerInit(w, 0, 0);
  putUserName(w, s.identity);
  const userName = w.need;
  writerInit(w, 0, 0);
  putPassword(w, s.identity, s.mac);
  const password = w.need;
  const remaining = CONNECT_HEADER + 2 + clientId + 2 + userName + 2 + password;
  const size = fixedHeaderSize(remaining) + remaining;
  // RESERVE is more than the longest CONNECT, so there is always room
  writerInit(w, windowBegin(s.window, size), size);
  windowConnecting(s.window);
  putFixedHeader(w, Packet.Connect << 4, remaining);
  putConnectHeader(w, s.cleanSession, s.keepAlive);
  putU16(w, clientId);
  putClientId(w, s.identity, s.secure);
  putU16(w, userName);
  putUserName(w, s.identity);
  putU16(w, password);
  putPassword(w, s.identity, s.mac);
  windowEnd(s.window, size, 0);
}

/** CONNACK (§3.2): `flags` and return code. */
export function sessionAnswered(s: MqttSession, flags: u32, returnCode: u32): bool {
  if (flags > 1) {
    sessionFail(s, Code.BadMessage, <i32>flags);
    return false;
  }
  if (returnCode != 0) {
    sessionFail(s, Code.Refused, <i32>returnCode);
    return false;
  }
  s.phase = Phase.Ready;
  s.sessionPresent = flags == 1;
  s.readySince = s.now;
  s.stood = true;
  s.stable = false;
  s.lastSent = s.now;
  s.ackDue = s.now + ACK_TIMEOUT;
  s.pinging = false;
  windowConnected(s.window);
  return true;
}

/** The link is down. `retry` becomes the wait before the next try, ms, or -1 when there will be none. */
export function sessionClosed(s: MqttSession, reason: i32): void {
  if (s.fault == 0 && !s.stopping && reason != Closed.Local) {
    s.fault = reason == Closed.Untrusted ? Code.Untrusted : reason == Closed.Peer ? Code.Interrupted : Code.LinkFailed;
  }
  windowRewind(s.window);
  if (s.stood) noteStable(s);
  if (s.stood && s.stable) s.backoff.attempt = 0;
  s.stood = false;
  // without a fault the application has changed its mind: it wants the session again
  s.retry = s.stopping ? -1 : s.fault == 0 ? 0 : <i32>wait(s);
  s.phase = s.stopping ? Phase.Down : Phase.Waiting;
  s.due = s.now + <u32>s.retry;
}

/** Noted while it lasts, because a difference of times says nothing after 24 days. */
function noteStable(s: MqttSession): void {
  if (reached(s.now, s.readySince + STABLE)) s.stable = true;
}

/** Nothing could be read for `ms`, for reasons of ours: the platform has as much more time. */
export function sessionShift(s: MqttSession, ms: u32): void {
  if (s.phase == Phase.Connecting) s.due += ms;
  s.pingDue += ms;
  s.ackDue += ms;
  s.lastReceived += ms;
}

/** A refusal will not go away by itself soon (a secret is wrong, a device is disabled); 3 is "server unavailable". */
function wait(s: MqttSession): u32 {
  if (s.fault == Code.Refused && s.detail != 3) return REFUSED + randomBelow(s.random, REFUSED);
  return backoffNext(s.backoff, s.random, BACKOFF_BASE, BACKOFF_LONGEST);
}

/** What time alone changes. -> true when the host should dial now. */
export function sessionTick(s: MqttSession, now: u32): bool {
  s.now = now;
  if (s.phase == Phase.Waiting && reached(now, s.due)) {
    s.phase = Phase.Opening;
    s.fault = 0;
    s.detail = 0;
    s.due = now + OPEN_TIMEOUT;
    return true;
  }
  if ((s.phase == Phase.Opening || s.phase == Phase.Connecting) && reached(now, s.due))
    sessionFail(s, Code.TimedOut, 0);
  if (s.phase != Phase.Ready) return false;
  noteStable(s);
  if (s.pinging && reached(now, s.pingDue)) sessionFail(s, Code.TimedOut, Packet.Pingresp);
  else if (s.window.flights == 0) s.ackDue = now + ACK_TIMEOUT;
  else if (reached(now, s.ackDue)) sessionFail(s, Code.TimedOut, Packet.Puback);
  if (s.stage != 0 && reached(now, s.lastReceived + STALLED)) sessionFail(s, Code.TimedOut, Packet.Publish);
  if (!s.pinging && reached(now, s.lastSent + s.keepAlive * 1000)) ping(s);
  return false;
}

/** Milliseconds until sessionTick has something to do; -1 = nothing. */
export function sessionTimeout(s: MqttSession): i32 {
  if (s.phase == Phase.Down || s.phase == Phase.Closing) return -1;
  if (s.phase != Phase.Ready) return left(s, s.due);
  let soonest = left(s, s.pinging ? s.pingDue : s.lastSent + s.keepAlive * 1000);
  if (s.window.flights != 0 && left(s, s.ackDue) < soonest) soonest = left(s, s.ackDue);
  if (s.stage != 0 && left(s, s.lastReceived + STALLED) < soonest) soonest = left(s, s.lastReceived + STALLED);
  return soonest;
}

function left(s: MqttSession, due: u32): i32 {
  const ms = <i32>(due - s.now);
  return ms < 0 ? 0 : ms;
}

function ping(s: MqttSession): void {
  const at = windowBegin(s.window, 2);
  if (at == 0) return;
  writerInit(s.writer, at, 2);
  putEmpty(s.writer, Packet.Pingreq);
  windowEnd(s.window, 2, 0);
  s.pinging = true;
  s.pingDue = s.now + ANSWER_TIMEOUT;
}

export function sessionSent(s: MqttSession, n: u32): void {
  s.lastSent = s.now;
  windowSent(s.window, n);
}

export function sessionReceived(s: MqttSession, n: u32): void {
  s.lastReceived = s.now;
  s.rxEnd += n;
}

/** Bytes of the receive window that are free. */
export function sessionRxCap(s: MqttSession): u32 {
  return s.phase == Phase.Ready || s.phase == Phase.Connecting ? <u32>MQTT_RX - s.rxEnd : 0;
}

/** A packet identifier that is not in use (§2.3.1). */
function nextPacketId(s: MqttSession): u32 {
  do s.packetId = (s.packetId % 65535) + 1;
  while (windowHas(s.window, s.packetId));
  return s.packetId;
}

/** The largest topic and payload, together, that a message may ever have, bytes. */
export function sessionLargest(s: MqttSession): u32 {
  return s.window.cap - RESERVE - 8;
}

/**
 * Begin a PUBLISH (§3.3) of which the lengths are known; the session's writer then takes the topic, publishId, and the
 * payload. -> Ok; Busy while there is no room or no free flight; TooLarge when there never will be.
 */
export function publishBegin(s: MqttSession, topic: u32, payload: u32, qos: u32): i32 {
  if (topic + payload > sessionLargest(s)) return Code.TooLarge;
  if (s.phase == Phase.Connecting || s.phase == Phase.Closing || s.stopping) return Code.Busy;
  const remaining = 2 + topic + (qos != 0 ? 2 : 0) + payload;
  const size = fixedHeaderSize(remaining) + remaining;
  if (windowRoom(s.window) < size + RESERVE) return Code.Busy;
  if (qos != 0 && s.window.flights >= FLIGHTS) return Code.Busy;
  writerInit(s.writer, windowBegin(s.window, size), size);
  putFixedHeader(s.writer, (Packet.Publish << 4) | (qos << 1), remaining);
  putU16(s.writer, topic);
  return Code.Ok;
}

/** Between topic and payload of a QoS 1 message. */
export function publishId(s: MqttSession): void {
  putU16(s.writer, nextPacketId(s));
}

/** -> the packet identifier (QoS 1) or 0. */
export function publishEnd(s: MqttSession, qos: u32): u32 {
  const packetId = qos != 0 ? s.packetId : 0;
  if (s.window.flights == 0) s.ackDue = s.now + ACK_TIMEOUT;
  windowEnd(s.window, <u32>writerDone(s.writer), packetId);
  return packetId;
}

/** Ask for a subscription (or its end). It is not kept over a lost link: the application asks again when told so. */
export function sessionSubscribe(s: MqttSession, filter: usize, len: u32, subscribe: bool): i32 {
  if (s.phase != Phase.Ready) return Code.BadState;
  const size = len + 10;
  if (size > sessionLargest(s)) return Code.TooLarge;
  if (windowRoom(s.window) < size + RESERVE) return Code.Busy;
  writerInit(s.writer, windowBegin(s.window, size), size);
  const packetId = nextPacketId(s);
  if (subscribe) putSubscribe(s.writer, packetId, filter, len);
  else putUnsubscribe(s.writer, packetId, filter, len);
  windowEnd(s.window, <u32>writerDone(s.writer), 0);
  return <i32>packetId;
}
