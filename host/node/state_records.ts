/**
 * The state region as it stands in the flash (docs/state-region.md), for people and for tests: which sector is active,
 * which records it holds, and what is damaged. The module has its own reader; this one shares no code with it.
 */
import type { FlashLayout } from "./flash_layout.js";

/** Reads `length` bytes from `offset` of the flash; undefined = error correction cannot mend them. */
export type ReadFlash = (offset: number, length: number) => Uint8Array | undefined;

/** What a kind of record means. A new kind is a new row of RECORD_KINDS. */
export interface RecordKind {
  name: string;
  /** Bytes of the payload in format version 1. */
  length: number;
  /** The payload in words; throws Error when its content is out of range. */
  describe(payload: Buffer): Record<string, unknown>;
}

/** One record, or the damaged place that ends a log. */
export interface StateRecord {
  /** Bytes from the start of the flash. */
  offset: number;
  kind: number;
  name: string;
  /** "live": the newest of its kind in the active sector. */
  status: "live" | "old" | "damaged" | "unknown";
  payload: Uint8Array;
  fields: Record<string, unknown>;
}

export interface StateSector {
  offset: number;
  status: "active" | "old" | "erased" | "damaged";
  /** Of a valid header. */
  sequence?: number;
  records: StateRecord[];
}

const HEADER = 16;
const MAGIC = "ALJ1";
const FORMAT = 1;
const MARK = 0x5a;
const [HEAD, TAIL] = [4, 4];
/** Longest record, bytes: what the module reads at a time. */
const PAGE = 256;
const PHASES = ["none", "accepted", "verified", "activated", "failed"];

/** The kinds of format version 1, docs/state-region.md. */
export const RECORD_KINDS: Record<number, RecordKind> = {
  1: { name: "installed", length: 104, describe: installed },
  2: { name: "update", length: 180, describe: update },
  3: { name: "mark", length: 40, describe: mark },
};

function mark(payload: Buffer): Record<string, unknown> {
  const identity = payload.readUInt32LE(4).toString(16).padStart(8, "0");
  return { bytes: payload.readUInt32LE(0), identity, digestState: payload.subarray(8).toString("hex") };
}

function installed(payload: Buffer): Record<string, unknown> {
  const [slot, versionLength, digestLength] = payload;
  return {
    slot: slotName(slot!),
    version: text(payload, 40, versionLength!),
    size: payload.readUInt32LE(4),
    digest: payload.subarray(8, 8 + Math.min(32, digestLength!)).toString("hex"),
  };
}

function update(payload: Buffer): Record<string, unknown> {
  const [phase, slot, method, versionLength, fromLength] = payload;
  if (phase! >= PHASES.length) throw new Error(`phase ${phase} is not known`);
  const failed = { step: payload.readInt8(5), code: payload.readInt32LE(8), detail: payload.readInt32LE(12) };
  return {
    phase: PHASES[phase!],
    slot: slotName(slot!),
    version: text(payload, 52, versionLength!),
    from: text(payload, 116, fromLength!),
    size: payload.readUInt32LE(16),
    digest: payload.subarray(20, method === 0 ? 36 : 52).toString("hex"),
    ...(PHASES[phase!] === "failed" ? failed : {}),
  };
}

function slotName(slot: number): string {
  if (slot > 1) throw new Error(`there is no slot ${slot}`);
  return slot === 0 ? "a" : "b";
}

function text(payload: Buffer, offset: number, length: number): string {
  const value = payload.toString("latin1", offset, offset + Math.min(64, length));
  if (length > 64 || !/^[\x21-\x7e]*$/.test(value)) throw new Error("a version is not plain text");
  return value;
}

/** Every sector of the region in its place, with its records. */
export function stateSectors(layout: FlashLayout, read: ReadFlash): StateSector[] {
  const active = activeSector(layout, read);
  return sectorOffsets(layout).map((offset): StateSector => {
    const sequence = headerAt(offset, read);
    if (sequence === undefined)
      return { offset, status: blank(offset, layout, read) ? "erased" : "damaged", records: [] };
    const records = [...recordsOf(offset, layout, read)];
    if (offset === active) markLive(records);
    return { offset, status: offset === active ? "active" : "old", sequence, records };
  });
}

/** The records that count, by kind: the newest valid one of each kind in the active sector. */
export function liveRecords(layout: FlashLayout, read: ReadFlash): Map<number, StateRecord> {
  const active = activeSector(layout, read);
  const records = active === undefined ? [] : [...recordsOf(active, layout, read)];
  markLive(records);
  return new Map(records.filter(({ status }) => status === "live").map((record) => [record.kind, record]));
}

function sectorOffsets({ state: [start, length], sector }: FlashLayout): number[] {
  return Array.from({ length: length / sector }, (_, i) => start + i * sector);
}

/** Where the newest valid header stands. */
function activeSector(layout: FlashLayout, read: ReadFlash): number | undefined {
  let active: { offset: number; sequence: number } | undefined;
  for (const offset of sectorOffsets(layout)) {
    const sequence = headerAt(offset, read);
    if (sequence === undefined || (active !== undefined && !newer(sequence, active.sequence))) continue;
    active = { offset, sequence };
  }
  return active?.offset;
}

function markLive(records: StateRecord[]): void {
  const newest = new Map<number, StateRecord>();
  for (const record of records) if (record.status === "old") newest.set(record.kind, record);
  for (const record of newest.values()) record.status = "live";
}

/** Sequence numbers wrap. */
function newer(sequence: number, than: number): boolean {
  return ((sequence - than) | 0) > 0;
}

function headerAt(offset: number, read: ReadFlash): number | undefined {
  const header = read(offset, HEADER);
  if (header === undefined) return undefined;
  const view = Buffer.from(header);
  const valid =
    view.toString("latin1", 0, 4) === MAGIC && view[4] === FORMAT && view.readUInt32LE(12) === crc(view, 12);
  return valid ? view.readUInt32LE(8) : undefined;
}

function blank(offset: number, layout: FlashLayout, read: ReadFlash): boolean {
  return read(offset, layout.sector)?.every((byte) => byte === layout.erased) ?? false;
}

function* recordsOf(offset: number, layout: FlashLayout, read: ReadFlash): Generator<StateRecord> {
  const end = offset + layout.sector;
  let at = offset + padded(HEADER, layout);
  while (at + padded(HEAD + TAIL, layout) <= end) {
    const page = read(at, Math.min(PAGE, end - at));
    if (page?.every((byte) => byte === layout.erased)) return;
    const bytes = page ?? alone(at, end, layout, read);
    const record = bytes === undefined ? damaged(at, new Uint8Array(0)) : recordIn(at, Buffer.from(bytes));
    yield record;
    if (record.status === "damaged") return;
    at += padded(HEAD + record.payload.length + TAIL, layout);
  }
}

/** The record without what stands behind it, where that cannot be read. */
function alone(at: number, end: number, layout: FlashLayout, read: ReadFlash): Uint8Array | undefined {
  const head = read(at, padded(HEAD, layout));
  if (head === undefined || head[0] !== MARK) return undefined;
  const length = padded(HEAD + (head[2]! | (head[3]! << 8)) + TAIL, layout);
  return at + length <= end && length <= PAGE ? read(at, length) : undefined;
}

const damaged = (offset: number, payload: Uint8Array): StateRecord => {
  return { offset, kind: 0, name: "?", status: "damaged", payload, fields: {} };
};

function recordIn(offset: number, page: Buffer): StateRecord {
  const length = page.readUInt16LE(2);
  const end = HEAD + length;
  if (page[0] !== MARK || end + TAIL > page.length || page.readUInt32LE(end) !== crc(page, end))
    return damaged(offset, page);
  const kind = page[1]!;
  const payload = Uint8Array.from(page.subarray(HEAD, end));
  const known = RECORD_KINDS[kind];
  if (known === undefined || known.length !== length)
    return { offset, kind, name: known?.name ?? `kind ${kind}`, status: "unknown", payload, fields: { bytes: length } };
  try {
    return { offset, kind, name: known.name, status: "old", payload, fields: known.describe(Buffer.from(payload)) };
  } catch (error) {
    const fields = { error: (error as Error).message };
    return { offset, kind, name: known.name, status: "unknown", payload, fields };
  }
}

function padded(length: number, { write }: FlashLayout): number {
  return Math.ceil(length / write) * write;
}

/** CRC-32 of IEEE 802.3 over the first `length` bytes. */
function crc(bytes: Uint8Array, length: number): number {
  let value = 0xffffffff;
  for (const byte of bytes.subarray(0, length)) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) !== 0 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  }
  return ~value >>> 0;
}
