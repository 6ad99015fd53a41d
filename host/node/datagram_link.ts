/**
 * A UDP socket for one channel, with the face of `Link`. A datagram is handed over whole or not at all, and never joined
 * with another; what does not fit into a bounded queue is lost, as datagrams may be.
 */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns";
import { Closed } from "../abi.js";
import { parseUri, type Wake } from "./link.js";

/** Datagrams that wait to be read; one more drops the oldest. */
const WAITING = 16;

export class DatagramLink {
  /** The last error of the link in Node's words, for people. Of a peer that is not there the system tells only sometimes. */
  error = "";
  #socket: Socket | undefined;
  #established = false;
  #closed: Closed | undefined;
  #waiting: Buffer[] = [];
  readonly #wake: Wake;

  /**
   * Begin to open.
   * @param uri udp://host:port; only datagrams from there are received
   * @param wake told of every change; look at the link then
   */
  constructor(
    readonly uri: string,
    wake: Wake,
  ) {
    this.#wake = wake;
    const peer = parseUri(uri, ["udp:"]);
    if (peer === undefined) this.#finish(Closed.Unreachable, `${uri} is not a URI like udp://host:port`);
    else
      lookup(peer.host, (error, address, family) => {
        if (this.#closed !== undefined) return;
        if (error) this.#finish(Closed.Unreachable, error.message);
        else this.#connect(address, family, peer.port);
      });
  }

  /** The socket is there: datagrams may go both ways. */
  get established(): boolean {
    return this.#established && this.#closed === undefined;
  }

  /** Why the link is over; undefined while it is not. */
  get closed(): Closed | undefined {
    return this.#closed;
  }

  /** Whether `write` may be called. */
  get writable(): boolean {
    return this.established;
  }

  /** @returns the oldest datagram of at most `limit` bytes, whole; longer ones are lost; undefined = none now */
  read(limit: number): Uint8Array | undefined {
    if (!this.established) return undefined;
    let datagram = this.#waiting.shift();
    while (datagram !== undefined && datagram.length > limit) datagram = this.#waiting.shift();
    return datagram;
  }

  /** Send `bytes` as one datagram; they are copied. */
  write(bytes: Uint8Array): void {
    this.#socket?.send(Uint8Array.from(bytes), (error) => {
      if (error) this.error = error.message;
    });
  }

  /** Close; `closed` follows at once. */
  close(): void {
    this.#finish(Closed.Local);
  }

  /** Drop the link; nothing is reported any more. */
  destroy(): void {
    this.#closed ??= Closed.Local;
    this.#end();
  }

  #connect(address: string, family: number, port: number): void {
    const socket = createSocket(family === 6 ? "udp6" : "udp4");
    this.#socket = socket;
    // "Connection refused" is a datagram that was lost: whether to give up is the module's to decide.
    socket.on("error", (error) => {
      this.error = error.message;
      if (!this.#established) this.#finish(Closed.Unreachable);
    });
    socket.on("message", (datagram: Buffer) => this.#keep(datagram));
    socket.connect(port, address, () => {
      this.#established = true;
      this.#wake();
    });
  }

  #keep(datagram: Buffer): void {
    // An empty datagram is no message of any protocol here, and would look like none to the module.
    if (datagram.length === 0) return;
    if (this.#waiting.push(datagram) > WAITING) this.#waiting.shift();
    this.#wake();
  }

  #finish(reason: Closed, error?: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    if (error !== undefined) this.error = error;
    this.#end();
    // The constructor may still be running.
    queueMicrotask(this.#wake);
  }

  #end(): void {
    this.#waiting = [];
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }
}
