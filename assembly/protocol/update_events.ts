/** The events of an update, and its failure in words. */
import { Event } from "../abi";
import { S } from "../bytes/text";
import {
  putByte,
  putDecimal,
  putHex,
  putSigned,
  putText,
  putBytes,
  Writer,
  writerDone,
  writerInit,
} from "../bytes/writer";
import { describe } from "./describe";
import { eventOf, eventEnd, Events } from "./events";
import * as events from "./events";
import { Digest, digestLength } from "../crypto/hmac";
import { WITH_CONFIRM } from "../profile";
import { UpdateState, updateDigest, updateFrom, updateVersion } from "./update_state";

/** Longest description, bytes (Alink §7). */
const DESC_MAX: u32 = 128;

function putVersion(w: Writer, s: UpdateState): void {
  putText(w, S(',"version":"'));
  putBytes(w, updateVersion(s), s.versionLength);
  putByte(w, 34);
}

function putSize(w: Writer, size: u32): void {
  putText(w, S(',"size":'));
  putDecimal(w, size);
}

function putSlot(w: Writer, s: UpdateState): void {
  putText(w, s.slot == 0 ? S(',"slot":"a"') : S(',"slot":"b"'));
}

function putDigest(w: Writer, s: UpdateState): void {
  putText(w, S(',"digest":"'));
  putHex(w, updateDigest(s), digestLength(<Digest>s.method), false);
  putByte(w, 34);
}

/** `ask`: the application has to decide. */
export function emitOffered(e: Events, s: UpdateState, ask: bool): void {
  const w = eventOf(e, S('update.offered"'));
  putVersion(w, s);
  putSize(w, s.size);
  putText(w, s.method == Digest.Md5 ? S(',"signMethod":"md5"') : S(',"signMethod":"sha256"'));
  putText(w, WITH_CONFIRM && ask ? S(',"confirm":true') : S(',"confirm":false'));
  eventEnd(e, Event.UpdateOffered);
}

export function emitProgress(e: Events, percent: u32, bytes: u32, size: u32): void {
  const w = eventOf(e, S('update.progress","step":'));
  putDecimal(w, percent);
  putText(w, S(',"bytes":'));
  putDecimal(w, bytes);
  putSize(w, size);
  eventEnd(e, Event.UpdateProgress);
}

export function emitVerified(e: Events, s: UpdateState): void {
  const w = eventOf(e, S('update.verified"'));
  putVersion(w, s);
  putSize(w, s.size);
  putDigest(w, s);
  putSlot(w, s);
  eventEnd(e, Event.UpdateVerified);
}

export function emitRestart(e: Events, s: UpdateState): void {
  const w = eventOf(e, S('update.restart"'));
  putVersion(w, s);
  putSlot(w, s);
  eventEnd(e, Event.UpdateRestart);
}

export function emitConfirmed(e: Events, s: UpdateState): void {
  const w = eventOf(e, S('update.confirmed","from":"'));
  putBytes(w, updateFrom(s), s.fromLength);
  putByte(w, 34);
  putVersion(w, s);
  putSlot(w, s);
  putDigest(w, s);
  putSize(w, s.size);
  eventEnd(e, Event.UpdateConfirmed);
}

export function emitFailed(e: Events, s: UpdateState, scratch: usize): void {
  const length = putDescription(e.writer, scratch, s);
  const w = eventOf(e, S('update.failed"'));
  putVersion(w, s);
  putText(w, S(',"step":'));
  putSigned(w, s.step);
  putText(w, S(',"code":'));
  putSigned(w, s.code);
  putText(w, S(',"detail":'));
  putSigned(w, s.detail);
  putText(w, S(',"desc":"'));
  putBytes(w, scratch, length);
  putByte(w, 34);
  eventEnd(e, Event.UpdateFailed);
}

/** Something to know about that ends nothing. */
export function emitFault(e: Events, code: i32, text: usize): void {
  events.emitFault(e, code, 0, text);
}

/** Why the update failed, in words, into DESC_MAX bytes at `scratch`. -> their number. */
export function putDescription(w: Writer, scratch: usize, s: UpdateState): u32 {
  writerInit(w, scratch, DESC_MAX);
  describe(w, s.code, s.detail);
  return <u32>writerDone(w);
}
