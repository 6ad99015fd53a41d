/** An update on the bench: a rig, a broker and a file server, and what the platform pushes. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Broker, identity, layout, type Message, Rig, type RigOptions } from "./rig.js";
import { fileServer, Web } from "./web.js";

const { productKey, deviceName } = identity;
export const UPGRADE = `/ota/device/upgrade/${productKey}/${deviceName}`;
export const GET_REPLY = `/sys/${productKey}/${deviceName}/thing/ota/firmware/get_reply`;

/** `size` bytes that no other size or seed has. */
export function image(size: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(size);
  let x = seed * 2654435761 + size;
  for (let i = 0; i < size; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

export function offer(
  file: Uint8Array,
  members: Record<string, unknown> = {},
  method: "md5" | "sha256" = "sha256",
): Record<string, unknown> {
  const sign = createHash(method).update(file).digest("hex");
  return {
    size: file.length,
    version: "2.0.0",
    url: "https://files.example/fw.bin?Expires=1&Signature=x%2B",
    sign,
    signMethod: method === "md5" ? "Md5" : "SHA256",
    ...(method === "md5" ? { md5: sign } : {}),
    ...members,
  };
}

export const push = (data: unknown): unknown => ({ code: "1000", data, id: 1695281536874, message: "success" });

export interface Bench {
  rig: Rig;
  broker: Broker;
  web: Web;
}

/** @param settled  let the device connect before anything else */
export async function bench(file: Uint8Array, options: RigOptions = {}, settled = true): Promise<Bench> {
  const rig = await Rig.create(options);
  const broker = new Broker(rig);
  const web = new Web(rig, fileServer(file));
  if (settled) rig.settle();
  return { rig, broker, web };
}

/** Restart on the same flash, as the boot loader decides. */
export async function restarted(
  from: Rig,
  slot: number,
  how: number,
  reason = 0,
  options: RigOptions = {},
): Promise<{ rig: Rig; broker: Broker }> {
  const rig = await Rig.create({ ...options, flash: from.flash, booted: [slot, how, reason] });
  return { rig, broker: new Broker(rig) };
}

export function slot(rig: Rig, index: number, length: number): Buffer {
  return Buffer.from(rig.flash.subarray(layout.slots[index]![0]!, layout.slots[index]![0]! + length));
}

export function failure(rig: Rig): Message {
  const [failed] = rig.named("update.failed");
  assert.ok(failed, `no update.failed in ${JSON.stringify(rig.events)}`);
  return failed;
}

/** The steps that the device reported to the platform. */
export const steps = (broker: Broker): string[] =>
  broker.payloads("/ota/device/progress/").map((message) => (message.params as { step: string }).step);

/** Let the platform answer firmware/get with an offer. */
export function answerGet({ broker }: Bench, data: () => unknown): void {
  broker.published = (topic, payload) => {
    if (topic.endsWith("firmware/get"))
      broker.publish(GET_REPLY, { id: (JSON.parse(payload) as { id: string }).id, code: 200, data: data() });
  };
}

/** Push an offer, and let the device do what it can do at once. */
export function pushed({ rig, broker }: Bench, data: unknown): void {
  broker.publish(UPGRADE, push(data));
  rig.settle();
}
