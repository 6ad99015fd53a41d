/**
 * The module on a bench: scripted peers, a flash in memory, a clock that the test turns. No socket, no timer, no chance:
 * the same script gives the same run.
 */
import { readFileSync } from "node:fs";
import mqttPacket, { type Packet } from "mqtt-packet";
import { Boot, BootOp, CHANNELS, Channel, Closed, Done, FlashOp, Want } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { wasm } from "../paths.js";
import { countedAgent, keeping } from "./dearest.js";

export const module = new WebAssembly.Module(readFileSync(wasm("agent")));

export const layout = {
  sector: 4096,
  write: 16,
  erased: 255,
  slots: [
    [0, 65536],
    [65536, 65536],
  ],
  state: [131072, 8192],
  queue: [139264, 8192],
};
export const FLASH_SIZE = 147456;

export const identity = {
  productKey: "a1X2bEnP82z",
  deviceName: "example1",
  deviceSecret: "ga7XA6KdlEeiPXQPpRbAjOZXwG8ydgSe",
};

export interface Message {
  event: string;
  [member: string]: unknown;
}

export interface RigOptions {
  /** A fresh agent; the default is an instance of `module`. */
  agent?: Agent;
  /** Default: agent.wasm. */
  module?: WebAssembly.Module;
  configuration?: Record<string, unknown>;
  flash?: Uint8Array;
  booted?: [slot: number, how: number, reason: number];
  /** Most bytes that the module gets at once. */
  fragment?: number;
  /** An instance that is configured already, in place of `agent`. */
  configured?: Agent;
  /** Serve flash and boot loader in place of the rig. */
  parts?: Parts;
}

/** A flash and a boot loader of the test's own; each answers with a Done, and may throw to end the run. */
export interface Parts {
  /** @param bytes the window to read into or to write from; empty for an erase of `length` bytes */
  flash(op: number, offset: number, length: number, bytes: Uint8Array): number;
  boot(op: number, slot: number): number;
}

/** What happens on a channel. */
export interface Peer {
  /** The module dials; the default takes the link. */
  dial?: (uri: string) => "open" | "wait" | number;
  /** The module sent bytes. */
  received?: (bytes: Buffer) => void;
  /** The module hung up. */
  closed?: () => void;
}

export class Rig {
  agent!: Agent;
  now = 1000;
  readonly flash: Uint8Array;
  readonly events: Message[] = [];
  readonly peers: Peer[] = [{}, {}];
  readonly dialled: string[] = [];
  readonly boot: { op: number; slot: number }[] = [];
  readonly flashOps: { op: number; offset: number; length: number }[] = [];
  restart = false;
  polls = 0;
  /** Answer of the boot loader and of the flash. */
  bootResult: number = Done.Ok;
  flashResult: (op: number, offset: number, length: number) => number = () => Done.Ok;
  readonly #incoming: Buffer[] = [Buffer.alloc(0), Buffer.alloc(0)];
  readonly #ending: (number | undefined)[] = [undefined, undefined];
  readonly linked = [false, false];
  readonly #options: RigOptions;

  private constructor(options: RigOptions) {
    this.#options = options;
    this.flash = options.flash ?? new Uint8Array(options.parts === undefined ? FLASH_SIZE : 0).fill(255);
  }

  static async create(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    const counted = keeping && options.module === undefined;
    const fresh = counted ? countedAgent(() => "hostile input") : await Agent.create(options.module ?? module);
    rig.agent = options.configured ?? options.agent ?? fresh;
    if (options.configured === undefined)
      rig.agent.configure({ ...identity, flash: layout, ...options.configuration } as Record<string, unknown>);
    const [slot, how, reason] = options.booted ?? [0, Boot.Confirmed, 0];
    rig.agent.exports.booted(slot, how, reason);
    return rig;
  }

  /** Bytes from the peer. */
  feed(ch: number, bytes: Uint8Array): void {
    this.#incoming[ch] = Buffer.concat([this.#incoming[ch]!, bytes]);
  }

  /** The peer hangs up after the bytes that were fed. */
  hangUp(ch: number, reason: number = Closed.Peer): void {
    this.#ending[ch] = reason;
  }

  /** Poll and serve until nothing is left to do at this moment. */
  settle(limit = 100_000): void {
    for (let i = 0; i < limit && !this.restart; i++) {
      const want = this.agent.exports.poll(this.now | 0);
      this.polls += 1;
      if (want < 0) throw new Error(`poll answered ${want}: ${JSON.stringify(this.takeEvents())}`);
      if (!this.serve(want)) return;
    }
    if (!this.restart) throw new Error("the module does not come to rest");
  }

  /** Turn the clock. */
  advance(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.settle();
      const timeout = this.agent.exports.timeout();
      this.now = timeout < 0 ? end : Math.min(end, this.now + Math.max(timeout, 1));
    }
    this.settle();
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
      new Uint8Array(x.memory.buffer, x.entropyPtr(), x.entropyLen()).fill(7);
      x.entropyDone();
      done = true;
    }
    if (want & Want.Restart) {
      this.restart = true;
      return false;
    }
    if (want & Want.Boot) {
      this.boot.push({ op: x.bootOp(), slot: x.bootSlot() });
      if (x.bootOp() === BootOp.None) throw new Error("Want.Boot without an operation");
      const { parts } = this.#options;
      x.bootDone(parts === undefined ? this.bootResult : parts.boot(x.bootOp(), x.bootSlot()));
      done = true;
    }
    if (want & Want.Flash) {
      this.#flash();
      done = true;
    }
    for (let ch = 0; ch < CHANNELS; ch++) done = this.#channel(ch, want) || done;
    return done;
  }

  #channel(ch: number, want: number): boolean {
    const x = this.agent.exports;
    const peer = this.peers[ch]!;
    let done = false;
    if (want & (Want.Open << ch) && !this.linked[ch]) {
      const uri = this.agent.peer(ch);
      const answer = peer.dial?.(uri) ?? "open";
      if (answer !== "wait") {
        this.dialled.push(uri);
        this.#incoming[ch] = Buffer.alloc(0);
        this.#ending[ch] = undefined;
        this.linked[ch] = answer === "open";
        if (answer === "open") x.opened(ch);
        else x.closed(ch, answer);
        done = true;
      }
    }
    if (want & (Want.Transmit << ch) && this.linked[ch]) {
      const bytes = Buffer.from(this.agent.tx(ch));
      x.sent(ch, bytes.length);
      peer.received?.(bytes);
      done = true;
    }
    if (want & (Want.Close << ch) && this.linked[ch]) {
      this.linked[ch] = false;
      x.closed(ch, Closed.Local);
      peer.closed?.();
      return true;
    }
    if (!this.linked[ch]) return done;
    const n = Math.min(this.#incoming[ch]!.length, x.rxCap(ch), this.#options.fragment ?? Number.POSITIVE_INFINITY);
    if (n > 0) {
      this.agent.rx(ch).set(this.#incoming[ch]!.subarray(0, n));
      this.#incoming[ch] = this.#incoming[ch]!.subarray(n);
      x.received(ch, n);
      return true;
    }
    if (this.#ending[ch] !== undefined && this.#incoming[ch]!.length === 0) {
      this.linked[ch] = false;
      x.closed(ch, this.#ending[ch]!);
      return true;
    }
    return done;
  }

  #flash(): void {
    const x = this.agent.exports;
    const [op, offset, length] = [x.flashOp(), x.flashOffset(), x.flashLen()];
    this.flashOps.push({ op, offset, length });
    const bytes = new Uint8Array(x.memory.buffer, x.flashPtr(), op === FlashOp.Erase ? 0 : length);
    const { parts } = this.#options;
    const result = parts?.flash(op, offset, length, bytes) ?? this.flashResult(op, offset, length);
    if (result === Done.Ok && parts === undefined) {
      if (op === FlashOp.Read) bytes.set(this.flash.subarray(offset, offset + length));
      else if (op === FlashOp.Erase) this.flash.fill(255, offset, offset + length);
      else if (this.flash.subarray(offset, offset + length).some((byte) => byte !== 255))
        throw new Error(`flash at ${offset} is programmed twice`);
      else this.flash.set(bytes, offset);
    }
    x.flashDone(result);
  }
}

/** The platform's end of the MQTT channel, on top of mqtt-packet. */
export class Broker {
  readonly packets: Packet[] = [];
  returnCode = 0;
  acknowledge = true;
  /** Refuse subscriptions. */
  refuse = false;
  /** Called for every PUBLISH of the device. */
  published: (topic: string, payload: string) => void = () => {};
  #parser = mqttPacket.parser({ protocolVersion: 4 });
  readonly #rig: Rig;
  #id = 100;

  constructor(rig: Rig) {
    this.#rig = rig;
    rig.peers[Channel.Mqtt] = {
      ...rig.peers[Channel.Mqtt],
      dial: () => {
        this.#parser = mqttPacket.parser({ protocolVersion: 4 });
        this.#parser.on("packet", (packet: Packet) => this.#packet(packet));
        this.#parser.on("error", (error: Error) => {
          throw error;
        });
        return "open";
      },
      received: (bytes) => {
        this.#parser.parse(bytes);
      },
    };
  }

  of<C extends Packet["cmd"]>(cmd: C): Extract<Packet, { cmd: C }>[] {
    return this.packets.filter((packet): packet is Extract<Packet, { cmd: C }> => packet.cmd === cmd);
  }

  /** Payloads that the device published on topics that end in `suffix`. */
  payloads(suffix: string): Record<string, unknown>[] {
    return this.of("publish")
      .filter((packet) => packet.topic.endsWith(suffix) || packet.topic.includes(suffix))
      .map((packet) => JSON.parse(packet.payload.toString()) as Record<string, unknown>);
  }

  send(packet: Packet): void {
    this.#rig.feed(Channel.Mqtt, mqttPacket.generate(packet, { protocolVersion: 4 }));
  }

  publish(topic: string, payload: unknown, qos: 0 | 1 = 1): void {
    const text = typeof payload === "string" || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
    this.send({
      cmd: "publish",
      topic,
      payload: Buffer.from(text),
      qos,
      dup: false,
      retain: false,
      messageId: ++this.#id,
    });
  }

  #packet(packet: Packet): void {
    this.packets.push(packet);
    switch (packet.cmd) {
      case "connect":
        this.send({ cmd: "connack", returnCode: this.returnCode, sessionPresent: false });
        break;
      case "publish":
        if (packet.qos === 1 && this.acknowledge) this.send({ cmd: "puback", messageId: packet.messageId! });
        this.published(packet.topic, packet.payload.toString());
        break;
      case "subscribe":
        this.send({ cmd: "suback", messageId: packet.messageId!, granted: [this.refuse ? 128 : 1] });
        break;
      case "unsubscribe":
        this.send({ cmd: "unsuback", messageId: packet.messageId! } as Packet);
        break;
      case "pingreq":
        this.send({ cmd: "pingresp" });
        break;
      default:
    }
  }
}
