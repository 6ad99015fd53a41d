import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FixturesError, loadFixtures, startPlatform } from "../../host/platform/index.js";
import { FIXTURES } from "./harness.js";

test("a fixtures document that is wrong is refused with its file, place and expectation", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fixtures-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "f.json");
  const refuse = (text: string, message: RegExp) => {
    writeFileSync(file, text);
    assert.throws(
      () => loadFixtures(file),
      (error: Error) => {
        assert.ok(error instanceof FixturesError);
        assert.match(error.message, message);
        assert.ok(error.message.startsWith(file), error.message);
        assert.doesNotMatch(error.message, /\n|top-secret/);
        return true;
      },
    );
  };
  const product = { productKey: "pk", productSecret: "ps", dynamicRegistration: true, devices: [] as unknown[] };
  const withDevice = (device: object) =>
    JSON.stringify({ accessKeys: [], products: [{ ...product, devices: [device] }] });
  refuse('{"accessKeys":["top-secret', /not JSON/);
  refuse("[]", /\$: expected an object/);
  refuse("{}", /\$\.accessKeys: expected an array/);
  refuse('{"accessKeys":[{"id":"a"}],"products":[]}', /\$\.accessKeys\[0\]\.secret: expected 1-64/);
  refuse('{"accessKeys":[],"products":[],"extra":1}', /\$\.extra: expected one of the members/);
  refuse(withDevice({ deviceName: "abc", deviceSecret: "top-secret" }), /devices\[0\]\.deviceName: expected 4-32/);
  refuse(withDevice({ deviceName: "abcd", deviceSecret: "top-secret with spaces" }), /devices\[0\]\.deviceSecret/);
  const twice = { deviceName: "abcd", deviceSecret: "x" };
  refuse(
    JSON.stringify({ accessKeys: [], products: [{ ...product, devices: [twice, twice] }] }),
    /devices\[1\]\.deviceName: expected a name that is not used twice/,
  );
  refuse(JSON.stringify({ accessKeys: [], products: [product, product] }), /products\[1\]\.productKey: .*twice/);
});

test("a fixtures file that is not there is named", () => {
  assert.throws(() => loadFixtures("/nonexistent/f.json"), /cannot read the fixtures file .*no such file/);
});

test("good fixtures are accepted with their optional members", (t) => {
  const directory = mkdtempSync(join(tmpdir(), "fixtures-"));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "f.json");
  writeFileSync(file, JSON.stringify(FIXTURES));
  assert.deepEqual(loadFixtures(file), FIXTURES);
});

test("a used port is one line that names it and the option", async (t) => {
  const first = await startPlatform({
    fixtures: FIXTURES,
    ports: { http: false, https: false, api: false, mqtts: false, coap: false },
  });
  t.after(() => first.close());
  assert.deepEqual(Object.keys(first.ready), ["ready", "mqtt", "ca"]);
  const port = Number(new URL(first.ready.mqtt!).port);
  for (const service of ["mqtt", "https", "api"] as const) {
    await assert.rejects(
      startPlatform({ fixtures: FIXTURES, ports: { [service]: port } }),
      new RegExp(`^Error: 127\\.0\\.0\\.1:${port} is in use: choose another with --${service} PORT`),
    );
  }
});
