// The device file: a JSON object with the device's identity and the members of the module's configuration.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { member } from "../node/device.js";
import { type FlashLayout, flashLayout } from "../node/flash_layout.js";
import { fileFault } from "../platform/local_files.js";

/** Environment variables that override members of the file. */
const ENVIRONMENT = {
  productKey: "ALINK_PRODUCT_KEY",
  deviceName: "ALINK_DEVICE_NAME",
  deviceSecret: "ALINK_DEVICE_SECRET",
} as const;

/**
 * Read a device file; the environment overrides its identity.
 *
 * Returns the members under their own names, without null. Throws Error: one line that names the file and the member, never a value.
 */
export function readDeviceFile(file: string, environment: NodeJS.ProcessEnv = process.env): Record<string, unknown> {
  const document = parseObject(file, readText(file, "device file"));
  for (const [name, variable] of Object.entries(ENVIRONMENT)) {
    const override = environment[variable];
    if (override) setMember(document, name, override);
    const value = member(document, name);
    if (typeof value !== "string" || value === "")
      throw new Error(`device file ${file}: "${name}" must be a text that is not empty (or set ${variable})`);
  }
  return document;
}

/**
 * The flash layout in a device file, or the default one without a file. Nothing else of it is looked at.
 *
 * Throws Error: one line that names the file; LayoutError for the layout.
 */
export function readLayout(file: string | undefined): FlashLayout {
  if (file === undefined) return flashLayout();
  return flashLayout(member(parseObject(file, readText(file, "device file")), "flash") ?? {});
}

/** Read a CA file. Throws Error: one line, when it cannot be read or holds no certificate. */
export function readCertificates(file: string): string {
  const pem = readText(file, "CA file");
  try {
    new X509Certificate(pem);
  } catch {
    throw new Error(`CA file ${file}: holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)`);
  }
  return pem;
}

/** Read a text file. Throws Error: one line that says what kind of file could not be read, and why. */
export function readText(file: string, what: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Error(`cannot read the ${what} ${file}: ${fileFault(error)}`);
  }
}

function parseObject(file: string, text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    // The message of JSON.parse may quote the text, which holds the secret: only the place is taken from it.
    throw new Error(`device file ${file}: is not JSON${place(text, (error as Error).message)}`);
  }
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw new Error(
      `device file ${file}: must be an object like {"productKey":"…","deviceName":"…","deviceSecret":"…"}`,
    );
  return document as Record<string, unknown>;
}

function place(text: string, message: string): string {
  const position = / at position (\d+)/.exec(message)?.[1];
  if (position === undefined) return " (it ends too early or is not JSON at all)";
  const lines = text.slice(0, Number(position)).split("\n");
  return ` (line ${lines.length}, column ${lines.at(-1)!.length + 1})`;
}

/** Replace a member in whatever letter case it stands. */
function setMember(document: Record<string, unknown>, name: string, value: string): void {
  for (const key of Object.keys(document)) if (key.toLowerCase() === name.toLowerCase()) delete document[key];
  document[name] = value;
}
