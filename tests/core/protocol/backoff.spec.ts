import { fill } from "../../../assembly/bytes/text";
import { Backoff, Random, backoffNext, randomBelow, randomSeed } from "../../../assembly/protocol/backoff";

const backoff = changetype<Backoff>(memory.data(offsetof<Backoff>(), 8));
const random = changetype<Random>(memory.data(offsetof<Random>(), 8));
const entropy = memory.data(16);

function seed(byte: u32): void {
  fill(entropy, byte, 16);
  store<u8>(entropy, byte + 1);
  randomSeed(random, entropy);
}

describe("jitter", () => {
  it("never stands still, even on entropy that is all alike", () => {
    fill(entropy, 0x55, 16);
    randomSeed(random, entropy);
    expect(random.state).not.toBe(0);
    const first = randomBelow(random, 0xffffffff);
    expect(randomBelow(random, 0xffffffff)).not.toBe(first);
  });

  it("stays below its bound, and reaches both halves of it", () => {
    seed(3);
    let low = 0;
    for (let i = 0; i < 1000; i++) {
      const n = randomBelow(random, 10);
      expect(n).toBeLessThan(10);
      if (n < 5) low++;
    }
    expect(low).toBeGreaterThan(300);
    expect(low).toBeLessThan(700);
    expect(randomBelow(random, 1)).toBe(0);
  });

  it("differs between devices, and is the same for the same entropy", () => {
    seed(1);
    const one = randomBelow(random, 1000000);
    seed(2);
    expect(randomBelow(random, 1000000)).not.toBe(one);
    seed(1);
    expect(randomBelow(random, 1000000)).toBe(one);
  });
});

/** The longest of many waits at this attempt. */
function longest(attempt: u32, base: u32, most: u32): u32 {
  let found: u32 = 0;
  for (let i = 0; i < 400; i++) {
    backoff.attempt = attempt;
    const wait = backoffNext(backoff, random, base, most);
    if (wait > found) found = wait;
  }
  return found;
}

describe("back-off", () => {
  it("doubles its bound with each attempt, up to the longest", () => {
    seed(7);
    for (let attempt: u32 = 0; attempt < 12; attempt++) {
      let bound: u32 = 1000 << attempt;
      if (bound > 120000) bound = 120000;
      const wait = longest(attempt, 1000, 120000);
      expect(wait).toBeLessThan(bound);
      expect(wait).toBeGreaterThan(bound - bound / 8);
    }
  });

  it("counts attempts, and does not overflow after many", () => {
    backoff.attempt = 0;
    for (let i: u32 = 0; i < 5000; i++) {
      expect(backoff.attempt).toBe(i);
      expect(backoffNext(backoff, random, 1000, 120000)).toBeLessThan(120000);
    }
    expect(longest(4000000000, 1000, 120000)).toBeGreaterThan(100000);
  });
});
