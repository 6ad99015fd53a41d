// The verbs of a crypto module as functions over Buffers, with contexts and messages in the memory above its own.

import { readFileSync } from "node:fs";
import { wasm } from "../paths.js";

type Verb = (...args: number[]) => number;

/** The three grades of the same sources. */
export const modules = ["crypto", "crypto-mcu", "crypto-small"] as const;

/** The digests by node:crypto's names, numbered as the core's `Digest`. */
export const kinds = { md5: 0, sha1: 1, sha256: 2 } as const;
export type Kind = keyof typeof kinds;
export const names = Object.keys(kinds) as Kind[];

/** A fresh instance of build/NAME.wasm. */
export function load(name: string) {
  const exports = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasm(name))), {}).exports as {
    [verb: string]: Verb;
  } & { memory: WebAssembly.Memory; __heap_base: WebAssembly.Global };
  const call = (verb: string, ...args: number[]): number => {
    const f = exports[verb];
    if (!f) throw new Error(`${name}.wasm has no ${verb}: npm run build:wasm`);
    return f(...args);
  };

  /** The linear memory, as bytes. */
  const memory = new Uint8Array(exports.memory.buffer);

  const base = Math.ceil((exports.__heap_base.value as number) / 64) * 64;
  /** Places in the memory: a context and a second one, a digest with room around it, a key, a message. */
  const at = { ctx: base, other: base + 384, out: base + 800, key: base + 896, message: base + 4096 };

  /** Longest message that `at.message` has room for. */
  const messageMax = 48 * 1024 - 4096;

  const contextSize = { digest: call("digestSize"), hmac: call("hmacSize"), aes: call("aesSize") };
  const digestLength = (kind: Kind): number => call("digestLength", kinds[kind]);

  const digest = {
    init: (kind: Kind, ctx = at.ctx) => call("digestInit", kinds[kind], ctx),
    update: (kind: Kind, ptr: number, len: number, ctx = at.ctx) => call("digestUpdate", kinds[kind], ctx, ptr, len),
    final: (kind: Kind, ctx = at.ctx, out = at.out): string => {
      call("digestFinal", kinds[kind], ctx, out);
      return Buffer.from(memory.subarray(out, out + digestLength(kind))).toString("hex");
    },
  };

  const hmac = {
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
  function hash(kind: Kind, bytes: Uint8Array, cuts: readonly number[] = [], skew = 0): string {
    digest.init(kind);
    feed(bytes, cuts, skew, (ptr, len) => digest.update(kind, ptr, len));
    return digest.final(kind);
  }

  /** The HMAC of `bytes` under `key`, absorbed in pieces that end at `cuts` (ascending). */
  function mac(kind: Kind, key: Uint8Array, bytes: Uint8Array, cuts: readonly number[] = []): string {
    hmac.init(kind, key);
    feed(bytes, cuts, 0, (ptr, len) => hmac.update(ptr, len));
    return hmac.final(kind);
  }

  return { at, call, contextSize, digest, digestLength, hash, hmac, mac, memory, messageMax };
}
