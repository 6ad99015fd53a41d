// Datagrams: one window is one datagram, one datagram is one window, and what does not fit is lost.

import assert from "node:assert/strict";
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { once } from "node:events";
import { type TestContext, test } from "node:test";
import { Closed } from "../../host/abi.js";
import { Channels } from "../../host/node/channels.js";
import { DatagramLink } from "../../host/node/datagram_link.js";
import { Script } from "./script.js";

async function peer(t: TestContext, host = "127.0.0.1"): Promise<[Socket, string]> {
  const socket = createSocket(host === "::1" ? "udp6" : "udp4");
  socket.bind(0, host);
  await once(socket, "listening");
  t.after(() => socket.close());
  const name = host === "::1" ? "[::1]" : host;
  return [socket, `udp://${name}:${socket.address().port}`];
}

/** Resolves when `passes` holds after one of the link's wakes. */
class Watch {
  wakes = 0;
  #waiting: (() => void)[] = [];
  readonly wake = () => {
    this.wakes++;
    for (const resolve of this.#waiting.splice(0)) resolve();
  };
  async until(passes: () => boolean): Promise<void> {
    while (!passes()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}

for (const host of ["127.0.0.1", "::1", "localhost"])
  test(`a datagram each way, ${host}`, async (t) => {
    const [socket, uri] = await peer(t, host === "localhost" ? "127.0.0.1" : host);
    const watch = new Watch();
    const link = new DatagramLink(uri.replace("127.0.0.1", host), watch.wake);
    t.after(() => link.destroy());
    await watch.until(() => link.established || link.closed !== undefined);
    assert.equal(link.established, true, link.error);
    const arrived = once(socket, "message") as Promise<[Buffer, RemoteInfo]>;
    link.write(Buffer.from("up"));
    const [up, { port, address }] = await arrived;
    assert.equal(up.toString(), "up");
    socket.send("down", port, address);
    let got: Uint8Array | undefined;
    await watch.until(() => {
      got = link.read(100);
      return got !== undefined;
    });
    assert.equal(Buffer.from(got!).toString(), "down");
    link.close();
    assert.equal(link.closed, Closed.Local);
  });

test("datagrams are never joined or cut; too long ones are lost, and the oldest of too many", async (t) => {
  const [socket, uri] = await peer(t);
  const watch = new Watch();
  const link = new DatagramLink(uri, watch.wake);
  t.after(() => link.destroy());
  await watch.until(() => link.established);
  const arrived = once(socket, "message") as Promise<[Buffer, RemoteInfo]>;
  link.write(Buffer.from("hello"));
  const [, { port }] = await arrived;
  const send = (bytes: Buffer, from = socket) =>
    new Promise<void>((resolve) => from.send(bytes, port, "127.0.0.1", () => resolve()));
  const [stranger] = await peer(t);
  await send(Buffer.from("forged"), stranger);
  await send(Buffer.alloc(0));
  const before = watch.wakes;
  for (let n = 0; n < 20; n++) await send(Buffer.alloc(10 + n));
  await watch.until(() => watch.wakes === before + 20);
  const lengths = () => {
    const read: number[] = [];
    for (let bytes = link.read(100); bytes !== undefined; bytes = link.read(100)) read.push(bytes.length);
    return read;
  };
  assert.deepEqual(
    lengths(),
    Array.from({ length: 16 }, (_, n) => 14 + n),
  );
  await send(Buffer.alloc(101));
  await send(Buffer.alloc(100));
  await watch.until(() => watch.wakes === before + 22);
  assert.deepEqual(lengths(), [100]);
});

test("a name that does not exist, and URIs of other schemes, end the link", async () => {
  for (const uri of ["udp://name.invalid:5682", "tcp://127.0.0.1:1", "udp://127.0.0.1", ""]) {
    const watch = new Watch();
    const link = new DatagramLink(uri, watch.wake);
    await watch.until(() => link.closed !== undefined);
    assert.equal(link.closed, Closed.Unreachable);
    assert.notEqual(link.error, "");
  }
});

test("a channel hands windows over whole, counts them, and keeps a datagram while there is no room", async (t) => {
  const [socket, uri] = await peer(t);
  const script = new Script();
  const agent = script.agent();
  const watch = new Watch();
  const channels = new Channels(undefined, watch.wake);
  t.after(() => channels.drop());
  const serve = () => channels.serve(agent, 0, agent.exports.poll(0));
  script.open(uri, "0123456789");
  serve();
  const arrived = once(socket, "message") as Promise<[Buffer, RemoteInfo]>;
  await watch.until(() => {
    serve();
    return script.calls("opened") === 1;
  });
  serve();
  const [up, { port }] = await arrived;
  assert.equal(up.toString(), "0123456789");
  script.room = 0;
  const before = watch.wakes;
  socket.send("first", port, "127.0.0.1");
  socket.send("second", port, "127.0.0.1");
  await watch.until(() => {
    serve();
    return watch.wakes === before + 2;
  });
  assert.equal(script.receivedText, "");
  script.room = 50;
  serve();
  assert.equal(script.receivedText, "first");
  serve();
  assert.equal(script.receivedText, "firstsecond");
  assert.equal(script.largestPiece, 6);
  assert.deepEqual(channels.traffic, { writes: 1, bytesOut: 10, reads: 2, bytesIn: 11 });
  script.close();
  serve();
  serve();
  assert.deepEqual(script.closedWith, [Closed.Local]);
});
