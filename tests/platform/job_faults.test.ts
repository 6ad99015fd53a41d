import assert from "node:assert/strict";
import { test } from "node:test";
import { codeOf, createJob, createPackage, device, fetchFrom, message, platformFor } from "./harness.js";
import { FILE, ready, UPGRADE } from "./tasks.js";

test("faults of one job change nothing for another", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const offer = async (version: string, faults: string[]) => {
    const arrived = message(made, UPGRADE);
    const firmware = await createPackage(platform, FILE, { DestVersion: version });
    await createJob(platform, firmware, { OverwriteMode: 2, ...(faults.length > 0 ? { Fault: faults } : {}) });
    return JSON.parse(await arrived).data as { url: string; sign: string; size: number };
  };
  const good = await offer("2.0.0", []);
  const bad = await offer("3.0.0", ["wrong-digest", "wrong-size=7", "long-body=5", "ignore-range"]);
  assert.notEqual(bad.sign, good.sign);
  assert.equal(bad.size, good.size + 7);
  const ranged = { headers: { range: "bytes=4-" } };
  const long = await fetchFrom(platform, bad.url, ranged);
  assert.deepEqual([long.status, long.body.length], [200, FILE.length + 5]);
  const part = await fetchFrom(platform, good.url, ranged);
  assert.deepEqual([part.status, part.body.length], [206, FILE.length - 4]);
  const expired = await offer("4.0.0", ["expired-url"]);
  assert.equal((await fetchFrom(platform, expired.url)).status, 403);
  const slow = await offer("5.0.0", ["slow=60"]);
  assert.ok((await fetchFrom(platform, slow.url)).body.equals(FILE));
  const firmware = await createPackage(platform, FILE, { DestVersion: "6.0.0" });
  // datagrams belong to no job
  for (const name of ["nonsense", "coap-loss=5"])
    assert.equal(await codeOf(createJob(platform, firmware, { Fault: [name] })), "alink-agent.InvalidFault", name);
});

test("a job's push may come twice, and before the device has informed", async (t) => {
  const platform = await platformFor(t);
  const firmware = await createPackage(platform, FILE);
  await createJob(platform, firmware, { Fault: ["push-before-suback", "push-twice"] });
  const made = await device(t, platform);
  let pushes = 0;
  await new Promise<void>((resolve) => {
    made.on("message", (topic) => {
      if (topic.includes(UPGRADE) && ++pushes === 2) resolve();
    });
  });
  assert.equal(pushes, 2);
});
