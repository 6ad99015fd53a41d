/**
 * agent-coap.wasm on a bench: a clock that the test turns, a network in memory that may lose, double and reorder
 * datagrams, and the platform's end of it on coap-packet and node:crypto, which share nothing with the module.
 */
import { readFileSync } from "node:fs";
import { Closed, Want } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { wasm } from "../paths.js";

export const module = new WebAssembly.Module(readFileSync(wasm("agent-coap")));

export const identity = {
  productKey: "a1X2bEnP82z",
  deviceName: "example1",
  deviceSecret: "ga7XA6KdlEeiPXQPpRbAjOZXwG8ydgSe",
};

export interface Message {
  event: string;
  [member: string]: unknown;
}

/** A datagram on its way, due at `at`. */
interface Flight {
  at: number;
  bytes: Buffer;
}

/** Where datagrams of the device go, and how the far end answers. */
export interface Far {
  received(bytes: Buffer, nowMs: number): void;
}

/** Chances of 0 to 1, drawn from `random`. */
export interface Weather {
  loss: number;
  duplicate: number;
  reorder: number;
  random: () => number;
}

/** xorshift32: the same seed gives the same run. */
export function seeded(seed: number): () => number {
  let x = seed || 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

export class CoapRig {
  agent: Agent;
  /** The host's clock, ms. */
  now = 1000;
  readonly events: Message[] = [];
  readonly dialled: string[] = [];
  linked = false;
  far: Far = { received: () => {} };
  weather: Weather = { loss: 0, duplicate: 0, reorder: 0, random: seeded(1) };
  /** Answer of the host to Want.Open: undefined = the link is there. */
  refuse: number | undefined;
  /** Datagrams and bytes on air, either way, as they left their sender. */
  sent: Buffer[] = [];
  receivedBytes = 0;
  sentBytes = 0;
  #up: Flight[] = [];
  #down: Flight[] = [];
  #entropy = 7;

  private constructor(agent: Agent) {
    this.agent = agent;
  }

  /** @param agent a fresh one; the default is an instance of `compiled` */
  static async create(configuration: Record<string, unknown> = {}, compiled = module, agent?: Agent): Promise<CoapRig> {
    const rig = new CoapRig(agent ?? (await Agent.create(compiled)));
    rig.configure(configuration);
    return rig;
  }

  configure(configuration: Record<string, unknown>): void {
    const endpoint = "coap://platform.example:5682";
    this.agent.configure({ ...identity, endpoint, pullInterval: 0, ...configuration });
  }

  /** Power is lost: a fresh instance. */
  async restart(configuration: Record<string, unknown> = {}): Promise<void> {
    this.agent = await Agent.create(module);
    this.#entropy += 1;
    this.drop();
    // ids of posts begin anew
    this.events.length = 0;
    this.configure(configuration);
    this.advance(1000);
  }

  /** Sleep: nothing is kept but the snapshot; the host's clock begins anew. */
  async sleep(elapsedMs: number): Promise<Uint8Array> {
    const snapshot = this.agent.snapshot();
    this.agent = await Agent.create(module);
    this.agent.restore(snapshot);
    this.drop();
    this.agent.exports.resumed(elapsedMs);
    this.now = 50;
    return snapshot;
  }

  /** What is on its way is lost, the link with it. */
  drop(): void {
    this.#up = [];
    this.#down = [];
    this.linked = false;
  }

  post(kind: number, payload: string | Uint8Array): number {
    return this.agent.post(kind as Parameters<Agent["post"]>[0], Buffer.from(payload));
  }

  /** A datagram for the device. */
  feed(bytes: Uint8Array): void {
    this.#launch(this.#down, Buffer.from(bytes));
  }

  #launch(to: Flight[], bytes: Buffer): void {
    const { loss, duplicate, reorder, random } = this.weather;
    if (random() < loss) return;
    for (let copies = random() < duplicate ? 2 : 1; copies > 0; copies--)
      to.push({ at: this.now + 20 + (random() < reorder ? 3000 * random() : 0), bytes });
  }

  /** Poll and serve until nothing is left to do at this moment. */
  settle(): void {
    for (let i = 0; i < 20_000; i++) {
      const want = this.agent.exports.poll(this.now | 0);
      if (want < 0) throw new Error(`poll answered ${want}: ${JSON.stringify(this.takeEvents())}`);
      if (!this.serve(want)) return;
    }
    throw new Error("the module does not come to rest");
  }

  /** Turn the clock, at most `ms`, until `done` says so. */
  advance(ms: number, done: () => boolean = () => false): boolean {
    const end = this.now + ms;
    this.settle();
    while (this.now < end && !done()) {
      const timeout = this.agent.exports.timeout();
      let next = timeout < 0 ? end : this.now + timeout;
      for (const { at } of [...this.#up, ...this.#down]) next = Math.min(next, Math.ceil(at));
      this.now = Math.min(end, Math.max(next, this.now + 1));
      this.settle();
    }
    return done();
  }

  takeEvents(): Message[] {
    for (let event = this.agent.takeEvent(); event !== undefined; event = this.agent.takeEvent())
      this.events.push(event as unknown as Message);
    return this.events;
  }

  named(name: string): Message[] {
    return this.events.filter((event) => event.event === name);
  }

  /** Serve one answer of poll. -> whether anything was done. */
  serve(want: number): boolean {
    const x = this.agent.exports;
    let done = (want & Want.Again) !== 0;
    const before = this.events.length;
    this.takeEvents();
    if (this.events.length !== before) done = true;
    if (want & Want.Entropy) {
      new Uint8Array(x.memory.buffer, x.entropyPtr(), x.entropyLen()).fill(this.#entropy).set([this.#entropy * 3], 1);
      x.entropyDone();
      return true;
    }
    if (want & Want.Open && !this.linked) {
      this.dialled.push(this.agent.peer(0));
      this.linked = this.refuse === undefined;
      if (this.refuse === undefined) x.opened(0);
      else x.closed(0, this.refuse);
      return true;
    }
    if (want & Want.Close) {
      this.linked = false;
      x.closed(0, Closed.Local);
      return true;
    }
    if (want & Want.Transmit && this.linked) {
      const bytes = Buffer.from(this.agent.tx(0));
      x.sent(0, bytes.length);
      this.sent.push(bytes);
      this.sentBytes += bytes.length;
      this.#launch(this.#up, bytes);
      done = true;
    }
    return this.#deliver() || done;
  }

  /** Whatever is due arrives. */
  #deliver(): boolean {
    const due = this.#up.filter(({ at }) => at <= this.now).sort((a, b) => a.at - b.at);
    this.#up = this.#up.filter(({ at }) => at > this.now);
    for (const { bytes } of due) this.far.received(bytes, this.now);
    const [next] = this.#down.filter(({ at }) => at <= this.now).sort((a, b) => a.at - b.at);
    if (next === undefined) return due.length > 0;
    this.#down.splice(this.#down.indexOf(next), 1);
    this.receivedBytes += next.bytes.length;
    if (this.linked && this.agent.exports.rxCap(0) >= next.bytes.length) {
      this.agent.rx(0).set(next.bytes);
      this.agent.exports.received(0, next.bytes.length);
    }
    return true;
  }
}
