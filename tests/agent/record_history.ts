/** What the state region may say after a power cut: the last record of each kind that was complete, or the one in hand. */
import assert from "node:assert/strict";
import type { FlashLayout } from "../../host/node/flash_layout.js";
import type { StateRecord } from "../../host/node/state_records.js";

const HEADER_MARK = "ALJ1";
const RECORD_MARK = 0x5a;
/** Kind of the record that says how far verified bytes reach. */
const MARK = 3;

interface Written {
  kind: number;
  payload: string;
}

export class RecordHistory {
  /** Payload of each kind that must be found, in hexadecimal. */
  readonly #durable = new Map<number, string>();
  /** Payloads that may be found instead. */
  readonly #begun: Written[] = [];
  /** Records of a sector that has no header yet. */
  #staged: Written[] = [];
  readonly #withHeader = new Set<number>();
  /** A header is in hand with which the mark goes: it may be gone already, though nobody was told. */
  #leaving = false;

  constructor(private readonly layout: FlashLayout) {}

  /** Begin with what stands in the flash. */
  adopt(live: Map<number, StateRecord>, bytes: Uint8Array): void {
    for (const [kind, { payload }] of live) this.#durable.set(kind, Buffer.from(payload).toString("hex"));
    const { state, sector } = this.layout;
    for (let at = state[0]; at < state[0] + state[1]; at += sector)
      if (Buffer.from(bytes.subarray(at, at + 4)).toString("latin1") === HEADER_MARK) this.#withHeader.add(at);
  }

  /** The module writes into the state region; call `done` when it was carried out. */
  write(offset: number, bytes: Uint8Array): { done: () => void } {
    const { sector } = this.layout;
    const start = offset - (offset % sector);
    if (Buffer.from(bytes.subarray(0, 4)).toString("latin1") === HEADER_MARK) {
      this.#leaving = !this.#staged.some(({ kind }) => kind === MARK);
      return { done: () => this.#header(start) };
    }
    assert.equal(bytes[0], RECORD_MARK, `a write at ${offset} that is neither header nor record`);
    const length = bytes[2]! | (bytes[3]! << 8);
    const written = { kind: bytes[1]!, payload: Buffer.from(bytes.subarray(4, 4 + length)).toString("hex") };
    this.#begun.push(written);
    return { done: () => (this.#withHeader.has(start) ? this.#keep([written]) : this.#staged.push(written)) };
  }

  /** The module erases a sector of the region. */
  erase(offset: number): void {
    this.#withHeader.delete(offset);
    this.#staged = [];
  }

  #header(start: number): void {
    this.#withHeader.add(start);
    this.#leaving = false;
    // a mark does not outlive its package: the log of the next one begins without it
    if (!this.#staged.some(({ kind }) => kind === MARK)) this.#durable.delete(MARK);
    this.#keep(this.#staged);
    this.#staged = [];
  }

  #keep(records: Written[]): void {
    for (const { kind, payload } of records) this.#durable.set(kind, payload);
    this.#begun.length = 0;
  }

  /** None is lost, none is invented. */
  check(live: Map<number, StateRecord>): void {
    if (this.#leaving && !live.has(MARK)) this.#durable.delete(MARK);
    this.#leaving = false;
    for (const kind of new Set([...this.#durable.keys(), ...live.keys()])) {
      const found = live.get(kind);
      const payload = found === undefined ? undefined : Buffer.from(found.payload).toString("hex");
      const begun = this.#begun.filter((written) => written.kind === kind).map((written) => written.payload);
      assert.ok(
        payload === this.#durable.get(kind) || (payload !== undefined && begun.includes(payload)),
        `record of kind ${kind}: found ${JSON.stringify(found?.fields)}, which was neither complete nor in hand`,
      );
    }
  }
}
