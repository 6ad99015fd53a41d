// State that survives a restart: one JSON file, replaced atomically, written at most once per event-loop pause.

import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";

const FORMAT = 1;

/** A JSON document on disk, or nowhere when `path` is undefined. */
export class StateFile<T extends object> {
  #scheduled: NodeJS.Timeout | undefined;

  /**
   * snapshot  called at each write; what it returns is what load() gives after a restart.
   * onError   told about a write that failed; the file on disk is the older one then.
   */
  constructor(
    private readonly path: string | undefined,
    private readonly snapshot: () => T,
    private readonly onError: (error: Error) => void,
  ) {}

  /** The stored state, or undefined when there is none. Throws Error naming the file when it is damaged. */
  static load<T extends object>(path: string): T | undefined {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new Error(`cannot read the platform's state ${path}: ${(error as NodeJS.ErrnoException).code}`);
    }
    try {
      const stored = JSON.parse(text) as { format?: number; state?: T };
      if (stored.format === FORMAT && typeof stored.state === "object" && stored.state !== null) return stored.state;
    } catch {
      // Same answer as for a wrong shape.
    }
    throw new Error(`${path} is not a state file of this platform: move it away to start empty`);
  }

  /** The state changed: write it soon. */
  changed(): void {
    if (this.path === undefined || this.#scheduled !== undefined) return;
    this.#scheduled = setTimeout(() => this.flush(), 20);
  }

  /** Write a pending change now. Returns false when that failed; the next change tries again. */
  flush(): boolean {
    if (this.path === undefined || this.#scheduled === undefined) return true;
    clearTimeout(this.#scheduled);
    this.#scheduled = undefined;
    try {
      replaceFile(this.path, JSON.stringify({ format: FORMAT, state: this.snapshot() }));
      return true;
    } catch (error) {
      this.onError(error as Error);
      return false;
    }
  }
}

/** All of the new text or all of the old, also after a power cut. */
function replaceFile(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
