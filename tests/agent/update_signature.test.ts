// digestsign: with a key provisioned only packages signed for it are taken, over any path (docs/safety.md).

import assert from "node:assert/strict";
import { constants, createHash, createSign, generateKeyPairSync, type KeyObject, privateEncrypt } from "node:crypto";
import { test } from "node:test";
import { Code } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { module } from "./rig.js";
import { bench, failure, image, offer, push, steps, UPGRADE } from "./update_bench.js";

const keys = Array.from({ length: 3 }, () => generateKeyPairSync("rsa", { modulusLength: 2048 }));
const spki = (key: KeyObject): string => key.export({ type: "spki", format: "der" }).toString("base64");
const FILE = image(5000);
const hash = (method: "md5" | "sha256", bytes: Uint8Array): Buffer => createHash(method).update(bytes).digest();

/** What the platform sends: a signature of the image's digest as bytes (Alink §7). */
const sign = (key: KeyObject, method: "md5" | "sha256" = "sha256"): string =>
  createSign("sha256").update(hash(method, FILE)).sign(key).toString("base64");

async function offered(data: Record<string, unknown>, configuration: Record<string, unknown> = {}) {
  const made = await bench(FILE, { configuration: { updateKey: spki(keys[0]!.publicKey), ...configuration } });
  made.broker.publish(UPGRADE, push(data));
  made.rig.settle();
  return made;
}

/** A signature of any 256 bytes. */
const raw = (message: Buffer): string =>
  privateEncrypt({ key: keys[0]!.privateKey, padding: constants.RSA_NO_PADDING }, message).toString("base64");

/** The padded message of a right signature (RFC 8017 §9.2). */
function encoded(): Buffer {
  const info = Buffer.from("3031300d060960864801650304020105000420", "hex");
  const digest = hash("sha256", hash("sha256", FILE));
  return Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(202, 255), Buffer.from([0]), info, digest]);
}

test("a signed package is taken, whichever key and digest", async () => {
  for (const { privateKey, publicKey } of keys) {
    for (const method of ["md5", "sha256"] as const) {
      const data = offer(FILE, { digestsign: sign(privateKey, method) }, method);
      const { rig } = await offered(data, { updateKey: spki(publicKey) });
      assert.ok(
        rig.restart,
        `${publicKey.export({ type: "spki", format: "pem" })}: ${JSON.stringify(rig.events.slice(-2))}`,
      );
    }
  }
});

test("with a key an unsigned package, a wrong signature and another key's are refused before anything is fetched", async () => {
  const good = sign(keys[0]!.privateKey);
  const flipped = (bit: number): string => {
    const bytes = Buffer.from(good, "base64");
    bytes[bit >> 3]! ^= 1 << (bit & 7);
    return bytes.toString("base64");
  };
  const modulus = Buffer.from(keys[0]!.publicKey.export({ format: "jwk" }).n!, "base64url");
  const wrong = (change: (message: Buffer) => Buffer): string => raw(change(encoded()));
  const cases: [string, unknown][] = [
    ["none", undefined],
    ["empty", ""],
    ["not base64", `${good.slice(0, -4)}#===`],
    ["too short", Buffer.from(good, "base64").subarray(1).toString("base64")],
    ["too long", `${good}AAAA`],
    ["a number", 1],
    ["an object", {}],
    ["of another key", sign(keys[1]!.privateKey)],
    [
      "of another image",
      createSign("sha256")
        .update(hash("sha256", image(10)))
        .sign(keys[0]!.privateKey, "base64"),
    ],
    [
      "of the hexadecimal digest",
      createSign("sha256").update(hash("sha256", FILE).toString("hex")).sign(keys[0]!.privateKey, "base64"),
    ],
    ["zero", Buffer.alloc(256).toString("base64")],
    ["the modulus", modulus.toString("base64")],
    ["all ones", Buffer.alloc(256, 255).toString("base64")],
    ...[0, 7, 1000, 2047].map((bit): [string, string] => [`bit ${bit}`, flipped(bit)]),
    ["padding of type 2", wrong((m) => Buffer.from(m).fill(2, 1, 1 + 1))],
    ["a hole in the padding", wrong((m) => Buffer.from(m).fill(254, 100, 100 + 1))],
    [
      "short padding, the digest early",
      wrong((m) => Buffer.concat([m.subarray(0, 10), m.subarray(204), Buffer.alloc(194)])),
    ],
    ["another DigestInfo", wrong((m) => Buffer.from(m).fill(4, 219, 219 + 1))],
  ];
  for (const [name, digestsign] of cases) {
    const { rig, broker, web } = await offered(offer(FILE, { digestsign }));
    const failed = failure(rig);
    assert.ok(
      failed.code === Code.BadSignature || failed.code === Code.BadMessage || failed.code === Code.OverLimit,
      name,
    );
    assert.equal(steps(broker).at(-1), "-1", name);
    assert.equal(web.requests.length, 0, name);
  }
});

test("the padding is checked to the last byte: a right one by the raw operation is taken", async () => {
  const { rig } = await offered(offer(FILE, { digestsign: raw(encoded()) }));
  assert.ok(rig.restart);
});

test("a signature makes plain paths admissible, and only with a key", async () => {
  const plain = { url: "http://files.example/x", digestsign: sign(keys[0]!.privateKey) };
  const { rig } = await offered(offer(FILE, plain), { endpoint: "mqtt://broker.example:1883" });
  assert.ok(rig.restart, JSON.stringify(rig.events.slice(-2)));
  const keyless = await bench(FILE, { configuration: { endpoint: "mqtt://broker.example:1883" } });
  keyless.broker.publish(UPGRADE, push(offer(FILE, plain)));
  keyless.rig.settle();
  assert.equal(failure(keyless.rig).code, Code.NotAllowed);
  // one signed package does not open the way for the next
  const tls = await bench(FILE);
  tls.broker.publish(UPGRADE, push(offer(FILE, { digestsign: sign(keys[0]!.privateKey) })));
  tls.rig.settle();
  assert.ok(tls.rig.restart);
});

test("a signed package of another content is refused by its digest", async () => {
  const { rig } = await bench(image(5000, 9), { configuration: { updateKey: spki(keys[0]!.publicKey) } }).then(
    (made) => {
      made.broker.publish(UPGRADE, push(offer(FILE, { digestsign: sign(keys[0]!.privateKey) })));
      made.rig.settle();
      return made;
    },
  );
  assert.equal(failure(rig).code, Code.BadDigest);
});

test("keys that are no RSA keys of 2048 bits with exponent 65537 are refused by the configuration", async () => {
  const der = keys[0]!.publicKey.export({ type: "spki", format: "der" });
  const exponent3 = Buffer.from(der);
  exponent3[293] = 3;
  const even = Buffer.from(der);
  even[288]! &= 254;
  const small = Buffer.from(der);
  small[33]! &= 127;
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
  const rsa3072 = generateKeyPairSync("rsa", { modulusLength: 3072 }).publicKey;
  const pem = keys[0]!.publicKey.export({ type: "spki", format: "pem" });
  const bad = [
    "",
    "AAAA",
    spki(ec),
    spki(rsa3072),
    pem,
    5,
    null,
    ...[exponent3, even, small, der.subarray(1)].map((bytes) => bytes.toString("base64")),
  ];
  for (const updateKey of bad) {
    const agent = await Agent.create(module);
    assert.throws(() => agent.configure({ updateKey }), /updateKey.*SubjectPublicKeyInfo/, String(updateKey));
  }
});
