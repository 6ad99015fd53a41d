// The commands run and start, as processes, against the local platform and the built module.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { type Platform, startPlatform } from "../../host/platform/index.js";
import { root, wasm } from "../paths.js";

const folder = mkdtempSync(join(tmpdir(), "alink-cli-"));
const main = join(root, "build", "host", "cli", "main.js");
const SECRET = "8f2e5c1d9a7b4e60";
const identity = { productKey: "a1cli", deviceName: "cli-device", deviceSecret: SECRET };
const children = new Set<ChildProcess>();
let platform: Platform;

before(async () => {
  const { productKey, ...device } = identity;
  platform = await startPlatform({
    fixtures: {
      accessKeys: [{ id: "id", secret: "key" }],
      products: [{ productKey, productSecret: "ps", dynamicRegistration: false, devices: [device] }],
    },
  });
});

after(async () => {
  for (const child of children) child.kill("SIGKILL");
  await platform.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Run {
  child: ChildProcess;
  lines: string[];
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

function run(args: string[], env: Record<string, string> = {}): Run {
  const child = spawn(process.execPath, [main, ...args], { env: { PATH: process.env.PATH, ...env } });
  children.add(child);
  const lines: string[] = [];
  let stderr = "";
  child.stderr!.on("data", (bytes) => {
    stderr += bytes;
  });
  createInterface({ input: child.stdout! }).on("line", (line) => lines.push(line));
  const ended = once(child, "close").then(([code]) => {
    children.delete(child);
    return { code: code as number | null, stdout: lines.join("\n"), stderr };
  });
  return { child, lines, ended };
}

let files = 0;
function deviceFile(document: unknown = identity): string {
  const file = join(folder, `device${files++}.json`);
  writeFileSync(file, typeof document === "string" ? document : JSON.stringify(document));
  return file;
}

const overTls = () => ["--endpoint", platform.ready.mqtts!, "--ca", platform.ready.ca];

for (const [signal, expected] of [
  ["SIGTERM", 0],
  ["SIGINT", 130],
] as const)
  test(`run reports properties, prints the module's events, and ends with ${expected} on ${signal}`, async () => {
    const posted = once(platform, "property.post");
    const offline = once(platform, "device.offline");
    const flash = join(folder, `${signal}.flash`);
    const args = [
      "run",
      "--device",
      deviceFile(),
      ...overTls(),
      "--flash",
      flash,
      "--properties",
      '{"t":21.5}',
      "--json",
    ];
    const { child, ended } = run(args);
    const [{ params }] = await posted;
    assert.deepEqual(params, { t: 21.5 });
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    await offline;
    assert.equal(code, expected, stderr);
    const events = stdout.split("\n").map((line) => JSON.parse(line) as { event: string });
    assert.deepEqual(
      events.slice(0, 2).map(({ event }) => event),
      ["device.connecting", "device.connected"],
    );
    assert.equal(events.at(-1)!.event, "device.disconnected");
    assert.ok(existsSync(flash));
    assert.equal(existsSync(`${flash}.lock`), false);
  });

test("without --flash the image stands beside the device file", async () => {
  const online = once(platform, "device.online");
  const { child, ended } = run(["run", "--device", deviceFile(), ...overTls()]);
  await online;
  child.kill();
  assert.equal((await ended).code, 0);
  assert.ok(existsSync(join(folder, "cli-device.flash")));
});

test("the environment overrides the identity of the file", async () => {
  const online = once(platform, "device.online");
  const file = deviceFile({ PRODUCTKEY: "x", devicename: "y", DeviceSecret: "z" });
  const env = { ALINK_PRODUCT_KEY: "a1cli", ALINK_DEVICE_NAME: "cli-device", ALINK_DEVICE_SECRET: SECRET };
  const { child, ended } = run(["run", "--device", file, ...overTls()], env);
  const [{ deviceName }] = await online;
  assert.equal(deviceName, "cli-device");
  child.kill();
  assert.equal((await ended).code, 0);
});

/** A failure is one line on stderr that names the cause, exit code 1, and never a secret. */
async function fails(args: string[], message: RegExp, expected = 1): Promise<void> {
  const { code, stdout, stderr } = await run(args).ended;
  assert.match(stderr, message);
  assert.equal(code, expected);
  if (expected === 1) assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  assert.ok(!(stdout + stderr).includes(SECRET));
}

test("a refused identity ends run with the CONNACK code and what to check", async () => {
  const file = deviceFile({ ...identity, deviceSecret: "wrong" });
  await fails(
    ["run", "--device", file, ...overTls()],
    /refused the identity of cli-device: CONNACK 4.*check deviceSecret/,
  );
});

test("an untrusted certificate ends run and names --ca", async () => {
  const args = ["run", "--device", deviceFile(), "--endpoint", platform.ready.mqtts!];
  await fails(args, /certificate of the platform is not trusted: .*--ca FILE/);
});

for (const [what, document, message] of [
  ["cut", `{"deviceSecret":"${SECRET}`, /device\d+\.json: is not JSON \(line 1, column \d+\)$/m],
  ["no object", `["${SECRET}"]`, /must be an object/],
  ["without a secret", { productKey: "a", deviceName: "d" }, /"deviceSecret" must be a text .*ALINK_DEVICE_SECRET/],
  [
    "with a bad keepAlive",
    { ...identity, keepAlive: 3 },
    /device\d+\.json: configuration: keepAlive takes .*30 to 1200/,
  ],
  ["with a bad flash", { ...identity, flash: { write: 3 } }, /device\d+\.json: flash\.write: 3 is not/],
] as const)
  test(`a device file that is ${what} is refused`, async () => {
    await fails(["run", "--device", deviceFile(document), "--flash", join(folder, "unused.flash")], message);
  });

test("files that cannot be used are named", async () => {
  const none = join(folder, "none");
  const thesis = join(folder, "thesis.txt");
  writeFileSync(thesis, "my thesis");
  await fails(["run", "--device", none], /cannot read the device file .*none: no such file/);
  await fails(["run", "--device", deviceFile(), "--ca", none], /cannot read the CA file/);
  await fails(["run", "--device", deviceFile(), "--ca", thesis], /thesis\.txt: holds no certificate in PEM form/);
  await fails(["run", "--device", deviceFile(), "--flash", thesis], /thesis\.txt: has 9 bytes, the layout asks for/);
  await fails(["run", "--device", deviceFile(), "--properties", "[1]"], /a JSON object/, 2);
  await fails(["run", "--device", deviceFile(), "--allow-plain", "smtp"], /a list of mqtt and http/, 2);
});

test("run --confirm asks before it takes an update, and takes the answer from stdin", async () => {
  const firmware = join(folder, "confirm.bin");
  writeFileSync(firmware, Buffer.alloc(70_001, "firmware "));
  const online = once(platform, "device.online");
  const flash = join(folder, "confirm.flash");
  const device = run(["run", "--device", deviceFile(), ...overTls(), "--flash", flash, "--confirm", "--json"]);
  const seen = async (name: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const line = device.lines.find((text) => text.includes(`"event":"${name}"`));
      if (line !== undefined) return JSON.parse(line) as Record<string, unknown>;
      assert.equal(device.child.exitCode, null, device.lines.join("\n"));
      await once(device.child.stdout!, "data");
    }
  };
  await online;
  const keys = { ALIBABA_CLOUD_ACCESS_KEY_ID: "id", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "key" };
  const args = ["publish", firmware, "--version", "2.0.0", "--product", "a1cli", "--endpoint", platform.ready.api!];
  const published = run(args, keys);
  assert.equal((await seen("update.offered")).confirm, true);
  device.child.stdin!.write("perhaps\n");
  assert.match(String((await seen("fault")).desc), /"perhaps" is no answer: accept, later \[SECONDS\] or never/);
  assert.ok(!device.lines.some((line) => line.includes("update.progress")));
  device.child.stdin!.write("accept\n");
  await seen("update.confirmed");
  device.child.kill();
  assert.equal((await device.ended).code, 0);
  published.child.kill();
  await published.ended;
});

const lastLine = (stdout: string) => JSON.parse(stdout.split("\n").at(-1)!) as Record<string, unknown>;

for (const method of ["md5", "sha256"] as const)
  test(`start --once updates the device to the module itself, digest ${method}`, async () => {
    const { code, stdout, stderr } = await run(["start", "--once", "--json", "--sign-method", method]).ended;
    assert.equal(code, 0, `${stderr}\n${stdout}`);
    const { seconds, ...done } = lastLine(stdout);
    const bytes = readFileSync(wasm("agent"));
    const digest = createHash(method).update(bytes).digest("hex");
    const expected = { event: "done", done: true, from: "1.0.0", to: "2.0.0", bytes: bytes.length, digest, slot: "b" };
    assert.deepEqual(done, expected);
    assert.equal(typeof seconds, "number");
    assert.equal(JSON.parse(stdout.split("\n")[0]!).event, "platform.ready");
  });

test("start --once --interrupt loses power half way and ends as if it had not", async () => {
  const { code, stdout, stderr } = await run(["start", "--once", "--json", "--interrupt"]).ended;
  assert.equal(code, 0, `${stderr}\n${stdout}`);
  const { seconds: _, ...done } = lastLine(stdout);
  const bytes = readFileSync(wasm("agent"));
  const digest = createHash("sha256").update(bytes).digest("hex");
  const expected = { event: "done", done: true, from: "1.0.0", to: "2.0.0", bytes: bytes.length, digest, slot: "b" };
  assert.deepEqual(done, expected);
  const events = stdout.split("\n").map((line) => JSON.parse(line) as { event: string; bytes?: number });
  const [cut, ...more] = events.filter(({ event }) => event === "device.interrupted");
  assert.equal(more.length, 0);
  assert.ok(cut!.bytes! > bytes.length / 2 - 2048 && cut!.bytes! < bytes.length, `cut after ${cut!.bytes} bytes`);
  const after = events.slice(events.indexOf(cut!) + 1).map(({ event }) => event);
  assert.equal(after[0], "device.connecting", "nothing is said when the power goes");
  const [resumed] = events.slice(events.indexOf(cut!) + 1).filter(({ event }) => event === "update.progress");
  assert.ok(resumed!.bytes! >= 32_768, `the download went on at ${resumed!.bytes} instead of the mark`);
});

test("start with --data goes on from the version and the slot of the former run", async () => {
  const data = join(folder, "data");
  const firmware = join(folder, "firmware.bin");
  writeFileSync(firmware, Buffer.alloc(100_001, "firmware "));
  const args = ["start", "--once", "--json", "--data", data, "--firmware", firmware];
  for (const expected of [
    { from: "1.0.0", to: "2.0.0", slot: "b" },
    { from: "2.0.0", to: "3.0.0", slot: "a" },
  ]) {
    const { code, stdout, stderr } = await run(args).ended;
    assert.equal(code, 0, `${stderr}\n${stdout}`);
    const { from, to, slot, bytes } = lastLine(stdout);
    assert.deepEqual({ from, to, slot, bytes }, { ...expected, bytes: 100_001 });
  }
});

test("start refuses a package that is larger than the slot before anything starts", async () => {
  const firmware = join(folder, "large.bin");
  writeFileSync(firmware, Buffer.alloc(16 * 1024 * 1024 + 1));
  const { code, stdout, stderr } = await run(["start", "--once", "--json", "--firmware", firmware]).ended;
  assert.equal(code, 1);
  assert.match(stderr, /has 16777217 bytes, the device's slot takes 16777216/);
  assert.equal(stdout.split("\n").length, 1, "nothing was started");
  assert.equal(lastLine(stdout).done, false);
});

test("start stays up until a signal and shows how to connect", async () => {
  const { child, lines, ended } = run(["start"]);
  const invited = () => lines.some((line) => line.includes("alink-agent run --device"));
  while (!invited() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.ok(invited(), lines.join("\n"));
  child.kill("SIGINT");
  assert.equal((await ended).code, 0);
});
