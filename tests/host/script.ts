// A module written in JavaScript: it wants what a test tells it to, and notes what the host does.

import { ABI_VERSION, type AgentExports, Code, Event, Post, Want } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";

const IN = 1024;
const RX = 4096;
const TX = 8192;
const PEER = 12288;
const FLASH = 16384;
const ENTROPY = 24576;
const PIECE = 32768;

type FlashRequest = { op: number; offset: number; bytes: Uint8Array };

export class Script {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  readonly documents: unknown[] = [];
  booted: number[] = [];
  configureResult = 0;
  bootResults: number[] = [];
  flashResults: number[] = [];
  flashReads: Uint8Array[] = [];
  closedWith: number[] = [];
  receivedText = "";
  receivedBytes = 0;
  largestPiece = 0;
  sentText = "";
  posts: [kind: number, text: string][] = [];
  replies: [token: number, code: number, text: string][] = [];
  /** Posts that are answered Busy before one is taken. */
  busyPosts = 0;
  postResult: number | undefined;
  available = 0;
  /** Room in the receive window. */
  room = 2048;
  onPost: (kind: number, text: string) => void = () => {};
  /** Subscriptions are taken only then. */
  connected = true;
  readonly #bytes = new Uint8Array(this.memory.buffer);
  #wants = 0;
  #flash: FlashRequest[] = [];
  #boot: [op: number, slot: number][] = [];
  #pieces: { kind: number; bytes: Uint8Array; more: number }[] = [];
  #peer = "";
  #tx: Uint8Array = new Uint8Array(0);
  #linked = false;
  #trap: string | undefined;
  #ids = new Map<number, number>();
  #calls = new Map<string, number>();
  #waiters: { name: string; times: number; resolve: () => void }[] = [];

  agent(): Agent {
    return new Agent(this.#exports());
  }

  want(bits: number): void {
    this.#wants |= bits;
  }

  flash(op: number, offset: number, bytes: Uint8Array): void {
    this.#flash.push({ op, offset, bytes });
  }

  boot(op: number, slot: number): void {
    this.#boot.push([op, slot]);
  }

  open(uri: string, send: string): void {
    this.#peer = uri;
    this.#wants |= Want.Open;
    this.#tx = Buffer.from(send);
  }

  send(text: string): void {
    this.#tx = Buffer.from(text);
  }

  close(): void {
    this.#wants |= Want.Close;
  }

  emit(kind: number, event: { event: string; [member: string]: unknown }): void {
    this.piece(kind, Buffer.from(JSON.stringify(event)), 0);
  }

  piece(kind: number, bytes: Uint8Array, more: number): void {
    this.#pieces.push({ kind, bytes, more });
  }

  trap(message: string): void {
    this.#trap = message;
  }

  entropy(): Uint8Array {
    return this.#bytes.slice(ENTROPY, ENTROPY + 16);
  }

  /** The id that the last post of a kind got. */
  lastId(kind: number): number {
    return this.#ids.get(kind) ?? 0;
  }

  /** How often the host has called an export. */
  calls(name: string): number {
    return this.#calls.get(name) ?? 0;
  }

  /** Resolves when the host has called an export so many times. */
  called(name: string, times = 1): Promise<void> {
    if ((this.#calls.get(name) ?? 0) >= times) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ name, times, resolve }));
  }

  #note(name: string): void {
    const calls = (this.#calls.get(name) ?? 0) + 1;
    this.#calls.set(name, calls);
    for (const waiter of this.#waiters) if (waiter.name === name && waiter.times === calls) waiter.resolve();
  }

  #text(from: number, length: number): string {
    return Buffer.from(this.#bytes.subarray(from, from + length)).toString();
  }

  #poll(): number {
    if (this.#trap !== undefined && this.#calls.get("booted") && this.#polls++ > 0)
      throw new WebAssembly.RuntimeError(this.#trap);
    let want = this.#wants;
    if (this.busyPosts > 0 && Number.isFinite(this.busyPosts)) want |= Want.Again;
    if (this.#flash.length > 0) want |= Want.Flash;
    if (this.#boot.length > 0) want = (want | Want.Boot) & ~Want.Restart;
    if (this.#pieces.length > 0) want |= Want.Event;
    if (this.#linked && this.#tx.length > 0) want |= Want.Transmit;
    if (this.#linked && this.room > 0) want |= Want.Receive;
    return want;
  }

  #polls = 0;

  #post(kind: number, length: number): number {
    if (kind !== Post.Disconnect && this.busyPosts > 0) {
      this.busyPosts--;
      return Code.Busy;
    }
    if (this.postResult !== undefined) return this.postResult;
    const text = this.#text(IN, length);
    const subscription = kind === Post.Subscribe || kind === Post.Unsubscribe;
    if (subscription && !this.connected) return Code.BadState;
    if (kind !== Post.Disconnect) this.posts.push([kind, text]);
    const id = kind === Post.Property || kind === Post.Event || subscription ? 100 + this.posts.length : 0;
    this.#ids.set(kind, id);
    this.onPost(kind, text);
    this.#note("post");
    return id;
  }

  #closed(reason: number): number {
    this.#linked = false;
    this.closedWith.push(reason);
    this.#wants &= ~(Want.Open | Want.Close);
    this.#note("closed");
    return 0;
  }

  #received(n: number): number {
    this.receivedText += n < 100 ? this.#text(RX, n) : "";
    this.receivedBytes += n;
    this.largestPiece = Math.max(this.largestPiece, n);
    return 0;
  }

  #flashDone(result: number): number {
    const { op, bytes } = this.#flash.shift()!;
    this.flashResults.push(result);
    if (op === 1) this.flashReads.push(this.#bytes.slice(FLASH, FLASH + bytes.length));
    this.#note("flashDone");
    return 0;
  }

  #exports(): AgentExports {
    const global = (value: number) => new WebAssembly.Global({ value: "i32" }, value);
    return {
      memory: this.memory,
      __heap_base: global(65536),
      __data_end: global(0),
      abiVersion: () => ABI_VERSION,
      configure: (length) => {
        this.#note("configure");
        if (length > 0) this.documents.push(JSON.parse(this.#text(IN, length)));
        return this.configureResult;
      },
      booted: (...args) => {
        this.booted = args;
        this.#note("booted");
        return 0;
      },
      poll: () => this.#poll(),
      wallClock: () => 0,
      timeout: () => -1,
      resumed: () => 0,
      counter: () => 0,
      rxPtr: () => RX,
      rxCap: (ch) => (ch === 0 && this.#linked ? this.room : 0),
      received: (_ch, n) => this.#received(n),
      txPtr: () => {
        this.#bytes.set(this.#tx, TX);
        return TX;
      },
      txLen: (ch) => (ch === 0 && this.#linked ? this.#tx.length : 0),
      sent: (_ch, n) => {
        this.sentText += Buffer.from(this.#tx.subarray(0, n)).toString();
        this.#tx = this.#tx.subarray(n);
        return 0;
      },
      peerPtr: () => {
        this.#bytes.set(Buffer.from(this.#peer), PEER);
        return PEER;
      },
      peerLen: () => this.#peer.length,
      opened: () => {
        this.#wants &= ~Want.Open;
        this.#linked = true;
        this.#note("opened");
        return 0;
      },
      closed: (_ch, reason) => this.#closed(reason),
      fault: () => 0,
      detail: () => this.available,
      flashOp: () => this.#flash[0]?.op ?? 0,
      flashOffset: () => this.#flash[0]!.offset,
      flashPtr: () => {
        this.#bytes.set(this.#flash[0]!.bytes, FLASH);
        return FLASH;
      },
      flashLen: () => this.#flash[0]!.bytes.length,
      flashDone: (result) => this.#flashDone(result),
      bootOp: () => this.#boot[0]?.[0] ?? 0,
      bootSlot: () => this.#boot[0]![1],
      bootDone: (result) => {
        this.#boot.shift();
        this.bootResults.push(result);
        this.#note("bootDone");
        return 0;
      },
      entropyPtr: () => ENTROPY,
      entropyLen: () => 16,
      entropyDone: () => {
        this.#wants &= ~Want.Entropy;
        this.#note("entropyDone");
        return 0;
      },
      inPtr: () => IN,
      inCap: () => 1024,
      post: (kind, length) => this.#post(kind, length),
      reply: (token, code, length) => {
        this.replies.push([token, code, this.#text(IN, length)]);
        this.#note("reply");
        return 0;
      },
      eventKind: () => this.#pieces[0]?.kind ?? Event.None,
      eventPtr: () => {
        this.#bytes.set(this.#pieces[0]!.bytes, PIECE);
        return PIECE;
      },
      eventLen: () => this.#pieces[0]!.bytes.length,
      eventMore: () => this.#pieces[0]!.more,
      eventDone: () => {
        this.#pieces.shift();
        return 0;
      },
    };
  }
}
