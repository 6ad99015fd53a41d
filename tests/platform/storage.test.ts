import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Platform, PlatformOptions } from "../../host/platform/index.js";
import { BUCKET, presign, type StorageKey, sign, stringToSign } from "../../host/platform/oss_signature.js";
import { parseRange } from "../../host/platform/storage_http.js";
import { vectors } from "../paths.js";
import { cloud, fetchFrom, form, platformFor, type UploadData, upload } from "./harness.js";

const xmlMember = (body: Buffer, name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(body.toString())?.[1];
const permission = async (platform: Platform, parameters = {}) =>
  (await cloud(platform).request<{ Data: UploadData }>("GenerateOTAUploadURL", parameters)).Data;
const formFields = ({ Key, Policy, OSSAccessKeyId, Signature }: UploadData) => ({
  key: Key,
  policy: Policy,
  OSSAccessKeyId,
  signature: Signature,
  success_action_status: "200",
});
const post = (platform: Platform, url: string, fields: Record<string, string>, file: Buffer) =>
  fetchFrom(platform, url, { method: "POST", ...form(fields, file) });

/** A platform with a directory of its own: the storage's key can be read there, as only its owner can. */
async function withKey(t: TestContext, options: Partial<PlatformOptions> = {}) {
  const data = mkdtempSync(join(tmpdir(), "storage-"));
  t.after(() => rmSync(data, { recursive: true, force: true }));
  const platform = await platformFor(t, { data, ...options });
  const key = JSON.parse(readFileSync(join(data, "storage-key.json"), "utf8")) as StorageKey;
  return { platform, data, key };
}

/** A stored object and a URL to it. */
async function stored(t: TestContext, file: Buffer, options: Partial<PlatformOptions> = {}) {
  const { platform, key } = await withKey(t, options);
  const url = new URL(await upload(platform, file));
  const expires = Math.floor((options.clock?.() ?? Date.now()) / 1000) + 60;
  return { platform, url: presign(url.origin, url.pathname.slice(1), expires, key) };
}

test("strings to sign and signatures equal the independent vectors", () => {
  const all = JSON.parse(readFileSync(vectors("alink.json"), "utf8")) as { id: string; in: never; out: never }[];
  const find = (id: string) =>
    all.find((vector) => vector.id === id)! as { in: Record<string, never>; out: Record<string, never> };
  const url = find("oss-get-url-sts");
  const text = stringToSign({
    method: "GET",
    expires: String(url.in.expires),
    key: url.in.key!,
    subresources: [`security-token=${url.in.securityToken}`],
  });
  assert.equal(text.replace(`/${BUCKET}/`, `/${url.in.bucket}/`), url.out.stringToSign);
  assert.equal(sign(url.in.accessKeySecret!, url.out.stringToSign!), url.out.signature);
  const policy = find("oss-policy-seed002");
  assert.equal(sign(policy.in.accessKeySecret!, policy.out.policy!), policy.out.signature);
});

test("ranges are read as RFC 9110 says", () => {
  const cases: [header: string | undefined, expected: unknown][] = [
    [undefined, undefined],
    ["bytes=0-0", { start: 0, end: 0 }],
    ["bytes=5-", { start: 5, end: 9 }],
    ["bytes=5-100", { start: 5, end: 9 }],
    ["bytes=-3", { start: 7, end: 9 }],
    ["bytes=-30", { start: 0, end: 9 }],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=10-", "unsatisfiable"],
    ["bytes=5-4", undefined],
    ["bytes=-", undefined],
    ["bytes=1-2,4-5", undefined],
    ["items=1-2", undefined],
  ];
  for (const [header, expected] of cases) assert.deepEqual(parseRange(header, 10), expected, header);
  assert.equal(parseRange("bytes=0-", 0), "unsatisfiable");
});

test("an object comes back whole, by range and by head, over HTTPS and HTTP", async (t) => {
  const file = Buffer.from(Array.from({ length: 70_000 }, (_, i) => i % 251));
  const { platform, url } = await stored(t, file);
  const plain = url.replace(platform.ready.https!, platform.ready.http!);
  for (const place of [url, plain]) {
    const whole = await fetchFrom(platform, place);
    assert.equal(whole.status, 200);
    assert.ok(whole.body.equals(file));
    assert.equal(whole.headers["content-length"], "70000");
    assert.equal(whole.headers.etag, `"${createHash("md5").update(file).digest("hex").toUpperCase()}"`);
  }
  const part = await fetchFrom(platform, url, { headers: { Range: "bytes=65530-65540" } });
  assert.equal(part.status, 206);
  assert.equal(part.headers["content-range"], "bytes 65530-65540/70000");
  assert.ok(part.body.equals(file.subarray(65530, 65541)));
  const beyond = await fetchFrom(platform, url, { headers: { Range: "bytes=70000-" } });
  assert.equal(beyond.status, 416);
  assert.equal(beyond.headers["content-range"], "bytes */70000");
  assert.equal(xmlMember(beyond.body, "Code"), "InvalidRange");
  const head = await fetchFrom(platform, url, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, "70000", 0]);
  const changed = await fetchFrom(platform, url, { headers: { Range: "bytes=1-2", "If-Range": '"other"' } });
  assert.equal(changed.status, 200);
});

test("a URL that was tampered with, has expired or names nothing gets the documented XML", async (t) => {
  let now = Date.now();
  const { platform, url } = await stored(t, Buffer.from("firmware"), { clock: () => now });
  const change = (name: string, value: string) => {
    const changed = new URL(url);
    changed.searchParams.set(name, value);
    return changed.href;
  };
  const tampered = await fetchFrom(platform, change("Expires", "9999999999"));
  assert.equal(tampered.status, 403);
  assert.equal(tampered.headers["content-type"], "application/xml");
  assert.equal(xmlMember(tampered.body, "Code"), "SignatureDoesNotMatch");
  const text = xmlMember(tampered.body, "StringToSign")!;
  assert.match(text, /^GET\n\n\n9999999999\n\/iotx-ota\/ota\/.*\?security-token=/);
  const bytes = xmlMember(tampered.body, "StringToSignBytes")!.split(" ");
  assert.equal(Buffer.from(bytes.join(""), "hex").toString(), text);
  for (const name of ["RequestId", "HostId", "OSSAccessKeyId", "SignatureProvided"])
    assert.ok(xmlMember(tampered.body, name), name);
  const code = async (place: string, options = {}) => {
    const { status, body } = await fetchFrom(platform, place, options);
    return `${status} ${xmlMember(body, "Code")}`;
  };
  assert.equal(await code(change("security-token", "other")), "403 SignatureDoesNotMatch");
  assert.equal(await code(url.replace(/ota\//, "otb/")), "403 SignatureDoesNotMatch");
  assert.equal(await code(change("OSSAccessKeyId", "nobody")), "403 InvalidAccessKeyId");
  assert.equal(await code(url.split("?")[0]!), "403 AccessDenied");
  assert.equal(await code(url, { headers: { "Content-MD5": "x" } }), "403 SignatureDoesNotMatch");
  assert.equal(
    await code(`${platform.ready.https}/%zz?Expires=1&OSSAccessKeyId=a&Signature=b`),
    "400 InvalidObjectName",
  );
  assert.equal(await code(url, { method: "PUT" }), "405 MethodNotAllowed");
  now += 61_000;
  const expired = await fetchFrom(platform, url);
  assert.equal(expired.status, 403);
  assert.equal(xmlMember(expired.body, "Code"), "AccessDenied");
  assert.equal(xmlMember(expired.body, "Message"), "Request has expired.");
  assert.match(xmlMember(expired.body, "Expires")!, /^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
  assert.equal(xmlMember(expired.body, "ServerTime"), new Date(now).toISOString());
});

test("an object that is not there is 404 with a right signature", async (t) => {
  const { platform, key } = await withKey(t);
  const url = presign(platform.ready.https!, "ota/none.bin", Math.floor(Date.now() / 1000) + 60, key);
  const { status, body } = await fetchFrom(platform, url);
  assert.equal(`${status} ${xmlMember(body, "Code")}`, "404 NoSuchKey");
});

test("an upload is accepted once signed, with the status asked for", async (t) => {
  const { platform } = await withKey(t);
  const data = await permission(platform, { FileSuffix: "tar.gz" });
  assert.match(data.Key, /^ota\/.*\.tar\.gz$/);
  assert.equal(data.FirmwareUrl, `${data.Host}/${data.Key}`);
  const fields = formFields(data);
  for (const [wanted, status] of [
    ["200", 200],
    ["201", 201],
    ["204", 204],
    ["", 204],
  ] as const) {
    const answer = await post(platform, data.Host, { ...fields, success_action_status: wanted }, Buffer.from("x"));
    assert.equal(answer.status, status);
    if (status === 201) assert.equal(xmlMember(answer.body, "Key"), data.Key);
  }
  const { signature, ...rest } = fields;
  assert.equal((await post(platform, data.Host, { ...rest, Signature: signature }, Buffer.from("x"))).status, 200);
});

test("an upload that is not exactly what was permitted is refused in XML and leaves nothing", async (t) => {
  let now = Date.now();
  const { platform, data: directory } = await withKey(t, { clock: () => now });
  const data = await permission(platform);
  const fields = formFields(data);
  const { signature, ...unsigned } = fields;
  const { key, ...keyless } = fields;
  const code = async (given: Record<string, string>, file = Buffer.from("x")) => {
    const { status, body } = await post(platform, data.Host, given, file);
    return `${status} ${xmlMember(body, "Code")}`;
  };
  assert.ok(signature && key);
  assert.equal(await code({ ...fields, signature: "AAAA" }), "403 SignatureDoesNotMatch");
  assert.equal(await code({ ...fields, policy: `${fields.policy}AAAA` }), "403 SignatureDoesNotMatch");
  assert.equal(await code({ ...fields, key: "ota/other.bin" }), "403 AccessDenied");
  assert.equal(await code({ ...fields, OSSAccessKeyId: "nobody" }), "403 InvalidAccessKeyId");
  assert.equal(await code(unsigned), "403 AccessDenied");
  assert.equal(await code(keyless), "400 MalformedPOSTRequest");
  const plain = await fetchFrom(platform, data.Host, {
    method: "POST",
    body: "x",
    headers: { "Content-Type": "text/plain" },
  });
  assert.equal(plain.status, 400);
  now += 61_000;
  // Longer than any socket buffer: the client must still get to read the answer.
  const late = await post(platform, data.Host, fields, Buffer.alloc(8 * 1024 * 1024));
  assert.equal(`${late.status} ${xmlMember(late.body, "Code")}`, "403 AccessDenied");
  assert.equal(xmlMember(late.body, "Message"), "Invalid according to Policy: Policy expired.");
  assert.deepEqual(readdirSync(join(directory, "objects")), []);
});

test("policies are checked condition by condition", async (t) => {
  const { platform, key } = await withKey(t);
  const attempt = async (
    conditions: unknown,
    file: Buffer,
    name = "ota/a.bin",
    expiration: unknown = "2999-01-01T00:00:00.000Z",
  ) => {
    const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString("base64");
    const fields = {
      key: name,
      policy,
      OSSAccessKeyId: key.id,
      Signature: sign(key.secret, policy),
      success_action_status: "200",
    };
    const { status, body } = await post(platform, platform.ready.http!, fields, file);
    return status === 200 ? "200" : `${status} ${xmlMember(body, "Code")}`;
  };
  const file = Buffer.alloc(1000);
  assert.equal(await attempt([], file), "200");
  assert.equal(await attempt([["starts-with", "$key", "ota/"]], file), "200");
  assert.equal(await attempt([["starts-with", "$key", "otb/"]], file), "403 AccessDenied");
  assert.equal(await attempt([{ key: "ota/a.bin" }, ["EQ", "$Key", "ota/a.bin"]], file), "200");
  assert.equal(await attempt([{ key: "ota/b.bin" }], file), "403 AccessDenied");
  assert.equal(await attempt([["content-length-range", 0, 1000]], file), "200");
  assert.equal(await attempt([["content-length-range", 0, 999]], file), "400 EntityTooLarge");
  assert.equal(await attempt([["content-length-range", 0, 999]], Buffer.alloc(4 * 1024 * 1024)), "400 EntityTooLarge");
  assert.equal(await attempt([["content-length-range", 1001, 2000]], file), "400 EntityTooSmall");
  assert.equal(await attempt([["like", "$key", "x"]], file), "400 InvalidPolicyDocument");
  assert.equal(await attempt("none", file), "400 InvalidPolicyDocument");
  assert.equal(await attempt([], file, "ota/a.bin", "soon"), "400 InvalidPolicyDocument");
  // A key is a name, never a path on this machine.
  assert.equal(await attempt([], file, "../../outside"), "200");
});

test("an upload that is cut off leaves nothing behind", async (t) => {
  const { platform, data: directory } = await withKey(t);
  const data = await permission(platform);
  const { headers, body } = form(formFields(data), Buffer.alloc(300_000));
  const socket = connect(Number(new URL(platform.ready.http!).port), "127.0.0.1");
  socket.on("error", () => {});
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${lines.join("")}\r\n`);
  await new Promise((resolve) => socket.write(body.subarray(0, 200_000), resolve));
  socket.destroy();
  // A later request on the same server is answered; the close is handled by then or never.
  await upload(platform, Buffer.from("second"));
  await platform.close();
  const left = readdirSync(join(directory, "objects")).filter((name) => name.endsWith(".new"));
  assert.deepEqual(left, []);
});

test("faults: ignored range, cut body, long body", async (t) => {
  const file = Buffer.from("0123456789");
  const { platform, url } = await stored(t, file);
  platform.faults.ignoreRange = true;
  const ignored = await fetchFrom(platform, url, { headers: { Range: "bytes=5-" } });
  assert.deepEqual([ignored.status, ignored.body.toString()], [200, "0123456789"]);
  delete platform.faults.ignoreRange;
  platform.faults.cutBody = 4;
  await assert.rejects(fetchFrom(platform, url), /aborted/);
  assert.equal((await fetchFrom(platform, url, { headers: { Range: "bytes=2-5" } })).body.toString(), "2345");
  delete platform.faults.cutBody;
  platform.faults.longBody = 6;
  const long = await fetchFrom(platform, url);
  assert.deepEqual([long.headers["content-length"], long.body.length], ["16", 16]);
  const rest = await fetchFrom(platform, url, { headers: { Range: "bytes=8-" } });
  assert.deepEqual([rest.headers["content-range"], rest.body.length], ["bytes 8-15/16", 8]);
});

test("an uploaded file nobody makes a package of goes after an hour; keys and names are private", async (t) => {
  let now = Date.now();
  const { platform, data } = await withKey(t, { clock: () => now });
  await upload(platform, Buffer.from("forgotten"));
  assert.equal(readdirSync(join(data, "objects")).length, 2);
  for (const name of ["ca-key.pem", "server-key.pem", "storage-key.json"]) {
    assert.equal(statSync(join(data, name)).mode & 0o777, 0o600, name);
  }
  now += 61 * 60_000;
  await platform.tick();
  assert.deepEqual(readdirSync(join(data, "objects")), []);
});
