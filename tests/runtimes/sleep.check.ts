// A device that sleeps between its posts, each time in a process of its own: the C host under the sanitisers, and both
// hosts in turn on the same file.

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import type { Platform } from "../../host/platform/index.js";
import { root } from "../paths.js";
import { collect, command } from "../platform/command.js";
import { PRODUCT, platformFor } from "../platform/harness.js";
import { alinkWamr, CHost, sanitizedHost } from "./c_host.js";
import { CoapTap } from "./coap_tap.js";

const TIMEOUT = { timeout: 60_000 };
const SECRET = "secret-of-example1";
const IDENTITY = { productKey: PRODUCT, deviceName: "example1", deviceSecret: SECRET, version: "1.0.0" };
const ANEW = /the device begins anew/;
const folder = mkdtempSync(join(tmpdir(), "alink-sleep-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let program: string;
before(() => {
  program = sanitizedHost(join(folder, "alink-wamr"));
  // The default modules are found from here.
  process.chdir(root);
});

/** A platform, what it got, what went over the air, and a device that sleeps in a file. */
interface Bench {
  platform: Platform;
  tap: CoapTap;
  values: unknown[];
  device: string;
  asleep: string;
}

let devices = 0;
async function bench(t: TestContext, members: Record<string, unknown> = {}): Promise<Bench> {
  const platform = await platformFor(t);
  const tap = await new CoapTap(platform.ready.coap!, SECRET).open();
  t.after(() => tap.close());
  const values: unknown[] = [];
  platform.on("property.post", ({ params }) => values.push(params.n));
  const device = join(folder, `device-${devices++}.json`);
  writeFileSync(device, JSON.stringify({ ...IDENTITY, ...members }, null, 2));
  return { platform, tap, values, device, asleep: `${device}.asleep` };
}

/** What a process showed until it slept. */
interface Cycle {
  stdout: string;
  stderr: string;
}

type Host = (t: TestContext, bench: Bench, n: number, more?: string[], build?: string) => Promise<Cycle>;

const argumentsOf = ({ tap, asleep }: Bench, n: number): string[] => [
  ...["--endpoint", tap.endpoint, "--snapshot", asleep, "--properties", JSON.stringify({ n })],
];

/** Wake on WAMR, post, sleep. */
const onWamr: Host = async (t, used, n, more = [], build = program) => {
  const host = new CHost(build, [used.device, ...argumentsOf(used, n), ...more]);
  t.after(() => host.stop("SIGKILL"));
  assert.equal((await host.event("property.posted")).code, 200);
  assert.equal(existsSync(used.asleep), false, "a snapshot is used once");
  assert.equal(await host.stop(), 0, host.stderr);
  return { stdout: host.lines.map((line) => JSON.stringify(line)).join("\n"), stderr: host.stderr };
};

/** Wake on Node, post, sleep. */
const onNode: Host = async (t, used, n, more = []) => {
  const posted = once(used.platform, "property.post");
  const child = command(t, ["run", "--device", used.device, "--json", ...argumentsOf(used, n), ...more]);
  const text = collect(child);
  const closed = once(child, "close");
  await Promise.race([posted, closed.then(() => assert.fail(`ended without a post: ${text.stderr}`))]);
  child.kill("SIGTERM");
  const [code] = await closed;
  assert.equal(code, 0, text.stderr);
  return text;
};

function consecutive({ sequences }: CoapTap): void {
  const expected = sequences.map((_, i) => sequences[0]! + i);
  assert.deepEqual(sequences, expected, "a sequence number was left out or repeated");
}

describe("a device that sleeps on WAMR", () => {
  it("goes on in another process: one /auth, every post once, no sequence number twice", TIMEOUT, async (t) => {
    const used = await bench(t);
    for (let n = 1; n <= 5; n++) {
      const { stdout } = await onWamr(t, used, n);
      assert.equal(statSync(used.asleep).mode & 0o777, 0o600);
      assert.equal(existsSync(`${used.asleep}.part`), false);
      assert.equal(/"sessionPresent":false/.test(stdout), n === 1);
      assert.ok(!stdout.includes(SECRET));
    }
    assert.deepEqual(used.values, [1, 2, 3, 4, 5]);
    assert.equal(used.tap.auths, 1);
    assert.ok(used.tap.sequences.length >= 5);
    consecutive(used.tap);
    // CoAP keeps nothing in a flash.
    assert.equal(existsSync(join(folder, "example1.flash")), false);
  });

  it("a thousand times, a process each: no post is lost, no number comes twice", { timeout: 300_000 }, async (t) => {
    const used = await bench(t, { pullInterval: 0 });
    const sizes = new Set<number>();
    for (let n = 0; n < 1000; n++) {
      await onWamr(t, used, n, [], alinkWamr);
      sizes.add(statSync(used.asleep).size);
    }
    assert.deepEqual(
      used.values,
      Array.from({ length: 1000 }, (_, n) => n),
    );
    assert.equal(used.tap.auths, 1);
    consecutive(used.tap);
    assert.equal(sizes.size, 1);
  });

  it("a file of either host opens in the other", TIMEOUT, async (t) => {
    // In the middle, and not whole: the layout becomes a document of its own in both hosts.
    const slots = [0, 1024].map((offset) => [offset, 1024]);
    const flash = { slots, Sector: 256 };
    const used = await bench(t, { flash, DEVICENAME: "example1", pullInterval: 0, ackMode: 1 });
    const more = ["--allow-plain", "http,mqtt"];
    for (const [i, host] of [onNode, onWamr, onWamr, onNode, onWamr].entries()) {
      const { stdout } = await host(t, used, i, more);
      assert.doesNotMatch(stdout, ANEW);
    }
    assert.deepEqual(used.values, [0, 1, 2, 3, 4]);
    assert.equal(used.tap.auths, 1);
    consecutive(used.tap);
  });

  it("the environment's identity is the same configuration in both hosts", TIMEOUT, async (t) => {
    const used = await bench(t, { deviceSecret: "another", extra: '\u00e4"' });
    for (const [i, host] of [onWamr, onNode, onWamr].entries()) {
      process.env.ALINK_DEVICE_SECRET = SECRET;
      t.after(() => delete process.env.ALINK_DEVICE_SECRET);
      assert.doesNotMatch((await host(t, used, i)).stdout, ANEW);
    }
    assert.equal(used.tap.auths, 1);
  });

  it("a post whose answer is lost goes to sleep after 5 s, and counts once", TIMEOUT, async (t) => {
    const used = await bench(t);
    await onWamr(t, used, 1);
    used.tap.deaf = true;
    const posted = once(used.platform, "property.post");
    const events = ["--event", "first={}", "--event", "second={}"];
    const host = new CHost(program, [used.device, ...argumentsOf(used, 2), ...events]);
    t.after(() => host.stop("SIGKILL"));
    await posted;
    assert.equal(await host.stop(), 0, host.stderr);
    // The one in the mailbox, and the one that waits for its place.
    const faults = host.lines.filter(({ event }) => event === "fault");
    assert.equal(faults.length, 2);
    for (const { desc } of faults)
      assert.match(String(desc), /^the event post: it is given up, the device goes to sleep/);
    assert.equal(
      host.lines.some(({ event }) => event === "property.posted"),
      false,
    );
    used.tap.deaf = false;
    // The one that slept is answered first, then the one of this cycle.
    const last = new CHost(program, [used.device, ...argumentsOf(used, 3)]);
    t.after(() => last.stop("SIGKILL"));
    const { id } = await last.event("property.posted");
    await last.event("property.posted", (line) => line.id !== id);
    assert.equal(await last.stop("SIGINT"), 130, last.stderr);
    assert.deepEqual(used.values, [1, 2, 3]);
    assert.equal(used.tap.auths, 1);
    // Once more under its own number, which the platform refuses and the agent takes for the answer.
    assert.equal(new Set(used.tap.sequences).size, used.tap.sequences.length - 1);
  });

  it(
    "a file that is damaged, cut, or of another configuration is told, and the device signs in",
    TIMEOUT,
    async (t) => {
      const used = await bench(t);
      await onWamr(t, used, 0);
      const whole = readFileSync(used.asleep);
      const cases: [string, Buffer, RegExp][] = [
        ["state", Buffer.from(whole).fill(0, 200, 300), /\.asleep: the snapshot is damaged: the device begins anew/],
        ["time", Buffer.from(whole).fill(0, 72, 80), /the snapshot is damaged/],
        ["cut", whole.subarray(0, whole.length - 1), /the snapshot is damaged/],
        ["too long", Buffer.concat([whole, Buffer.alloc(300_000)]), /the snapshot is damaged/],
        ["head alone", whole.subarray(0, 112), /this is no snapshot of a device/],
      ];
      for (const [i, [what, bytes, reason]] of cases.entries()) {
        writeFileSync(used.asleep, bytes);
        const { stdout, stderr } = await onWamr(t, used, i + 1);
        assert.match(stdout, reason, what);
        assert.match(stdout, /"sessionPresent":false/, what);
        assert.ok(!(stdout + stderr).includes(SECRET));
        assert.equal(used.tap.auths, i + 2, what);
      }
      const device = readFileSync(used.device, "utf8");
      writeFileSync(used.device, device.replace("1.0.0", "1.0.1"));
      assert.match((await onWamr(t, used, 6)).stdout, /the snapshot was made with another configuration/);
      const rebuilt = `${used.device}.wasm`;
      // A custom section changes the bytes of the module, not what it does.
      const module = readFileSync(join(root, "build", "agent-coap.wasm"));
      writeFileSync(rebuilt, Buffer.concat([module, Buffer.of(0, 2, 1, 0x78)]));
      const other = await onWamr(t, used, 7, ["--module", rebuilt]);
      assert.match(other.stdout, /the snapshot is of another build of the module/);
      assert.deepEqual(used.values, [0, 1, 2, 3, 4, 5, 6, 7]);
    },
  );

  it("leaves a file alone that is no snapshot, and says at once what cannot be read or written", TIMEOUT, async (t) => {
    const { device, tap } = await bench(t);
    const [notes, short] = [join(folder, "notes.txt"), join(folder, "short.txt")];
    writeFileSync(notes, "not a snapshot");
    writeFileSync(short, "AL");
    mkdirSync(join(folder, "a-folder"), { recursive: true });
    const cases: [string, RegExp][] = [
      [notes, /notes\.txt is no snapshot of a device: name another file, or remove it$/],
      [short, /short\.txt is no snapshot of a device/],
      [join(folder, "missing", "asleep"), /cannot write the snapshot .*missing\/asleep: No such file or directory$/],
      [join(folder, "a-folder"), /cannot (read|write) the snapshot .*a-folder: Is a directory$/],
      ["/proc/alink-asleep", /cannot write the snapshot \/proc\/alink-asleep: No such file or directory$/],
    ];
    for (const [file, reason] of cases) {
      const host = new CHost(program, [device, "--endpoint", tap.endpoint, "--snapshot", file]);
      assert.equal(await host.ended(), 1, file);
      assert.match(host.stderr.trimEnd(), reason);
      assert.equal(host.stderr.trimEnd().split("\n").length, 1);
    }
    assert.equal(readFileSync(notes, "utf8"), "not a snapshot");
  });

  it("over MQTT it connects anew, and posts go on", TIMEOUT, async (t) => {
    const used = await bench(t);
    const { mqtts, ca } = used.platform.ready;
    const more = ["--endpoint", mqtts!, "--ca", ca, "--flash", `${used.device}.flash`];
    for (const n of [1, 2]) assert.doesNotMatch((await onWamr(t, used, n, more)).stdout, ANEW);
    assert.deepEqual(used.values, [1, 2]);
  });
});
