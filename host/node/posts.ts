/** What the application hands over, in its order: waiting for room in the module, then for the platform's answer. */

import { Code, type EventMap, IN_WINDOW, type Post } from "../abi.js";
import { type Agent, codeName } from "../agent.js";

/** Posts that may wait for room, and posts that may wait for an answer. */
const WAITING = 64;

/** A post that the platform answered: the message's id, and the Alink code (200 = done). */
export interface Posted {
  id: number;
  code: number;
}

/** A post that did not get through; `code` is one of `Code`, or 0 when the device ended first. */
export class PostError extends Error {
  override name = "PostError";
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

interface Entry {
  what: string;
  payload: Uint8Array;
  /** Whether Event.PropertyPosted follows. */
  answered: boolean;
  call: (agent: Agent) => number;
  resolve: (posted: Posted) => void;
  reject: (error: PostError) => void;
}

export class Posts {
  #waiting: Entry[] = [];
  #inFlight = new Map<number, Entry>();

  /** @param wake called when there is something to hand over */
  constructor(readonly wake: () => void) {}

  /** Queue a post. @returns resolves when the module took it, or with the answer when one follows */
  post(what: string, kind: Post, payload: Uint8Array, answered: boolean): Promise<Posted> {
    return this.#queue(what, payload, answered, (agent) => agent.post(kind, payload));
  }

  /** Queue an answer to the downlink request `token`. */
  reply(token: number, code: number, data: Uint8Array): Promise<Posted> {
    return this.#queue("the reply", data, false, (agent) => agent.reply(token, code, data));
  }

  /** Hand over what fits now. @returns whether anything was handed over */
  turn(agent: Agent): boolean {
    let any = false;
    for (let entry = this.#waiting[0]; entry !== undefined; entry = this.#waiting[0]) {
      const room = agent.exports.inCap();
      const result = entry.call(agent);
      if (result === Code.Busy) break;
      any = true;
      this.#waiting.shift();
      if (result < 0) entry.reject(refusal(entry, result, agent, room));
      else if (entry.answered && result > 0) this.#inFlight.set(result, entry);
      else entry.resolve({ id: result, code: 0 });
    }
    return any;
  }

  /** The platform's answer, or a code < 0 when none came. */
  settle(event: EventMap["property.posted"]): void {
    const entry = this.#inFlight.get(event.id);
    if (entry === undefined) return;
    this.#inFlight.delete(event.id);
    if (event.code >= 0) entry.resolve({ id: event.id, code: event.code });
    else entry.reject(new PostError(event.code, `${entry.what} got no answer: ${codeName(event.code)}`));
  }

  /** Nothing that waits will be answered any more. */
  fail(reason: string): void {
    const entries = [...this.#waiting, ...this.#inFlight.values()];
    this.#waiting = [];
    this.#inFlight.clear();
    for (const entry of entries) entry.reject(new PostError(0, `${entry.what}: ${reason}`));
  }

  #queue(what: string, payload: Uint8Array, answered: boolean, call: Entry["call"]): Promise<Posted> {
    if (payload.length > IN_WINDOW)
      return Promise.reject(
        new PostError(
          Code.TooLarge,
          `${what} takes ${payload.length} bytes, at most ${IN_WINDOW} fit: send less at a time`,
        ),
      );
    if (this.#waiting.length >= WAITING || this.#inFlight.size >= WAITING)
      return Promise.reject(
        new PostError(Code.Busy, `${what}: ${WAITING} posts are waiting already: wait for one of them`),
      );
    return new Promise((resolve, reject) => {
      this.#waiting.push({ what, payload, answered, call, resolve, reject });
      this.wake();
    });
  }
}

function refusal(entry: Entry, code: number, agent: Agent, room: number): PostError {
  const { what, payload } = entry;
  const messages: Record<number, () => string> = {
    [Code.TooLarge]: () => {
      const available = payload.length > room ? room : agent.available();
      return `${what} takes ${payload.length} bytes, ${available} are available: send less at a time`;
    },
    [Code.BadState]: () => `${what}: the device is not connected`,
    [Code.BadArgument]: () => `${what}: the module does not accept it: check the topic or the JSON object`,
  };
  return new PostError(code, messages[code]?.() ?? `${what}: ${codeName(code)}`);
}
