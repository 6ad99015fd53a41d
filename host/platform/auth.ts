// MQTT CONNECT authentication with a device secret: client ID extension part, signed content, verdict.
// Dynamic registration (authType=register…) and X.509/ID² logins are not here yet: they are refused.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { Device, Registry } from "./registry.js";

/** What a CONNECT carries, reduced to what the decision needs. */
export interface Credentials {
  clientId: string;
  username: string;
  password: string;
  /** Seconds. */
  keepalive: number;
  /** The connection is encrypted. */
  tls: boolean;
}

/** Refused, with the CONNACK return code (MQTT 3.1.1 §3.2.2.3) and a reason for the log. */
export interface Refusal {
  returnCode: 2 | 4 | 5;
  reason: string;
}

/** Keep-alive bounds of the platform, seconds. */
export const KEEPALIVE = { min: 30, max: 1200 };

/** Longest plain client ID, characters. */
export const MAX_CLIENT_ID = 64;

const DIGESTS = new Map([
  ["hmacmd5", "md5"],
  ["hmacsha1", "sha1"],
  ["hmacsha256", "sha256"],
]);

/** @param method in lower case */
export function isSignMethod(method: string): boolean {
  return DIGESTS.has(method);
}

/**
 * Split `base|k1=v1,k2=v2|`. White space around items and a trailing comma are accepted, unknown keys are kept;
 * keys are compared in lower case (signmethod, signMethod). Returns undefined when there is no `|…|` part.
 */
export function parseClientId(clientId: string): { base: string; extension: Map<string, string> } | undefined {
  const start = clientId.indexOf("|");
  const end = clientId.lastIndexOf("|");
  if (start < 0 || end === start || clientId.slice(end + 1).trim() !== "") return undefined;
  const extension = new Map<string, string>();
  for (const item of clientId.slice(start + 1, end).split(",")) {
    const equals = item.indexOf("=");
    if (equals > 0) extension.set(item.slice(0, equals).trim().toLowerCase(), item.slice(equals + 1).trim());
  }
  return { base: clientId.slice(0, start), extension };
}

/**
 * Sign: every submitted key of `submitted` in ASCII order, key immediately followed by value, HMAC with `secret`.
 *
 * method  hmacmd5, hmacsha1 or hmacsha256. Returns the raw digest.
 */
export function signContent(method: string, secret: string, submitted: Record<string, string>): Buffer {
  const content = Object.keys(submitted)
    .sort()
    .map((key) => key + submitted[key])
    .join("");
  return createHmac(DIGESTS.get(method)!, secret).update(content).digest();
}

/** Compare hexadecimal text of either case with a digest, in constant time for equal lengths. */
export function digestMatches(digest: Buffer, hex: string): boolean {
  if (hex.length !== digest.length * 2) return false;
  return timingSafeEqual(Buffer.from(digest.toString("hex")), Buffer.from(hex.toLowerCase().padEnd(hex.length)));
}

function refuse(returnCode: Refusal["returnCode"], reason: string): Refusal {
  return { returnCode, reason };
}

/** Decide on a CONNECT. The reasons name no secret and no signature. */
export function authenticate(credentials: Credentials, registry: Registry): Device | Refusal {
  const parsed = parseClientId(credentials.clientId);
  if (parsed === undefined) return refuse(2, "the client ID has no |…| part");
  const { base, extension } = parsed;
  if (base.length === 0 || base.length > MAX_CLIENT_ID) return refuse(2, "the client ID must have 1-64 characters");
  const refusal = checkExtension(extension, credentials);
  if (refusal !== undefined) return refusal;

  const method = (extension.get("signmethod") || "hmacmd5").toLowerCase();
  if (!isSignMethod(method)) return refuse(2, "signmethod must be hmacmd5, hmacsha1 or hmacsha256");
  const at = credentials.username.lastIndexOf("&");
  if (at <= 0) return refuse(4, "the user name must be DeviceName&ProductKey");
  const deviceName = credentials.username.slice(0, at);
  const productKey = credentials.username.slice(at + 1);
  const device = registry.device(productKey, deviceName);
  const submitted: Record<string, string> = { clientId: base, deviceName, productKey };
  const timestamp = extension.get("timestamp");
  if (timestamp !== undefined) submitted.timestamp = timestamp;
  // An unknown device costs the same work as a known one.
  const digest = signContent(method, device?.deviceSecret ?? "unknown", submitted);
  const matches = digestMatches(digest, credentials.password);
  if (device === undefined) return refuse(4, "unknown device");
  if (!matches) return refuse(4, "the signature does not match");
  if (device.disabled) return refuse(5, "the device is disabled");
  return device;
}

function checkExtension(extension: Map<string, string>, { keepalive, tls }: Credentials): Refusal | undefined {
  const securemode = extension.get("securemode");
  if (securemode !== undefined && securemode !== "2" && securemode !== "3") {
    return refuse(2, "securemode must be 2 (TLS) or 3 (TCP): other logins do not exist on this platform");
  }
  if (securemode === "2" && !tls) return refuse(2, "securemode=2 over a connection without TLS");
  if (extension.has("authtype")) return refuse(2, "authType logins do not exist on this platform");
  if (keepalive < KEEPALIVE.min || keepalive > KEEPALIVE.max) {
    return refuse(2, `keep-alive ${keepalive} s is outside ${KEEPALIVE.min}-${KEEPALIVE.max} s`);
  }
  return undefined;
}
