// Firmware packages: what CreateOTAFirmware made, and the data an upgrade push announces for one.

import { randomBytes } from "node:crypto";
import type { Faults } from "./faults.js";

/** Digest a device verifies a file with. */
export type SignMethod = "MD5" | "SHA256";

/** One file of a package. Digests are hexadecimal as given, lower case when the platform computed them. */
export interface PackageFile {
  name: string;
  /** Object key. */
  key: string;
  /** Bytes. */
  size: number;
  sign: string;
  md5: string;
}

/** Package status: 0 unverified, 1 verified, 2 being verified, 3 verification failed. */
export type PackageStatus = 0 | 1 | 2 | 3;

/** One package. Times are milliseconds since 1970. */
export interface Package {
  id: string;
  name: string;
  desc: string;
  /** "" when the package belongs to no product. */
  productKey: string;
  module: string;
  srcVersion: string;
  destVersion: string;
  signMethod: SignMethod;
  /** 0 full, 1 difference to srcVersion. */
  type: 0 | 1;
  udi: string;
  needToVerify: boolean;
  status: PackageStatus;
  multiple: boolean;
  files: PackageFile[];
  created: number;
  modified: number;
}

/** Packages one platform holds. */
export const MAX_PACKAGES = 500;

/** A new identifier, 24 letters and digits. */
export function newId(): string {
  return randomBytes(32)
    .toString("base64")
    .replace(/[^A-Za-z0-9]/g, "")
    .slice(0, 24)
    .padEnd(24, "0");
}

/**
 * The `data` of an upgrade push or of a firmware/get reply.
 *
 * tags      job tags, sent as flat strings in extData.
 * download  makes the URL of an object.
 */
export function offerData(
  pkg: Package,
  tags: { key: string; value: string }[],
  download: (key: string) => string,
  faults: Faults,
): Record<string, unknown> {
  const broken = (digest: string) =>
    faults.wrongDigest ? `${digest.slice(0, -1)}${digest.endsWith("0") ? "1" : "0"}` : digest;
  const size = (bytes: number) => bytes + (faults.wrongSize ?? 0);
  const data: Record<string, unknown> = {};
  const file = pkg.files[0]!;
  if (pkg.multiple) {
    data.files = pkg.files.map(({ name, key, size: bytes, sign, md5 }) => ({
      fileSize: size(bytes),
      fileName: name,
      fileUrl: download(key),
      fileMd5: broken(md5),
      fileSign: broken(sign),
    }));
  } else {
    data.size = size(file.size);
    data.sign = broken(file.sign);
    if (pkg.signMethod === "MD5") data.md5 = broken(file.sign);
    data.url = download(file.key);
  }
  data.version = pkg.destVersion;
  // Deployed C clients know "Md5" and "SHA256", nothing else.
  data.signMethod = pkg.signMethod === "MD5" ? "Md5" : "SHA256";
  if (pkg.module !== "default") data.module = pkg.module;
  if (pkg.type === 1) data.isDiff = 1;
  const extData: Record<string, string> = Object.fromEntries(tags.map(({ key, value }) => [key, value]));
  if (pkg.udi !== "") extData._package_udi = pkg.udi;
  if (Object.keys(extData).length > 0) data.extData = extData;
  return data;
}
