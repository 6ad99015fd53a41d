// Links over TLS: whose certificate is trusted, and how a failure is told.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer, type Server } from "node:tls";
import { Closed } from "../../host/abi.js";
import { Link, parsePeer } from "../../host/node/link.js";
import { type Platform, startPlatform } from "../../host/platform/index.js";

const folder = mkdtempSync(join(tmpdir(), "alink-link-"));
const fixtures = { accessKeys: [], products: [] };
let platform: Platform;
let ca: Buffer;

before(async () => {
  platform = await startPlatform({ fixtures, data: folder });
  ca = readFileSync(platform.ready.ca);
});

after(async () => {
  await platform.close();
  rmSync(folder, { recursive: true, force: true });
});

const uri = (host: string) => `tls://${host}:${new URL(platform.ready.mqtts!).port}`;

/** Resolves when the link stands or is over. */
function settled(to: string, trust?: string | Buffer): Promise<Link> {
  return new Promise((resolve) => {
    const link: Link = new Link(to, trust, () => {
      if (link.established || link.closed !== undefined) resolve(link);
    });
  });
}

for (const [text, peer] of [
  ["tls://example.com:443", { tls: true, host: "example.com", port: 443 }],
  ["tcp://[::1]:1883", { tls: false, host: "::1", port: 1883 }],
  ["tcp://127.0.0.1:80", { tls: false, host: "127.0.0.1", port: 80 }],
  ["tcp://127.0.0.1", undefined],
  ["http://127.0.0.1:80", undefined],
  ["tls://:443", undefined],
  ["tls://x:70000", undefined],
  ["", undefined],
] as const)
  test(`the URI "${text}"`, () => assert.deepEqual(parsePeer(text), peer));

for (const host of ["127.0.0.1", "localhost"])
  test(`with its CA the server at ${host} is trusted; closing is orderly`, async () => {
    const link = await settled(uri(host), ca);
    assert.equal(link.established, true, link.error);
    link.close();
    assert.equal(await closing(link), Closed.Local);
  });

/** Polls the link's state once per turn of the event loop. */
async function closing(link: Link): Promise<Closed> {
  while (link.closed === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  return link.closed;
}

test("without its CA the server is not trusted", async () => {
  const link = await settled(uri("127.0.0.1"));
  assert.equal(link.closed, Closed.Untrusted);
  assert.match(link.error, /certificate/);
});

test("a certificate that names another host is not trusted", async () => {
  // 127.0.0.2 is this machine too, but the certificate does not name it.
  const key = readFileSync(join(folder, "server-key.pem"));
  const server: Server = createServer({ key, cert: readFileSync(join(folder, "server.pem")) });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.2");
  await once(server, "listening");
  const link = await settled(`tls://127.0.0.2:${(server.address() as { port: number }).port}`, ca);
  server.close();
  assert.equal(link.closed, Closed.Untrusted);
  assert.match(link.error, /127\.0\.0\.2/);
});

test("a server that speaks no TLS, and one that is not there, are unreachable", async () => {
  const plain = await settled(`tls://127.0.0.1:${new URL(platform.ready.http!).port}`, ca);
  assert.equal(plain.closed, Closed.Unreachable);
  assert.notEqual(plain.error, "");
  const none = await settled("tls://127.0.0.1:1", ca);
  assert.equal(none.closed, Closed.Unreachable);
  assert.match(none.error, /ECONNREFUSED/);
});
