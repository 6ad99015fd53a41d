// The thing-model services of the cloud side: property and event posts up, property set down, upgrade messages handed
// to the job service. Every request that wants a reply gets one, unknown ones an error.

import { Code, type Envelope, parseEnvelope, reply } from "./envelope.js";
import type { DeviceId, Emit, Log } from "./events.js";
import { type Device, deviceKey } from "./registry.js";

/** Sends a message to a device; false when it is offline. */
export type Deliver = (device: Device, topic: string, payload: string, qos?: 0 | 1) => Promise<boolean>;

/** What the job service does with upgrade messages. */
export interface UpgradeMessages {
  inform(device: Device, module: string, version: string): void;
  progress(device: Device, module: string, step: number, desc: string): void;
  /** Offer for firmware/get; undefined when nothing waits. */
  pendingOffer(device: Device, module: string): Record<string, unknown> | undefined;
}

/** Reply of a device to a request of the platform. */
export interface DeviceReply {
  id: string;
  code: number;
  data: unknown;
}

const MAX_PROPERTIES = 200;
/**
 * Properties kept per device (a TSL has at most 300 functions), its last events, and the longest value kept, characters of
 * JSON.
 */
const MAX_KEPT = { properties: 300, events: 300, valueLength: 10_240 };
/** Identifier of an event (Alink, "ThingModelJson"), and the words that are none. */
const IDENTIFIER = /^\w{1,50}$/;
const RESERVED = new Set(["set", "get", "post", "property", "event", "time", "value"]);
const MAX_PENDING = 100;
const MAX_DESC = 128;
const VERSION = /^\P{Cc}{1,64}$/u;
const MODULE = /^\P{Cc}{1,64}$/u;

interface Pending {
  resolve(reply: DeviceReply): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
  device: Device;
}

/** Answers what devices send on system topics. */
export class AlinkServices {
  readonly #pending = new Map<string, Pending>();
  #nextId = 1;

  constructor(
    private readonly deliver: Deliver,
    private readonly upgrades: UpgradeMessages,
    private readonly emit: Emit,
    private readonly log: Log,
  ) {}

  /** One message of a device. Resolves when its reply is on the link, or with whoever answers the message: `deliver`. */
  async uplink(device: Device, topic: string, payload: Buffer, deliver = this.deliver): Promise<void> {
    const system = `/sys/${device.productKey}/${device.deviceName}/`;
    if (topic.startsWith(system)) return this.#system(device, topic, topic.slice(system.length), payload, deliver);
    const upgrade = /^\/ota\/device\/(inform|progress|request)\//.exec(topic)?.[1];
    if (upgrade !== undefined) return this.#upgrade(device, topic, upgrade, payload, deliver);
  }

  async #system(device: Device, topic: string, path: string, payload: Buffer, deliver: Deliver): Promise<void> {
    const isReply = path.endsWith("_reply");
    if (path.startsWith("rrpc/") || path.startsWith("thing/model/up_raw")) return;
    const parsed = parseEnvelope(payload);
    if ("malformed" in parsed) {
      this.log(`${deviceKey(device)}: ${topic}: malformed JSON`);
      if (parsed.malformed === undefined || isReply) return;
      await deliver(device, `${topic}_reply`, reply(parsed.malformed, Code.NotJson, {}, "not a JSON object"), 0);
      return;
    }
    if (isReply) return this.#reply(device, parsed, payload);
    const method = path.replaceAll("/", ".");
    const [code, data, message] = this.#request(device, path, parsed);
    if (code !== Code.Ok) this.log(`${deviceKey(device)}: ${method}: ${code} ${message}`);
    if (parsed.id === undefined) {
      this.log(`${deviceKey(device)}: ${topic}: no id, no reply`);
    } else if (parsed.wantsReply) {
      await deliver(device, `${topic}_reply`, reply(parsed.id, code, data, message, method), 0);
    }
  }

  #request(device: Device, path: string, { params }: Envelope): [code: number, data: unknown, message: string] {
    if (path === "thing/event/property/post") return this.#propertyPost(device, params);
    if (path === "thing/ota/firmware/get") {
      const module = moduleOf(params);
      if (module === undefined) return [Code.Parameter, {}, "params.module must be a string of 1-64 characters"];
      return [Code.Ok, this.upgrades.pendingOffer(device, module) ?? {}, "success"];
    }
    const identifier = /^thing\/event\/([^/]*)\/post$/.exec(path)?.[1];
    if (identifier !== undefined) return this.#eventPost(device, identifier, params);
    return [Code.Topic, {}, `this platform has no service ${path.slice(0, 96)}`];
  }

  #propertyPost(device: Device, params: unknown): [number, unknown, string] {
    if (!isObject(params)) return [Code.Parameter, {}, "params must be an object"];
    const entries = Object.entries(params);
    if (entries.length > MAX_PROPERTIES) {
      return [Code.TooManyProperties, {}, `${entries.length} properties, at most ${MAX_PROPERTIES} in one post`];
    }
    const now = Date.now();
    for (const [identifier, posted] of entries) {
      const { value, time } = isObject(posted) && "value" in posted ? posted : { value: posted, time: now };
      const known = device.properties.has(identifier);
      const fits = (JSON.stringify(value)?.length ?? Infinity) <= MAX_KEPT.valueLength && identifier.length <= 64;
      if (!fits || (!known && device.properties.size >= MAX_KEPT.properties)) continue;
      device.properties.set(identifier, { value, time: typeof time === "number" ? time : now });
    }
    this.emit("property.post", { ...idOf(device), params });
    return [Code.Ok, {}, "success"];
  }

  /** Other than a property, an event that is not in order is refused whole. */
  #eventPost(device: Device, identifier: string, params: unknown): [number, unknown, string] {
    const refuse = (message: string, code: number = Code.Parameter): [number, unknown, string] => [code, {}, message];
    if (!IDENTIFIER.test(identifier) || RESERVED.has(identifier))
      return refuse(`an event's identifier has 1-50 letters, digits and _ and is none of ${[...RESERVED].join(", ")}`);
    if (!isObject(params)) return refuse("params must be an object");
    // the C SDK's samples post the output parameters bare, as properties may be
    const { value, time = Date.now() } = "value" in params ? params : { value: params };
    if (!isObject(value)) return refuse("params.value must be an object");
    if (!Number.isSafeInteger(time) || (time as number) < 0)
      return refuse("params.time must be milliseconds since 1970", Code.Time);
    const { length } = JSON.stringify(value);
    if (length > MAX_KEPT.valueLength)
      return refuse(`params.value has ${length} characters of JSON, at most ${MAX_KEPT.valueLength} are taken`);
    device.events.push({ identifier, value, time: time as number });
    if (device.events.length > MAX_KEPT.events) device.events.shift();
    this.emit("event.post", { ...idOf(device), identifier, params });
    return [Code.Ok, {}, "success"];
  }

  async #upgrade(device: Device, topic: string, kind: string, payload: Buffer, deliver: Deliver): Promise<void> {
    const parsed = parseEnvelope(payload);
    if ("malformed" in parsed) return this.log(`${deviceKey(device)}: ${topic}: malformed JSON`);
    const params = isObject(parsed.params) ? parsed.params : {};
    const module = moduleOf(params);
    if (module === undefined) return this.log(`${deviceKey(device)}: ${topic}: bad module`);
    if (kind === "inform") {
      const { version } = params;
      if (typeof version !== "string" || !VERSION.test(version)) {
        return this.log(`${deviceKey(device)}: ${topic}: version must be a string of 1-64 characters`);
      }
      this.upgrades.inform(device, module, version);
    } else if (kind === "progress") {
      const step = Number(params.step ?? Number.NaN);
      if (!Number.isInteger(step) || step < -4 || step > 100) {
        return this.log(`${deviceKey(device)}: ${topic}: step must be -4…100`);
      }
      this.upgrades.progress(device, module, step, String(params.desc ?? "").slice(0, MAX_DESC));
    } else if (parsed.id !== undefined) {
      await this.#legacyRequest(device, topic, parsed.id, module, deliver);
    }
  }

  /** The older request, answered on the very topic it came on. */
  async #legacyRequest(device: Device, topic: string, id: string, module: string, deliver: Deliver): Promise<void> {
    const offer = this.upgrades.pendingOffer(device, module);
    const text =
      offer === undefined
        ? `{"id":${id},"code":500,"message":"none upgrade operation of the device."}`
        : `{"id":${id},${JSON.stringify({ code: 200, data: offer, message: "success" }).slice(1)}`;
    await deliver(device, topic, text);
  }

  /**
   * Set properties on a device that is online; resolves with its reply.
   *
   * timeoutMs  how long to wait for the reply.
   * onSent     called with the message ID once the message is on the link.
   *
   * Rejects when the device is offline, goes away or does not answer in time.
   */
  async setProperties(
    device: Device,
    params: Record<string, unknown>,
    timeoutMs = 8000,
    onSent?: (messageId: string) => void,
  ): Promise<DeviceReply> {
    const name = deviceKey(device);
    if (this.#pending.size >= MAX_PENDING) throw new Error("too many requests wait for a device's reply");
    const id = String(this.#nextId++);
    const answered = new Promise<DeviceReply>((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(id, `${name} did not answer within ${timeoutMs} ms`), timeoutMs);
      this.#pending.set(id, { resolve, reject, timer, device });
    });
    answered.catch(() => {});
    const topic = `/sys/${name}/thing/service/property/set`;
    const text = JSON.stringify({ method: "thing.service.property.set", id, params, version: "1.0.0" });
    if (await this.deliver(device, topic, text)) onSent?.(id);
    else this.#fail(id, `${name} is offline`);
    return answered;
  }

  #reply(device: Device, { id }: Envelope, payload: Buffer): void {
    const key = id?.replaceAll('"', "") ?? "";
    const pending = this.#pending.get(key);
    // A reply counts only from the device that was asked.
    if (pending?.device !== device) return;
    clearTimeout(pending.timer);
    this.#pending.delete(key);
    const { code, data } = JSON.parse(payload.toString("utf8")) as { code?: unknown; data?: unknown };
    pending.resolve({ id: key, code: Number(code), data });
  }

  #fail(id: string, reason: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    clearTimeout(pending.timer);
    this.#pending.delete(id);
    pending.reject(new Error(reason));
  }

  /** Nobody will answer these any more. */
  offline(device: Device): void {
    for (const [id, pending] of this.#pending) {
      if (pending.device === device) this.#fail(id, `${deviceKey(device)} went offline`);
    }
  }

  close(): void {
    for (const id of this.#pending.keys()) this.#fail(id, "the platform stops");
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function idOf({ productKey, deviceName }: Device): DeviceId {
  return { productKey, deviceName };
}

/** `params.module`, "default" when absent, undefined when unusable. */
function moduleOf(params: unknown): string | undefined {
  const module = isObject(params) ? (params.module ?? "default") : "default";
  return typeof module === "string" && MODULE.test(module) ? module : undefined;
}
