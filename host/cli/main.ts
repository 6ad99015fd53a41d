#!/usr/bin/env node
// The command line: builds the program, turns whatever goes wrong into one line and an exit code.
// 0 done, 1 failed, 2 wrong usage, 130 interrupted.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import * as bench from "./bench.js";
import * as flash from "./flash.js";
import { oneLine, reportFailure } from "./output.js";
import * as pack from "./pack.js";
import * as platform from "./platform.js";
import * as publish from "./publish.js";
import * as replay from "./replay.js";
import * as run from "./run.js";
import * as size from "./size.js";
import * as start from "./start.js";

function version(): string {
  // build/host/cli/main.js → the package's root.
  const file = join(import.meta.dirname, "..", "..", "..", "package.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}

function path(text: string): string {
  if (text === "") throw new InvalidArgumentError("it names a file or folder and cannot be empty");
  return text;
}

/** Every `<file>` and `<dir>` has a name: `--out ""`, a script's variable that was never set, is not the current folder. */
function refuseEmptyPaths(program: Command): void {
  for (const command of program.commands) {
    for (const option of command.options) if (/<(file|dir)>/.test(option.flags)) option.argParser(path);
    for (const argument of command.registeredArguments) if (argument.name() === "file") argument.argParser(path);
    refuseEmptyPaths(command);
  }
}

function createProgram(): Command {
  const program = new Command("alink-agent")
    .description("Device agent for the Alink protocol: devices, a local platform, firmware releases.")
    .version(version())
    // `publish --version V` is the firmware's version, not a question for ours.
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(`alink-agent: ${oneLine(text.replace(/^error: /, ""))} (--help shows the usage)\n`),
    });
  const commands = [run, start, platform, publish, flash, replay, bench, size, pack];
  for (const command of commands) command.register(program);
  refuseEmptyPaths(program);
  return program;
}

async function main(argv: string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    const json = argv.includes("--json");
    // commander has printed its own message already.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else process.exitCode = reportFailure(error, json);
  }
}

// A reader that went away (`| head`) is not a failure worth a stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.on("uncaughtException", (error) => process.exit(reportFailure(error, process.argv.includes("--json"))));

await main(process.argv);
