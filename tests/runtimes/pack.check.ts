// What `alink-agent pack` writes, built as its README says and run against the local platform; and what it costs, compared
// with docs/footprint.json. FOOTPRINT=write brings that file up to date.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { publishFirmware } from "../../host/cli/publish.js";
import type { Footprint } from "../../host/pack/costs.js";
import type { Manifest } from "../../host/pack/manifest.js";
import { type Platform, startPlatform } from "../../host/platform/index.js";
import { PROFILES, type Profile } from "../../host/size/budgets.js";
import { root, wasm } from "../paths.js";
import { CHost, wamrRoot } from "./c_host.js";
import { buildProject, measureModule, tool } from "./footprint/measure.js";
import { Program } from "./footprint/program.js";

const ACCESS_KEY = { id: "testid", secret: "testsecret" };
const PRODUCT = "a1Packed";
const SECRET = "secret-of-a-packed-device";
const DEVICES = ["example", "classic", "plain", "updated", "datagrams"];
/** That of example.c: the port's book-keeping of a flash image is on the heap too, and differs with its size. */
const FLASH = {
  sector: 4096,
  write: 16,
  slots: [
    [0, 1048576],
    [1048576, 1048576],
  ],
  state: [2097152, 8192],
  queue: [2105344, 8192],
  boot: [2113536, 8192],
};
const TIMEOUT = { timeout: 240_000 };
const RECORD = join(root, "docs", "footprint.json");
/** How far a figure may be from the recorded one: compilers and certificates differ a little. */
const TOLERANCE = 0.05;

const folder = mkdtempSync(join(tmpdir(), "alink-pack-"));
const pack = join(folder, "pack");
const heapCounter = join(folder, "heap.so");
const main = join(root, "build", "host", "cli", "main.js");
let platform: Platform;

before(async () => {
  tool(process.execPath, [main, "pack", "--out", pack]);
  tool("cc", ["-shared", "-fPIC", "-O1", join(root, "tests/runtimes/footprint/heap.c"), "-o", heapCounter]);
  const devices = DEVICES.map((deviceName) => ({ deviceName, deviceSecret: SECRET }));
  const product = { productKey: PRODUCT, productSecret: "product-secret", dynamicRegistration: false, devices };
  platform = await startPlatform({ fixtures: { accessKeys: [ACCESS_KEY], products: [product] } });
});

after(async () => {
  await platform?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The packed project for this machine, as its README builds it. @returns the folder of its programs */
function build(runtime: "fast" | "classic"): string {
  const out = join(folder, runtime);
  const options = [`-DWAMR_ROOT_DIR=${wamrRoot()}`, `-DALINK_RUNTIME=${runtime}`, "-DCMAKE_BUILD_TYPE=Release"];
  // Pointers of 64 bits take more than the default, which is for a board.
  if (!existsSync(out)) buildProject(pack, out, [...options, `-DALINK_POOL_BYTES=${1024 * 1024}`]);
  return out;
}

/** Run the example until the platform has its property. @returns bytes of heap at its peak */
async function post(
  t: TestContext,
  program: string,
  deviceName: string,
  endpoint: string,
  files = [platform.ready.ca, join(folder, `${deviceName}.flash`)],
): Promise<number> {
  const posted = new Promise((resolve) => {
    platform.on("property.post", (event) => event.deviceName === deviceName && resolve(event.params));
  });
  const args = [PRODUCT, deviceName, endpoint, ...files];
  const example = new Program(program, args, { ALINK_DEVICE_SECRET: SECRET, LD_PRELOAD: heapCounter });
  t.after(() => example.stop("SIGKILL"));
  assert.deepEqual(await Promise.race([posted, example.ended]), { example: 1 }, example.stderr);
  assert.equal(await example.stop("SIGTERM"), 0, example.stderr);
  return heapOf(example.stderr);
}

function heapOf(stderr: string): number {
  const [, bytes] = /\{"heap":(\d+)\}/.exec(stderr) ?? assert.fail(`no heap in: ${stderr}`);
  return Number(bytes);
}

/** Run the reference program through an update over TLS. @returns bytes of heap at its peak */
async function update(t: TestContext, program: string, deviceName: string): Promise<number> {
  const { mqtts, api, ca } = platform.ready;
  const device = join(folder, `${deviceName}.json`);
  writeFileSync(device, JSON.stringify({ productKey: PRODUCT, deviceName, deviceSecret: SECRET, flash: FLASH }));
  const args = [device, "--endpoint", mqtts!, "--ca", ca, "--module", join(pack, "agent.wasm")];
  const host = new CHost(program, args, { LD_PRELOAD: heapCounter });
  t.after(() => host.stop("SIGKILL"));
  await host.event("device.connected");
  const release = { file: wasm("agent"), version: "2.0.0", productKey: PRODUCT, deviceNames: [deviceName] };
  await publishFirmware(release, { url: api!, accessKey: ACCESS_KEY, ca: readFileSync(ca, "utf8") });
  await host.event("update.confirmed");
  assert.equal(await host.stop(), 0, host.stderr);
  return heapOf(host.stderr);
}

/** Compare with the record, figure by figure; or write it. */
function compare(measured: Partial<Footprint>): void {
  const recorded = JSON.parse(readFileSync(RECORD, "utf8")) as Footprint;
  const { modules = {}, ...others } = measured;
  if (process.env.FOOTPRINT === "write") {
    const merged = { ...recorded, ...others, modules: { ...recorded.modules, ...modules } };
    writeFileSync(RECORD, `${JSON.stringify(merged, null, 2)}\n`);
    return;
  }
  const figures = (value: unknown, path: string): [string, number][] =>
    typeof value === "number"
      ? [[path, value]]
      : value !== null && typeof value === "object"
        ? Object.entries(value).flatMap(([name, member]) => figures(member, `${path}/${name}`))
        : [];
  const known = new Map(figures(recorded, ""));
  for (const [path, value] of figures(measured, "")) {
    const before = known.get(path);
    assert.ok(
      before !== undefined && Math.abs(value - before) <= before * TOLERANCE,
      `${path} is ${value}, docs/footprint.json has ${before}: FOOTPRINT=write npm run test:runtimes, and look at docs/wamr.md`,
    );
  }
}

describe("a packed project on this machine", () => {
  it("connects and posts on either interpreter; what TLS takes is on record", TIMEOUT, async (t) => {
    const { mqtt, mqtts } = platform.ready;
    const fast = build("fast");
    const plain = await post(t, join(fast, "alink-example"), "plain", mqtt!);
    const one = await post(t, join(fast, "alink-example"), "example", mqtts!);
    await post(t, join(build("classic"), "alink-example"), "classic", mqtts!);
    const two = await update(t, join(fast, "alink-wamr"), "updated");
    t.diagnostic(`heap: plain ${plain}, one session ${one}, two ${two}`);
    assert.ok(plain < one && one < two);
    // The difference of two peaks at the same work; what else is on the heap at the plain one's peak varies.
    compare({ tls: { session: two - one } });
  });

  it("posts over CoAP with neither CA nor flash, as the README of that profile has it", TIMEOUT, async (t) => {
    const packed = join(folder, "datagrams");
    tool(process.execPath, [main, "pack", "--profile", "coap", "--out", packed]);
    const out = join(folder, "datagrams-build");
    buildProject(packed, out, [`-DWAMR_ROOT_DIR=${wamrRoot()}`, `-DALINK_POOL_BYTES=${1024 * 1024}`]);
    await post(t, join(out, "alink-example"), "datagrams", platform.ready.coap!, []);
    assert.equal(existsSync(join(folder, "datagrams.flash")), false);
  });

  it("says what is missing", TIMEOUT, () => {
    const configure = (...definitions: string[]) =>
      spawnSync("cmake", ["-S", pack, "-B", join(folder, "refused"), ...definitions], { encoding: "utf8" });
    const nowhere = configure();
    assert.notEqual(nowhere.status, 0);
    assert.match(nowhere.stderr, /WAMR_ROOT_DIR is not the root of WAMR's sources/);
    const unknown = configure(`-DWAMR_ROOT_DIR=${wamrRoot()}`, "-DALINK_RUNTIME=jit");
    assert.notEqual(unknown.status, 0);
    assert.match(unknown.stderr, /ALINK_RUNTIME is jit: it is one of fast,\s+classic, aot/);
  });

  it("names the version of WAMR that it was tested with", () => {
    const { wamr } = JSON.parse(readFileSync(join(pack, "manifest.json"), "utf8")) as Manifest;
    const header = readFileSync(join(wamrRoot(), "core", "version.h"), "utf8");
    const part = (name: string) => new RegExp(`define WAMR_VERSION_${name} (\\d+)`).exec(header)![1];
    assert.equal(wamr.tested, ["MAJOR", "MINOR", "PATCH"].map(part).join("."));
  });
});

describe("a packed project on a Cortex-M4", () => {
  for (const [profile, name] of Object.entries(PROFILES) as [Profile, string][]) {
    if (!existsSync(wasm(name))) continue;
    it(`${profile}: starts in QEMU, and costs what docs/footprint.json says`, TIMEOUT, (t) => {
      const packed = join(folder, `pack-${profile}`);
      tool(process.execPath, [main, "pack", "--profile", profile, "--out", packed]);
      const { module, library } = measureModule(profile, packed, join(folder, `cortex-m4-${profile}`));
      for (const way of module.ways) t.diagnostic(JSON.stringify(way));
      compare(profile === "full" ? { modules: { [name]: module }, library } : { modules: { [name]: module } });
    });
  }
});
