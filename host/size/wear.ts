/** What updates wear out of a flash: erases by region, and how long the part lasts (docs/state-region.md, "Wear"). */
import type { FlashLayout, Region } from "../node/flash_layout.js";

/** How a device is used. */
export interface Use {
  /** Size of a package, bytes. */
  packageBytes: number;
  /** Updates a year. */
  updates: number;
  /** Erases that a sector stands. */
  cycles: number;
}

/** One region. */
export interface RegionWear {
  name: "slots" | "state" | "boot" | "queue";
  /** Sectors that share the erases. */
  sectors: number;
  /** Erases that an update without power cuts takes in the whole region, at most. */
  erases: number;
  /** Updates until the first sector has used its cycles up; null = no update wears it. */
  updates: number | null;
}

export interface Wear extends Use {
  regions: RegionWear[];
  /** Updates that the part lasts: the least of the regions. */
  lifetimeUpdates: number;
  years: number;
}

/** Bytes of records with their framing, docs/state-region.md "Kinds". */
const [INSTALLED, UPDATE, MARK, HEADER] = [112, 188, 48, 16];
/** An update writes this record as accepted, verified, activated and none. */
const PHASES = 4;
const MARK_INTERVAL = 32 * 1024;
/** A mark stands where a block of the download ends. */
const BLOCK = 2048;
/** The boot loader writes a record, in a sector of its own, to activate, to start on trial and to confirm. */
const BOOT_RECORDS = 3;
const BOOT_SECTORS = 4;

/**
 * What a layout stands of a use.
 *
 * Throws Error: one line, when the package fits no slot, or a sector of the state region holds no records.
 */
export function wearOf(layout: FlashLayout, use: Use): Wear {
  const { sector } = layout;
  const least = Math.min(...layout.slots.map(([, length]) => length));
  if (use.packageBytes > least)
    throw new Error(`a package of ${use.packageBytes} bytes does not fit: the smaller slot has ${least}`);
  const sectorsOf = ([, length]: Region): number => length / sector;
  const image = Math.ceil(use.packageBytes / sector);
  const region = (name: RegionWear["name"], sectors: number, erases: number): RegionWear => {
    const updates = erases === 0 ? null : Math.floor((use.cycles * sectors) / erases);
    return { name, sectors, erases, updates };
  };
  const regions = [
    // the slots take turns, so each of an image's sectors is erased once in two updates
    region("slots", 2 * image, image),
    region("state", sectorsOf(layout.state), stateErases(layout, use.packageBytes)),
    region("boot", Math.min(BOOT_SECTORS, sectorsOf(layout.boot)), BOOT_RECORDS),
    region("queue", sectorsOf(layout.queue), 0),
  ];
  const lifetimeUpdates = Math.min(...regions.flatMap(({ updates }) => updates ?? []));
  return { ...use, regions, lifetimeUpdates, years: lifetimeUpdates / use.updates };
}

function stateErases({ sector, write }: FlashLayout, size: number): number {
  const up = (bytes: number): number => Math.ceil(bytes / write) * write;
  // both are multiples of 32, and blocks end with sectors where both divide
  let interval = sector;
  while (interval < MARK_INTERVAL || interval % BLOCK !== 0) interval += sector;
  const marks = Math.max(0, Math.ceil(size / interval) - 1);
  const written = PHASES * up(UPDATE) + up(INSTALLED) + marks * up(MARK);
  const room = sector - up(HEADER) - up(UPDATE) - up(INSTALLED) - up(MARK);
  if (room < up(UPDATE))
    throw new Error(`a sector of ${sector} bytes is too small for the records of the state region`);
  // a run that writes begins a fresh sector, and an update has two: before the restart and after it
  return 2 + Math.floor(written / room);
}
