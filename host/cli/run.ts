// `alink-agent run`: one device against a platform until a signal ends it.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { type Command, InvalidArgumentError } from "commander";
import { Device, type DeviceOptions, flashFile, member } from "../node/device.js";
import { isCoap } from "../node/module.js";
import type { RecordOptions } from "../node/recording.js";
import { isSnapshot } from "../node/snapshot.js";
import { fileFault, requireWritable } from "../platform/local_files.js";
import { hopeless, printEvent } from "./device_events.js";
import { readCertificates, readDeviceFile } from "./device_file.js";
import { hostFault, Output, UsageError } from "./output.js";

/** An event of the thing model that is to be posted. */
interface ThingEvent {
  identifier: string;
  value: Record<string, unknown>;
}

interface RunArguments {
  device: string;
  endpoint?: string;
  ca?: string;
  flash?: string;
  allowPlain?: string[];
  properties?: Record<string, unknown>;
  event: ThingEvent[];
  record?: string;
  capsule?: string;
  keepSecrets?: boolean;
  confirm?: boolean;
  snapshot?: string;
  json?: boolean;
}

const HELP = `
The device file is JSON, keys in any letter case:
  {"productKey":"…","deviceName":"…","deviceSecret":"…","version":"1.0.0"}
and may have region, instanceId, endpoint, signMethod, keepAlive, allowPlain, flash, … as well. ALINK_PRODUCT_KEY,
ALINK_DEVICE_NAME and ALINK_DEVICE_SECRET override it. Without an endpoint the device connects to the real cloud over TLS.

SIGTERM and SIGINT disconnect and keep the state in the flash image; exit code 0 and 130. With --snapshot they put the
device to sleep: the file has all it knows, the device secret too, and is used up by the next start.

Examples:
  $ alink-agent run --device device.json
  $ alink-agent run --device device.json --endpoint mqtts://localhost:8883 --ca ca.pem --properties '{"temperature":21.5}'
  $ alink-agent run --device device.json --event 'alarm={"errorCode":"E1"}'
  $ alink-agent run --device device.json --endpoint mqtt://localhost:1883 --allow-plain mqtt,http
  $ alink-agent run --device device.json --endpoint coap://localhost:5682 --snapshot device.asleep`;

/** Add the command. */
export function register(program: Command): void {
  program
    .command("run")
    .description("run one device until SIGTERM or SIGINT")
    .requiredOption("--device <file>", "device file (JSON)")
    .option(
      "--endpoint <url>",
      "mqtts://, mqtt:// or coap://host:port (default: the device file's, else the cloud's)",
      endpointUrl,
    )
    .option("--ca <file>", "PEM certificates to trust instead of the public ones, e.g. the local platform's CA")
    .option("--flash <file>", "flash image, made when missing (default: DEVICENAME.flash beside the device file)")
    .option("--allow-plain <paths>", "unencrypted paths to allow: mqtt, http or both", plainPaths)
    .option("--properties <json>", "properties to report once connected, a JSON object", jsonObject)
    .option(
      "--event <identifier=json>",
      "event to post once connected, its output a JSON object; may be given more than once",
      thingEvent,
      [],
    )
    .option("--record <file>", "record every call into the module, for alink-agent replay")
    .option("--capsule <file>", "keep what a trap of the module leaves here, for alink-agent replay")
    .option("--keep-secrets", "credentials in these files as they are, not replaced by stand-ins")
    .option("--confirm", "ask before an update is taken: answer with a line on stdin, accept, later [SECONDS] or never")
    .option("--snapshot <file>", "sleep at the end instead of disconnecting, and go on from there the next time")
    .option("--json", "one JSON object a line")
    .addHelpText("after", HELP)
    .action((options: RunArguments) => run(options));
}

function plainPaths(text: string): string[] {
  const paths = text.split(",").map((path) => path.trim().toLowerCase());
  for (const path of paths)
    if (path !== "mqtt" && path !== "http") throw new InvalidArgumentError("a list of mqtt and http, e.g. mqtt,http");
  return paths;
}

function jsonObject(text: string): Record<string, unknown> {
  const value = parseObject(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError('a JSON object, e.g. {"temperature":21.5}');
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // As for another value.
  }
  return undefined;
}

/** One more `identifier=json`; the module judges the identifier. */
function thingEvent(text: string, before: ThingEvent[]): ThingEvent[] {
  const [, identifier = "", json = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  const value = parseObject(json);
  if (value !== undefined) return [...before, { identifier, value }];
  throw new InvalidArgumentError('an identifier, "=" and a JSON object, e.g. alarm={"errorCode":"E1"}');
}

/** The rest of it is the module's to judge. */
function endpointUrl(text: string): string {
  if (/^(mqtts?|coap):\/\/[^/?#@]+\/?$/i.test(text) && URL.canParse(text)) return text;
  throw new InvalidArgumentError("it takes mqtts://, mqtt:// or coap://host:port, the port 65535 at most");
}

/** How the command ended. */
type End = { signal: NodeJS.Signals } | { error: Error };

async function run(options: RunArguments): Promise<void> {
  const output = new Output({ json: options.json ?? false });
  const configuration = readDeviceFile(options.device);
  const name = String(member(configuration, "deviceName"));
  const settings: DeviceOptions = { configuration };
  const endpoint = options.endpoint ?? member(configuration, "endpoint");
  if (options.flash !== undefined) settings.flash = options.flash;
  else if (!isCoap(endpoint)) settings.flash = flashFile(name, dirname(options.device));
  if (options.endpoint !== undefined) settings.endpoint = options.endpoint;
  if (options.allowPlain !== undefined) settings.allowPlain = options.allowPlain;
  if (options.confirm === true) settings.configuration = { ...configuration, updateConfirm: "ask" };
  if (options.ca !== undefined) settings.ca = readCertificates(options.ca);
  const record = recordOptions(options);
  if (record !== undefined) settings.record = record;
  const snapshot = options.snapshot === undefined ? undefined : takeAsleep(options.snapshot);
  if (snapshot !== undefined) settings.snapshot = snapshot;
  const { device, ended } = await begin(options, settings, name, output);
  const answers = options.confirm === true ? createInterface({ input: process.stdin }) : undefined;
  answers?.on("line", (line) => decide(device, line, output));
  const end = await ended;
  answers?.close();
  if (options.snapshot !== undefined && "signal" in end) keepAsleep(options.snapshot, await device.sleep());
  else await device.stop();
  output.endProgress();
  if ("error" in end) throw end.error;
  process.exitCode = end.signal === "SIGINT" ? 130 : 0;
}

/** Start the device, from its snapshot when there is one that fits. */
async function begin(
  options: RunArguments,
  settings: DeviceOptions,
  name: string,
  output: Output,
): Promise<{ device: Device; ended: Promise<End> }> {
  const device = new Device(settings);
  const ended = ending(device, name, output);
  const report = () => reportOnce(device, options, output);
  try {
    // A device that woke has a session already.
    if (settings.snapshot === undefined) device.once("device.connected", report);
    await device.start();
    if (settings.snapshot !== undefined) report();
    return { device, ended };
  } catch (error) {
    const { name: kind, message } = error as Error;
    if (kind === "ConfigurationError" || kind === "LayoutError")
      throw new Error(`device file ${options.device}: ${message}`);
    if (kind !== "SnapshotError") throw error;
    const text = `${options.snapshot}: ${message}: the device begins anew`;
    output.event("fault", hostFault(text), `note: ${text}`);
    const { snapshot: _unusable, ...fresh } = settings;
    return begin(options, fresh, name, output);
  }
}

/** A sleeping device; the file is gone then, because a device must not wake twice. Undefined: there is none. */
function takeAsleep(file: string): Uint8Array | undefined {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") {
      requireWritable(file, "snapshot");
      return undefined;
    }
    throw new Error(`cannot read the snapshot ${file}: ${fileFault(error)}`);
  }
  // The file is used up: a mistaken name must not cost anybody another one.
  if (!isSnapshot(bytes)) throw new Error(`${file} is no snapshot of a device: name another file, or remove it`);
  requireWritable(file, "snapshot");
  rmSync(file);
  return bytes;
}

function keepAsleep(file: string, snapshot: Uint8Array): void {
  try {
    // Whoever reads while it is written sees a whole one, or none; a part that was left keeps its mode when written over.
    rmSync(`${file}.part`, { force: true });
    writeFileSync(`${file}.part`, snapshot, { mode: 0o600, flush: true });
    renameSync(`${file}.part`, file);
  } catch (error) {
    throw new Error(`cannot write the snapshot ${file}: ${fileFault(error)}`);
  }
}

function recordOptions({ record, capsule, keepSecrets = false }: RunArguments): RecordOptions | undefined {
  if (record === undefined && capsule === undefined) {
    if (keepSecrets) throw new UsageError("--keep-secrets goes with --record or --capsule");
    return undefined;
  }
  return { keepSecrets, ...(record && { file: record }), ...(capsule && { capsule }) };
}

/** Prints events; resolves when a signal or something hopeless ends the command. */
function ending(device: Device, name: string, output: Output): Promise<End> {
  return new Promise((resolve) => {
    device.on("event", (event) => {
      printEvent(output, event, device);
      const error = hopeless(event, device, name);
      if (error !== undefined) resolve({ error });
    });
    device.on("error", (error) => resolve({ error }));
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.once(signal, () => {
        resolve({ signal });
        // A second one does not wait for the orderly end.
        process.once(signal, () => process.exit(signal === "SIGINT" ? 130 : 1));
      });
    }
  });
}

/** An answer to the question whether an update is to be taken. */
function decide(device: Device, line: string, output: Output): void {
  const [word = "", seconds, ...rest] = line.trim().split(/\s+/);
  const known = word === "accept" || word === "later" || word === "never";
  if (!known || rest.length > 0 || (seconds !== undefined && word !== "later")) {
    const text = `${JSON.stringify(line)} is no answer: accept, later [SECONDS] or never`;
    output.event("fault", hostFault(text), `note: ${text}`);
    return;
  }
  device.decideUpdate(word, seconds === undefined ? undefined : Number(seconds)).catch((error: Error) => {
    output.event("fault", hostFault(error.message), `note: ${error.message}`);
  });
}

function reportOnce(device: Device, { properties, event }: RunArguments, output: Output): void {
  const failed = (error: Error) => output.event("fault", hostFault(error.message), `note: ${error.message}`);
  if (properties !== undefined) device.postProperties(properties).catch(failed);
  for (const { identifier, value } of event) device.postEvent(identifier, value).catch(failed);
}
