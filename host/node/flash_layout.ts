/** The regions of a flash. All offsets and lengths are bytes from the start of the flash, multiples of the sector. */
import { WRITE_UNIT } from "../abi.js";

/** [offset, length] in bytes. */
export type Region = [offset: number, length: number];

export interface FlashLayout {
  /** Smallest erasable piece, bytes. */
  sector: number;
  /** Smallest programmable piece, bytes: a power of two up to 32. */
  write: number;
  /** What an erased byte reads as: 255 or 0. */
  erased: number;
  /** The two images, A and B. */
  slots: [Region, Region];
  /** The module's records; at least two sectors. */
  state: Region;
  /** Telemetry kept while offline; at least two sectors. */
  queue: Region;
  /** The boot record; at least two sectors, of which four at most are used. */
  boot: Region;
}

/** The layout breaks a rule; the message is one line that names the member. */
export class LayoutError extends Error {
  override name = "LayoutError";
}

const MIB = 1024 * 1024;
const MEMBERS = ["sector", "write", "erased", "slots", "state", "queue", "boot"];
/** Largest flash: offsets are i32 in the contract. */
const LIMIT = 0x7fffffff;

/**
 * A complete, checked layout.
 * @param given members of the configuration's `flash` in any letter case; absent ones get their defaults: sector 4096,
 *   write 16, erased 255, two slots of 16 MiB, and state (4 sectors), queue (16) and boot (3) after what is given
 * @throws LayoutError
 */
export function flashLayout(given: unknown = {}): FlashLayout {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new LayoutError('flash: must be an object like {"sector":4096,"write":16,"slots":[[0,65536],[65536,65536]]}');
  const members = lowerCased(given as Record<string, unknown>);
  const sector = integer(members.sector ?? 4096, "sector", 64, 16 * MIB);
  const layout: FlashLayout = {
    sector,
    write: integer(members.write ?? 16, "write", 1, WRITE_UNIT),
    erased: integer(members.erased ?? 255, "erased", 0, 255),
    slots: slots(
      members.slots ?? [
        [0, 16 * MIB],
        [16 * MIB, 16 * MIB],
      ],
    ),
    state: [0, 0],
    queue: [0, 0],
    boot: [0, 0],
  };
  let end = Math.max(...layout.slots.map(([offset, length]) => offset + length));
  for (const [name, sectors] of [
    ["state", 4],
    ["queue", 16],
    ["boot", 3],
  ] as const) {
    layout[name] = members[name] === undefined ? [end, sectors * sector] : region(members[name], name);
    end = Math.max(end, layout[name][0] + layout[name][1]);
  }
  check(layout);
  return layout;
}

/** Bytes from the start of the flash to the end of its last region. */
export function flashBytes(layout: FlashLayout): number {
  return Math.max(...regions(layout).map(([, [offset, length]]) => offset + length));
}

function regions(layout: FlashLayout): [string, Region][] {
  return [
    ["slots[0]", layout.slots[0]],
    ["slots[1]", layout.slots[1]],
    ["state", layout.state],
    ["queue", layout.queue],
    ["boot", layout.boot],
  ];
}

function check(layout: FlashLayout): void {
  const { sector, write, erased } = layout;
  if ((write & (write - 1)) !== 0)
    throw new LayoutError(`flash.write: ${write} is not 1, 2, 4, 8, 16 or ${WRITE_UNIT}`);
  if (sector % WRITE_UNIT !== 0) throw new LayoutError(`flash.sector: ${sector} is not a multiple of ${WRITE_UNIT}`);
  if (erased !== 0 && erased !== 255) throw new LayoutError(`flash.erased: ${erased} is neither 255 nor 0`);
  const all = regions(layout);
  for (const [name, [offset, length]] of all) {
    const least = name.startsWith("slots") ? sector : 2 * sector;
    if (offset % sector !== 0 || length % sector !== 0)
      throw new LayoutError(`flash.${name}: [${offset},${length}] is not made of whole sectors of ${sector} bytes`);
    if (length < least) throw new LayoutError(`flash.${name}: ${length} bytes are too few, it needs at least ${least}`);
    if (offset + length > LIMIT)
      throw new LayoutError(`flash.${name}: ends at ${offset + length}, at most ${LIMIT} is possible`);
  }
  all.sort(([, [a]], [, [b]]) => a - b);
  for (let i = 1; i < all.length; i++) {
    const [name, [offset]] = all[i]!;
    const [before, [start, length]] = all[i - 1]!;
    if (start + length > offset)
      throw new LayoutError(`flash.${name}: overlaps flash.${before}, which ends at ${start + length}`);
  }
}

function slots(value: unknown): [Region, Region] {
  if (!Array.isArray(value) || value.length !== 2)
    throw new LayoutError("flash.slots: must be two regions, [[offset,length],[offset,length]]");
  return [region(value[0], "slots[0]"), region(value[1], "slots[1]")];
}

function region(value: unknown, name: string): Region {
  if (!Array.isArray(value) || value.length !== 2)
    throw new LayoutError(`flash.${name}: must be [offset,length] in bytes`);
  return [integer(value[0], `${name} offset`, 0, LIMIT), integer(value[1], `${name} length`, 1, LIMIT)];
}

function integer(value: unknown, name: string, least: number, most: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
    throw new LayoutError(`flash.${name}: must be a whole number from ${least} to ${most}`);
  return value;
}

function lowerCased(given: Record<string, unknown>): Record<string, unknown> {
  const members: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    const name = key.toLowerCase();
    if (!MEMBERS.includes(name)) throw new LayoutError(`flash.${key}: is not known; there are ${MEMBERS.join(", ")}`);
    members[name] = value;
  }
  return members;
}
