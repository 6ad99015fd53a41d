import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseClientId, signContent } from "../../host/platform/auth.js";
import { vectors } from "../paths.js";
import { client, connackOf, credentials, device, event, type Login, PRODUCT, platformFor } from "./harness.js";

interface SignVector {
  id: string;
  kind: string;
  in: { method: string; key: string; params: Record<string, string> };
  out: { hex: string };
}

test("signatures equal the independent vectors", () => {
  const all = JSON.parse(readFileSync(vectors("alink.json"), "utf8")) as SignVector[];
  const wanted = all.filter(({ kind }) => kind === "mqttSign");
  assert.ok(wanted.length >= 5);
  for (const { id, in: input, out } of wanted) {
    const hex = signContent(input.method, input.key, input.params).toString("hex");
    assert.equal(hex, out.hex.toLowerCase(), id);
  }
});

test("client IDs of deployed clients are understood", () => {
  const parse = (text: string) => {
    const parsed = parseClientId(text);
    return parsed && { base: parsed.base, ...Object.fromEntries(parsed.extension) };
  };
  // C 4.x: an empty last item. Legacy Node: white space and line ends. Bars inside no item.
  assert.deepEqual(parse("pk.dn|timestamp=1,_ss=1,signmethod=hmacsha256,ext=3,|"), {
    base: "pk.dn",
    timestamp: "1",
    _ss: "1",
    signmethod: "hmacsha256",
    ext: "3",
  });
  assert.deepEqual(parse("pk&dn|securemode=3,\n        signMethod=hmacsha1,\n        timestamp=7|"), {
    base: "pk&dn",
    securemode: "3",
    signmethod: "hmacsha1",
    timestamp: "7",
  });
  for (const bad of ["plain", "a|", "|", "a|k=v", "a|k=v|trailing"]) assert.equal(parseClientId(bad), undefined, bad);
});

test("logins get the documented CONNACK codes", async (t) => {
  const platform = await platformFor(t);
  const cases: [name: string, login: Login, code: number][] = [
    ["sha256", {}, 0],
    ["sha1", { method: "sha1" }, 0],
    ["md5 by default", { method: "md5", extension: "securemode=3" }, 0],
    ["no timestamp", { extension: "securemode=3,signmethod=hmacsha256" }, 0],
    [
      "any method case and trailing comma",
      { extension: "securemode=3,signmethod=HmacSHA256,timestamp=5,|".slice(0, -1) },
      0,
    ],
    ["base is signed untrimmed", { base: " x " }, 0],
    ["wrong secret", { secret: "wrong" }, 4],
    ["other method than announced", { method: "sha1", extension: "securemode=3,signmethod=hmacsha256" }, 4],
    ["unknown device", { deviceName: "nobody", secret: "x" }, 4],
    ["unknown method", { extension: "securemode=3,signmethod=hmacsha512" }, 2],
    ["disabled device", { deviceName: "disabled" }, 5],
    ["TLS mode without TLS", { extension: "securemode=2,signmethod=hmacsha256" }, 2],
    ["unknown mode", { extension: "securemode=8,signmethod=hmacsha256" }, 2],
    ["registration", { extension: "securemode=3,authType=register,random=1,signmethod=hmacsha256" }, 2],
    ["keep-alive 29", { options: { keepalive: 29 } }, 2],
    ["keep-alive 30", { options: { keepalive: 30 } }, 0],
    ["keep-alive 1201", { options: { keepalive: 1201 } }, 2],
    ["no keep-alive", { options: { keepalive: 0 } }, 2],
    ["base of 65 characters", { base: "x".repeat(65) }, 2],
    ["MQTT 3.1", { options: { protocolId: "MQIsdp", protocolVersion: 3 } }, 0],
    ["MQTT 5", { options: { protocolVersion: 5 } }, 1],
  ];
  for (const [name, login, code] of cases) assert.equal(await connackOf(t, platform, login), code, name);
});

test("a client ID without an extension part is refused", async (t) => {
  const platform = await platformFor(t);
  const { clientId } = credentials(platform.ready.mqtt!);
  assert.equal(await connackOf(t, platform, { options: { clientId: clientId.split("|")[0]! } }), 2);
});

test("upper-case hexadecimal is as good as lower-case, and TLS carries refusals too", async (t) => {
  const platform = await platformFor(t);
  const { mqtts } = platform.ready;
  const password = credentials(mqtts!).password.toUpperCase();
  assert.equal(await connackOf(t, platform, { options: { password } }, mqtts), 0);
  assert.equal(await connackOf(t, platform, { secret: "wrong" }, mqtts), 4);
});

test("a second login of the same device takes over the first, whatever its client ID", async (t) => {
  const platform = await platformFor(t);
  const first = await device(t, platform);
  const other = await device(t, platform, { deviceName: "example2" });
  const closed = event(first, "close");
  const offline = once(platform, "device.offline");
  const second = await device(t, platform, { base: "another-id" });
  await closed;
  assert.deepEqual(await offline, [{ productKey: PRODUCT, deviceName: "example1" }]);
  assert.ok(second.connected);
  assert.ok(other.connected);
  // A refused login must not disturb the session it names.
  assert.equal(await connackOf(t, platform, { secret: "wrong" }), 4);
  assert.ok(second.connected);
});

test("no secret and no signature reaches the log", async (t) => {
  const lines: string[] = [];
  const platform = await platformFor(t, { log: (line) => lines.push(line) });
  const { password } = credentials(platform.ready.mqtt!, { secret: "wrong" });
  assert.equal(await connackOf(t, platform, { secret: "wrong" }), 4);
  assert.equal(await connackOf(t, platform, {}), 0);
  const text = lines.join("\n");
  assert.match(text, /CONNACK 4: the signature does not match/);
  for (const secret of ["secret-of-example1", password, credentials(platform.ready.mqtt!).password]) {
    assert.ok(!text.includes(secret));
  }
});

test("a certificate of another authority is not trusted", async (t) => {
  const platform = await platformFor(t);
  const stranger = client(t, platform, platform.ready.mqtts!, { options: { ca: undefined as never } });
  const [error] = (await event(stranger, "error").catch((thrown) => [thrown])) as [Error & { code?: string }];
  assert.match(String(error.code), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/);
});
