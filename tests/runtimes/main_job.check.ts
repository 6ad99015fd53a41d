// The main job with the C host on WAMR, against the local platform: connect over TLS, properties both ways, an update, the
// restart, the new version. What it leaves in the slots equals what the Node host leaves.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { publishFirmware } from "../../host/cli/publish.js";
import { Device } from "../../host/node/device.js";
import { flashLayout } from "../../host/node/flash_layout.js";
import { type Platform, startPlatform } from "../../host/platform/index.js";
import { wasm } from "../paths.js";
import { alinkWamr, CHost, sanitizedHost } from "./c_host.js";

const ACCESS_KEY = { id: "testid", secret: "testsecret" };
const NAMES = ["on-wamr", "on-wamr-sanitized", "on-node", "in-the-way", "untrusting", "mistaken"];
/** A product each: a version is published once in a product. */
const productOf = (name: string): string => `a1Check${NAMES.indexOf(name)}`;
const secretOf = (name: string): string => `secret-of-${name}`;
/** Not a multiple of any block, sector or write unit. */
const FIRMWARE_BYTES = 150_001;
/** Nothing here takes longer than seconds; a stuck check must not hold up CI. */
const TIMEOUT = { timeout: 60_000 };

const folder = mkdtempSync(join(tmpdir(), "alink-wamr-"));
const firmware = join(folder, "firmware.bin");
let platform: Platform;

before(async () => {
  const bytes = Buffer.alloc(FIRMWARE_BYTES);
  for (let at = 0, block = createHash("sha256").digest(); at < bytes.length; at += block.length) {
    block = createHash("sha256").update(block).digest();
    block.copy(bytes, at);
  }
  writeFileSync(firmware, bytes);
  const products = NAMES.map((deviceName) => ({
    productKey: productOf(deviceName),
    productSecret: "product-secret",
    dynamicRegistration: false,
    devices: [{ deviceName, deviceSecret: secretOf(deviceName) }],
  }));
  platform = await startPlatform({ fixtures: { accessKeys: [ACCESS_KEY], products } });
});

after(async () => {
  await platform?.close();
  rmSync(folder, { recursive: true, force: true });
});

let files = 0;
function deviceFile(deviceName: string, members: Record<string, unknown> = {}): string {
  const file = join(folder, `${deviceName}-${files++}.json`);
  const identity = { productKey: productOf(deviceName), DeviceName: deviceName, deviceSecret: secretOf(deviceName) };
  writeFileSync(file, JSON.stringify({ ...identity, version: "1.0.0", ...members }, null, 2));
  return file;
}

function startHost(t: TestContext, program: string, deviceName: string, args: string[] = []): CHost {
  const { mqtts, ca } = platform.ready;
  const host = new CHost(program, [
    deviceFile(deviceName),
    "--module",
    wasm("agent"),
    "--endpoint",
    mqtts!,
    ...args,
    "--ca",
    ca,
  ]);
  t.after(() => host.stop("SIGKILL"));
  return host;
}

async function publish(deviceName: string): Promise<string> {
  const { api, ca } = platform.ready;
  const release = { file: firmware, version: "2.0.0", productKey: productOf(deviceName), deviceNames: [deviceName] };
  const endpoint = { url: api!, accessKey: ACCESS_KEY, ca: readFileSync(ca, "utf8") };
  const { digest } = await publishFirmware({ ...release, name: `for-${deviceName}`, signMethod: "sha256" }, endpoint);
  return digest;
}

function succeeded(deviceName: string): Promise<void> {
  return new Promise((resolve) => {
    platform.on("task", (task) => {
      if (task.deviceName === deviceName && task.status === "SUCCEEDED") resolve();
    });
  });
}

/** The bytes of both slots of a flash image of the default layout. */
function slots(deviceName: string): Buffer[] {
  const image = readFileSync(join(folder, `${deviceName}.flash`));
  return flashLayout().slots.map(([offset, length]) => image.subarray(offset, offset + length));
}

async function mainJob(t: TestContext, program: string, deviceName: string): Promise<CHost> {
  const posted = once(platform, "property.post");
  const reported = once(platform, "event.post");
  const args = ["--properties", '{"temperature":21.5}', "--event", 'alarm={ "errorCode" : "E1" }', "--memory"];
  const host = startHost(t, program, deviceName, args);
  await host.event("device.connected");
  assert.equal((await host.event("property.posted")).code, 200);
  assert.equal((await host.event("event.posted")).code, 200);
  const [{ identifier, params }] = await reported;
  assert.deepEqual([identifier, params], ["alarm", { value: { errorCode: "E1" } }]);
  const [post] = await posted;
  assert.deepEqual([post.deviceName, post.params], [deviceName, { temperature: 21.5 }]);
  // More at once than the mailbox has places.
  const replies = await Promise.all(
    [1, 2, 3].map((led) => platform.setProperties(productOf(deviceName), deviceName, { led })),
  );
  assert.deepEqual(
    replies.map(({ code }) => code),
    [200, 200, 200],
  );

  const done = succeeded(deviceName);
  const digest = await publish(deviceName);
  const confirmed = await host.event("update.confirmed");
  await done;
  const { from, version, slot, size } = confirmed;
  assert.deepEqual(
    { from, version, slot, size, digest: confirmed.digest },
    { from: "1.0.0", version: "2.0.0", slot: "b", size: FIRMWARE_BYTES, digest },
  );
  assert.deepEqual(
    host.lines.filter(({ event }) => event === "fault"),
    [],
  );
  assert.equal(await host.stop(), 0, host.stderr);
  assert.equal(host.stderr, "");
  return host;
}

describe("the main job on WAMR", () => {
  it("ends with the new version confirmed, and the slots the Node host leaves", TIMEOUT, async (t) => {
    const host = await mainJob(t, alinkWamr, "on-wamr");
    const memory = await host.event("memory");
    t.diagnostic(`pool of the 64-bit runtime: ${JSON.stringify(memory)}`);
    await onNode(t);
    const [c, node] = [slots("on-wamr"), slots("on-node")];
    assert.ok(c[0]!.equals(node[0]!), "slot a");
    assert.ok(c[1]!.equals(node[1]!), "slot b");
    assert.ok(c[1]!.subarray(0, FIRMWARE_BYTES).equals(readFileSync(firmware)), "slot b holds the package");
  });

  it("has no memory error, leak or undefined behaviour", TIMEOUT, async (t) => {
    await mainJob(t, sanitizedHost(join(folder, "alink-wamr-sanitized")), "on-wamr-sanitized");
  });

  it("an unencrypted link, where it is allowed by name", TIMEOUT, async (t) => {
    const posted = once(platform, "property.post");
    const { mqtt } = platform.ready;
    const args = ["--properties", '{"plain":1}', "--endpoint", mqtt!, "--allow-plain", "mqtt,http"];
    const host = startHost(t, alinkWamr, "in-the-way", args);
    assert.equal((await host.event("property.posted")).code, 200);
    assert.deepEqual((await posted)[0].params, { plain: 1 });
    const { peer } = await host.event("device.connecting");
    assert.match(String(peer), /^tcp:/);
    assert.equal(await host.stop(), 0, host.stderr);
  });

  it("says what is wrong with an event that the module does not take, and goes on", TIMEOUT, async (t) => {
    for (const [event, desc] of [
      ["no identifier={}", /^the event post: the module does not accept it: an identifier has 1 to 50 letters, /],
      ["property={}", /^the event post: .*, and "property" is none$/],
      [
        `alarm={"text":"${"x".repeat(1000)}"}`,
        /^the event post takes 1027 bytes, 1024 are available: send less at a time$/,
      ],
    ] as const) {
      const host = startHost(t, alinkWamr, "in-the-way", ["--event", event, "--properties", '{"n":1}']);
      assert.match(String((await host.event("fault")).desc), desc);
      assert.equal((await host.event("property.posted")).code, 200);
      assert.equal(await host.stop(), 0, host.stderr);
    }
  });

  it("tells how much a smaller module takes, once it has taken nothing", TIMEOUT, async (t) => {
    const event = `alarm={"text":"${"x".repeat(700)}"}`;
    const args = ["--module", wasm("agent-lite"), "--event", event, "--event", "off={}"];
    const host = startHost(t, alinkWamr, "in-the-way", args);
    const { desc } = await host.event("fault");
    assert.equal(desc, "the event post takes 727 bytes, 512 are available: send less at a time");
    assert.equal((await host.event("event.posted")).code, 200);
    assert.equal(await host.stop(), 0, host.stderr);
  });

  it("posts every --event in its order, after the properties", TIMEOUT, async (t) => {
    const came: unknown[] = [];
    const all = new Promise<void>((done) => {
      platform.on("property.post", ({ params }) => came.push(params));
      platform.on("event.post", ({ identifier }) => came.push(identifier) === 9 && done());
    });
    const names = Array.from({ length: 8 }, (_, n) => `e${n}`);
    const args = [...names.flatMap((name) => ["--event", `${name}={}`]), "--properties", '{"many":1}'];
    const host = startHost(t, alinkWamr, "in-the-way", args);
    await all;
    assert.deepEqual(came, [{ many: 1 }, ...names]);
    assert.equal(await host.stop(), 0, host.stderr);
  });

  it("goes on with an image that the Node host left, and the other way round", TIMEOUT, async (t) => {
    const host = startHost(t, alinkWamr, "on-node");
    await host.event("device.connected");
    const [informed] = await once(platform, "version");
    assert.deepEqual([informed.deviceName, informed.version], ["on-node", "2.0.0"]);
    assert.equal(await host.stop("SIGINT"), 130);
    const device = nodeDevice("on-wamr");
    t.after(() => device.stop());
    const again = once(platform, "version");
    await device.start();
    const [second] = await again;
    assert.deepEqual([second.deviceName, second.version], ["on-wamr", "2.0.0"]);
  });
});

function nodeDevice(deviceName: string): Device {
  const { mqtts, ca } = platform.ready;
  const configuration = {
    productKey: productOf(deviceName),
    deviceName,
    deviceSecret: secretOf(deviceName),
    version: "1.0.0",
  };
  const flash = join(folder, `${deviceName}.flash`);
  return new Device({ configuration, endpoint: mqtts!, ca: readFileSync(ca), flash });
}

async function onNode(t: TestContext): Promise<void> {
  const device = nodeDevice("on-node");
  t.after(() => device.stop());
  await device.start();
  await once(device, "device.connected");
  const confirmed = once(device, "update.confirmed");
  await publish("on-node");
  await confirmed;
  await device.stop();
}

describe("what bad input gets", () => {
  const bad = async (args: string[], environment: Record<string, string> = {}): Promise<[number | string, string]> => {
    const host = new CHost(alinkWamr, args, environment);
    return [await host.ended(), host.stderr.trimEnd()];
  };
  const module = ["--module", wasm("agent")];

  it("usage: exit code 2", async () => {
    for (const args of [[], ["--ca"], ["a.json", "b.json"], ["a.json", "--unknown"]])
      assert.equal((await bad(args))[0], 2);
    const file = deviceFile("mistaken");
    assert.deepEqual(await bad([file, ...module, "--allow-plain", "ftp"]), [
      2,
      "alink-wamr: --allow-plain: takes a list of mqtt and http, e.g. mqtt,http",
    ]);
    for (const properties of ["{bad", "[1]", `{"text":"${"x".repeat(1024)}"}`]) {
      const [code, text] = await bad([file, ...module, "--properties", properties]);
      assert.equal(code, 2);
      assert.match(text, /^alink-wamr: --properties: (takes a JSON object|has more bytes than)/);
    }
    for (const event of ["alarm", "alarm=", "alarm=[1]", "={", `alarm={"text":"${"x".repeat(1024)}"}`]) {
      const [code, text] = await bad([file, ...module, "--event", event]);
      assert.equal(code, 2);
      assert.match(text, /^alink-wamr: --event: (takes an identifier, "=" and a JSON object|has more bytes than)/);
    }
  });

  it("more events than it takes", async () => {
    const events = Array.from({ length: 9 }, () => ["--event", "off={}"]).flat();
    assert.deepEqual(await bad([deviceFile("mistaken"), ...module, ...events]), [
      2,
      "alink-wamr: --event: may be given 8 times at most: post the others the next time",
    ]);
  });

  it("files: one line that names the file and the cause", async () => {
    const file = deviceFile("mistaken");
    const broken = join(folder, "broken.json");
    writeFileSync(broken, '{"productKey":"x","deviceSecret":"never-shown"');
    const cases: [string[], RegExp][] = [
      [["/nonexistent.json"], /^alink-wamr: cannot read the device file \/nonexistent.json: No such file/],
      [[broken], /broken.json: is not a JSON object/],
      [[folder], /cannot read the device file .*: Is a directory$/],
      [[file, "--module", "/nonexistent.wasm"], /cannot read the module .*nonexistent.*: No such file/],
      [[file, "--module", file], /the module cannot be loaded: /],
      [[file, ...module, "--ca", file], /CA file .*mistaken-\d+.json: cannot be read, or holds no certificate/],
      [[file, ...module, "--flash", folder], /flash image .*: is not a file/],
      [[deviceFile("mistaken", { flash: { sector: 100 } }), ...module], /flash.sector: must be/],
      [[deviceFile("mistaken", { flash: { state: [0, 16384] } }), ...module], /must not overlap/],
      [[deviceFile("mistaken", { flash: { sektor: 4096 } }), ...module], /flash: has an unknown member; there are/],
      [[deviceFile("mistaken", { keepAlive: 5 }), ...module], /keepAlive/i],
      [
        [deviceFile("mistaken", { clientId: "x".repeat(1100) }), ...module],
        /the configuration takes \d+ bytes, at most 1024/,
      ],
    ];
    for (const [args, message] of cases) {
      const [code, text] = await bad(args);
      assert.equal(code, 1, text);
      assert.match(text, message);
      assert.equal(text.split("\n").length, 1);
      assert.doesNotMatch(text, /never-shown|secret-of/);
    }
  });

  it("a flash image in use is refused by either host", TIMEOUT, async (t) => {
    const holder = nodeDevice("in-the-way");
    await holder.start();
    const args = [deviceFile("in-the-way"), ...module];
    const [code, text] = await bad(args);
    assert.equal(code, 1);
    assert.match(text, /in-the-way.flash: another process uses it/);
    await holder.stop();
    const host = startHost(t, alinkWamr, "in-the-way");
    await host.event("device.connected");
    await assert.rejects(nodeDevice("in-the-way").start(), /uses it/);
    // A holder that was killed leaves its lock; the next one takes it over.
    await host.stop("SIGKILL");
    const next = startHost(t, alinkWamr, "in-the-way");
    await next.event("device.connected");
    assert.equal(await next.stop(), 0);
  });

  it("a wrong DeviceSecret ends it with the cause", TIMEOUT, async () => {
    const file = deviceFile("untrusting", { deviceSecret: "never-shown" });
    const [code, text] = await bad([file, ...module, "--endpoint", platform.ready.mqtts!, "--ca", platform.ready.ca!]);
    assert.equal(code, 1);
    assert.match(text, /the platform refused the identity of untrusting: CONNACK 4/);
    assert.doesNotMatch(text, /never-shown/);
  });

  it("an untrusted certificate ends it with the cause", TIMEOUT, async () => {
    const args = [deviceFile("untrusting"), ...module, "--endpoint", platform.ready.mqtts!];
    const [code, text] = await bad(args);
    assert.equal(code, 1);
    assert.match(text, /the certificate of the platform is not trusted: .*--ca FILE/);
  });

  it("a certificate that names another host is not trusted", TIMEOUT, async (t) => {
    const server = createServer((socket) => {
      const inner = connect(Number(new URL(platform.ready.mqtts!).port), "127.0.0.1");
      socket.pipe(inner).pipe(socket);
      // whichever end goes first takes the other along
      socket.on("error", () => inner.destroy());
      inner.on("error", () => socket.destroy());
    });
    server.listen(0, "127.0.0.2");
    t.after(() => server.close());
    await once(server, "listening");
    const endpoint = `mqtts://127.0.0.2:${(server.address() as AddressInfo).port}`;
    const [code, text] = await bad([
      deviceFile("untrusting"),
      ...module,
      "--endpoint",
      endpoint,
      "--ca",
      platform.ready.ca,
    ]);
    assert.equal(code, 1);
    assert.match(text, /not trusted/);
  });
});
