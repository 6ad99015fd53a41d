// The local platform: the cloud's side of Alink in one process, offline. This file puts the parts together.

import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Fastify, { type FastifyInstance } from "fastify";
import { AlinkServices, type DeviceReply } from "./alink.js";
import { Broker } from "./broker.js";
import { type Certificates, provideCertificates } from "./certificates.js";
import { CloudError } from "./cloud_error.js";
import { registerGateway } from "./cloud_http.js";
import { CoapServer } from "./coap_server.js";
import { deviceActions } from "./device_actions.js";
import type { Emit, Log, PlatformEvents } from "./events.js";
import type { Faults } from "./faults.js";
import { checkFixtures, loadFixtures } from "./fixtures.js";
import type { Job, Task } from "./job.js";
import { jobActions } from "./job_actions.js";
import { Jobs } from "./jobs.js";
import { certifiedHosts, Listeners } from "./listeners.js";
import { provideDirectory } from "./local_files.js";
import { ObjectStore } from "./objects.js";
import type { PlatformOptions, Ready } from "./options.js";
import { presign, provideStorageKey, type StorageKey } from "./oss_signature.js";
import { OBJECT_WAITS, packageActions } from "./package_actions.js";
import { offerData, type Package } from "./packages.js";
import { type Device, deviceKey, Registry } from "./registry.js";
import { StateFile } from "./state_file.js";
import { FAULTS_OF_JOB, registerStorage, type StorageContext, storageServer } from "./storage_http.js";

export type { DeviceReply } from "./alink.js";
export type { DeviceId, PlatformEvents, TaskEvent, TaskStatus } from "./events.js";
export { type CoapAnswer, FAULT_NAMES, type Faults, setFault } from "./faults.js";
export { type Fixtures, FixturesError, loadFixtures } from "./fixtures.js";
export { ListenError } from "./listeners.js";
export type { PlatformOptions, Ready, Service } from "./options.js";

interface State {
  packages: Package[];
  jobs: Job[];
  tasks: Task[];
  versions: [productKey: string, deviceName: string, versions: [string, string][]][];
}

const DAY_SECONDS = 86_400;
const TICK = 1000;
/** A request that makes no progress this long is cut, ms. */
const HTTP = { connectionTimeout: 60_000, forceCloseConnections: true as const, exposeHeadRoutes: false };

/**
 * A running platform. Events: see PlatformEvents.
 *
 * faults  the switches; change members at any time.
 */
export class Platform extends EventEmitter<PlatformEvents> {
  ready!: Ready;
  readonly faults: Faults;
  readonly #options: PlatformOptions;
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #directory: string;
  readonly #temporary: boolean;
  readonly #registry: Registry;
  readonly #packages = new Map<string, Package>();
  readonly #state: StateFile<State>;
  readonly #objects: ObjectStore;
  readonly #storageKey: StorageKey;
  readonly #jobs: Jobs;
  readonly #alink: AlinkServices;
  readonly #listeners: Listeners;
  readonly #emit: Emit;
  readonly #apps: FastifyInstance[] = [];
  readonly #coap: CoapServer;
  #broker: Broker | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  /** Use startPlatform. */
  constructor(options: PlatformOptions) {
    super();
    const { fixtures } = options;
    this.#registry = new Registry(typeof fixtures === "string" ? loadFixtures(fixtures) : checkFixtures(fixtures));
    this.#options = options;
    this.#log = options.log ?? (() => {});
    this.#clock = options.clock ?? Date.now;
    this.faults = options.faults ?? {};
    this.#temporary = options.data === undefined;
    this.#directory = provideDirectory(options.data ?? mkdtempSync(join(tmpdir(), "alink-platform-")));
    const stateFile = join(this.#directory, "state.json");
    this.#state = new StateFile<State>(
      this.#temporary ? undefined : stateFile,
      () => this.#snapshot(),
      (error) => this.#log(`the state could not be written: ${error.message}`),
    );
    this.#objects = new ObjectStore(join(this.#directory, "objects"), this.#clock);
    this.#storageKey = provideStorageKey(join(this.#directory, "storage-key.json"));
    this.#listeners = new Listeners(
      options.host ?? "127.0.0.1",
      options.ports ?? {},
      options.optional ?? [],
      this.#log,
    );
    this.#emit = (name, ...args) => {
      try {
        // The tuple type of one name is not assignable to the union EventEmitter asks for.
        (this.emit as (name: string, ...args: unknown[]) => boolean).call(this, name, ...args);
      } catch (error) {
        this.#log(`listener of ${name}: ${(error as Error).message}`);
      }
    };
    this.#jobs = this.#createJobs();
    this.#alink = new AlinkServices((...message) => this.#deliver(...message), this.#jobs, this.#emit, this.#log);
    this.#coap = this.#createCoap();
    this.#restore(this.#temporary ? undefined : StateFile.load<State>(stateFile));
  }

  #createJobs(): Jobs {
    return new Jobs({
      registry: this.#registry,
      packages: this.#packages,
      isOnline: (device) => (this.#broker?.isOnline(device) ?? false) || this.#coap.isOnline(device),
      push: (device, pkg, job) => this.#push(device, pkg, job),
      offer: (pkg, job) => this.#offer(pkg, job),
      changed: () => this.#state.changed(),
      clock: this.#clock,
      emit: this.#emit,
      log: this.#log,
    });
  }

  #createCoap(): CoapServer {
    return new CoapServer({
      registry: this.#registry,
      events: {
        online: (device) => this.#online(device),
        offline: (device) => this.#broker?.isOnline(device) || this.#offline(device),
        uplink: (device, topic, payload, reply) => this.#alink.uplink(device, topic, payload, reply),
      },
      faults: this.faults,
      clock: this.#clock,
      log: this.#log,
    });
  }

  /** By the session that stands; what a device without one would fetch over CoAP waits for it. */
  async #deliver(device: Device, topic: string, payload: string, qos?: 0 | 1): Promise<boolean> {
    const sent = await this.#broker?.deliver(device, topic, payload, qos);
    return sent === true || this.#coap.deliver(device, topic, payload);
  }

  #offer(pkg: Package, job: Job): Record<string, unknown> {
    const now = Math.floor(this.#clock() / 1000);
    const faults = { ...this.faults, ...job.faults };
    const expires = faults.expiredUrl ? now - 60 : now + (this.#options.urlSeconds ?? DAY_SECONDS);
    // The storage sees from the URL which job's faults to have.
    const mark = job.faults === undefined ? "" : `&${FAULTS_OF_JOB}=${job.id}`;
    const download = (key: string) => presign(this.#storageBase(true), key, expires, this.#storageKey) + mark;
    return offerData(pkg, job.tags, download, faults);
  }

  /** The URL that an offer of a package has now. Throws Error when there is no such package. */
  downloadUrl(firmwareId: string): string {
    const key = this.#packages.get(firmwareId)?.files[0]?.key;
    if (key === undefined) throw new Error(`there is no package ${firmwareId}`);
    const expires = Math.floor(this.#clock() / 1000) + DAY_SECONDS;
    return presign(this.#storageBase(true), key, expires, this.#storageKey);
  }

  /** The shape of a push as captured from the deployed platform: code a string, id a number. */
  #push(device: Device, pkg: Package, job: Job): void {
    const topic = `/ota/device/upgrade/${deviceKey(device)}`;
    const text = JSON.stringify({ code: "1000", data: this.#offer(pkg, job), id: this.#clock(), message: "success" });
    const times = (job.faults?.pushTwice ?? this.faults.pushTwice) ? 2 : 1;
    for (let i = 0; i < times; i++) {
      this.#deliver(device, topic, text).catch((error: Error) => this.#log(`${topic}: ${error.message}`));
    }
  }

  #storageBase(encrypted: boolean): string {
    const { https, http } = this.#listeners.urls;
    const base = encrypted ? (https ?? http) : (http ?? https);
    if (base === undefined) throw new Error("neither http nor https is served");
    return base;
  }

  #snapshot(): State {
    const versions = [...this.#registry.devices()].map(
      ({ productKey, deviceName, versions: known }): State["versions"][number] => [productKey, deviceName, [...known]],
    );
    return {
      packages: [...this.#packages.values()],
      jobs: [...this.#jobs.jobs.values()],
      tasks: [...this.#jobs.tasks.values()],
      versions,
    };
  }

  #restore(state: State | undefined): void {
    if (state === undefined) return;
    for (const pkg of state.packages) this.#packages.set(pkg.id, pkg);
    this.#jobs.restore(state.jobs, state.tasks);
    for (const [productKey, deviceName, versions] of state.versions) {
      const device = this.#registry.device(productKey, deviceName);
      for (const [module, version] of versions) device?.versions.set(module, version);
    }
  }

  /** @internal */
  async start(): Promise<this> {
    try {
      const certificates = await provideCertificates(this.#directory, certifiedHosts(this.#listeners.host));
      await this.#startBroker(certificates);
      await this.#startHttp(certificates);
      await this.#listeners.open("coap", "coap", (host, port) => this.#coap.listen(host, port));
      this.ready = { ready: true, ...this.#listeners.urls, ca: certificates.caFile };
      this.#ticker = setInterval(() => {
        this.tick().catch((error: Error) => this.#log(`tick: ${error.message}`));
      }, TICK);
      return this;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async #startBroker(certificates: Certificates): Promise<void> {
    const broker = await Broker.create(
      this.#registry,
      {
        online: (device) => this.#online(device),
        offline: (device) => this.#coap.isOnline(device) || this.#offline(device),
        uplink: (device, topic, payload) => this.#alink.uplink(device, topic, payload),
      },
      this.#log,
    );
    this.#broker = broker;
    await this.#listeners.open("mqtt", "mqtt", async (host, port) => portOf(await broker.listen(host, port)));
    await this.#listeners.open("mqtts", "mqtts", async (host, port) =>
      portOf(await broker.listen(host, port, certificates)),
    );
  }

  #online(device: Device): void {
    const { productKey, deviceName } = device;
    this.#log(`${deviceKey(device)}: online`);
    this.#emit("device.online", { productKey, deviceName });
    this.#jobs.online(device, this.faults.pushBeforeSuback ?? false);
  }

  #offline(device: Device): void {
    const { productKey, deviceName } = device;
    this.#log(`${deviceKey(device)}: offline`);
    this.#jobs.offline(device);
    this.#alink.offline(device);
    this.#emit("device.offline", { productKey, deviceName });
  }

  async #startHttp(certificates: Certificates): Promise<void> {
    const storage = {
      objects: this.#objects,
      storageKey: this.#storageKey,
      faultsOf: (jobId: string) => ({ ...this.faults, ...this.#jobs.jobs.get(jobId)?.faults }),
      clock: this.#clock,
      log: this.#log,
    };
    const options = { ...HTTP, ...storageServer(storage) };
    await this.#listeners.open("http", "http", (host, port) => this.#serve(Fastify(options), storage, host, port));
    await this.#listeners.open("https", "https", (host, port) => {
      const app = Fastify({ ...options, https: { key: certificates.key, cert: certificates.cert } });
      return this.#serve(app as unknown as FastifyInstance, storage, host, port);
    });
    await this.#listeners.open("api", "http", async (host, port) => {
      const app = Fastify(HTTP);
      this.#apps.push(app);
      registerGateway(app, {
        registry: this.#registry,
        actions: this.#actions(),
        keep: () => this.#keep(),
        clock: this.#clock,
        log: this.#log,
      });
      await app.listen({ host, port });
      return portOf(app.server);
    });
  }

  async #serve(app: FastifyInstance, storage: StorageContext, host: string, port: number): Promise<number> {
    this.#apps.push(app);
    await registerStorage(app, storage);
    await app.listen({ host, port });
    return portOf(app.server);
  }

  #keep(): void {
    if (this.#state.flush()) return;
    throw new CloudError("iot.system.SystemException", "the change could not be kept on disk: see the platform's log");
  }

  #actions() {
    const context = {
      registry: this.#registry,
      objects: this.#objects,
      packages: this.#packages,
      storageKey: this.#storageKey,
      storageBase: (encrypted: boolean) => this.#storageBase(encrypted),
      inUse: (id: string) => [...this.#jobs.jobs.values()].some((job) => job.firmwareId === id && !isOver(job)),
      changed: () => this.#state.changed(),
      clock: this.#clock,
      jobs: this.#jobs,
      alink: this.#alink,
    };
    return new Map(Object.entries({ ...packageActions(context), ...jobActions(context), ...deviceActions(context) }));
  }

  /** Look at the clock: time-outs, schedules, old uploads. Runs by itself every second. */
  async tick(): Promise<void> {
    this.#jobs.tick();
    this.#coap.tick();
    const used = new Set([...this.#packages.values()].flatMap(({ files }) => files.map(({ key }) => key)));
    await this.#objects.collect(OBJECT_WAITS, (key) => used.has(key));
  }

  /**
   * Set properties on a device and wait for its reply.
   *
   * Rejects when the device is unknown, offline, or silent for `timeoutMs` (default 8000).
   */
  async setProperties(
    productKey: string,
    deviceName: string,
    params: Record<string, unknown>,
    timeoutMs?: number,
  ): Promise<DeviceReply> {
    const device = this.#registry.device(productKey, deviceName);
    if (device === undefined) throw new Error(`there is no device ${productKey}/${deviceName}`);
    return this.#alink.setProperties(device, params, timeoutMs);
  }

  /** Stop: links closed, state written, temporary files removed. May be called more than once. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearInterval(this.#ticker);
    this.#alink.close();
    await this.#broker?.close();
    await this.#coap.close();
    await Promise.all(this.#apps.map((app) => app.close()));
    this.#state.flush();
    if (this.#temporary) rmSync(this.#directory, { recursive: true, force: true });
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function isOver(job: Job): boolean {
  return job.status === "COMPLETED" || job.status === "CANCELED";
}

/**
 * Start a platform.
 *
 * Throws FixturesError for bad fixtures, ListenError for a port that cannot be used, Error for a damaged data directory.
 */
export async function startPlatform(options: PlatformOptions): Promise<Platform> {
  return new Platform(options).start();
}
