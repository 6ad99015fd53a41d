// Cloud API actions on upgrade jobs and tasks.

import { type Action, page, paging, utc, type Values } from "./cloud_action.js";
import { CloudError } from "./cloud_error.js";
import type { Job, Task } from "./job.js";
import { createJob, type JobActionContext, UPGRADE_PARAMETERS, VERIFY_PARAMETERS } from "./job_request.js";
import { packageOf } from "./package_actions.js";

const fault = (code: string) => `iot.firmware.${code}`;
const fail = (code: string, message: string) => new CloudError(fault(code), message);

const CANCEL_OPTIONS = {
  CancelQueuedTask: "QUEUED",
  CancelNotifiedTask: "NOTIFIED",
  CancelInProgressTask: "IN_PROGRESS",
  CancelScheduledTask: "PLANNED",
  CancelUnconfirmedTask: "CONFIRM",
} as const;

const STATUSES = ["CONFIRM", "QUEUED", "NOTIFIED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "CANCELED"] as const;

/** The table rows. */
export function jobActions(context: JobActionContext): Record<string, Action> {
  return {
    CreateOTAVerifyJob: {
      parameters: VERIFY_PARAMETERS,
      handle: (values) => createJob(values, "VERIFY_FIRMWARE", context),
    },
    CreateOTAStaticUpgradeJob: {
      parameters: UPGRADE_PARAMETERS,
      handle: (values) => createJob(values, "UPGRADE_FIRMWARE", context),
    },
    QueryOTAJob: {
      parameters: { JobId: { type: "text", required: true } },
      handle: (values) => ({ Data: jobDetail(jobOf(values, context), context) }),
    },
    ListOTAJobByFirmware: {
      parameters: { FirmwareId: { type: "text", required: true }, ...paging(200) },
      handle: (values) => listJobs(values, context),
    },
    ListOTATaskByJob: {
      parameters: {
        JobId: { type: "text", required: true },
        TaskStatus: { type: "text", values: STATUSES, code: fault("InvalidTaskStatus") },
        DeviceNames: { type: "texts", max: 50, code: fault("ParameterSizeExceedMax") },
        ...paging(100),
      },
      handle: (values) => listTasks(values, context),
    },
    ConfirmOTATask: {
      method: "POST",
      parameters: { TaskId: { type: "texts", required: true, max: 10, code: fault("ParameterSizeExceedMax") } },
      handle: (values) => confirmTasks(values, context),
    },
    CancelOTATaskByDevice: {
      parameters: {
        FirmwareId: { type: "text", required: true },
        ProductKey: { type: "text", required: true },
        JobId: { type: "text" },
        DeviceName: { type: "texts", required: true, max: 200, code: fault("ParameterSizeExceedMax") },
      },
      handle: (values) => cancelByDevice(values, context),
    },
    CancelOTATaskByJob: {
      parameters: {
        JobId: { type: "text", required: true },
        ...Object.fromEntries(Object.keys(CANCEL_OPTIONS).map((name) => [name, { type: "boolean" } as const])),
      },
      handle: (values) => cancelByJob(values, context),
    },
  };
}

function jobOf(values: Values, { jobs }: JobActionContext): Job {
  const job = jobs.jobs.get(values.text("JobId"));
  if (job === undefined) throw fail("InvalidOTAJobId", "no job has this JobId");
  return job;
}

function jobSummary(job: Job): Record<string, unknown> {
  return {
    JobId: job.id,
    JobStatus: job.status,
    JobType: job.type,
    FirmwareId: job.firmwareId,
    ProductKey: job.productKey,
    SelectionType: "STATIC",
    TargetSelection: job.targetSelection,
    Tags: { OtaTagDTO: job.tags.map(({ key, value }) => ({ Key: key, Value: value })) },
    UtcCreate: utc(job.created),
    UtcModified: utc(job.modified),
    UtcStartTime: utc(job.started),
    UtcEndTime: utc(job.ended),
  };
}

function jobDetail(job: Job, { packages }: JobActionContext): Record<string, unknown> {
  return {
    ...jobSummary(job),
    DestVersion: packages.get(job.firmwareId)?.destVersion,
    SrcVersions: { SrcVersion: job.srcVersions },
    GrayPercent: job.grayPercent,
    OverwriteMode: job.overwriteMode,
    RetryCount: job.retryCount,
    RetryInterval: job.retryInterval,
    TimeoutInMinutes: job.timeoutMinutes,
    MaximumPerMinute: job.maximumPerMinute,
    NeedPush: job.needPush,
    NeedConfirm: job.needConfirm,
    DownloadProtocol: "HTTPS",
    UtcScheduleTime: utc(job.scheduleTime),
    UtcScheduleFinishTime: utc(job.scheduleFinishTime),
  };
}

function listJobs(values: Values, context: JobActionContext): Record<string, unknown> {
  const pkg = packageOf(values, context);
  const found = [...context.jobs.jobs.values()].filter(({ firmwareId }) => firmwareId === pkg.id).reverse();
  const { items, paging: counts } = page(found, values);
  return { ...counts, Data: { SimpleOTAJobInfo: items.map(jobSummary) } };
}

function listTasks(values: Values, context: JobActionContext): Record<string, unknown> {
  const job = jobOf(values, context);
  const [status, names] = [values.text("TaskStatus"), values.texts("DeviceNames")];
  const found = context.jobs
    .tasksOf(job.id)
    .filter((task) => status === "" || task.status === status)
    .filter((task) => names.length === 0 || names.includes(task.deviceName));
  const { items, paging: counts } = page(found, values);
  return { ...counts, Data: { SimpleOTATaskInfo: items.map((task) => taskInfo(task, job, context)) } };
}

function taskInfo(task: Task, job: Job, { registry }: JobActionContext): Record<string, unknown> {
  return {
    TaskId: task.id,
    TaskStatus: task.status,
    TaskDesc: task.desc,
    Progress: String(task.progress),
    Timeout: job.timeoutMinutes === undefined ? undefined : String(job.timeoutMinutes),
    DeviceName: task.deviceName,
    IotId: registry.device(task.productKey, task.deviceName)?.iotId,
    JobId: task.jobId,
    FirmwareId: task.firmwareId,
    ProductKey: task.productKey,
    ProductName: task.productKey,
    SrcVersion: task.srcVersion,
    DestVersion: task.destVersion,
    UtcCreate: utc(task.created),
    UtcModified: utc(task.modified),
  };
}

function confirmTasks(values: Values, { jobs }: JobActionContext): Record<string, unknown> {
  const tasks = values.texts("TaskId").map((id) => {
    const task = jobs.tasks.get(id);
    if (task === undefined) throw fail("InvalidOTATaskId", "no task has this TaskId");
    return task;
  });
  for (const task of tasks) jobs.confirm(task);
  return {};
}

function cancelByDevice(values: Values, context: JobActionContext): Record<string, unknown> {
  const pkg = packageOf(values, context);
  const [jobId, names] = [values.text("JobId"), new Set(values.texts("DeviceName"))];
  for (const task of context.jobs.tasks.values()) {
    const named = task.firmwareId === pkg.id && task.productKey === values.text("ProductKey");
    if (named && names.has(task.deviceName) && (jobId === "" || task.jobId === jobId)) context.jobs.cancel(task);
  }
  return {};
}

function cancelByJob(values: Values, context: JobActionContext): Record<string, unknown> {
  const job = jobOf(values, context);
  const chosen = Object.entries(CANCEL_OPTIONS).filter(([name]) => values.flag(name, false));
  if (chosen.length === 0) throw fail("CancelOptionIsMandatory", "at least one Cancel…Task option must be true");
  if (job.status === "CANCELED") throw fail("JobAlreadyCanceled", "the job is canceled already");
  const statuses = new Set<string>(chosen.map(([, status]) => status));
  if (job.status === "PLANNED" && statuses.has("PLANNED")) context.jobs.cancelJob(job);
  for (const task of context.jobs.tasksOf(job.id)) if (statuses.has(task.status)) context.jobs.cancel(task);
  return {};
}
