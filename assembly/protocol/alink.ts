/**
 * Alink messages (§6, §7): the envelope around what an application posts, written straight into the transmit window;
 * message ids; and the requests that wait for a reply.
 */
import { S } from "../bytes/text";
import { putByte, putBytes, putDecimal, putSigned, putText, Writer, writerInit } from "../bytes/writer";
import { jsonEscape } from "../codec/json_escape";
import { MqttSession, publishBegin, publishEnd, publishId, reached, sessionLargest } from "./mqtt_session";
import { putTopic, Topic } from "./topics";

/** Requests that may wait for a reply at a time. */
export const PENDING: u32 = 8;
/** Bytes of one of them: id (u32), deadline (u32), topic (u32; 0 = free). */
const ENTRY: u32 = 12;
export const PENDING_TABLE: u32 = PENDING * ENTRY;
/** The platform has this long for a reply, ms. */
const REPLY_TIMEOUT: u32 = 15000;

/** A message on its way out; the ranges are read during `send` only. */
@unmanaged
@final
export class Message {
  topic: Topic = Topic.Application;
  id: u32 = 0;
  /** Post: the params object. Reply: the data object, 0 bytes = {}. Inform: the version. Progress: what it says to people. */
  body: usize = 0;
  bodyLength: u32 = 0;
  /** Reply: the Alink code. Progress: the step. */
  number: i32 = 0;
  /** Reply: the id of the request as it came, quotes included. Post: the event's identifier, "property" for properties. */
  token: usize = 0;
  tokenLength: u32 = 0;
}

@unmanaged
@final
export class Alink {
  session: MqttSession = changetype<MqttSession>(0);
  message: Message = changetype<Message>(0);
  counter: Writer = changetype<Writer>(0);
  pending: usize = 0;
  lastId: u32 = 0;
}

/** The message to fill in before `send`; it has an id of its own. */
export function nextMessage(a: Alink, topic: Topic): Message {
  const m = a.message;
  m.topic = topic;
  // ids go from 1 to 4294967295 (§6); i32 results need the sign bit clear
  a.lastId = (a.lastId % 0x7fffffff) + 1;
  m.id = a.lastId;
  m.body = 0;
  m.bodyLength = 0;
  m.number = 0;
  m.tokenLength = 0;
  return m;
}

function putPayload(w: Writer, m: Message): void {
  putText(w, S('{"id":'));
  if (m.topic == Topic.PropertySetReply) {
    putBytes(w, m.token, m.tokenLength);
    putText(w, S(',"code":'));
    putSigned(w, m.number);
    putText(w, S(',"data":'));
    if (m.bodyLength != 0) putBytes(w, m.body, m.bodyLength);
    else putText(w, S("{}"));
    return putByte(w, 125);
  }
  putByte(w, 34);
  putDecimal(w, m.id);
  switch (m.topic) {
    case Topic.PropertyPost:
    case Topic.EventPost:
      putText(w, S('","version":"1.0","sys":{"ack":1},"params":'));
      putBytes(w, m.body, m.bodyLength);
      putText(w, S(',"method":"thing.event.'));
      putBytes(w, m.token, m.tokenLength);
      return putText(w, S('.post"}'));
    case Topic.FirmwareGet:
      return putText(w, S('","version":"1.0","params":{},"method":"thing.ota.firmware.get"}'));
    case Topic.Inform:
      putText(w, S('","params":{"version":"'));
      break;
    default:
      putText(w, S('","params":{"step":"'));
      putSigned(w, m.number);
      putText(w, S('","desc":"'));
  }
  jsonEscape(w, m.body, m.bodyLength);
  putText(w, S('"}}'));
}

function putAddress(w: Writer, a: Alink, m: Message): void {
  putTopic(w, a.session.identity, m.topic, m.token, m.tokenLength);
}

/** Count the bytes of topic and payload (a.counter.need), because MQTT announces lengths first. -> those of the topic. */
function measure(a: Alink, m: Message): u32 {
  writerInit(a.counter, 0, 0);
  putAddress(a.counter, a, m);
  const topic = a.counter.need;
  putPayload(a.counter, m);
  return topic;
}

/** The largest body that the message could have, bytes; the bodies of posts are not escaped. */
export function largestBody(a: Alink, m: Message): i32 {
  measure(a, m);
  return <i32>(sessionLargest(a.session) - (a.counter.need - m.bodyLength));
}

/**
 * Put the message into the transmit window at the given QoS. -> the packet identifier (QoS 1) or 0; Busy when there is
 * no room now; TooLarge when there never will be.
 */
export function send(a: Alink, m: Message, qos: u32): i32 {
  const topic = measure(a, m);
  const begun = publishBegin(a.session, topic, a.counter.need - topic, qos);
  if (begun < 0) return begun;
  const w = a.session.writer;
  putAddress(w, a, m);
  if (qos != 0) publishId(a.session);
  putPayload(w, m);
  return <i32>publishEnd(a.session, qos);
}

function entry(a: Alink, index: u32): usize {
  return a.pending + index * ENTRY;
}

/** Whether one more request may wait. */
export function pendingRoom(a: Alink): bool {
  for (let i: u32 = 0; i < PENDING; i++) if (load<u32>(entry(a, i), 8) == 0) return true;
  return false;
}

/** The request `id` on `topic` waits for its reply. */
export function pendingAdd(a: Alink, id: u32, topic: Topic): void {
  for (let i: u32 = 0; i < PENDING; i++) {
    if (load<u32>(entry(a, i), 8) != 0) continue;
    store<u32>(entry(a, i), id);
    store<u32>(entry(a, i), a.session.now + REPLY_TIMEOUT, 4);
    store<u32>(entry(a, i), topic, 8);
    return;
  }
}

/** A reply with this id came in on the topic of `topic`'s replies. -> whether it was waited for. */
export function pendingTake(a: Alink, id: u32, topic: Topic): bool {
  for (let i: u32 = 0; i < PENDING; i++) {
    if (load<u32>(entry(a, i), 8) != topic || load<u32>(entry(a, i)) != id) continue;
    store<u32>(entry(a, i), 0, 8);
    return true;
  }
  return false;
}

/** A new session: what waited is sent again, so it has its whole time again. */
export function pendingRestart(a: Alink): void {
  for (let i: u32 = 0; i < PENDING; i++) store<u32>(entry(a, i), a.session.now + REPLY_TIMEOUT, 4);
}

/** -> the id of a request whose time is over and which is taken out, its topic in message.topic; 0 = none. */
export function pendingExpired(a: Alink): u32 {
  for (let i: u32 = 0; i < PENDING; i++) {
    const topic = load<u32>(entry(a, i), 8);
    if (topic == 0 || !reached(a.session.now, load<u32>(entry(a, i), 4))) continue;
    store<u32>(entry(a, i), 0, 8);
    a.message.topic = topic;
    return load<u32>(entry(a, i));
  }
  return 0;
}

/** Milliseconds until the first request expires; -1 = none waits. */
export function pendingTimeout(a: Alink): i32 {
  let soonest = -1;
  for (let i: u32 = 0; i < PENDING; i++) {
    if (load<u32>(entry(a, i), 8) == 0) continue;
    let left = <i32>(load<u32>(entry(a, i), 4) - a.session.now);
    if (left < 0) left = 0;
    if (soonest < 0 || left < soonest) soonest = left;
  }
  return soonest;
}
