// What commands print: tables, a progress bar and plain lines for people, one JSON object a line for programs.

import type { Writable } from "node:stream";
import { Code } from "../abi.js";

/** A mistake in how a command was called; exit code 2. */
export class UsageError extends Error {}

/** One line of text: line ends and other control characters cannot break the output or a terminal. */
export function oneLine(text: string): string {
  return text
    .replace(/\s*[\r\n]+\s*/g, " ")
    .replace(/\p{Cc}/gu, "?")
    .trim();
}

/** The message of anything that was thrown, as one line. */
export function errorLine(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorLine(error.errors[0]);
  const text = error instanceof Error ? error.message || error.name : String(error);
  return oneLine(text).slice(0, 1000);
}

/** 1.5 MB, 320 kB, 12 B (decimal units). */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const kilo = bytes < 1_000_000;
  const value = bytes / (kilo ? 1000 : 1_000_000);
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)} ${kilo ? "kB" : "MB"}`;
}

/**
 * A table with aligned columns, two spaces apart.
 *
 * rows  cells by row; rows may differ in length. Returns lines without trailing space.
 */
export function formatTable(rows: string[][]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** How a command is to print. */
export interface OutputOptions {
  json?: boolean;
  stdout?: Writable & { isTTY?: boolean; columns?: number };
}

/** One command's output. Human text and JSON never mix on stdout. */
export class Output {
  readonly json: boolean;
  readonly #stdout: NonNullable<OutputOptions["stdout"]>;
  readonly #terminal: boolean;
  /** NO_COLOR (no-color.org): any non-empty value. */
  readonly #color: boolean;
  #barShown = false;
  #lastPercent = -10;

  constructor({ json = false, stdout = process.stdout }: OutputOptions = {}) {
    this.json = json;
    this.#stdout = stdout;
    this.#terminal = !json && stdout.isTTY === true;
    this.#color = this.#terminal && !process.env.NO_COLOR;
  }

  /** A fact: an object with --json, else `text` (nothing when it is absent). */
  event(name: string, members: Record<string, unknown>, text?: string): void {
    if (this.json) this.#stdout.write(`${JSON.stringify({ event: name, ...members })}\n`);
    else if (text !== undefined) this.line(text);
  }

  /** Text for people; nothing with --json. */
  line(text: string): void {
    if (this.json) return;
    this.endProgress();
    this.#stdout.write(`${text}\n`);
  }

  table(rows: string[][]): void {
    this.line(formatTable(rows));
  }

  /** Bold on a terminal. */
  strong(text: string): string {
    return this.#color ? `\x1b[1m${text}\x1b[22m` : text;
  }

  /**
   * Progress of one activity: a bar that redraws itself on a terminal, a line every ten percent elsewhere,
   * nothing with --json. `total` 0 counts as complete.
   */
  progress(label: string, done: number, total: number): void {
    if (this.json) return;
    const share = total > 0 ? Math.min(1, done / total) : 1;
    const percent = Math.floor(share * 100);
    if (!this.#terminal) {
      if (Math.floor(percent / 10) !== Math.floor(this.#lastPercent / 10))
        this.#stdout.write(`${label} ${percent} %\n`);
    } else if (percent !== this.#lastPercent) {
      const tail = ` ${String(percent).padStart(3)} % ${formatBytes(done)} of ${formatBytes(total)}`;
      // 0 columns: a terminal that does not tell.
      const width = Math.max(10, Math.min(40, (this.#stdout.columns || 80) - label.length - tail.length - 4));
      const filled = Math.round(share * width);
      this.#stdout.write(`\r\x1b[K${label} [${"#".repeat(filled)}${"-".repeat(width - filled)}]${tail}`);
      this.#barShown = true;
    }
    this.#lastPercent = percent;
    if (share === 1) this.endProgress();
  }

  /** Leave a bar as it is and go to the next line. */
  endProgress(): void {
    this.#lastPercent = -10;
    if (!this.#barShown) return;
    this.#barShown = false;
    this.#stdout.write("\n");
  }
}

/** The members of a "fault" that the host found itself, not the module. */
export function hostFault(desc: string): { code: number; detail: number; desc: string } {
  return { code: Code.BadArgument, detail: 0, desc };
}

/** Report what ended a command: one line on stderr, with --json also a fault on stdout. Returns the exit code. */
export function reportFailure(error: unknown, json: boolean): number {
  const message = errorLine(error);
  process.stderr.write(`alink-agent: ${message}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ event: "fault", ...hostFault(message) })}\n`);
  return error instanceof UsageError ? 2 : 1;
}
