import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Platform } from "../../host/platform/index.js";
import { percentEncode, rpcSignature, rpcStringToSign } from "../../host/platform/rpc_signature.js";
import { vectors } from "../paths.js";
import {
  ACCESS_KEY,
  cloud,
  codeOf,
  createJob,
  createPackage,
  device,
  fetchFrom,
  inform,
  message,
  PRODUCT,
  platformFor,
  upload,
} from "./harness.js";

interface PopVector {
  id: string;
  kind: string;
  in: { method: string; secret: string; params: Record<string, string> };
  out: { signature: string };
}

test("signatures equal the independent vectors", () => {
  const all = (JSON.parse(readFileSync(vectors("alink.json"), "utf8")) as PopVector[]).filter(
    ({ kind }) => kind === "popV1",
  );
  assert.ok(all.length >= 5);
  const { Action: _action, FileSuffix: _suffix, ...base } = all.find(({ id }) => id === "pop-upload-get")!.in.params;
  for (const { id, in: input, out } of all) {
    const { $base, ...own } = input.params;
    const parameters = new Map(Object.entries($base === undefined ? own : { ...base, ...own }));
    assert.equal(rpcSignature(input.secret, rpcStringToSign(input.method, parameters)), out.signature, id);
  }
});

test("percent-encoding keeps the unreserved characters only", () => {
  assert.equal(percentEncode("Az09-_.~"), "Az09-_.~");
  assert.equal(percentEncode("*'()! +/中"), "%2A%27%28%29%21%20%2B%2F%E4%B8%AD");
});

/** A signed query by hand, so that any part of it can be wrong. */
function query(changes: Record<string, string | undefined>, secret = ACCESS_KEY.secret): string {
  const members: Record<string, string | undefined> = {
    Action: "GenerateOTAUploadURL",
    Format: "JSON",
    Version: "2018-01-20",
    AccessKeyId: ACCESS_KEY.id,
    SignatureMethod: "HMAC-SHA1",
    SignatureVersion: "1.0",
    SignatureNonce: Math.random().toString(36),
    Timestamp: `${new Date().toISOString().slice(0, 19)}Z`,
    ...changes,
  };
  const encode = (text: string) =>
    encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const canonical = Object.entries(members)
    .filter(([name, value]) => value !== undefined && name !== "Signature")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${encode(name)}=${encode(value!)}`)
    .join("&");
  const signature = createHmac("sha1", `${secret}&`)
    .update(`GET&%2F&${encode(canonical)}`)
    .digest("base64");
  return `${canonical}&Signature=${encode(changes.Signature ?? signature)}`;
}

async function gateway(platform: Platform, text: string): Promise<string> {
  const { status, body } = await fetchFrom(platform, `${platform.ready.api}/?${text}`);
  const answer = JSON.parse(body.toString()) as { Code: string; Message?: string; RequestId: string };
  assert.match(answer.RequestId, /^[0-9A-F]{8}-/);
  return `${status} ${answer.Code}`;
}

test("the gateway refuses with its documented codes", async (t) => {
  const platform = await platformFor(t);
  const once_ = query({ SignatureNonce: "same" });
  assert.equal(await gateway(platform, once_), "200 ");
  assert.equal(await gateway(platform, once_), "400 SignatureNonceUsed");
  const cases: [changes: Record<string, string | undefined>, expected: string][] = [
    [{ Signature: "AAAA" }, "400 SignatureDoesNotMatch"],
    [{ AccessKeyId: "nobody" }, "404 InvalidAccessKeyId.NotFound"],
    [{ Action: "NoSuchAction" }, "404 InvalidAction.NotFound"],
    [{ Action: "constructor" }, "404 InvalidAction.NotFound"],
    [{ Action: undefined }, "400 MissingAction"],
    [{ SignatureNonce: undefined }, "400 MissingSignatureNonce"],
    [{ Timestamp: undefined }, "400 MissingTimestamp"],
    [{ Timestamp: "2017-10-02T09:39:41Z" }, "400 InvalidTimeStamp.Expired"],
    [{ Timestamp: "yesterday" }, "400 InvalidTimeStamp.Format"],
    [{ Version: "2017-04-20" }, "400 InvalidVersion"],
    [{ SignatureMethod: "HMAC-MD5" }, "400 InvalidSignatureMethod"],
    [{ SignatureVersion: "2.0" }, "400 InvalidSignatureVersion"],
    [{ Version: undefined, SignatureVersion: undefined }, "200 "],
    [{ FileSuffix: "exe" }, "200 iot.firmware.InvalidGenerateOTAUploadURLParam"],
    [{ Action: "ConfirmOTATask", "TaskId.1": "x" }, "405 UnsupportedHTTPMethod"],
    [{ Action: "QueryOTAFirmware" }, "400 MissingFirmwareId"],
  ];
  for (const [changes, expected] of cases)
    assert.equal(await gateway(platform, query(changes)), expected, JSON.stringify(changes));
  assert.equal(await gateway(platform, query({}, "wrong-secret")), "400 SignatureDoesNotMatch");
});

test("XML is the default answer, with the action's root element", async (t) => {
  const platform = await platformFor(t);
  const good = await fetchFrom(platform, `${platform.ready.api}/?${query({ Format: undefined })}`);
  assert.match(String(good.headers["content-type"]), /xml/);
  assert.match(
    good.body.toString(),
    /<GenerateOTAUploadURLResponse><RequestId>.*<Success>true<\/Success>.*<Data><Key>ota\//,
  );
  const bad = await fetchFrom(platform, `${platform.ready.api}/?${query({ Format: "XML", Signature: "AAAA" })}`);
  assert.equal(bad.status, 400);
  assert.match(bad.body.toString(), /<Error><RequestId>.*<Code>SignatureDoesNotMatch<\/Code>/);
});

test("the vendor's client gets an upload permission by GET and POST", async (t) => {
  const platform = await platformFor(t);
  const client = cloud(platform);
  type Answer = { Success: boolean; Code: string; RequestId: string; Data: Record<string, string> };
  for (const method of ["GET", "POST"]) {
    const answer = await client.request<Answer>("GenerateOTAUploadURL", { FileSuffix: "zip" }, { method });
    assert.equal(answer.Success, true);
    assert.equal(answer.Code, "");
    const { Data } = answer;
    assert.deepEqual(Object.keys(Data), [
      "Key",
      "Host",
      "Policy",
      "OSSAccessKeyId",
      "ObjectStorage",
      "UtcCreate",
      "Signature",
      "FirmwareUrl",
    ]);
    assert.equal(Data.ObjectStorage, "OSS");
    assert.equal(Data.Host, platform.ready.http);
    assert.equal(Data.FirmwareUrl, `${Data.Host}/${Data.Key}`);
    const policy = JSON.parse(Buffer.from(Data.Policy!, "base64").toString());
    assert.equal(Date.parse(policy.expiration) - Date.parse(Data.UtcCreate!), 60_000);
  }
  assert.equal(
    await codeOf(cloud(platform, { id: "testid", secret: "wrong" }).request("GenerateOTAUploadURL", {})),
    "SignatureDoesNotMatch",
  );
});

test("CreateOTAFirmware checks what the documents bound", async (t) => {
  const platform = await platformFor(t);
  const FirmwareUrl = await upload(platform, Buffer.from("firmware"));
  const good = { FirmwareName: "Firm-1_(a)", DestVersion: "2.0.0", ProductKey: PRODUCT, FirmwareUrl };
  const attempt = (changes: Record<string, unknown>) =>
    codeOf(cloud(platform).request("CreateOTAFirmware", { ...good, ...changes }, { method: "POST" }));
  const md5 = createHash("md5").update("firmware").digest("hex");
  const cases: [changes: Record<string, unknown>, code: string][] = [
    [{ FirmwareName: "-a" }, "IncorrectFormattedFirmwareName"],
    [{ FirmwareName: "a".repeat(41) }, "IncorrectFormattedFirmwareName"],
    [{ FirmwareName: "a.b" }, "IncorrectFormattedFirmwareName"],
    [{ DestVersion: "2 0" }, "IncorrectFormattedFirmwareVersion"],
    [{ DestVersion: "2".repeat(65) }, "IncorrectFormattedFirmwareVersion"],
    [{ FirmwareUrl: "" }, "NullFirmwareUrl"],
    [{ FirmwareUrl: "nonsense" }, "MalformedFirmwareUrl"],
    [{ FirmwareUrl: "https://elsewhere.example/ota/x.bin" }, "InvalidFirmwareUrl"],
    [{ FirmwareUrl: `${FirmwareUrl}x` }, "InvalidFirmwareUrl"],
    [{ FirmwareSign: md5.replace(/^./, "g") }, "InvalidFirmwareSign"],
    [{ FirmwareSign: "0".repeat(32) }, "InvalidFirmwareSign"],
    [{ FirmwareSign: md5, SignMethod: "SHA256" }, "InvalidFirmwareSign"],
    [{ SignMethod: "SHA1" }, "InvalidFirmwareSignMethod"],
    [{ FirmwareSize: 9 }, "InvalidFirmwareSize"],
    [{ FirmwareDesc: "x".repeat(101) }, "FirmwareDescriptionExceedMaxLength"],
    [{ Type: 2 }, "InvalidFirmwareType"],
    [{ Type: 1 }, "SrcVersionIsMandatory"],
    [{ Type: 1, SrcVersion: "2.0.0" }, "SrcDestVersionMatched"],
    [{ ProductKey: "nobody" }, "InvalidProductKey"],
    [{ ModuleName: "a b" }, "IncorrectFormattedModuleName"],
    [{ Udi: "x".repeat(4097) }, "ParameterSizeExceedMax"],
  ];
  for (const [changes, code] of cases)
    assert.equal(await attempt(changes), `iot.firmware.${code}`, JSON.stringify(changes));
  const { FirmwareName, ...nameless } = good;
  assert.ok(FirmwareName);
  assert.equal(await codeOf(cloud(platform).request("CreateOTAFirmware", nameless)), "MissingFirmwareName");
  assert.equal(await attempt({ FirmwareSign: md5.toUpperCase(), FirmwareSize: 8 }), "");
  assert.equal(await attempt({}), "iot.firmware.AlreadyExistedFirmwareName");
  assert.equal(await attempt({ FirmwareName: "other" }), "iot.firmware.AlreadyExistedFirmwareVersion");
  assert.equal(await attempt({ FirmwareName: "other", ModuleName: "mcu" }), "");
});

test("an empty file makes no package", async (t) => {
  const platform = await platformFor(t);
  const FirmwareUrl = await upload(platform, Buffer.alloc(0));
  const call = cloud(platform).request("CreateOTAFirmware", { FirmwareName: "a", DestVersion: "2", FirmwareUrl });
  assert.equal(await codeOf(call), "iot.firmware.EmptyFirmwareFile");
});

test("packages are listed by page, queried, deleted", async (t) => {
  const platform = await platformFor(t);
  const client = cloud(platform);
  const ids: string[] = [];
  for (const DestVersion of ["2.0.0", "3.0.0", "4.0.0"]) {
    ids.push(
      await createPackage(platform, Buffer.from(DestVersion), { DestVersion, SignMethod: "SHA256", Udi: '{"a":"ü"}' }),
    );
  }
  type List = { Total: number; PageCount: number; FirmwareInfo: { SimpleFirmwareInfo: { FirmwareId: string }[] } };
  const page = await client.request<List>("ListOTAFirmware", { ProductKey: PRODUCT, CurrentPage: 2, PageSize: 2 });
  assert.deepEqual([page.Total, page.PageCount], [3, 2]);
  assert.deepEqual(
    page.FirmwareInfo.SimpleFirmwareInfo.map(({ FirmwareId }) => FirmwareId),
    [ids[0]],
  );
  assert.equal(await codeOf(client.request("ListOTAFirmware", { PageSize: 101 })), "InvalidParameter");
  const { FirmwareInfo } = await client.request<{ FirmwareInfo: Record<string, unknown> }>("QueryOTAFirmware", {
    FirmwareId: ids[1],
  });
  const { FirmwareSign, FirmwareSize, SignMethod, DestVersion, ModuleName, Udi, Status } = FirmwareInfo;
  assert.deepEqual(
    [FirmwareSign, FirmwareSize, SignMethod, DestVersion, ModuleName, Udi, Status],
    [createHash("sha256").update("3.0.0").digest("hex"), 5, "SHA256", "3.0.0", "default", '{"a":"ü"}', 0],
  );
  await createJob(platform, ids[1]!);
  assert.equal(
    await codeOf(client.request("DeleteOTAFirmware", { FirmwareId: ids[1] })),
    "iot.firmware.InvalidFirmwareId",
  );
  await client.request("DeleteOTAFirmware", { FirmwareId: ids[0] });
  assert.equal(
    await codeOf(client.request("QueryOTAFirmware", { FirmwareId: ids[0] })),
    "iot.firmware.FirmwareNotFound",
  );
});

test("a package of several files is pushed as a list", async (t) => {
  const platform = await platformFor(t);
  const urls = [await upload(platform, Buffer.from("one")), await upload(platform, Buffer.from("two"))];
  const MultiFiles = urls.map((Url, i) => ({ Name: `file${i}`, Url }));
  const client = cloud(platform);
  const base = { FirmwareName: "multi", DestVersion: "2.0.0", ProductKey: PRODUCT, NeedToVerify: "false" };
  const twice = [MultiFiles[0], MultiFiles[0]];
  assert.equal(
    await codeOf(client.request("CreateOTAFirmware", { ...base, MultiFiles: twice })),
    "iot.firmware.ParameterSizeExceedMax",
  );
  const { Data } = await client.request<{ Data: { FirmwareId: string } }>("CreateOTAFirmware", { ...base, MultiFiles });
  const made = await device(t, platform);
  await inform(made, platform, "example1", "1.0.0");
  const push = message(made, "upgrade/a1X2bEnP82z/example1");
  await createJob(platform, Data.FirmwareId);
  const { data } = JSON.parse(await push);
  const md5 = (text: string) => createHash("md5").update(text).digest("hex");
  assert.deepEqual(
    data.files.map(({ fileUrl, ...rest }: { fileUrl: string }) => rest),
    ["one", "two"].map((text, i) => ({ fileSize: 3, fileName: `file${i}`, fileMd5: md5(text), fileSign: md5(text) })),
  );
  assert.deepEqual([data.url, data.size, data.sign], [undefined, undefined, undefined]);
  assert.equal((await fetchFrom(platform, data.files[1].fileUrl)).body.toString(), "two");
});

test("SetDeviceProperty reaches the device, QueryDevicePropertyStatus shows what it posted", async (t) => {
  const platform = await platformFor(t);
  const client = cloud(platform);
  const target = { ProductKey: PRODUCT, DeviceName: "example1" };
  const set = (Items: string, who: object = target) =>
    client.request<{ Data: { MessageId: string } }>("SetDeviceProperty", { ...who, Items });
  assert.equal(await codeOf(set('{"on":1}')), "iot.device.DeviceOffline");
  const made = await device(t, platform);
  const received = message(made, "property/set");
  const { Data } = await set('{"on":1}');
  const { id, params } = JSON.parse(await received);
  assert.deepEqual([id, params], [Data.MessageId, { on: 1 }]);
  assert.equal(await codeOf(set("[1]")), "iot.prop.InvalidItems");
  assert.equal(await codeOf(set("{}", { ...target, DeviceName: "nobody" })), "iot.device.NotExistedDevice");
  const posted = once(platform, "property.post");
  made.publish(
    `/sys/${PRODUCT}/example1/thing/event/property/post`,
    '{"id":"1","params":{"t":{"value":21.5,"time":5},"s":"x"}}',
  );
  await posted;
  type Status = { Data: { List: { PropertyStatusInfo: { Identifier: string; Value: string; Time: string }[] } } };
  const status = await client.request<Status>("QueryDevicePropertyStatus", target);
  const [t1, s] = status.Data.List.PropertyStatusInfo;
  assert.deepEqual({ ...t1 }, { Identifier: "t", Value: "21.5", Time: "5" });
  assert.deepEqual([s!.Identifier, s!.Value], ["s", "x"]);
});

test("QueryDeviceEventData shows the events of a time, by identifier, page by page", async (t) => {
  const platform = await platformFor(t);
  const client = cloud(platform);
  const target = { ProductKey: PRODUCT, DeviceName: "example1" };
  const made = await device(t, platform);
  type Info = { EventType: string; Identifier: string; Name: string; OutputData: string; Time: string };
  type Page = { Data: { List: { EventInfo: Info[] }; NextValid: boolean; NextTime?: number } };
  const ask = async (more: object) =>
    (await client.request<Page>("QueryDeviceEventData", { ...target, StartTime: 0, EndTime: 1000, ...more })).Data;
  const numbers = ({ List }: Page["Data"]) => List.EventInfo.map(({ Time }) => Number(Time));
  assert.deepEqual({ ...(await ask({})).List }, { EventInfo: [] });
  // 301 of which 300 are kept, and not in the order of their times
  const all = new Promise<void>((done) => {
    let came = 0;
    platform.on("event.post", () => ++came === 301 && done());
  });
  for (let n = 0; n <= 300; n++)
    made.publish(
      `/sys/${PRODUCT}/example1/thing/event/${n % 2 ? "odd" : "even"}/post`,
      JSON.stringify({ id: "1", sys: { ack: 0 }, params: { value: { n, text: "x" }, time: 300 - n } }),
      { qos: 1 },
    );
  await all;
  const first = await ask({});
  assert.deepEqual(numbers(first), [299, 298, 297, 296, 295, 294, 293, 292, 291, 290]);
  assert.deepEqual(
    { ...first.List.EventInfo[0] },
    {
      EventType: "info",
      Identifier: "odd",
      Name: "odd",
      OutputData: '{"n":1,"text":"x"}',
      Time: "299",
    },
  );
  assert.deepEqual([first.NextValid, first.NextTime], [true, 289]);
  assert.deepEqual(numbers(await ask({ EndTime: first.NextTime, PageSize: 3 })), [289, 288, 287]);
  const last = await ask({ Asc: 1, StartTime: 297, PageSize: 50 });
  assert.deepEqual([numbers(last), last.NextValid, last.NextTime], [[297, 298, 299], false, undefined]);
  assert.deepEqual(numbers(await ask({ Asc: 1, Identifier: "odd", PageSize: 2 })), [1, 3]);
  assert.deepEqual(numbers(await ask({ Identifier: "none" })), []);
  assert.deepEqual(numbers(await ask({ EventType: "alert" })), []);
  assert.deepEqual(numbers(await ask({ EventType: "info", PageSize: 1 })), [299]);
  const code = (changes: object) =>
    codeOf(client.request("QueryDeviceEventData", { ...target, StartTime: 0, EndTime: 1, ...changes }));
  assert.equal(await code({ StartTime: "" }), "MissingStartTime");
  assert.equal(await code({ EndTime: "" }), "MissingEndTime");
  for (const bad of [{ StartTime: "x" }, { PageSize: 51 }, { PageSize: 0 }, { Asc: 2 }, { EventType: "other" }])
    assert.equal(await code(bad), "InvalidParameter", JSON.stringify(bad));
  assert.equal(await code({ DeviceName: "nobody" }), "iot.device.NotExistedDevice");
});

test("QueryDeviceEventData gets past more events of one millisecond than a page takes", async (t) => {
  const platform = await platformFor(t);
  const client = cloud(platform);
  const made = await device(t, platform);
  const times = [1, 2, 2, 2, 2, 3, 4, 4];
  const all = new Promise<void>((done) => {
    let came = 0;
    platform.on("event.post", () => ++came === times.length && done());
  });
  for (const [n, time] of times.entries())
    made.publish(
      `/sys/${PRODUCT}/example1/thing/event/alarm/post`,
      JSON.stringify({ id: "1", sys: { ack: 0 }, params: { value: { n }, time } }),
      { qos: 1 },
    );
  await all;
  type Page = { Data: { List: { EventInfo: { Time: string }[] }; NextTime?: number } };
  const pages = async (Asc: 0 | 1): Promise<string[]> => {
    const found: string[] = [];
    const range = { StartTime: 0, EndTime: 9 };
    for (let next: number | undefined = -1; next !== undefined && found.length < times.length; ) {
      const query = { ProductKey: PRODUCT, DeviceName: "example1", ...range, Asc, PageSize: 2 };
      const { Data }: Page = await client.request<Page>("QueryDeviceEventData", query);
      found.push(Data.List.EventInfo.map(({ Time }) => Time).join(""));
      next = Data.NextTime;
      range[Asc === 1 ? "StartTime" : "EndTime"] = next ?? 0;
    }
    return found;
  };
  assert.deepEqual(await pages(1), ["12222", "344"]);
  assert.deepEqual(await pages(0), ["44", "32222", "1"]);
});
