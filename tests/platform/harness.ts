// What the platform's tests share: a platform with known fixtures, devices that are the mqtt package, HTTP with our CA.

import { createHmac } from "node:crypto";
import { type EventEmitter, once } from "node:events";
import { readFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { TestContext } from "node:test";
import RPCClient from "@alicloud/pop-core";
import mqtt, { type MqttClient } from "mqtt";
import {
  type Fixtures,
  type Platform,
  type PlatformOptions,
  startPlatform,
  type TaskEvent,
} from "../../host/platform/index.js";

export const PRODUCT = "a1X2bEnP82z";
export const ACCESS_KEY = { id: "testid", secret: "testsecret" };
const SECRETS: Record<string, string> = {
  example1: "secret-of-example1",
  example2: "secret-of-example2",
  disabled: "off",
};

export const FIXTURES: Fixtures = {
  accessKeys: [ACCESS_KEY],
  products: [
    {
      productKey: PRODUCT,
      productSecret: "product-secret",
      dynamicRegistration: false,
      devices: [
        { deviceName: "example1", deviceSecret: SECRETS.example1!, version: "1.0.0" },
        { deviceName: "example2", deviceSecret: SECRETS.example2! },
        { deviceName: "disabled", deviceSecret: SECRETS.disabled!, disabled: true },
      ],
    },
    { productKey: "otherProduct", productSecret: "p2", dynamicRegistration: false, devices: [] },
  ],
};

/** A platform that ends with the test. */
export async function platformFor(t: TestContext, options: Partial<PlatformOptions> = {}): Promise<Platform> {
  const platform = await startPlatform({ fixtures: FIXTURES, ...options });
  t.after(() => platform.close());
  return platform;
}

export interface Login {
  deviceName?: string;
  /** Part before the first bar. */
  base?: string;
  /** Text between the bars. */
  extension?: string;
  secret?: string;
  method?: "md5" | "sha1" | "sha256";
  timestamp?: string;
  options?: mqtt.IClientOptions;
}

/** CONNECT fields as a device makes them; independent of the platform's code. */
export function credentials(url: string, login: Login = {}): { clientId: string; username: string; password: string } {
  const { deviceName = "example1", method = "sha256", timestamp = "2524608000000" } = login;
  const base = login.base ?? `${PRODUCT}.${deviceName}`;
  const mode = url.startsWith("mqtts:") ? 2 : 3;
  const extension = login.extension ?? `timestamp=${timestamp},securemode=${mode},signmethod=hmac${method}`;
  const stamp = /timestamp=(\d+)/.exec(extension)?.[1];
  const content = `clientId${base}deviceName${deviceName}productKey${PRODUCT}${stamp ? `timestamp${stamp}` : ""}`;
  const password = createHmac(method, login.secret ?? SECRETS[deviceName] ?? "")
    .update(content)
    .digest("hex");
  return { clientId: `${base}|${extension}|`, username: `${deviceName}&${PRODUCT}`, password };
}

/** A client that is not connected yet. */
export function client(t: TestContext, platform: Platform, url: string, login: Login = {}): MqttClient {
  const made = mqtt.connect(url, {
    ...credentials(url, login),
    keepalive: 60,
    reconnectPeriod: 0,
    ca: readFileSync(platform.ready.ca),
    ...login.options,
  });
  t.after(() => made.end(true));
  return made;
}

/** The next event of a client; the mqtt package's typed emitter is not what once() expects. */
export function event(from: MqttClient, name: "connect" | "close" | "error"): Promise<unknown[]> {
  return once(from as unknown as EventEmitter, name);
}

/** A connected device. */
export async function device(t: TestContext, platform: Platform, login: Login = {}, url = platform.ready.mqtts!) {
  const made = client(t, platform, url, login);
  await event(made, "connect");
  return made;
}

/** CONNACK return code of a login, 0 when accepted. */
export async function connackOf(t: TestContext, platform: Platform, login: Login, url = platform.ready.mqtt!) {
  const made = client(t, platform, url, login);
  return new Promise<number>((resolve, reject) => {
    made.once("connect", () => resolve(0));
    made.once("error", (error: Error & { code?: number }) => {
      if (typeof error.code === "number") resolve(error.code);
      else reject(error);
    });
  });
}

/** The next message on a topic that ends like this; listen before causing it. */
export function message(from: MqttClient, topicEnd: string): Promise<string> {
  return new Promise((resolve) => {
    const listener = (topic: string, payload: Buffer) => {
      if (!topic.endsWith(topicEnd)) return;
      from.off("message", listener);
      resolve(payload.toString());
    };
    from.on("message", listener);
  });
}

/** The next task event that fits. */
export function taskEvent(platform: Platform, fits: (task: TaskEvent) => boolean): Promise<TaskEvent> {
  return new Promise((resolve) => {
    const listener = (task: TaskEvent) => {
      if (!fits(task)) return;
      platform.off("task", listener);
      resolve(task);
    };
    platform.on("task", listener);
  });
}

/** Report a version, resolve when the platform has seen it. */
export async function inform(
  from: MqttClient,
  platform: Platform,
  deviceName: string,
  version: string,
  module?: string,
) {
  const seen = once(platform, "version");
  from.publish(`/ota/device/inform/${PRODUCT}/${deviceName}`, JSON.stringify({ id: "1", params: { version, module } }));
  await seen;
}

export interface Response {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

/** One HTTP exchange; trusts the platform's CA only. */
export function fetchFrom(
  platform: Platform,
  url: string,
  options: { method?: string; headers?: http.OutgoingHttpHeaders; body?: Buffer | string } = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { method = "GET", headers = {}, body } = options;
    const settings = { method, headers, ca: readFileSync(platform.ready.ca), agent: false as const };
    const request = url.startsWith("https:") ? https.request(url, settings) : http.request(url, settings);
    request.on("error", reject);
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.end(body);
  });
}

/** Alibaba Cloud's own client of the cloud API. */
export function cloud(platform: Platform, key = ACCESS_KEY): RPCClient {
  return new RPCClient({
    endpoint: platform.ready.api!,
    apiVersion: "2018-01-20",
    accessKeyId: key.id,
    accessKeySecret: key.secret,
  });
}

/** A form as PostObject wants it. */
export function form(
  fields: Record<string, string>,
  file: Buffer,
): { headers: http.OutgoingHttpHeaders; body: Buffer } {
  const boundary = "test-boundary";
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const head = `${parts.join("")}--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n`;
  const body = Buffer.concat([Buffer.from(head), file, Buffer.from(`\r\n--${boundary}--\r\n`)]);
  return {
    headers: { "Content-Type": `multipart/form-data; boundary=${boundary}`, "Content-Length": body.length },
    body,
  };
}

export interface UploadData {
  Key: string;
  Host: string;
  Policy: string;
  OSSAccessKeyId: string;
  ObjectStorage: string;
  UtcCreate: string;
  Signature: string;
  FirmwareUrl: string;
}

/** Upload a file the documented way; returns its FirmwareUrl. */
export async function upload(platform: Platform, file: Buffer): Promise<string> {
  const { Data } = await cloud(platform).request<{ Data: UploadData }>("GenerateOTAUploadURL", {});
  const fields = { key: Data.Key, policy: Data.Policy, OSSAccessKeyId: Data.OSSAccessKeyId, signature: Data.Signature };
  const response = await fetchFrom(platform, Data.Host, {
    method: "POST",
    ...form({ ...fields, success_action_status: "200" }, file),
  });
  if (response.status !== 200) throw new Error(response.body.toString());
  return Data.FirmwareUrl;
}

let packageCount = 0;

/** Upload a file and make a package of it that needs no verification; returns its FirmwareId. */
export async function createPackage(platform: Platform, file: Buffer, members: Record<string, unknown> = {}) {
  const FirmwareUrl = await upload(platform, file);
  const { Data } = await cloud(platform).request<{ Data: { FirmwareId: string } }>("CreateOTAFirmware", {
    FirmwareName: `package${++packageCount}`,
    DestVersion: "2.0.0",
    ProductKey: PRODUCT,
    FirmwareUrl,
    NeedToVerify: "false",
    ...members,
  });
  return Data.FirmwareId;
}

/** Start an upgrade job for example1; returns its JobId. */
export async function createJob(platform: Platform, FirmwareId: string, members: Record<string, unknown> = {}) {
  const { Data } = await cloud(platform).request<{ Data: { JobId: string } }>("CreateOTAStaticUpgradeJob", {
    FirmwareId,
    ProductKey: PRODUCT,
    TargetSelection: "SPECIFIC",
    TargetDeviceName: ["example1"],
    ...members,
  });
  return Data.JobId;
}

/** The business or gateway code a call fails with. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    return String((error as { code?: unknown }).code);
  }
  return "";
}
