// What the broker keeps of sessions: the filters of devices that connect with clean session off (MQTT 3.1.1 §3.1.2.4).
//
// This is the whole of aedes' persistence here. There is no retain, no will and no QoS 2, and nothing waits for an
// offline device: only a device itself publishes on its own topics, and what the platform has to tell is sent again by
// the part that produced it. So memory is bounded by the fixtures' devices times the filters one device may hold.

import { Readable } from "node:stream";

/** A filter with the QoS granted. */
export interface Filter {
  topic: string;
  qos: 0 | 1;
}

interface Named {
  id: string;
}

/** Filters by session, in the shape of aedes' persistence; clients are known by their ID inside the broker. */
export class SessionStore {
  readonly #filters = new Map<string, Map<string, Filter["qos"]>>();

  /** Remember a filter that was granted. */
  remember({ id }: Named, { topic, qos }: Filter): void {
    const known = this.#filters.get(id);
    if (known === undefined) this.#filters.set(id, new Map([[topic, qos]]));
    else known.set(topic, qos);
  }

  /** Forget the session. */
  forget({ id }: Named): void {
    this.#filters.delete(id);
  }

  async setup(): Promise<void> {}

  /** aedes hands over refused filters, too: the broker remembers what it grants. */
  async addSubscriptions(): Promise<void> {}

  async removeSubscriptions({ id }: Named, topics: string[]): Promise<void> {
    const known = this.#filters.get(id);
    for (const topic of topics) known?.delete(topic);
  }

  /** An empty list means that there is no session. */
  async subscriptionsByClient({ id }: Named): Promise<Filter[]> {
    return [...(this.#filters.get(id) ?? [])].map(([topic, qos]) => ({ topic, qos }));
  }

  async cleanSubscriptions(client: Named): Promise<void> {
    this.forget(client);
  }

  /** Whose queue a message goes into: nobody's. */
  async subscriptionsByTopic(): Promise<never[]> {
    return [];
  }

  async outgoingEnqueue(): Promise<void> {}

  async outgoingEnqueueCombi(): Promise<void> {}

  async outgoingUpdate(): Promise<void> {}

  async outgoingClearMessageId(): Promise<void> {}

  outgoingStream(): Readable {
    return Readable.from([]);
  }

  async storeRetained(): Promise<void> {}

  createRetainedStreamCombi(): Readable {
    return Readable.from([]);
  }

  async incomingGetPacket(): Promise<never> {
    throw new Error("QoS 2 does not exist on this platform");
  }

  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([]);
  }

  async destroy(): Promise<void> {}
}
