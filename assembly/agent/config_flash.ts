/** The flash layout of the configuration: its numbers in order, and the rules between them. */
import { WRITE_UNIT } from "../abi";
import { CONFIG, FLASH } from "../arena";
import { Flash } from "../protocol/flash";
import { Member } from "./config_members";

/** Two slots, the state region, the queue: offset and length of each stand side by side in Flash, in this order. */
const REGIONS: u32 = 4;
const SLOTS: u32 = 2;

/** The next number of a flash member; Flash has them in the order of Member. -> false when there are too many. */
export function flashNumber(member: Member, number: u32): bool {
  const index = CONFIG.index;
  CONFIG.index += 1;
  // one number each, then two regions, then one region each
  const nth: u32 = member - Member.Sector;
  const first = nth < 4 ? nth : 2 * nth - 1;
  const count: u32 = nth < 3 ? 1 : nth == 3 ? 4 : 2;
  if (index >= count || (member == Member.Erased && number > 255)) return false;
  store<u32>(changetype<usize>(FLASH) + ((first + index) << 2), number);
  return true;
}

function offsetOf(region: u32): u32 {
  return load<u32>(changetype<usize>(FLASH) + (region << 3), offsetof<Flash>("slotOffset0"));
}

function lengthOf(region: u32): u32 {
  return load<u32>(changetype<usize>(FLASH) + (region << 3), offsetof<Flash>("slotLength0"));
}

/** Whether the regions are made of whole sectors, have room, and lie apart. The write unit is a power of two. */
export function flashFits(): bool {
  const f = FLASH;
  // records are at most one page: a sector holds its header and several of them
  if (f.sector < 1024 || f.write == 0 || f.write > <u32>WRITE_UNIT) return false;
  if ((f.write & (f.write - 1)) != 0 || f.sector % f.write != 0) return false;
  for (let i: u32 = 0; i < REGIONS; i++) {
    const offset = offsetOf(i);
    const end = <u64>offset + <u64>lengthOf(i);
    if (offset % f.sector != 0 || lengthOf(i) % f.sector != 0) return false;
    if (lengthOf(i) / f.sector < (i < SLOTS ? 1 : 2)) return false;
    // a region ends below 2^31, so that sums of offsets never wrap
    if (end >= 0x80000000) return false;
    for (let j: u32 = 0; j < i; j++) {
      if (<u32>end > offsetOf(j) && offsetOf(j) + lengthOf(j) > offset) return false;
    }
  }
  return true;
}
