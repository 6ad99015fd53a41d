// Upgrade jobs and tasks as records: what is kept of them on disk.

import type { TaskStatus } from "./events.js";
import type { Faults } from "./faults.js";

/** PLANNED waits for its schedule. */
export type JobStatus = "PLANNED" | "IN_PROGRESS" | "COMPLETED" | "CANCELED";

/** One job. Times are milliseconds since 1970. */
export interface Job {
  id: string;
  type: "VERIFY_FIRMWARE" | "UPGRADE_FIRMWARE";
  status: JobStatus;
  firmwareId: string;
  productKey: string;
  targetSelection: "ALL" | "SPECIFIC" | "GRAY";
  grayPercent: string;
  targetDevices: string[];
  srcVersions: string[];
  timeoutMinutes: number | undefined;
  needPush: boolean;
  needConfirm: boolean;
  overwriteMode: 1 | 2;
  maximumPerMinute: number | undefined;
  retryCount: number | undefined;
  retryInterval: number | undefined;
  scheduleTime: number | undefined;
  scheduleFinishTime: number | undefined;
  tags: { key: string; value: string }[];
  /** What goes wrong with this job only, beside the platform's own faults. */
  faults?: Faults;
  created: number;
  modified: number;
  started: number | undefined;
  ended: number | undefined;
}

/** One task. Times are milliseconds since 1970. */
export interface Task {
  id: string;
  jobId: string;
  firmwareId: string;
  productKey: string;
  deviceName: string;
  module: string;
  status: TaskStatus;
  desc: string;
  progress: number;
  srcVersion: string;
  destVersion: string;
  created: number;
  modified: number;
  /** First progress report. */
  started: number | undefined;
  /** Further attempts that were made or are planned; absent = none. */
  retries?: number;
  /** When the next attempt begins; absent or undefined = none is planned. */
  retryAt?: number | undefined;
}

/** States a task does not leave. */
export const FINISHED: ReadonlySet<TaskStatus> = new Set(["SUCCEEDED", "FAILED", "CANCELED"]);

/** Where only one unfinished task may be: a module of a device. */
export function slot({
  productKey,
  deviceName,
  module,
}: {
  productKey: string;
  deviceName: string;
  module: string;
}): string {
  return `${productKey}/${deviceName}/${module}`;
}
