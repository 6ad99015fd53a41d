// Objects on disk: streamed in with their digests computed on the way, found by key, served by range.
// A file's name is the SHA-256 of its key, so no key can reach outside the directory.

import { createHash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream, type ReadStream, readdirSync, readFileSync, rmSync } from "node:fs";
import { rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { makeDirectories } from "./local_files.js";

/** Largest object, bytes (1000 MB). */
export const MAX_OBJECT = 1_048_576_000;

/** Bytes of an object that are read at a time. */
const PIECE = 524_288;

/** What is known about a stored object. Digests are lower-case hexadecimal. */
export interface ObjectInfo {
  key: string;
  size: number;
  md5: string;
  sha256: string;
  /** Milliseconds since 1970. */
  lastModified: number;
}

/** A body that is longer than allowed. */
export class TooLarge extends Error {
  constructor(readonly limit: number) {
    super(`the object is longer than ${limit} bytes`);
  }
}

/** A directory of objects. */
export class ObjectStore {
  readonly #objects = new Map<string, ObjectInfo>();

  /** directory  created when missing; objects found there are kept, half-written ones are removed. */
  constructor(
    private readonly directory: string,
    private readonly clock: () => number,
  ) {
    makeDirectories(directory, 0o700);
    for (const name of readdirSync(directory)) {
      if (name.endsWith(".new")) rmSync(join(directory, name), { force: true });
      if (!name.endsWith(".json")) continue;
      try {
        const info = JSON.parse(readFileSync(join(directory, name), "utf8")) as ObjectInfo;
        this.#objects.set(info.key, info);
      } catch {
        // A description cut by a crash: the object was never announced as stored.
      }
    }
  }

  #file(key: string): string {
    return join(this.directory, createHash("sha256").update(key).digest("hex"));
  }

  stat(key: string): ObjectInfo | undefined {
    return this.#objects.get(key);
  }

  /**
   * Store a stream under `key`, replacing an older object only when all of it has arrived.
   *
   * max    bytes accepted; TooLarge is thrown beyond.
   * check  sees the finished object before it counts; what it throws discards the object.
   */
  async put(key: string, body: Readable, max = MAX_OBJECT, check?: (info: ObjectInfo) => void): Promise<ObjectInfo> {
    const file = this.#file(key);
    const temporary = `${file}.${randomBytes(6).toString("hex")}.new`;
    const md5 = createHash("md5");
    const sha256 = createHash("sha256");
    let size = 0;
    const measure = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        size += chunk.length;
        if (size > max) return done(new TooLarge(max));
        md5.update(chunk);
        sha256.update(chunk);
        done(null, chunk);
      },
    });
    try {
      await pipeline(body, measure, createWriteStream(temporary, { mode: 0o600 }));
      const info: ObjectInfo = {
        key,
        size,
        md5: md5.digest("hex"),
        sha256: sha256.digest("hex"),
        lastModified: this.clock(),
      };
      check?.(info);
      await rename(temporary, file);
      await writeFile(`${file}.json`, JSON.stringify(info), { mode: 0o600 });
      this.#objects.set(key, info);
      return info;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Read bytes start…end (inclusive). */
  read(info: ObjectInfo, start: number, end: number): ReadStream {
    return createReadStream(this.#file(info.key), { start, end, highWaterMark: PIECE });
  }

  async delete(key: string): Promise<void> {
    this.#objects.delete(key);
    await rm(`${this.#file(key)}.json`, { force: true });
    await rm(this.#file(key), { force: true });
  }

  /** Delete objects older than `ageMs` that `inUse` does not claim. */
  async collect(ageMs: number, inUse: (key: string) => boolean): Promise<void> {
    const before = this.clock() - ageMs;
    for (const { key, lastModified } of [...this.#objects.values()]) {
      if (lastModified < before && !inUse(key)) await this.delete(key);
    }
  }
}
