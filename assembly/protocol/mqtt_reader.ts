/**
 * Incoming MQTT packets as events. The reader stops at any byte, in the middle of any field; the payload of a PUBLISH is
 * handed on where it lies, in spans, and acknowledged after its last byte was taken.
 */
import { Code } from "../abi";
import { writerInit } from "../bytes/writer";
import { fixedHeaderByte, fixedHeaderInit, Packet, putPuback } from "../codec/mqtt";
import { ACK_TIMEOUT, MqttSession, Phase, sessionAnswered, sessionFail } from "./mqtt_session";
import { windowAcknowledge, windowBegin, windowEnd } from "./mqtt_window";

export const enum MqttEvent {
  /** All received bytes are taken. */
  None = 0,
  /** CONNACK 0. */
  Accepted = 1,
  /** A PUBLISH begins: its topic is at `carry`, `topicLength` bytes. */
  PublishStart = 2,
  /** `publishSpan` bytes of its payload are at `publishPtr`; take them with `publishTake`. */
  PublishData = 3,
  /** It is complete. */
  PublishEnd = 4,
  /** PUBACK for `incomingId`. */
  Acknowledged = 5,
  /** SUBACK or UNSUBACK for `incomingId`; see `granted`. */
  Subscribed = 6,
  /** There are more bytes, but enough was done for one step. */
  More = 7,
}

const enum Stage {
  Header = 0,
  /** A packet of a few bytes is collected whole. */
  Small = 1,
  TopicLength = 2,
  Topic = 3,
  PacketId = 4,
  Payload = 5,
}

/** Longest topic that is kept; a longer one is not ours (the platform's limit is 128 bytes, Alink §3). */
export const TOPIC_MAX: u32 = 160;
/** Longest packet other than PUBLISH: a SUBACK for one filter has 3 bytes. */
const SMALL_MAX: u32 = 16;

/** Bytes outside of payloads that are taken in one step: bounds the work of a call. */
const SLICE: u32 = 128;

/** Take bytes until something happened, SLICE at most. */
export function mqttNext(s: MqttSession): MqttEvent {
  const start = s.rxAt;
  while (s.phase == Phase.Ready || s.phase == Phase.Connecting) {
    if (s.stage == Stage.Payload) return payload(s);
    if (s.stage == Stage.Small && s.carried == s.remaining) {
      s.stage = Stage.Header;
      const event = small(s);
      if (event != MqttEvent.None) return event;
      continue;
    }
    if (s.rxAt == s.rxEnd) break;
    if (s.rxAt - start >= SLICE) return MqttEvent.More;
    const byte: u32 = load<u8>(s.rx + s.rxAt);
    s.rxAt += 1;
    if (s.stage == Stage.Header) header(s, byte);
    else if (s.stage == Stage.TopicLength) topicLength(s, byte);
    else if (s.stage == Stage.PacketId) packetId(s, byte);
    else carry(s, byte);
    if (s.stage == Stage.Payload && s.phase == Phase.Ready) return MqttEvent.PublishStart;
  }
  s.rxAt = 0;
  s.rxEnd = 0;
  return MqttEvent.None;
}

function header(s: MqttSession, byte: u32): void {
  if (s.header.bytes == 0) fixedHeaderInit(s.header);
  const done = fixedHeaderByte(s.header, byte);
  if (done == 0) return;
  s.header.bytes = 0;
  if (done < 0) return sessionFail(s, done, <i32>s.header.first);
  s.remaining = s.header.remaining;
  s.carried = 0;
  s.topicLength = 0;
  s.incomingId = 0;
  const packet = s.header.first >>> 4;
  // §3.2: the first packet from the server must be a CONNACK
  if ((s.phase == Phase.Connecting) != (packet == Packet.Connack)) return sessionFail(s, Code.BadMessage, <i32>packet);
  if (packet != Packet.Publish) {
    // §2.2.2: the flags of these are reserved and zero
    if (s.remaining > SMALL_MAX || (s.header.first & 15) != 0) return sessionFail(s, Code.BadMessage, <i32>packet);
    s.stage = Stage.Small;
    return;
  }
  const qos = (s.header.first >>> 1) & 3;
  if (qos > 1) return sessionFail(s, qos == 2 ? Code.Unsupported : Code.BadMessage, Packet.Publish);
  if (s.remaining < 2) return sessionFail(s, Code.BadMessage, Packet.Publish);
  s.stage = Stage.TopicLength;
}

function topicLength(s: MqttSession, byte: u32): void {
  s.topicLength = (s.topicLength << 8) | byte;
  s.carried += 1;
  s.remaining -= 1;
  if (s.carried < 2) return;
  s.carried = 0;
  const ids: u32 = s.header.first & 6 ? 2 : 0;
  // §4.7.3: a topic has at least one character
  if (s.topicLength == 0 || s.topicLength + ids > s.remaining) return sessionFail(s, Code.BadMessage, Packet.Publish);
  s.stage = Stage.Topic;
}

function carry(s: MqttSession, byte: u32): void {
  if (s.carried < TOPIC_MAX) store<u8>(s.carry + s.carried, byte);
  s.carried += 1;
  if (s.stage == Stage.Small) return;
  s.remaining -= 1;
  if (s.carried < s.topicLength) return;
  s.carried = 0;
  s.stage = s.header.first & 6 ? Stage.PacketId : Stage.Payload;
}

function packetId(s: MqttSession, byte: u32): void {
  s.incomingId = (s.incomingId << 8) | byte;
  s.carried += 1;
  s.remaining -= 1;
  if (s.carried < 2) return;
  // §2.3.1: a packet identifier is not zero
  if (s.incomingId == 0) return sessionFail(s, Code.BadMessage, Packet.Publish);
  s.stage = Stage.Payload;
}

function payload(s: MqttSession): MqttEvent {
  if (s.remaining != 0) {
    if (s.rxAt != s.rxEnd) return MqttEvent.PublishData;
    s.rxAt = 0;
    s.rxEnd = 0;
    return MqttEvent.None;
  }
  if (s.incomingId != 0) {
    const at = windowBegin(s.window, 4);
    // no room to acknowledge: the receive window stays closed until there is
    if (at == 0) return MqttEvent.None;
    writerInit(s.writer, at, 4);
    putPuback(s.writer, s.incomingId);
    windowEnd(s.window, 4, 0);
  }
  s.stage = Stage.Header;
  return MqttEvent.PublishEnd;
}

/** Bytes of the present PUBLISH that are there to be taken. */
export function publishSpan(s: MqttSession): u32 {
  const there = s.rxEnd - s.rxAt;
  return there < s.remaining ? there : s.remaining;
}

export function publishPtr(s: MqttSession): usize {
  return s.rx + s.rxAt;
}

export function publishTake(s: MqttSession, n: u32): void {
  s.rxAt += n;
  s.remaining -= n;
}

/** A packet other than PUBLISH, whole in `carry`. */
function small(s: MqttSession): MqttEvent {
  const packet = s.header.first >>> 4;
  const a: u32 = load<u8>(s.carry);
  const b: u32 = load<u8>(s.carry, 1);
  if (packet == Packet.Pingresp && s.remaining == 0) {
    s.pinging = false;
    return MqttEvent.None;
  }
  if (packet == Packet.Connack && s.remaining == 2)
    return sessionAnswered(s, a, b) ? MqttEvent.Accepted : MqttEvent.None;
  s.incomingId = (a << 8) | b;
  if (packet == Packet.Puback && s.remaining == 2) {
    s.ackDue = s.now + ACK_TIMEOUT;
    // an unknown identifier is what a resumed session may bring; it changes nothing
    return windowAcknowledge(s.window, s.incomingId) ? MqttEvent.Acknowledged : MqttEvent.None;
  }
  if ((packet == Packet.Suback && s.remaining == 3) || (packet == Packet.Unsuback && s.remaining == 2)) {
    s.granted = packet == Packet.Unsuback || load<u8>(s.carry, 2) < 128;
    return MqttEvent.Subscribed;
  }
  sessionFail(s, Code.BadMessage, <i32>packet);
  return MqttEvent.None;
}
