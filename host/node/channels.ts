/** The module's channels: a link for each one that it has opened, and the bytes between window and socket. */

import { CHANNELS, Closed, Want } from "../abi.js";
import type { Agent } from "../agent.js";
import { Link, type Wake } from "./link.js";

export class Channels {
  /** The last error of a link in Node's words, by channel. */
  readonly errors: string[] = new Array(CHANNELS).fill("");
  #links: (Link | undefined)[] = new Array(CHANNELS).fill(undefined);
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
    if (wants(Want.Transmit)) busy = transmit(agent, ch, link) || busy;
    if (wants(Want.Close)) {
      if (!link.established || agent.exports.txLen(ch) <= 0) link.close();
    } else busy = receive(agent, ch, link) || busy;
    return busy;
  }

  #open(agent: Agent, ch: number): void {
    this.#opened[ch] = false;
    this.errors[ch] = "";
    this.#links[ch] = new Link(agent.peer(ch), this.#ca, this.#wake);
  }
}

/** @returns whether bytes were sent */
function transmit(agent: Agent, ch: number, link: Link): boolean {
  if (!link.writable) return false;
  const bytes = agent.tx(ch);
  if (bytes.length === 0) return false;
  link.write(bytes);
  agent.exports.sent(ch, bytes.length);
  return true;
}

/** @returns whether bytes were received; with no room nothing is read, so the peer is slowed down */
function receive(agent: Agent, ch: number, link: Link): boolean {
  const room = agent.rx(ch);
  if (room.length === 0) return false;
  const bytes = link.read(room.length);
  if (bytes === undefined) return false;
  room.set(bytes);
  agent.exports.received(ch, bytes.length);
  return true;
}
