/**
 * One instance of the module, with typed windows over its memory. Nothing here belongs to Node: a browser loads it too.
 */
/// <reference lib="dom" />
import { instantiate } from "@assemblyscript/loader";
import { ABI_VERSION, type AgentExports, Channel, Code, type EventMap, IN_WINDOW, type Post } from "./abi.js";

/** Any event of the module. */
export type AgentEvent = EventMap[keyof EventMap];

/** Longest event put together from its pieces, bytes: a payload of 256 KB in which every character is escaped. */
const EVENT_LIMIT = 2 * 1024 * 1024;

/** `eventMore`: the event goes on in the next piece; the event cannot be finished, forget its pieces. */
const MORE = 1;
const ABANDONED = 2;

/** The module refused a call. */
export class AgentError extends Error {
  override name = "AgentError";
  /**
   * @param code one of `Code`
   * @param message one line for people
   */
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

/** Name of a code for people, `BadDigest (-40)`. */
export function codeName(code: number): string {
  const entry = Object.entries(Code).find(([, value]) => value === code);
  return entry === undefined ? String(code) : `${entry[0]} (${code})`;
}

/** Thin face of the exports. Every view it returns holds until the next call into the module. */
export class Agent {
  readonly exports: AgentExports;
  readonly #memory: Uint8Array;
  readonly #end: number;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder();
  #pieces: Uint8Array[] = [];
  #pieceBytes = 0;

  /**
   * @param exports the module's exports
   * @throws AgentError when the module speaks another version of the contract
   */
  constructor(exports: AgentExports) {
    const version = exports.abiVersion();
    if (version !== ABI_VERSION)
      throw new AgentError(
        Code.Unsupported,
        `the module has ABI version ${version}, this host speaks ${ABI_VERSION}: use module and host of one release`,
      );
    this.exports = exports;
    // The memory never grows, so one view over it stays good.
    this.#memory = new Uint8Array(exports.memory.buffer);
    this.#end = exports.__heap_base.value;
  }

  /** A fresh instance. The module imports nothing. */
  static async create(module: WebAssembly.Module): Promise<Agent> {
    const { instance } = await instantiate(module, {});
    return new Agent(instance.exports as unknown as AgentExports);
  }

  /**
   * Add a configuration document; later members win.
   * @param document members of the configuration (docs of `configure`), at most IN_WINDOW bytes as JSON
   * @throws AgentError that names the member; never a value, because values may be secrets
   */
  configure(document: Record<string, unknown>): void {
    const bytes = this.#encoder.encode(JSON.stringify(document));
    if (bytes.length > IN_WINDOW)
      throw new AgentError(
        Code.TooLarge,
        `the configuration takes ${bytes.length} bytes as JSON, at most ${IN_WINDOW} are possible: remove members that are not needed`,
      );
    const room = this.exports.inCap();
    if (bytes.length > room)
      throw new AgentError(Code.Busy, `the module takes ${room} bytes of configuration now, not ${bytes.length}`);
    this.#memory.set(bytes, this.exports.inPtr());
    let code = this.exports.configure(bytes.length);
    // One call reads a slice of a byte at least; what is left of the document stays in the window.
    for (let rest = bytes.length; code > 0 && rest > 0; rest--) code = this.exports.configure(0);
    if (code > 0)
      throw new AgentError(
        Code.BadState,
        `the module does not come to the end of a configuration of ${bytes.length} bytes: use module and host of one release`,
      );
    if (code < 0) throw new AgentError(code, this.faultText() ?? `the configuration was refused: ${codeName(code)}`);
  }

  /** @returns a copy of the whole state, the bytes [0, __heap_base) */
  snapshot(): Uint8Array {
    return this.#memory.slice(0, this.#end);
  }

  /**
   * Go on from a snapshot of the same module. Links are not part of it: tell the ones that are gone with `closed`.
   * @param snapshot bytes of `snapshot()`
   */
  restore(snapshot: Uint8Array): void {
    if (snapshot.length !== this.#end)
      throw new AgentError(
        Code.BadArgument,
        `the snapshot has ${snapshot.length} bytes, this module's state has ${this.#end}: it is of another build`,
      );
    this.#memory.set(snapshot);
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  /** Where received bytes of channel `ch` go; empty = stop reading. */
  rx(ch: number): Uint8Array {
    return this.#window(this.exports.rxPtr(ch), this.exports.rxCap(ch));
  }

  /** The bytes that channel `ch` has to send. */
  tx(ch: number): Uint8Array {
    return this.#window(this.exports.txPtr(ch), this.exports.txLen(ch));
  }

  /** The URI that channel `ch` connects to. */
  peer(ch: number): string {
    return this.#text(this.exports.peerPtr(ch), this.exports.peerLen(ch));
  }

  /** The bytes of the flash operation in hand. */
  flash(): Uint8Array {
    return this.#window(this.exports.flashPtr(), this.exports.flashLen());
  }

  /** Where random bytes go. */
  entropy(): Uint8Array {
    return this.#window(this.exports.entropyPtr(), this.exports.entropyLen());
  }

  /**
   * Hand over a post.
   * @param kind what it is
   * @param payload its bytes, as `Post` says
   * @returns the id (> 0) of a message that gets an answer, Ok, or a `Code` < 0; Busy when the in-window is taken
   */
  post(kind: Post, payload: Uint8Array): number {
    return this.#hand(payload, (length) => this.exports.post(kind, length));
  }

  /** Answer the request `token`; as `post`. */
  reply(token: number, code: number, data: Uint8Array): number {
    return this.#hand(data, (length) => this.exports.reply(token, code, length));
  }

  /** After TooLarge: how many bytes would have fitted. */
  available(): number {
    return Math.max(0, this.exports.detail(Channel.Application));
  }

  /**
   * The oldest event that is there as a whole; undefined = none.
   * @throws AgentError when the module gives something that is not JSON, or more than 2 MiB
   */
  takeEvent(): AgentEvent | undefined {
    while (this.exports.eventKind() !== 0) {
      const piece = this.#window(this.exports.eventPtr(), this.exports.eventLen()).slice();
      const more = this.exports.eventMore();
      this.exports.eventDone();
      if (more === ABANDONED) this.#dropPieces();
      else this.#keepPiece(piece);
      if (more !== MORE && more !== ABANDONED) return this.#joinPieces();
    }
    return undefined;
  }

  /** The words of the first fault among the events that wait; they are all taken. */
  faultText(): string | undefined {
    let text: string | undefined;
    for (let event = this.takeEvent(); event !== undefined; event = this.takeEvent())
      // A code of 0 only tells of a member that is not known.
      if (event.event === "fault" && event.code < 0 && event.desc !== "") text ??= event.desc;
    return text;
  }

  #keepPiece(piece: Uint8Array): void {
    this.#pieceBytes += piece.length;
    if (this.#pieceBytes <= EVENT_LIMIT) this.#pieces.push(piece);
    else this.#pieces = [];
  }

  #dropPieces(): void {
    this.#pieces = [];
    this.#pieceBytes = 0;
  }

  #joinPieces(): AgentEvent {
    const length = this.#pieceBytes;
    const pieces = this.#pieces;
    this.#dropPieces();
    if (length > EVENT_LIMIT)
      throw new AgentError(Code.OverLimit, `an event of ${length} bytes was dropped, at most ${EVENT_LIMIT} are kept`);
    const joined = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      joined.set(piece, at);
      at += piece.length;
    }
    try {
      return JSON.parse(this.#decoder.decode(joined)) as AgentEvent;
    } catch {
      throw new AgentError(Code.BadMessage, `the module gave an event of ${length} bytes that is not JSON`);
    }
  }

  #hand(payload: Uint8Array, call: (length: number) => number): number {
    const room = this.exports.inCap();
    if (payload.length > room) return room === 0 ? Code.Busy : Code.TooLarge;
    if (payload.length > 0) this.#memory.set(payload, this.exports.inPtr());
    return call(payload.length);
  }

  #window(ptr: number, length: number): Uint8Array {
    if (length <= 0) return this.#memory.subarray(0, 0);
    if (ptr < 0 || ptr + length > this.#memory.length)
      throw new AgentError(Code.BadState, `the module gave a window of ${length} bytes at ${ptr}, outside its memory`);
    return this.#memory.subarray(ptr, ptr + length);
  }

  #text(ptr: number, length: number): string {
    return this.#decoder.decode(this.#window(ptr, length));
  }
}
