// Opening ports: which address is listened on, which one is told to others, and what a failure says.

import { isIPv6 } from "node:net";
import { networkInterfaces } from "node:os";
import type { Log } from "./events.js";
import type { Ready, Service } from "./options.js";

/** A port that cannot be used; the message names it and the option that changes it. */
export class ListenError extends Error {}

const REASONS: Record<string, string> = {
  EADDRINUSE: "is in use",
  EACCES: "needs more rights",
  EADDRNOTAVAIL: "is not an address of this machine",
  ENOTFOUND: "is not a known host",
};

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** This machine's addresses that others can reach, IPv4 first. */
function reachable(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const usable = found.filter(({ internal, address }) => !internal && !address.startsWith("fe80:"));
  return usable.sort((a, b) => a.family.localeCompare(b.family)).map(({ address }) => address);
}

/** Names and addresses the server certificate must cover beside those of the loop back. */
export function certifiedHosts(host: string): string[] {
  return isWildcard(host) ? reachable() : [host];
}

/** The listeners of one platform. */
export class Listeners {
  /** Base URLs of what listens. */
  readonly urls: Omit<Ready, "ready" | "ca"> = {};

  constructor(
    readonly host: string,
    private readonly ports: Partial<Record<Service, number | false>>,
    private readonly optional: Service[],
    private readonly log: Log,
  ) {}

  /**
   * Open one service unless it is switched off.
   *
   * scheme  of its URL.
   * listen  opens the port and resolves with its number.
   *
   * Throws ListenError with one line when the port cannot be used.
   */
  async open(service: Service, scheme: string, listen: (host: string, port: number) => Promise<number>): Promise<void> {
    const port = this.ports[service] ?? 0;
    if (port === false) return;
    let open: number;
    try {
      open = await listen(this.host, port);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const reason = REASONS[code ?? ""] ?? message;
      const text = `${this.host}:${port} ${reason}: choose another with --${service} PORT (0 = free) or --host`;
      if (!this.optional.includes(service)) throw new ListenError(text);
      this.log(`${service} is off: ${text}`);
      return;
    }
    const shown = isWildcard(this.host) ? (reachable()[0] ?? "127.0.0.1") : this.host;
    this.urls[service] = `${scheme}://${isIPv6(shown) ? `[${shown}]` : shown}:${open}`;
  }
}
