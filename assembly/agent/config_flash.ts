/** The flash layout of the configuration: its numbers in order, and the rules between them. */
import { WRITE_UNIT } from "../abi";
import { CONFIG, FLASH } from "../arena";
import { Member, is } from "./config_members";

/** The next number of a flash member. -> false when there are too many. */
export function flashNumber(member: Member, number: u32): bool {
  const f = FLASH;
  const index = CONFIG.index;
  CONFIG.index += 1;
  switch (member) {
    case Member.Sector:
      f.sector = number;
      return index == 0;
    case Member.Write:
      f.write = number;
      return index == 0;
    case Member.Erased:
      f.erased = number;
      return index == 0 && number <= 255;
    case Member.Slots:
      if (index == 0) f.slotOffset0 = number;
      else if (index == 1) f.slotLength0 = number;
      else if (index == 2) f.slotOffset1 = number;
      else f.slotLength1 = number;
      return index < 4;
    case Member.State:
      if (index == 0) f.stateOffset = number;
      else f.stateLength = number;
      return index < 2;
    default:
      if (index == 0) f.queueOffset = number;
      else f.queueLength = number;
      return index < 2;
  }
}

/** Whether the regions are made of whole sectors, have room, and lie apart. The write unit is a power of two. */
export function flashFits(): bool {
  const f = FLASH;
  if (
    f.sector == 0 ||
    f.write == 0 ||
    f.write > <u32>WRITE_UNIT ||
    (f.write & (f.write - 1)) != 0 ||
    f.sector % f.write != 0
  )
    return false;
  // records are at most one page: a sector holds its header and several of them
  if (f.sector < 1024) return false;
  return (
    region(f.slotOffset0, f.slotLength0, 1) &&
    region(f.slotOffset1, f.slotLength1, 1) &&
    region(f.stateOffset, f.stateLength, 2) &&
    region(f.queueOffset, f.queueLength, 2) &&
    apart(f.slotOffset0, f.slotLength0, f.slotOffset1, f.slotLength1) &&
    apart(f.slotOffset0, f.slotLength0, f.stateOffset, f.stateLength) &&
    apart(f.slotOffset1, f.slotLength1, f.stateOffset, f.stateLength) &&
    apart(f.slotOffset0, f.slotLength0, f.queueOffset, f.queueLength) &&
    apart(f.slotOffset1, f.slotLength1, f.queueOffset, f.queueLength) &&
    apart(f.stateOffset, f.stateLength, f.queueOffset, f.queueLength)
  );
}

/** A region ends below 2^31, so that sums of offsets never wrap. */
function region(offset: u32, length: u32, sectors: u32): bool {
  const sector = FLASH.sector;
  const whole = offset % sector == 0 && length % sector == 0;
  return whole && length >= sectors * sector && <u64>offset + <u64>length < 0x80000000;
}

function apart(a: u32, aLength: u32, b: u32, bLength: u32): bool {
  return a + aLength <= b || b + bLength <= a;
}
