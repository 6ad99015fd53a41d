// A whole update on the Node host beside its bounds: agent-host.wasm takes 64 MiB over plain HTTP on the loopback into a
// flash in a file, against the module's SHA-256 alone, and against programs that only fetch and hash the same URL.

import { execFile, fork } from "node:child_process";
import { createHash, randomFillSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Device } from "../node/device.js";
import type { Fixtures, Ready } from "../platform/index.js";
import { percentile, type Result } from "./bench.js";
import { OURS } from "./bench_subjects.js";
import { publishFirmware } from "./publish.js";

export const UPDATE_NAME = "update sha256";
const SIZE = 64 * 1024 * 1024;
/** HASH_SLICE of agent-host.wasm: what the module hashes in one step. */
const SLICE = 8192;
const ACCESS_KEY = { id: "bench", secret: "bench" };
const DEVICE = { productKey: "a1bench", deviceName: "bench-device", deviceSecret: "bench" };

export function fixturesOf(): Fixtures {
  const { productKey, deviceName, deviceSecret } = DEVICE;
  const product = { productKey, productSecret: "bench", dynamicRegistration: false };
  return { accessKeys: [ACCESS_KEY], products: [{ ...product, devices: [{ deviceName, deviceSecret }] }] };
}

/** Milliseconds that each subject took, round by round. */
type Times = Map<string, number[]>;

/** One result for each subject; a ratio is the median of the ratios round by round. */
export async function measureUpdate(rounds: number, version: string, machine: string, size = SIZE): Promise<Result[]> {
  const folder = mkdtempSync(join(tmpdir(), "alink-bench-"));
  const child = fork(new URL("./bench_update_platform.js", import.meta.url));
  let device: Device | undefined;
  try {
    const [ready] = (await once(child, "message")) as [Ready];
    device = new Device({
      configuration: { ...DEVICE, allowPlain: ["mqtt", "http"], flash: LAYOUT },
      endpoint: ready.mqtt!,
      flash: join(folder, "device.flash"),
      module: readFileSync(new URL("../../agent-host.wasm", import.meta.url)),
    });
    await device.start();
    await once(device, "device.connected");
    const times: Times = new Map();
    for (let round = 0; round < rounds; round++) await measureRound(round, size, folder, ready, device, child, times);
    return results(times, size, version, machine);
  } finally {
    await device?.stop();
    child.disconnect();
    await once(child, "exit");
    rmSync(folder, { recursive: true, force: true });
  }
}

const LAYOUT = {
  sector: 4096,
  write: 16,
  slots: [
    [0, SIZE],
    [SIZE, SIZE],
  ],
};

async function measureRound(
  round: number,
  size: number,
  folder: string,
  ready: Ready,
  device: Device,
  child: ReturnType<typeof fork>,
  times: Times,
): Promise<void> {
  const file = join(folder, "firmware.bin");
  const bytes = randomFillSync(new Uint8Array(size));
  writeFileSync(file, bytes);
  const digest = createHash("sha256").update(bytes).digest("hex");
  const add = (subject: string, ms: number) => times.set(subject, [...(times.get(subject) ?? []), ms]);
  add(ALONE, hashAlone(bytes, digest));

  let took = Number.NaN;
  // in the listener: until the loop comes to an end, the boot loader has made everything durable for the activation
  device.once("update.verified", () => {
    took = performance.now() - begun;
  });
  const confirmed = once(device, "update.confirmed");
  let begun = 0;
  device.once("update.offered", () => {
    begun = performance.now();
  });
  const release = { file, version: `${round + 2}.0.0`, productKey: DEVICE.productKey, signMethod: "sha256" as const };
  const { firmwareId } = await publishFirmware(release, { url: ready.api!, accessKey: ACCESS_KEY });
  await confirmed;
  add(OURS, took);

  const url = once(child, "message");
  child.send(firmwareId);
  const [address] = (await url) as [string];
  for (const [subject, run] of await others()) {
    const start = performance.now();
    const found = await run(address);
    add(subject, performance.now() - start);
    if (found !== digest) throw new Error(`${subject} has another digest of the package than the device: ${found}`);
  }
}

/** The module's own SHA-256 without link and flash, in the slices of an update: crypto-mcu.wasm has the same code. */
const ALONE = "its SHA-256 alone";

interface DigestExports {
  memory: WebAssembly.Memory;
  windowPtr(): number;
  digestSize(): number;
  digestInit(kind: number, ctx: number): void;
  digestUpdate(kind: number, ctx: number, ptr: number, len: number): void;
  digestFinal(kind: number, ctx: number, out: number): void;
}

function hashAlone(bytes: Uint8Array, expected: string): number {
  const module = new WebAssembly.Module(readFileSync(new URL("../../crypto-mcu.wasm", import.meta.url)));
  const wasm = new WebAssembly.Instance(module, {}).exports as unknown as DigestExports;
  const ctx = wasm.windowPtr();
  const input = ctx + Math.ceil(wasm.digestSize() / 64) * 64;
  const memory = new Uint8Array(wasm.memory.buffer);
  const hash = (length: number): number => {
    const start = performance.now();
    wasm.digestInit(2, ctx);
    for (let at = 0; at < length; at += SLICE) {
      const slice = bytes.subarray(at, Math.min(at + SLICE, length));
      memory.set(slice, input);
      wasm.digestUpdate(2, ctx, input, slice.length);
    }
    wasm.digestFinal(2, ctx, input);
    return performance.now() - start;
  };
  // until the engine has compiled it for good
  hash(bytes.length / 16);
  const ms = hash(bytes.length);
  if (Buffer.from(memory.subarray(input, input + 32)).toString("hex") !== expected)
    throw new Error("the module's SHA-256 disagrees with node:crypto's");
  return ms;
}

type Fetcher = (url: string) => Promise<string>;

/** Programs and libraries that are there; one that is not is left out. */
async function others(): Promise<Map<string, Fetcher>> {
  const found = new Map<string, Fetcher>();
  const shell = promisify(execFile);
  const has = (program: string) =>
    shell("sh", ["-c", `command -v ${program}`]).then(
      () => true,
      () => false,
    );
  if ((await has("curl")) && (await has("sha256sum")))
    found.set("curl | sha256sum", async (url) => {
      const { stdout } = await shell("sh", ["-c", 'curl -sS "$1" | sha256sum', "sh", url]);
      return stdout.slice(0, 64);
    });
  const hashWasm = await loadHashWasm();
  if (hashWasm !== undefined) found.set("hash-wasm", (url) => hashStream(url, hashWasm));
  found.set("node:crypto", (url) => hashStream(url, async () => createHash("sha256")));
  return found;
}

interface Hasher {
  update(bytes: Uint8Array): unknown;
  digest(encoding: "hex"): string;
}

async function loadHashWasm(): Promise<(() => Promise<Hasher>) | undefined> {
  try {
    const path = createRequire(import.meta.url).resolve("hash-wasm");
    const { createSHA256 } = (await import(path)) as { createSHA256: () => Promise<Hasher> };
    return createSHA256;
  } catch {
    return undefined;
  }
}

async function hashStream(url: string, create: () => Promise<Hasher>): Promise<string> {
  const hasher = await create();
  await new Promise<void>((resolve, reject) => {
    get(url, (response) => {
      response.on("data", (chunk: Buffer) => hasher.update(chunk));
      response.on("end", resolve);
      response.on("error", reject);
    }).on("error", reject);
  });
  return hasher.digest("hex");
}

function results(times: Times, size: number, version: string, machine: string): Result[] {
  const rounded = (value: number, digits: number) => Number(value.toPrecision(digits));
  return [...times].map(([subject, spent]) => {
    const speeds = spent.map((ms) => size / ms / 1000);
    const at = (share: number) => rounded(percentile(speeds, share), 4);
    const ratio = (other: number[]) =>
      rounded(
        percentile(
          spent.map((ms, i) => other[i]! / ms),
          0.5,
        ),
        3,
      );
    const ratioTo = Object.fromEntries(
      [...times].filter(([other]) => other !== subject).map(([other, ms]) => [other, ratio(ms)]),
    );
    const [median, p10, p90] = [at(0.5), at(0.1), at(0.9)];
    const own = subject === OURS || subject === ALONE ? version : "";
    return { name: UPDATE_NAME, subject, size, median, p10, p90, unit: "MB/s", ratioTo, version: own, machine };
  });
}
