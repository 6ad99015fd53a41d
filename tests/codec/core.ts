// The core's codecs on Node: unit.wasm, with structures and sinks in its scratch memory. Input stands at the very end of
// the linear memory, so that reading one byte too many traps.

import { readFileSync } from "node:fs";
import { wasm } from "../paths.js";

type Verb = (...args: number[]) => number;

const unit = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasm("unit"))), {}).exports as {
  [verb: string]: Verb;
} & { memory: WebAssembly.Memory };

export const call = (verb: string, ...args: number[]): number => {
  const f = unit[verb];
  if (!f) throw new Error(`unit.wasm has no ${verb}: build it with asc tests/core/unit.ts --target unit`);
  return f(...args);
};

/** The linear memory, as bytes. */
export const memory = new Uint8Array(unit.memory.buffer);

/** Results below zero, as in the core's abi.ts. */
export const Code = { BadMessage: -20, Unsupported: -21, OverLimit: -22 } as const;

const scratch = call("scratchPtr");

/** Places in the scratch memory, each with room up to the next one. */
export const place = { structure: scratch, other: scratch + 1024, sink: scratch + 2048 };

/** Longest sink and longest input, bytes. */
export const room = scratch + call("scratchLen") - place.sink;
export const inputMax = 12_000;

/** Put the bytes right before the end of the memory. Returns where they begin; they end at memory.length. */
export function input(bytes: Uint8Array): number {
  if (bytes.length > inputMax) throw new Error(`the test's input has ${bytes.length} bytes, the limit is ${inputMax}`);
  const at = memory.length - bytes.length;
  memory.set(bytes, at);
  return at;
}

/** A structure of `size` bytes that moves to another place whenever it is told to, its old place overwritten. */
export class Nomad {
  at = place.structure;
  constructor(readonly size: number) {}
  move(): void {
    const to = this.at === place.structure ? place.other : place.structure;
    memory.copyWithin(to, this.at, this.at + this.size);
    memory.fill(0xa5, this.at, this.at + this.size);
    this.at = to;
  }
}

/** `bytes` in pieces: at once, cut at `cuts`. */
export function pieces(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const edges = [0, ...[...cuts].map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
  return edges.slice(1).map((to, i) => bytes.subarray(edges[i], to));
}

/** Every way to cut `bytes` in two, and byte by byte. */
export function* splits(bytes: Uint8Array): Generator<Uint8Array[]> {
  for (let cut = 0; cut <= bytes.length; cut++) yield pieces(bytes, [cut]);
  yield Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

export const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");
export const utf8 = (text: string): Buffer => Buffer.from(text, "utf8");
