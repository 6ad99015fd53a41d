// Events of the thing model end to end: class Device and `alink-agent run` against the platform, over both transports.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Code } from "../../host/abi.js";
import { Device, type DeviceOptions } from "../../host/node/device.js";
import { type Platform, setFault } from "../../host/platform/index.js";
import { collect, command, finish, folder } from "../platform/command.js";
import { cloud, PRODUCT, platformFor } from "../platform/harness.js";

const IDENTITY = { productKey: PRODUCT, deviceName: "example1", deviceSecret: "secret-of-example1", version: "1.0.0" };
const ID = { productKey: PRODUCT, deviceName: "example1" };

/** How a device reaches the platform. */
const TRANSPORTS: Record<string, (platform: Platform) => Pick<DeviceOptions, "endpoint" | "ca">> = {
  MQTT: ({ ready }) => ({ endpoint: ready.mqtts!, ca: readFileSync(ready.ca) }),
  CoAP: ({ ready }) => ({ endpoint: ready.coap! }),
};

function deviceOf(t: TestContext, options: Partial<DeviceOptions>): Device {
  const device = new Device({ configuration: IDENTITY, flash: join(folder(t), "device.flash"), ...options });
  t.after(() => device.stop());
  return device;
}

for (const [name, reach] of Object.entries(TRANSPORTS))
  test(`${name}: an event arrives as it is, and the cloud API shows it`, async (t) => {
    const platform = await platformFor(t);
    const device = deviceOf(t, reach(platform));
    await device.start();
    const came = once(platform, "event.post");
    const told = once(device, "event.posted");
    const value = { errorCode: "E1", deep: { list: [1, -2.5, null], text: "ä€\u0001" } };
    const posted = await device.postEvent("alarm", value, { time: 1_524_448_722_000 });
    assert.equal(posted.code, 200);
    assert.deepEqual(await came, [{ ...ID, identifier: "alarm", params: { value, time: 1_524_448_722_000 } }]);
    assert.deepEqual(await told, [{ event: "event.posted", id: posted.id, code: 200 }]);
    const next = once(platform, "event.post");
    assert.equal((await device.postEvent("power_off", {})).code, 200);
    assert.deepEqual((await next)[0].params, { value: {} }, "the time is the platform's");
    const query = { ProductKey: PRODUCT, DeviceName: "example1", StartTime: 0, EndTime: Date.now() + 1, Asc: 1 };
    const { Data } = await cloud(platform).request<{ Data: { List: { EventInfo: object[] } } }>(
      "QueryDeviceEventData",
      query,
    );
    const [first, second] = Data.List.EventInfo as Record<string, string>[];
    assert.deepEqual(JSON.parse(first!.OutputData!), value);
    assert.deepEqual([first!.Identifier, first!.Time, second!.Identifier], ["alarm", "1524448722000", "power_off"]);
  });

const CIRCLE: Record<string, unknown> = {};
CIRCLE.self = CIRCLE;
/** Identifier, value, and what the message says: calls that the types forbid, but JavaScript makes. */
const NO_EVENTS: [unknown, unknown, string | RegExp][] = [
  [undefined, {}, "the event post: the identifier is a string, not undefined"],
  [7, {}, "the event post: the identifier is a string, not number"],
  [
    "alarm",
    { list: [{ count: 1n }] },
    'the event post: the value cannot be written as JSON: "count" is a bigint: give it as a number or a string',
  ],
  ["alarm", CIRCLE, /^the event post: the value cannot be written as JSON: Converting circular structure to JSON$/],
  ...[undefined, null, [1], "x", () => 1].map((value): [unknown, unknown, string] => [
    "alarm",
    value,
    "the event post: the value must be an object, e.g. { temperature: 21.5 }",
  ]),
];

for (const [name, reach] of Object.entries(TRANSPORTS))
  test(`${name}: what is no event is refused in one line, what the platform does not take has its code`, async (t) => {
    const platform = await platformFor(t);
    const device = deviceOf(t, reach(platform));
    await device.start();
    const line =
      'the event post: the module does not accept it: an identifier has 1 to 50 letters, digits and "_", and "property" is none';
    for (const identifier of ["", "a b", "a/b", "é", "property", "x".repeat(51), "alarm\0{}\0", "\0"])
      await assert.rejects(device.postEvent(identifier, {}), { code: Code.BadArgument, message: line }, identifier);
    for (const time of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
      await assert.rejects(device.postEvent("alarm", {}, { time }), {
        message: "the event post: time takes whole milliseconds since 1970, as of Date.now()",
      });
    await assert.rejects(device.postEvent("alarm", { text: "x".repeat(1024) }), {
      code: Code.TooLarge,
      message: /^the event post takes 1051 bytes, at most 1024 fit: send less at a time$/,
    });
    for (const [identifier, value, message] of NO_EVENTS)
      await assert.rejects(device.postEvent(identifier as string, value as Record<string, unknown>), {
        name: "PostError",
        code: Code.BadArgument,
        message,
      });
    await assert.rejects(device.postProperties({ big: 1n }), {
      code: Code.BadArgument,
      message:
        'the property post: the properties cannot be written as JSON: "big" is a bigint: give it as a number or a string',
    });
    // what the thing model keeps for itself is the platform's to refuse
    assert.equal((await device.postEvent("time", {})).code, 460);
    assert.equal((await device.postEvent("alarm", {})).code, 200);
  });

test("CoAP: an event that exceeds the smaller window says how much fits", async (t) => {
  const platform = await platformFor(t);
  const device = deviceOf(t, TRANSPORTS.CoAP!(platform));
  await device.start();
  await assert.rejects(device.postEvent("alarm", { text: "x".repeat(700) }), {
    code: Code.TooLarge,
    message: "the event post takes 727 bytes, 640 are available: send less at a time",
  });
  const came = once(platform, "event.post");
  assert.equal((await device.postEvent("alarm", { text: "x".repeat(613) })).code, 200);
  assert.equal((await came)[0].params.value.text.length, 613);
});

test("CoAP: loss, duplication and reordering between sleeps: every event arrives once", async (t) => {
  const platform = await platformFor(t);
  for (const fault of ["coap-loss", "coap-duplicate", "coap-reorder", "coap-seed=5"]) setFault(platform.faults, fault);
  const values: unknown[] = [];
  platform.on("event.post", ({ identifier, params }) => values.push([identifier, params.value]));
  let snapshot: Uint8Array | undefined;
  const expected: unknown[] = [];
  for (let n = 0; n < 2; n++) {
    const device = deviceOf(t, { ...TRANSPORTS.CoAP!(platform), ...(snapshot && { snapshot }) });
    await device.start();
    assert.equal((await device.postEvent(`e${n}`, { n })).code, 200);
    expected.push([`e${n}`, { n }]);
    snapshot = await device.sleep();
  }
  assert.deepEqual(values, expected);
});

for (const [name, reach] of Object.entries(TRANSPORTS))
  test(`${name}: run posts the events of --event after the properties`, async (t) => {
    const platform = await platformFor(t);
    const file = join(folder(t), "device.json");
    writeFileSync(file, JSON.stringify(IDENTITY));
    const came: unknown[] = [];
    platform.on("property.post", ({ params }) => came.push(params));
    const all = new Promise<void>((done) =>
      platform.on("event.post", ({ identifier, params }) => came.push([identifier, params]) === 3 && done()),
    );
    const { endpoint, ca } = reach(platform);
    const trust = ca === undefined ? [] : ["--ca", platform.ready.ca];
    const events = ["--event", 'alarm={"errorCode":"a=b"}', "--event", "off={}", "--event", "not an identifier={}"];
    const args = ["run", "--device", file, "--endpoint", endpoint!, ...trust, "--properties", '{"n":1}', ...events];
    const child = command(t, [...args, "--json"]);
    const text = collect(child);
    await all;
    assert.deepEqual(came, [{ n: 1 }, ["alarm", { value: { errorCode: "a=b" } }], ["off", { value: {} }]]);
    type Line = { event: string; code: number; desc: string };
    const lines = () =>
      text.stdout
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Line);
    const named = (name: string) => lines().filter(({ event }) => event === name);
    while (named("event.posted").length < 2 || named("fault").length < 1) await once(child.stdout!, "data");
    child.kill();
    await once(child, "close");
    assert.deepEqual(
      named("event.posted").map(({ code }) => code),
      [200, 200],
    );
    assert.match(named("fault")[0]!.desc, /"property" is none$/);
  });

test("run refuses an --event that is none, in one line", async (t) => {
  const file = join(folder(t), "device.json");
  writeFileSync(file, JSON.stringify(IDENTITY));
  for (const bad of ["alarm", "alarm=", "alarm=[1]", "alarm={", "={", '{"errorCode":1}']) {
    const { code, stderr } = await finish(command(t, ["run", "--device", file, "--event", bad]));
    assert.equal(code, 2, bad);
    assert.match(stderr, /--event.*alarm=\{"errorCode":"E1"\}/);
  }
});
