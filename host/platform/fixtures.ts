// Fixtures: the access keys, products and devices a local platform starts with.
// Every violation names the file, the path inside the document and what is expected there; secrets are never quoted.

import { readFileSync } from "node:fs";
import { fileFault } from "./local_files.js";

/** One AccessKey pair of the cloud API. */
export interface AccessKey {
  id: string;
  secret: string;
}

/** One device. `version` is what the platform believes the default module runs before the first inform. */
export interface DeviceFixture {
  deviceName: string;
  deviceSecret: string;
  version?: string;
  /** A disabled device is refused with CONNACK 5. */
  disabled?: boolean;
}

/** One product and its devices. `tsl` is the thing model as the documents print it; the platform keeps it as it is. */
export interface ProductFixture {
  productKey: string;
  productSecret: string;
  dynamicRegistration: boolean;
  tsl?: Record<string, unknown>;
  devices: DeviceFixture[];
}

/** The whole document. */
export interface Fixtures {
  accessKeys: AccessKey[];
  products: ProductFixture[];
}

/** Fixtures that cannot be used; the message is one line and names the place. */
export class FixturesError extends Error {
  override readonly name = "FixturesError";
}

// Sizes: ProductKey <= 20, DeviceName 4-32 of letters, digits, - _ @ . :, secrets <= 64 characters.
const PRODUCT_KEY = /^[A-Za-z0-9]{1,20}$/;
const DEVICE_NAME = /^[A-Za-z0-9\-_@.:]{4,32}$/;
const VERSION = /^[A-Za-z0-9._-]{1,64}$/;
const PRINTABLE = /^[\x21-\x7e]{1,64}$/;

type Members = Record<string, unknown>;

class Checker {
  constructor(private readonly source: string) {}

  fail(path: string, expected: string): never {
    throw new FixturesError(`${this.source}: ${path}: expected ${expected}`);
  }

  object(value: unknown, path: string, known: string[]): Members {
    if (typeof value !== "object" || value === null || Array.isArray(value)) this.fail(path, "an object");
    const members = value as Members;
    for (const name of Object.keys(members)) {
      if (!known.includes(name)) this.fail(`${path}.${name}`, `one of the members ${known.join(", ")}`);
    }
    return members;
  }

  list(members: Members, name: string, path: string): unknown[] {
    const value = members[name];
    if (!Array.isArray(value)) this.fail(`${path}.${name}`, "an array");
    return value as unknown[];
  }

  text(members: Members, name: string, path: string, pattern: RegExp, expected: string): string {
    const value = members[name];
    if (typeof value !== "string" || !pattern.test(value)) this.fail(`${path}.${name}`, expected);
    return value as string;
  }

  flag(members: Members, name: string, path: string): boolean {
    const value = members[name] ?? false;
    if (typeof value !== "boolean") this.fail(`${path}.${name}`, "true or false");
    return value as boolean;
  }
}

/**
 * Check a parsed document and return it with its types.
 *
 * value   what JSON.parse gave.
 * source  name used in messages: a file name, or "fixtures".
 *
 * Throws FixturesError, e.g. `f.json: $.products[0].devices[1].deviceName: expected 4-32 of …`.
 */
export function checkFixtures(value: unknown, source = "fixtures"): Fixtures {
  const check = new Checker(source);
  const top = check.object(value, "$", ["accessKeys", "products"]);
  const seen = new Set<string>();
  const unique = (key: string, path: string) => {
    if (seen.has(key)) check.fail(path, "a value that is not used twice");
    seen.add(key);
  };
  const accessKeys = check.list(top, "accessKeys", "$").map((item, i) => {
    const path = `$.accessKeys[${i}]`;
    const key = check.object(item, path, ["id", "secret"]);
    const id = check.text(key, "id", path, PRINTABLE, "1-64 printable characters");
    unique(`key ${id}`, `${path}.id`);
    return { id, secret: check.text(key, "secret", path, PRINTABLE, "1-64 printable characters") };
  });
  const products = check.list(top, "products", "$").map((item, i) => {
    const product = checkProduct(check, item, `$.products[${i}]`);
    unique(`product ${product.productKey}`, `$.products[${i}].productKey`);
    return product;
  });
  return { accessKeys, products };
}

function checkProduct(check: Checker, item: unknown, path: string): ProductFixture {
  const product = check.object(item, path, ["productKey", "productSecret", "dynamicRegistration", "tsl", "devices"]);
  const names = new Set<string>();
  const devices = check.list(product, "devices", path).map((entry, i) => {
    const device = checkDevice(check, entry, `${path}.devices[${i}]`);
    if (names.has(device.deviceName)) check.fail(`${path}.devices[${i}].deviceName`, "a name that is not used twice");
    names.add(device.deviceName);
    return device;
  });
  const checked: ProductFixture = {
    productKey: check.text(product, "productKey", path, PRODUCT_KEY, "1-20 letters and digits"),
    productSecret: check.text(product, "productSecret", path, PRINTABLE, "1-64 printable characters"),
    dynamicRegistration: check.flag(product, "dynamicRegistration", path),
    devices,
  };
  if (product.tsl !== undefined) {
    if (typeof product.tsl !== "object" || product.tsl === null || Array.isArray(product.tsl)) {
      check.fail(`${path}.tsl`, "an object");
    }
    checked.tsl = product.tsl as Record<string, unknown>;
  }
  return checked;
}

function checkDevice(check: Checker, entry: unknown, path: string): DeviceFixture {
  const device = check.object(entry, path, ["deviceName", "deviceSecret", "version", "disabled"]);
  const checked: DeviceFixture = {
    deviceName: check.text(device, "deviceName", path, DEVICE_NAME, "4-32 of letters, digits, - _ @ . :"),
    deviceSecret: check.text(device, "deviceSecret", path, PRINTABLE, "1-64 printable characters"),
  };
  if (device.version !== undefined) {
    checked.version = check.text(device, "version", path, VERSION, "1-64 of letters, digits, . _ -");
  }
  if (check.flag(device, "disabled", path)) checked.disabled = true;
  return checked;
}

/**
 * Read and check a fixtures file (UTF-8 JSON).
 *
 * Throws FixturesError when it cannot be read, is not JSON, or does not have the expected shape.
 */
export function loadFixtures(file: string): Fixtures {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new FixturesError(`cannot read the fixtures file ${file}: ${fileFault(error)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    // V8 quotes a piece of the text in its message; only the position is safe to repeat.
    const at = /position \d+( \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0] ?? "its end";
    throw new FixturesError(`${file}: not JSON at ${at}: expected {"accessKeys":[…],"products":[…]}`);
  }
  return checkFixtures(value, file);
}
