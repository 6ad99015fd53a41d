// CoAP sessions in symmetric mode: who has which token, the key that goes with it, the sequence numbers it has used.

import { createCipheriv, createDecipheriv, createHash, randomBytes, randomInt } from "node:crypto";
import { digestMatches, isSignMethod, MAX_CLIENT_ID, signContent } from "./auth.js";
import { type Device, deviceKey, type Registry } from "./registry.js";

/** The platform's fixed initialisation vector. */
const IV = Buffer.from("543yhjy97ae7fyfg", "ascii");
/** A token is good for this long, ms: 7 days, as the other tokens of this platform. */
const TOKEN_MS = 7 * 86_400_000;
/** Sequence numbers one token may use; after that the device signs in again, so that the memory of them is bounded. */
const MAX_SEQUENCES = 65_536;
/** Tokens of one device that are good at a time: a device whose answer was lost signs in again. */
const MAX_TOKENS = 4;

/** Members of the request that are not signed. */
const UNSIGNED = new Set(["version", "sign", "resources", "signmethod"]);

/** What /auth refuses with. */
export type AuthRefusal = { code: "4.00" | "4.01" | "4.03"; reason: string };

/** One token's session. */
export class CoapSession {
  readonly token = `${randomBytes(22).toString("base64url")}.${randomBytes(2).toString("hex")}`;
  readonly random = randomBytes(8).toString("hex");
  readonly seqOffset = randomInt(1, 10_000);
  readonly #key: Buffer;
  readonly #used = new Set<number>();

  /**
   * @param separate responses follow an empty acknowledgement (ackMode 1)
   * @param endsMs when the token ends, milliseconds since 1970
   */
  constructor(
    readonly device: Device,
    readonly separate: boolean,
    readonly endsMs: number,
  ) {
    this.#key = createHash("sha256").update(`${device.deviceSecret},${this.random}`).digest().subarray(8, 24);
  }

  /** Whether every sequence number it may have is used. */
  get exhausted(): boolean {
    return this.#used.size >= MAX_SEQUENCES;
  }

  encrypt(plain: Buffer): Buffer {
    const cipher = createCipheriv("aes-128-cbc", this.#key, IV);
    return Buffer.concat([cipher.update(plain), cipher.final()]);
  }

  /** @returns undefined when it was not encrypted with this key, as far as the padding tells */
  decrypt(bytes: Buffer): Buffer | undefined {
    try {
      const decipher = createDecipheriv("aes-128-cbc", this.#key, IV);
      return Buffer.concat([decipher.update(bytes), decipher.final()]);
    } catch {
      return undefined;
    }
  }

  /** The number in option 2089; undefined when it is none, below the offset, or used before. */
  sequence(encrypted: Buffer): number | undefined {
    const text = this.decrypt(encrypted)?.toString("latin1") ?? "";
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    return value >= this.seqOffset && !this.#used.has(value) ? value : undefined;
  }

  /** Spend a sequence number. */
  use(sequence: number): void {
    this.#used.add(sequence);
  }
}

/** All sessions, by token. */
export class CoapSessions {
  readonly #byToken = new Map<string, CoapSession>();
  readonly #byDevice = new Map<string, CoapSession[]>();

  constructor(
    private readonly registry: Registry,
    private readonly clock: () => number,
  ) {}

  /** The session of a token; undefined: there is none (any more). */
  find(token: string): CoapSession | undefined {
    const session = this.#byToken.get(token);
    if (session === undefined || (this.clock() < session.endsMs && !session.exhausted)) return session;
    this.#byToken.delete(token);
    return undefined;
  }

  /** Decide on an /auth. @param fields the body's members, all of them text */
  signIn(fields: Record<string, string>): CoapSession | AuthRefusal {
    const { productKey, deviceName, clientId, sign, ackMode = "0" } = fields;
    const method = (fields.signmethod ?? "hmacmd5").toLowerCase();
    if (!productKey || !deviceName || !clientId || !sign)
      return { code: "4.00", reason: "productKey, deviceName, clientId and sign are required" };
    if (clientId.length > MAX_CLIENT_ID)
      return { code: "4.00", reason: `clientId must have 1-${MAX_CLIENT_ID} characters` };
    if (!isSignMethod(method)) return { code: "4.00", reason: "signmethod must be hmacmd5, hmacsha1 or hmacsha256" };
    if (ackMode !== "0" && ackMode !== "1") return { code: "4.00", reason: "ackMode must be 0 or 1" };
    const device = this.registry.device(productKey, deviceName);
    const submitted = Object.fromEntries(Object.entries(fields).filter(([name]) => !UNSIGNED.has(name)));
    // An unknown device costs the same work as a known one.
    const digest = signContent(method, device?.deviceSecret ?? "unknown", submitted);
    const matches = digestMatches(digest, sign);
    if (device === undefined) return { code: "4.01", reason: "unknown device" };
    if (!matches) return { code: "4.01", reason: "the signature does not match" };
    if (device.disabled) return { code: "4.03", reason: "the device is disabled" };
    return this.#begin(device, ackMode === "1");
  }

  #begin(device: Device, separate: boolean): CoapSession {
    const session = new CoapSession(device, separate, this.clock() + TOKEN_MS);
    const sessions = this.#byDevice.get(deviceKey(device)) ?? [];
    sessions.push(session);
    for (const old of sessions.splice(0, sessions.length - MAX_TOKENS)) this.#byToken.delete(old.token);
    this.#byDevice.set(deviceKey(device), sessions);
    this.#byToken.set(session.token, session);
    return session;
  }
}
