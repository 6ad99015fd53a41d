/** What the application hands over, in its order: waiting for room in the module, then for the platform's answer. */

import { Code, type EventMap, IN_WINDOW, Post } from "../abi.js";
import { type Agent, codeName } from "../agent.js";

/** Posts that may wait for room, and posts that may wait for an answer. */
const WAITING = 64;
/** The platform has this long to answer a subscription, ms; a late answer to other posts is the module's to notice. */
export const ANSWER_MS = 15_000;

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

/**
 * @param what the post, for the message
 * @param part which part of it the object is, for the message
 * @returns the object as JSON
 * @throws PostError BadArgument, one line: it is no object, or holds what JSON has no form for
 */
export function objectJson(what: string, part: string, object: unknown): string {
  let json: string | undefined;
  try {
    // A bigint is not written as a number: most that read JSON would round it.
    json = JSON.stringify(object, (name, value: unknown) => {
      if (typeof value !== "bigint") return value;
      throw new TypeError(`${JSON.stringify(name)} is a bigint: give it as a number or a string`);
    });
  } catch (error) {
    const [why] = (error as Error).message.split("\n");
    throw new PostError(Code.BadArgument, `${what}: ${part} cannot be written as JSON: ${why}`);
  }
  if (json?.startsWith("{")) return json;
  throw new PostError(Code.BadArgument, `${what}: ${part} must be an object, e.g. { temperature: 21.5 }`);
}

/** The events that answer a post. */
type Answer = EventMap["property.posted"] | EventMap["event.posted"] | EventMap["subscribed"];

interface Draft {
  what: string;
  payload: Uint8Array;
  /** What to check when the module refuses it as it is. */
  hint: string;
  /** The event that answers it; undefined = none does. */
  answer: Answer["event"] | undefined;
  /** Means something to this instance only. */
  bound: boolean;
  call: (agent: Agent) => number;
}

interface Entry extends Draft {
  resolve: (posted: Posted) => void;
  reject: (error: PostError) => void;
  timer?: NodeJS.Timeout;
}

/** What to check when the module refuses a post as it is. */
const HINTS: { [kind: number]: string } = {
  [Post.Event]: 'an identifier has 1 to 50 letters, digits and "_", and "property" is none',
};
const OTHERWISE = "check the topic or the JSON object";

const ANSWERS: { [kind: number]: Answer["event"] } = {
  [Post.Property]: "property.posted",
  [Post.Event]: "event.posted",
  [Post.Subscribe]: "subscribed",
  [Post.Unsubscribe]: "subscribed",
};

export class Posts {
  #waiting: Entry[] = [];
  /** By event and id: messages and subscriptions count their ids separately. */
  #inFlight = new Map<string, Entry>();
  #held = false;

  /** @param wake called when there is something to hand over */
  constructor(readonly wake: () => void) {}

  /**
   * Queue a post.
   * @param own the host's own post, which the bound on waiting posts does not concern
   * @returns resolves when the module took it, or with the answer when one follows
   */
  post(what: string, kind: Post, payload: Uint8Array, own = false): Promise<Posted> {
    const call = (agent: Agent) => agent.post(kind, payload);
    const hint = HINTS[kind] ?? OTHERWISE;
    return this.#queue({ what, payload, hint, answer: ANSWERS[kind], bound: false, call }, own);
  }

  /** Queue an answer to the downlink request `token`. */
  reply(token: number, code: number, data: Uint8Array): Promise<Posted> {
    const call = (agent: Agent) => agent.reply(token, code, data);
    const draft = { what: "the reply", payload: data, hint: OTHERWISE, answer: undefined, bound: true, call };
    return this.#queue(draft, false);
  }

  /** From now on only replies are handed over: this instance is about to go, the rest is for the next one. */
  hold(): void {
    this.#held = true;
  }

  /** Hand over what fits now. @returns whether anything was handed over */
  turn(agent: Agent): boolean {
    let any = false;
    for (let entry = this.#next(); entry !== undefined; entry = this.#next()) {
      const room = agent.exports.inCap();
      const result = this.#hand(entry, agent);
      // A subscription is the only post that the module does not keep until it is connected.
      if (result === Code.Busy || (result === Code.BadState && entry.answer === "subscribed")) break;
      any = true;
      this.#remove(entry);
      if (result < 0) entry.reject(refusal(entry, result, agent, room));
      else if (entry.answer !== undefined && result > 0) this.#await(entry.answer, result, entry);
      else entry.resolve({ id: result, code: 0 });
    }
    return any;
  }

  /** The platform's answer, or that none came. */
  settle(event: Answer): void {
    const entry = this.#take(`${event.event} ${event.id}`);
    if (entry === undefined) return;
    if (event.event === "subscribed") {
      if (event.granted) entry.resolve({ id: event.id, code: 0 });
      else entry.reject(new PostError(Code.Refused, `${entry.what} was refused by the platform`));
    } else if (event.code >= 0) entry.resolve({ id: event.id, code: event.code });
    else entry.reject(new PostError(event.code, `${entry.what} got no answer: ${codeName(event.code)}`));
  }

  /** The link is gone: the platform no longer answers subscriptions sent over it. The module sends other posts again. */
  linkLost(): void {
    for (const [key, entry] of this.#inFlight)
      if (entry.answer === "subscribed")
        this.#take(key)?.reject(
          new PostError(Code.Interrupted, `${entry.what}: the link was lost before the answer came`),
        );
  }

  /** A fresh instance follows: what the former one took is gone with it, what it did not take is for the next one. */
  restarted(): void {
    this.#held = false;
    const replies = this.#waiting.filter((entry) => entry.bound);
    this.#waiting = this.#waiting.filter((entry) => !entry.bound);
    for (const { what, reject } of replies)
      reject(new PostError(0, `${what}: the device restarted and no longer knows the request`));
    for (const key of [...this.#inFlight.keys()]) {
      const entry = this.#take(key);
      entry?.reject(
        new PostError(
          0,
          `${entry.what}: the device restarted before the answer came, the platform may have it: send it again if in doubt`,
        ),
      );
    }
  }

  /** Nothing that waits will be answered any more. */
  fail(reason: string): void {
    const entries = [...this.#waiting, ...this.#inFlight.values()];
    this.#held = false;
    this.#waiting = [];
    this.#inFlight.clear();
    for (const entry of entries) {
      clearTimeout(entry.timer);
      entry.reject(new PostError(0, `${entry.what}: ${reason}`));
    }
  }

  #next(): Entry | undefined {
    return this.#held ? this.#waiting.find((entry) => entry.bound) : this.#waiting[0];
  }

  #remove(entry: Entry): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== entry);
  }

  /** A post that stops the module must not stop the next instance too. */
  #hand(entry: Entry, agent: Agent): number {
    try {
      return entry.call(agent);
    } catch (error) {
      this.#remove(entry);
      entry.reject(new PostError(Code.BadState, `${entry.what}: the module stopped when it was handed over`));
      throw error;
    }
  }

  #await(answer: Answer["event"], id: number, entry: Entry): void {
    const key = `${answer} ${id}`;
    this.#inFlight.set(key, entry);
    if (answer !== "subscribed") return;
    entry.timer = setTimeout(() => {
      const text = `${entry.what} got no answer within ${ANSWER_MS / 1000} s`;
      this.#take(key)?.reject(new PostError(Code.TimedOut, text));
    }, ANSWER_MS);
  }

  #take(key: string): Entry | undefined {
    const entry = this.#inFlight.get(key);
    this.#inFlight.delete(key);
    clearTimeout(entry?.timer);
    return entry;
  }

  #queue(draft: Draft, own: boolean): Promise<Posted> {
    const { what, payload } = draft;
    if (payload.length > IN_WINDOW)
      return Promise.reject(
        new PostError(
          Code.TooLarge,
          `${what} takes ${payload.length} bytes, at most ${IN_WINDOW} fit: send less at a time`,
        ),
      );
    if (!own && (this.#waiting.length >= WAITING || this.#inFlight.size >= WAITING))
      return Promise.reject(
        new PostError(Code.Busy, `${what}: ${WAITING} posts are waiting already: wait for one of them`),
      );
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...draft, resolve, reject });
      this.wake();
    });
  }
}

function refusal(entry: Entry, code: number, agent: Agent, room: number): PostError {
  const { what, payload, hint } = entry;
  const messages: Record<number, () => string> = {
    [Code.TooLarge]: () => {
      const available = payload.length > room ? room : agent.available();
      return `${what} takes ${payload.length} bytes, ${available} are available: send less at a time`;
    },
    [Code.BadState]: () => `${what}: the device is not connected`,
    [Code.BadArgument]: () => `${what}: the module does not accept it: ${hint}`,
  };
  return new PostError(code, messages[code]?.() ?? `${what}: ${codeName(code)}`);
}
