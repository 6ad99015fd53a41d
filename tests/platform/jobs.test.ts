import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import {
  cloud,
  codeOf,
  createJob,
  createPackage,
  device,
  fetchFrom,
  inform,
  message,
  PRODUCT,
  platformFor,
  taskEvent,
} from "./harness.js";
import { FILE, jobStatus, progress, ready, tasks, UPGRADE } from "./tasks.js";

test("from push to SUCCEEDED: only the version ends a task", async (t) => {
  const platform = await platformFor(t);
  const statuses: string[] = [];
  platform.on("task", ({ status, progress: percent }) => statuses.push(`${status} ${percent}`));
  const made = await ready(platform, t);
  const firmware = await createPackage(platform, FILE, { Udi: '{"note":1}' });
  const arrived = message(made, UPGRADE);
  const job = await createJob(platform, firmware, { Tag: [{ Key: "color", Value: "red" }] });
  const push = JSON.parse(await arrived);
  assert.equal(push.code, "1000");
  assert.equal(typeof push.id, "number");
  assert.equal(push.message, "success");
  const md5 = createHash("md5").update(FILE).digest("hex");
  const { url, ...data } = push.data;
  assert.deepEqual(data, {
    size: FILE.length,
    sign: md5,
    md5,
    version: "2.0.0",
    signMethod: "Md5",
    extData: { color: "red", _package_udi: '{"note":1}' },
  });
  assert.ok((await fetchFrom(platform, url)).body.equals(FILE));
  const expires = Number(new URL(url).searchParams.get("Expires")) - Date.now() / 1000;
  assert.ok(expires > 86_390 && expires <= 86_400);
  const full = taskEvent(platform, ({ progress: percent }) => percent === 100);
  progress(made, 40);
  progress(made, "100");
  await full;
  assert.equal(await jobStatus(platform, job), "IN_PROGRESS");
  const done = taskEvent(platform, ({ status }) => status === "SUCCEEDED");
  await inform(made, platform, "example1", "2.0.0");
  await done;
  assert.equal(await jobStatus(platform, job), "COMPLETED");
  assert.deepEqual(statuses, ["QUEUED 0", "NOTIFIED 0", "IN_PROGRESS 40", "IN_PROGRESS 100", "SUCCEEDED 100"]);
  const [task] = await tasks(platform, job);
  assert.deepEqual([task!.TaskStatus, task!.SrcVersion, task!.DestVersion], ["SUCCEEDED", "1.0.0", "2.0.0"]);
  // Nothing is left to offer.
  const reply = message(made, "firmware/get_reply");
  made.publish(`/sys/${PRODUCT}/example1/thing/ota/firmware/get`, '{"id":"1","params":{}}');
  assert.deepEqual(JSON.parse(await reply).data, {});
});

test("failure steps, a third version and a time-out fail a task with the reason", async (t) => {
  let now = Date.now();
  const platform = await platformFor(t, { clock: () => now });
  const made = await ready(platform, t);
  const attempt = async (end: () => unknown, members = {}) => {
    const firmware = await createPackage(platform, FILE, { DestVersion: `3.${now++}` });
    const arrived = message(made, UPGRADE);
    const job = await createJob(platform, firmware, members);
    await arrived;
    const running = taskEvent(platform, ({ status }) => status === "IN_PROGRESS");
    progress(made, 10);
    await running;
    const failed = taskEvent(platform, ({ status }) => status === "FAILED");
    await end();
    const { desc } = await failed;
    assert.equal(await jobStatus(platform, job), "COMPLETED");
    return desc;
  };
  assert.equal(await attempt(() => progress(made, -2, "connection lost")), "connection lost");
  for (const [step, word] of [
    [-1, "upgrade"],
    [-2, "download"],
    [-3, "verification"],
    [-4, "flash"],
  ] as const) {
    assert.equal(await attempt(() => progress(made, step)), `${word} failed (${step})`);
  }
  assert.match(await attempt(() => void inform(made, platform, "example1", "9.9.9")), /9\.9\.9, which is neither/);
  await inform(made, platform, "example1", "1.0.0");
  const timeout = async () => {
    let failures = 0;
    platform.on("task", ({ status }) => status === "FAILED" && failures++);
    now += 9 * 60_000;
    const later = taskEvent(platform, (task) => task.progress === 20);
    progress(made, 20);
    await later;
    // The time runs from the first progress report, not from the last.
    now += 60_000 - 1;
    void platform.tick();
    assert.equal(failures, 0, "one millisecond early");
    now += 1;
    void platform.tick();
  };
  assert.equal(await attempt(timeout, { TimeoutInMinutes: 10 }), "timeout");
});

test("progress out of range and for another module changes nothing", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const firmware = await createPackage(platform, FILE);
  const arrived = message(made, UPGRADE);
  const job = await createJob(platform, firmware);
  await arrived;
  const seen = once(platform, "progress");
  for (const step of ["101", "-5", "x", ""]) progress(made, step === "" ? "1.5" : step);
  progress(made, 50, "", "mcu");
  const [reported] = await seen;
  assert.deepEqual(reported, { productKey: PRODUCT, deviceName: "example1", module: "mcu", step: 50, desc: "" });
  assert.equal((await tasks(platform, job))[0]!.TaskStatus, "NOTIFIED");
});

test("an offline device is told after it came online and informed, and again after a reconnect", async (t) => {
  const platform = await platformFor(t);
  const firmware = await createPackage(platform, FILE);
  const job = await createJob(platform, firmware);
  assert.equal((await tasks(platform, job))[0]!.TaskStatus, "QUEUED");
  const first = await device(t, platform);
  let early = 0;
  first.on("message", () => early++);
  const reply = message(first, "post_reply");
  first.publish(`/sys/${PRODUCT}/example1/thing/event/property/post`, '{"id":"1","params":{}}');
  await reply;
  assert.equal(early, 1, "only the reply before the inform");
  await createJob(platform, await createPackage(platform, FILE, { DestVersion: "7.0.0", ModuleName: "mcu" }));
  const settled = message(first, "post_reply");
  first.publish(`/sys/${PRODUCT}/example1/thing/event/property/post`, '{"id":"2","params":{}}');
  await settled;
  assert.equal(early, 2, "a new job waits for the inform, too");
  const pushed = message(first, UPGRADE);
  await inform(first, platform, "example1", "1.0.0");
  const { data } = JSON.parse(await pushed);
  const running = taskEvent(platform, ({ status }) => status === "IN_PROGRESS");
  progress(first, 30);
  await running;
  const gone = once(platform, "device.offline");
  first.end(true);
  await gone;
  const second = await device(t, platform);
  const again = message(second, UPGRADE);
  await inform(second, platform, "example1", "1.0.0");
  const repeated = JSON.parse(await again).data;
  assert.equal(repeated.sign, data.sign);
  // The same session is not told twice.
  let more = 0;
  second.on("message", (topic) => topic.includes("upgrade") && more++);
  await inform(second, platform, "example1", "1.0.0");
  const done = taskEvent(platform, ({ status }) => status === "SUCCEEDED");
  await inform(second, platform, "example1", "2.0.0");
  await done;
  const flushed = message(second, "post_reply");
  second.publish(`/sys/${PRODUCT}/example1/thing/event/property/post`, '{"id":"1","params":{}}');
  await flushed;
  assert.equal(more, 0);
});

test("firmware/get and the older request fetch what waits, with a fresh URL", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const request = async () => {
    const reply = message(made, `request/${PRODUCT}/example1`);
    made.publish(`/ota/device/request/${PRODUCT}/example1`, '{"id":5,"params":{"version":"1.0.0"}}');
    return JSON.parse(await reply);
  };
  assert.deepEqual(await request(), { id: 5, code: 500, message: "none upgrade operation of the device." });
  const firmware = await createPackage(platform, FILE, { SignMethod: "SHA256", ModuleName: "mcu" });
  const job = await createJob(platform, firmware, { NeedPush: "false" });
  assert.equal((await tasks(platform, job))[0]!.TaskStatus, "QUEUED");
  const get = async (params: object) => {
    const reply = message(made, "firmware/get_reply");
    made.publish(
      `/sys/${PRODUCT}/example1/thing/ota/firmware/get`,
      JSON.stringify({ id: "9", version: "1.0", params }),
    );
    return JSON.parse(await reply);
  };
  assert.deepEqual((await get({})).data, {}, "the default module has nothing");
  const { id, code, data } = await get({ module: "mcu" });
  assert.deepEqual([id, code, data.module, data.signMethod, data.md5], ["9", 200, "mcu", "SHA256", undefined]);
  assert.equal(data.sign, createHash("sha256").update(FILE).digest("hex"));
  assert.ok((await fetchFrom(platform, data.url)).body.equals(FILE));
  assert.notEqual((await get({ module: "mcu" })).data.url, data.url);
  assert.equal((await tasks(platform, job))[0]!.TaskStatus, "NOTIFIED");
  const done = taskEvent(platform, ({ status }) => status === "SUCCEEDED");
  await inform(made, platform, "example1", "2.0.0", "mcu");
  await done;
});

test("NeedConfirm waits for ConfirmOTATask, which takes POST", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const firmware = await createPackage(platform, FILE);
  const job = await createJob(platform, firmware, { NeedConfirm: "true" });
  const [task] = await tasks(platform, job);
  assert.equal(task!.TaskStatus, "CONFIRM");
  const client = cloud(platform);
  assert.equal(
    await codeOf(client.request("ConfirmOTATask", { TaskId: ["none"] }, { method: "POST" })),
    "iot.firmware.InvalidOTATaskId",
  );
  const pushed = message(made, UPGRADE);
  await client.request("ConfirmOTATask", { TaskId: [task!.TaskId] }, { method: "POST" });
  await pushed;
});

test("one task per device and module: a newer job fails or overwrites", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const job1 = await createJob(platform, await createPackage(platform, FILE));
  const job2 = await createJob(platform, await createPackage(platform, FILE, { DestVersion: "3.0.0" }));
  assert.deepEqual(
    [(await tasks(platform, job2))[0]!.TaskStatus, await jobStatus(platform, job2)],
    ["FAILED", "COMPLETED"],
  );
  const fourth = await createPackage(platform, FILE, { DestVersion: "4.0.0" });
  const job3 = await createJob(platform, fourth, { OverwriteMode: 2 });
  assert.equal((await tasks(platform, job1))[0]!.TaskStatus, "CANCELED");
  assert.equal((await tasks(platform, job3))[0]!.TaskStatus, "NOTIFIED");
  const running = taskEvent(platform, ({ status }) => status === "IN_PROGRESS");
  progress(made, 1);
  await running;
  const job4 = await createJob(platform, await createPackage(platform, FILE, { DestVersion: "5.0.0" }), {
    OverwriteMode: 2,
  });
  assert.equal((await tasks(platform, job4))[0]!.TaskStatus, "FAILED");
  assert.equal((await tasks(platform, job3))[0]!.TaskStatus, "IN_PROGRESS");
});

test("a job whose first device fails at once still serves the others", async (t) => {
  const platform = await platformFor(t);
  await createJob(platform, await createPackage(platform, FILE));
  const second = await createPackage(platform, FILE, { DestVersion: "3.0.0" });
  const job = await createJob(platform, second, { TargetDeviceName: ["example1", "example2"] });
  const found = await tasks(platform, job);
  assert.deepEqual(
    found.map(({ DeviceName, TaskStatus }) => `${DeviceName} ${TaskStatus}`),
    ["example1 FAILED", "example2 QUEUED"],
  );
  assert.equal(await jobStatus(platform, job), "IN_PROGRESS");
  const { Data } = await cloud(platform).request<{ Data: object }>("QueryOTAJob", { JobId: job });
  assert.ok("UtcStartTime" in Data && !("UtcEndTime" in Data));
});

test("tasks are canceled by device and by job", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const client = cloud(platform);
  const firmware = await createPackage(platform, FILE);
  const all = { TargetDeviceName: ["example1", "example2"] };
  const job = await createJob(platform, firmware, all);
  await client.request("CancelOTATaskByDevice", {
    FirmwareId: firmware,
    ProductKey: PRODUCT,
    JobId: job,
    DeviceName: ["example2"],
  });
  const states = async (id: string) => (await tasks(platform, id)).map(({ TaskStatus }) => TaskStatus);
  assert.deepEqual(await states(job), ["NOTIFIED", "CANCELED"]);
  assert.equal(
    await codeOf(client.request("CancelOTATaskByJob", { JobId: job })),
    "iot.firmware.CancelOptionIsMandatory",
  );
  await client.request("CancelOTATaskByJob", { JobId: job, CancelQueuedTask: "true" });
  assert.deepEqual(await states(job), ["NOTIFIED", "CANCELED"]);
  await client.request("CancelOTATaskByJob", { JobId: job, CancelNotifiedTask: "true" });
  assert.deepEqual(await states(job), ["CANCELED", "CANCELED"]);
  assert.equal(await jobStatus(platform, job), "CANCELED");
  assert.equal(
    await codeOf(client.request("CancelOTATaskByJob", { JobId: job, CancelQueuedTask: "true" })),
    "iot.firmware.JobAlreadyCanceled",
  );
  assert.equal(
    await codeOf(client.request("CancelOTATaskByJob", { JobId: "none", CancelQueuedTask: "true" })),
    "iot.firmware.InvalidOTAJobId",
  );
  // A canceled task is not revived by what the device sends late.
  progress(made, 50);
  await inform(made, platform, "example1", "2.0.0");
  assert.deepEqual(await states(job), ["CANCELED", "CANCELED"]);
});
