// The POSIX port's links: tickets, names, and peers that do not behave.

import assert from "node:assert/strict";
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, isIP, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import * as x509 from "@peculiar/x509";
import { Code } from "../../host/abi.js";
import { type Certificates, provideCertificates } from "../../host/platform/certificates.js";
import { wasm } from "../paths.js";
import { CHost, type Line, sanitizedHost } from "./c_host.js";

const TIMEOUT = { timeout: 60_000 };
const folder = mkdtempSync(join(tmpdir(), "alink-link-"));
after(() => rmSync(folder, { recursive: true, force: true }));
let program: string;
let certificates: Certificates;

before(async () => {
  program = sanitizedHost(join(folder, "alink-wamr"));
  certificates = await provideCertificates(join(folder, "ca"), []);
});

let devices = 0;
function startHost(t: TestContext, endpoint: string, ca = certificates.caFile): CHost {
  const device = join(folder, `device-${devices++}.json`);
  const identity = { productKey: "a1", deviceName: `device-${devices}`, deviceSecret: "secret", allowPlain: ["mqtt"] };
  writeFileSync(device, JSON.stringify(identity));
  const host = new CHost(program, [device, "--module", wasm("agent"), "--endpoint", endpoint, "--ca", ca]);
  t.after(() => host.stop("SIGKILL"));
  return host;
}

/** A certificate that is its own authority and names one host. */
async function selfSigned(host: string): Promise<Certificates> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=check",
    signingAlgorithm: algorithm,
    keys: keys as CryptoKeyPair,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([{ type: isIP(host) ? "ip" : "dns", value: host }]),
    ],
  });
  const cert = certificate.toString("pem");
  const caFile = join(folder, `${host}.pem`);
  writeFileSync(caFile, `${cert}\n`);
  const exported = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { caFile, cert, key: `-----BEGIN PRIVATE KEY-----\n${exported}\n-----END PRIVATE KEY-----\n` };
}

async function listen(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  t.after(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const ended = (host: CHost, from = 0): Promise<Line> => host.event("device.disconnected", () => true, from);

describe("links of the C host", () => {
  it("a TLS session is resumed by its ticket, and by name", TIMEOUT, async (t) => {
    const { key, cert } = certificates;
    const reused: boolean[] = [];
    const server = createTlsServer({ key, cert, maxVersion: "TLSv1.2" }, (socket: TLSSocket) => {
      reused.push(socket.isSessionReused());
      socket.on("error", () => {});
      // The CONNECT has come: the handshake is over on both sides.
      socket.once("data", () => socket.end());
    });
    const host = startHost(t, `mqtts://localhost:${await listen(t, server)}`);
    await host.event("device.connecting", ({ attempt }) => attempt === 2);
    await ended(host, host.lines.length);
    assert.deepEqual(reused, [false, true]);
    assert.equal(await host.stop(), 0, host.stderr);
  });

  it("an end while a handshake or a name is under way is orderly", TIMEOUT, async (t) => {
    const silent = createServer((socket) => socket.on("error", () => {}));
    const arrived = once(silent, "connection");
    const shaking = startHost(t, `mqtts://127.0.0.1:${await listen(t, silent)}`);
    const [socket] = (await arrived) as [Socket];
    assert.equal(await shaking.stop(), 0, shaking.stderr);
    socket.destroy();
    const resolving = startHost(t, "mqtts://name.invalid:8883");
    await resolving.event("device.connecting");
    assert.equal(await resolving.stop("SIGINT"), 130, resolving.stderr);
  });

  it("a certificate must name the host, be it a name or an address", TIMEOUT, async (t) => {
    for (const [named, host] of [
      ["elsewhere.example", "localhost"],
      ["127.0.0.2", "127.0.0.1"],
    ] as const) {
      const { key, cert, caFile } = await selfSigned(named);
      const server = createTlsServer({ key, cert }, (socket) => socket.on("error", () => {}));
      server.on("tlsClientError", () => {});
      const client = startHost(t, `mqtts://${host}:${await listen(t, server)}`, caFile);
      assert.equal((await ended(client)).code, Code.Untrusted, `${named} for ${host}`);
      assert.equal(await client.ended(), 1);
      assert.match(client.stderr, /not trusted/);
    }
  });

  const PEERS: Record<string, { answer: (socket: Socket) => void; code: number }> = {
    "hangs up in the handshake": { answer: (socket) => socket.once("data", () => socket.end()), code: Code.LinkFailed },
    "speaks something else": {
      answer: (socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")),
      code: Code.LinkFailed,
    },
    resets: { answer: (socket) => socket.once("data", () => socket.resetAndDestroy()), code: Code.LinkFailed },
  };
  for (const [name, { answer, code }] of Object.entries(PEERS))
    it(`a TLS peer that ${name}`, TIMEOUT, async (t) => {
      const server = createServer((socket) => {
        socket.on("error", () => {});
        answer(socket);
      });
      const host = startHost(t, `mqtts://127.0.0.1:${await listen(t, server)}`);
      assert.equal((await ended(host)).code, code);
      assert.equal(await host.stop(), 0, host.stderr);
    });

  it("nobody listens, and a name that does not exist", TIMEOUT, async (t) => {
    for (const endpoint of ["mqtts://127.0.0.1:1", "mqtts://name.invalid:8883"]) {
      const host = startHost(t, endpoint);
      assert.equal((await ended(host)).code, Code.LinkFailed);
      assert.equal(await host.stop(), 0, host.stderr);
    }
  });
});
