/** A device on Node: one module, its flash image, its links, and the events and posts of the application. */
import { EventEmitter } from "node:events";
import { resolve } from "node:path";
import { type Channel, Code, type Counter, type EventMap, Post } from "../abi.js";
import type { Agent, AgentEvent } from "../agent.js";
import { BootLoader } from "./boot.js";
import type { Traffic } from "./channels.js";
import { type Flash, FlashImage } from "./flash.js";
import { flashLayout } from "./flash_layout.js";
import { Loop } from "./loop.js";
import { isCoap, type LoadedModule, loadModule } from "./module.js";
import { objectJson, PostError, type Posted, Posts } from "./posts.js";
import { RamFlash } from "./ram_flash.js";
import { Recording, type RecordOptions } from "./recording.js";
import { readSnapshot, type SnapshotOrigin, writeSnapshot } from "./snapshot.js";
import { Subscriptions } from "./subscriptions.js";

/**
 * Answers a property set: an Alink code (200 = done, the default) and data as a JSON object. Call it once.
 * @returns resolves when the module took the answer
 */
export type Reply = (code?: number, data?: Record<string, unknown>) => Promise<void>;

/** The events of the module by name, and those of the host. */
export type DeviceEvents = {
  [Name in Exclude<keyof EventMap, "property.set">]: [EventMap[Name]];
} & {
  /** With a listener the application answers; without one the device answers 200. */
  "property.set": [EventMap["property.set"], Reply];
  /** Every event of the module, before its own name. */
  event: [AgentEvent];
  /** The device has stopped by itself: the module failed three times in a row, or the configuration is refused. */
  error: [Error];
};

export interface DeviceOptions {
  /**
   * Members of `configure`, in any letter case: productKey, deviceName, deviceSecret, region, instanceId, endpoint, version,
   * keepAlive, allowPlain, updateConfirm, flash, … At most 1024 bytes as JSON.
   */
  configuration: Record<string, unknown>;
  /** mqtts://host:port, mqtt://host:port or coap://host:port instead of the configuration's. */
  endpoint?: string;
  /** Unencrypted paths that are allowed: "mqtt", "http"; instead of the configuration's. */
  allowPlain?: string[];
  /** PEM of the only certificate authorities to trust; default: those Node comes with. */
  ca?: string | Buffer;
  /**
   * The flash: a file's name (made when missing), or an open one, which `stop` leaves open. Default: `<deviceName>.flash`
   * here; with CoAP, which keeps nothing in a flash, none.
   */
  flash?: string | Flash;
  /** The module, or its bytes; default: the agent.wasm of this package, or agent-coap.wasm for a coap:// endpoint. */
  module?: WebAssembly.Module | Uint8Array<ArrayBuffer>;
  /** Record what the module is told, for replay; off by default. */
  record?: RecordOptions;
  /** What `sleep` returned: `start` goes on from there, with the same configuration. Secret as the device's own secret. */
  snapshot?: Uint8Array;
  /** Makes an instance of the module; for tests. */
  instantiate?: (module: WebAssembly.Module) => Promise<Agent>;
}

/** How long a device that is to sleep waits for the platform's answers, ms. */
const SLEEP_MS = 5_000;
/** How long an orderly end may take, ms. */
const STOP_MS = 5_000;

export class Device extends EventEmitter<DeviceEvents> {
  readonly #options: DeviceOptions;
  readonly #encoder = new TextEncoder();
  readonly #posts = new Posts(() => this.#loop?.wake());
  readonly #subscriptions = new Subscriptions(this.#posts, (text, code) => this.#hostFault(text, code));
  #loop: Loop | undefined;
  #image: FlashImage | undefined;
  #loader: BootLoader | undefined;
  #recording: Recording | undefined;
  #origin: SnapshotOrigin | undefined;
  /** The module will not connect by itself. */
  #down = false;
  /** The module has announced a restart: its disconnect is a part of that. */
  #restarting = false;
  /** Counts the instances: a request is known to the one that has read it only. */
  #instance = 0;
  #state: "stopped" | "running" | "ending" = "stopped";
  #quiet: (() => void) | undefined;

  constructor(options: DeviceOptions) {
    super();
    this.#options = options;
  }

  /**
   * Open the flash, start the module and begin to connect; "device.connected" tells when it stands.
   * @throws FlashError, LayoutError, ConfigurationError, SnapshotError (one line each)
   */
  async start(): Promise<void> {
    if (this.#state !== "stopped") throw new Error("the device runs already");
    this.#state = "running";
    this.#down = false;
    this.#restarting = false;
    this.#instance++;
    try {
      const { configuration, ca, module: given } = this.#options;
      const flash = this.#openFlash(member(configuration, "flash"));
      this.#loader = new BootLoader(flash);
      const scripted = this.#options.instantiate;
      const loaded = scripted === undefined ? await loadModule(given, this.#moduleName()) : ({} as LoadedModule);
      const instantiate = scripted ?? this.#instantiate(loaded, flash);
      const documents = this.#documents(flash);
      this.#origin = { digest: loaded.digest, documents };
      this.#loop = new Loop({
        module: loaded.module,
        documents,
        loader: this.#loader,
        ca,
        ...(instantiate === undefined ? {} : { instantiate }),
        onEvent: (event) => this.#event(event),
        onTurn: (agent) => this.#posts.turn(agent),
        onRestart: () => this.#restarted(),
        onTrap: (error, count) => this.#trapped(error, count),
        onIdle: (linked) => this.#idle(linked),
        onHostFault: (text) => this.#hostFault(text, Code.FlashFailed),
        onFailure: (error) => this.#fail(error),
      });
      const { snapshot } = this.#options;
      await this.#loop.start(snapshot && readSnapshot(snapshot, this.#origin, Date.now()));
    } catch (error) {
      this.#end("the device could not start");
      throw error;
    }
  }

  /**
   * End in an orderly way: DISCONNECT, links closed, state kept in the flash. At most 5 s.
   * Posts that still wait are rejected.
   */
  async stop(): Promise<void> {
    if (this.#state !== "running") return;
    this.#state = "ending";
    // A post that cannot leave now would hold up the disconnect behind it.
    this.#posts.fail("the device is stopping");
    let timer: NodeJS.Timeout | undefined;
    const quiet = new Promise<void>((done) => {
      timer = setTimeout(done, STOP_MS);
      this.#posts
        .post("disconnect", Post.Disconnect, new Uint8Array(0))
        .then(() => {
          this.#quiet = done;
          this.#loop?.wake();
        })
        .catch(done);
    });
    await quiet;
    clearTimeout(timer);
    this.#end("the device was stopped");
  }

  /**
   * End as if the power went: links drop without a word, nothing more is written, posts are rejected. `start` goes on from
   * what the flash has.
   */
  cutPower(): void {
    if (this.#state === "running") this.#end("the power was cut");
  }

  /**
   * Fall asleep: what is under way is waited for, 5 s at most, then links are dropped without a word, and the platform
   * keeps the session. Posts that are not answered by then are rejected; those the module took are sent again after waking.
   * @returns the device as it is, for the `snapshot` of a new one, here or in another process; to be used once
   */
  async sleep(): Promise<Uint8Array> {
    if (this.#state !== "running") throw new Error("the device does not run");
    this.#state = "ending";
    const state = await this.#loop!.snapshot(SLEEP_MS);
    this.#end("the device fell asleep");
    if (state === undefined) throw new Error("the device stopped before it could fall asleep");
    return writeSnapshot(state, this.#origin!, Date.now());
  }

  /** Ask the platform for what waits there; over CoAP nothing comes by itself. @throws PostError */
  async pull(): Promise<void> {
    const refused = this.#refusal("the pull");
    if (refused !== undefined) throw refused;
    await this.#posts.post("the pull", Post.Pull, new Uint8Array(0));
  }

  /** A number of the module's own, since its memory began: over sleeps, but not over `stop`. */
  counter(which: Counter): number {
    return this.#loop?.counter(which) ?? 0;
  }

  /** What went over the links since `start`. */
  get traffic(): Traffic {
    return { ...(this.#loop?.channels.traffic ?? { writes: 0, bytesOut: 0, reads: 0, bytesIn: 0 }) };
  }

  /**
   * Report properties.
   * @param properties identifier → value
   * @returns the message's id and the platform's code (200 = done). While the link is down the post waits for it.
   * @throws PostError: no object, or not of JSON values; too large (says both numbers), not connected and not trying, no
   *   answer, stopped
   */
  async postProperties(properties: Record<string, unknown>): Promise<Posted> {
    const what = "the property post";
    const refused = this.#refusal(what);
    if (refused !== undefined) throw refused;
    const json = objectJson(what, "the properties", properties);
    return this.#posts.post(what, Post.Property, this.#encoder.encode(json));
  }

  /**
   * Report an event of the thing model.
   * @param identifier the event's, as the thing model has it: 1 to 50 letters, digits and "_"
   * @param value its output parameters: identifier → value
   * @param options time: when it came about, whole milliseconds since 1970, as of `Date.now()`; without one it is the
   *   platform's time of arrival
   * @returns the message's id and the platform's code (200 = done). While the link is down the post waits for it.
   * @throws PostError: no identifier of an event, no object of JSON values, no time, too large (says both numbers), not
   *   connected and not trying, no answer, stopped
   */
  async postEvent(
    identifier: string,
    value: Record<string, unknown>,
    { time }: { time?: number } = {},
  ): Promise<Posted> {
    const what = "the event post";
    const refused = this.#refusal(what);
    if (refused !== undefined) throw refused;
    if (time !== undefined && !(Number.isSafeInteger(time) && time >= 0))
      throw new PostError(Code.BadArgument, `${what}: time takes whole milliseconds since 1970, as of Date.now()`);
    if (typeof identifier !== "string")
      throw new PostError(Code.BadArgument, `${what}: the identifier is a string, not ${typeof identifier}`);
    // A zero byte ends the identifier: a blank in its place is refused like any other character.
    const name = identifier.replaceAll("\0", " ");
    const json = objectJson(what, "the value", value);
    const params = time === undefined ? `{"value":${json}}` : `{"value":${json},"time":${time}}`;
    return this.#posts.post(what, Post.Event, this.#encoder.encode(`${name}\0${params}`));
  }

  /** Publish to an application topic at QoS 1. @returns resolves when the module took it. @throws PostError */
  async publish(topic: string, payload: string | Uint8Array): Promise<void> {
    const body = typeof payload === "string" ? this.#encoder.encode(payload) : payload;
    const head = this.#encoder.encode(`${topic}\0`);
    const bytes = new Uint8Array(head.length + body.length);
    bytes.set(head);
    bytes.set(body, head.length);
    const refused = this.#refusal("the message");
    if (refused !== undefined) throw refused;
    await this.#posts.post("the message", Post.Publish, bytes);
  }

  /**
   * Subscribe to an application topic; "message" brings what arrives. The device remembers it and subscribes again
   * whenever the platform has lost the session; a subscription that is refused then is told as a "fault".
   * @returns resolves when the platform grants it. While the link is down it waits for it.
   * @throws PostError: refused, no answer within 15 s, the link was lost before the answer, not trying, stopped
   */
  async subscribe(topic: string): Promise<void> {
    const refused = this.#refusal("the subscription");
    if (refused !== undefined) throw refused;
    await this.#subscriptions.subscribe(topic);
  }

  /** End a subscription. @returns resolves when the platform has ended it @throws PostError as `subscribe`; it is kept then */
  async unsubscribe(topic: string): Promise<void> {
    const refused = this.#refusal("the end of the subscription");
    if (refused !== undefined) throw refused;
    await this.#subscriptions.unsubscribe(topic);
  }

  /**
   * Decide on the package of the last "update.offered" with `confirm` (`updateConfirm: "ask"`): take it, have the platform
   * asked for it again after `seconds` (1–604800, an hour by default), or refuse it, which fails the platform's task.
   * @returns resolves when the module took the decision
   * @throws PostError: no decision is awaited, or the number of seconds is out of range
   */
  async decideUpdate(decision: "accept" | "later" | "never", seconds?: number): Promise<void> {
    const kind = { accept: Post.UpdateAccept, later: Post.UpdateLater, never: Post.UpdateNever }[decision];
    const payload = decision === "later" && seconds !== undefined ? String(seconds) : "";
    const refused = this.#state === "running" ? undefined : new PostError(0, "the decision: the device does not run");
    if (refused !== undefined) throw refused;
    const what = "the decision on the update";
    await this.#posts.post(what, kind, this.#encoder.encode(payload)).catch((error: PostError) => {
      if (error.code === Code.BadState) throw new PostError(error.code, `${what}: none is awaited`);
      if (error.code === Code.BadArgument) throw new PostError(error.code, `${what}: later takes 1 to 604800 seconds`);
      throw error;
    });
  }

  /** The last error of a channel's link in Node's words ("" = none); for people. */
  linkError(channel: Channel): string {
    return this.#loop?.channels.errors[channel] ?? "";
  }

  /** The flash, while the device runs. */
  get flash(): Flash | undefined {
    return this.#loader?.flash;
  }

  #openFlash(members: unknown): Flash {
    const { flash, configuration } = this.#options;
    if (typeof flash === "object") return flash;
    if (flash === undefined && this.#moduleName() === "agent-coap") return new RamFlash(flashLayout(members ?? {}));
    this.#image = FlashImage.open(flash ?? flashFile(member(configuration, "deviceName")), flashLayout(members ?? {}));
    return this.#image;
  }

  /** How instances are made; where they are recorded, the recorder makes them. */
  #instantiate(loaded: LoadedModule, flash: Flash): (() => Promise<Agent>) | undefined {
    const { record } = this.#options;
    if (record === undefined) return undefined;
    if (this.#options.snapshot !== undefined)
      throw new Error("a record begins with a fresh instance: leave out the snapshot, or the record");
    const recording = new Recording(record, loaded, (text) => this.#hostFault(text));
    this.#recording = recording;
    return async () => recording.instance(flash);
  }

  #moduleName(): "agent" | "agent-coap" {
    const { configuration, endpoint } = this.#options;
    return isCoap(endpoint ?? member(configuration, "endpoint")) ? "agent-coap" : "agent";
  }

  /** Later members win. The layout goes last and complete, so that module and host agree on every region. */
  #documents(flash: Flash): Record<string, unknown>[] {
    const { configuration, endpoint, allowPlain } = this.#options;
    const plain = Object.entries(configuration).filter(([key]) => key.toLowerCase() !== "flash");
    const documents: Record<string, unknown>[] = [Object.fromEntries(plain)];
    if (endpoint !== undefined) documents.push({ endpoint });
    if (allowPlain !== undefined) documents.push({ allowPlain });
    documents.push({ flash: flash.layout });
    return documents;
  }

  /** Why nothing can be posted now; undefined = it can. */
  #refusal(what: string): PostError | undefined {
    if (this.#state !== "running") return new PostError(0, `${what}: the device does not run`);
    if (this.#down) return new PostError(0, `${what}: the device is disconnected and does not try again`);
    return undefined;
  }

  #restarted(): void {
    this.#restarting = false;
    this.#down = false;
    this.#instance++;
    this.#posts.restarted();
  }

  #event(event: AgentEvent): void {
    this.#follow(event);
    this.#tell(() => this.emit("event", event));
    if (event.event === "property.set") this.#propertySet(event);
    else this.#tell(() => this.emit(event.event, event as never));
  }

  /** What an event means to the posts. */
  #follow(event: AgentEvent): void {
    if (event.event === "device.connecting") this.#down = false;
    else if (event.event === "device.connected") this.#subscriptions.connected(event.sessionPresent);
    else if (event.event === "device.disconnected") this.#disconnected(event.retryMs);
    else if (event.event === "property.posted" || event.event === "event.posted" || event.event === "subscribed")
      this.#posts.settle(event);
    else if (event.event === "update.restart" && this.#state === "running") {
      this.#restarting = true;
      this.#posts.hold();
    }
  }

  #disconnected(retryMs: number): void {
    this.#posts.linkLost();
    if (retryMs >= 0 || this.#restarting) return;
    this.#down = true;
    if (this.#state === "running") this.#posts.fail("the device is disconnected and does not try again");
  }

  #propertySet(event: EventMap["property.set"]): void {
    const instance = this.#instance;
    const reply: Reply = async (code = 200, data) => {
      if (instance !== this.#instance)
        throw new PostError(0, "the reply: the device restarted and no longer knows the request");
      const bytes =
        data === undefined ? new Uint8Array(0) : this.#encoder.encode(objectJson("the reply", "the data", data));
      await this.#posts.reply(event.token, code, bytes);
    };
    if (this.listenerCount("property.set") > 0) this.#tell(() => this.emit("property.set", event, reply));
    else reply().catch((error: Error) => this.#hostFault(error.message));
  }

  /** What a listener throws is an uncaught error as anywhere in Node, but the loop goes on. */
  #tell(emit: () => void): void {
    try {
      emit();
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #hostFault(desc: string, code: number = Code.BadState): void {
    const event: EventMap["fault"] = { event: "fault", code, detail: 0, desc };
    this.#tell(() => this.emit("event", event));
    this.#tell(() => this.emit("fault", event));
  }

  #trapped(error: Error, count: number): void {
    this.#recording?.stopped(error.message);
    this.#hostFault(`the module stopped (${count} in a row): ${error.message}`);
  }

  #idle(linked: boolean): void {
    this.#recording?.flush();
    if (!linked) this.#quiet?.();
  }

  #fail(error: Error): void {
    this.#quiet?.();
    this.#end(error.message);
    process.nextTick(() => this.emit("error", error));
  }

  #end(reason: string): void {
    this.#loop?.halt();
    this.#recording?.end();
    this.#recording = undefined;
    this.#posts.fail(reason);
    this.#quiet = undefined;
    this.#image?.close();
    this.#image = undefined;
    this.#loader = undefined;
    this.#state = "stopped";
  }
}

/** A member of a document whose keys come in any letter case; the last one wins, as in the module. */
export function member(document: Record<string, unknown>, name: string): unknown {
  const wanted = name.toLowerCase();
  return Object.entries(document)
    .filter(([key]) => key.toLowerCase() === wanted)
    .at(-1)?.[1];
}

/** `<deviceName>.flash`, in the current folder or in `folder`. */
export function flashFile(deviceName: unknown, folder = "."): string {
  // ":" is legal in a DeviceName but not in every file system.
  const name = typeof deviceName === "string" ? deviceName.replace(/[^A-Za-z0-9._@-]/g, "_") : "";
  return resolve(folder, `${name === "" ? "device" : name}.flash`);
}
