// `alink-agent replay`: what a record or a capsule tells, made again call by call.

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { loadModule } from "../node/module.js";
import { fileFault } from "../platform/local_files.js";
import { Flag, Kind } from "../record/format.js";
import { RecordError, RecordReader } from "../record/reader.js";
import { type Follower, Replay, type Replayed } from "../record/replay.js";
import { Output } from "./output.js";
import { ReplayedFlash } from "./replayed_flash.js";

interface ReplayArguments {
  module?: string;
  flash?: string;
  calls?: boolean;
  json?: boolean;
}

const HELP = `
Makes every call of a record again, in a fresh instance of the module, and compares each result and output. Of a capsule
(what a trap leaves) the snapshot is restored and the calls since are made again, up to the one that trapped.
Exit code 0: all was equal, and a capsule's trap came again. 1: something differs, or the file cannot be used.

With --json the last line is {"event":"done","equal","complete","calls","instances","events","ms","mismatch","trap"}.

Examples:
  $ alink-agent run --device device.json --record lamp.record
  $ alink-agent replay lamp.record
  $ alink-agent replay lamp.record --flash replayed.flash --calls`;

/** Add the command. */
export function register(program: Command): void {
  program
    .command("replay")
    .description("make the calls of a record or a capsule again, and compare")
    .argument("<file>", "what run --record or --capsule, or alink-wamr --capsule, has written")
    .option("--module <file>", "the module it was made with (default: the agent.wasm of this package)")
    .option("--flash <file>", "write the flash image that the operations in the record make")
    .option("--calls", "print each call")
    .option("--json", "one JSON object a line")
    .addHelpText("after", HELP)
    .action((file: string, options: ReplayArguments) => replay(file, options));
}

async function replay(file: string, options: ReplayArguments): Promise<void> {
  const output = new Output({ json: options.json ?? false });
  const reader = open(file);
  const loaded = await loadModule(options.module === undefined ? undefined : readBytes(options.module, "module"));
  const flash = options.flash === undefined ? undefined : new ReplayedFlash();
  tellHeader(output, reader);
  const done = inFile(file, () =>
    new Replay(reader, loaded.module, loaded.digest!, followers(output, options, flash)).run(),
  );
  if (options.flash !== undefined) flash!.save(options.flash);
  const { kind } = reader.header;
  const equal = done.mismatch === undefined && (kind === Kind.Record || done.complete);
  tellEnd(output, done, kind, equal);
  if (!equal) process.exitCode = 1;
}

function open(file: string): RecordReader {
  const bytes = readBytes(file, "record");
  return inFile(file, () => new RecordReader(bytes));
}

function readBytes(file: string, what: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(readFileSync(file));
  } catch (error) {
    throw new Error(`cannot read the ${what} ${file}: ${fileFault(error)}`);
  }
}

/** What is wrong with a file is said with its name. */
function inFile<T>(file: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof RecordError ? new Error(`${file} ${error.message}`) : error;
  }
}

function tellHeader(output: Output, reader: RecordReader): void {
  const { kind, flags, abiVersion, stateBytes, module } = reader.header;
  const what = kind === Kind.Record ? "record" : "capsule";
  const sha256 = Buffer.from(module).toString("hex");
  const secretsKept = (flags & Flag.SecretsKept) !== 0;
  const derived = (flags & Flag.Derived) !== 0;
  const left = derived ? ", but what was made of them may be left: keep it confidential" : "";
  const secrets = secretsKept ? "credentials as they were: keep it confidential" : `stand-ins for credentials${left}`;
  const named = /^0*$/.test(sha256) ? "a module that it does not name" : `module ${sha256}`;
  const text = `${what} of ${named}, ABI version ${abiVersion}, ${stateBytes} bytes of state, ${secrets}`;
  output.event("replay", { kind: what, module: sha256, abiVersion, stateBytes, secretsKept, derived }, text);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(3).padStart(9)} s`;
}

function followers(output: Output, options: ReplayArguments, flash: ReplayedFlash | undefined): Follower {
  let instances = 0;
  const follower: Follower = {
    instance: (ms) => output.event("instance", { ms, number: ++instances }, `${seconds(ms)}  instance ${instances}`),
    note: (text) => output.event("note", { text }, text),
    snapshot: ({ length }) => output.event("snapshot", { bytes: length }, `from a snapshot of ${length} bytes:`),
    event: (call, ms, { event, ...members }) =>
      output.event(
        String(event),
        { ...members, ms, call },
        `${seconds(ms)}  ${event} ${JSON.stringify(members)} (call ${call})`,
      ),
    ...flash?.follower,
  };
  if (options.calls === true)
    follower.call = (number, ms, text, again) =>
      output.event("call", { number, ms, text, again }, `${seconds(ms)}  ${number}: ${text}`);
  return follower;
}

function tellEnd(output: Output, done: Replayed, kind: number, equal: boolean): void {
  const { mismatch, trap, calls, instances, events, ms, complete } = done;
  if (!output.json) {
    if (mismatch !== undefined) output.line(`call ${mismatch.call} differs: ${mismatch.text}`);
    else if (kind === Kind.Capsule && trap !== undefined) output.line(`the trap comes again at call ${calls}: ${trap}`);
    if (!complete && mismatch === undefined)
      output.line(
        "the file ends without its end (power loss, or it is still being written): replayed as far as it goes",
      );
    output.line(
      `${calls} calls, ${instances} instances, ${events} events, ${(ms / 1000).toFixed(3)} s: ${equal ? "all as recorded" : "not as recorded"}`,
    );
  }
  output.event("done", { equal, complete, calls, instances, events, ms, mismatch, trap });
}
