/**
 * One update from release to confirmed image, with the power going at chosen flash operations, judged at every start:
 * what boots is a complete image, no record is lost or invented, and in the end platform and device agree that it worked.
 */
import assert from "node:assert/strict";
import { Boot, BootOp, Done, FlashOp } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { BootLoader, type Started } from "../../host/node/boot.js";
import { type Flash, FlashError } from "../../host/node/flash.js";
import { type FlashLayout, flashLayout } from "../../host/node/flash_layout.js";
import { liveRecords } from "../../host/node/state_records.js";
import type { Task } from "../../host/platform/job.js";
import { Cloud } from "./cloud.js";
import { type Effect, FlashModel, type FlashState, type Operation, PowerCut, random } from "./flash_model.js";
import { RecordHistory } from "./record_history.js";
import { identity, module, Rig } from "./rig.js";

/** A part and an update on it. */
export interface Geometry {
  sector: number;
  write: number;
  erased: number;
  /** Bytes of the image. */
  size: number;
  /** Updates that went well before: 0 = the part as it was made, 1 = slot b runs. */
  before: number;
  /** Sectors of the boot region, default 3. */
  bootSectors?: number;
}

export interface Cut {
  /** Flash operation, counted from the first of the run. */
  at: number;
  effect: Effect;
}

/** What the runs need of a boot loader. */
export interface Loader {
  boot(): Started;
  activate(slot: number): void;
  confirm(): void;
}
export type MakeLoader = (flash: Flash) => Loader;
export const nodeLoader: MakeLoader = (flash) => new BootLoader(flash);

/** A start of the device ends here, whatever it does: far more than any run needs. */
const BOOTS = 40;
const VERSIONS = ["1.0.0", "2.0.0", "3.0.0"];

export function geometryName({ sector, write, erased, size, before, bootSectors }: Geometry): string {
  const boot = bootSectors === undefined ? "" : `, ${bootSectors} boot sectors`;
  return `sector ${sector}, unit ${write}, erased ${erased}, ${size} bytes, after ${before} updates${boot}`;
}

/** `size` bytes that no other seed has. */
export function image(size: number, seed: number): Uint8Array {
  const next = random(seed * 7919 + size);
  return Uint8Array.from({ length: size }, () => next() * 256);
}

export function layoutOf({ sector, write, erased, size, bootSectors = 3 }: Geometry): FlashLayout {
  const slot = Math.ceil(size / sector) * sector;
  return flashLayout({
    sector,
    write,
    erased,
    slots: [
      [0, slot],
      [slot, slot],
    ],
    state: [2 * slot, 4 * sector],
    queue: [2 * slot + 4 * sector, 2 * sector],
    boot: [2 * slot + 6 * sector, bootSectors * sector],
  });
}

/** What all runs on one geometry share. */
export class Bench {
  readonly layout: FlashLayout;
  readonly images: Uint8Array[];
  /** The flash before the update that is cut. */
  start!: FlashState;
  agent!: Agent;
  #configured!: Uint8Array;

  private constructor(
    readonly geometry: Geometry,
    readonly makeLoader: MakeLoader,
  ) {
    this.layout = layoutOf(geometry);
    this.images = VERSIONS.map((_, i) => image(geometry.size, i + 1));
  }

  static async create(
    geometry: Geometry,
    makeLoader: MakeLoader = nodeLoader,
    from: WebAssembly.Module = module,
  ): Promise<Bench> {
    const bench = new Bench(geometry, makeLoader);
    bench.agent = await Agent.create(from);
    const { boot: _, ...flash } = bench.layout;
    bench.agent.configure({ ...identity, flash });
    bench.#configured = bench.agent.snapshot();
    const made = new FlashModel(bench.layout, random(1));
    made.factory(bench.layout.slots[0][0], bench.images[0]!);
    bench.start = made.state();
    for (let i = 0; i < geometry.before; i++) bench.start = (await bench.run({ update: i })).flash.state();
    return bench;
  }

  /** The one instance, as it was after `configure`. */
  fresh(): Agent {
    this.agent.restore(this.#configured);
    return this.agent;
  }

  /** @throws AssertionError, with the cuts in its message, when something that must hold does not */
  async run(options: RunOptions = {}): Promise<Run> {
    const run = new Run(this, options);
    try {
      await run.toTheEnd();
    } catch (error) {
      const { cuts = [], seed = 0 } = options;
      const where = `${geometryName(this.geometry)}, cuts ${JSON.stringify(cuts)}, seed ${seed}`;
      throw new Error(`${where}: ${(error as Error).message}`, { cause: error });
    }
    return run;
  }
}

export interface RunOptions {
  cuts?: Cut[];
  /** Of what torn units read. */
  seed?: number;
  /** Which update of the part's life; default: the one after `before`. */
  update?: number;
  /** The image hangs or traps before its module is loaded; after the fall-back it is released again, repaired. */
  dead?: boolean;
  /** A cut that the run does not reach is no mistake; `Run.cutsLeft` tells. */
  mayEndEarly?: boolean;
}

export class Run {
  readonly flash: FlashModel;
  readonly cloud = new Cloud();
  boots = 0;
  /** Flash operations of module and boot loader until the update was over. */
  operations: Operation[] = [];
  /** Cuts that the update was over before. */
  cutsLeft = 0;
  /** Bytes of the image that were asked for, over all starts. */
  fetched = 0;
  readonly #bench: Bench;
  readonly #cuts: Cut[];
  readonly #history: RecordHistory;
  readonly #options: RunOptions;
  readonly #update: number;
  #dead: boolean;
  /** Slots that the boot loader may start. */
  #startable: Set<number>;
  /** Slots that it would start, or fall back to, as the boot record was read at the last start. */
  #needed = new Set<number>();
  /** Bytes below this were verified before the last restart. */
  #mark = 0;

  constructor(bench: Bench, options: RunOptions) {
    this.#bench = bench;
    this.#options = options;
    this.#cuts = [...(options.cuts ?? [])];
    this.#dead = options.dead ?? false;
    this.#update = options.update ?? bench.geometry.before;
    this.#history = new RecordHistory(bench.layout);
    this.flash = new FlashModel(bench.layout, random(options.seed ?? 0), bench.start);
    this.#seedHistory();
    this.#startable = new Set([this.#update % 2]);
  }

  async toTheEnd(): Promise<void> {
    const { cloud } = this;
    const [file, version] = [this.#bench.images[this.#update + 1]!, VERSIONS[this.#update + 1]!];
    cloud.device.versions.set("default", VERSIONS[this.#update]!);
    cloud.requested = ({ from = 0 }) => {
      assert.ok(from >= this.#mark, `bytes from ${from} are fetched again, ${this.#mark} are verified`);
      this.fetched += this.#bench.geometry.size - from;
    };
    let task = cloud.release(file, version);
    await this.#follow(task);
    if (this.#dead) {
      assert.equal(task.status, "FAILED", "an image that never ran is reported as good");
      this.#dead = false;
      task = cloud.release(file, version);
      await this.#follow(task);
    }
    this.operations = this.flash.operations.slice();
    this.cutsLeft = this.#cuts.length;
    assert.ok(this.#options.mayEndEarly || this.cutsLeft === 0, "the run was over before its last cut");
    assert.equal(task.status, "SUCCEEDED", task.desc);
    this.#cuts.length = 0;
    await this.#judgeEnd(task);
  }

  /** Start the device as often as it takes until the task is over. */
  async #follow(task: Task): Promise<void> {
    do assert.ok(++this.boots < BOOTS, "the device restarts for ever");
    while (!(await this.#powered(() => task.status === "SUCCEEDED" || task.status === "FAILED")));
  }

  /** From power on until it goes, or a restart. @returns whether all is done */
  async #powered(over: () => boolean): Promise<boolean> {
    const { flash } = this;
    flash.cut = this.#cuts[0];
    const loader = this.#bench.makeLoader(flash);
    try {
      const started = loader.boot();
      this.#judgeStart(started);
      const live = liveRecords(this.#bench.layout, (offset, length) => flash.look(offset, length));
      // the mark of another package says nothing about this one
      const ours = live.get(2)?.fields.version === VERSIONS[this.#update + 1];
      this.#mark = ours ? this.#history.verified() : 0;
      if (this.#dead && started.slot !== this.#update % 2) return false;
      const { slot, how, reason } = started;
      const rig = await Rig.create({
        configured: this.#bench.fresh(),
        booted: [slot, how, reason],
        parts: {
          flash: (op, offset, length, bytes) => this.#flash(op, offset, length, bytes),
          boot: (op, target) => this.#boot(loader, op, target),
        },
      });
      this.cloud.attach(rig);
      return this.#live(rig, over);
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.#cuts.shift();
      return false;
    } finally {
      this.cloud.offline();
    }
  }

  /** Turn the clock until the update is over or the device restarts. */
  #live(rig: Rig, over: () => boolean): boolean {
    rig.settle();
    for (let minutes = 0; !rig.restart && !over(); minutes++) {
      assert.ok(minutes < 120, `nothing goes on: ${JSON.stringify(rig.events.slice(-3))}`);
      rig.advance(60_000);
      this.cloud.now += 60_000;
      this.cloud.jobs.tick();
    }
    return !rig.restart;
  }

  #flash(op: number, offset: number, length: number, bytes: Uint8Array): number {
    const { state } = this.#bench.layout;
    const inState = offset >= state[0] && offset < state[0] + state[1];
    if (op === FlashOp.Read) {
      const answer = this.flash.readAnswer(offset, length);
      if (typeof answer === "number") return answer;
      bytes.set(answer);
    } else if (op === FlashOp.Erase) {
      this.#notNeeded(offset);
      this.#notVerified(offset);
      if (inState) this.#history.erase(offset);
      this.flash.erase(offset, length);
    } else {
      const written = inState ? this.#history.write(offset, bytes) : undefined;
      this.flash.write(offset, bytes);
      written?.done();
    }
    return Done.Ok;
  }

  /** The slot that runs, and one that is activated or would come back, is never erased. */
  #notNeeded(offset: number): void {
    for (const slot of this.#needed) {
      const [start, length] = this.#bench.layout.slots[slot]!;
      assert.ok(offset < start || offset >= start + length, `slot ${slot} is erased, but may be started`);
    }
  }

  /** What is verified is not erased, so it need not be fetched, hashed or written again. */
  #notVerified(offset: number): void {
    const [start] = this.#bench.layout.slots[1 - (this.#update % 2)]!;
    assert.ok(offset < start || offset >= start + this.#mark, `${offset} is erased, ${this.#mark} bytes are verified`);
  }

  #boot(loader: Loader, op: number, slot: number): number {
    try {
      if (op === BootOp.Activate) {
        this.#startable.add(slot);
        this.#needed.add(slot);
        loader.activate(slot);
      } else {
        loader.confirm();
        this.#startable = new Set([1 - (this.#update % 2)]);
      }
      return Done.Ok;
    } catch (error) {
      if (error instanceof PowerCut) throw error;
      assert.ok(error instanceof FlashError, `the boot loader refuses: ${(error as Error).message}`);
      return Done.Failed;
    }
  }

  #seedHistory(): void {
    const { layout } = this.#bench;
    const live = liveRecords(layout, (offset, length) => this.flash.look(offset, length));
    this.#history.adopt(live, this.flash.bytes);
  }

  /** The image in the slot is the one that belongs there, to the last byte and for good. */
  #judgeStart({ slot, how }: Started): void {
    const { layout, images, geometry } = this.#bench;
    assert.ok(this.#startable.has(slot), `slot ${slot} is started (how ${how})`);
    const [offset] = layout.slots[slot]!;
    const fresh = slot !== this.#update % 2;
    const bytes = this.flash.look(offset, geometry.size);
    const whole = bytes !== undefined && Buffer.compare(bytes, images[this.#update + (fresh ? 1 : 0)]!) === 0;
    assert.ok(whole, `slot ${slot} is started and holds no whole image`);
    assert.ok(this.flash.solid(offset, geometry.size), `slot ${slot} is started and has torn units`);
    this.#history.check(liveRecords(layout, (from, length) => this.flash.look(from, length)));
    if (how === Boot.FellBack) this.#startable = new Set([slot]);
    this.#needed = new Set(how === Boot.Trial ? [0, 1] : [slot]);
  }

  /** One more start: the slot is kept, the records say so, and the platform hears nothing new. */
  async #judgeEnd(task: Task): Promise<void> {
    const { layout } = this.#bench;
    this.flash.cut = undefined;
    const status = task.status;
    assert.ok(await this.#powered(() => true), "the device restarts although the update is over");
    assert.equal(task.status, status);
    const started = this.#bench.makeLoader(this.flash).boot();
    this.#judgeStart(started);
    assert.equal(started.slot, 1 - (this.#update % 2));
    assert.equal(started.how, Boot.Confirmed);
    const live = liveRecords(layout, (offset, length) => this.flash.look(offset, length));
    assert.equal(live.get(1)?.fields.version, VERSIONS[this.#update + 1]);
    // an unstable last record may still read as the one before: the device then confirms once more, which changes nothing
    assert.match(String(live.get(2)?.fields.phase ?? "none"), /^(none|verified|activated)$/);
  }
}
