/** A device over many restarts, with its flash, its boot loader and the platform; a test says what happens to it. */
import { Boot, BootOp, Channel, Closed, FlashOp } from "../../host/abi.js";
import { Cloud } from "./cloud.js";
import { FlashModel, PowerCut, random } from "./flash_model.js";
import { type Bench, image, type Loader } from "./power.js";
import { Rig } from "./rig.js";
import { type Answer, fileServer, type Request, response } from "./web.js";

/** How the file server behaves. */
export const SERVERS = ["good", "missing", "broken", "silent", "other bytes", "expired"] as const;
export type Server = (typeof SERVERS)[number];

export class Life {
  readonly cloud = new Cloud();
  readonly flash: FlashModel;
  /** Image by version. */
  readonly images = new Map<string, Uint8Array>();
  server: Server = "good";
  boots = 0;
  /** Slot of the last start, and whether it is on trial. */
  started: { slot: number; how: number } = { slot: 0, how: 0 };
  #loader!: Loader;
  #rig: Rig | undefined;

  constructor(
    readonly bench: Bench,
    seed: number,
  ) {
    this.flash = new FlashModel(bench.layout, random(seed), bench.start);
    this.images.set("1.0.0", bench.images[0]!);
    this.cloud.serve = (request, file) => this.#serve(request, file);
  }

  get rig(): Rig | undefined {
    return this.#rig;
  }

  /** A new version that no device has. @returns it, for `cloud.release` */
  version(): string {
    const version = `${this.images.size + 1}.0.0`;
    this.images.set(version, image(this.bench.geometry.size, 100 + this.images.size));
    return version;
  }

  /** The power goes now; it is back with the next `minutes`. */
  cutPower(): void {
    this.#rig = undefined;
    this.cloud.offline();
  }

  /** The session breaks. */
  disconnect(): void {
    if (this.#rig?.linked[Channel.Mqtt]) this.#rig.hangUp(Channel.Mqtt, Closed.Broken);
  }

  /** The power goes after so many more flash operations, with nothing of the last one done. */
  cutAfter(operations: number): void {
    this.flash.cut = { at: this.flash.operations.length + operations, effect: { done: 0 } };
  }

  /** Let time pass, with restarts as they come. */
  async seconds(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const step = Math.min(left, 60);
      left -= step;
      await this.#guarded((rig) => rig.advance(step * 1000));
      this.cloud.now += step * 1000;
      await this.#guarded(() => this.cloud.jobs.tick());
      await this.#guarded((rig) => rig.settle());
    }
  }

  /** What the slot that runs holds. @returns the version of the image, or undefined when it is none of ours */
  running(): string | undefined {
    const [offset] = this.bench.layout.slots[this.started.slot as 0 | 1]!;
    const bytes = this.flash.look(offset, this.bench.geometry.size);
    return [...this.images].find(([, file]) => bytes !== undefined && Buffer.compare(bytes, file) === 0)?.[0];
  }

  /** Do something while the device has power; the power may go, or the device restart, and then it starts again. */
  async #guarded(act: (rig: Rig) => void): Promise<void> {
    try {
      this.#rig ??= await this.#start();
      act(this.#rig);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.flash.cut = undefined;
      this.cutPower();
    }
    if (this.#rig?.restart) this.cutPower();
  }

  async #start(): Promise<Rig> {
    this.boots++;
    const { flash } = this;
    const loader = this.bench.makeLoader(flash);
    this.#loader = loader;
    const { slot, how, reason } = loader.boot();
    this.started = { slot, how };
    const rig = await Rig.create({
      configured: this.bench.fresh(),
      booted: [slot, how, reason],
      parts: {
        flash: (op, offset, length, bytes) => this.#flash(op, offset, length, bytes),
        boot: (op, target) => {
          if (op === BootOp.Activate) this.#loader.activate(target);
          else {
            this.#loader.confirm();
            this.started.how = Boot.Confirmed;
          }
          return 0;
        },
      },
    });
    this.cloud.attach(rig);
    return rig;
  }

  #flash(op: number, offset: number, length: number, bytes: Uint8Array): number {
    if (op === FlashOp.Erase) this.flash.erase(offset, length);
    else if (op === FlashOp.Write) this.flash.write(offset, bytes);
    else {
      const answer = this.flash.readAnswer(offset, length);
      if (typeof answer === "number") return answer;
      bytes.set(answer);
    }
    return 0;
  }

  #serve(request: Request, file: Uint8Array): Answer {
    const good = fileServer(file)(request);
    if (this.server === "missing")
      return { bytes: response("404 Not Found", { "Content-Length": 0 }), end: Closed.Peer };
    if (this.server === "expired")
      return { bytes: response("403 Forbidden", { "Content-Length": 0 }), end: Closed.Peer };
    if (this.server === "broken") return { bytes: good.bytes.subarray(0, good.bytes.length / 2), end: Closed.Broken };
    if (this.server === "silent") return { bytes: good.bytes.subarray(0, 900) };
    if (this.server === "other bytes") {
      const bytes = Buffer.from(good.bytes);
      bytes[bytes.length - 1]! ^= 1;
      return { bytes, end: Closed.Peer };
    }
    return good;
  }
}
