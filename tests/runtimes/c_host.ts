// The C host as a process, and C programs made from its sources.

import { type ChildProcessByStdio, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { root } from "../paths.js";

const folder = join(root, "tests", "runtimes");
const hostSources = join(root, "host", "wamr");

/** The program that `cargo build --release` leaves. */
export const alinkWamr = join(folder, "target", "release", "alink-wamr");

/** An event as the program prints it. */
export type Line = { event: string } & Record<string, unknown>;

/** A running `alink-wamr`. */
export class CHost {
  readonly lines: Line[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<number | string>;
  #waiting: (() => void)[] = [];
  #over = false;
  stderr = "";

  /**
   * @param program alinkWamr or a build of the same sources
   * @param args its arguments; --json is added
   * @param environment variables beside those of this process
   */
  constructor(program: string, args: string[], environment: Record<string, string> = {}) {
    this.#child = spawn(program, [...args, "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    const lines = createInterface({ input: this.#child.stdout });
    lines.on("line", (line) => {
      this.lines.push(JSON.parse(line) as Line);
      this.#wake();
    });
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#ended = Promise.all([once(this.#child, "exit"), once(lines, "close")]).then(([[code, signal]]) => {
      this.#over = true;
      this.#wake();
      return (code as number | null) ?? String(signal);
    });
  }

  /** The first event after `from` lines that passes; rejects when the program ends before. */
  async event(name: string, passes: (line: Line) => boolean = () => true, from = 0): Promise<Line> {
    for (;;) {
      const found = this.lines.slice(from).find((line) => line.event === name && passes(line));
      if (found !== undefined) return found;
      if (this.#over)
        throw new Error(`alink-wamr ended without ${name}: ${this.stderr}\n${JSON.stringify(this.lines)}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Resolves with the exit code, or the signal's name. */
  ended(): Promise<number | string> {
    return this.#ended;
  }

  /** Send a signal. @returns the exit code */
  stop(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    this.#child.kill(signal);
    return this.#ended;
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-g", "-O1"];
/** Memory errors, leaks and undefined behaviour end the program with an exit code of their own. */
const SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"];

/** Compile C with the sanitisers. @param args sources, includes and libraries. @returns `out` */
export function compileSanitized(out: string, args: string[]): string {
  execFileSync("cc", [...STRICT, ...SANITIZE, `-I${hostSources}`, ...args, "-o", out], { stdio: "inherit" });
  return out;
}

/** WAMR as cargo built it, and its header: arguments of the C compiler. */
export function wamrLibrary(): string[] {
  const build = join(folder, "target", "release", "build");
  const library = readdirSync(build)
    .map((name) => join(build, name, "out", "build", "libiwasm.a"))
    .find(existsSync);
  if (library === undefined) throw new Error(`no libiwasm.a below ${build}: npm run test:runtimes`);
  return ["-isystem", wamrInclude(), library, "-lpthread", "-lm", "-ldl"];
}

/** `alink-wamr` with the sanitisers. */
export function sanitizedHost(out: string): string {
  const sources = readdirSync(hostSources)
    .filter((name) => name.endsWith(".c"))
    .map((name) => join(hostSources, name));
  return compileSanitized(out, [...sources, ...wamrLibrary(), "-lmbedtls", "-lmbedx509", "-lmbedcrypto"]);
}

interface Metadata {
  packages: { name: string; manifest_path: string }[];
}

/** WAMR's sources, as the crate wamrx-sys carries them. */
export function wamrRoot(): string {
  const text = execFileSync("cargo", ["metadata", "--format-version", "1", "--locked"], {
    cwd: folder,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  const crate = (JSON.parse(text) as Metadata).packages.find(({ name }) => name === "wamrx-sys");
  if (crate === undefined) throw new Error("tests/runtimes: wamrx-sys is not among the dependencies");
  return join(crate.manifest_path, "..", "wasm-micro-runtime");
}

/** Where wasm_export.h is. */
const wamrInclude = (): string => join(wamrRoot(), "core", "iwasm", "include");

/** A source beside this one. */
export const source = (name: string): string => join(folder, name);
/** A source of the C host. */
export const hostSource = (name: string): string => join(hostSources, name);
