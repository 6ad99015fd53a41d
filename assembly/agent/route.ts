/** Routes what comes in over the MQTT channel to whoever it is for. */
import { Code, Event } from "../abi";
import { ALINK, CARRY, DOWNLINK, EVENTS, IDENTITY, SESSION, UPDATE } from "../arena";
import { S } from "../bytes/text";
import { putDecimal, putText } from "../bytes/writer";
import { pendingRestart, pendingTake } from "../protocol/alink";
import { downlinkData, downlinkEnd, downlinkId, downlinkSlice, downlinkStart } from "../protocol/downlink";
import { emitFault, eventOf, eventEnd } from "../protocol/events";
import { MqttEvent, mqttNext, publishPtr, publishSpan, publishTake, TOPIC_MAX } from "../protocol/mqtt_reader";
import { Topic, topicOf } from "../protocol/topics";
import { updateAcknowledged, updateConnected, updateMissed } from "../protocol/update";
import { Listening, updateListens, updateOffer } from "../protocol/update_offer";
import { awaitReply, emitPosted, refuseRequest } from "./inbox";

/** Take one thing from the MQTT channel. -> whether there may be more. */
export function route(): bool {
  switch (mqttNext(SESSION)) {
    case MqttEvent.Accepted:
      pendingRestart(ALINK);
      emitConnected();
      updateConnected(UPDATE);
      return true;
    case MqttEvent.PublishStart:
      begin();
      return true;
    case MqttEvent.PublishData: {
      const most = downlinkSlice(DOWNLINK);
      const span = publishSpan(SESSION);
      const n = span < most ? span : most;
      downlinkData(DOWNLINK, publishPtr(SESSION), n);
      publishTake(SESSION, n);
      return true;
    }
    case MqttEvent.PublishEnd:
      end();
      return true;
    case MqttEvent.Acknowledged:
      updateAcknowledged(UPDATE, SESSION.incomingId);
      return true;
    case MqttEvent.Subscribed:
      emitSubscribed();
      return true;
    case MqttEvent.More:
      return true;
    default:
      return false;
  }
}

function emitConnected(): void {
  const w = eventOf(EVENTS, S('device.connected","sessionPresent":'));
  putText(w, SESSION.sessionPresent ? S("true") : S("false"));
  eventEnd(EVENTS, Event.Connected);
}

function emitSubscribed(): void {
  const w = eventOf(EVENTS, S('subscribed","id":'));
  putDecimal(w, SESSION.incomingId);
  putText(w, SESSION.granted ? S(',"granted":true') : S(',"granted":false'));
  eventEnd(EVENTS, Event.Subscribed);
}

/** A PUBLISH begins. A topic that could not be shown in an event as it is belongs to nobody. */
function begin(): void {
  const length = SESSION.topicLength;
  let topic = length > TOPIC_MAX ? Topic.Ignored : topicOf(IDENTITY, CARRY, length);
  for (let i: u32 = 0; topic == Topic.Application && i < length; i++) {
    const c: u32 = load<u8>(CARRY + i);
    if (c < 32 || c > 126 || c == 34 || c == 92) topic = Topic.Ignored;
  }
  const listening = updateListens(UPDATE);
  DOWNLINK.offers = listening != Listening.No;
  DOWNLINK.offer.brief = listening == Listening.Brief;
  downlinkStart(DOWNLINK, topic, CARRY, length);
}

/** It is complete, and acknowledged. */
function end(): void {
  const d = DOWNLINK;
  if (!downlinkEnd(d)) return emitFault(EVENTS, Code.BadMessage, d.topic, S("a message of the platform is not JSON"));
  switch (d.topic) {
    case Topic.PropertyPostReply:
    case Topic.EventPostReply: {
      const id = downlinkId(d);
      const topic: Topic = d.topic - Topic.PropertyPostReply + Topic.PropertyPost;
      if (id != 0 && pendingTake(ALINK, id, topic)) emitPosted(id, <i32>d.code, topic == Topic.PropertyPost);
      return;
    }
    case Topic.PropertySet:
      if (!d.delivered) refuseRequest();
      else if (!awaitReply())
        emitFault(EVENTS, Code.BadMessage, <i32>d.request, S("a property set has no id to answer to"));
      return;
    case Topic.FirmwareGetReply: {
      const asked = pendingTake(ALINK, downlinkId(d), Topic.FirmwareGet);
      if (asked) offered();
      return;
    }
    case Topic.Upgrade:
      offered();
  }
}

/** An offer was read, or passed over because another update is in hand. */
function offered(): void {
  const listening = updateListens(UPDATE);
  if (DOWNLINK.offers && listening == (DOWNLINK.offer.brief ? Listening.Brief : Listening.Whole)) updateOffer(UPDATE);
  else updateMissed(UPDATE);
}
