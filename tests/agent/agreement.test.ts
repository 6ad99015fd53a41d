// Whatever order things happen in, platform and device agree in the end: every task is over, a task that succeeded is the
// version that ran, and the version the platform knows is that of the image that runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Boot } from "../../host/abi.js";
import { FINISHED } from "../../host/platform/job.js";
import { Life, SERVERS } from "./life.js";
import { Bench } from "./power.js";

const bench = await Bench.create({ sector: 4096, write: 16, erased: 255, size: 4413, before: 0 });

const action = fc.oneof(
  fc.record({
    what: fc.constant("release" as const),
    needConfirm: fc.boolean(),
    needPush: fc.boolean(),
    overwriteMode: fc.constantFrom(1 as const, 2 as const),
    timeoutMinutes: fc.constantFrom(undefined, 1, 30),
    retryCount: fc.constantFrom(undefined, 1),
  }),
  fc.record({ what: fc.constantFrom("confirm", "cancel", "restart", "disconnect", "old push") }),
  fc.record({ what: fc.constant("cut" as const), operations: fc.nat(60) }),
  fc.record({ what: fc.constant("server" as const), server: fc.constantFrom(...SERVERS) }),
  fc.record({ what: fc.constant("wait" as const), seconds: fc.constantFrom(1, 20, 61, 700, 2400) }),
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

async function act(life: Life, done: Action): Promise<void> {
  const { cloud } = life;
  const unfinished = [...cloud.jobs.tasks.values()].filter(({ status }) => !FINISHED.has(status));
  if ("seconds" in done) await life.seconds(done.seconds);
  else if ("operations" in done) life.cutAfter(done.operations);
  else if ("server" in done) life.server = done.server;
  else if ("needConfirm" in done) {
    const { what: _, retryCount, ...members } = done;
    const version = life.version();
    const source = cloud.device.versions.get("default");
    const retries = retryCount === undefined || source === undefined ? {} : { srcVersions: [source], retryCount };
    cloud.release(life.images.get(version)!, version, { ...members, ...retries });
  } else if (done.what === "confirm") for (const task of unfinished) cloud.jobs.confirm(task);
  else if (done.what === "cancel") for (const task of unfinished.slice(-1)) cloud.jobs.cancel(task);
  else if (done.what === "restart") life.cutPower();
  else if (done.what === "disconnect") life.disconnect();
  else if (cloud.pushes.length > 0) cloud.push(cloud.pushes[0]);
}

/** Good peers, no more cuts, and enough time. */
async function comeToRest(life: Life): Promise<void> {
  life.server = "good";
  life.flash.cut = undefined;
  for (const task of life.cloud.jobs.tasks.values()) life.cloud.jobs.confirm(task);
  await life.seconds(3600);
  // without NeedPush a device learns of a task when it asks, at its next connection
  life.cutPower();
  await life.seconds(2 * 3600);
}

function agree(life: Life, replayed: boolean): void {
  const { cloud } = life;
  const tasks = [...cloud.jobs.tasks.values()];
  const said = cloud.device.versions.get("default");
  assert.equal(said, life.running(), "the platform believes in a version that does not run");
  assert.notEqual(life.started.how, Boot.Trial);
  for (const task of tasks) {
    assert.ok(FINISHED.has(task.status), `a task to ${task.destVersion} is ${task.status} for ever: ${task.desc}`);
    if (task.status === "FAILED") assert.notEqual(task.desc, "", "a failure without a reason");
  }
  // an old offer is the platform's word, too: without a floor version a device takes it
  if (replayed) return;
  // versions only rise, so the last success is what runs, unless a cancelled task came after it
  const last = tasks.filter(({ status }) => status === "SUCCEEDED").at(-1);
  const later = tasks.slice(last === undefined ? 0 : tasks.indexOf(last) + 1);
  const possible = [last?.destVersion ?? "1.0.0", ...later.map(({ destVersion }) => destVersion)];
  assert.ok(possible.includes(said!), `version ${said} runs, possible are ${possible}`);
}

test("platform and device agree after any order of events", async () => {
  let updates = 0;
  const property = fc.asyncProperty(fc.array(action, { maxLength: 14 }), async (actions) => {
    const life = new Life(bench, 1);
    const replayed = actions.some(({ what }) => what === "old push");
    await life.seconds(5);
    for (const done of actions) {
      await act(life, done);
      await life.seconds(1);
    }
    await comeToRest(life);
    agree(life, replayed);
    const version = life.version();
    const task = life.cloud.release(life.images.get(version)!, version);
    await life.seconds(3600);
    assert.equal(task.status, "SUCCEEDED", `the next update: ${task.desc}`);
    agree(life, replayed);
    updates += [...life.cloud.jobs.tasks.values()].filter(({ status }) => status === "SUCCEEDED").length;
  });
  // shrunk, because the order of events is the message
  await fc.assert(property, { seed: 20200317, numRuns: 400 });
  assert.ok(updates > 500, `${updates} updates went through`);
});
