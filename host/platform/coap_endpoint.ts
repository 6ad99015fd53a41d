// The message layer of the CoAP server (RFC 7252 §4): duplicates are answered from memory, responses go back with the
// acknowledgement or, after an empty one, on their own; those are sent again until they are acknowledged.

import { randomInt } from "node:crypto";
import { type Message, readMessage, writeMessage } from "./coap_message.js";
import type { Peer } from "./coap_network.js";

/** Transmission parameters of RFC 7252 §4.8, ms and counts. */
export const TRANSMISSION = {
  ackTimeout: 2000,
  ackRandomFactor: 1.5,
  maxRetransmit: 4,
  exchangeLifetime: 247_000,
} as const;

/** Exchanges that are remembered for duplicates; the oldest are forgotten first. */
const MAX_EXCHANGES = 8192;

/** What a request is answered with. */
export interface Response {
  code: string;
  options: Message["options"];
  payload: Buffer;
}

/** One request that is being answered. */
export interface Exchange {
  request: Message;
  peer: Peer;
  /** Send the empty acknowledgement now; the response follows on its own (RFC 7252 §5.2.2). Of no effect for a NON. */
  acknowledge(): void;
}

/** Answers a request. */
export type Handler = (exchange: Exchange) => Promise<Response>;

interface Known {
  atMs: number;
  /** What was sent for it: again for each duplicate. */
  sent: Buffer | undefined;
}

interface Outstanding {
  peer: Peer;
  datagram: Buffer;
  attempt: number;
  timer: NodeJS.Timeout;
}

export class CoapEndpoint {
  readonly #known = new Map<string, Known>();
  readonly #outstanding = new Map<string, Outstanding>();
  #nextId = randomInt(0x10000);

  /**
   * @param send hands a datagram to the network
   * @param handle answers requests; what it throws is answered with 5.00
   * @param clock milliseconds
   */
  constructor(
    private readonly send: (datagram: Buffer, peer: Peer) => void,
    private readonly handle: Handler,
    private readonly clock: () => number,
    private readonly failed: (error: Error) => void,
  ) {}

  /** One datagram of a peer. */
  receive(datagram: Buffer, peer: Peer): void {
    const message = readMessage(datagram);
    if (message === undefined) this.#reject(datagram, peer);
    else if (message.type === "ACK" || message.type === "RST") this.#settle(peer, message.messageId);
    else if (message.code.startsWith("0.") && message.code !== "0.00") void this.#request(message, peer);
    // An empty CON is a ping; responses are to requests that the platform does not send.
    else if (message.type === "CON") this.#reset(message.messageId, peer);
  }

  close(): void {
    for (const { timer } of this.#outstanding.values()) clearTimeout(timer);
    this.#outstanding.clear();
    this.#known.clear();
  }

  async #request(request: Message, peer: Peer): Promise<void> {
    const key = keyOf(peer, request.messageId);
    const known = this.#recall(key);
    if (known !== undefined) {
      if (known.sent !== undefined && request.type === "CON") this.send(known.sent, peer);
      return;
    }
    const entry: Known = { atMs: this.clock(), sent: undefined };
    this.#remember(key, entry);
    let separate = request.type === "NON";
    const acknowledge = () => {
      if (separate) return;
      separate = true;
      entry.sent = emptyMessage("ACK", request.messageId);
      this.send(entry.sent, peer);
    };
    let response: Response;
    try {
      response = await this.handle({ request, peer, acknowledge });
    } catch (error) {
      this.failed(error as Error);
      response = { code: "5.00", options: [], payload: Buffer.alloc(0) };
    }
    if (separate) this.#respondSeparately(request, response, peer);
    else {
      const { messageId, token } = request;
      entry.sent = writeMessage({ type: "ACK", messageId, token, ...response });
      this.send(entry.sent, peer);
    }
  }

  #respondSeparately(request: Message, response: Response, peer: Peer): void {
    this.#nextId = (this.#nextId + 1) & 0xffff;
    const messageId = this.#nextId;
    const { type, token } = request;
    const datagram = writeMessage({ type: type === "NON" ? "NON" : "CON", messageId, token, ...response });
    this.send(datagram, peer);
    if (type === "NON") return;
    const wait = TRANSMISSION.ackTimeout * (1 + Math.random() * (TRANSMISSION.ackRandomFactor - 1));
    this.#await(keyOf(peer, messageId), { peer, datagram, attempt: 0, timer: undefined as never }, wait);
  }

  #await(key: string, entry: Outstanding, waitMs: number): void {
    entry.timer = setTimeout(() => {
      if (entry.attempt === TRANSMISSION.maxRetransmit) {
        this.#outstanding.delete(key);
        return;
      }
      entry.attempt++;
      this.send(entry.datagram, entry.peer);
      this.#await(key, entry, waitMs * 2);
    }, waitMs);
    this.#outstanding.set(key, entry);
  }

  #settle(peer: Peer, messageId: number): void {
    const key = keyOf(peer, messageId);
    clearTimeout(this.#outstanding.get(key)?.timer);
    this.#outstanding.delete(key);
  }

  /** A CON that cannot be read is rejected, anything else is ignored (RFC 7252 §4.2, §4.3). */
  #reject(datagram: Buffer, peer: Peer): void {
    const isConfirmable = datagram.length >= 4 && datagram[0]! >> 4 === 0b0100;
    if (isConfirmable) this.#reset(datagram.readUInt16BE(2), peer);
  }

  #reset(messageId: number, peer: Peer): void {
    this.send(emptyMessage("RST", messageId), peer);
  }

  #recall(key: string): Known | undefined {
    const known = this.#known.get(key);
    if (known !== undefined && this.clock() - known.atMs < TRANSMISSION.exchangeLifetime) return known;
    return undefined;
  }

  #remember(key: string, entry: Known): void {
    this.#known.delete(key);
    this.#known.set(key, entry);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_EXCHANGES) this.#known.delete(oldest!);
  }
}

function keyOf({ address, port }: Peer, messageId: number): string {
  return `${address}:${port}/${messageId}`;
}

function emptyMessage(type: "ACK" | "RST", messageId: number): Buffer {
  return writeMessage({
    type,
    code: "0.00",
    messageId,
    token: Buffer.alloc(0),
    options: [],
    payload: Buffer.alloc(0),
  });
}
