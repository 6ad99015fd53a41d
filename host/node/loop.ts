/**
 * The loop that drives one module on Node: it polls, carries out what is wanted (events, entropy, boot, flash, links),
 * and sleeps until the next thing happens. It knows no topic, no message and no digest.
 */
import { randomFillSync } from "node:crypto";
import { BootOp, CHANNELS, Code, Counter, Done, FlashOp, Want } from "../abi.js";
import { Agent, AgentError, type AgentEvent, codeName } from "../agent.js";
import type { BootLoader, Started } from "./boot.js";
import { Channels } from "./channels.js";

/** Longest uninterrupted work before the event loop gets its turn, ms. */
const SLICE_MS = 20;
/** An instance that ran this long was good: a trap after it is the first of a row again, ms. */
const GOOD_MS = 600_000;
/** The module is told the time so often, ms: the host's clock may have been set. */
const CLOCK_MS = 3_600_000;
/** Traps in a row after which the device stops. */
export const TRAPS = 3;

/** The module cannot run with this configuration; the message names the member. */
export class ConfigurationError extends Error {
  override name = "ConfigurationError";
}

/** What the loop needs, and whom it tells. */
export interface LoopOptions {
  module: WebAssembly.Module;
  /** Configuration documents in their order; later members win. */
  documents: Record<string, unknown>[];
  /** The boot loader; its flash is the module's flash. */
  loader: BootLoader;
  /** PEM of the only certificate authorities to trust; undefined = those Node comes with. */
  ca: string | Buffer | undefined;
  /** Makes an instance; for tests. */
  instantiate?: (module: WebAssembly.Module) => Promise<Agent>;
  /** An event of the module. May call the loop. */
  onEvent(event: AgentEvent): void;
  /** After each poll: hand over posts. @returns whether any was, so that the next poll is due at once */
  onTurn(agent: Agent): boolean;
  /** The instance is gone and a fresh one follows. */
  onRestart(): void;
  /** The module trapped: `count` times in a row by now. */
  onTrap(error: Error, count: number): void;
  /** After each round of work; `linked`: a link exists. */
  onIdle(linked: boolean): void;
  /** Something on the host's side failed, in words; the module has been told. */
  onHostFault(text: string): void;
  /** The loop has ended by itself. */
  onFailure(error: Error): void;
}

export class Loop {
  readonly channels: Channels;
  #agent: Agent | undefined;
  #running = false;
  #inTurn = false;
  #timer: NodeJS.Timeout | undefined;
  #immediate: NodeJS.Immediate | undefined;
  #traps = 0;
  #since = 0;
  /** When the module was told the time. */
  #clockAt = Number.NEGATIVE_INFINITY;
  #last: Agent | undefined;
  #quiet: ((agent: Agent | undefined) => void) | undefined;

  constructor(readonly options: LoopOptions) {
    this.channels = new Channels(options.ca, this.wake);
  }

  /**
   * Boot, configure a first instance and begin.
   * @param sleeper go on with this state instead, after so many milliseconds
   * @throws AgentError when the configuration is refused
   */
  async start(sleeper?: { state: Uint8Array; elapsedMs: number }): Promise<void> {
    this.#running = true;
    try {
      const started = this.options.loader.boot();
      this.#agent = sleeper === undefined ? await this.#fresh(started) : await this.#woken(sleeper);
    } catch (error) {
      this.#running = false;
      throw error;
    }
    this.#since = performance.now();
    this.wake();
  }

  /** Something happened: take a turn soon. */
  readonly wake = (): void => {
    if (!this.#running || this.#immediate !== undefined) return;
    this.#immediate = setImmediate(() => this.#turn());
  };

  /** A number of the module's, also after the loop has ended. */
  counter(which: Counter): number {
    return ((this.#agent ?? this.#last)?.exports.counter(which) ?? 0) >>> 0;
  }

  /**
   * The module's state at the next moment at which nothing is under way, or after `limitMs` at the latest.
   * @returns undefined when the loop ended before
   */
  snapshot(limitMs: number): Promise<Uint8Array | undefined> {
    const until = performance.now() + limitMs;
    const timer = setTimeout(this.wake, limitMs + 1);
    return new Promise((resolve) => {
      this.#quiet = (agent) => {
        if (agent !== undefined && agent.exports.counter(Counter.Underway) > 0 && performance.now() < until) return;
        clearTimeout(timer);
        this.#quiet = undefined;
        resolve(agent?.snapshot());
      };
      this.wake();
    });
  }

  /** Drop everything at once. */
  halt(): void {
    this.#running = false;
    this.#agent = undefined;
    this.#stopTimers();
    this.channels.drop();
    this.#quiet?.(undefined);
  }

  async #woken({ state, elapsedMs }: { state: Uint8Array; elapsedMs: number }): Promise<Agent> {
    const agent = await (this.options.instantiate ?? Agent.create)(this.options.module);
    agent.restore(state);
    const code = agent.exports.resumed(elapsedMs);
    if (code < 0) throw new AgentError(code, `the module does not go on from the snapshot: ${codeName(code)}`);
    return agent;
  }

  async #fresh(started: Started): Promise<Agent> {
    this.#clockAt = Number.NEGATIVE_INFINITY;
    const agent = await (this.options.instantiate ?? Agent.create)(this.options.module);
    for (const document of this.options.documents) configure(agent, document);
    const code = agent.exports.booted(started.slot, started.how, started.reason);
    if (code < 0) throw new AgentError(code, "the module does not take the boot loader's report");
    // The first poll checks the configuration as a whole; what it wants, the next one wants again.
    const want = agent.exports.poll(nowMs());
    if (want < 0)
      throw new ConfigurationError(agent.faultText() ?? `the module refuses the configuration: ${codeName(want)}`);
    return agent;
  }

  #turn(): void {
    const agent = this.#agent;
    if (this.#inTurn) return;
    this.#last = agent ?? this.#last;
    this.#stopTimers();
    if (agent === undefined) return;
    this.#inTurn = true;
    let busy = false;
    try {
      busy = this.#work(agent);
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError || error instanceof AgentError) this.#trapped(error);
      else throw error;
    } finally {
      this.#inTurn = false;
    }
    if (this.#agent !== agent) return;
    this.options.onIdle(this.channels.linked);
    if (busy) this.wake();
    else this.#sleep(agent);
    if (!busy) this.#quiet?.(agent);
  }

  /** @returns whether there is more to do now */
  #work(agent: Agent): boolean {
    const until = performance.now() + SLICE_MS;
    let busy = true;
    this.#tellTime(agent);
    while (busy && this.#agent === agent && performance.now() < until) {
      const want = agent.exports.poll(nowMs());
      if (want < 0) throw new AgentError(want, `the module cannot be polled: ${codeName(want)}`);
      busy = this.#serve(agent, want);
      if (this.#agent === agent) busy = this.options.onTurn(agent) || busy;
    }
    return busy;
  }

  #tellTime(agent: Agent): void {
    const now = performance.now();
    if (now - this.#clockAt < CLOCK_MS) return;
    this.#clockAt = now;
    agent.exports.wallClock(Math.trunc(Date.now() / 1000) | 0);
  }

  #sleep(agent: Agent): void {
    const ms = agent.exports.timeout();
    if (ms >= 0) this.#timer = setTimeout(() => this.#turn(), ms);
  }

  #serve(agent: Agent, want: number): boolean {
    let busy = (want & Want.Again) !== 0;
    if ((want & Want.Event) !== 0) busy = this.#events(agent) || busy;
    if (this.#agent !== agent) return false;
    if ((want & Want.Restart) !== 0) {
      this.#replace();
      return false;
    }
    if ((want & Want.Entropy) !== 0) {
      randomFillSync(agent.entropy());
      agent.exports.entropyDone();
      busy = true;
    }
    if ((want & Want.Boot) !== 0) busy = this.#boot(agent) || busy;
    if ((want & Want.Flash) !== 0) busy = this.#flash(agent) || busy;
    for (let ch = 0; ch < CHANNELS; ch++) busy = this.channels.serve(agent, ch, want) || busy;
    return busy;
  }

  #events(agent: Agent): boolean {
    let any = false;
    while (this.#agent === agent) {
      try {
        const event = agent.takeEvent();
        if (event === undefined) break;
        this.options.onEvent(event);
      } catch (error) {
        // Only an event that was taken may be left out; anything else would come again for ever.
        if (!(error instanceof AgentError) || error.code === Code.BadState) throw error;
        this.options.onEvent({ event: "fault", code: error.code, detail: 0, desc: error.message });
      }
      any = true;
    }
    return any;
  }

  #boot(agent: Agent): boolean {
    const op = agent.exports.bootOp();
    if (op === BootOp.None) return false;
    const { loader } = this.options;
    const result = this.#attempt(() => {
      if (op === BootOp.Activate) loader.activate(agent.exports.bootSlot());
      else loader.confirm();
    });
    agent.exports.bootDone(result);
    return true;
  }

  #flash(agent: Agent): boolean {
    const op = agent.exports.flashOp();
    if (op === FlashOp.None) return false;
    const offset = agent.exports.flashOffset();
    const length = agent.exports.flashLen();
    const { flash } = this.options.loader;
    const result = this.#attempt(() => {
      const [boot, bootLength] = flash.layout.boot;
      if (offset < boot + bootLength && offset + length > boot)
        throw new Error(`the module asked for the boot region: ${length} bytes at ${offset}`);
      if (op === FlashOp.Read && flash.readInto !== undefined) flash.readInto(offset, agent.flash());
      else if (op === FlashOp.Read) agent.flash().set(flash.read(offset, length));
      else if (op === FlashOp.Write) flash.write(offset, agent.flash());
      else flash.erase(offset, length);
    });
    agent.exports.flashDone(result);
    return true;
  }

  #attempt(run: () => void): Done {
    try {
      run();
      return Done.Ok;
    } catch (error) {
      this.options.onHostFault((error as Error).message);
      return Done.Failed;
    }
  }

  #trapped(error: Error): void {
    if (performance.now() - this.#since > GOOD_MS) this.#traps = 0;
    this.#traps++;
    this.options.onTrap(error, this.#traps);
    if (!this.#running) return;
    if (this.#traps >= TRAPS)
      this.#fail(new Error(`the module stopped ${this.#traps} times in a row: ${error.message}`));
    else this.#replace();
  }

  /** A device that restarts, or is reset by its watchdog: links drop, the boot loader decides, a fresh instance goes on. */
  #replace(): void {
    this.#agent = undefined;
    this.#stopTimers();
    this.channels.drop();
    this.options.onRestart();
    const next = async () => {
      const agent = await this.#fresh(this.options.loader.boot());
      if (!this.#running) return;
      this.#agent = agent;
      this.#since = performance.now();
      this.wake();
    };
    next().catch((error: Error) => {
      if (!this.#running) return;
      // A trap inside configure counts like any other.
      if (error instanceof WebAssembly.RuntimeError) this.#trapped(error);
      else this.#fail(error);
    });
  }

  #fail(error: Error): void {
    this.halt();
    this.options.onFailure(error);
  }

  #stopTimers(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#immediate);
    this.#immediate = undefined;
  }
}

function configure(agent: Agent, document: Record<string, unknown>): void {
  try {
    agent.configure(document);
  } catch (error) {
    if (error instanceof AgentError) throw new ConfigurationError(error.message);
    throw error;
  }
}

/** As an i32 this wraps at 2^32, which is what the contract asks for. */
function nowMs(): number {
  return Math.trunc(performance.now()) | 0;
}
