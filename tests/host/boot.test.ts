import assert from "node:assert/strict";
import { test } from "node:test";
import { Boot } from "../../host/abi.js";
import { BootLoader, decodeRecord, encodeRecord, Kind, RECORD_BYTES, Reason } from "../../host/node/boot.js";
import type { Flash } from "../../host/node/flash.js";
import { flashBytes, flashLayout } from "../../host/node/flash_layout.js";

/** The power went. */
class PowerCut extends Error {}

/** A flash in memory that loses power after `units` write units or erased sectors; the unit in hand is torn. */
class CuttableFlash implements Flash {
  units = Number.POSITIVE_INFINITY;
  bytes: Uint8Array;
  durable = true;

  constructor(
    readonly layout = flashLayout({
      sector: 128,
      write: 8,
      slots: [
        [0, 128],
        [128, 128],
      ],
    }),
  ) {
    this.bytes = new Uint8Array(flashBytes(layout)).fill(layout.erased);
  }

  read(offset: number, length: number): Uint8Array {
    return this.bytes.slice(offset, offset + length);
  }

  write(offset: number, bytes: Uint8Array): void {
    this.durable = false;
    const unit = this.layout.write;
    assert.equal(offset % unit, 0);
    assert.equal(bytes.length % unit, 0);
    for (let at = 0; at < bytes.length; at += unit) {
      const place = this.bytes.subarray(offset + at, offset + at + unit);
      assert.ok(
        place.every((byte) => byte === this.layout.erased),
        `unit ${offset + at} is programmed twice`,
      );
      this.#spend(() => place.set(bytes.subarray(at, at + unit / 2)));
      place.set(bytes.subarray(at, at + unit));
    }
  }

  erase(offset: number, length: number): void {
    this.durable = false;
    assert.equal(offset % this.layout.sector, 0);
    assert.equal(length, this.layout.sector);
    const sector = this.bytes.subarray(offset, offset + length);
    this.#spend(() => sector.fill(this.layout.erased, 0, length / 2 + 3));
    sector.fill(this.layout.erased);
  }

  flush(): void {
    this.durable = true;
  }

  #spend(tear: () => void): void {
    if (this.units-- > 0) return;
    tear();
    throw new PowerCut();
  }
}

test("a fresh part starts slot 0, confirmed", () => {
  assert.deepEqual(new BootLoader(new CuttableFlash()).boot(), { slot: 0, how: Boot.Confirmed, reason: 0 });
});

test("a trial that is confirmed stays", () => {
  const flash = new CuttableFlash();
  const loader = new BootLoader(flash);
  loader.boot();
  loader.activate(1);
  assert.equal(flash.durable, true);
  assert.deepEqual(loader.boot(), { slot: 1, how: Boot.Trial, reason: 0 });
  loader.confirm();
  assert.deepEqual(new BootLoader(flash).boot(), { slot: 1, how: Boot.Confirmed, reason: 0 });
});

test("a trial that is never confirmed gets its starts, then the former slot comes back and keeps the reason", () => {
  const flash = new CuttableFlash();
  const loader = new BootLoader(flash);
  loader.boot();
  loader.activate(1, 3);
  for (let start = 0; start < 3; start++) assert.deepEqual(loader.boot(), { slot: 1, how: Boot.Trial, reason: 0 });
  const back = { slot: 0, how: Boot.FellBack, reason: Reason.StartsUsedUp };
  assert.deepEqual(loader.boot(), back);
  assert.deepEqual(loader.boot(), back);
  loader.confirm();
  assert.deepEqual(loader.boot(), { slot: 0, how: Boot.Confirmed, reason: 0 });
});

test("activating twice before the restart is one activation", () => {
  const loader = new BootLoader(new CuttableFlash());
  loader.boot();
  loader.activate(1);
  loader.activate(1);
  assert.deepEqual(loader.boot(), { slot: 1, how: Boot.Trial, reason: 0 });
});

test("only the running slot is confirmed: with another one activated it is refused, and the record stays", () => {
  for (const fellBack of [false, true]) {
    const flash = new CuttableFlash();
    const loader = new BootLoader(flash);
    loader.boot();
    if (fellBack) {
      loader.activate(1, 1);
      loader.boot();
      assert.equal(loader.boot().how, Boot.FellBack);
    }
    loader.activate(1);
    const before = flash.bytes.slice();
    assert.throws(() => loader.confirm(), { name: "BootError", message: /slot 1 is activated, .*slot 0 cannot/ });
    assert.deepEqual(flash.bytes, before);
    assert.deepEqual(loader.boot(), { slot: 1, how: Boot.Trial, reason: 0 });
  }
});

test("a confirmed slot is confirmed again without a write", () => {
  const flash = new CuttableFlash();
  const loader = new BootLoader(flash);
  loader.boot();
  const before = flash.bytes.slice();
  loader.confirm();
  assert.deepEqual(flash.bytes, before);
  loader.activate(1);
  loader.boot();
  loader.confirm();
  const confirmed = flash.bytes.slice();
  loader.confirm();
  assert.deepEqual(flash.bytes, confirmed);
});

test("a trial of this slot that this start is none of is not confirmed", () => {
  const flash = new CuttableFlash();
  const stale = new BootLoader(flash);
  stale.boot();
  const other = new BootLoader(flash);
  other.boot();
  other.activate(1);
  other.boot();
  other.confirm();
  other.activate(0);
  const before = flash.bytes.slice();
  assert.throws(() => stale.confirm(), /slot 0 was not started on trial/);
  assert.deepEqual(flash.bytes, before);
});

test("what cannot be is refused", () => {
  const loader = new BootLoader(new CuttableFlash());
  assert.throws(() => loader.confirm(), /nothing was started/);
  loader.boot();
  assert.throws(() => loader.activate(0), /slot 0 is the running one/);
  assert.throws(() => loader.activate(2), /there is no slot 2/);
  loader.activate(1);
  loader.boot();
  assert.throws(() => loader.activate(0), /on trial: confirm it first/);
});

for (const write of [1, 4, 16, 32])
  for (const erased of [255, 0])
    test(`updates go on for many sectors with write units of ${write} and erased bytes of ${erased}`, () => {
      const flash = new CuttableFlash(
        flashLayout({
          sector: 128,
          write,
          erased,
          slots: [
            [0, 128],
            [128, 128],
          ],
        }),
      );
      for (let update = 0; update < 40; update++) {
        const loader = new BootLoader(flash);
        const { slot } = loader.boot();
        assert.equal(slot, update % 2);
        loader.activate(1 - slot);
        assert.equal(loader.boot().how, Boot.Trial);
        loader.confirm();
      }
    });

/** One update from boot to confirmation; `after` is what a restart must find at each point. */
function update(flash: CuttableFlash, reached: (step: string) => void): void {
  const loader = new BootLoader(flash);
  const { slot } = loader.boot();
  loader.activate(1 - slot);
  reached("activated");
  loader.boot();
  reached("started");
  loader.confirm();
  reached("confirmed");
}

for (const before of [0, 1, 2, 3])
  test(`power cut at every unit, after ${before} updates`, () => {
    for (let cut = 0; ; cut++) {
      const flash = new CuttableFlash();
      for (let i = 0; i < before; i++) update(flash, () => {});
      const old = new BootLoader(flash).record().slot;
      let step = "booted";
      flash.units = cut;
      try {
        update(flash, (reached) => {
          step = reached;
        });
      } catch (error) {
        assert.ok(error instanceof PowerCut, String(error));
      }
      const done = flash.units > 0;
      flash.units = Number.POSITIVE_INFINITY;
      const started = new BootLoader(flash).boot();
      const allowed = {
        booted: [`${old} 0`, `${1 - old} 1`],
        activated: [`${1 - old} 1`],
        started: [`${1 - old} 1`, `${1 - old} 0`],
        confirmed: [`${1 - old} 0`],
      }[step]!;
      assert.ok(
        allowed.includes(`${started.slot} ${started.how}`),
        `cut at ${cut} after ${step}: slot ${started.slot} ${started.how}`,
      );
      // And the device goes on being updatable.
      const loader = new BootLoader(flash);
      if (loader.boot().how === Boot.Trial) loader.confirm();
      update(flash, () => {});
      if (done) break;
    }
  });

test("a trial counts down however often the power goes while it is counted", () => {
  const flash = new CuttableFlash();
  const first = new BootLoader(flash);
  first.boot();
  first.activate(1, 2);
  let starts = 0;
  for (let round = 0; round < 100; round++) {
    flash.units = round % 3 === 0 ? 1 : Number.POSITIVE_INFINITY;
    try {
      const started = new BootLoader(flash).boot();
      if (started.how === Boot.Trial) starts++;
      else assert.equal(started.slot, 0);
    } catch (error) {
      assert.ok(error instanceof PowerCut);
    }
  }
  assert.equal(starts, 2);
});

test("the record's bytes are those of the format's document", () => {
  const record = { kind: Kind.Trial, slot: 1, fallBack: 0, starts: 3, reason: 0, sequence: 7 };
  const bytes = encodeRecord(record);
  // CRC-32 computed with zlib over the first 28 bytes.
  assert.equal(Buffer.from(bytes).toString("hex"), "414c42520101010003000000000000000700000000000000000000009e225999");
  assert.deepEqual(decodeRecord(bytes), record);
  for (let bit = 0; bit < RECORD_BYTES * 8; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    assert.equal(decodeRecord(damaged), undefined, `bit ${bit}`);
  }
});
