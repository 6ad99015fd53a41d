// Directories and files that a user names: making them, and what a failure says.

import { closeSync, existsSync, lstatSync, mkdirSync, openSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

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

const WRITE_REASONS: Record<string, string> = {
  ENOTDIR: "a part of its path is a file",
  EROFS: "its file system is read-only",
  ENOSPC: "there is no room",
};

/**
 * Find out at once whether a file can be made, or made anew, that is to be written at the end.
 *
 * what  the file's kind, for the message
 *
 * Throws Error, one line.
 */
export function requireWritable(path: string, what: string): void {
  const partial = `${path}.part`;
  try {
    for (const place of [path, partial])
      if (lstatSync(place, { throwIfNoEntry: false })?.isFile() === false)
        throw new Error(`${place === path ? "it" : partial} is there and is not a regular file`);
    rmSync(partial, { force: true });
    closeSync(openSync(partial, "wx", 0o600));
    rmSync(partial);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(resolve(path));
    const reason =
      code !== "ENOENT"
        ? (WRITE_REASONS[code ?? ""] ?? fileFault(error))
        : existsSync(above)
          ? "its file system takes no files there"
          : `there is no directory ${above}`;
    throw new Error(`cannot write the ${what} ${path}: ${reason}`);
  }
}

const DIRECTORY_REASONS: Record<string, string> = {
  EEXIST: "it is a file",
  ENOTDIR: "a part of its path is a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "its file system is read-only",
  ENOENT: "its file system takes no directories there",
};

/**
 * Make a directory and those above it, unless it is there. Node's own `recursive` never returns where a file system
 * refuses with ENOENT although the directory above is there, as /proc does.
 *
 * Throws the system's error; ENOENT is that refusal.
 */
export function makeDirectories(path: string, mode = 0o777): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(path);
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || above === path || existsSync(above)) throw error;
    makeDirectories(above, mode);
    mkdirSync(path, { mode });
  }
}

/**
 * Make a directory, readable by its owner only, unless it is there. Returns its absolute path.
 *
 * Throws Error, one line, when it cannot be made.
 */
export function provideDirectory(path: string): string {
  const directory = resolve(path);
  try {
    makeDirectories(directory, 0o700);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = DIRECTORY_REASONS[code ?? ""] ?? code ?? message;
    throw new Error(`cannot use ${path} as the data directory: ${reason}; name another directory with --data`);
  }
  return directory;
}
