import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { vectors } from "../paths.js";
import { Broker, Rig } from "./rig.js";

interface Vector {
  id: string;
  kind: string;
  in: { method?: string; key?: string; use?: string; timestamp?: string; params?: Record<string, string> };
  out: Record<string, string>;
}

const all = JSON.parse(readFileSync(vectors("alink.json"), "utf8")) as Vector[];
const identity = all.find((vector) => vector.id === "identity")!.out;

/** The CONNECT of a device with this configuration. */
async function connect(configuration: Record<string, unknown>) {
  const rig = await Rig.create({ configuration });
  const broker = new Broker(rig);
  rig.settle();
  return broker.of("connect")[0]!;
}

test("the MQTT signatures of the vectors come out as passwords", async () => {
  const signed = all.filter((vector) => vector.kind === "mqttSign");
  assert.ok(signed.length >= 5);
  for (const { id, in: given, out } of signed) {
    // the names of the vectors may be shorter than the platform allows: only those that a device can have are run here
    const { clientId, deviceName, productKey, timestamp } = given.params!;
    assert.ok(deviceName!.length >= 4, id);
    const packet = await connect({
      productKey,
      deviceName,
      deviceSecret: given.key,
      clientId,
      signMethod: given.method,
      ...(timestamp === undefined ? {} : { timestamp }),
    });
    assert.equal(packet.password!.toString().toUpperCase(), out.hex!.toUpperCase(), id);
  }
});

test("the CONNECT vectors' users and passwords come out of their identities", async () => {
  const connects = all.filter(
    (vector) => vector.kind === "mqttConnect" && /timestamp=/.test(vector.out.clientId ?? ""),
  );
  assert.ok(connects.length >= 3);
  for (const { id, out } of connects) {
    const [clientId, extension] = out.clientId!.split("|");
    const field = (name: string): string => new RegExp(`${name}=([^,|]+)`).exec(extension!)![1]!;
    const { productKey, deviceName, deviceSecret } = identity;
    const configuration = {
      productKey,
      deviceName,
      deviceSecret,
      clientId,
      signMethod: field("signmethod"),
      timestamp: field("timestamp"),
    };
    const packet = await connect(configuration);
    if (out.username !== undefined) assert.equal(packet.username, out.username, id);
    assert.equal(packet.password!.toString().toUpperCase(), out.password!.toUpperCase(), id);
  }
});
