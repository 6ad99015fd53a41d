// The main job of a device, recorded: connect over TLS, properties both ways, an update, the restart, the new version.

import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { publishFirmware } from "../../host/cli/publish.js";
import { type Platform, startPlatform } from "../../host/platform/index.js";
import { root } from "../paths.js";

const MAIN = join(root, "build", "host", "cli", "main.js");
const ACCESS_KEY = { id: "testid", secret: "testsecret" };

export const PRODUCT_KEY = "a1Record";
export const SECRET = "8f2e5c1d9a7b4e60c3d2";
export const DEVICE_NAME = "recorded";
/** Small slots: an image is compared as a whole. */
export const FLASH = { slots: [0, 1].map((slot) => [slot * 131_072, 131_072]) };
/** Not a multiple of any block, sector or write unit. */
export const FIRMWARE = firmwareOf(30_001);

function firmwareOf(size: number): Buffer {
  const blocks = Array.from({ length: Math.ceil(size / 32) }, (_, i) => createHash("sha256").update(`${i}`).digest());
  return Buffer.concat(blocks).subarray(0, size);
}

/** A platform that knows the device. */
export function recordingPlatform(): Promise<Platform> {
  const devices = [{ deviceName: DEVICE_NAME, deviceSecret: SECRET }];
  const product = { productKey: PRODUCT_KEY, productSecret: "ps", dynamicRegistration: false, devices };
  return startPlatform({ fixtures: { accessKeys: [ACCESS_KEY], products: [product] } });
}

/** A process of the command line. */
export interface Command {
  child: ChildProcess;
  /** What it printed, a line each. */
  lines: string[];
  ended: Promise<{ code: number | null; stderr: string }>;
  /** The first event of this name with --json; rejects when the command ends before. */
  event(name: string): Promise<Record<string, unknown>>;
}

/** Start `alink-agent`; it ends with `release`. */
export function command(args: string[], release: (end: () => void) => void): Command {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  release(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const reader = createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  const ended = once(child, "close").then(([code]) => ({ code: code as number | null, stderr }));
  const event = async (name: string): Promise<Record<string, unknown>> => {
    for (;;) {
      const found = lines
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .find((line) => line.event === name);
      if (found !== undefined) return found;
      const more = await Promise.race([once(reader, "line"), ended]);
      if (!Array.isArray(more)) throw new Error(`alink-agent ended without ${name}: ${more.stderr}${lines.join("\n")}`);
    }
  };
  return { child, lines, ended, event };
}

/** What the job left. */
export interface RecordedJob {
  record: string;
  flash: string;
  events: Record<string, unknown>[];
}

/** Run the main job with `alink-agent run --record`. @param extra more arguments */
export async function recordMainJob(
  platform: Platform,
  folder: string,
  release: (end: () => void) => void,
  extra: string[] = [],
): Promise<RecordedJob> {
  const [device, record, flash, firmware] = ["device.json", "job.record", "job.flash", "firmware.bin"].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  const identity = { productKey: PRODUCT_KEY, deviceName: DEVICE_NAME, DeviceSecret: SECRET, version: "1.0.0" };
  writeFileSync(device, JSON.stringify({ ...identity, flash: FLASH }));
  writeFileSync(firmware, FIRMWARE);
  const { mqtts, ca, api } = platform.ready;
  const own = ["--endpoint", mqtts!, "--ca", ca, "--flash", flash, "--record", record, "--properties", '{"t":21.5}'];
  const run = command(["run", "--device", device, ...own, "--json", ...extra], release);
  await run.event("property.posted");
  await platform.setProperties(PRODUCT_KEY, DEVICE_NAME, { led: 1 });
  const release2 = { file: firmware, version: "2.0.0", productKey: PRODUCT_KEY, deviceNames: [DEVICE_NAME] };
  const { signMethod } = { signMethod: "sha256" as const };
  await publishFirmware({ ...release2, name: "recorded", signMethod }, { url: api!, accessKey: ACCESS_KEY });
  await run.event("update.confirmed");
  run.child.kill("SIGTERM");
  const { code, stderr } = await run.ended;
  if (code !== 0) throw new Error(`alink-agent run ended with ${code}: ${stderr}`);
  return { record, flash, events: run.lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}
