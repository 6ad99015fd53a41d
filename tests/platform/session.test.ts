import assert from "node:assert/strict";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import type { MqttClient } from "mqtt";
import type { Platform } from "../../host/platform/index.js";
import { client, event, message, PRODUCT, platformFor } from "./harness.js";

const own = (path: string) => `/${PRODUCT}/example1/${path}`;
const sys = (path: string) => `/sys/${PRODUCT}/example1/${path}`;

/** Connect with the session kept or not; tells whether the platform had one. */
async function session(t: TestContext, platform: Platform, clean: boolean) {
  const made = client(t, platform, platform.ready.mqtts!, { options: { clean, resubscribe: false } });
  const [connack] = (await event(made, "connect")) as [{ sessionPresent: boolean }];
  return { made, present: connack.sessionPresent };
}

/** Topics a device hears of those it publishes, in order. */
async function heard(made: MqttClient, paths: string[]): Promise<string[]> {
  const topics: string[] = [];
  made.on("message", (topic) => topics.push(topic));
  for (const path of paths) await made.publishAsync(own(path), "x", { qos: 1 });
  // The reply comes after everything the platform had to say before.
  const reply = message(made, "post_reply");
  made.publish(sys("thing/event/property/post"), '{"id":"1","params":{}}');
  await reply;
  return topics.slice(0, -1);
}

async function left(platform: Platform, made: MqttClient): Promise<void> {
  const offline = once(platform, "device.offline");
  made.end();
  await offline;
}

test("a session that is not clean keeps its subscriptions, a clean one ends them", async (t) => {
  const platform = await platformFor(t);
  const first = await session(t, platform, false);
  assert.equal(first.present, false);
  await first.made.subscribeAsync([own("user/a"), own("user/b"), own("user/c")], { qos: 1 });
  await first.made.unsubscribeAsync(own("user/b"));
  await assert.rejects(first.made.subscribeAsync(`/${PRODUCT}/example2/user/a`, { qos: 1 }));
  await left(platform, first.made);

  const second = await session(t, platform, false);
  assert.equal(second.present, true);
  assert.deepEqual(await heard(second.made, ["user/a", "user/b", "user/c"]), [own("user/a"), own("user/c")]);
  // Taken over while it is online.
  const third = await session(t, platform, false);
  assert.equal(third.present, true);
  assert.deepEqual(await heard(third.made, ["user/b", "user/c"]), [own("user/c")]);
  await left(platform, third.made);

  const clean = await session(t, platform, true);
  assert.equal(clean.present, false);
  assert.deepEqual(await heard(clean.made, ["user/a"]), []);
  await clean.made.subscribeAsync(own("user/a"), { qos: 1 });
  await left(platform, clean.made);
  const fresh = await session(t, platform, false);
  assert.equal(fresh.present, false);
  assert.deepEqual(await heard(fresh.made, ["user/a", "user/c"]), []);
});

test("a session belongs to its device, and restored subscriptions count", async (t) => {
  const platform = await platformFor(t);
  const first = await session(t, platform, false);
  const names = Array.from({ length: 100 }, (_, i) => own(`user/t${i}`));
  for (let i = 0; i < 100; i += 8) await first.made.subscribeAsync(names.slice(i, i + 8), { qos: 1 });
  await left(platform, first.made);
  const other = client(t, platform, platform.ready.mqtts!, { deviceName: "example2", options: { clean: false } });
  const [connack] = (await event(other, "connect")) as [{ sessionPresent: boolean }];
  assert.equal(connack.sessionPresent, false);
  const second = await session(t, platform, false);
  await assert.rejects(second.made.subscribeAsync(own("user/one-more"), { qos: 1 }));
  await second.made.unsubscribeAsync(names[0]!);
  await second.made.subscribeAsync(own("user/one-more"), { qos: 1 });
});
