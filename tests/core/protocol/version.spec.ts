import { versionCompare } from "../../../assembly/protocol/version";
import { put } from "../ranges";

const a = memory.data(80);
const b = memory.data(80);

function order(first: string, second: string): i32 {
  const result = versionCompare(a, put(a, first), b, put(b, second));
  return result < 0 ? -1 : result > 0 ? 1 : 0;
}

/** From the oldest to the newest. */
const ASCENDING: string[] = [
  "0",
  "0.9",
  "1-beta",
  "1",
  "1.0.0-rc.1",
  "1.0.0-rc.2",
  "1.0.0-rc.10",
  "1.0.0-rc10",
  "1.0.0",
  "1.0.0.0",
  "1.0.0.1",
  "1.0.2",
  "1.0.10",
  "1.9.99999999999999999998",
  "1.9.99999999999999999999",
  "1.9.100000000000000000000",
  "1.9.beta",
  "2.0",
  "2.0_1",
  "10",
  "V1",
  "V2",
  "v1.0",
  "v1.9",
  "v1.10",
];

describe("the order of versions", () => {
  it("is the same from both sides, for every pair", () => {
    for (let i = 0; i < ASCENDING.length; i++) {
      for (let j = 0; j < ASCENDING.length; j++) {
        const expected = i < j ? -1 : i > j ? 1 : 0;
        expect(order(ASCENDING[i], ASCENDING[j])).toBe(expected, ASCENDING[i] + " " + ASCENDING[j]);
      }
    }
  });

  it("leading zeros do not count", () => {
    expect(order("1.01", "1.1")).toBe(0);
    expect(order("1.000", "1.0")).toBe(0);
    expect(order("007", "8")).toBe(-1);
    expect(order("1.10", "1.09")).toBe(1);
  });
});
