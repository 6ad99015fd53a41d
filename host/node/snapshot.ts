/**
 * A sleeping agent as bytes: the module's state with what is needed to know whether, and for how long, it may go on.
 * The format is in docs/coap.md; host/wamr/snapshot.c reads and writes the same.
 *
 * The state holds the device secret and the session's key: whoever can read a snapshot can be the device.
 */
import { createHash } from "node:crypto";

const MAGIC = Buffer.from("ALINKSN\x01", "latin1");
const MODULE = 8;
const DOCUMENTS = 40;
const ASLEEP = 72;
const CHECK = 80;
const STATE = 112;
/** Longest sleep `resumed` can tell, ms: 24 days. A longer one is told as that. */
const MOST_MS = 0x7fff_ffff;

/** A snapshot that cannot be gone on from; the message is one line that says why. */
export class SnapshotError extends Error {
  override name = "SnapshotError";
}

/** What a snapshot must agree with. */
export interface SnapshotOrigin {
  /** SHA-256 of the module; undefined = not known. */
  digest?: Uint8Array | undefined;
  /** The configuration documents in their order. */
  documents: Record<string, unknown>[];
}

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function heading({ digest, documents }: SnapshotOrigin, asleepMs: number): Buffer {
  const head = Buffer.alloc(CHECK);
  MAGIC.copy(head);
  head.set(digest ?? new Uint8Array(32), MODULE);
  sha256(Buffer.from(JSON.stringify(documents))).copy(head, DOCUMENTS);
  head.writeBigUInt64LE(BigInt(asleepMs), ASLEEP);
  return head;
}

/** @param asleepMs now, milliseconds since 1970 */
export function writeSnapshot(state: Uint8Array, origin: SnapshotOrigin, asleepMs: number): Uint8Array {
  const head = heading(origin, asleepMs);
  return Buffer.concat([head, sha256(head, state), state]);
}

/** Whether the bytes begin as a snapshot does; it may be damaged, or of another device. */
export function isSnapshot(bytes: Uint8Array): boolean {
  return MAGIC.equals(bytes.subarray(0, MODULE));
}

/**
 * @param nowMs milliseconds since 1970
 * @returns the state, and how long it slept: 0 when the clock was set back
 * @throws SnapshotError
 */
export function readSnapshot(
  snapshot: Uint8Array,
  origin: SnapshotOrigin,
  nowMs: number,
): { state: Uint8Array; elapsedMs: number } {
  const bytes = Buffer.from(snapshot.buffer, snapshot.byteOffset, snapshot.length);
  const state = bytes.subarray(STATE);
  const differs = (from: number, to: number, expected: Buffer) => !bytes.subarray(from, to).equals(expected);
  if (bytes.length <= STATE || !isSnapshot(bytes)) throw new SnapshotError("this is no snapshot of a device");
  if (differs(CHECK, STATE, sha256(bytes.subarray(0, CHECK), state)))
    throw new SnapshotError("the snapshot is damaged");
  const asleepMs = Number(bytes.readBigUInt64LE(ASLEEP));
  const expected = heading(origin, asleepMs);
  if (differs(MODULE, DOCUMENTS, expected.subarray(MODULE, DOCUMENTS)))
    throw new SnapshotError("the snapshot is of another build of the module");
  if (differs(DOCUMENTS, ASLEEP, expected.subarray(DOCUMENTS, ASLEEP)))
    throw new SnapshotError("the snapshot was made with another configuration");
  return { state, elapsedMs: Math.min(MOST_MS, Math.max(0, nowMs - asleepMs)) };
}
