// A client of the cloud API (RPC style, signature version 1) and of the object storage's form upload.
// Written against the documents, not against the local platform: the two check each other.

import { createHash, createHmac, randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { oneLine } from "./output.js";

/** An AccessKey pair. */
export interface AccessKey {
  id: string;
  secret: string;
}

/** Where the API is and how to talk to it. */
export interface CloudEndpoint {
  /** http or https URL. */
  url: string;
  accessKey: AccessKey;
  /** PEM certificates to trust instead of the system's. */
  ca?: string;
}

const VERSION = "2018-01-20";
/** No byte in either direction for this long ends a request, ms. */
const IDLE = 60_000;
const MAX_ANSWER = 1024 * 1024;

interface Answer {
  status: number;
  body: string;
}

/** Send a request whose body `write` produces; resolves with the whole answer. */
function exchange(
  url: URL,
  method: string,
  headers: http.OutgoingHttpHeaders,
  ca: string | undefined,
  write: (request: http.ClientRequest) => Promise<void>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { method, headers, timeout: IDLE, ...(ca === undefined ? {} : { ca }) };
    const request = url.protocol === "https:" ? https.request(url, options) : http.request(url, options);
    const fail = (error: Error) => reject(explain(error, url));
    let answered = false;
    request.on("timeout", () => request.destroy(new Error(`no answer for ${IDLE / 1000} s`)));
    request.on("error", (error) => answered || fail(error));
    request.on("response", (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      let length = 0;
      response.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length > MAX_ANSWER) response.destroy(new Error(`the answer is longer than ${MAX_ANSWER} bytes`));
        else chunks.push(chunk);
      });
      response.on("error", fail);
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    // A server that refuses early answers while we still send: its answer counts, not our broken pipe.
    write(request).catch((error: Error) => {
      if (!request.destroyed && !answered) request.destroy(error);
    });
  });
}

function explain(error: NodeJS.ErrnoException, url: URL): Error {
  const reasons: Record<string, string> = {
    ECONNREFUSED: "nothing listens there",
    ENOTFOUND: "no such host",
    ECONNRESET: "the connection was cut",
    DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not trusted: name its CA with --ca FILE",
    SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not trusted: name its CA with --ca FILE",
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not trusted: name its CA with --ca FILE",
    UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is not trusted: name its CA with --ca FILE",
    ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  };
  return new Error(`${url.origin}: ${reasons[error.code ?? ""] ?? oneLine(error.message)}`);
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Sign `parameters` and return the form body. */
function signedForm(parameters: Record<string, string>, secret: string): string {
  const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const canonical = Object.keys(parameters)
    .sort(byBytes)
    .map((name) => `${encode(name)}=${encode(parameters[name]!)}`)
    .join("&");
  const text = `POST&${encode("/")}&${encode(canonical)}`;
  const signature = createHmac("sha1", `${secret}&`).update(text).digest("base64");
  return `${canonical}&Signature=${encode(signature)}`;
}

/** The cloud API understood the call and said no; nothing was done. */
export class ActionRefused extends Error {}

/** Codes of the gateway whose message does not say what to do. */
const REFUSALS: Record<string, string> = {
  SignatureDoesNotMatch: "the AccessKey secret is wrong",
  "InvalidAccessKeyId.NotFound": "the platform does not know the AccessKey ID",
};

/**
 * Call an action and return its answer.
 *
 * parameters  values as text; lists as Name.1, Name.2.
 *
 * Throws ActionRefused naming the action, the code and the message of a refusal, Error when there is no proper answer.
 */
export async function callAction(
  { url, accessKey, ca }: CloudEndpoint,
  action: string,
  parameters: Record<string, string>,
): Promise<Record<string, unknown>> {
  const form = signedForm(
    {
      ...parameters,
      Action: action,
      Format: "JSON",
      Version: VERSION,
      AccessKeyId: accessKey.id,
      SignatureMethod: "HMAC-SHA1",
      SignatureVersion: "1.0",
      SignatureNonce: randomUUID(),
      Timestamp: `${new Date().toISOString().slice(0, 19)}Z`,
    },
    accessKey.secret,
  );
  const headers = { "Content-Type": "application/x-www-form-urlencoded", "Content-Length": Buffer.byteLength(form) };
  const { status, body } = await exchange(new URL("/", url), "POST", headers, ca, async (request) => {
    request.end(form);
  });
  let answer: Record<string, unknown>;
  try {
    answer = JSON.parse(body) as Record<string, unknown>;
  } catch {
    throw new Error(`${action}: ${new URL(url).origin} answered ${status} without JSON: is it the cloud API?`);
  }
  if (status !== 200 || answer.Success !== true) {
    const code = String(answer.Code || status);
    const reason = REFUSALS[code] ?? oneLine(String(answer.ErrorMessage ?? answer.Message ?? "")).slice(0, 160);
    throw new ActionRefused(`${action}: ${code}: ${reason}`);
  }
  return answer;
}

/** What an upload returns: bytes sent and the digests of exactly those bytes, lower-case hexadecimal. */
export interface Uploaded {
  size: number;
  md5: string;
  sha256: string;
}

/**
 * PostObject: stream a file as the last part of a multipart form.
 *
 * url       the storage's host, e.g. https://bucket.example.
 * fields    form fields, in order, before the file.
 * onBytes   called with the number of the file's bytes that the connection has taken so far.
 *
 * Throws Error with the storage's code and message when it answers anything but 200.
 */
export async function postObject(
  url: string,
  fields: [name: string, value: string][],
  file: string,
  ca: string | undefined,
  onBytes: (done: number, total: number) => void,
): Promise<Uploaded> {
  const handle = await open(file, "r");
  try {
    const total = (await handle.stat()).size;
    const boundary = `----alink-agent-${randomUUID()}`;
    const head = Buffer.from(
      `${fields.map(([name, value]) => part(boundary, name, value)).join("")}--${boundary}\r\n` +
        'Content-Disposition: form-data; name="file"; filename="firmware"\r\n' +
        "Content-Type: application/octet-stream\r\n\r\n",
    );
    const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
    const headers = {
      "Content-Type": `multipart/form-data; boundary=${boundary}`,
      "Content-Length": head.length + total + tail.length,
    };
    const [md5, sha256] = [createHash("md5"), createHash("sha256")];
    const { status, body } = await exchange(new URL("/", url), "POST", headers, ca, async (request) => {
      request.write(head);
      let done = 0;
      // `end` bounds a file that grows meanwhile: the form's length is fixed.
      const content = handle.createReadStream({ autoClose: false, ...(total > 0 ? { start: 0, end: total - 1 } : {}) });
      await send(content, request, (chunk) => {
        md5.update(chunk);
        sha256.update(chunk);
        done += chunk.length;
        onBytes(done, total);
      });
      if (done !== total) throw new Error(`${file} changed while it was read`);
      request.end(tail);
    });
    if (status !== 200) throw new Error(`PostObject: ${storageReason(status, body)}`);
    return { size: total, md5: md5.digest("hex"), sha256: sha256.digest("hex") };
  } finally {
    await handle.close();
  }
}

/**
 * Hand a stream to a request chunk by chunk. `sent` is called when the connection has taken the chunk, so never before
 * it stands, its TLS handshake included.
 */
async function send(content: Readable, request: http.ClientRequest, sent: (chunk: Buffer) => void): Promise<void> {
  const gone = new AbortController();
  request.once("close", () => gone.abort());
  const sink = new Writable({
    write(chunk: Buffer, _encoding, next) {
      request.write(chunk, (error) => {
        if (!error) sent(chunk);
        next(error);
      });
    },
  });
  await pipeline(content, sink, { signal: gone.signal });
}

function part(boundary: string, name: string, value: string): string {
  return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
}

function storageReason(status: number, body: string): string {
  const member = (name: string) => new RegExp(`<${name}>([^<]{0,300})</${name}>`).exec(body)?.[1];
  return oneLine(`${member("Code") ?? status}: ${member("Message") ?? "no reason given"}`);
}
