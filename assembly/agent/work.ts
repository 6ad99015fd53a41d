/** One bounded piece of work of everything that the agent owns. */
import { Code, Event } from "../abi";
import { AGENT, ALINK, CONFIG, DOWNLINK, EVENTS, FETCH, FLASH, JOURNAL, MQTT_PEER, SESSION, UPDATE } from "../arena";
import { S } from "../bytes/text";
import { putBytes, putDecimal, putSigned, putText } from "../bytes/writer";
import { pendingExpired } from "../protocol/alink";
import { describe } from "../protocol/describe";
import { downlinkAbandon } from "../protocol/downlink";
import { eventOf, eventEnd, eventsRoom } from "../protocol/events";
import { fetchShift, fetchStep, fetchTick } from "../protocol/fetch";
import { journalBusy, journalLoad, journalStep } from "../protocol/journal";
import { Phase, sessionShift, sessionTick } from "../protocol/mqtt_session";
import { Topic } from "../protocol/topics";
import { updateResume, updateStep, updateUnanswered } from "../protocol/update";
import { emitPosted, inboxStep } from "./inbox";
import { route } from "./route";
import { unread, hangUp } from "./channels";

/** A bounded piece of work. -> whether there is more to do now. */
export function work(): bool {
  const now = AGENT.now;
  if (!eventsRoom(EVENTS)) {
    if (!AGENT.paused) AGENT.pausedAt = now;
    AGENT.paused = true;
    return false;
  }
  if (AGENT.paused) {
    // the application was the one that was silent, not the peers
    AGENT.paused = false;
    sessionShift(SESSION, now - AGENT.pausedAt);
    fetchShift(FETCH, now - AGENT.pausedAt);
  }
  if (!AGENT.loaded) return load();
  SESSION.now = now;
  if (AGENT.hungUp != 0 && !unread()) hangUp(AGENT.hungUp - 1);
  if (AGENT.lost) {
    downlinkAbandon(DOWNLINK);
    emitDisconnected();
    AGENT.lost = false;
    return true;
  }
  if (sessionTick(SESSION, now)) {
    emitConnecting();
    return true;
  }
  let again = route() || (AGENT.hungUp != 0 && !unread());
  if (fetchTick(FETCH, now)) return true;
  // an event in pieces is not broken up by others: what could emit one waits for its end
  if (DOWNLINK.open) {
    journalStep(JOURNAL);
    return again;
  }
  if (!eventsRoom(EVENTS)) return true;
  again = inboxStep() || again;
  if (!eventsRoom(EVENTS)) return true;
  again = expire() || again;
  if (!eventsRoom(EVENTS)) return true;
  again = fetchStep(FETCH) || again;
  const task = UPDATE.task;
  again = updateStep(UPDATE, now) || again;
  const recording = journalBusy(JOURNAL);
  journalStep(JOURNAL);
  return again || task != UPDATE.task || (recording && !journalBusy(JOURNAL));
}

/** Read the state region before anything else: it says which version runs. */
function load(): bool {
  if (FLASH.sector != 0 && !AGENT.loading) {
    journalLoad(JOURNAL);
    AGENT.loading = true;
  }
  if (AGENT.loading) journalStep(JOURNAL);
  if (AGENT.loading && journalBusy(JOURNAL)) return false;
  AGENT.loaded = true;
  updateResume(UPDATE);
  return true;
}

/** Requests that got no reply in time; only a standing session makes them late. */
function expire(): bool {
  if (SESSION.phase != Phase.Ready) return false;
  const id = pendingExpired(ALINK);
  if (id == 0) return false;
  const topic = ALINK.message.topic;
  if (topic <= Topic.EventPost) emitPosted(id, Code.TimedOut, topic == Topic.PropertyPost);
  else updateUnanswered(UPDATE);
  return true;
}

function emitConnecting(): void {
  AGENT.attempt += 1;
  const w = eventOf(EVENTS, S('device.connecting","peer":"'));
  putBytes(w, MQTT_PEER, CONFIG.peerLength);
  putText(w, S('","attempt":'));
  putDecimal(w, AGENT.attempt);
  eventEnd(EVENTS, Event.Connecting);
}

function emitDisconnected(): void {
  const w = eventOf(EVENTS, S('device.disconnected","code":'));
  putSigned(w, AGENT.fault);
  putText(w, S(',"detail":'));
  putSigned(w, AGENT.detail);
  putText(w, S(',"retryMs":'));
  putSigned(w, AGENT.retry);
  putText(w, S(',"desc":"'));
  // the number of a link's fault is for programs, but for the platform's own return code
  if (AGENT.fault != 0) describe(w, AGENT.fault, AGENT.fault == Code.Refused ? AGENT.detail : 0);
  putText(w, S('"'));
  eventEnd(EVENTS, Event.Disconnected);
}
