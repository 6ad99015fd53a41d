// `alink-agent pack`: what a firmware project takes along, as a folder.

import { readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Command } from "commander";
import { packedFiles } from "../pack/files.js";
import { manifestOf } from "../pack/manifest.js";
import { makeDirectories } from "../platform/local_files.js";
import type { Profile } from "../size/budgets.js";
import { formatBytes, Output } from "./output.js";
import { profileOption } from "./profile.js";

interface PackArguments {
  profile: Profile;
  out: string;
  force?: boolean;
  json?: boolean;
}

/** Add the command. */
export function register(program: Command): void {
  program
    .command("pack")
    .description("write what a firmware project takes along: module, C sources, build files, manifest")
    .addOption(profileOption("the module to pack"))
    .requiredOption("--out <dir>", "folder to write, made when it is missing; it must be empty")
    .option("--force", "write into a folder that is not empty, over files of the same names")
    .option("--json", "one JSON object a line")
    .addHelpText("after", "\nREADME.md in the folder tells how to go on; docs/wamr.md of this package is the guide.")
    .action(run);
}

const REASONS: Record<string, string> = {
  EEXIST: "it is a file",
  ENOTDIR: "a part of its path is a file",
  EISDIR: "a folder has the name of a file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "its file system is read-only",
  ENOSPC: "there is no room",
  ENOENT: "its file system takes no folders there",
};

/** One line on why the folder cannot be used. */
function folderError(out: string, error: unknown): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  return new Error(`cannot write to ${out}: ${REASONS[code ?? ""] ?? code ?? message}; name another folder with --out`);
}

function requireEmpty(out: string): void {
  let entries: string[];
  try {
    entries = readdirSync(out);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw folderError(out, (error as NodeJS.ErrnoException).code === "ENOTDIR" ? { code: "EEXIST" } : error);
  }
  if (entries.length > 0) throw new Error(`${out} is not empty: name another folder with --out, or add --force`);
}

function run({ profile, out, force = false, json = false }: PackArguments): void {
  const output = new Output({ json });
  if (!force) requireEmpty(out);
  const { files, module } = packedFiles(profile);
  const manifest = manifestOf(profile, module, files);
  const all = [...files, { path: "manifest.json", contents: `${JSON.stringify(manifest, null, 2)}\n` }];
  try {
    for (const { path, contents } of all) {
      const file = join(out, path);
      makeDirectories(dirname(file));
      writeFileSync(file, contents);
    }
  } catch (error) {
    throw folderError(out, error);
  }
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  output.event("done", { done: true, profile, out: resolve(out), files: all.length, bytes, module: manifest.module });
  output.table([
    ["profile", profile],
    ["module", `${manifest.module.bytes} bytes, ${manifest.module.memory} bytes of memory`],
    ["folder", `${out}: ${all.length} files, ${formatBytes(bytes)}`],
    ["next", join(out, "README.md")],
  ]);
}
