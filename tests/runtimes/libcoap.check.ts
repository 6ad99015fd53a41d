// libcoap's client (Debian's libcoap3-bin) against the platform: symmetric mode with options given by number.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { authBody, SignedIn, topic } from "../platform/coap_client.js";
import { platformFor } from "../platform/harness.js";

const folder = mkdtempSync(join(tmpdir(), "alink-libcoap-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Run the client. @returns the payload it received, and what it said of a refusal */
async function post(url: string, body: Buffer | string, more: string[] = []) {
  const [request, response] = [join(folder, "request"), join(folder, "response")];
  writeFileSync(request, body);
  writeFileSync(response, "");
  const args = ["-m", "post", "-t", "50", "-A", "50", "-B", "10", "-f", request, "-o", response, ...more, url];
  const { stderr, stdout } = await promisify(execFile)("coap-client-notls", args);
  return { payload: readFileSync(response), said: (stdout + stderr).trim() };
}

const hex = (bytes: Buffer) => `0x${bytes.toString("hex")}`;

describe("libcoap's client", () => {
  it("signs in and posts, in one datagram and block-wise, and is refused a replay", async (t) => {
    const platform = await platformFor(t);
    const base = platform.ready.coap!;
    const { payload } = await post(`${base}/auth`, authBody({ signmethod: "hmacsha256" }, undefined, "sha256"));
    const { token, random, seqOffset } = JSON.parse(payload.toString());
    const device = new SignedIn(token, random, seqOffset);
    const send = (params: unknown, sequence: number, more: string[] = []) =>
      post(base + topic("event/property/post"), device.encrypt(JSON.stringify({ id: String(sequence), params })), [
        "-O",
        `2088,${token}`,
        "-O",
        `2089,${hex(device.encrypt(String(sequence)))}`,
        ...more,
      ]);
    for (const [text, more] of [
      ["short", []],
      ["z".repeat(3000), ["-b", "256"]],
    ] as [string, string[]][]) {
      const posted = once(platform, "property.post");
      const sequence = device.sequence++;
      const reply = await send({ text }, sequence, more);
      assert.deepEqual(JSON.parse(device.decrypt(reply.payload).toString()), {
        id: String(sequence),
        code: 200,
        data: {},
      });
      assert.deepEqual((await posted)[0].params, { text });
    }
    const replayed = await send({ text: "again" }, seqOffset);
    assert.match(replayed.said, /4\.02/);
    assert.equal(replayed.payload.length, 0);
    const unknown = await post(base + topic("event/property/post"), "x", ["-O", "2088,unknown"]);
    assert.match(unknown.said, /4\.01/);
  });
});
