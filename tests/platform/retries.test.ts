import assert from "node:assert/strict";
import { test } from "node:test";
import { createJob, createPackage, inform, message, platformFor, taskEvent } from "./harness.js";
import { FILE, progress, ready, tasks, UPGRADE } from "./tasks.js";

const MINUTE = 60_000;

test("a failed attempt is made again after the interval, as often as the job says", async (t) => {
  let now = Date.now();
  const platform = await platformFor(t, { clock: () => now });
  const made = await ready(platform, t);
  const first = message(made, UPGRADE);
  await createJob(platform, await createPackage(platform, FILE), {
    SrcVersion: ["1.0.0"],
    RetryCount: 2,
    RetryInterval: 10,
  });
  await first;
  for (const attempt of [1, 2]) {
    const failed = taskEvent(platform, ({ desc }) => desc === `attempt ${attempt}`);
    progress(made, -2, `attempt ${attempt}`);
    assert.notEqual((await failed).status, "FAILED", "what is displayed does not change");
    // neither asking nor a late report of the same attempt brings anything on
    const reply = message(made, "firmware/get_reply");
    progress(made, -2, "late");
    made.publish(`/sys/a1X2bEnP82z/example1/thing/ota/firmware/get`, '{"id":"1","params":{}}');
    assert.deepEqual(JSON.parse(await reply).data, {});
    let pushes = 0;
    const count = (topic: string) => topic.includes("upgrade") && pushes++;
    made.on("message", count);
    now += 10 * MINUTE - 1;
    await platform.tick();
    assert.equal(pushes, 0, "one millisecond early");
    const again = message(made, UPGRADE);
    now += 1;
    await platform.tick();
    await again;
    made.off("message", count);
  }
  const failed = taskEvent(platform, ({ status }) => status === "FAILED");
  progress(made, -3, "the last one");
  assert.equal((await failed).desc, "the last one");
});

test("a retry that works ends the task well; interval 0 begins it at once", async (t) => {
  const platform = await platformFor(t);
  const made = await ready(platform, t);
  const first = message(made, UPGRADE);
  const job = await createJob(platform, await createPackage(platform, FILE), {
    SrcVersion: ["1.0.0"],
    RetryCount: 1,
    RetryInterval: 0,
  });
  await first;
  const again = message(made, UPGRADE);
  progress(made, -4);
  await again;
  const done = taskEvent(platform, ({ status }) => status === "SUCCEEDED");
  await inform(made, platform, "example1", "2.0.0");
  await done;
  assert.equal((await tasks(platform, job))[0]!.TaskStatus, "SUCCEEDED");
});

test("no retry without a source version, after a time-out, or after a cancellation", async (t) => {
  let now = Date.now();
  const platform = await platformFor(t, { clock: () => now });
  const made = await ready(platform, t);
  const attempt = async (version: string, members: object, end: () => unknown) => {
    const arrived = message(made, UPGRADE);
    const firmware = await createPackage(platform, FILE, { DestVersion: version });
    await createJob(platform, firmware, { RetryCount: 5, RetryInterval: 0, ...members });
    await arrived;
    const running = taskEvent(platform, ({ status }) => status === "IN_PROGRESS");
    progress(made, 10);
    await running;
    const failed = taskEvent(platform, ({ status }) => status === "FAILED");
    await end();
    return (await failed).desc;
  };
  assert.equal(await attempt("3.0.0", {}, () => progress(made, -1, "no source")), "no source");
  const late = async () => {
    now += MINUTE;
    await platform.tick();
  };
  assert.equal(await attempt("4.0.0", { SrcVersion: ["1.0.0"], TimeoutInMinutes: 1 }, late), "timeout");
});
