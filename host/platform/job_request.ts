// CreateOTAVerifyJob and CreateOTAStaticUpgradeJob: what they take, the documented bounds, the job they make.

import { type Parameter, utc, type Values } from "./cloud_action.js";
import { CloudError } from "./cloud_error.js";
import { type Faults, JOB_FAULT_NAMES, setFault } from "./faults.js";
import type { Job } from "./job.js";
import type { Jobs } from "./jobs.js";
import { packageOf } from "./package_actions.js";
import { newId, type Package } from "./packages.js";
import type { Registry } from "./registry.js";

/** What the actions need of the platform. */
export interface JobActionContext {
  registry: Registry;
  packages: Map<string, Package>;
  jobs: Jobs;
  clock: () => number;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const fault = (code: string) => `iot.firmware.${code}`;
const fail = (code: string, message: string) => new CloudError(fault(code), message);

/** Parameters both kinds of jobs take, with the bounds of a verification. */
export const VERIFY_PARAMETERS: Record<string, Parameter> = {
  FirmwareId: { type: "text", required: true },
  ProductKey: { type: "text", required: true },
  TimeoutInMinutes: { type: "integer", min: 1, max: 1440, code: fault("InvalidTimeoutSetting") },
  NeedPush: { type: "boolean" },
  NeedConfirm: { type: "boolean" },
  DownloadProtocol: { type: "text", values: ["HTTPS", "MQTT"] },
  TargetDeviceName: { type: "texts", max: 10, code: fault("ParameterSizeExceedMax") },
  Tag: { type: "structs", max: 10, code: fault("ParameterSizeExceedMax") },
  // Fault.N=NAME[=VALUE] is this platform's own; the cloud passes it over like everything it does not know.
  Fault: { type: "texts", max: 16, code: fault("ParameterSizeExceedMax") },
};

export const UPGRADE_PARAMETERS: Record<string, Parameter> = {
  ...VERIFY_PARAMETERS,
  TargetSelection: {
    type: "text",
    required: true,
    values: ["ALL", "SPECIFIC", "GRAY"],
    code: fault("InvalidTargetSelection"),
  },
  TargetDeviceName: { type: "texts", max: 200, code: fault("ParameterSizeExceedMax") },
  SrcVersion: { type: "texts", max: 10, code: fault("ParameterSizeExceedMax") },
  ScheduleTime: { type: "integer", code: fault("FireTimeTooShort") },
  ScheduleFinishTime: { type: "integer", code: fault("ScheduleFinishTimeTooEarly") },
  RetryInterval: { type: "integer", code: fault("InvalidRetryInterval") },
  RetryCount: { type: "integer", code: fault("InvalidRetryCount") },
  MaximumPerMinute: { type: "integer", min: 0, max: 1000, code: fault("InvalidMaximumPerMinute") },
  OverwriteMode: { type: "integer", min: 1, max: 2, code: fault("InvalidOverwriteMode") },
  GrayPercent: { type: "text", pattern: /^\d{1,3}(\.\d{1,3})?$/, code: fault("InvalidGrayPercent") },
  MultiModuleMode: { type: "boolean" },
};

/** Make and start a job. */
export function createJob(values: Values, type: Job["type"], context: JobActionContext): Record<string, unknown> {
  const pkg = packageOf(values, context);
  const productKey = values.text("ProductKey");
  if (!context.registry.products.has(productKey)) throw fail("InvalidProductKey", "no such product");
  if (pkg.productKey !== "" && pkg.productKey !== productKey) {
    throw fail("FirmwareAndProductKeyMismatch", "the package belongs to another product");
  }
  if (values.text("DownloadProtocol") === "MQTT") {
    throw fail("InvalidDownloadProtocol", "this platform serves downloads over HTTPS only");
  }
  if (type === "VERIFY_FIRMWARE") checkVerify(pkg, values, context);
  else checkUpgrade(pkg, values, context.clock());
  const job = buildJob(values, type, pkg, context);
  const { status } = pkg;
  if (type === "VERIFY_FIRMWARE") pkg.status = 2;
  try {
    context.jobs.start(job, pkg);
  } catch (error) {
    pkg.status = status;
    throw error;
  }
  return { Data: { JobId: job.id, UtcCreate: utc(job.created) } };
}

function checkVerify(pkg: Package, values: Values, { jobs, registry }: JobActionContext): void {
  checkDevices(values, registry);
  for (const job of jobs.jobs.values()) {
    if (job.firmwareId === pkg.id && job.type === "VERIFY_FIRMWARE" && job.status === "IN_PROGRESS") {
      throw fail("InProgressVerifyJobExisted", "a verification of this package is running");
    }
  }
}

function checkUpgrade(pkg: Package, values: Values, now: number): void {
  if (pkg.needToVerify && pkg.status !== 1) {
    throw fail("FirmwareNotVerified", "the package is not verified: CreateOTAVerifyJob first, or NeedToVerify=false");
  }
  const sources = values.texts("SrcVersion");
  if (pkg.type === 1 && (sources.length !== 1 || sources[0] !== pkg.srcVersion)) {
    throw fail("MoreThanOneSrcVersion", "a difference package takes exactly its own SrcVersion");
  }
  if (sources.includes(pkg.destVersion)) throw fail("SrcDestVersionMatched", "SrcVersion contains DestVersion");
  const gray = Number(values.text("GrayPercent", "0"));
  if (values.text("TargetSelection") === "GRAY" && !(gray > 0 && gray <= 100)) {
    throw fail("InvalidGrayPercent", "GrayPercent must be above 0 and at most 100");
  }
  checkNumbers(values);
  checkSchedule(values, now);
}

function checkNumbers(values: Values): void {
  const [interval, count] = [values.integer("RetryInterval"), values.integer("RetryCount")];
  if (interval !== undefined && ![0, 10, 30, 60, 1440].includes(interval)) {
    throw fail("InvalidRetryInterval", "RetryInterval must be 0, 10, 30, 60 or 1440");
  }
  if (count !== undefined && ![1, 2, 5].includes(count))
    throw fail("InvalidRetryCount", "RetryCount must be 1, 2 or 5");
  const rate = values.integer("MaximumPerMinute") ?? 0;
  if (rate !== 0 && rate < 10) throw fail("InvalidMaximumPerMinute", "MaximumPerMinute must be 10-1000");
}

function checkSchedule(values: Values, now: number): void {
  const [start, finish] = [values.integer("ScheduleTime"), values.integer("ScheduleFinishTime")];
  if (start !== undefined && start < now + 5 * MINUTE) throw fail("FireTimeTooShort", "start at least 5 min from now");
  if (start !== undefined && start > now + 7 * DAY) throw fail("FireTimeTooLate", "start at most 7 days from now");
  if (finish === undefined) return;
  if (start === undefined) throw fail("ScheduleFinishTimeWithoutStartTime", "ScheduleFinishTime needs ScheduleTime");
  if (finish < start) throw fail("ScheduleFinishTimeEarlierThanStartTime", "the finish is before the start");
  if (finish < start + HOUR) throw fail("ScheduleFinishTimeTooEarly", "finish at least 1 h after the start");
  if (finish > start + 30 * DAY) throw fail("ScheduleFinishTimeTooLate", "finish at most 30 days after the start");
}

function checkDevices(values: Values, registry: Registry): string[] {
  const names = values.texts("TargetDeviceName");
  if (names.length === 0) throw fail("NullTargetDeviceNames", "TargetDeviceName.N is missing");
  const unknown = names.find((name) => registry.device(values.text("ProductKey"), name) === undefined);
  if (unknown !== undefined) throw fail("NoDeviceCanUpgrade", `the product has no device ${unknown.slice(0, 64)}`);
  return names;
}

function readTags(values: Values): Job["tags"] {
  const tags = values.structs("Tag").map(({ Key = "", Value = "" }) => ({ key: Key, value: Value }));
  const keys = new Set(tags.map(({ key }) => key));
  if (keys.size !== tags.length) throw new CloudError("iot.ota.tag.KeyDuplicated", "a tag key is used twice");
  const fits = tags.every(
    ({ key, value }) => /^[A-Za-z0-9.]{1,30}$/.test(key) && value.length >= 1 && value.length <= 1024,
  );
  const total = tags.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  if (!fits || total > 4096)
    throw fail("ParameterSizeExceedMax", "a tag key has 1-30, a value 1-1024, all at most 4096");
  return tags;
}

function readFaults(values: Values): Pick<Job, "faults"> {
  const texts = values.texts("Fault");
  if (texts.length === 0) return {};
  const faults: Faults = {};
  try {
    for (const text of texts) setFault(faults, text, JOB_FAULT_NAMES);
  } catch (error) {
    throw new CloudError("alink-agent.InvalidFault", (error as Error).message);
  }
  return { faults };
}

function buildJob(values: Values, type: Job["type"], pkg: Package, { registry, clock }: JobActionContext): Job {
  const selection =
    type === "VERIFY_FIRMWARE" ? "SPECIFIC" : (values.text("TargetSelection") as Job["targetSelection"]);
  const start = values.integer("ScheduleTime");
  return {
    id: newId(),
    type,
    status: start === undefined ? "IN_PROGRESS" : "PLANNED",
    firmwareId: pkg.id,
    productKey: values.text("ProductKey"),
    targetSelection: selection,
    grayPercent: values.text("GrayPercent"),
    targetDevices: selection === "SPECIFIC" ? checkDevices(values, registry) : [],
    srcVersions: values.texts("SrcVersion"),
    timeoutMinutes: values.integer("TimeoutInMinutes"),
    needPush: values.flag("NeedPush", true),
    needConfirm: values.flag("NeedConfirm", false),
    overwriteMode: (values.integer("OverwriteMode") ?? 1) as 1 | 2,
    maximumPerMinute: values.integer("MaximumPerMinute") || undefined,
    retryCount: values.integer("RetryCount"),
    retryInterval: values.integer("RetryInterval"),
    scheduleTime: start,
    scheduleFinishTime: values.integer("ScheduleFinishTime"),
    tags: readTags(values),
    ...readFaults(values),
    created: clock(),
    modified: clock(),
    started: undefined,
    ended: undefined,
  };
}
