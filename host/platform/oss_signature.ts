// Signatures of the object storage: POST policies and version 1 presigned URLs (HMAC-SHA1, Base64).

import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** The bucket all objects are in; it appears in the string to sign, not in the URL (virtual-hosted style). */
export const BUCKET = "iotx-ota";

/** The storage's own AccessKey pair, made on first start. */
export interface StorageKey {
  id: string;
  secret: string;
}

/** Load the pair from `file` (mode 0600), or make it. */
export function provideStorageKey(file: string): StorageKey {
  if (existsSync(file)) {
    const stored = JSON.parse(readFileSync(file, "utf8")) as StorageKey;
    if (typeof stored.id === "string" && typeof stored.secret === "string") return stored;
    throw new Error(`${file} is not an AccessKey pair: delete it, and the platform makes a new one`);
  }
  const key = { id: `STS.${randomBytes(12).toString("hex")}`, secret: randomBytes(24).toString("base64url") };
  writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
  return key;
}

/** Base64(HMAC-SHA1(secret, text)). */
export function sign(secret: string, text: string): string {
  return createHmac("sha1", secret).update(text).digest("base64");
}

/** Compare two signatures in constant time for equal lengths. */
export function sameSignature(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** What a V1 URL signature covers. */
export interface SignedRequest {
  method: string;
  contentMd5?: string;
  contentType?: string;
  /** Seconds since 1970, as written in the URL. */
  expires: string;
  /** Object key, decoded. */
  key: string;
  /** Subresources that take part, e.g. security-token, as `name=value`, decoded. */
  subresources: string[];
}

/** VERB, Content-MD5, Content-Type, Expires, canonicalized resource. */
export function stringToSign(request: SignedRequest): string {
  const query = request.subresources.length > 0 ? `?${request.subresources.sort().join("&")}` : "";
  const head = [request.method, request.contentMd5 ?? "", request.contentType ?? "", request.expires].join("\n");
  return `${head}\n/${BUCKET}/${request.key}${query}`;
}

/**
 * Make a presigned URL for GET.
 *
 * base     origin of the storage, without a slash at the end.
 * expires  seconds since 1970.
 */
export function presign(base: string, key: string, expires: number, storageKey: StorageKey): string {
  // Real tokens are Base64 with + and /: clients must pass the encoded text on unchanged.
  const token = `CAIS+/${randomBytes(48).toString("base64")}`;
  const text = stringToSign({
    method: "GET",
    expires: String(expires),
    key,
    subresources: [`security-token=${token}`],
  });
  const query = new URLSearchParams({
    Expires: String(expires),
    OSSAccessKeyId: storageKey.id,
    Signature: sign(storageKey.secret, text),
    "security-token": token,
  });
  return `${base}/${key.split("/").map(encodeURIComponent).join("/")}?${query}`;
}

/** A signed permission to upload one object. */
export interface UploadForm {
  policy: string;
  signature: string;
  accessKeyId: string;
}

/** Sign a policy for exactly this key, valid until `expiration` (ms since 1970). */
export function signUpload(key: string, expiration: number, maxBytes: number, storageKey: StorageKey): UploadForm {
  const document = {
    expiration: new Date(expiration).toISOString(),
    conditions: [
      ["content-length-range", 0, maxBytes],
      ["eq", "$key", key],
    ],
  };
  const policy = Buffer.from(JSON.stringify(document)).toString("base64");
  return { policy, signature: sign(storageKey.secret, policy), accessKeyId: storageKey.id };
}
