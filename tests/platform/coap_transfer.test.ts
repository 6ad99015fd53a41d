// Block-wise transfer (RFC 7959) and the faults of the network, against the platform's CoAP server.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ParsedPacket } from "coap-packet";
import { DatagramPath } from "../../host/platform/coap_network.js";
import { type Platform, setFault } from "../../host/platform/index.js";
import { type Ask, CoapClient, option, type SignedIn, signIn, topic } from "./coap_client.js";
import { PRODUCT, platformFor } from "./harness.js";

const POST = topic("event/property/post");

const block = (number: number, more: boolean, szx: number) => {
  const value = (number << 4) | (more ? 8 : 0) | szx;
  return value < 256
    ? [value]
    : value < 65_536
      ? [value >> 8, value & 255]
      : [value >> 16, (value >> 8) & 255, value & 255];
};

/** Send a body in blocks. @returns the answers, one a block */
async function inBlocks(client: CoapClient, ask: Ask, szx: number): Promise<ParsedPacket[]> {
  const size = 16 << szx;
  const body = ask.payload as Buffer;
  const answers: ParsedPacket[] = [];
  for (let from = 0, number = 0; from < body.length; from += size, number++) {
    const more = from + size < body.length;
    const options = [...ask.options!, { name: "Block1", value: block(number, more, szx) }];
    answers.push(await client.ask({ ...ask, options, payload: body.subarray(from, from + size) }));
    if (!["2.31", "2.05"].includes(answers.at(-1)!.code)) break;
  }
  return answers;
}

async function started(t: Parameters<typeof platformFor>[0]): Promise<[Platform, CoapClient, SignedIn]> {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  return [platform, client, await signIn(client)];
}

const long = (length: number) => JSON.stringify({ id: "1", params: { text: "x".repeat(length) } });

test("a request in blocks of every size arrives once and whole", async (t) => {
  const [platform, client, device] = await started(t);
  const texts: number[] = [];
  platform.on("property.post", ({ params }) => texts.push(String(params.text).length));
  for (let szx = 0; szx <= 6; szx++) {
    const answers = await inBlocks(client, device.request(POST, long(3000)), szx);
    assert.deepEqual([...new Set(answers.slice(0, -1).map(({ code }) => code))], ["2.31"]);
    assert.equal(answers.at(-1)!.code, "2.05");
    assert.deepEqual([...option(answers.at(-1)!, "Block1")!], block(answers.length - 1, false, szx));
    assert.match(device.decrypt(answers.at(-1)!.payload).toString(), /"code":200/);
  }
  assert.deepEqual(texts, new Array(7).fill(3000));
});

test("blocks that do not follow, are short, too many or of size 7 are refused", async (t) => {
  const [, client, device] = await started(t);
  const ask = device.request(POST, long(200));
  const one = async (number: number, more: boolean, szx: number, payload: Buffer) =>
    (
      await client.ask({
        ...ask,
        payload,
        options: [...ask.options!, { name: "Block1", value: block(number, more, szx) }],
      })
    ).code;
  assert.equal(await one(1, true, 2, Buffer.alloc(64)), "4.08");
  assert.equal(await one(0, true, 2, Buffer.alloc(64)), "2.31");
  assert.equal(await one(2, true, 2, Buffer.alloc(64)), "4.08");
  assert.equal(await one(1, true, 2, Buffer.alloc(64)), "4.08");
  assert.equal(await one(0, true, 2, Buffer.alloc(63)), "4.00");
  assert.equal(await one(0, true, 7, Buffer.alloc(64)), "4.00");
  const answers = await inBlocks(client, { ...ask, payload: Buffer.alloc(300 * 1024) }, 6);
  assert.equal(answers.at(-1)!.code, "4.13");
  assert.equal(answers.length, 257);
});

test("a long response comes in blocks, of the size the client asked for", async (t) => {
  const [platform, client, device] = await started(t);
  await client.ask(device.request(POST, long(1)));
  const text = "y".repeat(4000);
  const answer = platform.setProperties(PRODUCT, "example1", { text });
  for (const [szx, more] of [
    [6, []],
    [2, [{ name: "Block2", value: block(0, false, 2) }]],
  ] as [number, Ask["options"] & object][]) {
    if (szx === 2) platform.setProperties(PRODUCT, "example1", { text }).catch(() => {});
    const ask = device.request("/pull", '{"pageSize":"1"}');
    let reply = await client.ask({ ...ask, options: [...ask.options!, ...more] });
    const pieces = [reply.payload];
    assert.equal(reply.payload.length, 16 << szx);
    for (
      let number = 1;
      (option(reply, "Block2")!.readUIntBE(0, option(reply, "Block2")!.length) & 8) !== 0;
      number++
    ) {
      const options = [...ask.options!, { name: "Block2", value: block(number, false, szx) }];
      reply = await client.ask({ ...ask, payload: "", options });
      pieces.push(reply.payload);
    }
    const [message] = JSON.parse(device.decrypt(Buffer.concat(pieces)).toString());
    assert.equal(message.payload.params.text, text);
    const done = { id: message.payload.id, code: 200, data: {} };
    await client.ask(device.request(topic("service/property/set_reply"), JSON.stringify(done)));
  }
  assert.equal((await answer).code, 200);
  const lost = device.request("/pull", '{"pageSize":"1"}');
  const later = [...lost.options!, { name: "Block2", value: block(500, false, 6) }];
  assert.equal((await client.ask({ ...lost, options: later })).code, "4.00");
  const other = await CoapClient.open(t, platform);
  assert.equal((await other.ask({ ...lost, options: later })).code, "4.08");
});

test("30 % loss, duplication and reordering: every post arrives exactly once", async (t) => {
  const [platform, client, device] = await started(t);
  for (const fault of ["coap-loss", "coap-duplicate", "coap-reorder", "coap-seed=7"]) setFault(platform.faults, fault);
  const values: unknown[] = [];
  platform.on("property.post", ({ params }) => values.push(params.value));
  const posts = Array.from({ length: 60 }, (_, value) =>
    client.insist(device.request(POST, JSON.stringify({ id: String(value), params: { value } }))),
  );
  const replies = await Promise.all(posts);
  assert.deepEqual([...new Set(replies.map(({ code }) => code))], ["2.05"]);
  assert.deepEqual(
    [...values].sort((a, b) => Number(a) - Number(b)),
    Array.from({ length: 60 }, (_, value) => value),
  );
});

test("a path loses, doubles and reorders about as many as it is told, the same ones for the same seed", () => {
  const passed = (faults: ConstructorParameters<typeof DatagramPath>[0]) => {
    const path = new DatagramPath(faults);
    const order: number[] = [];
    for (let n = 0; n < 1000; n++) path.take(() => order.push(n));
    path.close();
    return order;
  };
  const clean = Array.from({ length: 1000 }, (_, n) => n);
  const between = (value: number, low: number, high: number) => assert.ok(value >= low && value <= high, `${value}`);
  assert.deepEqual(passed({}), clean);
  between(passed({ coapLoss: 30 }).length, 650, 750);
  between(passed({ coapDuplicate: 30 }).length, 1250, 1350);
  const late = passed({ coapReorder: 30 });
  between(late.filter((n, at) => n < (late[at - 1] ?? -1)).length, 150, 350);
  assert.deepEqual(new Set(late).size, late.length);
  const all = { coapLoss: 30, coapDuplicate: 30, coapReorder: 30 };
  assert.deepEqual(passed({ ...all, coapSeed: 3 }), passed({ ...all, coapSeed: 3 }));
  assert.notDeepEqual(passed({ ...all, coapSeed: 3 }), passed({ ...all, coapSeed: 4 }));
});
