// Datagrams that nobody should send: the platform answers or keeps silent, and goes on.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CoapEndpoint } from "../../host/platform/coap_endpoint.js";
import { readMessage, writeMessage } from "../../host/platform/coap_message.js";
import { CoapClient, JSON_FORMAT, type SignedIn, signIn, topic } from "./coap_client.js";
import { platformFor } from "./harness.js";

const POST = topic("event/property/post");
const post = (device: SignedIn) => device.request(POST, '{"id":"1","params":{"n":1}}');

test("any bytes are read without an exception, and what is read is written the same", () => {
  const check = (bytes: Uint8Array) => {
    const datagram = Buffer.from(bytes);
    const message = readMessage(datagram);
    if (message !== undefined) assert.deepEqual(writeMessage(message), datagram);
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), check), { numRuns: 2000 });
  // Those that begin as a message does get further.
  const likely = fc
    .tuple(fc.constantFrom(0x40, 0x44, 0x50, 0x62, 0x70), fc.constantFrom(0, 2, 0x45), fc.uint8Array({ maxLength: 60 }))
    .map(([first, code, rest]) => Uint8Array.of(first, code, 1, 2, ...rest));
  fc.assert(fc.property(likely, check), { numRuns: 5000 });
});

test("option deltas and lengths at 12, 13, 268, 269 and 65804; a cut one is no message", () => {
  const base = { type: "CON" as const, code: "0.02", messageId: 1, token: Buffer.alloc(0), payload: Buffer.from("p") };
  for (const number of [12, 13, 268, 269, 65_535])
    for (const length of [0, 12, 13, 268, 269, 1000]) {
      const options = [{ number, value: Buffer.alloc(length, 1) }];
      const datagram = writeMessage({ ...base, options });
      assert.deepEqual(readMessage(datagram), { ...base, options });
      const end = datagram.length - 2;
      for (const cut of [4, 5, 6, end - 1].filter((at) => at > 4 && at < end))
        assert.equal(readMessage(datagram.subarray(0, cut)), undefined, `${number} ${length} cut at ${cut}`);
    }
});

test("mutated requests are answered with a documented code or not at all, and none counts as a post", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const device = await signIn(client);
  let posts = 0;
  platform.on("property.post", () => posts++);
  const good = client.datagram({ ...post(device), type: "NON" });
  const payload = good.length - 32;
  for (let at = 0; at < payload; at++)
    for (const bit of [0x01, 0x80]) {
      const bad = Buffer.from(good);
      bad[at]! ^= bit;
      client.send(bad);
    }
  // Many at once: some may be lost on the way. The message ID is none of those above.
  const last = await client.insist({ ...post(device), messageId: 40_000 });
  assert.equal(last.code, "2.05");
  const known = ["0.00", "2.05", "4.00", "4.01", "4.02", "4.03", "4.04", "4.05", "4.06", "4.08", "2.31"];
  for (const { code } of client.inbox) assert.ok(known.includes(code), code);
  // A header that differs in message ID or token only is the post itself, once: its sequence number is spent then.
  assert.ok(posts <= 2, `${posts} posts`);
});

test("a handler that fails is 5.00, and the words of the failure stay in the log", async () => {
  const sent: Buffer[] = [];
  const failures: string[] = [];
  const failed = new Promise<void>((resolve) => {
    const endpoint = new CoapEndpoint(
      (datagram) => {
        sent.push(datagram);
        endpoint.close();
        resolve();
      },
      async () => {
        throw new Error("broken");
      },
      Date.now,
      (error) => failures.push(error.message),
    );
    endpoint.receive(Buffer.of(0x41, 2, 0, 7, 9), { address: "127.0.0.1", port: 1 });
  });
  await failed;
  assert.deepEqual(failures, ["broken"]);
  assert.deepEqual(sent, [Buffer.of(0x61, 0xa0, 0, 7, 9)]);
});

test("four tokens of a device are good at a time", async (t) => {
  const platform = await platformFor(t);
  const client = await CoapClient.open(t, platform);
  const devices: SignedIn[] = [];
  for (let i = 0; i < 5; i++) devices.push(await signIn(client));
  const codes: string[] = [];
  for (const device of devices) codes.push((await client.ask(post(device))).code);
  assert.deepEqual(codes, ["4.01", "2.05", "2.05", "2.05", "2.05"]);
  const bare = await client.ask({ path: "/pull", options: JSON_FORMAT, payload: "{}" });
  assert.equal(bare.code, "4.01");
});
