import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Bench, type Geometry } from "../agent/power.js";
import { root } from "../paths.js";

const folder = mkdtempSync(join(tmpdir(), "alink-inspect-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const main = join(root, "build", "host", "cli", "main.js");

const geometry: Geometry = { sector: 4096, write: 16, erased: 255, size: 6333, before: 0 };
const bench = await Bench.create(geometry);
const { layout } = bench;
const updated = (await bench.run()).flash.bytes;

const deviceFile = join(folder, "device.json");
writeFileSync(deviceFile, JSON.stringify({ deviceSecret: "not-to-be-shown", FLASH: layout }));

function inspect(bytes: Uint8Array | string, ...more: string[]) {
  const file = typeof bytes === "string" ? bytes : join(folder, "part.flash");
  if (typeof bytes !== "string") writeFileSync(file, bytes);
  const args = [main, "flash", "inspect", file, "--device", deviceFile, ...more];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  assert.ok(!`${stdout}${stderr}`.includes("not-to-be-shown"));
  return { status, stdout, stderr };
}

type Line = { event: string; [member: string]: unknown };

function lines(bytes: Uint8Array): Line[] {
  const { status, stdout, stderr } = inspect(bytes, "--json");
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
}

const of = (all: Line[], event: string): Line[] => all.filter((line) => line.event === event);

test("after an update: the slots with their images, the boot record, the state records", () => {
  const all = lines(updated);
  const [a, b] = of(all, "flash.slot");
  assert.deepEqual([a!.used, a!.record], [6333, ""]);
  assert.deepEqual([b!.used, b!.record, b!.version, b!.size, b!.intact], [6333, "installed", "2.0.0", 6333, true]);
  const newest = of(all, "flash.boot").find(({ status }) => status === "newest")!;
  assert.deepEqual([newest.kind, newest.slot, newest.fallBack], [0, 1, 1]);
  assert.equal(of(all, "flash.boot").filter(({ status }) => status === "copy").length, 1);
  const live = of(all, "flash.record").filter(({ status }) => status === "live");
  assert.deepEqual(live.map(({ name, fields }) => [name, (fields as { version: string }).version]).sort(), [
    ["installed", "2.0.0"],
    ["update", "2.0.0"],
  ]);
  assert.equal(of(all, "flash.sector").filter(({ status }) => status === "active").length, 1);
  const table = inspect(updated).stdout;
  assert.match(table, /b +0x00002000 +8192 +6333 +installed +2\.0\.0 +6333 +[0-9a-f]{64} \(the slot's bytes\)/);
  assert.match(table, /confirmed +b +b +0 +0 +\d+ +newest/);
});

test("damaged records and a slot that was changed are shown as such", () => {
  const all = lines(updated);
  const bytes = updated.slice();
  const record = of(all, "flash.record").find(({ status, name }) => status === "live" && name === "update")!;
  bytes[(record.offset as number) + 20]! ^= 1;
  const newest = of(all, "flash.boot").find(({ status }) => status === "newest")!;
  bytes[(newest.offset as number) + 6]! ^= 1;
  bytes[layout.slots[1][0] + 100]! ^= 1;
  const damaged = lines(bytes);
  assert.equal(of(damaged, "flash.record").filter(({ status }) => status === "damaged").length, 1);
  assert.equal(of(damaged, "flash.boot").filter(({ status }) => status === "damaged").length, 1);
  assert.equal(of(damaged, "flash.slot")[1]!.intact, false);
  const table = inspect(bytes).stdout;
  assert.match(table, /\? +damaged/);
  assert.match(table, /NOT the slot's bytes/);
});

test("an erased part, and one full of noise, are shown without an error", () => {
  const erased = lines(new Uint8Array(updated.length).fill(255));
  assert.ok(of(erased, "flash.sector").every(({ status }) => status === "erased"));
  assert.equal(of(erased, "flash.boot").length, 0);
  assert.match(inspect(new Uint8Array(updated.length).fill(255)).stdout, /none: slot a starts/);
  const noise = lines(Uint8Array.from(updated, (_, i) => (Math.imul(i, 2654435761) >>> 24) & 255));
  assert.ok(of(noise, "flash.sector").every(({ status }) => status === "damaged"));
  assert.ok(of(noise, "flash.boot").every(({ status }) => status === "damaged"));
});

test("what is no image of this layout is refused in one line", () => {
  const short = inspect(updated.subarray(1));
  assert.equal(short.status, 1);
  assert.match(
    short.stderr,
    /^alink-agent: the flash image .* has \d+ bytes, a flash of this layout has \d+: .*--device\n$/,
  );
  assert.match(inspect(join(folder, "none")).stderr, /^alink-agent: cannot read the flash image .*\n$/);
  const wrong = spawnSync(process.execPath, [main, "flash", "inspect", deviceFile, "--device", main], {
    encoding: "utf8",
  });
  assert.equal(wrong.status, 1);
  assert.match(wrong.stderr, /^alink-agent: device file .* is not JSON \(.*\)\n$/);
});
