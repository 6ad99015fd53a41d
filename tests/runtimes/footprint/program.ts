// A program without events of its own: its end and what it writes to stderr.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A running program. */
export class Program {
  readonly #child: ChildProcess;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
  stderr = "";

  constructor(program: string, args: string[], environment: Record<string, string>) {
    this.#child = spawn(program, args, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...environment },
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.ended = once(this.#child, "close").then(([code, signal]) => (code as number | null) ?? String(signal));
  }

  /** Send a signal. @returns as `ended` */
  stop(signal: NodeJS.Signals): Promise<number | string> {
    this.#child.kill(signal);
    return this.ended;
  }
}
