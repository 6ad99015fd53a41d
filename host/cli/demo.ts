// The demonstration behind `start`: a platform and a device in one process, and one firmware update between them.

import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import type { EventMap } from "../abi.js";
import { codeName } from "../agent.js";
import { Device } from "../node/device.js";
import type { Flash } from "../node/flash.js";
import { liveRecords } from "../node/state_records.js";
import { type Platform, startPlatform, type TaskEvent } from "../platform/index.js";
import type { DemoFiles } from "./demo_files.js";
import { hopeless, printEvent } from "./device_events.js";
import type { Output } from "./output.js";
import { publishFirmware, type Released } from "./publish.js";

/** Where an update is interrupted, percent. */
const HALF = 50;
/** A device records how far its verified bytes reach once in so many: an interruption before shows no resumption. */
const FIRST_MARK = 32 * 1024;
/** Without any event for this long the demonstration has failed, ms. */
const SILENCE_MS = 60_000;

export interface DemoOptions {
  files: DemoFiles;
  firmware: string;
  signMethod: "md5" | "sha256";
  /** Cut the device's power once, half way through the download. */
  interrupt: boolean;
  output: Output;
}

/** What the device did. */
export interface Outcome {
  from: string;
  to: string;
  /** Size of the package. */
  bytes: number;
  /** Lower-case hexadecimal. */
  digest: string;
  slot: "a" | "b";
  /** From the first step of the release until the device was confirmed. */
  seconds: number;
}

export class Demo {
  readonly #options: DemoOptions;
  /** "failed" [Error]: nothing good can come any more. */
  readonly #ends = new EventEmitter<{ failed: [Error] }>();
  #platform: Platform | undefined;
  #device: Device | undefined;
  #silence: NodeJS.Timeout | undefined;
  #interrupted = false;
  /** Verified bytes that the flash told of when the power went: none of them may be fetched again. */
  #verified = 0;
  /** The update has succeeded or failed: silence means nothing any more. */
  #over = false;

  constructor(options: DemoOptions) {
    this.#options = options;
    // The device runs on after the update; a fault then only shows up in the output.
    this.#ends.on("failed", () => {});
  }

  /**
   * From nothing to a device that runs the new version.
   *
   * Rejects with one line that names the cause; `close` is due in any case.
   */
  async update(): Promise<Outcome> {
    const failed = once(this.#ends, "failed").then(([error]) => Promise.reject(error as Error));
    try {
      return await Promise.race([this.#update(), failed]);
    } finally {
      this.#over = true;
      clearTimeout(this.#silence);
    }
  }

  get platform(): Platform | undefined {
    return this.#platform;
  }

  /** Disconnect the device and stop the platform. */
  async close(): Promise<void> {
    this.#over = true;
    clearTimeout(this.#silence);
    await this.#device?.stop();
    await this.#platform?.close();
  }

  async #update(): Promise<Outcome> {
    const { files, output } = this.#options;
    this.#alive();
    const platform = await this.#startPlatform();
    const device = this.#createDevice(platform.ready.mqtts!, platform.ready.ca);
    const informed = this.#versionInformed(platform);
    await device.start();
    const from = await informed;
    await this.#exchangeProperties(platform, device);
    const begun = performance.now();
    const to = nextVersion(from);
    const confirmed = once(device, "update.confirmed") as Promise<[EventMap["update.confirmed"]]>;
    const succeeded = this.#taskSucceeded(platform, to);
    const released = await this.#publish(platform, to);
    const [[event]] = await Promise.all([confirmed, succeeded]);
    const seconds = Math.round(performance.now() - begun) / 1000;
    checkOutcome(event, released, device.flash!);
    const { slot, digest, version } = event;
    if (this.#options.interrupt && !this.#interrupted) throw new Error("the update was over before it was interrupted");
    if (version !== to) throw new Error(`${files.deviceName} reports version ${version} instead of ${to}`);
    output.endProgress();
    return { from: event.from, to: version, bytes: released.size, digest, slot, seconds };
  }

  async #startPlatform(): Promise<Platform> {
    const { files, output } = this.#options;
    const platform = await startPlatform({ fixtures: files.fixtures, data: files.platform });
    this.#platform = platform;
    output.event(
      "platform.ready",
      { ...platform.ready },
      `platform ready: ${platform.ready.mqtts}, cloud API ${platform.ready.api}`,
    );
    for (const name of ["device.online", "progress", "version", "property.post"] as const)
      platform.on(name, () => this.#alive());
    platform.on("task", (task) => this.#task(task));
    return platform;
  }

  #createDevice(endpoint: string, caFile: string): Device {
    const { files, output } = this.#options;
    const { productKey, deviceName, deviceSecret, flash } = files;
    const configuration = { productKey, deviceName, deviceSecret, version: "1.0.0" };
    const device = new Device({ configuration, endpoint, ca: readFileSync(caFile), flash });
    this.#device = device;
    device.on("event", (event) => {
      this.#alive();
      printEvent(output, event, device);
      const error = hopeless(event, device, deviceName);
      if (error !== undefined) this.#fail(error);
      if (event.event === "update.progress") this.#progress(device, event);
      if (event.event === "update.failed")
        this.#fail(
          new Error(
            `the update to ${event.version} failed (step ${event.step}): ${event.desc}, ${codeName(event.code)}`,
          ),
        );
    });
    device.on("error", (error) => this.#fail(error));
    return device;
  }

  #progress(device: Device, progress: EventMap["update.progress"]): void {
    const { step, bytes, size } = progress;
    if (this.#interrupted && bytes < this.#verified)
      this.#fail(new Error(`the download went on at ${bytes}, although ${this.#verified} bytes had been verified`));
    const marked = bytes > FIRST_MARK || size <= FIRST_MARK;
    if (this.#options.interrupt && !this.#interrupted && step >= HALF && marked) this.#interrupt(device, progress);
  }

  /** The power goes, and comes back: the same flash, a fresh module. */
  #interrupt(device: Device, { bytes, size }: EventMap["update.progress"]): void {
    const { output } = this.#options;
    this.#interrupted = true;
    // a shorter package has no mark, but the one before it may have left its own
    if (size > FIRST_MARK) this.#verified = markIn(device.flash!);
    device.cutPower();
    output.event("device.interrupted", { bytes, size }, `power cut after ${bytes} of ${size} bytes; starting again`);
    device.start().catch((error: Error) => this.#fail(error));
  }

  /** @returns the version of the whole firmware that the device reports first */
  #versionInformed(platform: Platform): Promise<string> {
    return new Promise((resolve) => {
      platform.on("version", ({ deviceName, module, version }) => {
        if (deviceName === this.#options.files.deviceName && module === "default") resolve(version);
      });
    });
  }

  /** Up: the device reports; down: the cloud sets one, and the device answers. */
  async #exchangeProperties(platform: Platform, device: Device): Promise<void> {
    const { files, output } = this.#options;
    const { code } = await device.postProperties({ temperature: 21.5, humidity: 40, led: 0 });
    if (code !== 200) throw new Error(`the platform answered the property post with ${code}`);
    const reply = await platform.setProperties(files.productKey, files.deviceName, { led: 1 });
    if (reply.code !== 200) throw new Error(`the device answered the property set with ${reply.code}`);
    output.line(`the device answered the property set with ${reply.code}`);
  }

  async #publish(platform: Platform, version: string): Promise<Released> {
    const { files, firmware, signMethod, output } = this.#options;
    const { productKey, deviceName } = files;
    output.line(`publishing ${firmware} as version ${version}`);
    return publishFirmware(
      { file: firmware, version, productKey, deviceNames: [deviceName], signMethod },
      {
        url: platform.ready.api!,
        accessKey: files.fixtures.accessKeys[0]!,
        ca: readFileSync(platform.ready.ca, "utf8"),
      },
      {
        onStep: () => this.#alive(),
        onUpload: (done, total) => {
          this.#alive();
          output.progress("upload", done, total);
        },
      },
    );
  }

  #taskSucceeded(platform: Platform, version: string): Promise<void> {
    return new Promise((resolve) => {
      platform.on("task", (task) => {
        if (task.status === "SUCCEEDED" && task.destVersion === version) resolve();
      });
    });
  }

  #task(task: TaskEvent): void {
    this.#alive();
    if (task.deviceName !== this.#options.files.deviceName) return;
    // The device's own event says more when it comes; it does not always.
    if (task.status === "FAILED" || task.status === "CANCELED")
      setImmediate(() => this.#fail(new Error(`the platform ended the update as ${task.status}: ${task.desc}`)));
  }

  #alive(): void {
    clearTimeout(this.#silence);
    if (this.#over) return;
    this.#silence = setTimeout(() => this.#fail(new Error(`nothing happened for ${SILENCE_MS / 1000} s`)), SILENCE_MS);
  }

  #fail(error: Error): void {
    this.#ends.emit("failed", error);
  }
}

/** 1.0.0 → 2.0.0: the first number counts. */
export function nextVersion(version: string): string {
  const match = /^(\d{1,9})(.*)$/.exec(version);
  return match === null ? "2.0.0" : `${Number(match[1]) + 1}${match[2] === "" ? "" : ".0.0"}`;
}

/** How far verified bytes reach, as the state region tells; 0 without a mark. */
function markIn(flash: Flash): number {
  const live = liveRecords(flash.layout, (offset, length) => flash.read(offset, length));
  const mark = [...live.values()].find(({ name }) => name === "mark");
  return Number(mark?.fields.bytes ?? 0);
}

/** The device's word is compared with the platform's, and both with what stands in the flash. */
function checkOutcome(event: EventMap["update.confirmed"], released: Released, flash: Flash): void {
  const { digest, size, slot } = event;
  if (digest !== released.digest || size !== released.size)
    throw new Error(
      `the device verified ${size} bytes with ${released.signMethod} ${digest}, the platform published ${released.size} bytes with ${released.digest}`,
    );
  const stored = slotDigest(flash, slot === "a" ? 0 : 1, size, released.signMethod);
  if (stored !== digest)
    throw new Error(`slot ${slot} holds other bytes than the package: ${released.signMethod} ${stored}`);
}

const BLOCK = 1024 * 1024;

function slotDigest(flash: Flash, slot: 0 | 1, size: number, method: "md5" | "sha256"): string {
  const [offset] = flash.layout.slots[slot];
  const hash = createHash(method);
  for (let at = 0; at < size; at += BLOCK) hash.update(flash.read(offset + at, Math.min(BLOCK, size - at)));
  return hash.digest("hex");
}
