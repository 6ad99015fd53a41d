// Directories and files that a user names: making them, and what a failure says.

import { mkdirSync } from "node:fs";
import { resolve } from "node:path";

const REASONS: Record<string, string> = {
  ENOENT: "no such file",
  EISDIR: "it is a directory, name a file in it",
  EACCES: "permission denied",
  EPERM: "permission denied",
};

/** Why a file could not be read, in words; an unknown reason is the system's code. */
export function fileFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return REASONS[code ?? ""] ?? code ?? message;
}

const DIRECTORY_REASONS: Record<string, string> = {
  EEXIST: "it is a file",
  ENOTDIR: "a part of its path is a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "its file system is read-only",
};

/**
 * Make a directory, readable by its owner only, unless it is there. Returns its absolute path.
 *
 * Throws Error, one line, when it cannot be made.
 */
export function provideDirectory(path: string): string {
  const directory = resolve(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = DIRECTORY_REASONS[code ?? ""] ?? code ?? message;
    throw new Error(`cannot use ${path} as the data directory: ${reason}; name another directory with --data`);
  }
  return directory;
}
