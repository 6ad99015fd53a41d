/** The module's channels: a link for each one that it has opened, and the bytes between window and socket. */

import { CHANNELS, Closed, Want } from "../abi.js";
import type { Agent } from "../agent.js";
import { DatagramLink } from "./datagram_link.js";
import { Link, type Wake } from "./link.js";

/** What went over the links, bytes of payload: what IP, UDP, TCP and TLS add is not in it. A write is a datagram on UDP. */
export interface Traffic {
  writes: number;
  bytesOut: number;
  reads: number;
  bytesIn: number;
}

export class Channels {
  /** The last error of a link in Node's words, by channel. */
  readonly errors: string[] = new Array(CHANNELS).fill("");
  readonly traffic: Traffic = { writes: 0, bytesOut: 0, reads: 0, bytesIn: 0 };
  #links: (Link | DatagramLink | undefined)[] = new Array(CHANNELS).fill(undefined);
  #opened: boolean[] = new Array(CHANNELS).fill(false);
  readonly #ca: string | Buffer | undefined;
  readonly #wake: Wake;

  /**
   * @param ca PEM of the only certificate authorities to trust; undefined = those Node comes with
   * @param wake called when a link has something new
   */
  constructor(ca: string | Buffer | undefined, wake: Wake) {
    this.#ca = ca;
    this.#wake = wake;
  }

  /** Whether any link exists, standing or not. */
  get linked(): boolean {
    return this.#links.some((link) => link !== undefined);
  }

  /** Drop every link at once; the module is not told. */
  drop(): void {
    for (const link of this.#links) link?.destroy();
    this.#links.fill(undefined);
  }

  /** @returns whether something was done */
  serve(agent: Agent, ch: number, want: number): boolean {
    const wants = (bit: number) => (want & (bit << ch)) !== 0;
    const link = this.#links[ch];
    if (link === undefined) {
      if (wants(Want.Open)) this.#open(agent, ch);
      else if (wants(Want.Close)) agent.exports.closed(ch, Closed.Local);
      else return false;
      return wants(Want.Close);
    }
    if (link.closed !== undefined) {
      this.#links[ch] = undefined;
      this.errors[ch] = link.error;
      agent.exports.closed(ch, link.closed);
      return true;
    }
    let busy = false;
    if (link.established && !this.#opened[ch]) {
      this.#opened[ch] = true;
      agent.exports.opened(ch);
      busy = true;
    }
    if (wants(Want.Transmit)) busy = this.#transmit(agent, ch, link) || busy;
    if (wants(Want.Close)) {
      if (!link.established || agent.exports.txLen(ch) <= 0) link.close();
    } else busy = this.#receive(agent, ch, link) || busy;
    return busy;
  }

  #open(agent: Agent, ch: number): void {
    this.#opened[ch] = false;
    this.errors[ch] = "";
    const uri = agent.peer(ch);
    this.#links[ch] = uri.startsWith("udp:") ? new DatagramLink(uri, this.#wake) : new Link(uri, this.#ca, this.#wake);
  }

  /** @returns whether bytes were sent: the whole window, so that it is one datagram on UDP */
  #transmit(agent: Agent, ch: number, link: Link | DatagramLink): boolean {
    if (!link.writable) return false;
    const bytes = agent.tx(ch);
    const { length } = bytes;
    if (length === 0) return false;
    link.write(bytes);
    agent.exports.sent(ch, length);
    this.traffic.writes++;
    this.traffic.bytesOut += length;
    return true;
  }

  /** @returns whether bytes were received; with no room nothing is read, so the peer is slowed down */
  #receive(agent: Agent, ch: number, link: Link | DatagramLink): boolean {
    const room = agent.rx(ch);
    if (room.length === 0) return false;
    const bytes = link.read(room.length);
    if (bytes === undefined) return false;
    room.set(bytes);
    agent.exports.received(ch, bytes.length);
    this.traffic.reads++;
    this.traffic.bytesIn += bytes.length;
    return true;
  }
}
