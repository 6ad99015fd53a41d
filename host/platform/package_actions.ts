// Cloud API actions on firmware packages: upload permission, create, list, query, delete.

import { randomBytes } from "node:crypto";
import { type Action, type Arrival, type Parameter, page, paging, utc, type Values } from "./cloud_action.js";
import { CloudError } from "./cloud_error.js";
import { MAX_OBJECT, type ObjectInfo, type ObjectStore } from "./objects.js";
import { type StorageKey, signUpload } from "./oss_signature.js";
import { MAX_PACKAGES, newId, type Package, type PackageFile, type SignMethod } from "./packages.js";
import type { Registry } from "./registry.js";

/** What the actions need of the platform. */
export interface PackageContext {
  registry: Registry;
  objects: ObjectStore;
  packages: Map<string, Package>;
  storageKey: StorageKey;
  /**
   * Origin of the object storage, without a slash at the end: over TLS or not as asked, the other one when that is
   * switched off.
   */
  storageBase: (encrypted: boolean) => string;
  /** A job uses this package and is not over. */
  inUse(packageId: string): boolean;
  changed(): void;
  clock: () => number;
}

/** How long an upload permission is valid, and how long an object waits for its CreateOTAFirmware. */
export const UPLOAD_VALID = 60_000;
export const OBJECT_WAITS = 60 * 60_000;

const SUFFIXES = ["bin", "dav", "apk", "tar", "gz", "tar.gz", "zip", "gzip"] as const;
const VERSION = /^[A-Za-z0-9._-]+$/;

const fault = (code: string) => `iot.firmware.${code}`;
const fail = (code: string, message: string) => new CloudError(fault(code), message);

/** The table rows. */
export function packageActions(context: PackageContext): Record<string, Action> {
  return {
    GenerateOTAUploadURL: {
      parameters: {
        FileSuffix: { type: "text", values: SUFFIXES, code: fault("InvalidGenerateOTAUploadURLParam") },
      },
      handle: (values, arrival) => generateUpload(values, arrival, context),
    },
    CreateOTAFirmware: createFirmware(context),
    QueryOTAFirmware: {
      parameters: { FirmwareId: { type: "text", required: true } },
      handle: (values) => ({ FirmwareInfo: detail(packageOf(values, context), context) }),
    },
    ListOTAFirmware: {
      parameters: { ProductKey: { type: "text" }, DestVersion: { type: "text" }, ...paging(100) },
      handle: (values) => listFirmware(values, context),
    },
    DeleteOTAFirmware: {
      parameters: { FirmwareId: { type: "text", required: true } },
      handle: (values) => deleteFirmware(values, context),
    },
  };
}

/** The way up is the way the request came: who talks to the API in the clear need not know the platform's CA. */
function generateUpload(
  values: Values,
  { encrypted }: Arrival,
  { storageBase, storageKey, clock }: PackageContext,
): Record<string, unknown> {
  const host = storageBase(encrypted);
  const directory = randomBytes(16).toString("hex");
  const key = `ota/${directory}/${randomBytes(12).toString("hex")}.${values.text("FileSuffix", "bin")}`;
  const now = clock();
  const form = signUpload(key, now + UPLOAD_VALID, MAX_OBJECT, storageKey);
  return {
    Data: {
      Key: key,
      Host: host,
      Policy: form.policy,
      OSSAccessKeyId: form.accessKeyId,
      ObjectStorage: "OSS",
      UtcCreate: utc(now),
      Signature: form.signature,
      FirmwareUrl: `${host}/${key}`,
    },
  };
}

/** What a package may say about itself. */
const FIRMWARE: Record<string, Parameter> = {
  DestVersion: {
    type: "text",
    required: true,
    min: 1,
    max: 64,
    pattern: VERSION,
    code: fault("IncorrectFormattedFirmwareVersion"),
  },
  FirmwareName: {
    type: "text",
    required: true,
    max: 40,
    pattern: /^[A-Za-z0-9][A-Za-z0-9\-_()]*$/,
    code: fault("IncorrectFormattedFirmwareName"),
  },
  FirmwareUrl: { type: "text", max: 1024, code: fault("InvalidFirmwareUrl") },
  FirmwareSign: { type: "text", pattern: /^[0-9A-Fa-f]{32,64}$/, code: fault("InvalidFirmwareSign") },
  SignMethod: { type: "text", values: ["MD5", "SHA256"], code: fault("InvalidFirmwareSignMethod") },
  FirmwareSize: { type: "integer", min: 1, max: MAX_OBJECT, code: fault("InvalidFirmwareSize") },
  ProductKey: { type: "text" },
  FirmwareDesc: { type: "text", max: 100, code: fault("FirmwareDescriptionExceedMaxLength") },
  Type: { type: "integer", min: 0, max: 1, code: fault("InvalidFirmwareType") },
  SrcVersion: { type: "text", max: 64, pattern: VERSION, code: fault("IncorrectFormattedSrcVersion") },
  ModuleName: {
    type: "text",
    max: 64,
    pattern: /^[A-Za-z0-9._-]+$/,
    code: fault("IncorrectFormattedModuleName"),
  },
  NeedToVerify: { type: "boolean" },
  Udi: { type: "text", max: 4096, code: fault("ParameterSizeExceedMax") },
  MultiFiles: { type: "structs", max: 20, code: fault("ParameterSizeExceedMax") },
};

function createFirmware(context: PackageContext): Action {
  return {
    parameters: FIRMWARE,
    handle: (values) => {
      const created = buildPackage(values, context);
      context.packages.set(created.id, created);
      context.changed();
      return { Data: { FirmwareId: created.id, UtcCreate: utc(created.created) } };
    },
  };
}

function buildPackage(values: Values, context: PackageContext): Package {
  const { packages, registry, clock } = context;
  const [name, destVersion] = [values.text("FirmwareName"), values.text("DestVersion")];
  const productKey = values.text("ProductKey");
  const module = values.text("ModuleName", "default");
  if (packages.size >= MAX_PACKAGES) throw fail("FirmwareCountExceedMax", `there are ${MAX_PACKAGES} packages already`);
  if (productKey !== "" && !registry.products.has(productKey)) throw fail("InvalidProductKey", "no such product");
  for (const other of packages.values()) {
    if (other.name === name) throw fail("AlreadyExistedFirmwareName", `a package named ${name} exists`);
    if (other.productKey === productKey && other.module === module && sameUpgrade(other, values)) {
      throw fail("AlreadyExistedFirmwareVersion", `a package to version ${destVersion} exists`);
    }
  }
  const type = (values.integer("Type") ?? 0) as 0 | 1;
  const srcVersion = values.text("SrcVersion");
  if (type === 1 && srcVersion === "") throw fail("SrcVersionIsMandatory", "a difference package needs SrcVersion");
  if (type === 1 && srcVersion === destVersion) throw fail("SrcDestVersionMatched", "SrcVersion equals DestVersion");
  const signMethod = values.text("SignMethod", "MD5") as SignMethod;
  const multiple = values.structs("MultiFiles").length > 0;
  const needToVerify = values.flag("NeedToVerify", true);
  return {
    id: newId(),
    name,
    desc: values.text("FirmwareDesc"),
    productKey,
    module,
    srcVersion,
    destVersion,
    signMethod,
    type,
    udi: values.text("Udi"),
    needToVerify,
    status: 0,
    multiple,
    files: multiple ? multiFiles(values, signMethod, context) : [singleFile(values, signMethod, context)],
    created: clock(),
    modified: clock(),
  };
}

function sameUpgrade(other: Package, values: Values): boolean {
  return other.destVersion === values.text("DestVersion") && other.srcVersion === values.text("SrcVersion");
}

function singleFile(values: Values, signMethod: SignMethod, context: PackageContext): PackageFile {
  const url = values.text("FirmwareUrl");
  if (url === "") throw fail("NullFirmwareUrl", "FirmwareUrl is missing");
  const object = objectOf(url, context);
  const size = values.integer("FirmwareSize") ?? object.size;
  const sign = values.text("FirmwareSign", digestOf(object, signMethod));
  checkAgainst(object, size, sign, signMethod);
  return { name: "", key: object.key, size, sign, md5: object.md5 };
}

function multiFiles(values: Values, signMethod: SignMethod, context: PackageContext): PackageFile[] {
  const names = new Set<string>();
  return values.structs("MultiFiles").map(({ Name = "", Url = "", Size, SignValue, FileMd5 }, index) => {
    const path = `MultiFiles.${index + 1}`;
    if (Name.length < 1 || Name.length > 32 || names.has(Name)) {
      throw fail("ParameterSizeExceedMax", `${path}.Name must have 1-32 characters and not repeat`);
    }
    names.add(Name);
    if (Url === "") throw fail("NullFirmwareUrl", `${path}.Url is missing`);
    const object = objectOf(Url, context);
    const size = Size === undefined ? object.size : Number(Size);
    const sign = SignValue ?? digestOf(object, signMethod);
    checkAgainst(object, size, sign, signMethod);
    if (FileMd5 !== undefined && FileMd5.toLowerCase() !== object.md5) {
      throw fail("InvalidFirmwareSign", `${path}.FileMd5 does not match the file`);
    }
    return { name: Name, key: object.key, size, sign, md5: object.md5 };
  });
}

function digestOf(object: ObjectInfo, signMethod: SignMethod): string {
  return signMethod === "MD5" ? object.md5 : object.sha256;
}

function checkAgainst(object: ObjectInfo, size: number, sign: string, signMethod: SignMethod): void {
  if (object.size === 0) throw fail("EmptyFirmwareFile", "the file is empty");
  if (size !== object.size) throw fail("InvalidFirmwareSize", `the stored file has ${object.size} bytes`);
  if (sign.toLowerCase() !== digestOf(object, signMethod)) {
    throw fail("InvalidFirmwareSign", `the signature is not the ${signMethod} of the stored file`);
  }
}

function objectOf(url: string, { objects, storageBase }: PackageContext): ObjectInfo {
  if (!URL.canParse(url)) throw fail("MalformedFirmwareUrl", "FirmwareUrl is not a URL");
  const { origin, pathname } = new URL(url);
  const stored = [true, false].some((encrypted) => new URL(storageBase(encrypted)).origin === origin);
  const object = stored ? objects.stat(keyOf(pathname)) : undefined;
  if (object === undefined) {
    throw fail("InvalidFirmwareUrl", "no file is stored at FirmwareUrl: upload it where GenerateOTAUploadURL says");
  }
  return object;
}

function keyOf(pathname: string): string {
  try {
    return decodeURIComponent(pathname.slice(1));
  } catch {
    throw fail("MalformedFirmwareUrl", "FirmwareUrl has a wrong percent-encoding");
  }
}

/** The package named by FirmwareId. Throws iot.firmware.FirmwareNotFound. */
export function packageOf(values: Values, { packages }: Pick<PackageContext, "packages">): Package {
  const found = packages.get(values.text("FirmwareId"));
  if (found === undefined) throw fail("FirmwareNotFound", "no package has this FirmwareId");
  return found;
}

function summary(pkg: Package, { registry }: PackageContext): Record<string, unknown> {
  const product = registry.products.get(pkg.productKey);
  return {
    FirmwareId: pkg.id,
    FirmwareName: pkg.name,
    FirmwareDesc: pkg.desc,
    FirmwareSign: pkg.multiple ? undefined : pkg.files[0]!.sign,
    FirmwareSize: pkg.files.reduce((sum, { size }) => sum + size, 0),
    SignMethod: pkg.signMethod,
    SrcVersion: pkg.srcVersion,
    DestVersion: pkg.destVersion,
    ModuleName: pkg.module,
    ProductKey: pkg.productKey,
    ProductName: product?.productKey,
    Status: pkg.status,
    Type: pkg.type,
    UtcCreate: utc(pkg.created),
    UtcModified: utc(pkg.modified),
  };
}

function detail(pkg: Package, context: PackageContext): Record<string, unknown> {
  const urlOf = (key: string) => `${context.storageBase(true)}/${key}`;
  return {
    ...summary(pkg, context),
    FirmwareUrl: pkg.multiple ? undefined : urlOf(pkg.files[0]!.key),
    Udi: pkg.udi,
    VerifyProgress: pkg.status === 1 ? 100 : 0,
    MultiFiles: pkg.multiple
      ? {
          MultiFiles: pkg.files.map(({ name, size, key, sign, md5 }) => ({
            Name: name,
            Size: size,
            Url: urlOf(key),
            SignValue: sign,
            FileMd5: md5,
          })),
        }
      : undefined,
  };
}

function listFirmware(values: Values, context: PackageContext): Record<string, unknown> {
  const [productKey, version] = [values.text("ProductKey"), values.text("DestVersion")];
  const found = [...context.packages.values()]
    .filter((pkg) => (!productKey || pkg.productKey === productKey) && (!version || pkg.destVersion === version))
    .reverse();
  const { items, paging: counts } = page(found, values);
  return { ...counts, FirmwareInfo: { SimpleFirmwareInfo: items.map((pkg) => summary(pkg, context)) } };
}

async function deleteFirmware(values: Values, context: PackageContext): Promise<Record<string, unknown>> {
  const pkg = packageOf(values, context);
  if (context.inUse(pkg.id)) throw fail("InvalidFirmwareId", "a job uses this package: cancel the job first");
  context.packages.delete(pkg.id);
  context.changed();
  const keysInUse = new Set([...context.packages.values()].flatMap(({ files }) => files.map(({ key }) => key)));
  for (const { key } of pkg.files) if (!keysInUse.has(key)) await context.objects.delete(key);
  return {};
}
