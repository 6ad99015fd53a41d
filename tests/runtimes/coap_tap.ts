// What goes over the air between devices and a platform, seen from the middle: sign-ins and sequence numbers.

import { createDecipheriv, createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { Option, readMessage } from "../../host/platform/coap_message.js";

/** The mode's fixed initialisation vector (docs/coap.md). */
const VECTOR = "543yhjy97ae7fyfg";

export class CoapTap {
  /** Sign-ins that the platform answered with a token. */
  auths = 0;
  /** The sequence number of each request under a token, in their order; a repeated datagram counts once. */
  readonly sequences: number[] = [];
  /** While true the platform's answers get lost. */
  deaf = false;
  /** `coap://…` for devices. */
  endpoint = "";
  readonly #front: Socket = createSocket("udp4");
  readonly #behind = new Map<number, Socket>();
  readonly #seen = new Set<string>();
  readonly #answered = new Set<string>();
  #key: Buffer | undefined;

  /**
   * @param platform `coap://…` of the platform
   * @param secret the DeviceSecret of the only device
   */
  constructor(
    readonly platform: string,
    readonly secret: string,
  ) {}

  async open(): Promise<this> {
    this.#front.bind(0, "127.0.0.1");
    await once(this.#front, "listening");
    this.endpoint = `coap://127.0.0.1:${(this.#front.address() as AddressInfo).port}`;
    this.#front.on("message", (bytes, { port }) => {
      this.#request(bytes);
      this.#forward(port).send(bytes, Number(new URL(this.platform).port), "127.0.0.1");
    });
    return this;
  }

  close(): void {
    this.#front.close();
    for (const socket of this.#behind.values()) socket.close();
  }

  /** A socket for each of the devices, which the platform tells apart by their addresses. */
  #forward(port: number): Socket {
    const known = this.#behind.get(port);
    if (known !== undefined) return known;
    const socket = createSocket("udp4");
    socket.on("message", (bytes) => {
      this.#response(bytes);
      if (!this.deaf) this.#front.send(bytes, port, "127.0.0.1");
    });
    this.#behind.set(port, socket);
    return socket;
  }

  #request(bytes: Buffer): void {
    const sequence = readMessage(bytes)?.options.find(({ number }) => number === Option.Sequence)?.value;
    const datagram = bytes.toString("hex");
    if (sequence === undefined || this.#key === undefined || this.#seen.has(datagram)) return;
    this.#seen.add(datagram);
    const cipher = createDecipheriv("aes-128-cbc", this.#key, VECTOR);
    this.sequences.push(Number(Buffer.concat([cipher.update(sequence), cipher.final()]).toString()));
  }

  #response(bytes: Buffer): void {
    const payload = readMessage(bytes)?.payload.toString() ?? "";
    const [, random] = /"random":"([^"]+)"/.exec(payload) ?? [];
    if (random === undefined || this.#answered.has(random)) return;
    this.#answered.add(random);
    this.auths++;
    this.#key = createHash("sha256").update(`${this.secret},${random}`).digest().subarray(8, 24);
  }
}
