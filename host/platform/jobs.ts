// Upgrade jobs and their tasks: one task per device, from QUEUED to SUCCEEDED, FAILED or CANCELED.
// Only an inform with the target version ends a task well; 100 % progress never does.
//
//   CONFIRM → QUEUED → NOTIFIED (pushed or fetched) → IN_PROGRESS (first progress) → SUCCEEDED | FAILED
//   and CANCELED from any unfinished state. At most one unfinished task per device and module.

import { CloudError } from "./cloud_error.js";
import type { Emit, Log, TaskStatus } from "./events.js";
import { FINISHED, type Job, type JobStatus, slot, type Task } from "./job.js";
import { newId, type Package } from "./packages.js";
import { type Device, deviceKey, MAX_MODULES, type Registry } from "./registry.js";
import { beginRetry, planRetry, waitsForRetry } from "./retries.js";

/** What a task needs of the rest of the platform. */
export interface JobContext {
  registry: Registry;
  packages: Map<string, Package>;
  /** The device is connected. */
  isOnline(device: Device): boolean;
  /** Send an upgrade push. */
  push(device: Device, pkg: Package, job: Job): void;
  /** The data of a firmware/get reply. */
  offer(pkg: Package, job: Job): Record<string, unknown>;
  /** Something that must survive a restart changed. */
  changed(): void;
  clock: () => number;
  emit: Emit;
  log: Log;
}

const MINUTE = 60_000;

/** Jobs and tasks in memory; `changed` keeps the copy on disk. */
export class Jobs {
  readonly jobs = new Map<string, Job>();
  readonly tasks = new Map<string, Task>();
  /** Unfinished task by device and module. */
  readonly #active = new Map<string, Task>();
  /** Tasks already pushed in the device's present session. */
  readonly #pushed = new Set<string>();
  readonly #informed = new Set<string>();

  constructor(private readonly context: JobContext) {}

  /** Take over what a previous run left. */
  restore(jobs: Job[], tasks: Task[]): void {
    for (const job of jobs) this.jobs.set(job.id, job);
    for (const task of tasks) {
      this.tasks.set(task.id, task);
      if (!FINISHED.has(task.status)) this.#active.set(slot(task), task);
    }
  }

  // ---- jobs

  /**
   * Start a job, or plan it when it has a schedule.
   *
   * Throws CloudError NoDeviceCanUpgrade when no device would get a task.
   */
  start(job: Job, pkg: Package): void {
    const devices = this.#targets(job, pkg);
    if (devices.length === 0) throw new CloudError("iot.firmware.NoDeviceCanUpgrade", "no device can be upgraded");
    this.jobs.set(job.id, job);
    if (job.status === "PLANNED") {
      this.context.changed();
      return;
    }
    this.#begin(job, pkg, devices);
  }

  #begin(job: Job, pkg: Package, devices: Device[]): void {
    // Not in progress before the last task exists: a task that fails at once must not end the job.
    job.status = "PLANNED";
    job.started = this.context.clock();
    for (const device of devices) this.#createTask(job, pkg, device);
    this.#setJob(job, "IN_PROGRESS");
    this.#settle(job);
  }

  #targets(job: Job, pkg: Package): Device[] {
    const named = new Set(job.targetDevices);
    const eligible = this.context.registry.devicesOf(job.productKey).filter((device) => {
      const version = device.versions.get(pkg.module);
      if (job.targetSelection === "SPECIFIC" && !named.has(device.deviceName)) return false;
      if (version === pkg.destVersion) return false;
      return job.srcVersions.length === 0 || (version !== undefined && job.srcVersions.includes(version));
    });
    if (job.targetSelection !== "GRAY") return eligible;
    return eligible.slice(0, Math.max(1, Math.floor((eligible.length * Number(job.grayPercent)) / 100)));
  }

  #createTask(job: Job, pkg: Package, device: Device): void {
    const now = this.context.clock();
    const task: Task = {
      id: newId(),
      jobId: job.id,
      firmwareId: pkg.id,
      productKey: device.productKey,
      deviceName: device.deviceName,
      module: pkg.module,
      status: job.needConfirm ? "CONFIRM" : "QUEUED",
      desc: "",
      progress: 0,
      srcVersion: device.versions.get(pkg.module) ?? "",
      destVersion: pkg.destVersion,
      created: now,
      modified: now,
      started: undefined,
    };
    this.tasks.set(task.id, task);
    const running = this.#active.get(slot(task));
    if (running !== undefined) {
      if (job.overwriteMode !== 2 || running.status === "IN_PROGRESS") {
        this.#finish(task, "FAILED", `another task of this device is ${running.status}`);
        return;
      }
      this.#finish(running, "CANCELED", "overwritten by a newer job");
    }
    this.#active.set(slot(task), task);
    this.#announce(task);
    this.#dispatch(task, device);
  }

  // ---- what devices do

  online(device: Device, pushAtOnce: boolean): void {
    this.#endSession(device);
    for (const task of this.#activeOf(device))
      if (pushAtOnce || this.jobs.get(task.jobId)?.faults?.pushBeforeSuback) this.#dispatch(task, device, true);
  }

  offline(device: Device): void {
    this.#endSession(device);
  }

  #endSession(device: Device): void {
    this.#informed.delete(deviceKey(device));
    for (const task of this.#activeOf(device)) this.#pushed.delete(task.id);
  }

  #activeOf(device: Device): Task[] {
    return [...this.#active.values()].filter((task) => this.#deviceOf(task) === device);
  }

  #deviceOf(task: Task): Device | undefined {
    return this.context.registry.device(task.productKey, task.deviceName);
  }

  /** A device reports the version of a module. */
  inform(device: Device, module: string, version: string): void {
    if (!device.versions.has(module) && device.versions.size >= MAX_MODULES) {
      this.context.log(`${deviceKey(device)}: more than ${MAX_MODULES} modules`);
      return;
    }
    device.versions.set(module, version);
    this.#informed.add(deviceKey(device));
    this.context.changed();
    this.context.emit("version", { productKey: device.productKey, deviceName: device.deviceName, module, version });
    const task = this.#active.get(slot({ ...device, module }));
    if (task === undefined) return;
    if (version === task.destVersion) {
      this.#finish(task, "SUCCEEDED", "");
      return;
    }
    if (task.srcVersion === "") task.srcVersion = version;
    if (task.status === "IN_PROGRESS" && version !== task.srcVersion) {
      this.#failed(task, `the device reports version ${version}, which is neither source nor target`);
      return;
    }
    this.#dispatch(task, device);
  }

  /** A device reports progress: 0…100 percent, or -1…-4 for a failure. */
  progress(device: Device, module: string, step: number, desc: string): void {
    const { productKey, deviceName } = device;
    this.context.emit("progress", { productKey, deviceName, module, step, desc });
    const task = this.#active.get(slot({ ...device, module }));
    if (task === undefined || task.status === "CONFIRM" || task.status === "QUEUED" || waitsForRetry(task)) return;
    if (step < 0) {
      const kind = ["upgrade", "download", "verification", "flash"][-step - 1];
      this.#failed(task, desc === "" ? `${kind} failed (${step})` : desc);
      return;
    }
    task.progress = step;
    task.desc = desc;
    task.started ??= this.context.clock();
    this.#setTask(task, "IN_PROGRESS");
  }

  /** What waits for this device and module; a task handed out this way counts as notified. */
  pendingOffer(device: Device, module: string): Record<string, unknown> | undefined {
    const task = this.#active.get(slot({ ...device, module }));
    if (task === undefined || task.status === "CONFIRM" || waitsForRetry(task)) return undefined;
    const [job, pkg] = [this.jobs.get(task.jobId), this.context.packages.get(task.firmwareId)];
    if (job === undefined || pkg === undefined) return undefined;
    if (task.status === "QUEUED") this.#setTask(task, "NOTIFIED");
    return this.context.offer(pkg, job);
  }

  /** Push when the device is there, and has said in this session what it runs or said so before. */
  #dispatch(task: Task, device: Device, atOnce = false): void {
    const { context } = this;
    const [job, pkg] = [this.jobs.get(task.jobId), context.packages.get(task.firmwareId)];
    if (job === undefined || pkg === undefined || !job.needPush || task.status === "CONFIRM") return;
    if (!context.isOnline(device) || this.#pushed.has(task.id) || waitsForRetry(task)) return;
    if (!atOnce && !this.#informed.has(deviceKey(device))) return;
    if (!this.#withinRate(job, task)) return;
    this.#pushed.add(task.id);
    if (task.status === "QUEUED") this.#setTask(task, "NOTIFIED");
    context.push(device, pkg, job);
  }

  /** MaximumPerMinute: first pushes of a job within the last minute. The rest waits for tick(). */
  #withinRate(job: Job, task: Task): boolean {
    if (!job.maximumPerMinute || task.status !== "QUEUED") return true;
    const since = this.context.clock() - MINUTE;
    const recent = this.tasksOf(job.id).filter(({ status, modified }) => status !== "QUEUED" && modified > since);
    return recent.length < job.maximumPerMinute;
  }

  // ---- what operators do

  tasksOf(jobId: string): Task[] {
    return [...this.tasks.values()].filter((task) => task.jobId === jobId);
  }

  /** ConfirmOTATask. */
  confirm(task: Task): void {
    if (task.status !== "CONFIRM") return;
    this.#setTask(task, "QUEUED");
    const device = this.#deviceOf(task);
    if (device !== undefined) this.#dispatch(task, device);
  }

  /** Cancel a task in any unfinished state. */
  cancel(task: Task): void {
    if (!FINISHED.has(task.status)) this.#finish(task, "CANCELED", "canceled");
  }

  /** No further tasks: a planned job never starts. */
  cancelJob(job: Job): void {
    if (job.status !== "COMPLETED") this.#setJob(job, "CANCELED");
    job.ended = this.context.clock();
  }

  /** Time-outs, schedules and delayed pushes; called about once a second. */
  tick(): void {
    const now = this.context.clock();
    for (const task of [...this.#active.values()]) {
      const minutes = this.jobs.get(task.jobId)?.timeoutMinutes;
      if (task.started !== undefined && minutes !== undefined && now >= task.started + minutes * MINUTE) {
        this.#finish(task, "FAILED", "timeout");
      } else if (beginRetry(task, now)) {
        this.#retry(task);
      } else if (task.status === "QUEUED" && this.jobs.get(task.jobId)?.maximumPerMinute) {
        const device = this.#deviceOf(task);
        if (device !== undefined) this.#dispatch(task, device);
      }
    }
    for (const job of this.jobs.values()) {
      if (job.status === "PLANNED" && now >= (job.scheduleTime ?? 0)) this.#startPlanned(job);
      if (job.status === "IN_PROGRESS" && job.scheduleFinishTime !== undefined && now >= job.scheduleFinishTime) {
        for (const task of this.tasksOf(job.id)) this.cancel(task);
      }
    }
  }

  #startPlanned(job: Job): void {
    const pkg = this.context.packages.get(job.firmwareId);
    if (pkg === undefined) {
      this.cancelJob(job);
      return;
    }
    this.#begin(job, pkg, this.#targets(job, pkg));
  }

  // ---- states

  /** The device's attempt failed: another one when the job has some left, else the end. */
  #failed(task: Task, desc: string): void {
    const job = this.jobs.get(task.jobId);
    const now = this.context.clock();
    if (job === undefined || !planRetry(task, job, now)) {
      this.#finish(task, "FAILED", desc);
      return;
    }
    task.desc = desc;
    this.#pushed.delete(task.id);
    this.#setTask(task, task.status);
    if (beginRetry(task, now)) this.#retry(task);
  }

  #retry(task: Task): void {
    this.context.changed();
    const device = this.#deviceOf(task);
    if (device !== undefined) this.#dispatch(task, device);
  }

  #finish(task: Task, status: TaskStatus, desc: string): void {
    if (this.#active.get(slot(task)) === task) this.#active.delete(slot(task));
    this.#pushed.delete(task.id);
    task.desc = desc;
    this.#setTask(task, status);
    const job = this.jobs.get(task.jobId);
    if (job === undefined) return;
    if (job.type === "VERIFY_FIRMWARE" && status !== "CANCELED") this.#verified(task);
    this.#settle(job);
  }

  #verified(task: Task): void {
    const pkg = this.context.packages.get(task.firmwareId);
    if (pkg === undefined || pkg.status === 1) return;
    pkg.status = task.status === "SUCCEEDED" ? 1 : 3;
    pkg.modified = this.context.clock();
  }

  /** A job ends with its last task. */
  #settle(job: Job): void {
    const tasks = this.tasksOf(job.id);
    if (job.status !== "IN_PROGRESS" || tasks.some(({ status }) => !FINISHED.has(status))) return;
    job.ended = this.context.clock();
    const canceled = tasks.length > 0 && tasks.every(({ status }) => status === "CANCELED");
    this.#setJob(job, canceled ? "CANCELED" : "COMPLETED");
  }

  #setJob(job: Job, status: JobStatus): void {
    job.status = status;
    job.modified = this.context.clock();
    this.context.changed();
  }

  #setTask(task: Task, status: TaskStatus): void {
    task.status = status;
    task.modified = this.context.clock();
    this.#announce(task);
  }

  #announce(task: Task): void {
    const { id, jobId, firmwareId, productKey, deviceName, module, status, desc, progress, srcVersion, destVersion } =
      task;
    const what = `${productKey}/${deviceName} ${module} ${srcVersion || "?"} -> ${destVersion}`;
    this.context.log(
      `task ${id}: ${what}: ${status}${status === "IN_PROGRESS" ? ` ${progress} %` : ""} ${desc}`.trimEnd(),
    );
    this.context.changed();
    this.context.emit("task", {
      taskId: id,
      jobId,
      firmwareId,
      productKey,
      deviceName,
      module,
      status,
      desc,
      progress,
      srcVersion,
      destVersion,
    });
  }
}
