// A CoAP client of the tests: coap-packet over UDP, signatures and AES by node:crypto. It knows nothing of the platform's code.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import type { TestContext } from "node:test";
import { generate, type Packet, type ParsedPacket, parse } from "coap-packet";
import type { Platform } from "../../host/platform/index.js";
import { PRODUCT } from "./harness.js";

const IV = "543yhjy97ae7fyfg";

/** A request as a test writes it. */
export interface Ask {
  code?: string;
  path?: string;
  options?: { name: string | number; value: Buffer | string | number[] }[];
  payload?: Buffer | string;
  type?: "CON" | "NON";
  messageId?: number;
  token?: Buffer;
}

/** A UDP socket that speaks CoAP to one platform. */
export class CoapClient {
  readonly inbox: ParsedPacket[] = [];
  /** Acknowledge confirmable responses. */
  acknowledges = true;
  #nextId = 1;
  #waiting: (() => void)[] = [];

  private constructor(
    readonly socket: Socket,
    readonly port: number,
  ) {}

  static async open(t: TestContext, platform: Platform): Promise<CoapClient> {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    t.after(() => socket.close());
    const client = new CoapClient(socket, Number(new URL(platform.ready.coap!).port));
    socket.on("message", (datagram) => {
      const packet = parse(datagram);
      if (packet.confirmable && client.acknowledges)
        client.send(generate({ ack: true, code: "0.00", messageId: packet.messageId }));
      client.inbox.push(packet);
      for (const wake of client.#waiting.splice(0)) wake();
    });
    return client;
  }

  send(datagram: Buffer): void {
    this.socket.send(datagram, this.port, "127.0.0.1");
  }

  /** The datagram of a request. */
  datagram(ask: Ask): Buffer {
    const { code = "POST", path = "/auth", options = [], payload = "", type = "CON" } = ask;
    const levels = path.split("/").slice(1);
    const packet: Packet = {
      code,
      confirmable: type === "CON",
      messageId: ask.messageId ?? this.#nextId++,
      token: ask.token ?? randomBytes(4),
      options: [
        ...levels.map((level) => ({ name: "Uri-Path", value: Buffer.from(level) })),
        ...options.map(({ name, value }) => ({ name, value: Buffer.from(value as Buffer) })),
      ],
      payload: Buffer.from(payload),
    };
    return generate(packet, 65_000);
  }

  /** The first message received from `from` on that passes. */
  async next(passes: (packet: ParsedPacket) => boolean, from = 0): Promise<ParsedPacket> {
    for (;;) {
      const found = this.inbox.slice(from).find(passes);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Send a request and wait for its response, piggy-backed or separate. */
  async ask(ask: Ask): Promise<ParsedPacket> {
    const token = ask.token ?? randomBytes(4);
    const from = this.inbox.length;
    this.send(this.datagram({ ...ask, token }));
    return this.next((packet) => packet.code !== "0.00" && packet.token.equals(token), from);
  }

  /** As `ask`, sent again every `everyMs` until the response is there. */
  async insist(ask: Ask, everyMs = 60): Promise<ParsedPacket> {
    const token = ask.token ?? randomBytes(4);
    const datagram = this.datagram({ ...ask, token });
    const timer = setInterval(() => this.send(datagram), everyMs);
    this.send(datagram);
    try {
      return await this.next((packet) => packet.code !== "0.00" && packet.token.equals(token));
    } finally {
      clearInterval(timer);
    }
  }
}

/** The body of /auth, signed. @param extra more members; "undefined" leaves one out */
export function authBody(
  extra: Record<string, string | undefined> = {},
  secret = "secret-of-example1",
  method = "md5",
): string {
  const members: Record<string, string | undefined> = {
    productKey: PRODUCT,
    deviceName: "example1",
    clientId: "123",
    seq: "10",
    ...extra,
  };
  const content = Object.keys(members)
    .filter((name) => members[name] !== undefined && !["signmethod", "version", "resources", "sign"].includes(name))
    .sort()
    .map((name) => name + members[name])
    .join("");
  return JSON.stringify({ sign: createHmac(method, secret).update(content).digest("hex"), ...members });
}

export const JSON_FORMAT = [
  { name: "Content-Format", value: [50] },
  { name: "Accept", value: [50] },
];
export const CBOR_FORMAT = [
  { name: "Content-Format", value: [60] },
  { name: "Accept", value: [60] },
];

/** A signed-in device. */
export class SignedIn {
  readonly key: Buffer;
  sequence: number;

  constructor(
    readonly token: string,
    random: string,
    readonly seqOffset: number,
    secret = "secret-of-example1",
  ) {
    this.key = createHash("sha256").update(`${secret},${random}`).digest().subarray(8, 24);
    this.sequence = seqOffset;
  }

  encrypt(plain: string | Buffer): Buffer {
    const cipher = createCipheriv("aes-128-cbc", this.key, IV);
    return Buffer.concat([cipher.update(plain), cipher.final()]);
  }

  decrypt(bytes: Buffer): Buffer {
    const decipher = createDecipheriv("aes-128-cbc", this.key, IV);
    return Buffer.concat([decipher.update(bytes), decipher.final()]);
  }

  /** A request under the next sequence number. */
  request(path: string, plain: string | Buffer, more: { sequence?: number; options?: Ask["options"] } = {}): Ask {
    const sequence = more.sequence ?? this.sequence++;
    return {
      path,
      payload: this.encrypt(plain),
      options: [
        ...(more.options ?? JSON_FORMAT),
        { name: 2088, value: this.token },
        { name: 2089, value: this.encrypt(String(sequence)) },
      ],
    };
  }
}

/** Sign in. */
export async function signIn(client: CoapClient, extra: Record<string, string> = {}): Promise<SignedIn> {
  const reply = await client.insist({ options: JSON_FORMAT, payload: authBody(extra) });
  if (reply.code !== "2.05") throw new Error(`/auth answered ${reply.code}`);
  const { token, random, seqOffset } = JSON.parse(reply.payload.toString());
  return new SignedIn(token, random, seqOffset);
}

/** /topic/ and the path of a service of example1. */
export const topic = (path: string, device = "example1") => `/topic/sys/${PRODUCT}/${device}/thing/${path}`;

/** The value of an option; undefined when it is absent. */
export function option(packet: ParsedPacket, name: string): Buffer | undefined {
  return packet.options.find((found) => String(found.name) === name)?.value;
}
