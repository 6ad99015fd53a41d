// `alink-agent start`: platform, device and one update, or a few cycles of sleep over CoAP, with nothing to prepare.

import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import { flashLayout } from "../node/flash_layout.js";
import { CoapDemo, type CoapOutcome } from "./coap_demo.js";
import { Demo, type Outcome } from "./demo.js";
import { type DemoFiles, provideFiles } from "./demo_files.js";
import { checkFirmware } from "./firmware_file.js";
import { Interrupted, signalled } from "./interruption.js";
import { errorLine, formatBytes, Output, UsageError } from "./output.js";

interface StartArguments {
  once?: boolean;
  json?: boolean;
  interrupt?: boolean;
  coap?: boolean;
  firmware?: string;
  signMethod: "md5" | "sha256";
  data?: string;
}

const HELP = `
Starts the local platform with made-up credentials, runs a device against it over TLS, and updates the device's firmware
through the platform's cloud API. Then the platform stays up until Ctrl-C, for your own devices. --interrupt takes the
device's power away when half of the package is in its flash, and 32 KiB, which is where the first mark stands that a
download goes on from; started again, it must fetch nothing below the mark and end the same way.

With --json the last line of the update is {"event":"done","done":true,"from","to","bytes","digest","slot","seconds"}, or
{"event":"done","done":false,"reason"}; seconds count from the first step of the release to the confirmed restart.

With --coap a device reports over CoAP instead and sleeps in between: each cycle begins from a snapshot of its memory, under
the session of the first one. The last line is {"event":"done","done":true,"cycles","posts","auths","bytesPerCycle",
"pollsPerCycle","snapshot","seconds"} then; bytes are those of UDP payloads, both ways.`;

/** Add the command. */
export function register(program: Command): void {
  program
    .command("start")
    .description("show a firmware update end to end: platform and device in one process")
    .option("--once", "end after the update: exit code 0 when the device runs the new version, else 1")
    .option("--interrupt", "cut the device's power half way through the download, and start it again")
    .option("--coap", "show a device over CoAP that sleeps between its posts instead of an update")
    .option("--firmware <file>", "the package to publish (default: the module agent.wasm itself)")
    .addOption(
      new Option("--sign-method <digest>", "digest of the package").choices(["md5", "sha256"]).default("sha256"),
    )
    .option("--data <dir>", "keep credentials, platform and flash image there (default: a temporary directory)")
    .option("--json", "one JSON object a line")
    .addHelpText("after", HELP)
    .action((options: StartArguments) => start(options));
}

async function start(options: StartArguments): Promise<void> {
  const output = new Output({ json: options.json ?? false });
  const signal = signalled();
  let demo: Demo | CoapDemo | undefined;
  let files: DemoFiles | undefined;
  try {
    const what = options.coap === true ? "the last cycle" : "the update";
    const early = signal.then((code) => Promise.reject(new Interrupted(code, what)));
    // Whoever is interrupted while ending has been told already.
    early.catch(() => {});
    const chosen = choose(options, output);
    files = chosen.files;
    demo = chosen.demo;
    const outcome = await Promise.race([chosen.run(), early]);
    // The line that says "done" is the last one, so everything has ended before it.
    if (options.once === true) await end(demo, files, output);
    if ("cycles" in outcome) reportCycles(output, outcome);
    else report(output, outcome, options.signMethod);
    if (options.once === true) return;
    invite(output, files, demo);
    await signal;
    await end(demo, files, output);
  } catch (error) {
    await end(demo, files, output);
    process.exitCode = error instanceof Interrupted ? error.exitCode : error instanceof UsageError ? 2 : 1;
    process.stderr.write(`alink-agent: ${errorLine(error)}\n`);
    output.event("done", { done: false, reason: errorLine(error) });
  }
}

/** What is shown, not yet started. */
function choose(
  { coap = false, data, firmware: file, signMethod, interrupt = false }: StartArguments,
  output: Output,
): { files: DemoFiles; demo: Demo | CoapDemo; run: () => Promise<Outcome | CoapOutcome> } {
  if (coap) {
    if (file !== undefined) throw new UsageError("--firmware goes with an update, not with --coap");
    if (interrupt) throw new UsageError("--interrupt goes with an update, not with --coap");
    const files = provideFiles(data);
    const demo = new CoapDemo(files, output);
    return { files, demo, run: () => demo.run() };
  }
  const firmware = file ?? fileURLToPath(new URL("../../agent.wasm", import.meta.url));
  // Nothing is started for a package that no slot can take.
  checkFirmware(firmware, flashLayout().slots[1][1], "the device's slot takes");
  const files = provideFiles(data);
  const demo = new Demo({ files, firmware, signMethod, interrupt, output });
  return { files, demo, run: () => demo.update() };
}

function reportCycles(output: Output, outcome: CoapOutcome): void {
  const { cycles, posts, auths, bytesPerCycle, pollsPerCycle, snapshot, seconds } = outcome;
  output.line("");
  output.table([
    ["cycles", `${cycles}, ${posts} posts, signed in ${auths === 1 ? "once" : `${auths} times`}`],
    ["on the air", `${bytesPerCycle} bytes both ways a cycle`],
    ["work", `${pollsPerCycle} polls a cycle`],
    ["asleep", `${snapshot} bytes`],
    ["time", `${seconds.toFixed(1)} s`],
  ]);
  output.event("done", { done: true, ...outcome });
}

function report(output: Output, outcome: Outcome, method: string): void {
  const { from, to, bytes, digest, slot, seconds } = outcome;
  output.line("");
  output.table([
    ["version", `${from} -> ${to}`],
    ["package", `${formatBytes(bytes)} (${bytes} bytes)`],
    [method, digest],
    ["slot", slot],
    ["time", `${seconds.toFixed(1)} s`],
  ]);
  output.event("done", { done: true, ...outcome });
}

function invite(output: Output, files: DemoFiles, demo: Demo | CoapDemo): void {
  const ready = demo.platform!.ready;
  output.line(`
The platform stays up until Ctrl-C. Connect a device of your own, and update it:
  alink-agent run --device ${files.ownDevice} --endpoint ${ready.mqtts} --ca ${ready.ca}
  alink-agent run --device ${files.ownDevice} --endpoint ${ready.coap}
  alink-agent publish FILE --version 2.0.0 --product ${files.productKey} --device your-device --endpoint ${ready.api} --access-key-file ${files.accessKeyFile}`);
}

/** Whatever fails while ending only hides what went before, so it is said and does not count. */
async function end(demo: Demo | CoapDemo | undefined, files: DemoFiles | undefined, output: Output): Promise<void> {
  try {
    await demo?.close();
    files?.remove();
    output.endProgress();
  } catch (error) {
    output.endProgress();
    process.stderr.write(`alink-agent: ${errorLine(error)}\n`);
  }
}
