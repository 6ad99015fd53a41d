/** What a flash image holds, read without changing or locking it: slots, boot records, state records. */
import { createHash } from "node:crypto";
import { type BootRecord, decodeRecord, RECORD_BYTES } from "./boot.js";
import type { FlashLayout } from "./flash_layout.js";
import { liveRecords, type StateSector, stateSectors } from "./state_records.js";

/** Reads `length` bytes from `offset`. */
export type ReadImage = (offset: number, length: number) => Uint8Array;

export interface SlotContents {
  slot: "a" | "b";
  offset: number;
  length: number;
  /** Bytes up to the last one that is not erased. */
  used: number;
  /** What the state records say of it: "installed", "accepted", "verified", "activated", "failed"; "" = nothing. */
  record: string;
  version?: string;
  size?: number;
  digest?: string;
  /** The bytes have the digest of the record. */
  intact?: boolean;
}

export interface BootPlace {
  offset: number;
  /** "newest" decides what starts; "copy" says the same once more; "damaged" is no record, but not erased either. */
  status: "newest" | "copy" | "old" | "damaged";
  record?: BootRecord;
}

export interface FlashContents {
  slots: SlotContents[];
  boot: BootPlace[];
  state: StateSector[];
}

/** Bytes that are looked at at a time. */
const BLOCK = 1024 * 1024;

/** @throws what `read` throws */
export function flashContents(layout: FlashLayout, read: ReadImage): FlashContents {
  return { slots: slots(layout, read), boot: bootPlaces(layout, read), state: stateSectors(layout, read) };
}

function slots(layout: FlashLayout, read: ReadImage): SlotContents[] {
  const records = [...liveRecords(layout, read).values()];
  return layout.slots.map(([offset, length], index) => {
    const slot = index === 0 ? "a" : "b";
    const contents: SlotContents = { slot, offset, length, used: used(layout, read, offset, length), record: "" };
    for (const { name, fields } of records) {
      if (fields.slot !== slot || fields.phase === "none") continue;
      const { version, size, digest } = fields as { version: string; size: number; digest: string };
      const holds = size > 0 && size <= length && (digest.length === 32 || digest.length === 64);
      Object.assign(contents, { record: fields.phase ?? name, version, size, digest });
      if (holds) contents.intact = digestOf(read, offset, size, digest.length === 32 ? "md5" : "sha256") === digest;
    }
    return contents;
  });
}

function used(layout: FlashLayout, read: ReadImage, offset: number, length: number): number {
  for (let end = length; end > 0; ) {
    const start = Math.max(0, end - BLOCK);
    const bytes = read(offset + start, end - start);
    for (let at = bytes.length; at > 0; at--) if (bytes[at - 1] !== layout.erased) return start + at;
    end = start;
  }
  return 0;
}

function digestOf(read: ReadImage, offset: number, size: number, method: "md5" | "sha256"): string {
  const hash = createHash(method);
  for (let at = 0; at < size; at += BLOCK) hash.update(read(offset + at, Math.min(BLOCK, size - at)));
  return hash.digest("hex");
}

function bootPlaces(layout: FlashLayout, read: ReadImage): BootPlace[] {
  const [start, length] = layout.boot;
  const places: BootPlace[] = [];
  for (let offset = start; offset < start + length; offset += RECORD_BYTES) {
    const bytes = read(offset, RECORD_BYTES);
    if (bytes.every((byte) => byte === layout.erased)) continue;
    const record = decodeRecord(bytes);
    places.push(record === undefined ? { offset, status: "damaged" } : { offset, status: "old", record });
  }
  const valid = places.filter((place) => place.record !== undefined);
  valid.sort((a, b) => b.record!.sequence - a.record!.sequence);
  if (valid[0] !== undefined) valid[0].status = "newest";
  if (valid[1] !== undefined && sameDecision(valid[0]!.record!, valid[1].record!)) valid[1].status = "copy";
  return places;
}

function sameDecision(a: BootRecord, b: BootRecord): boolean {
  return JSON.stringify({ ...a, sequence: 0 }) === JSON.stringify({ ...b, sequence: 0 });
}
