/**
 * What the state region keeps of updates: the image that was confirmed last, and the update in hand. Each structure is
 * the payload of a journal record as it stands (docs/state-region.md), so its layout is format version 1.
 */
import { copy, litLen, litPtr } from "../bytes/text";
import { crc32 } from "../crypto/crc";
import { Digest } from "../crypto/hmac";
import { DIGEST_MAX, plainVersion, VERSION_MAX } from "./offer";

/** Steps of a failed update (Alink §7). */
export const enum Failure {
  Upgrade = -1,
  Download = -2,
  Verify = -3,
  Flash = -4,
}

/** How far the update in hand is. */
export const enum UpdatePhase {
  None = 0,
  /** An offer was taken; its bytes are on their way into the slot. */
  Accepted = 1,
  /** The slot holds the package, verified. */
  Verified = 2,
  /** The boot loader was asked to start the slot on trial. */
  Activated = 3,
  /** It failed, and the platform does not know yet. */
  Failed = 4,
}

/** Payload of Kind.Installed: the image in `slot` was confirmed. Text and digest follow the structure. */
@unmanaged
@final
export class Installed {
  slot: u8 = 0;
  versionLength: u8 = 0;
  digestLength: u8 = 0;
  reserved: u8 = 0;
  size: u32 = 0;
  // digest: DIGEST_MAX bytes, version: VERSION_MAX bytes
}

const INSTALLED_HEAD: u32 = 8;
export const INSTALLED_SIZE: u32 = INSTALLED_HEAD + DIGEST_MAX + VERSION_MAX;

export function installedDigest(i: Installed): usize {
  return changetype<usize>(i) + INSTALLED_HEAD;
}

export function installedVersion(i: Installed): usize {
  return changetype<usize>(i) + INSTALLED_HEAD + DIGEST_MAX;
}

/** Payload of Kind.Update. */
@unmanaged
@final
export class UpdateState {
  phase: u8 = 0;
  slot: u8 = 0;
  /** A Digest. */
  method: u8 = 0;
  versionLength: u8 = 0;
  fromLength: u8 = 0;
  /** Step to report, -1 … -4, when it failed. */
  step: i8 = 0;
  reserved: u16 = 0;
  /** Why it failed: a Code, and the number that goes with it. */
  code: i32 = 0;
  detail: i32 = 0;
  size: u32 = 0;
  // digest: DIGEST_MAX bytes, version: VERSION_MAX bytes, the version it started from: VERSION_MAX bytes
}

const UPDATE_HEAD: u32 = 20;
export const UPDATE_SIZE: u32 = UPDATE_HEAD + DIGEST_MAX + 2 * VERSION_MAX;

export function updateDigest(s: UpdateState): usize {
  return changetype<usize>(s) + UPDATE_HEAD;
}

export function updateVersion(s: UpdateState): usize {
  return changetype<usize>(s) + UPDATE_HEAD + DIGEST_MAX;
}

export function updateFrom(s: UpdateState): usize {
  return changetype<usize>(s) + UPDATE_HEAD + DIGEST_MAX + VERSION_MAX;
}

/**
 * Payload of Kind.Mark: the bytes of the package below `offset` are in the slot, read back equal and hashed, so a download
 * goes on there. An offset of 0 is no mark. The state of the digest after those bytes follows, 32 bytes.
 */
@unmanaged
@final
export class Mark {
  offset: u32 = 0;
  /** The package and its slot: see markIdentity. */
  identity: u32 = 0;
  // state of the digest: DIGEST_MAX bytes
}

const MARK_HEAD: u32 = 8;
export const MARK_SIZE: u32 = MARK_HEAD + DIGEST_MAX;

export function markState(m: Mark): usize {
  return changetype<usize>(m) + MARK_HEAD;
}

/** Size and digest, which stand side by side, slot and method: which bytes lie where. */
export function markIdentity(s: UpdateState): u32 {
  const at = <u32>offsetof<UpdateState>("size");
  return crc32(changetype<usize>(s) + at, UPDATE_HEAD - at + DIGEST_MAX) ^ s.slot ^ ((<u32>s.method) << 8);
}

/** Whether the mark is about this package, and its bytes are not known to be wrong. */
export function markHolds(m: Mark, s: UpdateState): bool {
  return m.offset != 0 && m.offset < s.size && m.identity == markIdentity(s) && s.step > Failure.Verify;
}

/** Whether a record that was read can be used: a checksum does not say that its writer was this agent. */
export function installedSound(i: Installed): bool {
  return i.slot <= 1 && plainVersion(installedVersion(i), i.versionLength);
}

/** The same for an update; `room` is the length of its slot. */
export function updateSound(s: UpdateState, room: u32): bool {
  if (s.phase == UpdatePhase.None || <i32>s.phase > UpdatePhase.Failed || s.slot > 1) return false;
  const version = plainVersion(updateVersion(s), s.versionLength);
  if (!plainVersion(updateFrom(s), s.fromLength)) return false;
  // an update that failed may have failed because its offer had no usable version
  if (s.phase == UpdatePhase.Failed) return (version || s.versionLength == 0) && s.step < 0 && s.step >= -4;
  const digest = s.method == Digest.Md5 || s.method == Digest.Sha256;
  return digest && version && s.size > 0 && s.size <= room;
}

/** The version that runs, and where it stands. */
@unmanaged
@final
export class Running {
  slot: u32 = 0;
  /** A Boot. */
  how: i32 = 0;
  reason: i32 = 0;
  /** VERSION_MAX bytes, lent by the arena. */
  version: usize = 0;
  versionLength: u32 = 0;
}

/**
 * Which version runs: that of the update whose slot was started, else that of the image confirmed in this slot, else the
 * one the configuration names (the image the device was made with).
 */
export function runningVersion(
  r: Running,
  installed: Installed,
  installedLength: u32,
  update: UpdateState,
  configured: usize,
): void {
  // nothing is written into a running slot: a record that names it is of the image that was started from it
  const started = update.phase != UpdatePhase.None && update.phase != UpdatePhase.Failed;
  let from = litPtr(configured);
  r.versionLength = litLen(configured);
  if (started && <u32>update.slot == r.slot) {
    from = updateVersion(update);
    r.versionLength = update.versionLength;
  } else if (installedLength != 0 && <u32>installed.slot == r.slot) {
    from = installedVersion(installed);
    r.versionLength = installed.versionLength;
  }
  // a copy: the records are overwritten by the next update
  copy(r.version, from, r.versionLength);
}

/** Turn the update in hand into the installed image. */
export function install(to: Installed, from: UpdateState, digestLength: u32): void {
  to.slot = from.slot;
  to.versionLength = from.versionLength;
  to.digestLength = <u8>digestLength;
  to.reserved = 0;
  to.size = from.size;
  copy(installedDigest(to), updateDigest(from), DIGEST_MAX);
  copy(installedVersion(to), updateVersion(from), VERSION_MAX);
}
