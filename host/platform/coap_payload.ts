// The two encodings of a CoAP payload, JSON and CBOR (RFC 8949), to and from values and JSON text.

import { decode, encode } from "cborg";
import { Format } from "./coap_message.js";
import { memberToken } from "./envelope.js";

/** What can be said in JSON, and nothing that a parser of it would stumble over. */
const STRICT = { allowUndefined: false, allowInfinity: false, allowNaN: false, allowBigInt: false } as const;

/** JSON text of a payload in CBOR; undefined when it is no CBOR, or has what JSON cannot say. */
export function jsonOfCbor(bytes: Buffer): string | undefined {
  try {
    return JSON.stringify(decode(bytes, { ...STRICT, rejectDuplicateMapKeys: true }));
  } catch {
    return undefined;
  }
}

/** The members of an object in either encoding, as text; undefined when it is no object of texts, numbers and booleans. */
export function textMembers(bytes: Buffer, format: number): Record<string, string> | undefined {
  const text = format === Format.Cbor ? jsonOfCbor(bytes) : bytes.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const members = Object.entries(value);
  if (members.some(([, member]) => !["string", "number", "boolean"].includes(typeof member))) return undefined;
  return Object.fromEntries(members.map(([name, member]) => [name, String(member)]));
}

/** JSON text in the encoding that a client accepts. */
export function encodeJson(text: string, format: number): Buffer {
  return Buffer.from(format === Format.Cbor ? encode(JSON.parse(text)) : text);
}

/** The documents' short form of a reply, `{"id","code","data"}`, when it is good news: every byte is on the air. */
export function shortReply(text: string): string {
  const reply = JSON.parse(text) as { code: number; data: unknown };
  if (reply.code !== 200) return text;
  return `{"id":${memberToken(text, "id")},"code":200,"data":${JSON.stringify(reply.data ?? {})}}`;
}
