// What the tests of upgrade jobs share: a file, a device that informs and reports, the tasks as the cloud API shows them.

import type { TestContext } from "node:test";
import type { MqttClient } from "mqtt";
import type { Platform } from "../../host/platform/index.js";
import { cloud, device, inform, PRODUCT } from "./harness.js";

export const FILE = Buffer.from("new firmware");
export const UPGRADE = `upgrade/${PRODUCT}/example1`;
export const progress = (from: MqttClient, step: number | string, desc = "", module?: string) =>
  from.publish(
    `/ota/device/progress/${PRODUCT}/example1`,
    JSON.stringify({ id: "1", params: { step: String(step), desc, module } }),
  );

export interface TaskInfo {
  TaskId: string;
  TaskStatus: string;
  TaskDesc: string;
  Progress: string;
  DeviceName: string;
  SrcVersion: string;
  DestVersion: string;
}

export async function tasks(platform: Platform, JobId: string, filter = {}): Promise<TaskInfo[]> {
  type Answer = { Data: { SimpleOTATaskInfo: TaskInfo[] } };
  return (await cloud(platform).request<Answer>("ListOTATaskByJob", { JobId, ...filter })).Data.SimpleOTATaskInfo;
}

export async function jobStatus(platform: Platform, JobId: string): Promise<string> {
  return (await cloud(platform).request<{ Data: { JobStatus: string } }>("QueryOTAJob", { JobId })).Data.JobStatus;
}

/** example1, connected and informed. */
export async function ready(platform: Platform, t: TestContext, version = "1.0.0") {
  const made = await device(t, platform);
  await inform(made, platform, "example1", version);
  return made;
}
