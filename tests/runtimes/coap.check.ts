// The C host over UDP: the scenario of the Node host on WAMR, with the sanitisers, and peers that do not behave.

import assert from "node:assert/strict";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { setFault } from "../../host/platform/index.js";
import { root } from "../paths.js";
import { PRODUCT, platformFor } from "../platform/harness.js";
import { CHost, sanitizedHost } from "./c_host.js";

const TIMEOUT = { timeout: 60_000 };
const folder = mkdtempSync(join(tmpdir(), "alink-coap-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let program: string;
before(() => {
  program = sanitizedHost(join(folder, "alink-wamr"));
  // The default modules are found from here.
  process.chdir(root);
});

let devices = 0;
function startHost(t: TestContext, endpoint: string, members: Record<string, unknown>, more: string[] = []): CHost {
  const device = join(folder, `device-${devices++}.json`);
  const identity = { productKey: PRODUCT, deviceName: "example1", deviceSecret: "secret-of-example1", ...members };
  writeFileSync(device, JSON.stringify(identity));
  const flash = join(folder, `device-${devices}.flash`);
  const host = new CHost(program, [device, "--endpoint", endpoint, "--flash", flash, ...more]);
  t.after(() => host.stop("SIGKILL"));
  return host;
}

const POST = ["--properties", '{"n":1}', "--event", 'alarm={"errorCode":"E1"}'];
// Sectors of 256 bytes: a small image, which CoAP does not touch.
const FLASH = {
  sector: 256,
  slots: [
    [0, 1024],
    [1024, 1024],
  ],
  state: [2048, 512],
  queue: [2560, 512],
  boot: [3072, 512],
};

describe("the C host over CoAP", () => {
  for (const members of [{}, { ackMode: 1, contentFormat: "cbor" }])
    it(`posts and is set a property, posts an event, ${JSON.stringify(members)}`, TIMEOUT, async (t) => {
      const platform = await platformFor(t);
      const posted = once(platform, "property.post");
      const event = once(platform, "event.post");
      const host = startHost(t, platform.ready.coap!, { flash: FLASH, pullInterval: 1, ...members }, POST);
      assert.equal((await host.event("property.posted")).code, 200);
      assert.deepEqual((await posted)[0].params, { n: 1 });
      assert.equal((await host.event("event.posted")).code, 200);
      const { identifier, params } = (await event)[0];
      assert.deepEqual([identifier, params], ["alarm", { value: { errorCode: "E1" } }]);
      assert.equal((await host.event("device.connected")).sessionPresent, false);
      const reply = await platform.setProperties(PRODUCT, "example1", { led: 1 });
      assert.equal(reply.code, 200);
      assert.deepEqual((await host.event("property.set")).params, { led: 1 });
      assert.equal(await host.stop(), 0, host.stderr);
    });

  it("a host by its name; datagrams get lost, come twice and late", TIMEOUT, async (t) => {
    const platform = await platformFor(t);
    for (const fault of ["coap-loss", "coap-duplicate", "coap-reorder", "coap-seed=3"])
      setFault(platform.faults, fault);
    const values: unknown[] = [];
    platform.on("property.post", ({ params }) => values.push(params.n));
    platform.on("event.post", ({ identifier }) => values.push(identifier));
    const endpoint = platform.ready.coap!.replace("127.0.0.1", "localhost");
    const host = startHost(t, endpoint, { flash: FLASH }, POST);
    assert.equal((await host.event("property.posted")).code, 200);
    assert.equal((await host.event("event.posted")).code, 200);
    assert.deepEqual(values, [1, "alarm"]);
    assert.equal(await host.stop("SIGINT"), 130, host.stderr);
  });

  it("a wrong secret ends the program with the code", TIMEOUT, async (t) => {
    const platform = await platformFor(t);
    const host = startHost(t, platform.ready.coap!, { flash: FLASH, deviceSecret: "wrong" });
    assert.equal(await host.ended(), 1);
    assert.match(host.stderr, /refused the identity of example1: CoAP 401/);
    assert.doesNotMatch(host.stderr, /wrong/);
  });

  it("empty, huge and foreign datagrams, and a port that closes, change nothing", TIMEOUT, async (t) => {
    const peer: Socket = createSocket("udp4").bind(0, "127.0.0.1");
    await once(peer, "listening");
    const host = startHost(t, `coap://127.0.0.1:${peer.address().port}`, { flash: FLASH });
    const [request, { port }] = (await once(peer, "message")) as [Buffer, { port: number }];
    for (const datagram of [Buffer.alloc(0), Buffer.alloc(60_000, 0x40), Buffer.from("hello"), request.subarray(0, 3)])
      peer.send(datagram, port, "127.0.0.1");
    // The request comes again, so nothing of that was taken for an answer.
    const [again] = (await once(peer, "message")) as [Buffer];
    assert.deepEqual(again, request);
    peer.close();
    await once(peer, "close");
    assert.equal(await host.stop(), 0, host.stderr);
  });
});
