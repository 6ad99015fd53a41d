// Version 1 of the cloud API's signatures (RPC style): HMAC-SHA1 over the sorted, percent-encoded parameters.

import { createHmac } from "node:crypto";

/** Percent-encode: unreserved A-Z a-z 0-9 - _ . ~ stay (RFC 3986 §2.3), all else as UTF-8 in upper-case hex. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** METHOD & %2F & encoded canonical query, from all parameters except Signature. */
export function rpcStringToSign(method: string, parameters: Map<string, string>): string {
  const pairs = [...parameters]
    .filter(([name]) => name !== "Signature")
    .map(([name, value]) => [Buffer.from(name), `${percentEncode(name)}=${percentEncode(value)}`] as const)
    .sort(([a], [b]) => Buffer.compare(a, b))
    .map(([, pair]) => pair);
  return `${method}&%2F&${percentEncode(pairs.join("&"))}`;
}

/** Base64(HMAC-SHA1(secret + "&", stringToSign)). */
export function rpcSignature(secret: string, stringToSign: string): string {
  return createHmac("sha1", `${secret}&`).update(stringToSign).digest("base64");
}
