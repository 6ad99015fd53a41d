import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { MqttClient } from "mqtt";
import { startPlatform } from "../../host/platform/index.js";
import {
  codeOf,
  createJob,
  createPackage,
  device,
  event,
  FIXTURES,
  fetchFrom,
  inform,
  message,
  platformFor,
} from "./harness.js";
import { FILE, tasks, UPGRADE } from "./tasks.js";

test("faults of a push: twice, before SUBACK, digest, size, expired URL", async (t) => {
  const platform = await platformFor(t);
  const job = await createJob(platform, await createPackage(platform, FILE));
  const offers = async (count: number, cause: (from: MqttClient) => Promise<unknown>) => {
    const gone = once(platform, "device.offline");
    const made = await device(t, platform);
    const got: Record<string, string | number>[] = [];
    const enough = new Promise<void>((resolve) => {
      made.on("message", (topic, payload) => {
        if (topic.includes("upgrade") && got.push(JSON.parse(payload.toString()).data) === count) resolve();
      });
    });
    await cause(made);
    await enough;
    made.end(true);
    await gone;
    return got;
  };
  const tell = (made: MqttClient) => inform(made, platform, "example1", "1.0.0");
  platform.faults.pushTwice = true;
  const [first, second] = await offers(2, tell);
  assert.equal(first!.sign, second!.sign);
  platform.faults.pushTwice = false;
  platform.faults.pushBeforeSuback = true;
  await offers(1, async () => {});
  platform.faults.pushBeforeSuback = false;
  platform.faults.wrongDigest = true;
  const [wrong] = await offers(1, tell);
  assert.notEqual(wrong!.sign, first!.sign);
  assert.match(String(wrong!.sign), /^[0-9a-f]{32}$/);
  platform.faults.wrongDigest = false;
  platform.faults.wrongSize = 5;
  assert.equal((await offers(1, tell))[0]!.size, FILE.length + 5);
  delete platform.faults.wrongSize;
  platform.faults.expiredUrl = true;
  const [expired] = await offers(1, tell);
  const { status, body } = await fetchFrom(platform, String(expired!.url));
  assert.equal(status, 403);
  assert.match(body.toString(), /<Code>AccessDenied<\/Code><Message>Request has expired\.<\/Message>/);
  assert.equal((await tasks(platform, job))[0]!.TaskStatus, "NOTIFIED");
});

test("CA, objects, packages, jobs and versions survive a restart", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "platform-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const first = await startPlatform({ fixtures: FIXTURES, data });
  t.after(() => first.close());
  const ca = readFileSync(first.ready.ca, "utf8");
  const server = readFileSync(join(data, "server.pem"), "utf8");
  const firmware = await createPackage(first, FILE);
  const job = await createJob(first, firmware);
  const before = await device(t, first, { deviceName: "example2" });
  await inform(before, first, "example2", "1.5.0");
  const closed = event(before, "close");
  await first.close();
  await closed;

  const second = await platformFor(t, { data });
  assert.equal(readFileSync(second.ready.ca, "utf8"), ca);
  assert.equal(readFileSync(join(data, "server.pem"), "utf8"), server);
  assert.equal((await tasks(second, job))[0]!.TaskStatus, "QUEUED");
  const made = await device(t, second);
  const arrived = message(made, UPGRADE);
  await inform(made, second, "example1", "1.0.0");
  const { url } = JSON.parse(await arrived).data;
  assert.ok((await fetchFrom(second, url)).body.equals(FILE));
  const sources = { TargetDeviceName: ["example2"], SrcVersion: ["1.5.0"] };
  await createJob(second, firmware, sources);
});

test("a damaged state file is named, other hosts get a new server certificate", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "platform-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const first = await startPlatform({ fixtures: FIXTURES, data });
  const server = readFileSync(join(data, "server.pem"), "utf8");
  await first.close();
  const wide = await startPlatform({ fixtures: FIXTURES, data, host: "0.0.0.0" });
  assert.ok(!/0\.0\.0\.0/.test(JSON.stringify(wide.ready)));
  await device(t, wide);
  await wide.close();
  const local = await startPlatform({ fixtures: FIXTURES, data, host: "127.0.0.2" });
  assert.notEqual(readFileSync(join(data, "server.pem"), "utf8"), server);
  await device(t, local);
  await local.close();
  writeFileSync(join(data, "state.json"), '{"format":99}');
  await assert.rejects(startPlatform({ fixtures: FIXTURES, data }), /state\.json is not a state file/);
});

test("what the cloud API says is done is on disk when it says so", async (t) => {
  const data = mkdtempSync(join(tmpdir(), "platform-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const platform = await platformFor(t, { data });
  const state = () => readFileSync(join(data, "state.json"), "utf8");
  const firmware = await createPackage(platform, FILE);
  assert.ok(state().includes(`"${firmware}"`));
  const job = await createJob(platform, firmware);
  assert.ok(state().includes(`"${job}"`));
  // The state can no longer be replaced: nothing may be promised.
  mkdirSync(join(data, "state.json.new"));
  const renamed = createPackage(platform, FILE, { DestVersion: "3.0.0" });
  assert.equal(await codeOf(renamed), "iot.system.SystemException");
});
