/**
 * The state region: what must survive a restart, as append-only records, format version 1 (docs/state-region.md).
 *
 *   sector:  [ header | record | record | ... | erased ]
 *   header:  magic u32 "ALJ1", format u8 = 1, three bytes 0, sequence u32, CRC-32 of the twelve bytes before
 *   record:  mark u8 = 0x5a, kind u8, length u16, payload, CRC-32 of all before
 *
 * Little-endian; header and records are padded with the erased value to whole write units, each programmed once. The
 * newest record of a kind is the state of that kind. When a sector is full, or ends in a torn record, the live records go
 * into the next sector and its header, with the next sequence number, is written last: until then the old sector holds.
 */
import { Done, FlashOp } from "../abi";
import { constantTimeEqual, copy, fill } from "../bytes/text";
import { crc32 } from "../crypto/crc";
import { Flash, FLASH_PENDING, flashIdle, flashResult, flashStart, padded } from "./flash";
import { Mark, markHolds, UpdateState } from "./update_state";

/** Bytes of the page through which records pass. */
export const JOURNAL_PAGE: u32 = 256;
/** Kinds of record, 1 … KINDS. */
export const KINDS: u32 = 3;

export const enum Kind {
  /** The image that was confirmed last: see update_state.ts. */
  Installed = 1,
  /** The update in hand. */
  Update = 2,
  /** How far the verified bytes of the update's package reach. */
  Mark = 3,
}

const MAGIC: u32 = 0x314a4c41;
const FORMAT: u32 = 1;
const HEADER: u32 = 16;
const MARK: u32 = 0x5a;
const HEAD: u32 = 4;
const TAIL: u32 = 4;

const enum Step {
  /** Nothing to do. */
  Ready = 0,
  /** Find the newest sector. */
  Headers = 1,
  /** Read its records. */
  Records = 2,
  Append = 3,
  ReadBack = 4,
  Erase = 5,
  /** Write the live records into the new sector, then its header; read each back. */
  Compact = 6,
  CompactBack = 7,
  Header = 8,
  HeaderBack = 9,
  Failed = 10,
}

@unmanaged
@final
export class Journal {
  flash: Flash = changetype<Flash>(0);
  /** JOURNAL_PAGE bytes, then as many again for reading back. */
  page: usize = 0;
  step: Step = Step.Ready;
  /** Index of the active sector; -1 = none yet. */
  active: i32 = 0;
  sequence: u32 = 0;
  /** Next free byte in the active sector. */
  end: u32 = 0;
  /** The active sector takes no more records. */
  full: bool = false;
  /** Sector that is being looked at or made, position in it, kind that is being copied. */
  sector: u32 = 0;
  at: u32 = 0;
  kind: u32 = 0;
  /** Bytes read for the next record: a page, or less where what follows the record cannot be read. */
  want: u32 = 0;
  /** Kind waiting to be written; 0 = none. */
  dirty: u32 = 0;
  // of each kind in its order: where its live state is, the bytes of it (0 = there is none), and the length of its
  // payload in this format; a record of another length is none of ours
  state1: usize = 0;
  length1: u32 = 0;
  size1: u32 = 0;
  state2: usize = 0;
  length2: u32 = 0;
  size2: u32 = 0;
  state3: usize = 0;
  length3: u32 = 0;
  size3: u32 = 0;
}

function sectors(j: Journal): u32 {
  return j.flash.stateLength / j.flash.sector;
}

function sectorOffset(j: Journal, sector: u32): u32 {
  return j.flash.stateOffset + sector * j.flash.sector;
}

/** The three members of a kind. */
function entry(j: Journal, kind: u32): usize {
  return changetype<usize>(j) + offsetof<Journal>("state1") + (kind - 1) * 12;
}

function lengthOf(j: Journal, kind: u32): u32 {
  return load<u32>(entry(j, kind), 4);
}

/** A state has changed. The record of another package, or of one whose bytes were wrong, takes the mark along. */
function setLength(j: Journal, kind: u32, length: u32): void {
  store<u32>(entry(j, kind), length, 4);
  const m = changetype<Mark>(j.state3);
  if (kind != Kind.Update || markHolds(m, changetype<UpdateState>(j.state2))) return;
  m.offset = 0;
  j.length3 = 0;
}

/** Bytes that a record with this payload takes. */
function recordSize(j: Journal, length: u32): u32 {
  return padded(j.flash, HEAD + length + TAIL);
}

/** Begin to read the region. */
export function journalLoad(j: Journal): void {
  j.active = -1;
  j.sequence = 0;
  for (let kind: u32 = 1; kind <= KINDS; kind++) store<u32>(entry(j, kind), 0, 4);
  j.dirty = 0;
  j.sector = 0;
  j.step = Step.Headers;
}

/** Whether there is something that is still to be done. */
export function journalBusy(j: Journal): bool {
  return j.step != Step.Failed && (j.step != Step.Ready || j.dirty != 0);
}

/** A flash operation failed; what was not written is kept in memory only. */
export function journalFailed(j: Journal): bool {
  return j.step == Step.Failed;
}

/** The state of `kind` has changed: write it. The journal must be idle. */
export function journalPut(j: Journal, kind: u32): void {
  setLength(j, kind, load<u32>(entry(j, kind), 8));
  j.dirty = kind;
}

/** Go on as far as the flash allows; to be called again once the host has answered. */
export function journalStep(j: Journal): void {
  if (j.step == Step.Failed) return;
  if (j.step == Step.Ready) {
    if (j.dirty != 0 && flashIdle(j.flash)) begin(j);
    return;
  }
  if (flashIdle(j.flash)) return start(j);
  const result = flashResult(j.flash);
  if (result == FLASH_PENDING) return;
  // a header or record that cannot be read counts as torn; a write or erase that fails is the end
  const reading = j.step == Step.Headers || j.step == Step.Records;
  if (result != Done.Ok && !reading) fail(j);
  else finish(j, result == Done.Ok);
  if (j.step == Step.Ready && j.dirty != 0) begin(j);
  else if (j.step != Step.Ready && j.step != Step.Failed) start(j);
}

function begin(j: Journal): void {
  const size = recordSize(j, lengthOf(j, j.dirty));
  if (j.active >= 0 && !j.full && j.end + size <= j.flash.sector) {
    j.sector = <u32>j.active;
    j.at = j.end;
    j.kind = j.dirty;
    j.step = Step.Append;
  } else {
    j.sector = j.active < 0 ? 0 : (<u32>j.active + 1) % sectors(j);
    j.step = Step.Erase;
  }
  start(j);
}

/** Ask for the flash operation of the present step. */
function start(j: Journal): void {
  const f = j.flash;
  const offset = sectorOffset(j, j.sector);
  switch (j.step) {
    case Step.Headers:
      return flashStart(f, FlashOp.Read, offset, j.page, HEADER);
    case Step.Records: {
      const rest = f.sector - j.at;
      return flashStart(f, FlashOp.Read, offset + j.at, j.page, rest < j.want ? rest : j.want);
    }
    case Step.Append:
    case Step.Compact:
      return flashStart(f, FlashOp.Write, offset + j.at, j.page, putRecord(j, j.kind));
    case Step.ReadBack:
    case Step.CompactBack:
      return flashStart(f, FlashOp.Read, offset + j.at, j.page + JOURNAL_PAGE, written(j));
    case Step.HeaderBack:
      return flashStart(f, FlashOp.Read, offset, j.page + JOURNAL_PAGE, written(j));
    case Step.Erase:
      return flashStart(f, FlashOp.Erase, offset, 0, f.sector);
    default:
      return flashStart(f, FlashOp.Write, offset, j.page, putHeader(j));
  }
}

/** The operation of the present step has ended. */
function finish(j: Journal, ok: bool): void {
  switch (j.step) {
    case Step.Headers:
      if (ok) takeHeader(j);
      j.sector += 1;
      if (j.sector < sectors(j)) return;
      j.step = j.active < 0 ? Step.Ready : Step.Records;
      j.sector = <u32>j.active;
      j.at = padded(j.flash, HEADER);
      j.want = JOURNAL_PAGE;
      // an append that was cut may look erased and must not be programmed again: go on in the next sector
      j.full = true;
      return;
    case Step.Records:
      return takeRecord(j, ok);
    case Step.Append:
      j.step = Step.ReadBack;
      return;
    case Step.ReadBack:
      if (!same(j)) return fail(j);
      j.end = j.at + written(j);
      return done(j);
    case Step.Erase:
      j.at = padded(j.flash, HEADER);
      j.kind = 0;
      return nextLive(j);
    case Step.Compact:
      j.step = Step.CompactBack;
      return;
    case Step.CompactBack:
      if (!same(j)) return fail(j);
      j.at += written(j);
      return nextLive(j);
    case Step.Header:
      j.step = Step.HeaderBack;
      return;
    default:
      if (!same(j)) return fail(j);
      j.active = <i32>j.sector;
      j.sequence += 1;
      j.end = j.at;
      j.full = false;
      done(j);
  }
}

function done(j: Journal): void {
  j.dirty = 0;
  j.step = Step.Ready;
}

/** A record that cannot be appended goes into a fresh sector; when that fails too, the region is of no use. */
function fail(j: Journal): void {
  const appending = j.step == Step.Append || j.step == Step.ReadBack;
  j.full = true;
  j.step = appending ? Step.Ready : Step.Failed;
}

/** The next kind that has a state, or the header when all are copied. */
function nextLive(j: Journal): void {
  for (j.kind += 1; j.kind <= KINDS; j.kind++) {
    if (lengthOf(j, j.kind) == 0) continue;
    j.step = Step.Compact;
    return;
  }
  j.step = Step.Header;
}

function takeHeader(j: Journal): void {
  const p = j.page;
  if (load<u32>(p) != MAGIC || load<u8>(p, 4) != FORMAT || load<u32>(p, 12) != crc32(p, 12)) return;
  const sequence = load<u32>(p, 8);
  if (j.active >= 0 && <i32>(sequence - j.sequence) <= 0) return;
  j.active = <i32>j.sector;
  j.sequence = sequence;
}

/** Take the record in the page, or find the end of the log. */
function takeRecord(j: Journal, ok: bool): void {
  const f = j.flash;
  const p = j.page;
  const rest = f.sector - j.at;
  const head = padded(f, HEAD);
  const cap = rest < j.want ? rest : j.want;
  const length: u32 = load<u16>(p, 2);
  const size = recordSize(j, length);
  j.end = j.at;
  // a unit behind the record may be torn: read its head alone, then the record alone
  if (!ok && j.want == JOURNAL_PAGE) {
    j.want = head;
    return;
  }
  if (ok && j.want == head && load<u8>(p) == MARK && size > head && size <= rest && size < JOURNAL_PAGE) {
    j.want = size;
    return;
  }
  j.step = Step.Ready;
  // torn, erased, or nothing but garbage: what comes behind it is not looked at
  if (
    !ok ||
    load<u8>(p) != MARK ||
    HEAD + length + TAIL > cap ||
    load<u32>(p + HEAD + length) != crc32(p, HEAD + length)
  )
    return;
  const kind: u32 = load<u8>(p, 1);
  if (kind >= 1 && kind <= KINDS && length == load<u32>(entry(j, kind), 8)) {
    copy(load<u32>(entry(j, kind)), p + HEAD, length);
    setLength(j, kind, length);
  }
  j.at += size;
  j.end = j.at;
  j.want = JOURNAL_PAGE;
  if (j.at + recordSize(j, 0) <= f.sector) j.step = Step.Records;
}

function putRecord(j: Journal, kind: u32): u32 {
  const length = lengthOf(j, kind);
  const size = recordSize(j, length);
  const p = j.page;
  fill(p, j.flash.erased, size);
  store<u8>(p, MARK);
  store<u8>(p, kind, 1);
  store<u16>(p, length, 2);
  copy(p + HEAD, load<u32>(entry(j, kind)), length);
  store<u32>(p + HEAD + length, crc32(p, HEAD + length));
  return size;
}

function putHeader(j: Journal): u32 {
  const p = j.page;
  const size = padded(j.flash, HEADER);
  fill(p, j.flash.erased, size);
  store<u32>(p, MAGIC);
  store<u32>(p, FORMAT, 4);
  store<u32>(p, j.sequence + 1, 8);
  store<u32>(p, crc32(p, 12), 12);
  return size;
}

/** Bytes of what was written last. */
function written(j: Journal): u32 {
  return j.step == Step.HeaderBack ? padded(j.flash, HEADER) : recordSize(j, lengthOf(j, j.kind));
}

function same(j: Journal): bool {
  return constantTimeEqual(j.page, j.page + JOURNAL_PAGE, written(j));
}
