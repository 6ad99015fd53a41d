/**
 * A NOR flash in memory that loses power at a chosen operation. What the cut leaves of the operation in hand is chosen,
 * too: nothing, a part, all of it unacknowledged, and in the unit that was being programmed or erased something that is
 * wrong for good, that reads differently each time, or that error correction cannot mend.
 */
import { Done } from "../../host/abi.js";
import { type Flash, FlashError } from "../../host/node/flash.js";
import { type FlashLayout, flashBytes } from "../../host/node/flash_layout.js";

/** The power went. No FlashError: nobody may handle it. */
export class PowerCut extends Error {}

/** How a unit is left by a cut. */
export const TORN = ["partial", "unstable", "unreadable"] as const;
export type Torn = (typeof TORN)[number];

/** What a cut leaves of the operation in hand. */
export interface Effect {
  /** Share of the operation that was done, 0 … 1; without `torn` the power goes between two units. */
  done: number;
  torn?: Torn;
}

export const OPERATIONS = ["read", "write", "erase"] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Effects that are told apart for one operation: everything for a unit, its place at the front, middle and end. */
export function effectsOf(operation: Operation): Effect[] {
  if (operation === "read") return [{ done: 0 }];
  const torn = TORN.flatMap((kind) => [0, 0.5, 1].map((done) => ({ done, torn: kind })));
  return [{ done: 0 }, { done: 1 }, ...torn];
}

/** A small generator of random numbers with a seed (mulberry32). @returns numbers in [0, 1) */
export function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

enum Unit {
  Erased = 0,
  Programmed = 1,
  /** An erase was cut: it may read as erased, but must not be programmed. */
  Weak = 2,
  Unstable = 3,
  Unreadable = 4,
}

/** A copy of a flash's contents, to begin other runs from. */
export interface FlashState {
  bytes: Uint8Array;
  units: Uint8Array;
}

export class FlashModel implements Flash {
  readonly bytes: Uint8Array;
  readonly #units: Uint8Array;
  /** What an unstable unit was before, and what it was to become. */
  readonly #between = new Map<number, [before: Uint8Array, after: Uint8Array]>();
  /** Kinds of the operations since the model was made. */
  readonly operations: Operation[] = [];
  /** The operation (counted from 0) at which the power goes. */
  cut: { at: number; effect: Effect } | undefined;
  /** How often each sector was erased. */
  readonly erases = new Map<number, number>();

  constructor(
    readonly layout: FlashLayout,
    private readonly chance: () => number,
    from?: FlashState,
  ) {
    this.bytes = from?.bytes.slice() ?? new Uint8Array(flashBytes(layout)).fill(layout.erased);
    this.#units = from?.units.slice() ?? new Uint8Array(this.bytes.length / layout.write);
  }

  /** The contents; no unit may be torn. */
  state(): FlashState {
    if (this.#between.size > 0) throw new Error("the flash has unstable units");
    return { bytes: this.bytes.slice(), units: this.#units.slice() };
  }

  /** As the part was made: programmed from outside. */
  factory(offset: number, bytes: Uint8Array): void {
    this.bytes.set(bytes, offset);
    const unit = this.layout.write;
    this.#units.fill(Unit.Programmed, offset / unit, Math.ceil((offset + bytes.length) / unit));
  }

  /** undefined = not readable. Counts as no operation: for the judge, not the device. */
  look(offset: number, length: number): Uint8Array | undefined {
    const unit = this.layout.write;
    const bytes = this.bytes.slice(offset, offset + length);
    const [first, end] = [Math.floor(offset / unit), Math.ceil((offset + length) / unit)];
    for (let index = first; index < end; index++) {
      const state = this.#units[index]!;
      if (state === Unit.Unreadable) return undefined;
      if (state === Unit.Unstable) this.#flicker(index, bytes, index * unit - offset);
    }
    return bytes;
  }

  /** Whether every unit there reads the same each time. */
  solid(offset: number, length: number): boolean {
    const unit = this.layout.write;
    const units = this.#units.subarray(offset / unit, Math.ceil((offset + length) / unit));
    return units.every((state) => state < Unit.Weak);
  }

  /** For the module. @returns bytes, or the answer to `flashDone` */
  readAnswer(offset: number, length: number): Uint8Array | Done {
    this.#begin("read", () => {});
    return this.look(offset, length) ?? Done.Unreadable;
  }

  read(offset: number, length: number): Uint8Array {
    const bytes = this.readAnswer(offset, length);
    if (typeof bytes === "number") throw new FlashError(`unreadable at ${offset}`);
    return bytes;
  }

  write(offset: number, bytes: Uint8Array): void {
    const unit = this.layout.write;
    if (offset % unit !== 0 || bytes.length % unit !== 0 || bytes.length === 0)
      throw new Error(`write of ${bytes.length} bytes at ${offset}: not whole units`);
    const [first, count] = [offset / unit, bytes.length / unit];
    for (let index = first; index < first + count; index++)
      if (this.#units[index] !== Unit.Erased)
        throw new Error(`unit at ${index * unit} is programmed without an erase (state ${this.#units[index]})`);
    const after = (index: number) => bytes.subarray((index - first) * unit, (index - first + 1) * unit);
    const program = (index: number) => {
      this.bytes.set(after(index), index * unit);
      this.#units[index] = Unit.Programmed;
    };
    this.#begin("write", ({ done, torn }) => {
      const reached = Math.min(count - (torn === undefined ? 0 : 1), Math.floor(done * count));
      for (let index = first; index < first + reached; index++) program(index);
      if (torn !== undefined) this.#tear(first + reached, torn, after(first + reached), Unit.Programmed);
    });
    for (let index = first; index < first + count; index++) program(index);
  }

  erase(offset: number, length: number): void {
    const { sector, write, erased } = this.layout;
    if (offset % sector !== 0 || length % sector !== 0 || length === 0)
      throw new Error(`erase of ${length} bytes at ${offset}: not whole sectors`);
    const [first, count] = [offset / write, length / write];
    this.#begin("erase", ({ done, torn }) => {
      if (torn === undefined && done === 1) return this.#blank(offset, length);
      if (torn === undefined) return;
      const blank = new Uint8Array(write).fill(erased);
      for (let index = first; index < first + count; index++) {
        // the front has come out erased, but nothing says that the charge is gone
        if (index - first < done * count) {
          this.#between.delete(index);
          this.bytes.fill(erased, index * write, (index + 1) * write);
          this.#units[index] = Unit.Weak;
        } else this.#tear(index, torn, blank, Unit.Weak);
      }
    });
    this.#blank(offset, length);
    for (let at = offset; at < offset + length; at += sector) this.erases.set(at, (this.erases.get(at) ?? 0) + 1);
  }

  flush(): void {}

  #begin(operation: Operation, leave: (effect: Effect) => void): void {
    const index = this.operations.length;
    this.operations.push(operation);
    if (this.cut?.at !== index) return;
    leave(this.cut.effect);
    throw new PowerCut(`at operation ${index}`);
  }

  #blank(offset: number, length: number): void {
    const unit = this.layout.write;
    const [first, end] = [offset / unit, (offset + length) / unit];
    this.bytes.fill(this.layout.erased, offset, offset + length);
    this.#units.fill(Unit.Erased, first, end);
    for (const index of this.#between.keys()) if (index >= first && index < end) this.#between.delete(index);
  }

  /** Leave one unit on its way to `after`. */
  #tear(index: number, how: Torn, after: Uint8Array, partial: Unit): void {
    const unit = this.layout.write;
    const before = this.bytes.slice(index * unit, (index + 1) * unit);
    this.#between.delete(index);
    if (how === "unreadable") this.#units[index] = Unit.Unreadable;
    else if (how === "unstable") {
      this.#units[index] = Unit.Unstable;
      this.#between.set(index, [before, after.slice()]);
    } else {
      this.#units[index] = partial;
      for (let i = 0; i < unit; i++) this.bytes[index * unit + i] = mix(before[i]!, after[i]!, this.chance);
    }
  }

  /** One reading of an unstable unit: as before, as it was to become, or anything between. */
  #flicker(index: number, into: Uint8Array, at: number): void {
    const [before, after] = this.#between.get(index)!;
    const kind = Math.floor(this.chance() * 3);
    for (let i = 0; i < before.length; i++) {
      if (at + i < 0 || at + i >= into.length) continue;
      into[at + i] = kind === 0 ? before[i]! : kind === 1 ? after[i]! : mix(before[i]!, after[i]!, this.chance);
    }
  }
}

/** Some of the bits that differ have changed. */
function mix(before: number, after: number, chance: () => number): number {
  return before ^ ((before ^ after) & Math.floor(chance() * 256));
}
