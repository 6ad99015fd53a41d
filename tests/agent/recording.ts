// Recorded calls into a module of the agent: the memory before, what the host wrote, every call with its result, and a
// checksum of the memory after. They replay on anything that runs the module (tests/runtimes/mcu/replay.c).

import assert from "node:assert/strict";
import type { AgentExports } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";

export interface Step {
  /** What the host wrote since the call before. */
  writes: [to: number, bytes: Uint8Array][];
  name: string;
  args: number[];
  result: number;
}

export interface Recording {
  name: string;
  /** Memory [0, __heap_base) before the first step. */
  image: Uint8Array;
  steps: Step[];
  /** Of the memory after the last step, by `checksum`. */
  sum: number;
}

/** FNV-1a, 32 bit. */
export function checksum(bytes: Uint8Array): number {
  let sum = 2166136261;
  for (const byte of bytes) sum = Math.imul(sum ^ byte, 16777619) >>> 0;
  return sum;
}

/** Bytes that differ, in runs; equal bytes between two of them that are less than a run's own cost are taken along. */
function differences(before: Uint8Array, after: Uint8Array): [number, Uint8Array][] {
  const runs: [number, number][] = [];
  for (let at = 0; at < after.length; at++) {
    if (before[at] === after[at]) continue;
    const last = runs.at(-1);
    if (last !== undefined && at - last[1] < 8) last[1] = at + 1;
    else runs.push([at, at + 1]);
  }
  return runs.map(([from, to]) => [from, after.slice(from, to)]);
}

/** An agent whose calls are kept. */
export class Recorder {
  readonly agent: Agent;
  readonly #memory: Uint8Array;
  #image: Uint8Array;
  #last: Uint8Array;
  #steps: Step[] = [];
  /** Keeps calls only while a recording runs. */
  #on = false;
  #ends: (step: Step) => boolean = () => false;

  constructor(module: WebAssembly.Module) {
    const inner = new WebAssembly.Instance(module).exports as unknown as AgentExports;
    this.#memory = new Uint8Array(inner.memory.buffer, 0, inner.__heap_base.value);
    this.#image = this.#last = this.#memory.slice();
    const wrapped: Record<string, unknown> = { ...inner };
    for (const [name, call] of Object.entries(inner))
      if (typeof call === "function")
        wrapped[name] = (...args: number[]) => this.#call(name, call as (...args: number[]) => number, args);
    this.agent = new Agent(wrapped as unknown as AgentExports);
  }

  /** Begin here. @param ends the call that is the last one of the recording */
  begin(ends: (step: Step) => boolean): void {
    this.#image = this.#last = this.#memory.slice();
    this.#steps = [];
    this.#ends = ends;
    this.#on = true;
  }

  /** The recording since `begin`, which must have come to its end. */
  taken(name: string): Recording {
    assert.ok(!this.#on && this.#steps.length > 0, `${name}: the call that ends the recording was not made`);
    return { name, image: this.#image, steps: this.#steps, sum: checksum(this.#last) };
  }

  #call(name: string, call: (...args: number[]) => number, args: number[]): number {
    const writes = this.#on ? differences(this.#last, this.#memory) : [];
    const result = call(...args);
    if (!this.#on) return result;
    this.#last = this.#memory.slice();
    const step = { writes, name, args, result };
    this.#steps.push(step);
    this.#on = !this.#ends(step);
    return result;
  }
}

const bytesOf = (_: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { base64: Buffer.from(value).toString("base64") } : value;

/** Recordings as JSON, bytes in base64. */
export const toText = (recordings: Recording[]): string => JSON.stringify(recordings, bytesOf);

/** What `toText` made. */
export const fromText = (text: string): Recording[] =>
  JSON.parse(text, (_, value: { base64?: string } | null) =>
    typeof value?.base64 === "string" ? new Uint8Array(Buffer.from(value.base64, "base64")) : value,
  ) as Recording[];

/** Little-endian words, and bytes padded to words. */
class Words {
  readonly #parts: Buffer[] = [];

  add(...values: number[]): void {
    const words = Buffer.alloc(4 * values.length);
    values.forEach((value, i) => {
      words.writeInt32LE(value | 0, 4 * i);
    });
    this.#parts.push(words);
  }

  bytes(bytes: Uint8Array): void {
    this.add(bytes.length);
    this.#parts.push(Buffer.from(bytes), Buffer.alloc(-bytes.length & 3));
  }

  join(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/**
 * The file that replay.c reads. Words of 32 bits, little-endian; bytes are their length and then as many whole words as
 * they need: the number of recordings, then of each the image (bytes), the number of steps, the steps, the checksum.
 * A step: the number of writes, of each its place and bytes; the export, three arguments, the result.
 * @param exported names of the functions, in the order of agent_abi.h
 */
export function encode(recordings: Recording[], exported: string[]): Buffer {
  const words = new Words();
  words.add(recordings.length);
  for (const { image, steps, sum } of recordings) {
    words.bytes(image);
    words.add(steps.length);
    for (const { writes, name, args, result } of steps) {
      words.add(writes.length);
      for (const [to, bytes] of writes) {
        words.add(to);
        words.bytes(bytes);
      }
      const place = exported.indexOf(name);
      assert.ok(place >= 0, `no export ${name}`);
      words.add(place, args[0] ?? 0, args[1] ?? 0, args[2] ?? 0, result);
    }
    words.add(sum);
  }
  return words.join();
}
