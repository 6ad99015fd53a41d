/** The platform's end of CoAP in symmetric mode, for the bench: Alink §4 on coap-packet and node:crypto. */
import assert from "node:assert/strict";
import { createCipheriv, createDecipheriv, createHash, createHmac } from "node:crypto";
import { decode, encode } from "cborg";
import packet, { type ParsedPacket } from "coap-packet";
import { CoapRig, type Far, identity, type Message } from "./coap_rig.js";

const IV = Buffer.from("543yhjy97ae7fyfg");

/** A request as the platform sees it, decrypted. */
export interface Uplink {
  path: string;
  token: string;
  sequence: number;
  format: number;
  payload: Buffer;
  confirmable: boolean;
}

/** What a request is answered with: a code, or a code and a plain payload. */
export interface Answer {
  code: string;
  payload?: string;
  format?: number;
}

interface Session {
  key: Buffer;
  separate: boolean;
  used: Set<number>;
}

const TOKEN = "2088";
const SEQUENCE = "2089";

export function deriveKey(secret: string, random: string): Buffer {
  return createHash("sha256").update(`${secret},${random}`).digest().subarray(8, 24);
}

export class CoapPeer implements Far {
  readonly sessions = new Map<string, Session>();
  /** Requests that reached the application, each once. */
  readonly uplinks: Uplink[] = [];
  /** Bodies of /auth. */
  readonly auths: Record<string, string>[] = [];
  /** Datagrams of the device by kind. */
  readonly empties: ParsedPacket[] = [];
  replays = 0;
  /** Numbers that came under one token with two different messages. */
  conflicts = 0;
  /** What /auth gives for the key, instead of one that is made up. */
  random: string | undefined;
  /** Size exponent that the device is asked for from the second block of a body on. */
  szx = 6;
  /** An answer instead of the usual one. */
  answer: (request: Uplink) => Answer | undefined = () => undefined;
  /** A code instead of signing in. */
  authCode: (n: number) => string | undefined = () => undefined;
  /** Messages for the device's /pull. */
  queue: { topic: string; payload: unknown }[] = [];
  readonly #numbers = new Map<string, string>();
  readonly #seen = new Map<number, { at: number; answer: Buffer[] }>();
  #blocks = new Map<string, Buffer>();
  #downloads = new Map<string, Buffer>();
  #messageId = 30_000;
  #cloudId = 1_000n;
  #waiting = new Map<number, Buffer>();

  constructor(readonly rig: CoapRig) {
    rig.far = this;
  }

  /** Forget every token, as a restart does. */
  forget(): void {
    this.sessions.clear();
  }

  received(bytes: Buffer, nowMs: number): void {
    const request = packet.parse(bytes);
    if (request.code === "0.00") {
      this.empties.push(request);
      this.#waiting.delete(request.messageId);
      return;
    }
    const seen = this.#seen.get(request.messageId);
    // RFC 7252 §4.5; EXCHANGE_LIFETIME is 247 s
    if (seen !== undefined && Math.abs(nowMs - seen.at) < 247_000) {
      for (const each of seen.answer) this.rig.feed(each);
      return;
    }
    const answers = this.#answer(request);
    this.#seen.set(request.messageId, { at: nowMs, answer: answers });
    for (const each of answers) this.rig.feed(each);
  }

  #answer(request: ParsedPacket): Buffer[] {
    const path = values(request, "Uri-Path").map(String).join("/");
    if (path === "auth") return this.#piggyBacked(request, this.#auth(request));
    const token = String(values(request, TOKEN)[0] ?? "");
    const session = this.sessions.get(token);
    if (session === undefined) return this.#piggyBacked(request, { code: "4.01" });
    const response = this.#data(session, token, path, request);
    if (!session.separate || !request.confirmable) return this.#piggyBacked(request, response);
    const empty = packet.generate({ ack: true, code: "0.00", messageId: request.messageId });
    return [empty, this.#generate(request, response, { confirmable: true, messageId: ++this.#messageId })];
  }

  #piggyBacked(request: ParsedPacket, response: Response): Buffer[] {
    const confirmable = request.confirmable;
    return [
      this.#generate(request, response, {
        ack: confirmable,
        messageId: confirmable ? request.messageId : ++this.#messageId,
      }),
    ];
  }

  #generate(request: ParsedPacket, response: Response, head: Record<string, unknown>): Buffer {
    return packet.generate({
      ...head,
      code: response.code,
      token: request.token,
      options: (response.options ?? []).sort((a, b) => numberOf(a.name) - numberOf(b.name)),
      payload: response.payload ?? Buffer.alloc(0),
    } as Parameters<typeof packet.generate>[0]);
  }

  #auth(request: ParsedPacket): Response {
    const format = number(values(request, "Content-Format")[0]);
    const body = (format === 60 ? decode(request.payload) : JSON.parse(request.payload.toString())) as Record<
      string,
      string
    >;
    this.auths.push(body);
    const code = this.authCode(this.auths.length);
    if (code !== undefined) return { code };
    const hash = { hmacmd5: "md5", hmacsha1: "sha1", hmacsha256: "sha256" }[body.signmethod ?? "hmacmd5"];
    const content = Object.keys(body)
      .filter((key) => !["sign", "signmethod", "version", "resources"].includes(key))
      .sort()
      .map((key) => key + body[key])
      .join("");
    const sign = createHmac(hash!, identity.deviceSecret).update(content).digest("hex");
    if (sign !== body.sign?.toLowerCase()) return { code: "4.01" };
    const n = this.auths.length;
    const random = this.random ?? createHash("md5").update(`random ${n}`).digest("hex").slice(0, 16);
    const token = createHash("md5").update(`token ${n}`).digest("hex");
    this.sessions.set(token, {
      key: deriveKey(identity.deviceSecret, random),
      separate: body.ackMode === "1",
      used: new Set(),
    });
    const reply = { random, seqOffset: 1, token };
    const accept = number(values(request, "Accept")[0]);
    return {
      code: "2.05",
      options: [{ name: "Content-Format", value: Buffer.of(accept) }],
      payload: Buffer.from(accept === 60 ? encode(reply) : JSON.stringify(reply)),
    };
  }

  #data(session: Session, token: string, path: string, request: ParsedPacket): Response {
    const block2 = values(request, "Block2")[0];
    if (block2 !== undefined && number(block2) >> 4 > 0) return this.#slice(`${token} ${path}`, number(block2));
    const block1 = values(request, "Block1")[0];
    let body = request.payload;
    const echo: Option[] = [];
    if (block1 !== undefined) {
      const value = number(block1);
      const so = value >> 4 === 0 ? Buffer.alloc(0) : (this.#blocks.get(token) ?? Buffer.alloc(0));
      if (so.length !== (value >> 4) << ((value & 7) + 4)) return { code: "4.08" };
      body = Buffer.concat([so, body]);
      this.#blocks.set(token, body);
      echo.push({ name: "Block1", value: Buffer.from(block1) });
      if (value & 8) {
        const wanted = Buffer.of((value & 0xf8) | Math.min(value & 7, this.szx));
        return { code: "2.31", options: [{ name: "Block1", value: wanted }] };
      }
    }
    const sequence = Number(decipher(session.key, values(request, SEQUENCE)[0])?.toString() ?? Number.NaN);
    if (!(sequence >= 1)) return { code: "4.02" };
    const before = this.#numbers.get(`${token} ${sequence}`);
    if (before !== undefined && before !== body.toString("hex")) this.conflicts += 1;
    this.#numbers.set(`${token} ${sequence}`, body.toString("hex"));
    if (session.used.has(sequence)) {
      this.replays += 1;
      return { code: "4.02" };
    }
    const format = number(values(request, "Content-Format")[0]);
    const payload = decipher(session.key, body);
    if (payload === undefined) return { code: "4.00" };
    const uplink = { path, token, sequence, format, payload, confirmable: request.confirmable };
    const forced = this.answer(uplink);
    if (forced !== undefined && !forced.code.startsWith("2")) {
      if (forced.code !== "5.00") session.used.add(sequence);
      return { code: forced.code };
    }
    session.used.add(sequence);
    this.uplinks.push(uplink);
    const accept = number(values(request, "Accept")[0]);
    const id = { name: "2090", value: Buffer.from(String(++this.#cloudId)) };
    const text = forced?.payload ?? (path === "pull" ? this.#pull() : '{"code":200,"data":{}}');
    const plain =
      accept === 60 && forced?.payload === undefined ? Buffer.from(encode(JSON.parse(text))) : Buffer.from(text);
    const options = [{ name: "Content-Format", value: Buffer.of(accept) }, id, ...echo];
    const sealed = encipher(session.key, plain);
    const szx = block2 === undefined ? 6 : number(block2) & 7;
    if (sealed.length <= 16 << szx) return { code: "2.05", options, payload: sealed };
    this.#downloads.set(`${token} ${path}`, sealed);
    const first = this.#slice(`${token} ${path}`, szx);
    return { ...first, options: [...first.options!, ...options] };
  }

  #slice(key: string, value: number): Response {
    const whole = this.#downloads.get(key) ?? Buffer.alloc(0);
    const size = 16 << (value & 7);
    const from = (value >> 4) * size;
    if (from >= whole.length) return { code: "4.00" };
    const more = from + size < whole.length ? 8 : 0;
    const block = ((value >> 4) << 4) | more | (value & 7);
    const bytes = block < 256 ? Buffer.of(block) : Buffer.of(block >> 8, block & 255);
    return { code: "2.05", options: [{ name: "Block2", value: bytes }], payload: whole.subarray(from, from + size) };
  }

  #pull(): string {
    return JSON.stringify(this.queue.splice(0, 1));
  }
}

interface Option {
  name: string;
  value: Buffer;
}

interface Response {
  code: string;
  options?: Option[];
  payload?: Buffer;
}

const ORDER: Record<string, number> = { "Content-Format": 12, Block2: 23, Block1: 27 };
const numberOf = (name: string): number => ORDER[name] ?? Number(name);

function values(message: ParsedPacket, name: string): Buffer[] {
  return message.options.filter((option) => String(option.name) === name).map(({ value }) => Buffer.from(value));
}

function number(value: Buffer | undefined): number {
  return value === undefined || value.length === 0 ? 0 : value.readUIntBE(0, value.length);
}

export function encipher(key: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv("aes-128-cbc", key, IV);
  return Buffer.concat([cipher.update(plain), cipher.final()]);
}

/** -> undefined when the key or the bytes are not the other side's. */
export function decipher(key: Buffer, bytes: Buffer | undefined): Buffer | undefined {
  const cipher = createDecipheriv("aes-128-cbc", key, IV);
  try {
    return Buffer.concat([cipher.update(bytes ?? Buffer.alloc(0)), cipher.final()]);
  } catch {
    return undefined;
  }
}

/** The path of property posts, as the platform sees it. */
export const POST = `topic/sys/${identity.productKey}/${identity.deviceName}/thing/event/property/post`;

/** An agent that has told its version to a platform that is there. */
export async function connected(
  configuration: Record<string, unknown> = {},
): Promise<{ rig: CoapRig; peer: CoapPeer }> {
  const rig = await CoapRig.create(configuration);
  const peer = new CoapPeer(rig);
  rig.advance(1000);
  assert.equal(rig.named("device.connected").length, 1, JSON.stringify(rig.events));
  return { rig, peer };
}

export const posted = (rig: CoapRig, id: number): Message[] =>
  rig.named("property.posted").filter((event) => event.id === id);

/** The payload of a message of the device. */
export const json = (uplink: Uplink): Record<string, unknown> =>
  JSON.parse(uplink.payload.toString()) as Record<string, unknown>;

export function arrivals(peer: CoapPeer): Map<string, number> {
  const found = new Map<string, number>();
  for (const uplink of peer.uplinks.filter(({ path }) => path === POST)) {
    const key = JSON.stringify(json(uplink).params);
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return found;
}
