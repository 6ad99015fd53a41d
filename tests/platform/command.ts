// The command line as a process of its own, for the tests of commands.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Ready } from "../../host/platform/index.js";
import { ACCESS_KEY, FIXTURES } from "./harness.js";

const MAIN = join(import.meta.dirname, "..", "..", "host", "cli", "main.js");
/** The AccessKey pair of the fixtures, for the environment. */
export const KEYS = { ALIBABA_CLOUD_ACCESS_KEY_ID: ACCESS_KEY.id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: ACCESS_KEY.secret };

interface Used {
  children: ChildProcess[];
  folders: string[];
}
const used = new WeakMap<TestContext, Used>();

/** What a test started and made; processes end before their folders go. */
function usedBy(t: TestContext): Used {
  const known = used.get(t);
  if (known !== undefined) return known;
  const fresh: Used = { children: [], folders: [] };
  used.set(t, fresh);
  t.after(async () => {
    for (const child of fresh.children) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    for (const path of fresh.folders) rmSync(path, { recursive: true, force: true });
  });
  return fresh;
}

/** A directory that goes with the test. */
export function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cli-"));
  usedBy(t).folders.push(path);
  return path;
}

/** Start the command line; the process ends with the test. */
export function command(t: TestContext, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const { ALIBABA_CLOUD_ACCESS_KEY_ID: _id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: _secret, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...inherited, ...env }, stdio: "pipe" });
  usedBy(t).children.push(child);
  return child;
}

/** What a process writes, as far as it has come. */
export function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const text = { stdout: "", stderr: "" };
  child.stdout!.on("data", (chunk) => (text.stdout += chunk));
  child.stderr!.on("data", (chunk) => (text.stderr += chunk));
  return text;
}

/** The exit code and all that a process wrote. */
export async function finish(child: ChildProcess) {
  const text = collect(child);
  const [code] = await once(child, "close");
  return { code: code as number, ...text };
}

/** Start `alink-agent platform` on free ports; resolves with its ready line. */
export async function platformCommand(t: TestContext, extra: string[] = []) {
  const directory = folder(t);
  const fixtures = join(directory, "fixtures.json");
  writeFileSync(fixtures, JSON.stringify(FIXTURES));
  const ports = ["mqtt", "mqtts", "http", "https", "api", "coap"].flatMap((service) => [`--${service}`, "0"]);
  const data = join(directory, "data");
  const child = command(t, ["platform", "--fixtures", fixtures, "--data", data, ...ports, ...extra]);
  const text = collect(child);
  await once(child.stdout!, "data");
  return { child, text, directory, ready: JSON.parse(text.stdout) as Ready };
}
