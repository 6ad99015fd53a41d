/**
 * The flash as the protocol sees it: its geometry, and one operation at a time that the host carries out. Whoever starts
 * an operation comes back on later steps until `flashResult` is no longer FLASH_PENDING.
 */
import { Done, FlashOp } from "../abi";

/** The operation has not been answered yet. */
export const FLASH_PENDING: i32 = 1;

const enum Phase {
  Idle = 0,
  Wanted = 1,
  Answered = 2,
}

/** Geometry (bytes; offsets from the start of the flash) and the operation in hand. */
@unmanaged
@final
export class Flash {
  /** Smallest erasable piece; 0 = there is no flash. */
  sector: u32 = 0;
  /** Smallest programmable piece, at most WRITE_UNIT. */
  write: u32 = 0;
  /** What an erased byte reads as. */
  erased: u32 = 0;
  slotOffset0: u32 = 0;
  slotLength0: u32 = 0;
  slotOffset1: u32 = 0;
  slotLength1: u32 = 0;
  stateOffset: u32 = 0;
  stateLength: u32 = 0;
  queueOffset: u32 = 0;
  queueLength: u32 = 0;
  phase: Phase = Phase.Idle;
  op: FlashOp = FlashOp.None;
  offset: u32 = 0;
  ptr: usize = 0;
  len: u32 = 0;
  result: i32 = 0;
}

export function slotOffset(f: Flash, slot: u32): u32 {
  return slot == 0 ? f.slotOffset0 : f.slotOffset1;
}

export function slotLength(f: Flash, slot: u32): u32 {
  return slot == 0 ? f.slotLength0 : f.slotLength1;
}

/** `length` rounded up to a multiple of the write unit. */
export function padded(f: Flash, length: u32): u32 {
  return ((length + f.write - 1) / f.write) * f.write;
}

/** Whether a new operation may be started. */
export function flashIdle(f: Flash): bool {
  return f.phase == Phase.Idle;
}

/** Ask for an operation; the flash must be idle. */
export function flashStart(f: Flash, op: FlashOp, offset: u32, ptr: usize, len: u32): void {
  f.op = op;
  f.offset = offset;
  f.ptr = ptr;
  f.len = len;
  f.phase = Phase.Wanted;
}

/** The result of the operation, once; FLASH_PENDING until then. */
export function flashResult(f: Flash): i32 {
  if (f.phase != Phase.Answered) return FLASH_PENDING;
  f.phase = Phase.Idle;
  f.op = FlashOp.None;
  return f.result;
}

/** What the host is asked for now. */
export function flashWanted(f: Flash): FlashOp {
  return f.phase == Phase.Wanted ? f.op : FlashOp.None;
}

/** The host's answer, one of Done. */
export function flashAnswer(f: Flash, result: i32): void {
  f.result = result > Done.Ok ? Done.Ok : result;
  f.phase = Phase.Answered;
}
