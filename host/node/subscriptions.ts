/** What the application is subscribed to, kept over lost sessions: a fresh session of the platform has no subscription. */

import { Code, Post } from "../abi.js";
import type { PostError, Posts } from "./posts.js";

export class Subscriptions {
  readonly #encoder = new TextEncoder();
  /** Topics that the platform granted. */
  readonly #granted = new Set<string>();
  /** Those of them that the present session does not have. */
  readonly #missing = new Set<string>();
  /** Topics whose end is on its way. */
  readonly #leaving = new Set<string>();
  #round = 0;

  /**
   * @param posts the way to the platform
   * @param onLost a subscription could not be renewed; the words are for people
   */
  constructor(
    readonly posts: Posts,
    readonly onLost: (text: string, code: number) => void,
  ) {}

  /** @returns resolves when the platform grants it @throws PostError */
  async subscribe(topic: string): Promise<void> {
    await this.#ask("the subscription to", Post.Subscribe, topic, false);
    this.#granted.add(topic);
    this.#missing.delete(topic);
  }

  /** @returns resolves when the platform has ended it @throws PostError; the subscription is kept then */
  async unsubscribe(topic: string): Promise<void> {
    this.#leaving.add(topic);
    try {
      await this.#ask("the end of the subscription to", Post.Unsubscribe, topic, false);
      this.#granted.delete(topic);
      this.#missing.delete(topic);
    } finally {
      this.#leaving.delete(topic);
    }
  }

  /** A session stands. @param present whether the platform kept the former one, and the subscriptions with it */
  connected(present: boolean): void {
    if (!present) for (const topic of this.#granted) this.#missing.add(topic);
    void this.#renew();
  }

  /** One at a time, so that the application's own posts find room between them. What a lost link stops, the next one goes on with. */
  async #renew(): Promise<void> {
    const round = ++this.#round;
    for (const topic of [...this.#missing]) {
      if (!this.#missing.has(topic) || this.#leaving.has(topic)) continue;
      try {
        await this.#ask("the renewed subscription to", Post.Subscribe, topic, true);
        this.#missing.delete(topic);
      } catch (error) {
        const { code, message } = error as PostError;
        if (code === Code.Refused) {
          this.#granted.delete(topic);
          this.#missing.delete(topic);
        }
        if (code !== Code.Refused && code !== Code.TimedOut) return;
        this.onLost(message, code);
      }
      if (round !== this.#round) return;
    }
  }

  async #ask(what: string, kind: Post, topic: string, own: boolean): Promise<void> {
    await this.posts.post(`${what} ${topic}`, kind, this.#encoder.encode(topic), own);
  }
}
