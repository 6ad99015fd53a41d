// The C host's capsules open in `alink-agent replay`, and what stopped the module on WAMR stops it again on V8.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { flashLayout } from "../../host/node/flash_layout.js";
import type { Platform } from "../../host/platform/index.js";
import { command, DEVICE_NAME, FLASH, PRODUCT_KEY, recordingPlatform, SECRET } from "../host/recorded_job.js";
import { findSecrets } from "../host/secrets.js";
import { TRAPPING_POST, trappingModule } from "../host/trapping_module.js";
import { root } from "../paths.js";
import { CHost, sanitizedHost } from "./c_host.js";

const folder = mkdtempSync(join(tmpdir(), "alink-capsule-"));
const program = sanitizedHost(join(folder, "alink-wamr"));
const replayProgram = join(root, "tests", "runtimes", "target", "release", "replay");
const ends: (() => unknown)[] = [];
let platform: Platform;

before(async () => {
  platform = await recordingPlatform();
});

after(async () => {
  for (const end of ends) await end();
  await platform?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Case {
  module: string;
  capsule: string;
}

/** Let a device connect and trap. @param once the trap does not come again on what it left */
async function trap(name: string, once: boolean): Promise<Case> {
  const [module, capsule, device] = ["wasm", "capsule", "json"].map((end) => join(folder, `${name}.${end}`)) as [
    string,
    string,
    string,
  ];
  writeFileSync(module, trappingModule(once));
  const identity = {
    productKey: PRODUCT_KEY,
    deviceName: DEVICE_NAME,
    deviceSecret: SECRET,
    flash: flashLayout(FLASH),
  };
  writeFileSync(device, JSON.stringify(identity));
  const { mqtts, ca } = platform.ready;
  const own = ["--module", module, "--capsule", capsule, "--flash", join(folder, `${name}.flash`)];
  const host = new CHost(program, [device, ...own, "--endpoint", mqtts!, "--ca", ca, "--properties", TRAPPING_POST]);
  ends.push(() => host.stop("SIGKILL"));
  await host.event("fault", ({ desc }) => /the module stopped/.test(String(desc)));
  await host.stop("SIGTERM");
  return { module, capsule };
}

async function replay({ module, capsule }: Case): Promise<{ code: number | null; lines: Record<string, unknown>[] }> {
  const run = command(["replay", capsule, "--module", module, "--json"], (end) => ends.push(end));
  const { code } = await run.ended;
  return { code, lines: run.lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
}

describe("capsules of the C host", () => {
  it("the trap comes again, from a snapshot that is older than it", async () => {
    const made = await trap("again", true);
    assert.equal(statSync(made.capsule).mode & 0o777, 0o600);
    const { code, lines } = await replay(made);
    assert.equal(code, 0, JSON.stringify(lines));
    const [head, note] = lines;
    assert.deepEqual([head!.kind, head!.secretsKept, head!.derived], ["capsule", false, true]);
    assert.match(String(note!.text), /^the module stopped: Exception: unreachable; 1 in a row, after \d+ calls$/);
    // What led there is made again as well.
    assert.ok(lines.some(({ event }) => event === "device.connected"));
    const { equal, complete, trap: text, calls } = lines.at(-1)!;
    assert.deepEqual([equal, complete, text], [true, true, "unreachable"]);
    assert.ok((calls as number) > 50);
    assert.deepEqual(findSecrets(readFileSync(made.capsule), [SECRET]), []);
  });

  it("the trap comes again on wamr, wasm3 and wasmi", async () => {
    const { module, capsule } = await trap("everywhere", true);
    for (const runtime of ["wamr", "wasm3", "wasmi"]) {
      const { status, stderr } = spawnSync(replayProgram, [runtime, module, capsule]);
      assert.equal(status, 0, stderr.toString());
      assert.match(stderr.toString(), /^\d+ calls, the last one trapped: .*unreachable/);
    }
  });

  it("names its module", async () => {
    const { capsule } = await trap("named", true);
    const other = join(folder, "other.wasm");
    writeFileSync(other, trappingModule(false));
    const { code, lines } = await replay({ module: other, capsule });
    assert.equal(code, 1);
    assert.match(String(lines.at(-1)!.desc), /was made with the module of SHA-256 [0-9a-f]{64}, this one has/);
  });
});
