/**
 * Takes the bytes of a firmware image into a slot. They arrive in two half-windows of one flash block each; the digest
 * runs over them where they lie, the same bytes go to flash, and each block is read back and compared before its half is
 * used again. So one half can fill from the link while the other goes to flash.
 *
 *   done ≤ hashed ≤ placed ≤ size      (bytes from the start of the image)
 *
 * Where a sector ends, MARK_INTERVAL bytes or more behind the last mark, the digest waits for the flash and its state is
 * taken down: whoever finds the mark later goes on there without hashing a byte again. Because a mark is the end of a
 * sector, what follows it can be erased once more, whatever a power cut left there.
 */
import { Done, FlashOp } from "../abi";
import { constantTimeEqual, copy, fill } from "../bytes/text";
import { STATE_AT } from "../crypto/block";
import { Digest, DIGEST_MAX, DigestContext, digestFinal, digestInit, digestUpdate } from "../crypto/hmac";
import { ERASE_AHEAD, HASH_SLICE, HTTP_BLOCK, READ_BACK } from "../profile";
import { Flash, FLASH_PENDING, flashIdle, flashResult, flashStart, padded, slotOffset } from "./flash";
import { Mark, markState } from "./update_state";

const BLOCK: u32 = HTTP_BLOCK;
/** Bytes of the two half-windows. */
export const IMAGE_WINDOW: u32 = 2 * BLOCK;
/** Whether so much is read back at a time that it is compared by words. */
const QUICK: bool = READ_BACK > 512;
/** Bytes from one mark to the next, at least. */
export const MARK_INTERVAL: u32 = 32768;

const enum Stage {
  /** An operation for bytes that do not count any more is still in the host's hands. */
  Draining = -1,
  /** The block is not complete yet. */
  Filling = 0,
  Erase = 1,
  Write = 2,
  ReadBack = 3,
  /** It is in flash; the digest may still be behind. */
  Written = 4,
}

@unmanaged
@final
export class Image {
  flash: Flash = changetype<Flash>(0);
  window: usize = 0;
  readBack: usize = 0;
  digest: DigestContext = changetype<DigestContext>(0);
  method: Digest = Digest.Md5;
  slot: u32 = 0;
  size: u32 = 0;
  placed: u32 = 0;
  hashed: u32 = 0;
  done: u32 = 0;
  /** Bytes from the start of the slot that are erased. */
  erased: u32 = 0;
  /** Bytes of the present block that were read back. */
  compared: u32 = 0;
  stage: Stage = Stage.Filling;
  failed: bool = false;
  /** The mark has changed and must be recorded before anything else is written. */
  markDue: bool = false;
  mark: Mark = changetype<Mark>(0);
}

/** Begin with the first byte of an image of `size` bytes; the slot holds it. */
export function imageInit(i: Image, slot: u32, size: u32, method: Digest): void {
  i.slot = slot;
  i.size = size;
  i.method = method;
  i.placed = 0;
  i.hashed = 0;
  i.done = 0;
  i.erased = 0;
  i.compared = 0;
  i.stage = Stage.Draining;
  i.failed = false;
  // no byte of the slot is as the mark says, once its first sector is erased
  i.markDue = i.mark.offset != 0;
  digestInit(method, i.digest);
}

/** Right after imageInit, where the mark holds for the image: go on there instead. */
export function imageResume(i: Image): void {
  const at = i.mark.offset;
  i.markDue = false;
  i.placed = at;
  i.hashed = at;
  i.done = at;
  i.erased = at;
  if (at == 0) return;
  copy(changetype<usize>(i.digest) + STATE_AT, markState(i.mark), DIGEST_MAX);
  i.digest.length = at;
}

/** Whether the mark is to be recorded now; once. */
export function imageMarked(i: Image): bool {
  if (!i.markDue || i.stage == Stage.Draining || !flashIdle(i.flash)) return false;
  // taken back: nothing of it is there any more
  if (i.done == 0) i.mark.offset = 0;
  i.markDue = false;
  return true;
}

/** Whether a mark is due at `at`, the end of a block. */
function marks(i: Image, at: u32): bool {
  return at - i.mark.offset >= MARK_INTERVAL && at < i.size && at % i.flash.sector == 0 && !i.markDue;
}

/** Where the next bytes go. */
export function imagePtr(i: Image): usize {
  return i.window + (i.placed & (IMAGE_WINDOW - 1));
}

/** How many fit there now. */
export function imageRoom(i: Image): u32 {
  if (i.placed / BLOCK >= i.done / BLOCK + 2) return 0;
  return BLOCK - (i.placed & (BLOCK - 1));
}

/** `n` bytes of the image were put at imagePtr. */
export function imagePlaced(i: Image, n: u32): void {
  i.placed += n;
}

/** Whether every byte is hashed, written and read back. */
export function imageComplete(i: Image): bool {
  return i.done == i.size;
}

/** The digest over the image; once, after imageComplete. */
export function imageDigest(i: Image, out: usize): void {
  digestFinal(i.method, i.digest, out);
}

/** Bytes of the present block, as they will stand in flash. */
function blockLength(i: Image): u32 {
  const rest = i.size - i.done;
  return rest < BLOCK ? rest : BLOCK;
}

/** Whether the flash is free; takes the result of an operation that nobody waits for. */
export function imageDrained(i: Image): bool {
  return flashIdle(i.flash) || flashResult(i.flash) != FLASH_PENDING;
}

/** Do a bounded piece of work, while nobody else has the flash. -> whether there is more to do now. */
export function imageStep(i: Image): bool {
  if (i.failed || imageComplete(i)) return false;
  const hashing = hash(i);
  if (i.stage == Stage.Draining && imageDrained(i)) i.stage = Stage.Filling;
  if (i.stage == Stage.Filling && i.placed - i.done >= blockLength(i)) i.stage = Stage.Erase;
  if (i.stage >= Stage.Erase && i.stage != Stage.Written && !i.markDue) program(i);
  const length = blockLength(i);
  if (i.stage == Stage.Written && i.hashed - i.done >= length) {
    i.done += length;
    i.stage = Stage.Filling;
    if (marks(i, i.done)) {
      i.mark.offset = i.done;
      i.markDue = true;
      copy(markState(i.mark), changetype<usize>(i.digest) + STATE_AT, DIGEST_MAX);
    }
    return true;
  }
  return hashing;
}

function hash(i: Image): bool {
  let n = i.placed - i.hashed;
  // one contiguous run inside one half
  const toEdge = BLOCK - (i.hashed & (BLOCK - 1));
  if (toEdge == BLOCK && i.hashed != i.done && marks(i, i.hashed)) return false;
  if (n > toEdge) n = toEdge;
  if (n > HASH_SLICE) n = HASH_SLICE;
  if (n == 0) return false;
  digestUpdate(i.method, i.digest, i.window + (i.hashed & (IMAGE_WINDOW - 1)), n);
  i.hashed += n;
  return i.placed != i.hashed;
}

/** Erase ahead, write, read back: one flash operation at a time. */
function program(i: Image): void {
  const f = i.flash;
  if (!flashIdle(f)) {
    const result = flashResult(f);
    if (result == FLASH_PENDING) return;
    if (result != Done.Ok) {
      i.failed = true;
      return;
    }
    answered(i);
    if (i.failed || i.stage == Stage.Written) return;
  }
  const block = i.window + (i.done & (IMAGE_WINDOW - 1));
  const length = padded(f, blockLength(i));
  const offset = slotOffset(f, i.slot) + i.done;
  if (i.stage == Stage.Erase && i.erased >= i.done + length) i.stage = Stage.Write;
  if (i.stage == Stage.Erase) {
    flashStart(f, FlashOp.Erase, slotOffset(f, i.slot) + i.erased, 0, eraseLength(i));
  } else if (i.stage == Stage.Write) {
    // what stands behind the last byte belongs to nobody: the image is complete
    fill(block + blockLength(i), f.erased, length - blockLength(i));
    flashStart(f, FlashOp.Write, offset, block, length);
  } else {
    const rest = length - i.compared;
    flashStart(f, FlashOp.Read, offset + i.compared, i.readBack, rest < READ_BACK ? rest : READ_BACK);
  }
}

/** Bytes to erase at once: whole sectors, and none that the image does not reach. */
function eraseLength(i: Image): u32 {
  const sector = i.flash.sector;
  if (ERASE_AHEAD <= sector) return sector;
  const rest = i.size - i.erased;
  const length = rest < ERASE_AHEAD ? rest : ERASE_AHEAD;
  return ((length + sector - 1) / sector) * sector;
}

function answered(i: Image): void {
  if (i.stage == Stage.Erase) {
    i.erased += i.flash.len;
  } else if (i.stage == Stage.Write) {
    i.compared = 0;
    i.stage = Stage.ReadBack;
  } else {
    const block = i.window + (i.done & (IMAGE_WINDOW - 1)) + i.compared;
    const len = i.flash.len;
    if (!(QUICK ? same(block, i.readBack, len) : constantTimeEqual(block, i.readBack, len))) {
      i.failed = true;
      return;
    }
    i.compared += i.flash.len;
    if (i.compared == padded(i.flash, blockLength(i))) i.stage = Stage.Written;
  }
}

/** Eight bytes at a time: a read-back is a multiple of the write unit, which may be 1. */
function same(a: usize, b: usize, len: u32): bool {
  const words = len & ~7;
  for (let at: u32 = 0; at < words; at += 8) if (load<u64>(a + at) != load<u64>(b + at)) return false;
  for (let at = words; at < len; at++) if (load<u8>(a + at) != load<u8>(b + at)) return false;
  return true;
}
