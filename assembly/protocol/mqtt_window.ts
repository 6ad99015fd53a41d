/**
 * The transmit window of the MQTT session: a queue of packets in one buffer. A QoS 1 PUBLISH stays where it was written
 * until its PUBACK, so sending it again after a lost link costs no copy and no second buffer.
 *
 *   0 ........ out ........ end ........ cap
 *   [ unacknowledged ][ to be sent ][ free ]
 */
import { move } from "../bytes/text";
import { DUP } from "../codec/mqtt";

/** Unacknowledged QoS 1 messages at a time. */
export const FLIGHTS: u32 = 8;
/** Bytes of one entry of the flight table: offset, length, packet identifier, each u16. */
const FLIGHT: u32 = 6;
export const FLIGHT_TABLE: u32 = FLIGHTS * FLIGHT;

@unmanaged
@final
export class Window {
  base: usize = 0;
  cap: u32 = 0;
  /** Next byte to send. */
  out: u32 = 0;
  end: u32 = 0;
  /** Where the CONNECT stands while the session is being established; the rest waits. -1 = no CONNECT. */
  connectAt: i32 = 0;
  /** Unacknowledged messages, oldest first. */
  flights: u32 = 0;
  table: usize = 0;
}

export function windowInit(w: Window, base: usize, cap: u32, table: usize): void {
  w.base = base;
  w.cap = cap;
  w.out = 0;
  w.end = 0;
  w.connectAt = -1;
  w.flights = 0;
  w.table = table;
}

function flight(w: Window, index: u32): usize {
  return w.table + index * FLIGHT;
}

function offsetOf(entry: usize): u32 {
  return load<u16>(entry);
}

function lengthOf(entry: usize): u32 {
  return load<u16>(entry, 2);
}

function packetIdOf(entry: usize): u32 {
  return load<u16>(entry, 4);
}

/** First byte that must be kept. */
function keep(w: Window): u32 {
  const first = w.flights != 0 ? offsetOf(w.table) : w.end;
  return first < w.out ? first : w.out;
}

/** Bytes that could be written now. */
export function windowRoom(w: Window): u32 {
  return w.cap - (w.end - keep(w));
}

/** Where `need` bytes may be written, or 0 when there is no room for them. */
export function windowBegin(w: Window, need: u32): usize {
  if (need > windowRoom(w)) return 0;
  if (need > w.cap - w.end) {
    const shift = keep(w);
    move(w.base, w.base + shift, w.end - shift);
    w.out -= shift;
    w.end -= shift;
    if (w.connectAt >= 0) w.connectAt -= shift;
    for (let i: u32 = 0; i < w.flights; i++) store<u16>(flight(w, i), offsetOf(flight(w, i)) - shift);
  }
  return w.base + w.end;
}

/** `len` bytes were written at windowBegin. A packet id other than 0 keeps them until it is acknowledged. */
export function windowEnd(w: Window, len: u32, packetId: u32): void {
  if (packetId != 0) {
    const entry = flight(w, w.flights);
    store<u16>(entry, w.end);
    store<u16>(entry, len, 2);
    store<u16>(entry, packetId, 4);
    w.flights += 1;
  }
  w.end += len;
}

/** Whether a packet identifier is in use. */
export function windowHas(w: Window, packetId: u32): bool {
  for (let i: u32 = 0; i < w.flights; i++) if (packetIdOf(flight(w, i)) == packetId) return true;
  return false;
}

/** The platform has the message. -> false when no such message was waiting, or it was not sent yet. */
export function windowAcknowledge(w: Window, packetId: u32): bool {
  for (let i: u32 = 0; i < w.flights; i++) {
    const entry = flight(w, i);
    if (packetIdOf(entry) != packetId) continue;
    if (offsetOf(entry) + lengthOf(entry) > w.out) return false;
    w.flights -= 1;
    move(entry, entry + FLIGHT, (w.flights - i) * FLIGHT);
    settle(w);
    return true;
  }
  return false;
}

export function windowSent(w: Window, n: u32): void {
  w.out += n;
  settle(w);
}

/** Start at the front again when nothing is left to keep. */
function settle(w: Window): void {
  if (w.flights != 0 || w.out != w.end || w.connectAt >= 0) return;
  w.out = 0;
  w.end = 0;
}

/** The link is gone: keep the unacknowledged messages alone, marked as sent again where any of their bytes went out. */
export function windowRewind(w: Window): void {
  const all = w.connectAt >= 0;
  let to: u32 = 0;
  for (let i: u32 = 0; i < w.flights; i++) {
    const entry = flight(w, i);
    const from = offsetOf(entry);
    // while the CONNECT was going out, nothing before it was sent on this link; its mark stands already
    if (!all && from < w.out) store<u8>(w.base + from, load<u8>(w.base + from) | DUP);
    move(w.base + to, w.base + from, lengthOf(entry));
    store<u16>(entry, to);
    to += lengthOf(entry);
  }
  w.end = to;
  w.out = 0;
  w.connectAt = -1;
}

/** The next packet written is the CONNECT: only it is sent until windowConnected. */
export function windowConnecting(w: Window): void {
  w.connectAt = <i32>w.end;
  w.out = w.end;
}

/** The CONNECT was answered: drop it and send what waits. */
export function windowConnected(w: Window): void {
  w.end = <u32>w.connectAt;
  w.connectAt = -1;
  w.out = 0;
}
