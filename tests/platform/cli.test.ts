import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { isAbsolute, join, relative } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { errorLine, formatBytes, formatTable, Output } from "../../host/cli/output.js";
import { collect, command, finish, folder, platformCommand } from "./command.js";
import { device, event, FIXTURES, message, PRODUCT } from "./harness.js";

test("platform prints one ready line and ends cleanly on SIGTERM", async (t) => {
  const { child, text, ready } = await platformCommand(t, ["--wss", "9443"]);
  assert.deepEqual(Object.keys(ready), ["ready", "mqtt", "mqtts", "http", "https", "api", "coap", "ca"]);
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

test("the CoAP port in use is an error when it was asked for; by default the platform does without", async (t) => {
  const taken = createSocket("udp4").bind(5682, "127.0.0.1");
  t.after(() => taken.close());
  // Somebody else may have it already: it is taken all the same.
  await Promise.race([once(taken, "listening"), once(taken, "error")]);
  const fixtures = join(folder(t), "fixtures.json");
  writeFileSync(fixtures, JSON.stringify(FIXTURES));
  const others = ["mqtt", "mqtts", "http", "https", "api"].flatMap((service) => [`--${service}`, "0"]);
  const refused = await finish(command(t, ["platform", "--fixtures", fixtures, ...others, "--coap", "5682"]));
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /127\.0\.0\.1:5682 is in use: choose another with --coap PORT/);
  const child = command(t, ["platform", "--fixtures", fixtures, ...others]);
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  assert.equal(JSON.parse(line.toString()).coap, undefined);
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
    [["publish", "f", "--fault", "coap-loss=5"], /unknown fault "coap-loss"/],
    [["publish", "f", "--version", "1", "--product", "p", "--endpoint", "nowhere"], /an endpoint is a URL/],
    [
      ["publish", "f", "--version", "1", "--product", "p", "--endpoint", "http://127.0.0.1:1"],
      /no AccessKey: set ALIBABA/,
    ],
    [["no-such-command"], /unknown command/],
    // An empty path is no name: not the current folder, not the default.
    [
      ["platform", "--fixtures", "f", "--data", ""],
      /'--data <dir>' argument '' is invalid\. it names a file or folder/,
    ],
    [["start", "--once", "--data", ""], /'--data <dir>' argument '' is invalid/],
    [["run", "--device", "d", "--flash", ""], /'--flash <file>' argument '' is invalid/],
    [["flash", "inspect", ""], /argument 'file'. it names a file or folder and cannot be empty/],
  ];
  const results = await Promise.all(cases.map(([args]) => finish(command(t, args))));
  for (const [i, [args, message]] of cases.entries()) {
    const { code, stdout, stderr } = results[i]!;
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, /^alink-agent: [^\n]+\(--help shows the usage\)\n$|^alink-agent: no AccessKey[^\n]+\n$/);
    assert.match(stderr, message);
    assert.equal(stdout, "");
  }
});

test("files and directories in each other's place are said in one line", async (t) => {
  const directory = folder(t);
  const file = join(directory, "fixtures.json");
  writeFileSync(file, JSON.stringify(FIXTURES));
  const off = ["mqtt", "mqtts", "http", "https", "api"].flatMap((service) => [`--${service}`, "off"]);
  const cases: [args: string[], message: RegExp][] = [
    [["platform", "--fixtures", directory], /cannot read the fixtures file .*: it is a directory, name a file in it$/],
    [
      ["platform", "--fixtures", file, "--data", "/proc/x", ...off],
      /\/proc\/x as the data directory: its file system takes/,
    ],
    [["platform", "--fixtures", file, "--data", file, ...off], /as the data directory: it is a file; name another/],
    [
      ["platform", "--fixtures", file, "--data", join(file, "x"), ...off],
      /: a part of its path is a file; name another/,
    ],
    [["start", "--once", "--firmware", file, "--data", file], /as the data directory: it is a file; name another/],
    [["start", "--once", "--firmware", directory], /cannot read the firmware .*: it is not a regular file$/],
    [["run", "--device", directory], /cannot read the device file .*: it is a directory, name a file in it$/],
  ];
  const results = await Promise.all(cases.map(([args]) => finish(command(t, args))));
  for (const [i, [args, message]] of cases.entries()) {
    const { code, stderr } = results[i]!;
    assert.equal(code, 1, args.join(" "));
    assert.match(stderr, /^alink-agent: [^\n]+\n$/);
    assert.match(stderr.trim(), message);
  }
});

test("the CA is told by its absolute path", async (t) => {
  const directory = folder(t);
  const fixtures = join(directory, "fixtures.json");
  writeFileSync(fixtures, JSON.stringify(FIXTURES));
  const off = ["mqtt", "mqtts", "http", "https", "api"].flatMap((service) => [`--${service}`, "off"]);
  const data = relative(process.cwd(), join(directory, "data"));
  const child = command(t, ["platform", "--fixtures", fixtures, "--data", data, ...off]);
  const text = collect(child);
  await once(child.stdout!, "data");
  const { ca } = JSON.parse(text.stdout);
  assert.ok(isAbsolute(ca), ca);
  assert.equal(ca, join(directory, "data", "ca.pem"));
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
