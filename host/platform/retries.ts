// Automatic retries of a failed task (Alink §7): after a failure step or a wrong version, not after a time-out or a
// cancellation, and only in jobs that name their source versions. What is displayed of the task does not change meanwhile.

import type { Job, Task } from "./job.js";

const MINUTE = 60_000;

/**
 * Plan another attempt of a task that failed.
 *
 * Returns false when there is none: the failure is final.
 */
export function planRetry(task: Task, job: Job, now: number): boolean {
  const done = task.retries ?? 0;
  if (job.srcVersions.length === 0 || job.retryCount === undefined || done >= job.retryCount) return false;
  task.retries = done + 1;
  task.retryAt = now + (job.retryInterval ?? 0) * MINUTE;
  // The time-out runs from the first progress report of each attempt.
  task.started = undefined;
  task.progress = 0;
  return true;
}

/** The task waits for its next attempt: nothing is handed out, and late reports of the last one do not count. */
export function waitsForRetry(task: Task): boolean {
  return task.retryAt !== undefined;
}

/** The next attempt begins now. Returns whether it was due. */
export function beginRetry(task: Task, now: number): boolean {
  if (task.retryAt === undefined || now < task.retryAt) return false;
  task.retryAt = undefined;
  return true;
}
