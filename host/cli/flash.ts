// `alink-agent flash inspect`: what a flash image holds, as tables or one JSON object a line. The image is only read.

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type Command, Option } from "commander";
import { Kind } from "../node/boot.js";
import { type BootPlace, type FlashContents, flashContents, type SlotContents } from "../node/flash_contents.js";
import { type FlashLayout, flashBytes } from "../node/flash_layout.js";
import type { StateRecord } from "../node/state_records.js";
import { fileFault } from "../platform/local_files.js";
import { readLayout } from "./device_file.js";
import { Output } from "./output.js";

interface InspectArguments {
  device?: string;
  json?: boolean;
}

const HELP = `
The layout is the device file's "flash", else the default one (two slots of 16 MiB). The image may be in use.

Examples:
  $ alink-agent flash inspect lamp-1.flash
  $ alink-agent flash inspect board.bin --device device.json --json`;

/** Add the command. */
export function register(program: Command): void {
  program
    .command("flash")
    .description("look into a flash image")
    .command("inspect")
    .description("show slots, boot record and state records; damaged records are shown as such")
    .argument("<file>", "the flash image, or a dump of a part")
    .addOption(new Option("--device <file>", 'device file (JSON) with the layout in "flash"'))
    .option("--json", "one JSON object a line")
    .addHelpText("after", HELP)
    .action((file: string, options: InspectArguments) => inspect(file, options));
}

function inspect(file: string, options: InspectArguments): void {
  const output = new Output({ json: options.json ?? false });
  const layout = readLayout(options.device);
  print(output, layout, contentsOf(file, layout));
}

function contentsOf(file: string, layout: FlashLayout): FlashContents {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    throw new Error(`cannot read the flash image ${file}: ${fileFault(error)}`);
  }
  try {
    const found = fstatSync(fd);
    const expected = flashBytes(layout);
    if (!found.isFile()) throw new Error(`the flash image ${file} is not a regular file`);
    if (found.size !== expected)
      throw new Error(
        `the flash image ${file} has ${found.size} bytes, a flash of this layout has ${expected}: give the device file it belongs to with --device`,
      );
    return flashContents(layout, (offset, length) => {
      const bytes = new Uint8Array(length);
      if (readSync(fd, bytes, 0, length, offset) !== length)
        throw new Error(`the flash image ${file} was cut while it was read`);
      return bytes;
    });
  } finally {
    closeSync(fd);
  }
}

function print(output: Output, layout: FlashLayout, contents: FlashContents): void {
  const { sector, write, erased } = layout;
  output.event("flash.layout", { ...layout }, `sector ${sector}, write unit ${write}, erased value ${erased}\n`);
  for (const slot of contents.slots) output.event("flash.slot", { ...slot });
  output.table([
    ["slot", "offset", "length", "used", "record", "version", "size", "digest"],
    ...contents.slots.map(slotRow),
  ]);
  for (const { record, ...place } of contents.boot) output.event("flash.boot", { ...place, ...record });
  output.line("");
  output.table([
    ["boot record", "kind", "slot", "fall-back", "starts left", "reason", "sequence", ""],
    ...contents.boot.map(bootRow),
  ]);
  if (contents.boot.length === 0) output.line("none: slot a starts, as on a fresh part");
  output.line("");
  const rows = contents.state.flatMap(({ offset, status, sequence, records }) => {
    const head = { offset, status, ...(sequence === undefined ? {} : { sequence }) };
    output.event("flash.sector", head);
    for (const { payload: _, ...record } of records) output.event("flash.record", { sector: offset, ...record });
    return [
      [hex(offset), "sector", status, sequence === undefined ? "" : `sequence ${sequence}`],
      ...records.map(recordRow),
    ];
  });
  output.table([["state region", "kind", "status", "contents"], ...rows]);
}

const hex = (offset: number): string => `0x${offset.toString(16).padStart(8, "0")}`;
const slotName = (slot: number): string => (slot === 0 ? "a" : "b");

function slotRow({ slot, offset, length, used, record, version, size, digest, intact }: SlotContents): string[] {
  const verdict = intact === undefined ? "" : intact ? " (the slot's bytes)" : " (NOT the slot's bytes)";
  return [
    slot,
    hex(offset),
    `${length}`,
    `${used}`,
    record,
    version ?? "",
    `${size ?? ""}`,
    `${digest ?? ""}${verdict}`,
  ];
}

function bootRow({ offset, status, record }: BootPlace): string[] {
  if (record === undefined) return [hex(offset), "", "", "", "", "", "", status];
  const { kind, slot, fallBack, starts, reason, sequence } = record;
  const name = kind === Kind.Confirmed ? "confirmed" : "trial";
  return [hex(offset), name, slotName(slot), slotName(fallBack), `${starts}`, `${reason}`, `${sequence}`, status];
}

function recordRow({ offset, name, status, fields }: StateRecord): string[] {
  // the whole digest stands in the slot's row and in the JSON
  const words = Object.entries(fields).map(
    ([key, value]) => `${key} ${value === "" ? "-" : String(value).slice(0, 24)}`,
  );
  return [hex(offset), `  ${name}`, status, words.join(", ")];
}
