// The core's digests as functions over Buffers: unit.wasm, with contexts and messages in its scratch memory.

import { readFileSync } from "node:fs";
import { wasm } from "../paths.js";

type Verb = (...args: number[]) => number;

const unit = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasm("unit"))), {}).exports as {
  [verb: string]: Verb;
} & { memory: WebAssembly.Memory };

const call = (verb: string, ...args: number[]): number => {
  const f = unit[verb];
  if (!f) throw new Error(`unit.wasm has no ${verb}: build it with asc tests/core/unit.ts --target unit`);
  return f(...args);
};

/** The linear memory, as bytes. */
export const memory = new Uint8Array(unit.memory.buffer);

/** Places in the scratch memory: a context and a second one, a digest with room around it, a key, a message. */
export const at = {
  ctx: call("scratchPtr"),
  other: call("scratchPtr") + 256,
  out: call("scratchPtr") + 544,
  key: call("scratchPtr") + 640,
  message: call("scratchPtr") + 4096,
};

/** Longest message that `at.message` has room for. */
export const messageMax = call("scratchLen") - 4096;

/** The digests by node:crypto's names, numbered as the core's `Digest`. */
export const kinds = { md5: 0, sha1: 1, sha256: 2 } as const;
export type Kind = keyof typeof kinds;
export const names = Object.keys(kinds) as Kind[];

export const contextSize = { digest: call("digestSize"), hmac: call("hmacSize") };
export const digestLength = (kind: Kind): number => call("digestLength", kinds[kind]);

export const digest = {
  init: (kind: Kind, ctx = at.ctx) => call("digestInit", kinds[kind], ctx),
  update: (kind: Kind, ptr: number, len: number, ctx = at.ctx) => call("digestUpdate", kinds[kind], ctx, ptr, len),
  final: (kind: Kind, ctx = at.ctx, out = at.out): string => {
    call("digestFinal", kinds[kind], ctx, out);
    return Buffer.from(memory.subarray(out, out + digestLength(kind))).toString("hex");
  },
};

export const hmac = {
  init: (kind: Kind, key: Uint8Array, ctx = at.ctx) => {
    memory.set(key, at.key);
    call("hmacInit", ctx, kinds[kind], at.key, key.length);
    memory.fill(0xee, at.key, at.key + key.length);
  },
  update: (ptr: number, len: number, ctx = at.ctx) => call("hmacUpdate", ctx, ptr, len),
  final: (kind: Kind, ctx = at.ctx): string => {
    call("hmacFinal", ctx, at.out);
    return Buffer.from(memory.subarray(at.out, at.out + digestLength(kind))).toString("hex");
  },
};

/** Calls `update` with `bytes`, put at an address `skew` past a multiple of eight, in pieces that end at `cuts`. */
function feed(bytes: Uint8Array, cuts: readonly number[], skew: number, update: (ptr: number, len: number) => void) {
  const ptr = at.message + skew;
  memory.set(bytes, ptr);
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    update(ptr + from, to - from);
    from = to;
  }
}

/** The digest of `bytes`, absorbed in pieces that end at `cuts` (ascending). */
export function hash(kind: Kind, bytes: Uint8Array, cuts: readonly number[] = [], skew = 0): string {
  digest.init(kind);
  feed(bytes, cuts, skew, (ptr, len) => digest.update(kind, ptr, len));
  return digest.final(kind);
}

/** The HMAC of `bytes` under `key`, absorbed in pieces that end at `cuts` (ascending). */
export function mac(kind: Kind, key: Uint8Array, bytes: Uint8Array, cuts: readonly number[] = []): string {
  hmac.init(kind, key);
  feed(bytes, cuts, 0, (ptr, len) => hmac.update(ptr, len));
  return hmac.final(kind);
}
