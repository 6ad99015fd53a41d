import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { postObject } from "../../host/cli/cloud_client.js";
import { publishFirmware } from "../../host/cli/publish.js";
import { command, finish, folder, KEYS, platformCommand } from "./command.js";
import { ACCESS_KEY, cloud, device, fetchFrom, inform, message, PRODUCT, platformFor } from "./harness.js";

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
    [run(ca, KEYS, join(directory, "none.bin")), /cannot read the firmware .*none\.bin: no such file/],
    [run(ca, KEYS, empty), /empty\.bin is empty/],
    [run(ca, KEYS, directory), /cannot read the firmware .*: it is not a regular file$/m],
    [run(["--ca", join(directory, "none.pem")]), /cannot read the CA file .*no such file/],
    [run(["--ca", file]), /CA file .*app\.bin: holds no certificate in PEM form/],
    [run(["--ca", directory]), /cannot read the CA file .*: it is a directory, name a file in it$/m],
    [
      run([...ca, "--access-key-file", keyFile]),
      /^alink-agent: GenerateOTAUploadURL: SignatureDoesNotMatch: the AccessKey secret is wrong$/m,
    ],
    [run(ca, { ...KEYS, ALIBABA_CLOUD_ACCESS_KEY_ID: "nobody" }), /the platform does not know the AccessKey ID$/m],
    [run([...ca, "--access-key-file", directory]), /cannot read the AccessKey file .*: it is a directory/],
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
  assert.deepEqual(Object.keys(fault), ["event", "code", "detail", "desc"]);
  assert.deepEqual([fault.event, fault.code, fault.detail], ["fault", -3, 0]);
  assert.match(fault.desc, /InvalidProductKey/);
});

test("publishFirmware tells its steps and all bytes; without names it is for all devices", async (t) => {
  const platform = await platformFor(t);
  const file = join(folder(t), "app.tar.gz");
  writeFileSync(file, Buffer.alloc(200_000, 7));
  const made = await device(t, platform);
  await inform(made, platform, "example1", "1.0.0");
  const steps: string[] = [];
  let last: [number, number] = [0, 0];
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

test("the command as the README has it needs no CA: what came in the clear is uploaded in the clear", async (t) => {
  const { ready, directory } = await platformCommand(t);
  const file = join(directory, "firmware.bin");
  writeFileSync(file, "firmware");
  const made = await device(t, { ready } as never, {}, ready.mqtts);
  const pushed = message(made, `upgrade/${PRODUCT}/example1`);
  made.publish(`/ota/device/inform/${PRODUCT}/example1`, '{"id":"1","params":{"version":"1.0.0"}}');
  const seen = message(made, "post_reply");
  made.publish(`/sys/${PRODUCT}/example1/thing/event/property/post`, '{"id":"2","params":{}}');
  await seen;
  const args = ["publish", file, "--version", "2.0.0", "--product", PRODUCT, "--endpoint", ready.api!];
  const { code, stderr } = await finish(command(t, args, KEYS));
  assert.deepEqual([code, stderr], [0, ""]);
  const { url } = JSON.parse(await pushed).data;
  assert.ok(url.startsWith(`${ready.https}/`), "devices download over TLS all the same");
  assert.equal(String((await fetchFrom({ ready } as never, url)).body), "firmware");
});

test("without http storage the upload goes over https, and says which CA is missing", async (t) => {
  const platform = await platformFor(t, { ports: { http: false } });
  const file = join(folder(t), "app.bin");
  writeFileSync(file, "firmware");
  const endpoint = { url: platform.ready.api!, accessKey: ACCESS_KEY };
  const release = { file, version: "2.0.0", productKey: PRODUCT };
  await assert.rejects(publishFirmware(release, endpoint), {
    message: `${platform.ready.https}: its certificate is not trusted: name its CA with --ca FILE`,
  });
  await publishFirmware(release, { ...endpoint, ca: readFileSync(platform.ready.ca, "utf8") });
});

test("a refused job takes its package along, so that the corrected call succeeds", async (t) => {
  const platform = await platformFor(t);
  const file = join(folder(t), "app.bin");
  writeFileSync(file, "firmware");
  const endpoint = { url: platform.ready.api!, accessKey: ACCESS_KEY };
  const release = { file, version: "2.0.0", productKey: PRODUCT };
  await assert.rejects(
    publishFirmware({ ...release, deviceNames: ["nosuch"] }, endpoint),
    /^Error: CreateOTAStaticUpgradeJob: iot\.\S+: [^;]+$/,
  );
  const left = await cloud(platform).request<{ Total: number }>("ListOTAFirmware", {});
  assert.equal(left.Total, 0);
  const { jobId } = await publishFirmware({ ...release, deviceNames: ["example1"] }, endpoint);
  assert.notEqual(jobId, "");
});

test("no byte counts as uploaded before the connection stands", async (t) => {
  const file = join(folder(t), "app.bin");
  writeFileSync(file, Buffer.alloc(1_000_000));
  // Hears the greeting of the TLS handshake, leaves time to read the file many times over, and hangs up.
  const server = createServer((socket) =>
    socket.once("data", async () => {
      for (let i = 0; i < 20; i++) await readFile(file);
      socket.destroy();
    }),
  ).listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const counted: number[] = [];
  const upload = postObject(`https://127.0.0.1:${port}`, [], file, undefined, (done) => counted.push(done));
  await assert.rejects(upload, /the connection was cut/);
  assert.deepEqual(counted, []);
});

test("--help of publish says where the default digest comes from", async (t) => {
  const { code, stdout } = await finish(command(t, ["publish", "--help"]));
  assert.equal(code, 0);
  assert.match(
    stdout.replace(/\s+/g, " "),
    /--sign-method <digest> .*md5 is the platform's own default.*default: "md5"/,
  );
});
