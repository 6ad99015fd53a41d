// What the platform tells the program that runs it: typed events, one name per fact.

/** A device's identity. */
export interface DeviceId {
  productKey: string;
  deviceName: string;
}

/** States of one upgrade task (CONFIRM = waits for ConfirmOTATask). */
export type TaskStatus = "CONFIRM" | "QUEUED" | "NOTIFIED" | "IN_PROGRESS" | "SUCCEEDED" | "FAILED" | "CANCELED";

/** A task as an event shows it. */
export interface TaskEvent extends DeviceId {
  taskId: string;
  jobId: string;
  firmwareId: string;
  module: string;
  status: TaskStatus;
  /** Why it failed or was cancelled; the device's own words for step -1…-4. */
  desc: string;
  /** Percent, 0…100. */
  progress: number;
  srcVersion: string;
  destVersion: string;
}

/** Event name → arguments. */
export interface PlatformEvents {
  "device.online": [DeviceId];
  "device.offline": [DeviceId];
  "property.post": [DeviceId & { params: Record<string, unknown> }];
  "event.post": [DeviceId & { identifier: string; params: Record<string, unknown> }];
  version: [DeviceId & { module: string; version: string }];
  progress: [DeviceId & { module: string; step: number; desc: string }];
  task: [TaskEvent];
}

/** One way out for events, so that a part needs no knowledge of the emitter. */
export type Emit = <K extends keyof PlatformEvents>(name: K, ...args: PlatformEvents[K]) => void;

/** A log line without a line end; secrets never appear in one. */
export type Log = (line: string) => void;
