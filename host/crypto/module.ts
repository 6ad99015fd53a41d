// The one instance of crypto.wasm, its memory, and the slots in it.

import { readFileSync } from "node:fs";

/** Digests by name. */
export type Digest = "md5" | "sha1" | "sha256";

/** Exports of crypto.wasm: assembly/crypto_index.ts describes them. */
interface CryptoExports {
  memory: WebAssembly.Memory;
  __heap_base: WebAssembly.Global;
  windowPtr(): number;
  windowLen(): number;
  hmacSize(): number;
  aesSize(): number;
  digestInit(kind: number, ctx: number): void;
  digestUpdate(kind: number, ctx: number, ptr: number, len: number): void;
  digestFinal(kind: number, ctx: number, out: number): void;
  digestShort(kind: number, ctx: number, ptr: number, len: number, out: number): void;
  hmacInit(ctx: number, kind: number, key: number, keyLen: number): void;
  hmacUpdate(ctx: number, ptr: number, len: number): void;
  hmacFinal(ctx: number, out: number): void;
  aesInit(ctx: number, direction: number, key: number, keyLen: number): number;
  aesWipe(ctx: number): void;
  cbcStart(ctx: number, iv: number): void;
  cbcBlocks(ctx: number, dst: number, src: number, len: number): void;
  cbcSeal(ctx: number, dst: number, src: number, len: number): number;
  cbcOpen(ctx: number, dst: number, src: number, len: number): number;
  constantTimeEqual(a: number, b: number, len: number): number;
}

export const wasm = new WebAssembly.Instance(
  new WebAssembly.Module(readFileSync(new URL("../../crypto.wasm", import.meta.url))),
  {},
).exports as unknown as CryptoExports;

/** The whole memory; another view after it has grown. */
export let memory = new Uint8Array(wasm.memory.buffer);

/** Memory of the module's own that calls may use from their beginning to their end. */
export const WINDOW = wasm.windowPtr();
export const WINDOW_LENGTH = wasm.windowLen();

const DIGEST_LENGTHS = [16, 20, 32];
/** Where digests are written, and how the result of each length is read there: a copy of a view costs less than a slice. */
export const OUT = WINDOW;

const resultView = (kind: number): Uint8Array => new Uint8Array(wasm.memory.buffer, OUT, DIGEST_LENGTHS[kind]);

/** A digest as the module numbers it. */
export interface Algorithm {
  kind: number;
  result: Uint8Array;
}

const KINDS: Record<Digest, Algorithm> = {
  md5: { kind: 0, result: resultView(0) },
  sha1: { kind: 1, result: resultView(1) },
  sha256: { kind: 2, result: resultView(2) },
};

/** Growing detaches every view, so all are made anew. */
function growMemory(pages: number): void {
  wasm.memory.grow(pages);
  memory = new Uint8Array(wasm.memory.buffer);
  for (const algorithm of Object.values(KINDS)) algorithm.result = resultView(algorithm.kind);
}

/** @throws TypeError for a name that is no digest's */
export function algorithmOf(name: Digest): Algorithm {
  const found = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (found === undefined) throw new TypeError(`no digest "${name}": md5, sha1 and sha256 are known`);
  return found;
}

const PAGE = 65536;
/** Bytes in a slot: a context, then the staging. */
export const SLOT = 512;
export const CONTEXT = Math.ceil(wasm.hmacSize() / 64) * 64;
/** Most bytes that wait. Behind them is room for the padding of digestShort. */
export const STAGING = SLOT - CONTEXT - 72;

/**
 * A place in the memory. It goes from one object to the next through `free`; when an object is dropped without digest(),
 * the slot is dropped with it and a fresh one takes its place.
 */
export class Slot {
  constructor(readonly context: number) {}
}

const free: Slot[] = [];

/** Hand a slot back. */
export const giveBack = (slot: Slot): void => {
  free.push(slot);
};

let nextSlot = Math.ceil((wasm.__heap_base.value as number) / 64) * 64;

/** Set memory aside for good; before the first slot is taken. */
export function reserve(length: number): number {
  const at = nextSlot;
  nextSlot += Math.ceil(length / 64) * 64;
  return at;
}

function makeSlot(context: number): Slot {
  const slot = new Slot(context);
  abandoned.register(slot, context);
  return slot;
}

const abandoned = new FinalizationRegistry<number>((context) => {
  memory.fill(0, context, context + SLOT);
  free.push(makeSlot(context));
});

/** @throws RangeError when the memory is full of running digests */
export function takeSlot(): Slot {
  const slot = free.pop();
  if (slot !== undefined) return slot;
  if (nextSlot + SLOT > memory.length) {
    try {
      growMemory(Math.min(256, memory.length / PAGE));
    } catch {
      throw new RangeError(
        `${nextSlot / SLOT} digests are unfinished and no memory is left: call digest() or drop them`,
      );
    }
  }
  const fresh = makeSlot(nextSlot);
  nextSlot += SLOT;
  return fresh;
}

/** Copy secret bytes to the window, let `use` read them there, and wipe them. */
export function withSecret<T>(bytes: Uint8Array, use: (ptr: number) => T): T {
  memory.set(bytes, WINDOW);
  try {
    return use(WINDOW);
  } finally {
    memory.fill(0, WINDOW, WINDOW + bytes.length);
  }
}
