/**
 * One socket for one channel. Bytes are pulled by whoever has room for them and pushed only while the socket takes them,
 * so neither side queues more than Node's own high-water mark.
 */
import { isIP, connect as netConnect, type Socket } from "node:net";
import { TLSSocket, connect as tlsConnect } from "node:tls";
import { Closed } from "../abi.js";

/** A link must stand within this time, TLS included, ms. */
const CONNECT_MS = 15_000;
/** How long the peer may take to close its side after we have closed ours, ms. */
const LINGER_MS = 2_000;

/** What a URI names. */
export interface Peer {
  tls: boolean;
  /** A name or an address, without brackets. */
  host: string;
  port: number;
}

/**
 * @param uri scheme://host:port (RFC 3986)
 * @param protocols schemes that are taken, with their colon
 * @returns its parts, the host without brackets; undefined when it is not one of these
 */
export function parseUri(
  uri: string,
  protocols: string[],
): { protocol: string; host: string; port: number } | undefined {
  let url: URL;
  try {
    url = new URL(uri);
  } catch {
    return undefined;
  }
  const { protocol, hostname } = url;
  const port = Number(url.port);
  if (!protocols.includes(protocol) || hostname === "" || port === 0) return undefined;
  return { protocol, host: hostname.replace(/^\[(.*)\]$/, "$1"), port };
}

/**
 * @param uri tcp://host:port or tls://host:port
 * @returns its parts, or undefined when it is not one of these
 */
export function parsePeer(uri: string): Peer | undefined {
  const parts = parseUri(uri, ["tcp:", "tls:"]);
  return parts && { tls: parts.protocol === "tls:", host: parts.host, port: parts.port };
}

/** Called when a link has something new: it stands, has bytes, takes bytes again, or is over. */
export type Wake = () => void;

export class Link {
  /** The last error of the link in Node's words, for people. */
  error = "";
  #socket: Socket | undefined;
  #established = false;
  #local = false;
  #closed: Closed | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #wake: Wake;

  /**
   * Begin to connect.
   * @param uri where to
   * @param ca PEM of the only certificate authorities to trust; undefined = those Node comes with
   * @param wake told of every change; look at the link then
   */
  constructor(
    readonly uri: string,
    ca: string | Buffer | undefined,
    wake: Wake,
  ) {
    this.#wake = wake;
    const peer = parsePeer(uri);
    if (peer === undefined) {
      this.#finish(Closed.Unreachable, `${uri} is not a URI like tcp://host:port or tls://host:port`);
      return;
    }
    try {
      this.#connect(peer, ca);
    } catch (error) {
      // A CA file that is no PEM, a port above 65535: said here and not by an event.
      this.#finish(Closed.Unreachable, (error as Error).message);
    }
  }

  /** The link stands: bytes may go both ways. */
  get established(): boolean {
    return this.#established && this.#closed === undefined;
  }

  /** Why the link is over; undefined while it is not. Bytes received before can no longer be read then. */
  get closed(): Closed | undefined {
    return this.#closed;
  }

  /** Whether `write` may be called. */
  get writable(): boolean {
    return this.established && !this.#local && this.#socket?.writable === true && !this.#socket.writableNeedDrain;
  }

  /** @returns at most `limit` received bytes; undefined = none now */
  read(limit: number): Uint8Array | undefined {
    const socket = this.#socket;
    if (socket === undefined || !this.established || this.#local) return undefined;
    // Asking for 0 bytes also lets the stream notice the peer's end once everything is read.
    const take = Math.min(limit, socket.readableLength);
    return (socket.read(take) as Buffer | null) ?? undefined;
  }

  /** Send `bytes`; they are copied. Only while `writable`. */
  write(bytes: Uint8Array): void {
    this.#socket?.write(Uint8Array.from(bytes));
  }

  /** Close in an orderly way after what was written; `closed` follows. */
  close(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#closed !== undefined || this.#local) return;
    this.#local = true;
    if (!this.#established) {
      socket.destroy();
      return;
    }
    socket.end();
    this.#discard();
    this.#timeout(LINGER_MS, () => socket.destroy());
  }

  /** Drop the link at once; nothing is reported any more. */
  destroy(): void {
    this.#local = true;
    clearTimeout(this.#timer);
    this.#closed ??= Closed.Local;
    this.#socket?.destroy();
  }

  #connect(peer: Peer, ca: string | Buffer | undefined): void {
    const { host, port } = peer;
    const socket = peer.tls
      ? // Addresses must not be sent as server name (RFC 6066 §3); the certificate is compared with the host all the same.
        tlsConnect({ host, port, ca, ...(isIP(host) === 0 ? { servername: host } : {}) })
      : netConnect({ host, port });
    this.#socket = socket;
    socket.setNoDelay(true);
    this.#timeout(CONNECT_MS, () =>
      socket.destroy(new Error(`no connection to ${host}:${port} within ${CONNECT_MS / 1000} s`)),
    );
    socket.once(peer.tls ? "secureConnect" : "connect", () => this.#open());
    socket.on("readable", () => this.#readable());
    socket.on("drain", this.#wake);
    socket.on("end", () => {
      if (!this.#local) this.error ||= "the peer closed the link";
    });
    socket.on("error", (error: NodeJS.ErrnoException) => this.#failed(socket, error));
    socket.on("close", () => this.#finish(this.#ending()));
  }

  #open(): void {
    clearTimeout(this.#timer);
    this.#established = true;
    this.#wake();
  }

  #readable(): void {
    if (this.#local) this.#discard();
    else this.#wake();
  }

  /** Reading on (and dropping) keeps the kernel from resetting the link under the peer before our last bytes are read. */
  #discard(): void {
    while (this.#socket?.read() != null);
  }

  #reason: Closed | undefined;

  #failed(socket: Socket, error: NodeJS.ErrnoException): void {
    // A host with several addresses fails with one error that holds the others.
    const first = error instanceof AggregateError ? (error.errors[0] as Error | undefined) : undefined;
    this.error = first?.message ?? (error.message || String(error.code));
    if (this.#established) this.#reason = Closed.Broken;
    else if (socket instanceof TLSSocket && socket.authorizationError) this.#reason = Closed.Untrusted;
    else this.#reason = Closed.Unreachable;
  }

  #ending(): Closed {
    if (this.#local) return Closed.Local;
    return this.#reason ?? (this.#established ? Closed.Peer : Closed.Unreachable);
  }

  #finish(reason: Closed, error?: string): void {
    clearTimeout(this.#timer);
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    if (error !== undefined) this.error = error;
    // The constructor may still be running.
    queueMicrotask(this.#wake);
  }

  #timeout(ms: number, run: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(run, ms);
  }
}
