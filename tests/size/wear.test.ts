// What `alink-agent size` says of wear is what updates do to a flash.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { flashLayout } from "../../host/node/flash_layout.js";
import { wearOf } from "../../host/size/wear.js";
import { Bench } from "../agent/power.js";
import { command, finish, folder } from "../platform/command.js";

test("an update erases what is announced: each sector of the slot once, the others no more often", async () => {
  for (const [sector, write, size] of [
    [4096, 16, 140_001],
    [4096, 1, 6_333],
    [4096, 32, 700_000],
    [65536, 32, 140_001],
  ] as const) {
    const bench = await Bench.create({ sector, write, erased: 255, size, before: 0 });
    const { flash } = await bench.run();
    const { regions } = wearOf(bench.layout, { packageBytes: size, updates: 1, cycles: 10_000 });
    const [, slot] = bench.layout.slots;
    const places = { slots: slot, state: bench.layout.state, boot: bench.layout.boot, queue: bench.layout.queue };
    for (const { name, erases } of regions) {
      const [from, length] = places[name];
      const counts = [...flash.erases].filter(([at]) => at >= from && at < from + length).map(([, count]) => count);
      const found = counts.reduce((sum, count) => sum + count, 0);
      const what = `${name} of ${size} bytes on sectors of ${sector}, units of ${write}`;
      assert.equal(found, erases, what);
      assert.ok(
        counts.every((count) => count === 1),
        `${what}: ${counts}`,
      );
    }
  }
});

test("the example of docs/state-region.md", () => {
  const wear = wearOf(flashLayout(), { packageBytes: 1024 * 1024, updates: 365, cycles: 10_000 });
  const updates = Object.fromEntries(wear.regions.map((region) => [region.name, region.updates]));
  assert.deepEqual(updates, { slots: 20_000, state: 20_000, boot: 10_000, queue: null });
  assert.equal(wear.lifetimeUpdates, 10_000);
  assert.equal(Math.floor(wear.years), 27);
});

test("alink-agent size tells the years of the layout and the rate that it is given", async (t) => {
  const device = join(folder(t), "device.json");
  const flash = {
    slots: [
      [0, 65536],
      [65536, 65536],
    ],
    boot: [262144, 16384],
    state: [131072, 8192],
  };
  writeFileSync(device, JSON.stringify({ deviceSecret: "not looked at", flash }));
  const args = ["size", "--device", device, "--package", "65536", "--updates", "52", "--cycles", "1000"];
  const { code, stdout, stderr } = await finish(command(t, [...args, "--json"]));
  assert.deepEqual([code, stderr], [0, ""]);
  const last = JSON.parse(stdout.trimEnd().split("\n").at(-1)!);
  // two erases an update on two sectors of state
  const expected = { packageBytes: 65536, updates: 52, cycles: 1000, lifetimeUpdates: 1000, years: 1000 / 52 };
  assert.deepEqual(last, { event: "size.wear", ...expected });
  const told = await finish(command(t, args));
  assert.match(told.stdout, /^1000 cycles last for 1000 updates: 19\.2 years of 65536 bytes 52 times a year$/m);
  const large = await finish(command(t, [...args, "--package", "65537"]));
  assert.equal(large.code, 1);
  assert.match(large.stderr, /^alink-agent: a package of 65537 bytes does not fit: the smaller slot has 65536\n$/);
});
