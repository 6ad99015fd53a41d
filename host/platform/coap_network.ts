// The way datagrams take: a UDP socket, and the losses, duplicates and changes of order that a test switches on.

import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIPv6 } from "node:net";
import type { Faults } from "./faults.js";

/** A datagram that was held back goes out after this time when no other has come, ms. */
const HELD_MS = 50;

/** Numbers 0 ≤ n < 1 from a seed, the same ones every time (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One direction of the path: passes each datagram on never, once or twice, at once or behind the next one. */
export class DatagramPath {
  #random: (() => number) | undefined;
  #seed: number | undefined;
  #held: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param faults read for every datagram, so that they can be switched while the path is in use */
  constructor(private readonly faults: Faults) {}

  /** Take one datagram. @param pass hands it on */
  take(pass: () => void): void {
    const { coapLoss = 0, coapDuplicate = 0, coapReorder = 0 } = this.faults;
    if (coapLoss + coapDuplicate + coapReorder === 0) {
      pass();
      return;
    }
    const hits = (percent: number) => this.#next() * 100 < percent;
    // Always three numbers a datagram, so that one fault does not shift another.
    const [lost, twice, late] = [hits(coapLoss), hits(coapDuplicate), hits(coapReorder)];
    if (lost) return;
    if (late && this.#held === undefined) {
      this.#held = pass;
      this.#timer = setTimeout(() => this.#release(), HELD_MS);
    } else {
      pass();
      this.#release();
    }
    if (twice) pass();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#held = undefined;
  }

  #next(): number {
    const seed = this.faults.coapSeed ?? 1;
    if (this.#random === undefined || seed !== this.#seed) this.#random = seeded(seed);
    this.#seed = seed;
    return this.#random();
  }

  #release(): void {
    clearTimeout(this.#timer);
    const held = this.#held;
    this.#held = undefined;
    held?.();
  }
}

/** Whom a datagram comes from or goes to. */
export interface Peer {
  address: string;
  port: number;
}

/** A UDP socket with a path each way. */
export class CoapNetwork {
  readonly #socket: Socket;
  readonly #up: DatagramPath;
  readonly #down: DatagramPath;
  #closed = false;

  private constructor(socket: Socket, faults: Faults, receive: (datagram: Buffer, peer: Peer) => void) {
    this.#socket = socket;
    this.#up = new DatagramPath(faults);
    this.#down = new DatagramPath(faults);
    socket.on("message", (datagram: Buffer, { address, port }: RemoteInfo) =>
      this.#up.take(() => receive(datagram, { address, port })),
    );
  }

  /**
   * Open a socket.
   *
   * receive  called with every datagram that gets through.
   * failed   told of what the system says of the socket; it goes on.
   *
   * Rejects with the system's error when the port cannot be used.
   */
  static async open(
    host: string,
    port: number,
    faults: Faults,
    receive: (datagram: Buffer, peer: Peer) => void,
    failed: (error: Error) => void,
  ): Promise<CoapNetwork> {
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    const network = new CoapNetwork(socket, faults, receive);
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(port, host, () => {
        socket.off("error", reject);
        resolve();
      });
    });
    socket.on("error", failed);
    return network;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(datagram: Buffer, { address, port }: Peer): void {
    this.#down.take(() => {
      // What UDP cannot send is lost, as on any link; the message layer sends it again.
      if (!this.#closed) this.#socket.send(datagram, port, address, () => {});
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#up.close();
    this.#down.close();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}
