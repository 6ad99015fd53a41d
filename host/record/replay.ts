/** Makes the calls of a record again, in fresh instances, and compares results and outputs one by one. */
import { createHash } from "node:crypto";
import { type AgentExports, FlashOp, Piece } from "../abi.js";
import { exportsOf, type Functions, windowOf } from "./calls.js";
import { type Call, crc32, type Export, type Layout } from "./format.js";
import { RecordError, type RecordReader } from "./reader.js";

/** What differed first. */
export interface Mismatch {
  /** Number of the call, from 1. */
  call: number;
  text: string;
}

/** How a replay ended. */
export interface Replayed {
  calls: number;
  instances: number;
  events: number;
  /** Simulated time, from the first frame. */
  ms: number;
  /** The record has its end; otherwise it was cut off, or is still being written. */
  complete: boolean;
  /** The last call trapped, as it did in the record. */
  trap?: string;
  mismatch?: Mismatch;
}

/** Who wants to follow a replay. Times are simulated, in ms. */
export interface Follower {
  instance?(ms: number): void;
  layout?(layout: Layout): void;
  note?(text: string): void;
  snapshot?(state: Uint8Array): void;
  /** A call, in words; `again`: it was made, and not only told. */
  call?(number: number, ms: number, text: string, again: boolean): void;
  event?(number: number, ms: number, event: Record<string, unknown>): void;
  /** The boot loader was asked before, or told what runs: `booted`, `bootDone`. */
  booted?(): void;
  boot?(op: number, slot: number, result: number): void;
  /** A flash operation that succeeded; an erase has no bytes. */
  flash?(op: number, offset: number, length: number, bytes: Uint8Array): void;
}

/** The last answers of the module by name, from which operations are put together. */
interface Answers {
  flashOp: number;
  flashOffset: number;
  flashLen: number;
  flash: Uint8Array;
  bootOp: number;
  bootSlot: number;
  event: Uint8Array;
  eventMore: number;
}

export class Replay {
  readonly #reader: RecordReader;
  readonly #module: WebAssembly.Module;
  readonly #follower: Follower;
  readonly #exports: Export[];
  /** Calls before the first one are only told. */
  #instance: AgentExports | undefined;
  #answers: Partial<Answers> = {};
  #pieces: Uint8Array[] = [];
  readonly #done: Replayed = { calls: 0, instances: 0, events: 0, ms: 0, complete: false };

  /**
   * @param digest SHA-256 of the module
   * @throws RecordError when the record was made with another module
   */
  constructor(reader: RecordReader, module: WebAssembly.Module, digest: Uint8Array, follower: Follower = {}) {
    const { header } = reader;
    const [wanted, given] = [hex(header.module), hex(digest)];
    if (!/^0*$/.test(wanted) && wanted !== given)
      throw new RecordError(
        `was made with the module of SHA-256 ${wanted}, this one has ${given}: name the module it was made with by --module`,
      );
    this.#reader = reader;
    this.#module = module;
    this.#follower = follower;
    this.#exports = header.exports;
  }

  /** @throws RecordError when the file turns out to be damaged, or names exports that the module does not have */
  run(): Replayed {
    for (const item of this.#reader.frames()) {
      if (item.frame === "call") this.#call(item.call);
      else if (item.frame === "instance") this.#restart(item.after);
      else if (item.frame === "layout") this.#follower.layout?.(item.layout);
      else if (item.frame === "note") this.#follower.note?.(item.text);
      else if (item.frame === "snapshot") this.#restore(item.state);
      else this.#end(item.calls, item.state);
      if (this.#done.mismatch !== undefined) break;
    }
    return this.#done;
  }

  #fresh(): void {
    const instance = new WebAssembly.Instance(this.#module).exports;
    const found = new Map(exportsOf(instance).map(({ name, parameters }) => [name, parameters]));
    for (const { name, parameters } of this.#exports)
      if (found.get(name) !== parameters)
        throw new RecordError(`calls ${name} with ${parameters} arguments, which the module does not have`);
    this.#instance = instance as unknown as AgentExports;
    this.#answers = {};
    this.#pieces = [];
  }

  #restart(after: number): void {
    this.#done.ms += after;
    this.#done.instances++;
    this.#fresh();
    this.#follower.instance?.(this.#done.ms);
  }

  #restore(state: Uint8Array): void {
    this.#fresh();
    const memory = new Uint8Array(this.#instance!.memory.buffer);
    if (state.length > memory.length)
      throw new RecordError(`has a snapshot of ${state.length} bytes, the module's memory has ${memory.length}`);
    memory.set(state);
    this.#follower.snapshot?.(state);
  }

  #end(calls: number, state: Uint8Array): void {
    const done = this.#done;
    done.complete = true;
    const unknown = state.every((byte) => byte === 0);
    if (calls !== done.calls)
      done.mismatch = { call: done.calls, text: `the record tells of ${calls} calls and has ${done.calls}` };
    else if (!unknown && this.#instance !== undefined && hex(state) !== hex(this.#digest()))
      done.mismatch = { call: done.calls, text: "the state after the last call is another" };
  }

  #digest(): Buffer {
    const { memory, __heap_base } = this.#instance!;
    return createHash("sha256")
      .update(new Uint8Array(memory.buffer, 0, __heap_base.value))
      .digest();
  }

  #call(call: Call): void {
    const done = this.#done;
    const { name } = this.#exports[call.which]!;
    done.calls++;
    done.ms += call.after;
    const again = this.#instance !== undefined;
    this.#follower.call?.(done.calls, done.ms, inWords(name, call), again);
    if (!again) return;
    this.#write(name, call);
    let result: number;
    try {
      result = this.#function(name)(...call.args);
    } catch (error) {
      this.#trapped(name, call, (error as Error).message);
      return;
    }
    if (call.trap !== undefined) this.#differs(`${name} gives ${result}, in the record it trapped: ${call.trap}`);
    else if (result !== call.result) this.#differs(`${name} gives ${result}, the record says ${call.result}`);
    else this.#compareOutput(name, call);
    this.#follow(name, call, result);
  }

  #trapped(name: string, call: Call, text: string): void {
    if (call.trap === undefined) this.#differs(`${name} traps (${text}), the record says ${call.result}`);
    else this.#done.trap = text;
  }

  #function(name: string): (...args: number[]) => number {
    return (this.#instance as unknown as Functions)[name]!;
  }

  /** Ask export `place` with as many of the call's arguments as it takes. */
  #ask(place: number, args: number[]): number {
    const { name, parameters } = this.#exports[place]!;
    return this.#function(name)(...args.slice(0, parameters));
  }

  #write(name: string, { payload, args }: Call): void {
    if (payload === undefined) return;
    const window = windowOf(this.#instance!, this.#ask(payload.at, args), payload.bytes.length);
    if (window.length === payload.bytes.length) window.set(payload.bytes);
    else this.#differs(`${name} gets ${payload.bytes.length} bytes for a window that is outside the memory`);
  }

  #compareOutput(name: string, { output, args, result }: Call): void {
    if (output === undefined) return;
    const bytes = windowOf(this.#instance!, result!, this.#ask(output.length, args));
    const stem = name.slice(0, -"Ptr".length);
    if (crc32(bytes) !== output.crc)
      this.#differs(`${name} points out ${bytes.length} bytes with another checksum than in the record`);
    else if (stem === "flash" || stem === "event") this.#answers[stem] = bytes.slice();
  }

  #differs(text: string): void {
    this.#done.mismatch ??= { call: this.#done.calls, text };
  }

  /** What the calls mean to flash, boot loader and application. */
  #follow(name: string, call: Call, result: number): void {
    const answers = this.#answers;
    if (/^(flash(Op|Offset|Len)|boot(Op|Slot)|eventMore)$/.test(name)) answers[name as "flashOp"] = result;
    else if (name === "eventDone") this.#event();
    else if (name === "booted") this.#follower.booted?.();
    else if (name === "bootDone") this.#follower.boot?.(answers.bootOp ?? 0, answers.bootSlot ?? 0, call.args[0]!);
    else if (name === "flashDone" && call.args[0] === 0) this.#flash(call);
  }

  #flash({ payload }: Call): void {
    const { flashOp = FlashOp.None, flashOffset = 0, flashLen = 0, flash = new Uint8Array() } = this.#answers;
    const bytes = flashOp === FlashOp.Read ? payload?.bytes : flashOp === FlashOp.Write ? flash : undefined;
    this.#follower.flash?.(flashOp, flashOffset, flashLen, bytes ?? new Uint8Array());
  }

  #event(): void {
    const { event = new Uint8Array(), eventMore = Piece.Last } = this.#answers;
    this.#pieces.push(event);
    if (eventMore === Piece.More) return;
    const text = Buffer.concat(this.#pieces).toString();
    this.#pieces = [];
    if (eventMore === Piece.Abandoned) return;
    this.#done.events++;
    this.#follower.event?.(this.#done.calls, this.#done.ms, parse(text));
  }
}

/** In a capsule the first piece of an event may lie before its snapshot. */
function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { event: "event", text };
  }
}

function inWords(name: string, { args, payload, result, trap }: Call): string {
  const bytes = payload === undefined ? "" : ` with ${payload.bytes.length} bytes`;
  return `${name}(${args.join(", ")})${bytes} ${trap === undefined ? `= ${result}` : `trapped: ${trap}`}`;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
