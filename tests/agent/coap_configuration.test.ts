// The configuration of the agent over CoAP: what a refusal says, and the peer that an endpoint becomes.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Code, Want } from "../../host/abi.js";
import { Agent } from "../../host/agent.js";
import { root } from "../paths.js";
import { identity, module } from "./coap_rig.js";

/** What the module answers to a document, to its first poll, and what it says. */
async function configured(document: string): Promise<{ agent: Agent; code: number; desc: string }> {
  const agent = await Agent.create(module);
  const x = agent.exports;
  new Uint8Array(x.memory.buffer, x.inPtr(), x.inCap()).set(Buffer.from(document));
  let code = x.configure(Buffer.byteLength(document));
  while (code === 1) code = x.configure(0);
  if (code === Code.Ok) code = x.poll(0);
  const event = agent.takeEvent() as { desc?: string } | undefined;
  return { agent, code, desc: event?.desc ?? "" };
}

const withMember = (member: object): string => JSON.stringify({ ...identity, ...member });

test("a value that cannot be used is refused with its name and what it takes", async () => {
  for (const [member, expected] of [
    [{ productKey: "a-b" }, "productKey takes 1 to 20 letters and digits"],
    [{ deviceName: "abc" }, "deviceName takes 4 to 32 letters, digits, -_@.:"],
    [{ deviceName: "abc/d" }, "deviceName takes 4 to 32 letters, digits, -_@.:"],
    [{ deviceSecret: "" }, "deviceSecret takes a text of 1 to 64 bytes"],
    [{ clientId: "a|b" }, "clientId takes 1 to 64 letters, digits, -_@.:&"],
    [{ timestamp: "12a" }, "timestamp takes milliseconds as a text of digits"],
    [{ version: "1:0" }, "version takes 1 to 64 letters, digits, -_."],
    [{ signMethod: "json" }, "signMethod takes hmacsha256, hmacsha1 or hmacmd5"],
    [{ signMethod: 1 }, "signMethod takes hmacsha256, hmacsha1 or hmacmd5"],
    [{ contentFormat: "hmacmd5" }, "contentFormat takes json or cbor"],
    [{ ackMode: 2 }, "ackMode takes 0 or 1"],
    [{ ackMode: "1" }, "ackMode takes 0 or 1"],
    [{ confirmable: 1 }, "confirmable takes true or false"],
    [{ pullInterval: 86_401 }, "pullInterval takes seconds, 0 to 86400"],
    [{ pullInterval: [5] }, "pullInterval takes seconds, 0 to 86400"],
    [{ endpoint: "a".repeat(129) }, "endpoint takes coap://host:port"],
  ] as const) {
    const { code, desc, agent } = await configured(withMember(member));
    assert.equal(code, Code.BadArgument, JSON.stringify(member));
    assert.equal(desc, `configuration: ${expected}`);
    assert.equal(agent.exports.poll(0), Code.BadArgument, "a refusal is for good");
  }
});

test("what is missing is named, what is unknown is told and passed over, a document that is none is refused", async () => {
  const missing = await configured(JSON.stringify({ ...identity, deviceSecret: undefined }));
  assert.equal(missing.code, Code.BadArgument);
  assert.equal(missing.desc, "configuration: deviceSecret is missing");
  const unknown = await configured(withMember({ 'new"\n\\é': { productKey: 7 }, keepAlive: 60, FLASH: {} }));
  assert.ok(unknown.code >= 0);
  assert.equal(unknown.desc, "configuration: new???é is not a known key");
  for (const document of ["[]", '"text"', '{"productKey":', "{,}"])
    assert.equal((await configured(document)).desc, "configuration: document is not a JSON object", document);
});

test("of the members that only MQTT has, those of updates are told as unknown, the others are not", async () => {
  const table = readFileSync(join(root, "docs", "configuration.md"), "utf8").split("\nOver CoAP")[0]!;
  const members = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!);
  assert.ok(members.includes("updateKey") && members.includes("flash"));
  for (const name of members.filter(
    (one) => !(one in identity) && !["clientId", "version", "signMethod", "timestamp", "endpoint"].includes(one),
  )) {
    const { code, desc } = await configured(withMember({ [name]: "x" }));
    assert.ok(code >= 0, name);
    assert.equal(desc, name.startsWith("update") ? `configuration: ${name} is not a known key` : "", name);
  }
});

test("an endpoint becomes the peer, or is refused", async () => {
  for (const [endpoint, peer] of [
    ["coap://platform.example", "udp://platform.example:5682"],
    ["COAP://a_b-c.example:1/", "udp://a_b-c.example:1"],
    ["coap://[2001:db8::1]", "udp://[2001:db8::1]:5682"],
    ["coap://[::1]:65535", "udp://[::1]:65535"],
    [undefined, `udp://${identity.productKey}.coap.cn-shanghai.link.aliyuncs.com:5682`],
  ] as const) {
    const { agent, code } = await configured(withMember({ endpoint }));
    assert.equal(code & Want.Entropy, Want.Entropy);
    const x = agent.exports;
    assert.equal(Buffer.from(x.memory.buffer, x.peerPtr(0), x.peerLen(0)).toString(), peer);
  }
  for (const endpoint of [
    "coap://",
    "coap:///",
    "coaps://host",
    "mqtt://host:1883",
    "host:5682",
    "coap://host:",
    "coap://host:0",
    "coap://host:65536",
    "coap://host:4294967297",
    "coap://host:12a",
    "coap://host/path",
    "coap://a b",
    "coap://user@host\u0000",
    "coap://[::1",
  ]) {
    const { code, desc } = await configured(withMember({ endpoint }));
    assert.equal(code, Code.BadArgument, endpoint);
    assert.equal(desc, "configuration: endpoint takes coap://host:port", endpoint);
  }
});
