import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import { errorLine, formatBytes, formatTable, Output } from "../../host/cli/output.js";
import { publishFirmware } from "../../host/cli/publish.js";
import type { Ready } from "../../host/platform/index.js";
import { ACCESS_KEY, device, event, FIXTURES, fetchFrom, inform, message, PRODUCT, platformFor } from "./harness.js";

const MAIN = join(import.meta.dirname, "..", "..", "host", "cli", "main.js");
const KEYS = { ALIBABA_CLOUD_ACCESS_KEY_ID: ACCESS_KEY.id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: ACCESS_KEY.secret };

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

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "cli-"));
  usedBy(t).folders.push(path);
  return path;
}

function command(t: TestContext, args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const { ALIBABA_CLOUD_ACCESS_KEY_ID: _id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: _secret, ...inherited } = process.env;
  const child = spawn(process.execPath, [MAIN, ...args], { env: { ...inherited, ...env }, stdio: "pipe" });
  usedBy(t).children.push(child);
  return child;
}

function collect(child: ChildProcess): { stdout: string; stderr: string } {
  const text = { stdout: "", stderr: "" };
  child.stdout!.on("data", (chunk) => (text.stdout += chunk));
  child.stderr!.on("data", (chunk) => (text.stderr += chunk));
  return text;
}

async function finish(child: ChildProcess) {
  const text = collect(child);
  const [code] = await once(child, "close");
  return { code: code as number, ...text };
}

/** Start `alink-agent platform` on free ports; resolves with its ready line. */
async function platformCommand(t: TestContext, extra: string[] = []) {
  const directory = folder(t);
  const fixtures = join(directory, "fixtures.json");
  writeFileSync(fixtures, JSON.stringify(FIXTURES));
  const ports = ["mqtt", "mqtts", "http", "https", "api"].flatMap((service) => [`--${service}`, "0"]);
  const data = join(directory, "data");
  const child = command(t, ["platform", "--fixtures", fixtures, "--data", data, ...ports, ...extra]);
  const text = collect(child);
  await once(child.stdout!, "data");
  return { child, text, directory, ready: JSON.parse(text.stdout) as Ready };
}

test("platform prints one ready line and ends cleanly on SIGTERM", async (t) => {
  const { child, text, ready } = await platformCommand(t, ["--coap", "0", "--wss", "9443"]);
  assert.deepEqual(Object.keys(ready), ["ready", "mqtt", "mqtts", "http", "https", "api", "ca"]);
  const made = await device(t, { ready } as never, {}, ready.mqtts);
  const reply = message(made, "post_reply");
  made.publish(`/sys/${PRODUCT}/example1/thing/event/property/post`, '{"id":"1","params":{}}');
  await reply;
  const closed = event(made, "close");
  child.kill("SIGTERM");
  const [code] = await once(child, "close");
  await closed;
  assert.equal(code, 0);
  assert.equal(text.stdout.trim().split("\n").length, 1);
  assert.match(text.stderr, /a1X2bEnP82z\/example1: online/);
  assert.ok(!text.stderr.includes("secret"));
});

test("SIGINT is exit code 130", async (t) => {
  const { child } = await platformCommand(t);
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "close"), [130, null]);
});

test("wrong usage is exit code 2 and one line that says what to do", async (t) => {
  const cases: [args: string[], message: RegExp][] = [
    [["platform"], /required option '--fixtures <file>'/],
    [["platform", "--fixtures", "f", "--mqtt", "70000"], /0-65535/],
    [["platform", "--fixtures", "f", "--fault", "melt"], /unknown fault "melt": use one of push-before-suback/],
    [["platform", "--fixtures", "f", "--fault", "cut-body=x"], /whole number/],
    [["publish", "f", "--version", "1", "--product", "p", "--endpoint", "nowhere"], /an endpoint is a URL/],
    [
      ["publish", "f", "--version", "1", "--product", "p", "--endpoint", "http://127.0.0.1:1"],
      /no AccessKey: set ALIBABA/,
    ],
    [["no-such-command"], /unknown command/],
  ];
  const results = await Promise.all(cases.map(([args]) => finish(command(t, args))));
  for (const [i, [args, message]] of cases.entries()) {
    const { code, stdout, stderr } = results[i]!;
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr.split("\n")[0]!, /^alink-agent: /);
    assert.match(stderr.split("\n")[0]!, message);
    assert.equal(stdout, "");
  }
});

test("a used port and bad fixtures are exit code 1 and one line", async (t) => {
  const directory = folder(t);
  const fixtures = join(directory, "fixtures.json");
  const missing = await finish(command(t, ["platform", "--fixtures", fixtures]));
  assert.deepEqual([missing.code, missing.stdout], [1, ""]);
  assert.match(missing.stderr, /^alink-agent: cannot read the fixtures file .*: no such file\n$/);
  writeFileSync(fixtures, JSON.stringify(FIXTURES));
  const server = createServer().listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const used = await finish(command(t, ["platform", "--fixtures", fixtures, "--mqtt", String(port)]));
  assert.deepEqual([used.code, used.stdout], [1, ""]);
  assert.match(
    used.stderr,
    new RegExp(`^alink-agent: 127\\.0\\.0\\.1:${port} is in use: choose another with --mqtt PORT`, "m"),
  );
});

test("publish releases a file that a device then downloads", async (t) => {
  const { ready, directory } = await platformCommand(t);
  const file = join(directory, "app.bin");
  const content = Buffer.alloc(3_000_000, "firmware ");
  writeFileSync(file, content);
  const made = await device(t, { ready } as never, {}, ready.mqtt);
  const seen = message(made, "post_reply");
  made.publish(`/ota/device/inform/${PRODUCT}/example1`, '{"id":"1","params":{"version":"1.0.0"}}');
  made.publish(`/sys/${PRODUCT}/example1/thing/event/property/post`, '{"id":"2","params":{}}');
  await seen;
  const args = [
    "publish",
    file,
    "--product",
    PRODUCT,
    "--device",
    "example1",
    "--endpoint",
    ready.api!,
    "--ca",
    ready.ca,
  ];
  const pushed = message(made, `upgrade/${PRODUCT}/example1`);
  const plain = await finish(command(t, [...args, "--version", "2.0.0", "--sign-method", "sha256"], KEYS));
  assert.deepEqual([plain.code, plain.stderr], [0, ""]);
  assert.match(plain.stdout, /^upload \d+ %\n/);
  assert.match(plain.stdout, /^upload 100 %$/m);
  const sign = createHash("sha256").update(content).digest("hex");
  assert.match(plain.stdout, new RegExp(`^sha256 +${sign}$`, "m"));
  assert.ok(!/\p{Cc}/u.test(plain.stdout.replaceAll("\n", "")));
  const { data } = JSON.parse(await pushed);
  assert.deepEqual([data.version, data.sign, data.size], ["2.0.0", sign, content.length]);
  assert.ok((await fetchFrom({ ready } as never, data.url)).body.equals(content));

  const json = await finish(command(t, [...args, "--version", "3.0.0", "--json"], KEYS));
  assert.equal(json.code, 0);
  const lines = json.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(lines.length, 1);
  const { event: name, done, version, size, digest, signMethod } = lines[0];
  assert.deepEqual(
    [name, done, version, size, digest, signMethod],
    ["done", true, "3.0.0", content.length, createHash("md5").update(content).digest("hex"), "md5"],
  );
});

test("publish fails in one line, never with the secret", async (t) => {
  const { ready, directory } = await platformCommand(t);
  const file = join(directory, "app.bin");
  writeFileSync(file, "firmware");
  const keyFile = join(directory, "key.json");
  writeFileSync(keyFile, JSON.stringify({ AccessKeyID: ACCESS_KEY.id, accesskeysecret: "not-the-secret" }));
  const empty = join(directory, "empty.bin");
  writeFileSync(empty, "");
  const run = (changes: string[], env: NodeJS.ProcessEnv = KEYS, path = file) =>
    finish(
      command(
        t,
        ["publish", path, "--version", "2.0.0", "--product", PRODUCT, "--endpoint", ready.api!, ...changes],
        env,
      ),
    );
  const ca = ["--ca", ready.ca];
  const cases: [result: ReturnType<typeof run>, message: RegExp][] = [
    [run([]), /https:\/\/127\.0\.0\.1:\d+: its certificate is not trusted: name its CA with --ca FILE/],
    [run(ca, KEYS, join(directory, "none.bin")), /cannot read the firmware .*none\.bin: no such file/],
    [run(ca, KEYS, empty), /empty\.bin is empty/],
    [run(["--ca", join(directory, "none.pem")]), /cannot read the CA file .*no such file/],
    [run([...ca, "--access-key-file", keyFile]), /GenerateOTAUploadURL: SignatureDoesNotMatch/],
    [run([...ca, "--access-key-file", file]), /app\.bin is not JSON: expected \{"accessKeyId"/],
    [run([...ca, "--product", "nobody"]), /CreateOTAFirmware: iot\.firmware\.InvalidProductKey/],
    [run([...ca, "--endpoint", "http://127.0.0.1:1"]), /http:\/\/127\.0\.0\.1:1: nothing listens there/],
    [run([...ca, "--endpoint", ready.http!]), /answered \d+ without JSON/],
  ];
  for (const [result, message] of cases) {
    const { code, stderr } = await result;
    assert.equal(code, 1, stderr);
    assert.match(stderr, message);
    assert.match(stderr, /^alink-agent: [^\n]+\n$/);
    assert.ok(!stderr.includes(ACCESS_KEY.secret) && !stderr.includes("not-the-secret"));
  }
  const json = await run([...ca, "--json", "--product", "nobody"]);
  const fault = JSON.parse(json.stdout.trim());
  assert.equal(fault.event, "fault");
  assert.match(fault.message, /InvalidProductKey/);
});

test("publishFirmware tells its steps and all bytes; without names it is for all devices", async (t) => {
  const platform = await platformFor(t);
  const file = join(folder(t), "app.tar.gz");
  writeFileSync(file, Buffer.alloc(200_000, 7));
  const made = await device(t, platform);
  await inform(made, platform, "example1", "1.0.0");
  const steps: string[] = [];
  let last: [number, number] = [0, 0];
  const { readFileSync } = await import("node:fs");
  const endpoint = { url: platform.ready.api!, accessKey: ACCESS_KEY, ca: readFileSync(platform.ready.ca, "utf8") };
  const pushed = message(made, `upgrade/${PRODUCT}/example1`);
  const release = { file, version: "2.0.0", productKey: PRODUCT, module: "mcu", name: "release1" };
  const released = await publishFirmware(release, endpoint, {
    onStep: (step) => steps.push(step),
    onUpload: (done, total) => {
      assert.ok(done > last[0]);
      last = [done, total];
    },
  });
  assert.deepEqual(steps, ["permission", "upload", "package", "job"]);
  assert.deepEqual(last, [200_000, 200_000]);
  assert.equal(released.name, "release1");
  assert.ok(made);
  // The module has not informed yet, so its task waits.
  await inform(made, platform, "example1", "1.0.0", "mcu");
  assert.equal(JSON.parse(await pushed).data.module, "mcu");
});

test("tables align, bytes read well, errors are one line", () => {
  assert.equal(
    formatTable([
      ["a", "bbb"],
      ["cccc", "d"],
    ]),
    "a     bbb\ncccc  d",
  );
  assert.deepEqual([0, 999, 1000, 150_000, 1_500_000, 4_194_304].map(formatBytes), [
    "0 B",
    "999 B",
    "1.0 kB",
    "150 kB",
    "1.5 MB",
    "4.2 MB",
  ]);
  assert.equal(errorLine(new Error("first\n  second\x1b[31m")), "first second?[31m");
  assert.equal(errorLine(new AggregateError([new Error("inner")])), "inner");
  assert.equal(errorLine("text"), "text");
});

test("progress is a bar on a terminal, lines elsewhere, nothing with --json", () => {
  const show = (isTTY: boolean, json: boolean) => {
    const stdout = Object.assign(new PassThrough(), { isTTY, columns: 60 });
    const output = new Output({ json, stdout });
    for (const done of [0, 5, 50, 55, 100]) output.progress("upload", done, 100);
    output.line("end");
    return String(stdout.read() ?? "");
  };
  assert.equal(show(false, false), "upload 0 %\nupload 50 %\nupload 100 %\nend\n");
  assert.equal(show(false, true), "");
  const bar = show(true, false);
  assert.match(bar.replaceAll("\x1b[K", ""), /\rupload \[#+-+\] {2}50 % 50 B of 100 B/);
  assert.ok(bar.endsWith("\nend\n"));
  assert.ok(bar.split("\r").every((line) => line.replace("\x1b[K", "").trimEnd().length <= 70));
});
