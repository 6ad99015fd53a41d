/**
 * The queue of events for the application: JSON text in pieces of at most EVENT_PIECE bytes. A long event (a property
 * set of any size) is several pieces of the same kind. Whoever emits makes sure of `eventsRoom` first, so that nothing
 * is ever dropped: while there is no room, the sessions stand still and close their receive windows.
 */
import { Event, Piece } from "../abi";
import { move, S } from "../bytes/text";
import { putByte, putSigned, putText, Writer, writerDone, writerInit } from "../bytes/writer";
import { EVENT_PIECE, EVENT_QUEUE, SHORT_EVENT } from "../profile";

/** Bytes before each piece: kind, how it goes on, length (u16). */
const HEAD: u32 = 4;

@unmanaged
@final
export class Events {
  buffer: usize = 0;
  at: u32 = 0;
  end: u32 = 0;
  writer: Writer = changetype<Writer>(0);
}

/** What one step may emit at most: a piece of the full size and a short event. */
const STEP: u32 = HEAD + EVENT_PIECE + HEAD + SHORT_EVENT;

/** Whether there is room for what one step may emit. */
export function eventsRoom(e: Events): bool {
  return EVENT_QUEUE - (e.end - e.at) >= STEP;
}

/** Begin a piece; the writer takes at most EVENT_PIECE bytes. */
export function pieceBegin(e: Events): Writer {
  if (e.at != 0) {
    move(e.buffer, e.buffer + e.at, e.end - e.at);
    e.end -= e.at;
    e.at = 0;
  }
  let room = EVENT_QUEUE - e.end;
  room = room < HEAD ? 0 : room - HEAD;
  writerInit(e.writer, e.buffer + e.end + HEAD, room < EVENT_PIECE ? room : EVENT_PIECE);
  return e.writer;
}

/** End the piece that was begun. A piece that did not fit is left out. */
export function pieceEnd(e: Events, kind: i32, piece: Piece): void {
  const length = writerDone(e.writer);
  if (length < 0) return;
  const head = e.buffer + e.end;
  store<u8>(head, kind);
  store<u8>(head, piece, 1);
  store<u16>(head, length, 2);
  e.end += HEAD + length;
}

/** Begin a whole event: `name` is the text up to where its other members follow, `{"event":"…"`. */
export function eventBegin(e: Events, name: usize): Writer {
  const w = pieceBegin(e);
  putText(w, name);
  return w;
}

/** The same by what follows `{"event":"`, which many events share. */
export function eventOf(e: Events, name: usize): Writer {
  const w = eventBegin(e, S('{"event":"'));
  putText(w, name);
  return w;
}

/** End a whole event. */
export function eventEnd(e: Events, kind: i32): void {
  putText(e.writer, S("}"));
  pieceEnd(e, kind, Piece.Last);
}

/** Something to know about that needs no other event. */
export function emitFault(e: Events, code: i32, detail: i32, text: usize): void {
  const w = eventOf(e, S('fault","code":'));
  putSigned(w, code);
  putText(w, S(',"detail":'));
  putSigned(w, detail);
  putText(w, S(',"desc":"'));
  putText(w, text);
  putByte(w, 34);
  eventEnd(e, Event.Fault);
}

// An empty queue begins with a head of zeros: no kind, no length.

export function eventsKind(e: Events): i32 {
  return load<u8>(e.buffer + e.at);
}

export function eventsMore(e: Events): i32 {
  return load<u8>(e.buffer + e.at, 1);
}

export function eventsPtr(e: Events): usize {
  return e.buffer + e.at + HEAD;
}

export function eventsLen(e: Events): u32 {
  return load<u16>(e.buffer + e.at, 2);
}

export function eventsTake(e: Events): void {
  if (e.at == e.end) return;
  e.at += HEAD + eventsLen(e);
  if (e.at != e.end) return;
  e.at = 0;
  e.end = 0;
  store<u32>(e.buffer, 0);
}
