// The agent over CoAP end to end: class Device, the commands, sleep in one process and over several.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Counter } from "../../host/abi.js";
import { Device, type DeviceOptions } from "../../host/node/device.js";
import { type Platform, setFault } from "../../host/platform/index.js";
import { collect, command, finish, folder } from "../platform/command.js";
import { PRODUCT, platformFor } from "../platform/harness.js";

const IDENTITY = { productKey: PRODUCT, deviceName: "example1", deviceSecret: "secret-of-example1", version: "1.0.0" };

function deviceOf(t: TestContext, platform: Platform, more: Partial<DeviceOptions> = {}): Device {
  const device = new Device({ configuration: IDENTITY, endpoint: platform.ready.coap!, ...more });
  t.after(() => device.stop());
  return device;
}

function posts(platform: Platform): unknown[] {
  const values: unknown[] = [];
  platform.on("property.post", ({ params }) => values.push(params.n));
  return values;
}

test("connect, inform, post, property set by pull, stop", async (t) => {
  const platform = await platformFor(t);
  const device = deviceOf(t, platform);
  const version = once(platform, "version");
  const connected = once(device, "device.connected");
  const posted = once(platform, "property.post");
  await device.start();
  assert.equal((await device.postProperties({ temperature: 21.5 })).code, 200);
  await connected;
  assert.equal((await version)[0].version, "1.0.0");
  assert.deepEqual((await posted)[0].params, { temperature: 21.5 });
  const answer = platform.setProperties(PRODUCT, "example1", { led: 1, text: "ü" });
  device.on("property.set", (event, reply) => {
    assert.deepEqual(event.params, { led: 1, text: "ü" });
    reply(200, { taken: true });
  });
  await device.pull();
  const reply = await answer;
  assert.deepEqual([reply.code, reply.data], [200, { taken: true }]);
  const disconnected = once(device, "device.disconnected");
  await device.stop();
  assert.equal((await disconnected)[0].code, 0);
});

for (const extra of [{ ackMode: 1 }, { contentFormat: "cbor" }, { signMethod: "hmacmd5" }, { confirmable: false }])
  test(`with ${JSON.stringify(extra)}`, async (t) => {
    const platform = await platformFor(t);
    const device = deviceOf(t, platform, { configuration: { ...IDENTITY, ...extra } });
    const values = posts(platform);
    await device.start();
    for (let n = 0; n < 3; n++) assert.equal((await device.postProperties({ n })).code, 200);
    assert.deepEqual(values, [0, 1, 2]);
  });

test("a wrong secret is told with its code, and no other connection is tried at once", async (t) => {
  const platform = await platformFor(t);
  const device = deviceOf(t, platform, { configuration: { ...IDENTITY, deviceSecret: "wrong" } });
  const disconnected = once(device, "device.disconnected");
  await device.start();
  const [event] = await disconnected;
  assert.deepEqual([event.code, event.detail], [-23, 401]);
  assert.ok(event.retryMs > 60_000, String(event.retryMs));
});

test("asleep and awake: no new /auth, every post once, 400 bytes on the air at most", async (t) => {
  const platform = await platformFor(t);
  const values = posts(platform);
  let snapshot: Uint8Array | undefined;
  for (let n = 0; n < 20; n++) {
    const device = deviceOf(t, platform, snapshot === undefined ? {} : { snapshot });
    if (n > 0)
      device.on("device.connected", ({ sessionPresent }) => assert.equal(sessionPresent, true, `cycle ${n} signed in`));
    await device.start();
    assert.equal((await device.postProperties({ n })).code, 200);
    snapshot = await device.sleep();
    const { bytesIn, bytesOut } = device.traffic;
    if (n > 0) assert.ok(bytesIn + bytesOut <= 400, `${bytesOut} + ${bytesIn} bytes`);
    await assert.rejects(device.sleep(), /does not run/);
    await assert.rejects(device.postProperties({ n }), /does not run/);
  }
  assert.deepEqual(
    values,
    Array.from({ length: 20 }, (_, n) => n),
  );
});

test("a snapshot that woke already is refused by the platform, and the device signs in anew", async (t) => {
  const platform = await platformFor(t);
  const values = posts(platform);
  const device = deviceOf(t, platform);
  await device.start();
  await device.postProperties({ n: 0 });
  const snapshot = await device.sleep();
  for (const n of [1, 2]) {
    const woken = deviceOf(t, platform, { snapshot });
    await woken.start();
    assert.equal((await woken.postProperties({ n })).code, 200);
    await woken.sleep();
  }
  assert.deepEqual(values, [0, 1, 2]);
});

test("a snapshot of another configuration, another build, or damaged, is refused with its reason", async (t) => {
  const platform = await platformFor(t);
  const device = deviceOf(t, platform);
  await device.start();
  await device.postProperties({ n: 0 });
  const snapshot = await device.sleep();
  const refused = (bytes: Uint8Array, configuration: Record<string, unknown> = IDENTITY) =>
    deviceOf(t, platform, { snapshot: bytes, configuration }).start();
  const changed = (at: number) => snapshot.map((byte, i) => (i === at ? byte ^ 1 : byte));
  await assert.rejects(refused(snapshot, { ...IDENTITY, version: "2.0.0" }), /another configuration/);
  for (const at of [8, 40, 72, 80, 112, snapshot.length - 1]) await assert.rejects(refused(changed(at)), /damaged/);
  await assert.rejects(refused(changed(0)), /no snapshot/);
  await assert.rejects(refused(snapshot.subarray(0, 112)), /no snapshot/);
  await assert.rejects(refused(new Uint8Array(0)), /no snapshot/);
  const module = readFileSync(join(import.meta.dirname, "..", "..", "agent-coap.wasm"));
  // A custom section changes the bytes of the module, not what it does.
  const rebuilt = Buffer.concat([module, Buffer.of(0, 2, 1, 0x78)]);
  const other = deviceOf(t, platform, { snapshot, module: Uint8Array.from(rebuilt) });
  await assert.rejects(other.start(), /another build/);
});

test("30 % loss, duplication and reordering: each post arrives once", async (t) => {
  const platform = await platformFor(t);
  const values = posts(platform);
  const device = deviceOf(t, platform);
  await device.start();
  await device.postProperties({ n: 0 });
  for (const fault of ["coap-loss", "coap-duplicate", "coap-reorder", "coap-seed=5"]) setFault(platform.faults, fault);
  for (let n = 1; n <= 3; n++) assert.equal((await device.postProperties({ n })).code, 200);
  assert.deepEqual(values, [0, 1, 2, 3]);
  assert.equal(device.counter(Counter.BytesSent), device.traffic.bytesOut);
});

test("run --snapshot: a device that wakes in another process goes on with its session", async (t) => {
  const platform = await platformFor(t);
  const directory = folder(t);
  const [file, asleep] = [join(directory, "device.json"), join(directory, "device.asleep")];
  writeFileSync(file, JSON.stringify({ ...IDENTITY, endpoint: platform.ready.coap }));
  const run = async (n: number) => {
    const posted = once(platform, "property.post");
    const args = ["--device", file, "--snapshot", asleep, "--json", "--properties", JSON.stringify({ n })];
    const child = command(t, ["run", ...args]);
    const text = collect(child);
    assert.deepEqual((await posted)[0].params, { n });
    child.kill("SIGTERM");
    const [code] = await once(child, "close");
    assert.equal(code, 0, text.stderr);
    return text.stdout;
  };
  assert.match(await run(1), /"device.connected","sessionPresent":false/);
  assert.equal(statSync(asleep).mode & 0o077, 0);
  assert.equal(existsSync(join(directory, "example1.flash")), false);
  for (const n of [2, 3]) assert.doesNotMatch(await run(n), /"sessionPresent":false/);
  writeFileSync(asleep, readFileSync(asleep).fill(0, 200, 300));
  const anew = await run(4);
  assert.match(anew, /the snapshot is damaged: the device begins anew/);
  assert.match(anew, /"sessionPresent":false/);
  assert.ok(!anew.includes(IDENTITY.deviceSecret));
});

test("run refuses an --endpoint of a kind that it does not speak, and names those that it does", async (t) => {
  for (const endpoint of ["coaps://localhost:5684", "coap://", "localhost:5682", "coap://localhost:99999"]) {
    const { code, stderr } = await finish(command(t, ["run", "--device", "device.json", "--endpoint", endpoint]));
    assert.equal(code, 2, endpoint);
    assert.match(stderr, /is invalid\. it takes mqtts:\/\/, mqtt:\/\/ or coap:\/\/host:port/);
  }
});

test("run --snapshot leaves a file alone that is no snapshot, and says at once what cannot be written later", async (t) => {
  const directory = folder(t);
  const [file, other] = [join(directory, "device.json"), join(directory, "notes.txt")];
  writeFileSync(file, JSON.stringify({ ...IDENTITY, endpoint: "coap://127.0.0.1:9" }));
  writeFileSync(other, "not a snapshot");
  for (const [snapshot, reason] of [
    [other, /notes\.txt is no snapshot of a device: name another file, or remove it\n$/],
    [join(directory, "missing", "asleep"), /cannot write the snapshot .*asleep: there is no directory .*missing\n$/],
    ["/proc/asleep", /cannot write the snapshot \/proc\/asleep: its file system takes no files there\n$/],
  ] as const) {
    const { code, stdout, stderr } = await finish(command(t, ["run", "--device", file, "--snapshot", snapshot]));
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(stderr, reason);
  }
  assert.equal(readFileSync(other, "utf8"), "not a snapshot");
});

test("start --coap --once --json ends with done", async (t) => {
  const { code, stdout, stderr } = await finish(command(t, ["start", "--coap", "--once", "--json"]));
  assert.equal(code, 0, stderr);
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const done = lines.at(-1);
  assert.deepEqual([done.event, done.done, done.cycles, done.posts, done.auths], ["done", true, 4, 4, 1]);
  assert.ok(done.bytesPerCycle <= 400, `${done.bytesPerCycle} bytes`);
  assert.equal(lines.filter(({ event }) => event === "device.asleep").length, 4);
  const refused = await finish(command(t, ["start", "--coap", "--firmware", "x"]));
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /--firmware goes with an update/);
});

test("over MQTT a device that wakes connects anew, and posts go on", async (t) => {
  const platform = await platformFor(t);
  const flash = join(folder(t), "device.flash");
  const values = posts(platform);
  const options = { endpoint: platform.ready.mqtts!, ca: readFileSync(platform.ready.ca), flash };
  const device = deviceOf(t, platform, options);
  await device.start();
  assert.equal((await device.postProperties({ n: 1 })).code, 200);
  const snapshot = await device.sleep();
  const woken = deviceOf(t, platform, { ...options, snapshot });
  const connected = once(woken, "device.connected");
  await woken.start();
  await connected;
  assert.equal((await woken.postProperties({ n: 2 })).code, 200);
  assert.deepEqual(values, [1, 2]);
});
