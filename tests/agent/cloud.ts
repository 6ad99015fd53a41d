/**
 * The platform at the other end of the rig, without sockets: its own job and message code, the rig's broker and web
 * server, the rig's clock. It outlives the device's restarts.
 */
import { createHash } from "node:crypto";
import { AlinkServices } from "../../host/platform/alink.js";
import type { Job, Task } from "../../host/platform/job.js";
import { Jobs } from "../../host/platform/jobs.js";
import { offerData, type Package } from "../../host/platform/packages.js";
import { type Device, Registry } from "../../host/platform/registry.js";
import { Broker, identity, type Rig } from "./rig.js";
import { type Answer, fileServer, type Request, Web } from "./web.js";

const { productKey, deviceName, deviceSecret } = identity;
const UPGRADE = `/ota/device/upgrade/${productKey}/${deviceName}`;

export class Cloud {
  readonly jobs: Jobs;
  readonly device: Device;
  readonly packages = new Map<string, Package>();
  readonly files = new Map<string, Uint8Array>();
  /** Milliseconds; goes on over the device's restarts. */
  now = 1_700_000_000_000;
  /** What the file server does with a request; default: serve it well. */
  serve: ((request: Request, file: Uint8Array) => Answer) | undefined;
  /** Called for every request before it is served. */
  requested: (request: Request) => void = () => {};
  readonly pushes: unknown[] = [];
  readonly #alink: AlinkServices;
  #broker: Broker | undefined;
  #connected = false;
  #count = 0;

  constructor() {
    const product = { productKey, productSecret: "x", dynamicRegistration: false };
    const registry = new Registry({
      accessKeys: [],
      products: [{ ...product, devices: [{ deviceName, deviceSecret }] }],
    });
    this.device = registry.device(productKey, deviceName)!;
    const offer = (pkg: Package, job: Job) => offerData(pkg, job.tags, (key) => `https://files.example/${key}`, {});
    this.jobs = new Jobs({
      registry,
      packages: this.packages,
      isOnline: () => this.#connected,
      push: (_device, pkg, job) => this.push({ code: "1000", data: offer(pkg, job), id: this.now, message: "success" }),
      offer,
      changed: () => {},
      clock: () => this.now,
      emit: () => {},
      log: () => {},
    });
    const deliver = async (_device: Device, topic: string, payload: string): Promise<boolean> => {
      if (this.#connected) this.#broker?.publish(topic, payload);
      return this.#connected;
    };
    this.#alink = new AlinkServices(
      deliver,
      this.jobs,
      () => {},
      () => {},
    );
  }

  push(message: unknown): void {
    this.pushes.push(message);
    this.#broker?.publish(UPGRADE, message);
  }

  /** The device has power: this is its end of the links from now on. */
  attach(rig: Rig): Broker {
    const broker = new Broker(rig);
    this.#broker = broker;
    const { dial } = rig.peers[0]!;
    rig.peers[0] = {
      ...rig.peers[0],
      dial: (uri) => {
        this.offline();
        return dial!(uri);
      },
      closed: () => this.offline(),
    };
    broker.published = (topic, payload) => {
      if (!this.#connected) {
        this.#connected = true;
        this.jobs.online(this.device, false);
      }
      this.#alink.uplink(this.device, topic, Buffer.from(payload)).catch((error: Error) => {
        throw error;
      });
    };
    new Web(rig, (request) => {
      this.requested(request);
      const file = this.files.get(request.target.slice(1)) ?? new Uint8Array(0);
      return (this.serve ?? ((asked, bytes) => fileServer(bytes)(asked)))(request, file);
    });
    return broker;
  }

  /** The link is down, or the device has no power. */
  offline(): void {
    if (!this.#connected) return;
    this.#connected = false;
    this.jobs.offline(this.device);
  }

  /** Release `file` to the device. @returns the job's only task */
  release(file: Uint8Array, version: string, members: Partial<Job> = {}): Task {
    const id = `package${++this.#count}`;
    const sign = createHash("sha256").update(file).digest("hex");
    const stamp = { created: this.now, modified: this.now };
    this.files.set(id, file);
    const pkg: Package = {
      id,
      name: id,
      desc: "",
      productKey,
      module: "default",
      srcVersion: "",
      destVersion: version,
      signMethod: "SHA256",
      type: 0,
      udi: "",
      needToVerify: false,
      status: 1,
      multiple: false,
      files: [{ name: id, key: id, size: file.length, sign, md5: "" }],
      ...stamp,
    };
    this.packages.set(id, pkg);
    const job: Job = { ...JOB, id: `job${this.#count}`, firmwareId: id, ...stamp, ...members };
    this.jobs.start(job, pkg);
    return this.jobs.tasksOf(job.id)[0]!;
  }
}

const JOB: Job = {
  id: "",
  type: "UPGRADE_FIRMWARE",
  status: "IN_PROGRESS",
  firmwareId: "",
  productKey,
  targetSelection: "ALL",
  grayPercent: "",
  targetDevices: [],
  srcVersions: [],
  timeoutMinutes: undefined,
  needPush: true,
  needConfirm: false,
  overwriteMode: 1,
  maximumPerMinute: undefined,
  retryCount: undefined,
  retryInterval: undefined,
  scheduleTime: undefined,
  scheduleFinishTime: undefined,
  tags: [],
  created: 0,
  modified: 0,
  started: undefined,
  ended: undefined,
};
