// Messages that wait for a device that fetches them: bounded in number and age, the oldest first.

import type { Device } from "./registry.js";

/** Messages one device may have waiting; one more drops the oldest. */
const MAX_WAITING = 100;
/** As long as the platform keeps a QoS 1 message, ms: 7 days. */
const KEPT_MS = 7 * 86_400_000;

interface Waiting {
  atMs: number;
  topic: string;
  payload: string;
}

export class DownlinkQueue {
  readonly #waiting = new Map<Device, Waiting[]>();

  constructor(private readonly clock: () => number) {}

  add(device: Device, topic: string, payload: string): void {
    const queue = this.#waiting.get(device) ?? [];
    queue.push({ atMs: this.clock(), topic, payload });
    if (queue.length > MAX_WAITING) queue.shift();
    this.#waiting.set(device, queue);
  }

  /**
   * Hand out the oldest messages; they are gone then.
   *
   * count  at most so many.
   * bytes  at most so many characters in all, but one message in any case.
   *
   * Returns JSON text: `[{"topic":…,"payload":…}…]`, the payload as the JSON value it is, or as text.
   */
  take(device: Device, count: number, bytes: number): string {
    const queue = this.#waiting.get(device) ?? [];
    const since = this.clock() - KEPT_MS;
    while (queue.length > 0 && queue[0]!.atMs < since) queue.shift();
    const taken: string[] = [];
    let length = 0;
    while (queue.length > 0 && taken.length < count) {
      const { topic, payload } = queue[0]!;
      const text = `{"topic":${JSON.stringify(topic)},"payload":${isJson(payload) ? payload : JSON.stringify(payload)}}`;
      length += text.length;
      if (taken.length > 0 && length > bytes) break;
      taken.push(text);
      queue.shift();
    }
    if (queue.length === 0) this.#waiting.delete(device);
    return `[${taken.join(",")}]`;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
