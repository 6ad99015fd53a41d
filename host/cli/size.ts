// `alink-agent size`: what a module costs in flash and RAM, by section, layer, function and buffer, beside its budgets, and
// how long a part lasts under its updates.

import { type Command, InvalidArgumentError } from "commander";
import { PROFILES, type Profile } from "../size/budgets.js";
import { type Figure, reportOf, type SizeReport } from "../size/report.js";
import { readMappedModule } from "../size/size_map.js";
import { type Wear, wearOf } from "../size/wear.js";
import { readLayout } from "./device_file.js";
import { Output } from "./output.js";
import { profileOption } from "./profile.js";

interface SizeArguments {
  profile: Profile;
  top: number;
  all?: boolean;
  package: number;
  updates: number;
  cycles: number;
  device?: string;
  json?: boolean;
}

const HELP = `
The last table says how long a flash lasts: erases of each region by one update, and years until the first sector has used
up its cycles. The layout is the device file's "flash", else the default one. Telemetry waits in RAM and wears out nothing.

Example:
  $ alink-agent size --package 300000 --updates 52 --device device.json`;

function positive(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("it is a number from 1 on, e.g. 20");
  return Number(text);
}

/** Add the command. */
export function register(program: Command): void {
  program
    .command("size")
    .description("what a module costs in flash and RAM, beside its budgets")
    .addOption(profileOption("the module to look at"))
    .option("--top <count>", "functions and buffers that are listed, the most expensive ones", positive, 20)
    .option("--all", "list every function, and every buffer in the order of memory")
    .option("--package <bytes>", "wear: size of an update's package", positive, 1024 * 1024)
    .option("--updates <count>", "wear: updates a year", positive, 12)
    .option("--cycles <count>", "wear: erases that a sector of the flash stands", positive, 10_000)
    .option("--device <file>", 'wear: device file (JSON) with the layout in "flash"')
    .option("--json", "one JSON object a line")
    .addHelpText("after", HELP)
    .action(run);
}

function run({ profile, top, all = false, json = false, ...wear }: SizeArguments): void {
  const report = reportOf(profile, readMappedModule(PROFILES[profile]));
  const use = { packageBytes: wear.package, updates: wear.updates, cycles: wear.cycles };
  const worn = profile === "coap" ? undefined : wearOf(readLayout(wear.device), use);
  const output = new Output({ json });
  const count = all ? Number.POSITIVE_INFINITY : top;
  for (const print of [printBudgets, printSections, printLayers, printFunctions, printBuffers])
    print(output, report, count);
  if (worn !== undefined) printWear(output, worn);
}

function verdict({ budget, headroom }: Figure): string {
  return headroom < 0 ? `budget ${budget}, ${-headroom} above it` : `budget ${budget}, ${headroom} left`;
}

/** A table with a heading and numbers at the right; the last column is text. Nothing with --json. */
function printTable(output: Output, heading: string[], rows: (string | number)[][]): void {
  if (output.json) return;
  const cells = rows.map((row) => row.map(String));
  const widths = heading.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const numeric = (i: number) => rows.some((row) => typeof row[i] === "number");
  const aligned = (row: string[]) => row.map((cell, i) => (numeric(i) ? cell.padStart(widths[i]!) : cell));
  output.line("");
  const [first, ...rest] = [aligned(heading), ...cells.map(aligned)];
  const line = (row: string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join("  ")
      .trimEnd();
  output.line(output.strong(line(first!)));
  for (const row of rest) output.line(line(row));
}

function printBudgets(output: Output, { profile, module, file, memory }: SizeReport): void {
  output.event("size.module", { profile, module, file, memory });
  output.line(`${output.strong(module)}, profile ${profile}`);
  output.table([
    ["flash", `${file.bytes} bytes, ${verdict(file)}`],
    ["memory", `${memory.bytes} bytes, ${verdict(memory)}`],
  ]);
}

function printSections(output: Output, { sections }: SizeReport): void {
  for (const section of sections) output.event("size.section", { ...section });
  printTable(
    output,
    ["bytes", "section"],
    sections.map(({ name, bytes }) => [bytes, name]),
  );
}

function printLayers(output: Output, { layers, code }: SizeReport): void {
  output.event("size.code", { ...code });
  output.line(`\ncode: ${code.apart} bytes as the sources have it, which the build makes ${code.merged} in the file`);
  for (const layer of layers) output.event("size.layer", { ...layer });
  printTable(
    output,
    ["bytes", "functions", "layer"],
    layers.map(({ name, bytes, functions }) => [bytes, functions, name]),
  );
}

function printFunctions(output: Output, { functions }: SizeReport, count: number): void {
  const shown = functions.slice(0, count);
  for (const entry of shown) output.event("size.function", { ...entry });
  printTable(
    output,
    ["bytes", shown.length < functions.length ? `function (${shown.length} of ${functions.length})` : "function"],
    shown.map(({ name, bytes }) => [bytes, name]),
  );
}

function printBuffers(output: Output, { buffers }: SizeReport, count: number): void {
  const whole = count >= buffers.length;
  const shown = whole ? buffers : [...buffers].sort((a, b) => b.bytes - a.bytes).slice(0, count);
  for (const { group, ...buffer } of shown) output.event("size.buffer", { ...buffer, group });
  printTable(
    output,
    ["bytes", whole ? "memory" : `memory (${shown.length} of ${buffers.length})`, ""],
    shown.map(({ name, bytes, purpose }) => [bytes, name, purpose]),
  );
}

function printWear(output: Output, wear: Wear): void {
  const { regions, ...rest } = wear;
  for (const region of regions) output.event("size.wear.region", { ...region });
  output.event("size.wear", rest);
  printTable(
    output,
    ["erases", "sectors", "region", "an update"],
    regions.map(({ name, sectors, erases, updates }) => [
      erases,
      sectors,
      name,
      updates === null ? "not written by this version" : `lasts for ${updates} updates`,
    ]),
  );
  const { packageBytes, updates, cycles, lifetimeUpdates, years } = wear;
  const much = `${packageBytes} bytes ${updates} times a year`;
  output.line(`\n${cycles} cycles last for ${lifetimeUpdates} updates: ${years.toFixed(1)} years of ${much}`);
}
