// Device against a scripted module: what the host makes of each want, without a platform.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, test } from "node:test";
import { BootOp, Closed, Code, Done, Event, FlashOp, Post, Want } from "../../host/abi.js";
import { Device, type DeviceOptions } from "../../host/node/device.js";
import { FlashImage } from "../../host/node/flash.js";
import { flashLayout } from "../../host/node/flash_layout.js";
import { Script } from "./script.js";

const folder = mkdtempSync(join(tmpdir(), "alink-device-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
let device: Device;
afterEach(() => device?.stop());

/** Every instance that was made, in order; `next` scripts each one before it runs. */
function create(next: (script: Script, index: number) => void, options: Partial<DeviceOptions> = {}): Script[] {
  const scripts: Script[] = [];
  device = new Device({
    configuration: {
      DeviceName: "d",
      flash: {
        sector: 256,
        slots: [
          [0, 1024],
          [1024, 1024],
        ],
      },
    },
    flash: join(folder, `${count++}.flash`),
    ...options,
    instantiate: async () => {
      const script = new Script();
      next(script, scripts.length);
      scripts.push(script);
      return script.agent();
    },
  });
  return scripts;
}

const nextEvent = async (name: "fault" | "message" | "error") => (await once(device, name))[0];

async function listen(handle: (socket: Socket) => void): Promise<[Server, string]> {
  const server = createServer(handle);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  after(() => server.close());
  return [server, `tcp://127.0.0.1:${(server.address() as { port: number }).port}`];
}

test("the configuration goes in as documents: the file's, the overrides, then the whole flash layout", async () => {
  const [script] = [create(() => {}, { endpoint: "mqtt://h:1", allowPlain: ["mqtt"] })];
  await device.start();
  const layout = flashLayout({
    sector: 256,
    slots: [
      [0, 1024],
      [1024, 1024],
    ],
  });
  assert.deepEqual(script[0]!.documents, [
    { DeviceName: "d" },
    { endpoint: "mqtt://h:1" },
    { allowPlain: ["mqtt"] },
    { flash: layout },
  ]);
  assert.deepEqual(script[0]!.booted, [0, 0, 0]);
});

test("a refused configuration rejects start with the module's words, and frees the flash", async () => {
  create((script) => {
    script.configureResult = Code.BadArgument;
    script.emit(Event.Fault, { event: "fault", code: 0, detail: 0, desc: "configuration: frob is not known" });
    script.emit(Event.Fault, {
      event: "fault",
      code: -3,
      detail: 0,
      desc: "configuration: keepAlive takes 30 to 1200",
    });
  });
  const message = "configuration: keepAlive takes 30 to 1200";
  await assert.rejects(device.start(), { name: "ConfigurationError", message });
  await assert.rejects(device.start(), { message }, "the lock is free again");
});

test("a configuration above the in-window is refused with both numbers, without a secret", async () => {
  create(() => {}, { configuration: { deviceName: "d", deviceSecret: "s".repeat(2000) } });
  await assert.rejects(device.start(), (error: Error) => {
    assert.match(error.message, /takes 20\d\d bytes as JSON, at most 1024 are possible/);
    assert.doesNotMatch(error.message, /ssss/);
    return true;
  });
});

test("entropy is filled and acknowledged", async () => {
  const scripts = create((script) => script.want(Want.Entropy));
  await device.start();
  await scripts[0]!.called("entropyDone");
  assert.ok(scripts[0]!.entropy().some((byte) => byte !== 0));
});

test("flash operations are carried out by the flash's rules, and a broken rule fails", async () => {
  const scripts = create((script) => {
    script.flash(FlashOp.Write, 32, new Uint8Array(16).fill(9));
    script.flash(FlashOp.Read, 32, new Uint8Array(16));
    script.flash(FlashOp.Write, 32, new Uint8Array(16).fill(8));
    script.flash(FlashOp.Erase, 0, new Uint8Array(256));
    script.flash(FlashOp.Write, 32, new Uint8Array(16).fill(7));
  });
  const fault = nextEvent("fault");
  await device.start();
  await scripts[0]!.called("flashDone", 5);
  assert.deepEqual(scripts[0]!.flashResults, [Done.Ok, Done.Ok, Done.Failed, Done.Ok, Done.Ok]);
  assert.deepEqual(scripts[0]!.flashReads, [new Uint8Array(16).fill(9)]);
  const { code, desc } = (await fault) as { code: number; desc: string };
  assert.deepEqual([code, /the unit at 32 was programmed before/.test(desc)], [Code.FlashFailed, true]);
});

test("the boot region is not the module's", async () => {
  const layout = flashLayout({
    sector: 256,
    slots: [
      [0, 1024],
      [1024, 1024],
    ],
  });
  const scripts = create((script) => script.flash(FlashOp.Erase, layout.boot[0], new Uint8Array(256)));
  device.on("fault", () => {});
  await device.start();
  await scripts[0]!.called("flashDone");
  assert.deepEqual(scripts[0]!.flashResults, [Done.Failed]);
});

test("a restart boots what was activated, with a fresh instance and the same configuration", async () => {
  const scripts = create((script, index) => {
    if (index === 0) {
      script.boot(BootOp.Activate, 1);
      script.want(Want.Restart);
    } else if (index === 1) script.boot(BootOp.Confirm, 1);
  });
  await device.start();
  const deadline = Date.now() + 10_000;
  while (scripts.length < 2 && Date.now() < deadline) await new Promise(setImmediate);
  await scripts[1]!.called("bootDone");
  assert.deepEqual(scripts[1]!.booted, [1, 1, 0]);
  assert.deepEqual(scripts[1]!.documents, scripts[0]!.documents);
  await device.stop();
  await device.start();
  assert.deepEqual(scripts[2]!.booted, [1, 0, 0], "confirmed");
});

test("a confirmation is refused while another slot is activated, and the module is told", async () => {
  const scripts = create((script) => {
    script.boot(BootOp.Activate, 1);
    script.boot(BootOp.Confirm, 0);
  });
  const fault = nextEvent("fault");
  await device.start();
  await scripts[0]!.called("bootDone", 2);
  assert.deepEqual(scripts[0]!.bootResults, [Done.Ok, Done.Failed]);
  assert.match(((await fault) as { desc: string }).desc, /slot 1 is activated/);
});

test("a module that never comes to the end of the configuration is given up after as many calls as bytes", async () => {
  const configuration = { deviceName: "d" };
  const scripts = create(
    (script) => {
      script.configureResult = 1;
    },
    { configuration },
  );
  const bytes = JSON.stringify(configuration).length;
  await assert.rejects(device.start(), { message: new RegExp(`end of a configuration of ${bytes} bytes`) });
  assert.equal(scripts[0]!.calls("configure"), bytes + 1);
});

test("bytes go both ways; the peer's end is told after the last byte", async () => {
  const [, uri] = await listen((socket) => {
    socket.once("data", (bytes) => socket.end(Buffer.concat([Buffer.from("re:"), bytes])));
  });
  const scripts = create((script) => script.open(uri, "hello"));
  await device.start();
  await scripts[0]!.called("closed");
  assert.equal(scripts[0]!.receivedText, "re:hello");
  assert.deepEqual(scripts[0]!.closedWith, [Closed.Peer]);
});

test("while the module has no room nothing is read; it all arrives when there is room again", async () => {
  // More than the kernel takes on both sides, so that the writer really stands still.
  const total = 30_000_000;
  let stalled = () => {};
  const full = new Promise<void>((resolve) => {
    stalled = resolve;
  });
  const [, uri] = await listen((socket) => {
    if (!socket.write(Buffer.alloc(total, 97))) stalled();
    socket.end();
  });
  const scripts = create((script) => {
    script.open(uri, "");
    script.room = 0;
  });
  await device.start();
  await full;
  assert.equal(scripts[0]!.receivedBytes, 0);
  scripts[0]!.room = 2048;
  (device as unknown as { publish(topic: string, payload: string): Promise<void> }).publish("/t", "").catch(() => {});
  await scripts[0]!.called("closed");
  assert.equal(scripts[0]!.receivedBytes, total);
  assert.ok(scripts[0]!.largestPiece <= 2048);
});

for (const [uri, reason] of [
  ["tcp://127.0.0.1:1", Closed.Unreachable],
  ["gopher://x:70", Closed.Unreachable],
  ["tcp://127.0.0.1:99999", Closed.Unreachable],
  ["nonsense", Closed.Unreachable],
] as const)
  test(`a link to ${uri} is closed as unreachable, with words for people`, async () => {
    const scripts = create((script) => script.open(uri, ""));
    await device.start();
    await scripts[0]!.called("closed");
    assert.deepEqual(scripts[0]!.closedWith, [reason]);
    assert.notEqual(device.linkError(0), "");
  });

test("posts wait for room in their order, and resolve with the platform's answer", async () => {
  const scripts = create((script) => {
    script.busyPosts = 3;
  });
  await device.start();
  const first = device.postProperties({ a: 1 });
  const second = device.publish("/t/a", "text");
  await Promise.all([second]);
  assert.deepEqual(scripts[0]!.posts, [
    [Post.Property, '{"a":1}'],
    [Post.Publish, "/t/a\0text"],
  ]);
  scripts[0]!.emit(Event.PropertyPosted, {
    event: "property.posted",
    id: scripts[0]!.lastId(Post.Property),
    code: 460,
  });
  device.subscribe("/wake").catch(() => {});
  assert.deepEqual(await first, { id: scripts[0]!.lastId(Post.Property), code: 460 });
});

test("a post that is too large, or that nobody answers, is rejected with the reason", async () => {
  const scripts = create(() => {});
  await device.start();
  await assert.rejects(device.postProperties({ a: "x".repeat(1100) }), {
    name: "PostError",
    message: /^the property post takes 1108 bytes, at most 1024 fit/,
  });
  scripts[0]!.postResult = Code.TooLarge;
  scripts[0]!.available = 700;
  await assert.rejects(device.postProperties({ a: "x".repeat(800) }), {
    message: /takes 808 bytes, 700 are available/,
  });
  scripts[0]!.postResult = undefined;
  const posted = device.postProperties({ a: 1 });
  const stopped = assert.rejects(posted, { message: "the property post: the device is stopping" });
  await device.stop();
  await stopped;
  await assert.rejects(device.postProperties({}), { message: /the device does not run/ });
});

test("waiting posts are bounded, and end when the device gives up", async () => {
  const scripts = create((script) => {
    script.busyPosts = Number.POSITIVE_INFINITY;
  });
  await device.start();
  const posts = Array.from({ length: 65 }, () => device.postProperties({}).catch((error: Error) => error.message));
  assert.match(String(await posts[64]), /64 posts are waiting already/);
  scripts[0]!.emit(Event.Disconnected, { event: "device.disconnected", code: -23, detail: 4, retryMs: -1 });
  const texts = await Promise.all(posts.slice(0, 64));
  assert.ok(texts.every((text) => String(text).includes("is disconnected and does not try again")));
});

test("a property set is answered 200 without a listener, and by the listener when there is one", async () => {
  const scripts = create((script) =>
    script.emit(Event.PropertySet, { event: "property.set", token: 7, params: { led: 1 } }),
  );
  await device.start();
  await scripts[0]!.called("reply");
  device.on("property.set", (event, reply) => void reply(300 + Number(event.params.led), { why: "ü" }));
  scripts[0]!.emit(Event.PropertySet, { event: "property.set", token: 8, params: { led: 2 } });
  device.subscribe("/wake").catch(() => {});
  await scripts[0]!.called("reply", 2);
  assert.deepEqual(scripts[0]!.replies, [
    [7, 200, ""],
    [8, 302, '{"why":"ü"}'],
  ]);
});

test("an event comes in pieces of any split, also inside a character; an abandoned one is forgotten", async () => {
  const text = JSON.stringify({ event: "message", topic: "/t", payload: "grüße ☃" });
  const bytes = Buffer.from(text);
  for (let at = 1; at < bytes.length; at++) {
    create((script) => {
      script.piece(Event.Message, Buffer.from('{"event":"mess'), 1);
      script.piece(Event.Message, Buffer.from(""), 2);
      script.piece(Event.Message, bytes.subarray(0, at), 1);
      script.piece(Event.Message, bytes.subarray(at), 0);
    });
    const message = nextEvent("message");
    await device.start();
    assert.deepEqual(await message, JSON.parse(text));
    await device.stop();
  }
});

test("an event that is not JSON is a fault, and the next one still comes", async () => {
  create((script) => {
    script.piece(Event.Message, Buffer.from('{"event":'), 0);
    script.emit(Event.Message, { event: "message", topic: "/t", payload: "" });
  });
  const [fault, message] = [nextEvent("fault"), nextEvent("message")];
  await device.start();
  assert.equal(((await fault) as { code: number }).code, Code.BadMessage);
  assert.equal(((await message) as { topic: string }).topic, "/t");
});

test("a trap is a fault and a fresh instance; the third in a row stops the device", async () => {
  const scripts = create((script) => script.trap("unreachable"));
  const faults: string[] = [];
  device.on("fault", ({ desc }) => faults.push(desc));
  const error = nextEvent("error");
  await device.start();
  assert.match(((await error) as Error).message, /the module stopped 3 times in a row: unreachable/);
  assert.equal(scripts.length, 3);
  assert.equal(faults.length, 3);
  await assert.rejects(device.postProperties({}), { message: /the device does not run/ });
});

test("stop disconnects in an orderly way and waits for the link", async () => {
  let ended = false;
  const [, uri] = await listen((socket) => {
    socket.on("data", () => {});
    socket.on("end", () => {
      ended = true;
    });
  });
  const scripts = create((script) => {
    script.open(uri, "");
    script.onPost = (kind) => {
      if (kind === Post.Disconnect) {
        script.send("bye");
        script.close();
      }
    };
  });
  await device.start();
  await scripts[0]!.called("opened");
  await device.stop();
  assert.deepEqual(scripts[0]!.closedWith, [Closed.Local]);
  assert.equal(scripts[0]!.sentText, "bye");
  assert.ok(ended);
});

test("an open flash stays open after stop", async () => {
  const image = FlashImage.open(
    join(folder, "kept.flash"),
    flashLayout({
      sector: 256,
      slots: [
        [0, 1024],
        [1024, 1024],
      ],
    }),
  );
  create(() => {}, { flash: image });
  await device.start();
  await device.stop();
  assert.equal(image.read(0, 1)[0], 255);
  image.close();
});

test("a post while a fresh instance is being made wakes that instance", async () => {
  const scripts: Script[] = [];
  let made = () => {};
  const pending = new Promise<void>((resolve) => {
    made = resolve;
  });
  let asked = () => {};
  const second = new Promise<void>((resolve) => {
    asked = resolve;
  });
  device = new Device({
    configuration: { deviceName: "d", flash: { sector: 256, slots: [0, 1].map((slot) => [1024 * slot, 1024]) } },
    flash: join(folder, `${count++}.flash`),
    instantiate: async () => {
      const script = new Script();
      scripts.push(script);
      if (scripts.length === 1) script.want(Want.Restart);
      else {
        asked();
        await pending;
      }
      return script.agent();
    },
  });
  await device.start();
  await second;
  const posted = device.publish("/d/user/x", "1");
  // The loop's turn comes and finds no instance.
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  made();
  await posted;
  assert.equal(scripts[1]!.posts.length, 1);
});

test("cutPower drops everything at once, and start goes on from the flash", async () => {
  let received = "";
  const [server, uri] = await listen((socket) => socket.on("data", (bytes) => (received += bytes)));
  const dropped = once(server, "connection").then(([socket]) => once(socket as Socket, "close"));
  const scripts = create((script) => {
    script.open(uri, "");
    script.onPost = (kind) => {
      if (kind === Post.Disconnect) script.send("bye");
    };
  });
  await device.start();
  await scripts[0]!.called("opened");
  const post = device.postProperties({ a: 1 });
  device.cutPower();
  await assert.rejects(post, /the power was cut/);
  await dropped;
  assert.equal(received, "", "nothing is said to the platform");
  await device.start();
  await scripts[1]!.called("opened");
  assert.equal(scripts.length, 2);
});
