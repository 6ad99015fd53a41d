// What the demonstration makes up and keeps in its directory: credentials, device files, an access key.

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkFixtures, type Fixtures } from "../platform/fixtures.js";
import { provideDirectory } from "../platform/local_files.js";

/** The directory of one demonstration. All files are readable by their owner only. */
export interface DemoFiles {
  directory: string;
  fixtures: Fixtures;
  productKey: string;
  /** The device that the demonstration runs. */
  deviceName: string;
  deviceSecret: string;
  /** Its flash image. */
  flash: string;
  /** The platform's own directory. */
  platform: string;
  /** Device file of a second device, for whoever wants to connect one. */
  ownDevice: string;
  /** Keys for `publish --access-key-file`. */
  accessKeyFile: string;
  /** Remove the directory when it was made for this run only. */
  remove(): void;
}

const DEVICE = "demo-device";
const OWN_DEVICE = "your-device";

/**
 * Make up credentials, or read those of a former run.
 *
 * directory  kept; without one a temporary directory is used, which `remove` removes.
 * Throws Error (one line) when it cannot be written, or holds something else.
 */
export function provideFiles(directory?: string): DemoFiles {
  const work = provideDirectory(directory ?? mkdtempSync(join(tmpdir(), "alink-start-")));
  const file = join(work, "fixtures.json");
  const fixtures = existsSync(file) ? readFixtures(file) : makeUp();
  const product = fixtures.products[0]!;
  const secret = (name: string) => product.devices.find((device) => device.deviceName === name)?.deviceSecret;
  const [deviceSecret, ownSecret] = [secret(DEVICE), secret(OWN_DEVICE)];
  const accessKey = fixtures.accessKeys[0];
  if (deviceSecret === undefined || ownSecret === undefined || accessKey === undefined)
    throw new Error(`${file}: is not of this command: use another directory`);
  const { productKey } = product;
  const ownDevice = join(work, `${OWN_DEVICE}.json`);
  const accessKeyFile = join(work, "access-key.json");
  writeJson(file, fixtures);
  writeJson(ownDevice, { productKey, deviceName: OWN_DEVICE, deviceSecret: ownSecret, version: "1.0.0" });
  writeJson(accessKeyFile, { accessKeyId: accessKey.id, accessKeySecret: accessKey.secret });
  return {
    directory: work,
    fixtures,
    productKey,
    deviceName: DEVICE,
    deviceSecret,
    flash: join(work, `${DEVICE}.flash`),
    platform: join(work, "platform"),
    ownDevice,
    accessKeyFile,
    remove: () => {
      if (directory === undefined) rmSync(work, { recursive: true, force: true });
    },
  };
}

function makeUp(): Fixtures {
  const text = (bytes: number) => randomBytes(bytes).toString("hex");
  return {
    accessKeys: [{ id: `LTAI${text(8)}`, secret: text(15) }],
    products: [
      {
        productKey: `a1${text(5)}`,
        productSecret: text(8),
        dynamicRegistration: false,
        devices: [DEVICE, OWN_DEVICE].map((deviceName) => ({ deviceName, deviceSecret: text(16) })),
      },
    ],
  };
}

function readFixtures(file: string): Fixtures {
  let document: unknown;
  try {
    document = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    // The parser's message may quote a secret.
    throw new Error(`${file}: cannot be read as JSON: use another directory`);
  }
  const fixtures = checkFixtures(document as Fixtures, file);
  if (fixtures.products.length === 0) throw new Error(`${file}: has no product: use another directory`);
  return fixtures;
}

function writeJson(file: string, document: unknown): void {
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`, { mode: 0o600 });
}
