/**
 * Records every call into the module. Unless secrets are kept, a second instance runs alongside and gets the same calls
 * with stand-ins for credentials: results and outputs in the record are its own, so the record is true in itself, and
 * its memory has never held a credential.
 */
import { type AgentExports, Channel, Done, FlashOp } from "../abi.js";
import { Agent } from "../agent.js";
import { exportsOf, type Functions, inputOf, lengthOf, windowOf } from "./calls.js";
import { type Call, crc32, type Export, Flag, FrameWriter, type Layout } from "./format.js";
import { HttpHead, Known, StandIns } from "./stand_ins.js";

/** Where frames go: a file that keeps them all, or a capsule that keeps the last ones. */
export interface Sink {
  /** A fresh instance, with its frames. */
  begin(head: Head, instance: Uint8Array): void;
  /** Before a call; `state` copies the bytes of the state. */
  before(state: () => Uint8Array): void;
  /** A frame. */
  frame(bytes: Uint8Array): void;
  /** The instance is given up: its last call trapped, or what it gave cannot be. */
  stopped(text: string): void;
  /** Keep what waits. */
  flush(): void;
  /** Nothing follows. @param calls how many there were @param state bytes of the last instance's state */
  end(calls: number, state: Uint8Array): void;
}

/** What every header of this recorder has. */
export interface Head {
  flags: number;
  abiVersion: number;
  stateBytes: number;
  module: Uint8Array;
  exports: Export[];
}

export interface RecorderOptions {
  /** The module, and its SHA-256. */
  module: WebAssembly.Module;
  digest: Uint8Array;
  /** Record credentials as they are. */
  keepSecrets: boolean;
  sinks: Sink[];
  /** Recording ended before its time, in words; the device goes on. */
  onFault: (text: string) => void;
}

/** Bytes in which what stands in the flash differs from what the second instance wrote; more end the recording. */
const DIFFERENCES = 65_536;

type Outcome = { result: number } | { trap: Error };

/** One instance under its recorder. */
interface Pair {
  real: AgentExports;
  /** Gets stand-ins; the real one where secrets are kept. */
  told: AgentExports;
  mqtt: StandIns;
  http: HttpHead;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #frames = new FrameWriter();
  readonly #known = new Known();
  readonly #differences = new Map<number, number>();
  #pair: Pair | undefined;
  #exports: Export[] = [];
  #last = performance.now();
  #calls = 0;
  #over = false;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** A fresh instance whose calls are recorded; the one before is not called any more. */
  instance(layout: Layout | undefined): Agent {
    const { module, keepSecrets } = this.#options;
    const real = new WebAssembly.Instance(module).exports as unknown as AgentExports;
    const told = keepSecrets ? real : (new WebAssembly.Instance(module).exports as unknown as AgentExports);
    this.#pair = { real, told, mqtt: new StandIns(this.#known.add), http: new HttpHead() };
    this.#exports = exportsOf(real);
    this.#begin(layout);
    const wrapped: Record<string, unknown> = { ...real };
    for (const [which, { name }] of this.#exports.entries())
      wrapped[name] = (...args: number[]): number => this.#call(which, args);
    return new Agent(wrapped as unknown as AgentExports);
  }

  /** The host gives the instance up, in words. A capsule is written. */
  stopped(text: string): void {
    if (!this.#over && this.#pair !== undefined) this.#each((sink) => sink.stopped(text));
  }

  /** Keep what waits to be written. */
  flush(): void {
    this.#each((sink) => sink.flush());
  }

  /** The record is whole. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    const state = this.#pair === undefined ? new Uint8Array() : stateOf(this.#pair.told).slice();
    this.#each((sink) => sink.end(this.#calls, state));
  }

  #begin(layout: Layout | undefined): void {
    if (this.#over) return;
    const { told } = this.#pair!;
    if (layout !== undefined) this.#frames.layout(layout);
    this.#frames.instance(this.#elapsed());
    const frames = this.#frames.take();
    const head: Head = {
      flags: this.#options.keepSecrets ? Flag.SecretsKept : 0,
      abiVersion: told.abiVersion(),
      stateBytes: told.__heap_base.value,
      module: this.#options.digest,
      exports: this.#exports,
    };
    this.#each((sink) => sink.begin(head, frames));
  }

  #call(which: number, args: number[]): number {
    const pair = this.#pair!;
    const { name } = this.#exports[which]!;
    if (this.#over) return (pair.real as unknown as Functions)[name]!(...args);
    this.#each((sink) => sink.before(() => stateOf(pair.told).slice()));
    const call: Call = { which, after: this.#elapsed(), args: args.map((argument) => argument | 0) };
    const payload = this.#payload(pair, name, args);
    if (payload !== undefined) call.payload = payload;
    const outcome = attempt(pair.real, name, args);
    const told = pair.told === pair.real ? outcome : attempt(pair.told, name, args);
    if (!sameOutcome(outcome, told)) this.#diverged(name);
    else this.#keep(pair, call, told);
    if ("trap" in outcome) throw outcome.trap;
    return outcome.result;
  }

  #keep(pair: Pair, call: Call, outcome: Outcome): void {
    this.#calls++;
    if ("trap" in outcome) call.trap = outcome.trap.message;
    else {
      call.result = outcome.result;
      const length = lengthOf(this.#exports[call.which]!.name);
      if (length !== undefined) call.output = this.#output(pair.told, call, length);
    }
    this.#frames.call(call);
    const bytes = this.#frames.take();
    this.#each((sink) => sink.frame(bytes));
    if (call.trap !== undefined) this.stopped(call.trap);
  }

  #output(module: AgentExports, call: Call, name: string): { length: number; crc: number } {
    const length = (module as unknown as Functions)[name]!(...call.args);
    const place = this.#exports.findIndex((entry) => entry.name === name);
    return { length: place, crc: crc32(windowOf(module, call.result!, length)) };
  }

  /** What the host put into a window for this call, with stand-ins, which the second instance gets as well. */
  #payload(pair: Pair, name: string, args: number[]): Call["payload"] {
    if (name === "flashDone" && args[0] === Done.Ok && pair.told !== pair.real) this.#compareFlash(pair);
    if (name === "opened" && args[0] === Channel.Mqtt) pair.mqtt = new StandIns(this.#known.add);
    if (name === "opened" && args[0] === Channel.Http) pair.http = new HttpHead();
    const input = inputOf(pair.real, name, args);
    if (input === undefined) return undefined;
    const at = this.#exports.findIndex((entry) => entry.name === input.address);
    const bytes = input.bytes.slice();
    if (pair.told !== pair.real) {
      this.#standIn(pair, name, args, bytes);
      const given = inputOf(pair.told, name, args);
      if (given?.bytes.length === bytes.length) given.bytes.set(bytes);
    }
    return { at, bytes };
  }

  #standIn(pair: Pair, name: string, args: number[], bytes: Uint8Array): void {
    if (name === "entropyDone") return;
    if (name === "received" && args[0] === Channel.Http) {
      pair.http.replace(bytes);
      return;
    }
    if (name === "flashDone") {
      const offset = pair.real.flashOffset();
      for (const at of this.#differences.keys())
        if (at >= offset && at < offset + bytes.length) bytes[at - offset] = this.#differences.get(at)!;
    } else if (name === "received") pair.mqtt.replace(bytes);
    else new StandIns(this.#known.add).replace(bytes);
    this.#known.replace(bytes);
  }

  /** What is written to the flash may have been made of credentials: it is read again as each instance wrote it. */
  #compareFlash({ real, told }: Pair): void {
    const [op, offset, length] = [real.flashOp(), real.flashOffset(), real.flashLen()];
    if (op === FlashOp.Erase)
      for (const at of this.#differences.keys()) if (at >= offset && at < offset + length) this.#differences.delete(at);
    if (op !== FlashOp.Write) return;
    const written = windowOf(real, real.flashPtr(), length);
    const other = windowOf(told, told.flashPtr(), length);
    for (let at = 0; at < written.length && at < other.length; at++) {
      if (written[at] === other[at]) this.#differences.delete(offset + at);
      else this.#differences.set(offset + at, other[at]!);
    }
    if (this.#differences.size > DIFFERENCES) this.#stop("too much of the flash depends on credentials");
  }

  #diverged(name: string): void {
    this.#stop(
      `with stand-ins for credentials ${name} gives another result, at call ${this.#calls + 1}: --keep-secrets records it as it is`,
    );
  }

  #stop(why: string): void {
    const text = `the recording ends here: ${why}`;
    this.#frames.note(text);
    const bytes = this.#frames.take();
    this.#each((sink) => sink.frame(bytes));
    this.end();
    this.#options.onFault(text);
  }

  /** A sink that fails is left out from then on; the device must not stop because a disk is full. */
  #each(tell: (sink: Sink) => void): void {
    for (const sink of [...this.#options.sinks])
      try {
        tell(sink);
      } catch (error) {
        this.#options.sinks.splice(this.#options.sinks.indexOf(sink), 1);
        this.#options.onFault(`the recording ends here: ${(error as Error).message}`);
      }
  }

  /** Whole milliseconds since the frame before; what is left counts for the next one. */
  #elapsed(): number {
    const ms = Math.floor(performance.now() - this.#last);
    this.#last += ms;
    return ms;
  }
}

function stateOf(module: AgentExports): Uint8Array {
  return new Uint8Array(module.memory.buffer, 0, module.__heap_base.value);
}

function attempt(module: AgentExports, name: string, args: number[]): Outcome {
  try {
    return { result: (module as unknown as Functions)[name]!(...args) };
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError) return { trap: error };
    throw error;
  }
}

function sameOutcome(a: Outcome, b: Outcome): boolean {
  return "trap" in a ? "trap" in b : "result" in b && a.result === b.result;
}
