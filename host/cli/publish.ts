// `alink-agent publish`: release a firmware file to devices through the cloud API:
// GenerateOTAUploadURL → PostObject → CreateOTAFirmware → CreateOTAStaticUpgradeJob.

import { type Command, InvalidArgumentError, Option } from "commander";
import { JOB_FAULT_NAMES, setFault } from "../platform/faults.js";
import { type AccessKey, ActionRefused, type CloudEndpoint, callAction, postObject } from "./cloud_client.js";
import { readCertificates, readText } from "./device_file.js";
import { checkFirmware } from "./firmware_file.js";
import { formatBytes, Output, UsageError } from "./output.js";

/** What to release, and to whom. */
export interface Release {
  file: string;
  /** Target version, 1-64 of letters, digits, . _ - */
  version: string;
  productKey: string;
  /** All devices of the product when absent or empty; at most 200. */
  deviceNames?: string[];
  /** Digest the devices verify with, default md5. */
  signMethod?: "md5" | "sha256";
  /** Module, default the whole firmware. */
  module?: string;
  /** NAME[=VALUE]: what the local platform does wrong with this job; other platforms pass it over. */
  faults?: string[];
  /** Package name, unique in the account; made from module, version and time when absent. */
  name?: string;
}

/** Steps of a release, in order. */
export type ReleaseStep = "permission" | "upload" | "package" | "job";

/** Told about a release while it runs. */
export interface ReleaseObserver {
  onStep?(step: ReleaseStep): void;
  onUpload?(done: number, total: number): void;
}

/** A release that was accepted. */
export interface Released {
  name: string;
  firmwareId: string;
  jobId: string;
  /** Bytes. */
  size: number;
  signMethod: "md5" | "sha256";
  /** Lower-case hexadecimal. */
  digest: string;
}

/** Largest package, bytes (1000 MB). */
const MAX_SIZE = 1_048_576_000;
const MAX_DEVICES = 200;

/**
 * Publish a firmware file and start the upgrade job.
 *
 * The file is streamed, never held in memory. Throws Error with one line that names the step that failed.
 */
export async function publishFirmware(
  release: Release,
  endpoint: CloudEndpoint,
  observer: ReleaseObserver = {},
): Promise<Released> {
  const { file, version, productKey, deviceNames = [], signMethod = "md5", module = "default" } = release;
  checkFirmware(file, MAX_SIZE, "the cloud API takes");
  if (deviceNames.length > MAX_DEVICES) throw new UsageError(`at most ${MAX_DEVICES} devices in one job`);
  observer.onStep?.("permission");
  const permission = dataOf(await callAction(endpoint, "GenerateOTAUploadURL", { FileSuffix: suffixOf(file) }));
  observer.onStep?.("upload");
  const fields: [string, string][] = [
    ["key", permission.Key ?? ""],
    ["policy", permission.Policy ?? ""],
    ["OSSAccessKeyId", permission.OSSAccessKeyId ?? ""],
    ["signature", permission.Signature ?? ""],
    ["success_action_status", "200"],
  ];
  const onBytes = (done: number, total: number) => observer.onUpload?.(done, total);
  const uploaded = await postObject(permission.Host ?? "", fields, file, endpoint.ca, onBytes);
  observer.onStep?.("package");
  const name = release.name ?? packageName(module, version);
  const created = await callAction(endpoint, "CreateOTAFirmware", {
    FirmwareName: name,
    DestVersion: version,
    ProductKey: productKey,
    FirmwareUrl: permission.FirmwareUrl ?? "",
    SignMethod: signMethod.toUpperCase(),
    FirmwareSign: uploaded[signMethod],
    FirmwareSize: String(uploaded.size),
    ModuleName: module,
    Type: "0",
    NeedToVerify: "false",
  });
  const firmwareId = dataOf(created).FirmwareId ?? "";
  observer.onStep?.("job");
  const jobId = await createJob(firmwareId, name, release, endpoint);
  return { name, firmwareId, jobId, size: uploaded.size, signMethod, digest: uploaded[signMethod] };
}

/** Start the job; the package of a refused one is deleted, or its version could never be published again. */
async function createJob(
  firmwareId: string,
  name: string,
  { productKey, deviceNames = [], faults = [] }: Release,
  endpoint: CloudEndpoint,
): Promise<string> {
  try {
    const job = await callAction(endpoint, "CreateOTAStaticUpgradeJob", {
      FirmwareId: firmwareId,
      ProductKey: productKey,
      TargetSelection: deviceNames.length > 0 ? "SPECIFIC" : "ALL",
      // A device that has not begun an older update gets this one instead.
      OverwriteMode: "2",
      ...Object.fromEntries(deviceNames.map((deviceName, i) => [`TargetDeviceName.${i + 1}`, deviceName])),
      ...Object.fromEntries(faults.map((fault, i) => [`Fault.${i + 1}`, fault])),
    });
    return dataOf(job).JobId ?? "";
  } catch (error) {
    // After a cut connection the job may well be there.
    if (!(error instanceof ActionRefused)) throw error;
    await callAction(endpoint, "DeleteOTAFirmware", { FirmwareId: firmwareId }).catch((fault: Error) => {
      throw new Error(`${error.message}; its package ${name} stays, delete it before the next try: ${fault.message}`);
    });
    throw error;
  }
}

function dataOf(answer: Record<string, unknown>): Record<string, string | undefined> {
  return (answer.Data ?? {}) as Record<string, string | undefined>;
}

/** A documented suffix; bin for all others. */
function suffixOf(file: string): string {
  return /\.(tar\.gz|bin|dav|apk|tar|gz|zip|gzip)$/i.exec(file)?.[1]?.toLowerCase() ?? "bin";
}

/** 1-40 of letters, digits, - _ ( ), starting with a letter or digit. */
function packageName(module: string, version: string): string {
  const text = `${module}_${version}`.replace(/[^A-Za-z0-9\-_()]/g, "_").replace(/^[^A-Za-z0-9]+/, "");
  return `${text.slice(0, 30)}_${Date.now().toString(36)}`;
}

interface PublishArguments {
  version: string;
  product: string;
  device?: string[];
  endpoint: string;
  ca?: string;
  signMethod: "md5" | "sha256";
  module?: string;
  name?: string;
  fault?: string[];
  accessKeyFile?: string;
  json?: boolean;
}

function endpointUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) {
    throw new InvalidArgumentError("an endpoint is a URL, e.g. http://127.0.0.1:8081");
  }
  return text;
}

/** One more --fault, checked here for a clear message. */
function fault(text: string, before: string[] = []): string[] {
  try {
    setFault({}, text, JOB_FAULT_NAMES);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return [...before, text];
}

/** Add the command. */
export function register(program: Command): void {
  program
    .command("publish")
    .description("release a firmware file to devices through the cloud API")
    .argument("<file>", "the firmware image")
    .requiredOption("--version <version>", "version the devices report after the update")
    .requiredOption("--product <key>", "ProductKey")
    .option("--device <name...>", "DeviceName, repeatable (default: all devices of the product)")
    .requiredOption("--endpoint <url>", "cloud API, e.g. http://127.0.0.1:8081", endpointUrl)
    .option("--ca <file>", "PEM certificates to trust, e.g. the local platform's CA")
    .addOption(
      new Option("--sign-method <digest>", "digest the devices verify with; md5 is the platform's own default")
        .choices(["md5", "sha256"])
        .default("md5"),
    )
    .option("--module <name>", "OTA module (default: the whole firmware)")
    .option("--name <name>", "package name, unique in the account (default: made from module, version and time)")
    .option(
      "--fault <name[=value]>",
      `the local platform misbehaves with this job: ${JOB_FAULT_NAMES.join(", ")} (repeatable)`,
      fault,
    )
    .option("--access-key-file <file>", 'JSON {"accessKeyId","accessKeySecret"}')
    .option("--json", "one JSON object a line")
    .addHelpText(
      "after",
      "\nThe AccessKey pair comes from ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET or --access-key-file.",
    )
    .action((file: string, options: PublishArguments) => run(file, options));
}

async function run(file: string, options: PublishArguments): Promise<void> {
  const output = new Output({ json: options.json ?? false });
  const endpoint: CloudEndpoint = { url: options.endpoint, accessKey: readAccessKey(options.accessKeyFile) };
  if (options.ca !== undefined) endpoint.ca = readCertificates(options.ca);
  const { version, product: productKey, device: deviceNames, signMethod, module, name } = options;
  const release: Release = { file, version, productKey, signMethod };
  if (deviceNames !== undefined) release.deviceNames = deviceNames;
  if (module !== undefined) release.module = module;
  if (name !== undefined) release.name = name;
  if (options.fault !== undefined) release.faults = options.fault;
  process.once("SIGINT", () => {
    output.endProgress();
    process.exit(130);
  });
  const released = await publishFirmware(release, endpoint, {
    onUpload: (done, total) => output.progress("upload", done, total),
  });
  output.event("done", { done: true, version, ...released });
  output.table([
    ["package", `${released.name} (${released.firmwareId})`],
    ["job", released.jobId],
    ["version", version],
    ["size", formatBytes(released.size)],
    [signMethod, released.digest],
    ["devices", deviceNames?.join(", ") ?? `all of ${productKey}`],
  ]);
}

/** From a file, any letter case of the member names, or from the environment. */
function readAccessKey(file: string | undefined): AccessKey {
  if (file !== undefined) return readAccessKeyFile(file);
  const { ALIBABA_CLOUD_ACCESS_KEY_ID: id, ALIBABA_CLOUD_ACCESS_KEY_SECRET: secret } = process.env;
  if (id && secret) return { id, secret };
  throw new UsageError(
    "no AccessKey: set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or use --access-key-file",
  );
}

function readAccessKeyFile(file: string): AccessKey {
  const expected = 'expected {"accessKeyId":"…","accessKeySecret":"…"}';
  const text = readText(file, "AccessKey file");
  let members: Map<string, unknown>;
  try {
    members = new Map(Object.entries(JSON.parse(text) as object).map(([name, value]) => [name.toLowerCase(), value]));
  } catch {
    throw new Error(`${file} is not JSON: ${expected}`);
  }
  const [id, secret] = [members.get("accesskeyid"), members.get("accesskeysecret")];
  if (typeof id !== "string" || typeof secret !== "string" || !id || !secret) throw new Error(`${file}: ${expected}`);
  return { id, secret };
}
