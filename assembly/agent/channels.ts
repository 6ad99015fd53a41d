/** The byte channels as the host sees them: windows, peers, and links that come and go. */
import { Channel, Closed, Code, Want } from "../abi";
import { AGENT, CONFIG, EVENTS, FETCH, INBOX, MQTT_PEER, SESSION, UPDATE } from "../arena";
import { eventsRoom } from "../protocol/events";
import { fetchClosed, fetchOpened, fetchReceived, fetchRxCap, fetchRxPtr } from "../protocol/fetch";
import { FetchPhase, fetchTxPtr } from "../protocol/fetch_task";
import {
  Phase,
  sessionClosed,
  sessionOpened,
  sessionReceived,
  sessionRxCap,
  sessionSent,
} from "../protocol/mqtt_session";

export function rxPtr(ch: i32): i32 {
  return ch == Channel.Mqtt ? <i32>(SESSION.rx + SESSION.rxEnd) : ch == Channel.Http ? <i32>fetchRxPtr(FETCH) : 0;
}

export function rxCap(ch: i32): i32 {
  if (!CONFIG.assembled) return 0;
  // what would come in could not be told to the application
  if (ch == Channel.Mqtt) return eventsRoom(EVENTS) && AGENT.hungUp == 0 ? <i32>sessionRxCap(SESSION) : 0;
  return ch == Channel.Http ? <i32>fetchRxCap(FETCH) : 0;
}

export function received(ch: i32, n: i32): i32 {
  if (n < 0 || n > rxCap(ch)) return Code.BadArgument;
  if (n == 0) return Code.Ok;
  AGENT.bytesReceived += n;
  if (ch == Channel.Mqtt) sessionReceived(SESSION, n);
  else fetchReceived(FETCH, n);
  return Code.Ok;
}

export function txPtr(ch: i32): i32 {
  if (ch == Channel.Mqtt) return CONFIG.assembled ? <i32>(SESSION.window.base + SESSION.window.out) : 0;
  return ch == Channel.Http ? <i32>(fetchTxPtr(FETCH) + FETCH.txAt) : 0;
}

export function txLen(ch: i32): i32 {
  if (!CONFIG.assembled) return 0;
  if (ch == Channel.Http) return <i32>(FETCH.txEnd - FETCH.txAt);
  // what waits in the window goes out once there is a session
  const linked = SESSION.phase >= Phase.Connecting && AGENT.hungUp == 0;
  return ch == Channel.Mqtt && linked ? <i32>(SESSION.window.end - SESSION.window.out) : 0;
}

export function sent(ch: i32, n: i32): i32 {
  if (n < 0 || n > txLen(ch)) return Code.BadArgument;
  if (n == 0) return Code.Ok;
  AGENT.bytesSent += n;
  if (ch == Channel.Mqtt) sessionSent(SESSION, n);
  else FETCH.txAt += n;
  return Code.Ok;
}

export function peerPtr(ch: i32): i32 {
  return ch == Channel.Mqtt ? <i32>MQTT_PEER : <i32>FETCH.peer;
}

export function peerLen(ch: i32): i32 {
  return ch == Channel.Mqtt ? CONFIG.peerLength : ch == Channel.Http ? FETCH.peerLength : 0;
}

export function opened(ch: i32): i32 {
  if (ch == Channel.Mqtt && SESSION.phase == Phase.Opening) sessionOpened(SESSION);
  else if (ch == Channel.Http && FETCH.phase == FetchPhase.Opening) fetchOpened(FETCH);
  else return Code.BadState;
  return Code.Ok;
}

export function closed(ch: i32, reason: i32): i32 {
  if (reason < Closed.Local || reason > Closed.Untrusted) reason = Closed.Broken;
  if (ch == Channel.Http) fetchClosed(FETCH, reason);
  if (ch != Channel.Mqtt || SESSION.phase < Phase.Opening || AGENT.hungUp != 0) return Code.Ok;
  // what came before the end counts: it may say why
  if (unread()) AGENT.hungUp = reason + 1;
  else hangUp(reason);
  return Code.Ok;
}

export function unread(): bool {
  const linked = SESSION.phase == Phase.Connecting || SESSION.phase == Phase.Ready;
  return linked && SESSION.rxAt != SESSION.rxEnd;
}

/** The MQTT link is down, and all that it brought is read. */
export function hangUp(reason: i32): void {
  sessionClosed(SESSION, reason);
  AGENT.hungUp = 0;
  AGENT.lost = true;
  AGENT.fault = SESSION.fault;
  AGENT.detail = SESSION.detail;
  // a session that makes room for a download comes back by itself
  AGENT.retry = UPDATE.paused ? 0 : SESSION.retry;
}

export function fault(ch: i32): i32 {
  return ch == Channel.Mqtt ? SESSION.fault : ch == Channel.Http ? FETCH.fault : INBOX.fault;
}

export function detail(ch: i32): i32 {
  return ch == Channel.Mqtt ? SESSION.detail : ch == Channel.Http ? FETCH.detail : INBOX.detail;
}

export function channelWants(ch: i32, open: bool, close: bool): i32 {
  let want: i32 = 0;
  if (open) want |= Want.Open << ch;
  if (close) want |= Want.Close << ch;
  if (txLen(ch) != 0) want |= Want.Transmit << ch;
  if (rxCap(ch) != 0) want |= Want.Receive << ch;
  return want;
}
