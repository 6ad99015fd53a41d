import { Done, FlashOp } from "../../../assembly/abi";
import { copy, fill } from "../../../assembly/bytes/text";
import { Flash, flashAnswer, flashWanted } from "../../../assembly/protocol/flash";
import {
  JOURNAL_PAGE,
  Journal,
  Kind,
  journalFailed,
  journalBusy,
  journalLoad,
  journalPut,
  journalStep,
} from "../../../assembly/protocol/journal";
import { MARK_SIZE } from "../../../assembly/protocol/update_state";
import { hex } from "../ranges";

const SECTOR: u32 = 1024;
const SECTORS: u32 = 2;
const REGION: u32 = SECTOR * SECTORS;
/** Where the region begins: everything before it is not the journal's. */
const BASE: u32 = 2048;
/** Payload of kind Installed and of kind Update. */
const SIZE1: u32 = 60;
const SIZE2: u32 = 90;
/** The longest that any test uses. */
const CAP: u32 = 200;

const flash = changetype<Flash>(memory.data(offsetof<Flash>(), 8));
const journal = changetype<Journal>(memory.data(offsetof<Journal>(), 8));
const page = memory.data(2 * JOURNAL_PAGE);
const one = memory.data(CAP);
const two = memory.data(CAP);
const mark = memory.data(MARK_SIZE);
const cells = memory.data(BASE + REGION);

/** Bytes that may still be programmed or erased before the power goes; what comes later does not happen. */
let power: i32 = i32.MAX_VALUE;
/** Number of the operation that fails, and what it answers. */
let failing: i32 = -1;
let failure: i32 = Done.Failed;
/** A byte that no read can have in it. */
let damaged: u32 = u32.MAX_VALUE;
let operations: i32 = 0;
let outside: i32 = 0;
let twice: i32 = 0;
let erased: u32 = 255;
let size2: u32 = SIZE2;

function unpowered(): bool {
  return power <= 0;
}

/** A fresh module on the flash as it is. */
function boot(write: u32): void {
  fill(changetype<usize>(flash), 0, offsetof<Flash>());
  fill(changetype<usize>(journal), 0, offsetof<Journal>());
  fill(page, 0, 2 * JOURNAL_PAGE);
  fill(one, 0, CAP);
  fill(two, 0, CAP);
  flash.sector = SECTOR;
  flash.write = write;
  flash.erased = erased;
  flash.stateOffset = BASE;
  flash.stateLength = REGION;
  journal.flash = flash;
  journal.page = page;
  journal.state1 = one;
  journal.size1 = SIZE1;
  journal.state2 = two;
  journal.size2 = size2;
  journal.state3 = mark;
  journal.size3 = MARK_SIZE;
  operations = 0;
  journalLoad(journal);
  run();
}

/** Carry out what is wanted until nothing is, or the power is gone. */
function run(): void {
  for (let i = 0; i < 1000 && !unpowered(); i++) {
    journalStep(journal);
    const op = flashWanted(flash);
    if (op != FlashOp.None) serve(op);
    else if (!journalBusy(journal)) return;
  }
}

function serve(op: FlashOp): void {
  const at = flash.offset;
  const unreadable = op == FlashOp.Read && at <= damaged && damaged < at + flash.len;
  const fails = operations++ == failing || unreadable;
  if (at < BASE || at + flash.len > BASE + REGION) outside++;
  if (fails && op == FlashOp.Read) fill(flash.ptr, 0xa5, flash.len);
  if (fails) return flashAnswer(flash, failure);
  if (op == FlashOp.Read) copy(flash.ptr, cells + at, flash.len);
  else {
    const length = min<i32>(flash.len, power);
    power -= flash.len;
    for (let i = 0; i < length; i++) {
      if (op == FlashOp.Write && load<u8>(cells + at + i) != erased) twice++;
      store<u8>(cells + at + i, op == FlashOp.Erase ? erased : load<u8>(flash.ptr + i));
    }
  }
  flashAnswer(flash, Done.Ok);
}

function blank(): void {
  fill(cells, erased, BASE + REGION);
  power = i32.MAX_VALUE;
  failing = -1;
  failure = Done.Failed;
  damaged = u32.MAX_VALUE;
  outside = 0;
  twice = 0;
}

function put(kind: u32, byte: u32): void {
  const length = kind == Kind.Installed ? SIZE1 : size2;
  fill(kind == Kind.Installed ? one : two, byte, length);
  journalPut(journal, kind);
  run();
}

function stateOf(kind: u32): string {
  return kind == Kind.Installed ? hex(one, journal.length1) : hex(two, journal.length2);
}

function bytes(byte: u32, length: u32): string {
  const at = memory.data(CAP);
  fill(at, byte, length);
  return hex(at, length);
}

describe("the journal", () => {
  it("a fresh region has no state; nothing is written by reading", () => {
    blank();
    boot(16);
    expect(journalBusy(journal)).toBe(false);
    expect(journal.length1).toBe(0);
    expect(journal.length2).toBe(0);
    expect(operations).toBe(SECTORS);
  });

  it("keeps the newest state of each kind over restarts and many rounds, for every write unit", () => {
    const units: u32[] = [1, 2, 4, 8, 16, 32];
    for (let u = 0; u < units.length; u++) {
      blank();
      size2 = u % 2 == 0 ? 183 : 90;
      boot(units[u]);
      for (let round: u32 = 1; round <= 120; round++) {
        put(Kind.Update, round);
        if (round % 10 == 1) put(Kind.Installed, 200 - round);
        expect(journalFailed(journal)).toBe(false);
        if (round % 3 == 0) boot(units[u]);
        expect(stateOf(Kind.Update)).toBe(bytes(round, size2));
        expect(stateOf(Kind.Installed)).toBe(bytes(200 - (round - ((round - 1) % 10)), SIZE1));
      }
      expect(outside).toBe(0);
      expect(twice).toBe(0);
      size2 = SIZE2;
    }
  });

  it("works on a flash whose erased bytes read 0", () => {
    erased = 0;
    blank();
    boot(8);
    for (let round: u32 = 1; round <= 30; round++) put(Kind.Update, round);
    boot(8);
    expect(stateOf(Kind.Update)).toBe(bytes(30, size2));
    expect(twice).toBe(0);
    erased = 255;
  });
});

describe("a power cut", () => {
  it("at any byte of any write or erase leaves the old state or the new one", () => {
    let cut = 0;
    for (let done = false; !done; cut += 13) {
      blank();
      boot(16);
      put(Kind.Installed, 0x11);
      power = cut;
      let last: u32 = 0;
      for (let round: u32 = 1; round <= 14 && !unpowered(); round++) {
        put(Kind.Update, round);
        if (!unpowered()) last = round;
      }
      done = !unpowered();
      power = i32.MAX_VALUE;
      boot(16);
      expect(journalFailed(journal)).toBe(false);
      expect(stateOf(Kind.Installed)).toBe(bytes(0x11, SIZE1));
      const state = stateOf(Kind.Update);
      const old = last == 0 ? "" : bytes(last, size2);
      expect(state == old || state == bytes(last + 1, size2)).toBe(true);
      // and goes on, without programming anything twice
      put(Kind.Update, 0x77);
      expect(journalFailed(journal)).toBe(false);
      boot(16);
      expect(stateOf(Kind.Update)).toBe(bytes(0x77, size2));
      expect(stateOf(Kind.Installed)).toBe(bytes(0x11, SIZE1));
      expect(twice).toBe(0);
    }
    expect(cut).toBeGreaterThan(2 * SECTOR);
  });
});

describe("a flash that fails", () => {
  it("once at an append or its reading back: the record goes into the other sector", () => {
    for (let n = 0; n < 2; n++) {
      blank();
      boot(16);
      put(Kind.Update, 1);
      failing = operations + n;
      failure = n == 0 ? Done.Failed : Done.Ok;
      put(Kind.Update, 2);
      expect(journalFailed(journal)).toBe(false);
      failing = -1;
      failure = Done.Failed;
      boot(16);
      expect(stateOf(Kind.Update)).toBe(bytes(2, size2));
      put(Kind.Update, 3);
      boot(16);
      expect(stateOf(Kind.Update)).toBe(bytes(3, size2));
    }
  });

  it("once in making a sector: the journal says so, and the state before is there after a restart", () => {
    // erase, record, its reading back, header, its reading back
    for (let n = 0; n < 5; n++) {
      blank();
      boot(16);
      put(Kind.Update, 1);
      // fill the sector, so that the next record needs another one
      let round: u32 = 2;
      const record: u32 = (4 + size2 + 4 + 15) & ~15;
      while (journal.end + record <= journal.flash.sector) put(Kind.Update, round++);
      failing = operations + n;
      put(Kind.Update, round);
      expect(journalFailed(journal)).toBe(true);
      failing = -1;
      boot(16);
      expect(journalFailed(journal)).toBe(false);
      // a header that stands but could not be read back counts all the same
      expect(stateOf(Kind.Update)).toBe(bytes(n == 4 ? round : round - 1, size2));
    }
  });

  it("that cannot read a place: it counts as torn, and the region goes on in the other sector", () => {
    blank();
    boot(16);
    put(Kind.Update, 1);
    put(Kind.Update, 2);
    // the first unit of the second record: the one before it is read alone
    damaged = BASE + 16 + ((4 + size2 + 4 + 15) & ~15);
    failure = Done.Unreadable;
    boot(16);
    expect(stateOf(Kind.Update)).toBe(bytes(1, size2));
    put(Kind.Update, 3);
    boot(16);
    expect(stateOf(Kind.Update)).toBe(bytes(3, size2));
    expect(twice).toBe(0);
  });
});

describe("a region that holds something else", () => {
  it("other formats, cut headers and wrong checksums are no state", () => {
    blank();
    boot(16);
    put(Kind.Update, 5);
    for (let at: u32 = 0; at < 16 + 4 + SIZE2 + 4; at++) {
      const before = load<u8>(cells + BASE + at);
      store<u8>(cells + BASE + at, before ^ 0x10);
      boot(16);
      expect(journalFailed(journal)).toBe(false);
      expect(stateOf(Kind.Update)).toBe("", `byte ${at}`);
      store<u8>(cells + BASE + at, before);
    }
    boot(16);
    expect(stateOf(Kind.Update)).toBe(bytes(5, size2));
  });
});

describe("a record of another length", () => {
  it("is none of this format", () => {
    blank();
    boot(16);
    put(Kind.Update, 5);
    size2 = SIZE2 + 1;
    boot(16);
    size2 = SIZE2;
    expect(journal.length2).toBe(0);
    boot(16);
    expect(stateOf(Kind.Update)).toBe(bytes(5, SIZE2));
  });
});
