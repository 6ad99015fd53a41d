// The demonstration behind `start --coap`: a device over CoAP that sleeps between its posts, and what each cycle costs.

import { Counter } from "../abi.js";
import { Device } from "../node/device.js";
import { type Platform, startPlatform } from "../platform/index.js";
import type { DemoFiles } from "./demo_files.js";
import { hopeless, printEvent } from "./device_events.js";
import type { Output } from "./output.js";

/** Cycles of the demonstration; the platform has something for the device in the last one. */
const CYCLES = 4;
/** Without any event for this long the demonstration has failed, ms. */
const SILENCE_MS = 60_000;

/** What one cycle took, from waking to sleeping. Bytes are those of UDP payloads. */
export interface Cycle {
  cycle: number;
  bytesOut: number;
  bytesIn: number;
  datagramsOut: number;
  datagramsIn: number;
  /** Calls of the module's `poll`: its work comes in bounded pieces, one a poll. */
  polls: number;
  /** Size of the state that slept, bytes. */
  snapshot: number;
}

/** What came of it. */
export interface CoapOutcome {
  cycles: number;
  /** Posts that the platform has, each of them once. */
  posts: number;
  /** How often the device signed in. */
  auths: number;
  /** Both ways, of a cycle that woke, posted and slept again: the largest one. */
  bytesPerCycle: number;
  pollsPerCycle: number;
  snapshot: number;
  seconds: number;
}

export class CoapDemo {
  #platform: Platform | undefined;
  #device: Device | undefined;
  #silence: NodeJS.Timeout | undefined;
  #fail: (error: Error) => void = () => {};
  /** What the platform has got. */
  readonly #posted: unknown[] = [];
  #auths = 0;

  constructor(
    readonly files: DemoFiles,
    readonly output: Output,
  ) {}

  get platform(): Platform | undefined {
    return this.#platform;
  }

  /** Disconnect the device and stop the platform. */
  async close(): Promise<void> {
    clearTimeout(this.#silence);
    await this.#device?.stop();
    await this.#platform?.close();
  }

  /** All cycles. Rejects with one line that names the cause; `close` is due in any case. */
  async run(): Promise<CoapOutcome> {
    const failed = new Promise<never>((_, reject) => {
      this.#fail = reject;
    });
    try {
      return await Promise.race([this.#run(), failed]);
    } finally {
      clearTimeout(this.#silence);
    }
  }

  async #run(): Promise<CoapOutcome> {
    const begun = performance.now();
    const platform = await this.#startPlatform();
    const cycles: Cycle[] = [];
    let asleep: Uint8Array | undefined;
    for (let cycle = 1; cycle <= CYCLES; cycle++) {
      const answer = cycle === CYCLES ? this.#set(platform) : undefined;
      asleep = await this.#cycle(platform, cycle, asleep, cycles, answer);
    }
    const wanted = Array.from({ length: CYCLES }, (_, cycle) => cycle + 1);
    if (JSON.stringify(this.#posted) !== JSON.stringify(wanted))
      throw new Error(`the platform has the posts ${JSON.stringify(this.#posted)}, not ${JSON.stringify(wanted)}`);
    if (this.#auths !== 1) throw new Error(`the device signed in ${this.#auths} times, once was enough`);
    // The first cycle signs in and the last one answers: what lies between is the cycle that repeats for years.
    const usual = cycles.slice(1, -1);
    return {
      cycles: CYCLES,
      posts: this.#posted.length,
      auths: this.#auths,
      bytesPerCycle: Math.max(...usual.map(({ bytesOut, bytesIn }) => bytesOut + bytesIn)),
      pollsPerCycle: Math.max(...usual.map(({ polls }) => polls)),
      snapshot: cycles[0]!.snapshot,
      seconds: Math.round(performance.now() - begun) / 1000,
    };
  }

  async #startPlatform(): Promise<Platform> {
    const { files, output } = this;
    this.#alive();
    const platform = await startPlatform({ fixtures: files.fixtures, data: files.platform });
    this.#platform = platform;
    output.event("platform.ready", { ...platform.ready }, `platform ready: ${platform.ready.coap}`);
    platform.on("property.post", ({ deviceName, params }) => {
      if (deviceName === files.deviceName) this.#posted.push(params.cycle);
    });
    return platform;
  }

  /** The platform sets a property while the device sleeps: it waits there until the device asks. */
  #set(platform: Platform): Promise<void> {
    const { productKey, deviceName } = this.files;
    const answered = platform.setProperties(productKey, deviceName, { led: 1 }, SILENCE_MS).then(({ code }) => {
      if (code !== 200) throw new Error(`the device answered the property set with ${code}`);
      this.output.line(`the device answered the property set with ${code}`);
    });
    answered.catch(() => {});
    return answered;
  }

  /** Wake (or start), post, fetch what waits when something does, sleep. @returns the sleeping device */
  async #cycle(
    platform: Platform,
    cycle: number,
    asleep: Uint8Array | undefined,
    cycles: Cycle[],
    answer: Promise<void> | undefined,
  ): Promise<Uint8Array> {
    const { output } = this;
    const device = this.#createDevice(platform, asleep);
    if (asleep !== undefined) output.event("device.awake", { cycle }, `cycle ${cycle}: awake`);
    await device.start();
    const before = asleep === undefined ? 0 : device.counter(Counter.Polls);
    const { code } = await device.postProperties({ cycle });
    if (code !== 200) throw new Error(`the platform answered the property post with ${code}`);
    if (answer !== undefined) {
      await device.pull();
      await answer;
    }
    const state = await device.sleep();
    this.#device = undefined;
    const { writes, reads, bytesOut, bytesIn } = device.traffic;
    const figures: Cycle = {
      cycle,
      bytesOut,
      bytesIn,
      datagramsOut: writes,
      datagramsIn: reads,
      polls: device.counter(Counter.Polls) - before,
      snapshot: state.length,
    };
    cycles.push(figures);
    output.event(
      "device.asleep",
      { ...figures },
      `cycle ${cycle}: asleep in ${state.length} bytes; ${inWords(figures)}`,
    );
    return state;
  }

  #createDevice(platform: Platform, snapshot: Uint8Array | undefined): Device {
    const { productKey, deviceName, deviceSecret } = this.files;
    const configuration = { productKey, deviceName, deviceSecret, version: "1.0.0" };
    const device = new Device({
      configuration,
      endpoint: platform.ready.coap!,
      ...(snapshot === undefined ? {} : { snapshot }),
    });
    this.#device = device;
    device.on("event", (event) => {
      this.#alive();
      printEvent(this.output, event, device);
      if (event.event === "device.connected" && !event.sessionPresent) this.#auths++;
      const error = hopeless(event, device, deviceName);
      if (error !== undefined) this.#fail(error);
    });
    device.on("error", (error) => this.#fail(error));
    return device;
  }

  #alive(): void {
    clearTimeout(this.#silence);
    const silent = new Error(`nothing happened for ${SILENCE_MS / 1000} s`);
    this.#silence = setTimeout(() => this.#fail(silent), SILENCE_MS);
  }
}

function count(datagrams: number): string {
  return `${datagrams} datagram${datagrams === 1 ? "" : "s"}`;
}

function inWords({ bytesOut, bytesIn, datagramsOut, datagramsIn, polls }: Cycle): string {
  return `${bytesOut} bytes up in ${count(datagramsOut)}, ${bytesIn} down in ${count(datagramsIn)}; ${polls} polls`;
}
