// What must hold of the module whatever was done to it, and how it shows that it still works.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type fc from "fast-check";
import { BootOp, Channel, Done, FlashOp, IN_WINDOW, Post } from "../../host/abi.js";
import type { Agent } from "../../host/agent.js";
import { keeping } from "./dearest.js";
import { Broker, identity, layout, Rig, type RigOptions } from "./rig.js";
import { type Answer, fileServer, Web } from "./web.js";

export const { productKey, deviceName, deviceSecret } = identity;
export const sys = `/sys/${productKey}/${deviceName}`;
export const UPGRADE = `/ota/device/upgrade/${productKey}/${deviceName}`;
export const TOPICS = [
  UPGRADE,
  `${sys}/thing/ota/firmware/get_reply`,
  `${sys}/thing/service/property/set`,
  `${sys}/thing/event/property/post_reply`,
  `${sys}/thing/something/else`,
  `/${productKey}/${deviceName}/user/get`,
  `${sys}/thing/event/alarm/post_reply`,
];
export const [SLOT, STATE] = [layout.slots[1]![0]!, layout.state[0]!];
export const WRITABLE: [from: number, to: number][] = [
  [SLOT, SLOT + layout.slots[1]![1]!],
  [STATE, STATE + layout.state[1]!],
];
/** Far above what any of these runs needs. */
export const POLLS = 50_000;

/** The same runs every time; a failure shows its cause and the path that repeats it. */
export function runs<T>(numRuns: number): fc.Parameters<T> {
  const report = (out: fc.RunDetails<T>): void => {
    if (!out.failed) return;
    const cause = out.errorInstance as Error;
    throw new Error(`seed ${out.seed}, path "${out.counterexamplePath}": ${cause.stack?.slice(0, 900)}`, { cause });
  };
  // Calls that are kept take their time: a part of them will do.
  return {
    seed: 20200317,
    numRuns: keeping ? Math.ceil(numRuns / 20) : numRuns,
    endOnFailure: true,
    asyncReporter: async (out) => report(out),
  };
}

export const file = createHash("sha512").update("firmware").digest();
export const FILE = Buffer.concat(Array.from({ length: 50 }, (_, i) => Buffer.from(file).fill(i, 0, 4)));

export function offer(members: Record<string, unknown> = {}): Record<string, unknown> {
  const sign = createHash("sha256").update(FILE).digest("hex");
  const url = "https://files.example/fw.bin?Expires=1";
  return { size: FILE.length, version: "2.0.0", url, sign, signMethod: "SHA256", module: "default", ...members };
}

export const push = (data: unknown): unknown => ({ code: "1000", data, id: 1695281536874, message: "success" });

export function inspect(rig: Rig): void {
  rig.takeEvents();
  const memory = new Uint8Array(rig.agent.exports.memory.buffer);
  assert.equal(memory.length, 65536, "memory grew");
  const above = memory.subarray(rig.agent.exports.__heap_base.value);
  assert.ok(
    above.every((byte) => byte === 0),
    "memory above __heap_base was written",
  );
  for (const { op, offset, length } of rig.flashOps) {
    if (op === FlashOp.Read) continue;
    const inside = WRITABLE.some(([from, to]) => offset >= from && offset + length <= to);
    assert.ok(inside && length > 0, `flash operation ${op} on ${length} bytes at ${offset}`);
  }
  assert.ok(!JSON.stringify(rig.events).includes(deviceSecret), "the secret stands in an event");
  for (const { op, slot } of rig.boot) if (op === BootOp.Activate) activated(rig, slot);
}

/** An activated slot holds what was announced. */
export function activated(rig: Rig, slot: number): void {
  assert.equal(slot, 1);
  const verified = rig.named("update.verified").at(-1);
  // verified before the last restart
  if (verified === undefined) {
    assert.deepEqual(Buffer.from(rig.flash.subarray(SLOT, SLOT + FILE.length)), FILE);
    return;
  }
  const bytes = rig.flash.subarray(SLOT, SLOT + (verified.size as number));
  const method = (verified.digest as string).length === 32 ? "md5" : "sha256";
  assert.equal(createHash(method).update(bytes).digest("hex"), verified.digest);
}

/** Good peers again, and enough time: the session comes back, a post is answered, an update goes through. */
export function recover(rig: Rig): void {
  inspect(rig);
  if (rig.restart) return;
  const broker = new Broker(rig);
  new Web(rig, fileServer(FILE));
  rig.flashResult = () => Done.Ok;
  for (const ch of [Channel.Mqtt, Channel.Http]) if (rig.linked[ch]) rig.hangUp(ch);
  rig.settle(POLLS);
  rig.agent.post(Post.Connect, Buffer.alloc(0));
  rig.advance(700_000);
  inspect(rig);
  // what was fed may have been a package as good as any
  if (rig.restart) return;
  assert.ok(rig.linked[Channel.Mqtt], `no session: ${JSON.stringify(rig.events.slice(-3))}`);
  posts(rig, broker);
  inspect(rig);
  if (rig.restart) return;
  broker.publish(UPGRADE, push(offer({ version: "9.9.9" })));
  rig.advance(60_000);
  assert.ok(rig.restart, `no update: ${JSON.stringify(rig.events.slice(-3))}`);
  assert.deepEqual(Buffer.from(rig.flash.subarray(SLOT, SLOT + FILE.length)), FILE);
  inspect(rig);
}

export function posts(rig: Rig, broker: Broker): void {
  const id = rig.agent.post(Post.Property, Buffer.from('{"still":"here"}'));
  assert.ok(id > 0, `post answered ${id}`);
  rig.settle(POLLS);
  const sent = broker.payloads("thing/event/property/post").filter((message) => message.id === String(id));
  assert.equal(sent.length, 1);
  broker.publish(`${sys}/thing/event/property/post_reply`, { id: String(id), code: 200, data: {} });
  rig.settle(POLLS);
  assert.deepEqual(rig.named("property.posted").at(-1), { event: "property.posted", id, code: 200 });
}

export async function connected(
  options: RigOptions = {},
  answer?: () => Answer,
): Promise<{ rig: Rig; broker: Broker; web: Web }> {
  const rig = await Rig.create(options);
  const broker = new Broker(rig);
  const web = new Web(rig, answer ?? fileServer(FILE));
  rig.settle(POLLS);
  return { rig, broker, web };
}

/** A document in the in-window, whatever its length. */
export function configure(agent: Agent, document: Uint8Array): number {
  const x = agent.exports;
  new Uint8Array(x.memory.buffer).set(document.subarray(0, IN_WINDOW), x.inPtr());
  let code = x.configure(document.length);
  while (code > 0) code = x.configure(0);
  return code;
}
