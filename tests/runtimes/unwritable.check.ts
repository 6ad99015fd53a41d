// Files that the C host cannot write: it says so when it starts where that can be known, and when it happens otherwise.
// A limit on the size of files stands in for a full disk.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { TRAPPING_POST, trappingModule } from "../host/trapping_module.js";
import { root, wasm } from "../paths.js";
import { PRODUCT, platformFor } from "../platform/harness.js";
import { CHost, sanitizedHost } from "./c_host.js";

const TIMEOUT = { timeout: 60_000 };
const folder = mkdtempSync(join(tmpdir(), "alink-unwritable-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let program: string;
before(() => {
  program = sanitizedHost(join(folder, "alink-wamr"));
  process.chdir(root);
});

let devices = 0;
/** A device file of its own. @param size of a slot of the flash, bytes */
function deviceFile(size: number): string {
  const file = join(folder, `device-${devices++}.json`);
  const slots = [0, 1].map((slot) => [slot * size, size]);
  const [state, queue, boot] = [0, 1, 2].map((part) => [2 * size + part * 2048, 2048]);
  const identity = { productKey: PRODUCT, deviceName: "example1", deviceSecret: "secret-of-example1" };
  writeFileSync(file, JSON.stringify({ ...identity, flash: { sector: 1024, slots, state, queue, boot } }));
  return file;
}

/** The host where no file may become larger than `kib`. */
function limited(t: TestContext, kib: number, args: string[]): CHost {
  const host = new CHost("bash", ["-c", `ulimit -f ${kib}; exec "$@"`, "-", program, ...args]);
  t.after(() => host.stop("SIGKILL"));
  return host;
}

const remains = (): string[] => readdirSync(folder).filter((name) => /\.(part|new|lock)$/.test(name));

describe("what the C host cannot write", () => {
  it("a capsule: refused when it starts", TIMEOUT, async () => {
    const device = deviceFile(1024);
    const [file, flash] = [join(folder, "a-file"), join(folder, "untouched.flash")];
    writeFileSync(file, "");
    for (const [capsule, reason] of [
      [join(folder, "missing", "c"), "No such file or directory"],
      [join(file, "c"), "Not a directory"],
      [folder, "Is a directory"],
      ["/proc/c", "No such file or directory"],
    ] as const) {
      const host = new CHost(program, [device, "--module", wasm("agent"), "--flash", flash, "--capsule", capsule]);
      assert.equal(await host.ended(), 1);
      assert.equal(host.stderr, `alink-wamr: the capsule ${capsule} cannot be written: ${reason}\n`);
    }
    assert.equal(existsSync(flash), false);
  });

  it("a capsule: told when the disk is full at the trap, and the older one stays", TIMEOUT, async (t) => {
    const platform = await platformFor(t);
    const [module, capsule] = [join(folder, "trapping.wasm"), join(folder, "kept.capsule")];
    writeFileSync(module, trappingModule(true));
    writeFileSync(capsule, "the older one");
    const { mqtt } = platform.ready;
    const own = ["--module", module, "--capsule", capsule, "--flash", join(folder, "trap.flash")];
    const link = ["--endpoint", mqtt!, "--allow-plain", "mqtt", "--properties", TRAPPING_POST];
    const host = limited(t, 12, [deviceFile(1024), ...own, ...link]);
    const told = (desc: RegExp) => host.event("fault", (line) => desc.test(String(line.desc)));
    await told(/^the capsule .*kept\.capsule cannot be written: File too large$/);
    await told(/^the capsule of this trap could not be kept$/);
    assert.equal(readFileSync(capsule, "utf8"), "the older one");
    assert.equal(await host.stop(), 0, host.stderr);
    assert.deepEqual(remains(), []);
  });

  it("a snapshot: exit code 1, and none is left", TIMEOUT, async (t) => {
    const platform = await platformFor(t);
    const asleep = join(folder, "asleep");
    const link = ["--endpoint", platform.ready.coap!, "--snapshot", asleep];
    const host = limited(t, 4, [deviceFile(1024), ...link]);
    await host.event("device.connected");
    assert.equal(await host.stop(), 1);
    assert.equal(host.stderr, `alink-wamr: cannot write the snapshot ${asleep}: File too large\n`);
    assert.equal(existsSync(asleep), false);
    assert.deepEqual(remains(), []);
  });

  it("a flash image: no half of it is left", TIMEOUT, async (t) => {
    const flash = join(folder, "large.flash");
    const host = limited(t, 12, [deviceFile(65_536), "--module", wasm("agent"), "--flash", flash]);
    assert.equal(await host.ended(), 1);
    assert.equal(host.stderr, `alink-wamr: flash image ${flash}: File too large\n`);
    assert.equal(existsSync(flash), false);
    assert.deepEqual(remains(), []);
  });
});
