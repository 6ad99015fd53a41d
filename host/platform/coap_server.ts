// The CoAP front, symmetric mode: /auth, /topic/… and /pull. Messages go the same way as those over MQTT.

import { BlockTransfers, MAX_BODY } from "./coap_blocks.js";
import { CoapEndpoint, type Exchange, type Response } from "./coap_endpoint.js";
import { Format, type Message, Option, optionNumber, optionValues } from "./coap_message.js";
import { CoapNetwork } from "./coap_network.js";
import { encodeJson, jsonOfCbor, shortReply, textMembers } from "./coap_payload.js";
import { type CoapSession, CoapSessions } from "./coap_sessions.js";
import { DownlinkQueue } from "./downlink_queue.js";
import type { Log } from "./events.js";
import type { Faults } from "./faults.js";
import type { Device, Registry } from "./registry.js";
import { isOwnTopic } from "./topics.js";

/** A device counts as online this long after its last message, ms. */
export const COAP_ONLINE_MS = 600_000;
/** Messages one /pull may ask for. */
const MAX_PAGE = 10;
/** Options with an odd number are critical: one that is not known must be refused (RFC 7252 §5.4.1). */
const KNOWN = new Set<number>(Object.values(Option));

/** Where the reply to an uplink message goes. */
export type ReplyTo = (device: Device, topic: string, payload: string) => Promise<boolean>;

/** What the server does with devices and their messages. */
export interface CoapEvents {
  online(device: Device): void;
  offline(device: Device): void;
  /** One message of a device on one of its own topics; its reply, if any, is given to `reply` before the promise settles. */
  uplink(device: Device, topic: string, payload: Buffer, reply: ReplyTo): Promise<void>;
}

/** What the server needs. */
export interface CoapOptions {
  registry: Registry;
  events: CoapEvents;
  faults: Faults;
  /** Milliseconds since 1970. */
  clock: () => number;
  log: Log;
}

/** The documented refusals, thrown from wherever they are found. */
class Refusal extends Error {
  constructor(
    readonly code: string,
    reason: string,
  ) {
    super(reason);
  }
}

export class CoapServer {
  readonly #options: CoapOptions;
  readonly #endpoint: CoapEndpoint;
  readonly #sessions: CoapSessions;
  readonly #blocks: BlockTransfers;
  readonly #queue: DownlinkQueue;
  /** Last message by device, ms since 1970. */
  readonly #seen = new Map<Device, number>();
  #network: CoapNetwork | undefined;
  #messageId = 0n;

  constructor(options: CoapOptions) {
    this.#options = options;
    const { registry, clock, log } = options;
    this.#sessions = new CoapSessions(registry, clock);
    this.#blocks = new BlockTransfers(clock);
    this.#queue = new DownlinkQueue(clock);
    this.#endpoint = new CoapEndpoint(
      (datagram, peer) => this.#network?.send(datagram, peer),
      (exchange) => this.#answer(exchange),
      clock,
      (error) => log(`coap: ${error.message}`),
    );
    this.#messageId = BigInt(clock()) << 20n;
  }

  /** Open the port. @returns it */
  async listen(host: string, port: number): Promise<number> {
    const { faults, log } = this.#options;
    this.#network = await CoapNetwork.open(
      host,
      port,
      faults,
      (datagram, peer) => this.#endpoint.receive(datagram, peer),
      (error) => log(`coap: ${error.message}`),
    );
    return this.#network.port;
  }

  /** Whether the device has sent something in the last ten minutes. */
  isOnline(device: Device): boolean {
    return this.#seen.has(device);
  }

  /** Keep a message of the platform for the device's next /pull. @returns false when the device does not use CoAP now */
  deliver(device: Device, topic: string, payload: string | Buffer): boolean {
    if (!this.isOnline(device)) return false;
    this.#queue.add(device, topic, payload.toString());
    return true;
  }

  /** Look at the clock: devices that have been silent go offline. */
  tick(): void {
    const before = this.#options.clock() - COAP_ONLINE_MS;
    for (const [device, atMs] of this.#seen)
      if (atMs < before) {
        this.#seen.delete(device);
        this.#options.events.offline(device);
      }
  }

  async close(): Promise<void> {
    this.#endpoint.close();
    await this.#network?.close();
  }

  async #answer(exchange: Exchange): Promise<Response> {
    const { request, peer } = exchange;
    const path = optionValues(request, Option.UriPath).map((level) => level.toString("utf8"));
    try {
      return await this.#route(exchange, path);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const where = JSON.stringify(`/${path.join("/")}`.slice(0, 128));
      this.#options.log(`coap ${peer.address} ${where}: refused with ${error.code}: ${error.message}`);
      return { code: error.code, options: [], payload: Buffer.alloc(0) };
    }
  }

  async #route(exchange: Exchange, path: string[]): Promise<Response> {
    const { request, peer } = exchange;
    const [service] = path;
    const isKnown = path.length === 1 ? service === "auth" || service === "pull" : service === "topic";
    this.#provoke(service);
    if (!isKnown) throw new Refusal("4.04", "there is no such path");
    if (request.code !== "0.02") throw new Refusal("4.05", "only POST is possible");
    const unknown = request.options.find(({ number }) => number % 2 === 1 && !KNOWN.has(number));
    if (unknown !== undefined) throw new Refusal("4.02", `option ${unknown.number} is not known`);
    const session = service === "auth" ? undefined : this.#session(request);
    if (session?.separate) exchange.acknowledge();
    const key = `${peer.address}:${peer.port} ${session?.token ?? ""} /${path.join("/")}`;
    const later = this.#blocks.next(key, request);
    if (later !== undefined) return later;
    const arrival = this.#blocks.arrive(key, request);
    if ("answer" in arrival) return arrival.answer;
    const { body, echo } = arrival;
    const response = session ? await this.#data(session, request, path, body) : this.#auth(request, body);
    const cut = this.#blocks.leave(key, request, response);
    return { ...cut, options: [...cut.options, ...echo] };
  }

  /** A switched-on answer instead of the true one. */
  #provoke(service = ""): void {
    const answer = this.#options.faults.coapAnswer;
    if (answer === undefined || (answer.service !== undefined && answer.service !== service)) return;
    if (answer.times !== undefined) {
      if (answer.times <= 0) return;
      answer.times--;
    }
    throw new Refusal(answer.code, "the fault coap-answer is on");
  }

  #session(request: Message): CoapSession {
    const token = optionValues(request, Option.Token)[0]?.toString("latin1") ?? query(request, "token");
    if (token === undefined) throw new Refusal("4.01", "option 2088, the token, is missing");
    const session = this.#sessions.find(token);
    if (session === undefined) throw new Refusal("4.01", "the token is unknown or has ended");
    if (session.device.disabled) throw new Refusal("4.03", "the device is disabled");
    return session;
  }

  #auth(request: Message, body: Buffer): Response {
    const format = optionNumber(request, Option.ContentFormat) ?? Format.Json;
    if (format !== Format.Json && format !== Format.Cbor)
      throw new Refusal("4.15", `content format ${format}: it must be 50 (JSON) or 60 (CBOR)`);
    const accepted = optionNumber(request, Option.Accept) ?? format;
    if (accepted !== Format.Json && accepted !== Format.Cbor)
      throw new Refusal("4.06", `accept ${accepted}: it must be 50 (JSON) or 60 (CBOR)`);
    const fields = textMembers(body, format);
    if (fields === undefined) throw new Refusal("4.00", "the body is not an object of texts");
    const session = this.#sessions.signIn(fields);
    if ("code" in session) throw new Refusal(session.code, session.reason);
    const { random, seqOffset, token } = session;
    return content(encodeJson(JSON.stringify({ random, seqOffset, token }), accepted), accepted);
  }

  /** /topic/… and /pull: both under a sequence number, both encrypted. */
  async #data(session: CoapSession, request: Message, path: string[], body: Buffer): Promise<Response> {
    const format = optionNumber(request, Option.ContentFormat) ?? Format.Json;
    // Link SDK C accepts 42, and the content format is not checked here: the documents say so.
    const accepted = optionNumber(request, Option.Accept) ?? (format === Format.Cbor ? Format.Cbor : Format.Json);
    if (![Format.Json, Format.Cbor, Format.OctetStream].includes(accepted as 42))
      throw new Refusal("4.06", `accept ${accepted}: it must be 50 (JSON) or 60 (CBOR)`);
    const sequence = session.sequence(sequenceOf(request));
    if (sequence === undefined)
      throw new Refusal("4.02", "option 2089: no sequence number of this token, below the offset, or used before");
    const plain = session.decrypt(body);
    if (plain === undefined) throw new Refusal("4.00", "the payload is not encrypted with the session's key");
    const json = format === Format.Cbor ? jsonOfCbor(plain) : plain.toString("utf8");
    if (json === undefined) throw new Refusal("4.00", "the payload is not the CBOR of a JSON value");
    const topic = `/${path.slice(1).join("/")}`;
    if (path[0] === "topic" && !isOwnTopic(topic, session.device))
      throw new Refusal("4.03", "not one of the device's own topics");
    session.use(sequence);
    this.#saw(session.device);
    const reply = path[0] === "pull" ? this.#pull(session, json) : await this.#uplink(session, topic, json, plain);
    if (reply === undefined) return { ...content(Buffer.alloc(0), accepted), options: [this.#newMessageId()] };
    const sealed = content(session.encrypt(encodeJson(reply, accepted)), accepted);
    return path[0] === "pull" ? sealed : { ...sealed, options: [...sealed.options, this.#newMessageId()] };
  }

  async #uplink(session: CoapSession, topic: string, json: string, plain: Buffer): Promise<string | undefined> {
    const { device } = session;
    let reply: string | undefined;
    const isText = topic.startsWith("/sys/") || topic.startsWith("/ota/");
    await this.#options.events.uplink(device, topic, isText ? Buffer.from(json) : plain, async (to, at, payload) => {
      if (to !== device || (at !== `${topic}_reply` && at !== topic)) return this.deliver(to, at, payload);
      reply = shortReply(payload);
      return true;
    });
    return reply;
  }

  /** `[{"topic","payload"}…]`, the oldest first; the documents do not print this answer, so its shape is ours. */
  #pull({ device }: CoapSession, json: string): string {
    let size = Number.NaN;
    try {
      size = Number((JSON.parse(json) as { pageSize?: unknown } | null)?.pageSize ?? 1);
    } catch {
      // Refused below.
    }
    if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE)
      throw new Refusal("4.00", `pageSize must be 1-${MAX_PAGE}`);
    return this.#queue.take(device, size, MAX_BODY / 2);
  }

  #newMessageId(): Message["options"][number] {
    this.#messageId++;
    return { number: Option.MessageId, value: Buffer.from(String(this.#messageId)) };
  }

  #saw(device: Device): void {
    const isNew = !this.#seen.has(device);
    this.#seen.set(device, this.#options.clock());
    if (isNew) this.#options.events.online(device);
  }
}

function content(payload: Buffer, format: number): Response {
  const options = payload.length === 0 ? [] : [{ number: Option.ContentFormat, value: Buffer.of(format) }];
  return { code: "2.05", options, payload };
}

/** A member of the query, which may stand for option 2088 or 2089; the options win. */
function query(request: Message, name: string): string | undefined {
  const prefix = `${name}=`;
  const found = optionValues(request, Option.UriQuery)
    .flatMap((value) => value.toString("latin1").split("&"))
    .find((item) => item.startsWith(prefix));
  return found?.slice(prefix.length);
}

function sequenceOf(request: Message): Buffer {
  return optionValues(request, Option.Sequence)[0] ?? Buffer.from(query(request, "seq") ?? "", "hex");
}
