import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cloud,
  codeOf,
  createJob,
  createPackage,
  inform,
  message,
  PRODUCT,
  platformFor,
  taskEvent,
} from "./harness.js";
import { FILE, jobStatus, progress, ready, tasks, UPGRADE } from "./tasks.js";

test("jobs are refused for the documented reasons", async (t) => {
  const platform = await platformFor(t);
  const firmware = await createPackage(platform, FILE);
  const unverified = await createPackage(platform, FILE, { DestVersion: "5.0.0", NeedToVerify: "true" });
  const diff = await createPackage(platform, FILE, { DestVersion: "6.0.0", Type: 1, SrcVersion: "1.0.0" });
  const now = Date.now();
  const [minute, day] = [60_000, 86_400_000];
  const cases: [id: string, members: Record<string, unknown>, code: string][] = [
    ["none", {}, "FirmwareNotFound"],
    [firmware, { ProductKey: "nobody" }, "InvalidProductKey"],
    [firmware, { ProductKey: "otherProduct" }, "FirmwareAndProductKeyMismatch"],
    [firmware, { TargetSelection: "SOME" }, "InvalidTargetSelection"],
    [firmware, { TargetDeviceName: [] }, "NullTargetDeviceNames"],
    [firmware, { TargetDeviceName: ["nobody"] }, "NoDeviceCanUpgrade"],
    [firmware, { SrcVersion: ["0.9"] }, "NoDeviceCanUpgrade"],
    [firmware, { SrcVersion: ["2.0.0"] }, "SrcDestVersionMatched"],
    [firmware, { TimeoutInMinutes: 0 }, "InvalidTimeoutSetting"],
    [firmware, { TimeoutInMinutes: 1441 }, "InvalidTimeoutSetting"],
    [firmware, { RetryInterval: 5 }, "InvalidRetryInterval"],
    [firmware, { RetryCount: 3 }, "InvalidRetryCount"],
    [firmware, { MaximumPerMinute: 9 }, "InvalidMaximumPerMinute"],
    [firmware, { MaximumPerMinute: 1001 }, "InvalidMaximumPerMinute"],
    [firmware, { OverwriteMode: 3 }, "InvalidOverwriteMode"],
    [firmware, { TargetSelection: "GRAY", GrayPercent: "0" }, "InvalidGrayPercent"],
    [firmware, { TargetSelection: "GRAY", GrayPercent: "10.1234" }, "InvalidGrayPercent"],
    [firmware, { ScheduleTime: now + minute }, "FireTimeTooShort"],
    [firmware, { ScheduleTime: now + 8 * day }, "FireTimeTooLate"],
    [firmware, { ScheduleFinishTime: now + day }, "ScheduleFinishTimeWithoutStartTime"],
    [firmware, { ScheduleTime: now + day, ScheduleFinishTime: now }, "ScheduleFinishTimeEarlierThanStartTime"],
    [firmware, { ScheduleTime: now + day, ScheduleFinishTime: now + day + minute }, "ScheduleFinishTimeTooEarly"],
    [firmware, { ScheduleTime: now + day, ScheduleFinishTime: now + 32 * day }, "ScheduleFinishTimeTooLate"],
    [firmware, { Tag: [{ Key: "a_b", Value: "x" }] }, "ParameterSizeExceedMax"],
    [firmware, { Tag: [{ Key: "a", Value: "x".repeat(1025) }] }, "ParameterSizeExceedMax"],
    [unverified, {}, "FirmwareNotVerified"],
    [diff, {}, "MoreThanOneSrcVersion"],
    [diff, { SrcVersion: ["1.1.0"] }, "MoreThanOneSrcVersion"],
  ];
  for (const [id, members, code] of cases) {
    assert.equal(await codeOf(createJob(platform, id, members)), `iot.firmware.${code}`, JSON.stringify(members));
  }
  const tags = [
    { Key: "a", Value: "1" },
    { Key: "a", Value: "2" },
  ];
  assert.equal(await codeOf(createJob(platform, firmware, { Tag: tags })), "iot.ota.tag.KeyDuplicated");
});

test("a device on the target version gets no task; ALL and GRAY choose", async (t) => {
  const platform = await platformFor(t);
  await ready(platform, t, "2.0.0");
  const firmware = await createPackage(platform, FILE);
  assert.equal(await codeOf(createJob(platform, firmware)), "iot.firmware.NoDeviceCanUpgrade");
  const names = async (id: string) => (await tasks(platform, id)).map(({ DeviceName }) => DeviceName);
  const all = await createJob(platform, firmware, { TargetSelection: "ALL", TargetDeviceName: undefined });
  assert.deepEqual(await names(all), ["example2", "disabled"]);
  const gray = { TargetSelection: "GRAY", GrayPercent: "99.9", TargetDeviceName: undefined, OverwriteMode: 2 };
  assert.deepEqual(await names(await createJob(platform, firmware, gray)), ["example2"]);
});

test("a diff package is announced as one", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const firmware = await createPackage(platform, FILE, { Type: 1, SrcVersion: "1.0.0" });
  const arrived = message(made, UPGRADE);
  await createJob(platform, firmware, { SrcVersion: ["1.0.0"] });
  assert.equal(JSON.parse(await arrived).data.isDiff, 1);
});

test("a verification opens the package for upgrades, or closes it", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const client = cloud(platform);
  const verify = (FirmwareId: string) =>
    client.request("CreateOTAVerifyJob", { FirmwareId, ProductKey: PRODUCT, TargetDeviceName: ["example1"] });
  const status = async (FirmwareId: string) =>
    (await client.request<{ FirmwareInfo: { Status: number } }>("QueryOTAFirmware", { FirmwareId })).FirmwareInfo
      .Status;
  const good = await createPackage(platform, FILE, { NeedToVerify: "true" });
  await verify(good);
  assert.equal(await status(good), 2);
  assert.equal(await codeOf(verify(good)), "iot.firmware.InProgressVerifyJobExisted");
  await inform(made, platform, "example1", "2.0.0");
  assert.equal(await status(good), 1);
  await createJob(platform, good, { TargetDeviceName: ["example2"] });
  const bad = await createPackage(platform, FILE, { DestVersion: "3.0.0", NeedToVerify: "true" });
  await verify(bad);
  const failed = taskEvent(platform, (task) => task.status === "FAILED");
  progress(made, -3, "wrong digest");
  await failed;
  assert.equal(await status(bad), 3);
});

test("a planned job starts at its time and stops at its end", async (t) => {
  let now = Date.now();
  const platform = await platformFor(t, { clock: () => now });
  const firmware = await createPackage(platform, FILE);
  const [ScheduleTime, ScheduleFinishTime] = [now + 10 * 60_000, now + 2 * 3_600_000];
  const job = await createJob(platform, firmware, { ScheduleTime, ScheduleFinishTime });
  await platform.tick();
  assert.equal(await tasksAt(job), "PLANNED 0");
  now = ScheduleTime;
  await platform.tick();
  assert.equal(await tasksAt(job), "IN_PROGRESS 1");
  now = ScheduleFinishTime;
  await platform.tick();
  assert.equal(await tasksAt(job), "CANCELED 1");
  // The vendor's client stamps requests with the real time.
  async function tasksAt(id: string): Promise<string> {
    const virtual = now;
    now = Date.now();
    const text = `${await jobStatus(platform, id)} ${(await tasks(platform, id)).length}`;
    now = virtual;
    return text;
  }
});
