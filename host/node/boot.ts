/**
 * The boot loader's stand-in: which slot starts, counted trials, fall-back. Its record lives in the boot region of the
 * flash and is written by the flash's rules only. The format is docs/boot-record.md; a boot loader in C reads the same.
 */
import { Boot } from "../abi.js";
import { type Flash, FlashError } from "./flash.js";

/** Bytes of a record; a multiple of every write unit there is. */
export const RECORD_BYTES = 32;
/** "ALBR" read as a little-endian u32. */
const MAGIC = 0x52424c41;
const VERSION = 1;
const CRC_OFFSET = 28;

/** Kind of a record. */
export const Kind = { Confirmed: 0, Trial: 1 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Sectors of the region that are used at most. */
const SECTORS = 4;

/** Why the boot loader fell back. */
export const Reason = {
  /** It did not. */
  None: 0,
  /** Every start of the trial was used up without a confirmation. */
  StartsUsedUp: 1,
} as const;

export interface BootRecord {
  kind: Kind;
  /** The slot to start, 0 or 1. */
  slot: number;
  /** The slot to fall back to. */
  fallBack: number;
  /** Starts left of a trial, 0 … 255. */
  starts: number;
  /** Why the present slot was fallen back to, `Reason`. */
  reason: number;
  /** Grows by one with each record; the newest wins. */
  sequence: number;
}

/** What was started; the arguments of the module's `booted`. */
export interface Started {
  slot: number;
  how: Boot;
  reason: number;
}

/** The boot loader refuses a request. */
export class BootError extends Error {
  override name = "BootError";
}

/** A fresh part: slot 0 runs, nothing on trial. */
const FRESH: BootRecord = { kind: Kind.Confirmed, slot: 0, fallBack: 0, starts: 0, reason: Reason.None, sequence: 0 };

export class BootLoader {
  #started: Started | undefined;

  /** @param flash the part that has the boot region */
  constructor(readonly flash: Flash) {}

  /**
   * Start the device: decide which slot runs, and take one start off a trial before it runs.
   * @throws what the flash throws
   */
  boot(): Started {
    const newest = this.#newest();
    const record = newest?.record ?? FRESH;
    if (record.kind === Kind.Confirmed) {
      // Everything of this run leans on the record, so one that may be torn is written again first.
      if (newest?.settled === false) this.#settle(record);
      const how = record.reason === Reason.None ? Boot.Confirmed : Boot.FellBack;
      this.#started = { slot: record.slot, how, reason: record.reason };
    } else if (record.starts > 0) {
      this.#append({ ...record, starts: record.starts - 1 });
      this.#started = { slot: record.slot, how: Boot.Trial, reason: Reason.None };
    } else {
      const reason = Reason.StartsUsedUp;
      this.#append({ kind: Kind.Confirmed, slot: record.fallBack, fallBack: record.fallBack, starts: 0, reason });
      this.#started = { slot: record.fallBack, how: Boot.FellBack, reason };
    }
    return this.#started;
  }

  /**
   * Start `slot` at the next restart, on trial. Everything written to the flash before is made durable first.
   * @param slot 0 or 1, not the running one
   * @param trials starts before the running slot comes back, 1 … 255
   * @throws BootError
   */
  activate(slot: number, trials = 3): void {
    const started = this.#running();
    if (slot !== 0 && slot !== 1) throw new BootError(`boot: there is no slot ${slot}`);
    if (slot === started.slot) throw new BootError(`boot: slot ${slot} is the running one, it cannot be activated`);
    if (started.how === Boot.Trial)
      throw new BootError(`boot: the running slot ${started.slot} is itself on trial: confirm it first`);
    this.#append({ kind: Kind.Trial, slot, fallBack: started.slot, starts: trials, reason: Reason.None });
  }

  /**
   * Keep the running slot: ends its trial, or clears the reason of a fall-back. Nothing is written when it is confirmed already.
   * @throws BootError when the newest record is not about the running slot
   */
  confirm(): void {
    const started = this.#running();
    const record = this.record();
    if (record.slot !== started.slot)
      throw new BootError(
        `boot: slot ${record.slot} is activated, the running slot ${started.slot} cannot be confirmed: restart first`,
      );
    if (record.kind === Kind.Trial && started.how !== Boot.Trial)
      throw new BootError(`boot: slot ${started.slot} was not started on trial: restart first`);
    if (record.kind === Kind.Trial || record.reason !== Reason.None)
      this.#append({
        kind: Kind.Confirmed,
        slot: started.slot,
        fallBack: started.slot,
        starts: 0,
        reason: Reason.None,
      });
    this.#started = { slot: started.slot, how: Boot.Confirmed, reason: Reason.None };
  }

  /** The newest record, or that of a fresh part. */
  record(): BootRecord {
    return this.#newest()?.record ?? FRESH;
  }

  #running(): Started {
    if (this.#started === undefined) throw new BootError("boot: nothing was started yet");
    return this.#started;
  }

  #sectorOffset(sector: number): number {
    return this.flash.layout.boot[0] + sector * this.flash.layout.sector;
  }

  /** A part that cannot be written any more still starts. */
  #settle(record: BootRecord): void {
    try {
      this.#append(record);
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
    }
  }

  get #sectors(): number {
    return Math.min(SECTORS, this.flash.layout.boot[1] / this.flash.layout.sector);
  }

  #newest(): { record: BootRecord; sector: number; settled: boolean } | undefined {
    const found = Array.from({ length: this.#sectors }, (_, sector) =>
      this.#places(sector).map((record) => ({ record, sector })),
    ).flat();
    found.sort((a, b) => b.record.sequence - a.record.sequence);
    const [newest] = found;
    if (newest === undefined) return undefined;
    const settled = found.some(({ record }) => isCopy(record, newest.record));
    return { ...newest, settled };
  }

  /** The valid records of a sector. A unit that cannot be read makes no others unreadable. */
  #places(sector: number): BootRecord[] {
    const start = this.#sectorOffset(sector);
    const { sector: length } = this.flash.layout;
    const whole = attempt(() => this.flash.read(start, length));
    const records: BootRecord[] = [];
    for (let at = 0; at < length; at += RECORD_BYTES) {
      // most places are erased
      if (whole !== undefined && whole[at] !== (MAGIC & 0xff)) continue;
      const bytes = whole?.subarray(at, at + RECORD_BYTES) ?? attempt(() => this.flash.read(start + at, RECORD_BYTES));
      const record = bytes === undefined ? undefined : decodeRecord(bytes);
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /**
   * Into the sector behind the newest record's, which is erased first: what a power cut left in a sector may look erased
   * and must not be programmed. Twice, because the first copy is known to be whole when the second has begun.
   */
  #append(next: Omit<BootRecord, "sequence">): void {
    const newest = this.#newest();
    const sequence = newest?.record.sequence ?? 0;
    const place = this.#sectorOffset(newest === undefined ? 0 : (newest.sector + 1) % this.#sectors);
    this.flash.flush();
    this.flash.erase(place, this.flash.layout.sector);
    for (const copy of [0, 1]) {
      this.flash.write(place + copy * RECORD_BYTES, encodeRecord({ ...next, sequence: sequence + 1 + copy }));
      this.flash.flush();
    }
  }
}

/** Whether `record` is the one before `newest` and says the same. */
function isCopy(record: BootRecord, newest: BootRecord): boolean {
  return (
    record.sequence === newest.sequence - 1 &&
    record.kind === newest.kind &&
    record.slot === newest.slot &&
    record.fallBack === newest.fallBack &&
    record.starts === newest.starts &&
    record.reason === newest.reason
  );
}

/** undefined: the flash cannot read there. */
function attempt(read: () => Uint8Array): Uint8Array | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FlashError) return undefined;
    throw error;
  }
}

/** @returns RECORD_BYTES bytes, docs/boot-record.md */
export function encodeRecord(record: BootRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  bytes.set([VERSION, record.kind, record.slot, record.fallBack, record.starts], 4);
  view.setUint32(12, record.reason, true);
  view.setUint32(16, record.sequence, true);
  view.setUint32(CRC_OFFSET, crc32(bytes.subarray(0, CRC_OFFSET)), true);
  return bytes;
}

/** @returns the record, or undefined when the bytes are torn, erased or of another format */
export function decodeRecord(bytes: Uint8Array): BootRecord | undefined {
  if (bytes[0] !== (MAGIC & 0xff)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, RECORD_BYTES);
  if (view.getUint32(0, true) !== MAGIC || bytes[4] !== VERSION) return undefined;
  if (view.getUint32(CRC_OFFSET, true) !== crc32(bytes.subarray(0, CRC_OFFSET))) return undefined;
  const [kind, slot, fallBack, starts] = bytes.subarray(5, 9) as unknown as [number, number, number, number];
  if (kind > Kind.Trial || slot > 1 || fallBack > 1) return undefined;
  return {
    kind: kind as Kind,
    slot,
    fallBack,
    starts,
    reason: view.getUint32(12, true),
    sequence: view.getUint32(16, true),
  };
}

/** CRC-32 of IEEE 802.3 (reflected 0xEDB88320, initial value and final XOR 0xFFFFFFFF). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
