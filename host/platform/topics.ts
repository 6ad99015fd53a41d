// Which topics a device may use. A device has only its own: the pair ProductKey/DeviceName stands at a fixed
// place in every topic family, and no wildcard may stand there.

import type { DeviceId } from "./events.js";

/** Longest topic, bytes of UTF-8. */
export const MAX_TOPIC_BYTES = 128;
/** Most slashes in a custom topic; documented system topics such as …/event/property/pack/post have more. */
export const MAX_CUSTOM_SLASHES = 7;

/** Where the pair starts, by the family's leading levels. */
const FAMILIES: { levels: string[]; pair: number }[] = [
  { levels: ["sys"], pair: 1 },
  { levels: ["ota", "device", "inform"], pair: 3 },
  { levels: ["ota", "device", "upgrade"], pair: 3 },
  { levels: ["ota", "device", "progress"], pair: 3 },
  { levels: ["ota", "device", "request"], pair: 3 },
  { levels: ["shadow", "update"], pair: 2 },
  { levels: ["shadow", "get"], pair: 2 },
  { levels: ["ext", "ntp"], pair: 2 },
  { levels: ["ext", "session"], pair: 2 },
  { levels: ["ext", "error"], pair: 2 },
  { levels: ["ext", "rrpc", "*", "sys"], pair: 4 },
  { levels: ["ext", "rrpc", "*"], pair: 3 },
];

function pairPosition(levels: string[], { productKey, deviceName }: DeviceId): number {
  const holds = (pair: number) => levels[pair] === productKey && levels[pair + 1] === deviceName;
  for (const family of FAMILIES) {
    if (family.levels.every((name, i) => name === "*" || name === levels[i]) && holds(family.pair)) return family.pair;
  }
  return holds(0) ? 0 : -1;
}

/** True when the topic (or filter, wildcards only after the pair) belongs to this device and keeps the limits. */
export function isOwnTopic(topic: string, device: DeviceId): boolean {
  if (!topic.startsWith("/")) return false;
  const levels = topic.slice(1).split("/");
  const pair = pairPosition(levels, device);
  if (pair < 0) return false;
  // RRPC topics carry another topic inside, so the limits are those of the inner one.
  if (levels[0] === "ext" && levels[1] === "rrpc") return topic.length <= 2 * MAX_TOPIC_BYTES;
  if (Buffer.byteLength(topic) > MAX_TOPIC_BYTES) return false;
  return pair > 0 || levels.length <= MAX_CUSTOM_SLASHES;
}

/** True for topics of the platform itself, which no subscription is needed for; custom topics start with the pair. */
export function isSystemTopic(topic: string, { productKey, deviceName }: DeviceId): boolean {
  return !topic.startsWith(`/${productKey}/${deviceName}/`);
}
