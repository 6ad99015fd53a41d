/** The event queue as the host sees it. */
import { Code } from "../abi";
import { EVENTS } from "../coap_arena";
import { eventsKind, eventsLen, eventsMore, eventsPtr, eventsTake } from "../protocol/events";

export function eventKind(): i32 {
  return eventsKind(EVENTS);
}

export function eventPtr(): i32 {
  return <i32>eventsPtr(EVENTS);
}

export function eventLen(): i32 {
  return <i32>eventsLen(EVENTS);
}

export function eventMore(): i32 {
  return eventsMore(EVENTS);
}

export function eventDone(): i32 {
  eventsTake(EVENTS);
  return Code.Ok;
}
