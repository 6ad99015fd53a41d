/** The files that a recorder writes: a record as it grows, a capsule when the module traps. For the owner's eyes. */
import { createHash } from "node:crypto";
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { requireWritable } from "../platform/local_files.js";
import { blocks, FrameWriter, fileHead, type Header, Kind } from "./format.js";
import type { Head, Sink } from "./recorder.js";

/** Frames that wait to be written, bytes. */
const BLOCK = 8192;
/** Of a capsule: some thousand calls. */
const KEPT = 65_536;
/** A state whose SHA-256 is not told. */
const UNKNOWN = new Uint8Array(32);

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done);
}

/** A file that is there may be readable by others, so it is made anew; what is no file is left alone. */
function removeFile(path: string): void {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat !== undefined && !stat.isFile()) throw new Error("it is there and is not a regular file");
  rmSync(path, { force: true });
}

/** Keeps every frame; what was not written yet is at most a block, and nothing after `flush`. */
export class RecordFile implements Sink {
  readonly #fd: number;
  readonly #frames = new FrameWriter();
  #begun = false;
  #open = true;

  /** @param path made anew, mode 0600 @throws Error, one line */
  constructor(readonly path: string) {
    try {
      removeFile(path);
      this.#fd = openSync(path, "wx", 0o600);
      writeAll(this.#fd, fileHead());
    } catch (error) {
      throw new Error(`cannot write the record ${path}: ${(error as Error).message}`);
    }
  }

  begin(head: Head, instance: Uint8Array): void {
    if (!this.#begun) this.#frames.header({ kind: Kind.Record, ...head });
    this.#begun = true;
    this.frame(instance);
  }

  before(): void {}

  frame(bytes: Uint8Array): void {
    this.#frames.bytes(bytes);
    if (this.#frames.length >= BLOCK) this.flush();
  }

  stopped(): void {
    this.flush();
  }

  end(calls: number, state: Uint8Array): void {
    this.#frames.end(calls, createHash("sha256").update(state).digest());
    this.flush();
    this.close();
  }

  /** Write what waits: a process that ends now leaves a record up to here. */
  flush(): void {
    if (this.#open && this.#frames.length > 0) writeAll(this.#fd, blocks(this.#frames.take()));
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    try {
      fsyncSync(this.#fd);
    } finally {
      closeSync(this.#fd);
    }
  }
}

/** Keeps a snapshot and the frames since; written when the module traps, over the one before. */
export class CapsuleFile implements Sink {
  #header: Header | undefined;
  #snapshot: Uint8Array | undefined;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #calls = 0;

  /**
   * @param kept frames behind a snapshot before there is another one, bytes
   * @throws Error, one line, when the file cannot be written: a trap is too late to learn that
   */
  constructor(
    readonly path: string,
    readonly kept: number = KEPT,
  ) {
    requireWritable(path, "capsule");
  }

  begin(head: Head): void {
    this.#header = { kind: Kind.Capsule, ...head };
    this.#snapshot = undefined;
  }

  before(state: () => Uint8Array): void {
    if (this.#snapshot !== undefined && this.#bytes < this.kept) return;
    this.#snapshot = state();
    this.#frames = [];
    this.#bytes = 0;
    this.#calls = 0;
  }

  frame(bytes: Uint8Array): void {
    this.#frames.push(bytes);
    this.#bytes += bytes.length;
    this.#calls++;
  }

  stopped(text: string): void {
    // Nothing was called yet.
    if (this.#snapshot === undefined) return;
    const stream = new FrameWriter();
    stream.header(this.#header!);
    stream.note(`the module stopped: ${text}`);
    stream.snapshot(this.#snapshot);
    for (const frame of this.#frames) stream.bytes(frame);
    stream.end(this.#calls, UNKNOWN);
    const partial = `${this.path}.part`;
    removeFile(partial);
    const fd = openSync(partial, "wx", 0o600);
    try {
      try {
        writeAll(fd, fileHead());
        writeAll(fd, blocks(stream.take()));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(partial, this.path);
    } catch (error) {
      rmSync(partial, { force: true });
      throw new Error(`cannot write the capsule ${this.path}: ${(error as Error).message}`);
    }
  }

  flush(): void {}

  end(): void {}
}
