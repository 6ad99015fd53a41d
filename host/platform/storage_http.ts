// The object storage over HTTP: PostObject, and GET/HEAD of presigned URLs with ranges.
// Bodies are streamed both ways; errors are the storage's XML documents.

import { randomUUID } from "node:crypto";
import multipart from "@fastify/multipart";
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from "fastify";
import type { Log } from "./events.js";
import type { Faults } from "./faults.js";
import { MAX_OBJECT, type ObjectInfo, type ObjectStore, TooLarge } from "./objects.js";
import { BUCKET, type StorageKey, sameSignature, sign, stringToSign } from "./oss_signature.js";
import { checkPolicy, type LengthRange, StorageError } from "./post_policy.js";
import { streamBody } from "./storage_body.js";
import { xmlDocument } from "./xml.js";

/** What the storage needs of the platform. */
export interface StorageContext {
  objects: ObjectStore;
  storageKey: StorageKey;
  /** The faults of a job, and of the platform; "" = of the platform alone. */
  faultsOf(jobId: string): Faults;
  clock: () => number;
  log: Log;
}

/** Name of the query parameter that says which job's faults a download has. */
export const FAULTS_OF_JOB = "x-faults-of-job";

/** Bounds of an upload form: fields before the file, bytes of one field (a policy is a few hundred). */
const FORM = { fields: 32, fieldBytes: 64 * 1024 };

/** Options of a server for the storage: what the router refuses gets the storage's XML, too. */
export function storageServer(context: StorageContext): Pick<FastifyServerOptions, "frameworkErrors"> {
  return {
    frameworkErrors: (_error, _request, reply) =>
      sendError(reply, new StorageError(400, "InvalidObjectName", "The specified object is not valid."), context),
  };
}

/** Register PostObject at `/` and object reads at `/*`. */
export async function registerStorage(app: FastifyInstance, context: StorageContext): Promise<void> {
  await app.register(multipart, {
    limits: { files: 1, fields: FORM.fields, fieldSize: FORM.fieldBytes, fileSize: MAX_OBJECT + 1, parts: 40 },
  });
  app.post("/", (request, reply) => postObject(request, reply, context));
  app.route({ method: ["GET", "HEAD"], url: "/*", handler: (request, reply) => getObject(request, reply, context) });
  app.setNotFoundHandler((request, reply) => {
    sendError(reply, new StorageError(405, "MethodNotAllowed", `${request.method} is not allowed here.`), context);
  });
  app.setErrorHandler((error, _request, reply) => {
    sendError(reply, storageError(error as Error), context);
  });
}

/** Faults of this machine's disk, not of the request. */
const DISK = new Set(["ENOSPC", "EDQUOT", "EACCES", "EROFS", "EIO", "ENOENT", "EMFILE"]);

function storageError(error: Error & { statusCode?: number; code?: string }): StorageError {
  if (error instanceof StorageError) return error;
  if (error instanceof TooLarge) {
    return new StorageError(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size.", {
      MaxSizeAllowed: String(error.limit),
    });
  }
  if (DISK.has(error.code ?? "")) {
    return new StorageError(500, "InternalError", `The object could not be stored: ${error.code}.`);
  }
  if (error.statusCode !== undefined && error.statusCode < 500) {
    return new StorageError(400, "MalformedPOSTRequest", error.message);
  }
  return new StorageError(400, "IncompleteBody", "The request body could not be read.");
}

function sendError(reply: FastifyReply, error: StorageError, context: StorageContext): void {
  context.log(`storage: ${error.status} ${error.code}: ${error.message.slice(0, 200)}`);
  const requestId = randomUUID().replaceAll("-", "").slice(0, 24).toUpperCase();
  const body = xmlDocument("Error", {
    Code: error.code,
    Message: error.message,
    RequestId: requestId,
    HostId: reply.request.hostname,
    ...error.details,
  });
  reply
    .code(error.status)
    .header("x-oss-request-id", requestId)
    .header("connection", "close")
    .type("application/xml")
    .send(reply.request.method === "HEAD" ? undefined : body);
}

async function postObject(request: FastifyRequest, reply: FastifyReply, context: StorageContext): Promise<void> {
  if (!request.isMultipart()) {
    throw new StorageError(400, "MalformedPOSTRequest", "PostObject takes multipart/form-data.");
  }
  const fields = new Map<string, string>();
  let stored: ObjectInfo | undefined;
  for await (const part of request.parts()) {
    if (part.type === "field") {
      if (part.valueTruncated) throw new StorageError(400, "MalformedPOSTRequest", "A form field is too long.");
      fields.set(part.fieldname.toLowerCase(), String(part.value));
    } else if (part.fieldname === "file" && stored === undefined) {
      try {
        const range = authorizeUpload(fields, context);
        const check = ({ size }: ObjectInfo) => checkLength(size, range);
        stored = await context.objects.put(fields.get("key")!, part.file, Math.min(range.max, MAX_OBJECT), check);
      } catch (error) {
        // The rest is read and dropped: a client that is still sending must be able to read the answer.
        part.file.resume();
        throw error;
      }
    } else part.file.resume();
  }
  if (stored === undefined) {
    throw new StorageError(400, "IncorrectNumberOfFilesInPOSTRequest", "PostObject takes exactly one file, last.");
  }
  context.log(`storage: stored ${stored.key}, ${stored.size} bytes`);
  sendStored(reply, stored, fields.get("success_action_status"));
}

function sendStored(reply: FastifyReply, stored: ObjectInfo, wanted: string | undefined): void {
  const status = wanted === "200" || wanted === "201" ? Number(wanted) : 204;
  const etag = `"${stored.md5.toUpperCase()}"`;
  reply.code(status).header("ETag", etag);
  if (status !== 201) return void reply.send();
  reply.type("application/xml").send(xmlDocument("PostResponse", { Bucket: BUCKET, Key: stored.key, ETag: etag }));
}

function checkLength(size: number, range: LengthRange): void {
  if (size < range.min) {
    throw new StorageError(400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size.");
  }
}

/** All of key, OSSAccessKeyId, policy and signature, and each right; returns the size bounds. */
function authorizeUpload(fields: Map<string, string>, { storageKey, clock }: StorageContext): LengthRange {
  const field = (name: string) => fields.get(name) ?? "";
  if (field("key") === "") throw new StorageError(400, "MalformedPOSTRequest", "The field key is missing.");
  const [id, policy, signature] = [field("ossaccesskeyid"), field("policy"), field("signature")];
  if (id === "" || policy === "" || signature === "") {
    throw new StorageError(403, "AccessDenied", "OSSAccessKeyId, policy and signature must come together.");
  }
  checkKeyId(id, storageKey);
  if (!sameSignature(sign(storageKey.secret, policy), signature)) throw mismatch(id, signature, policy);
  return checkPolicy(policy, fields, clock(), MAX_OBJECT);
}

function checkKeyId(id: string, storageKey: StorageKey): void {
  if (id === storageKey.id) return;
  const message = "The OSS Access Key Id you provided does not exist in our records.";
  throw new StorageError(403, "InvalidAccessKeyId", message, { OSSAccessKeyId: id });
}

function mismatch(id: string, signature: string, text: string): StorageError {
  const message = "The request signature we calculated does not match the signature you provided.";
  return new StorageError(403, "SignatureDoesNotMatch", `${message} Check your key and signing method.`, {
    OSSAccessKeyId: id,
    SignatureProvided: signature,
    StringToSign: text,
    StringToSignBytes: Buffer.from(text).toString("hex").toUpperCase().match(/../g)?.join(" ") ?? "",
  });
}

async function getObject(request: FastifyRequest, reply: FastifyReply, context: StorageContext): Promise<void> {
  const url = new URL(request.raw.url ?? "/", "http://storage.invalid");
  const key = decodeKey(url.pathname.slice(1));
  authorizeDownload(request, url.searchParams, key, context);
  const info = context.objects.stat(key);
  if (info === undefined) {
    throw new StorageError(404, "NoSuchKey", "The specified key does not exist.", { Key: key });
  }
  sendObject(request, reply, info, context, context.faultsOf(url.searchParams.get(FAULTS_OF_JOB) ?? ""));
}

function decodeKey(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new StorageError(400, "InvalidObjectName", "The specified object is not valid.");
  }
}

function authorizeDownload(
  { method, headers }: FastifyRequest,
  query: URLSearchParams,
  key: string,
  { storageKey, clock }: StorageContext,
): void {
  const [expires, id, signature] = ["Expires", "OSSAccessKeyId", "Signature"].map((name) => query.get(name) ?? "");
  if (!expires || !id || !signature) {
    throw new StorageError(403, "AccessDenied", "You have no right to access this object because of bucket acl.");
  }
  checkKeyId(id, storageKey);
  if (!/^\d{1,12}$/.test(expires) || clock() > Number(expires) * 1000) {
    throw new StorageError(403, "AccessDenied", "Request has expired.", {
      Expires: /^\d{1,12}$/.test(expires) ? new Date(Number(expires) * 1000).toISOString() : expires.slice(0, 64),
      ServerTime: new Date(clock()).toISOString(),
    });
  }
  const token = query.get("security-token");
  const covered = {
    contentMd5: String(headers["content-md5"] ?? ""),
    contentType: headers["content-type"] ?? "",
    expires,
    key,
    subresources: token === null ? [] : [`security-token=${token}`],
  };
  const text = stringToSign({ method, ...covered });
  // A URL signed for GET may be asked for its head, too.
  const asGet = stringToSign({ method: "GET", ...covered });
  const fits = [text, asGet].some((candidate) => sameSignature(sign(storageKey.secret, candidate), signature));
  if (!fits) throw mismatch(id, signature, text);
}

/** One byte range (RFC 9110 §14.1.2). undefined = serve all; "unsatisfiable" = 416. */
export function parseRange(header: string | undefined, size: number) {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return undefined;
  const [first, last] = [match[1], match[2]] as [string, string];
  if (first === "") {
    if (Number(last) === 0 || size === 0) return "unsatisfiable";
    return { start: Math.max(0, size - Number(last)), end: size - 1 };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return undefined;
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size - 1 : Math.min(Number(last), size - 1) };
}

function sendObject(
  request: FastifyRequest,
  reply: FastifyReply,
  info: ObjectInfo,
  context: StorageContext,
  faults: Faults,
): void {
  const etag = `"${info.md5.toUpperCase()}"`;
  const ifRange = request.headers["if-range"];
  const stale = ifRange !== undefined && ifRange !== etag;
  const range = faults.ignoreRange || stale ? undefined : parseRange(request.headers.range, info.size);
  const extra = faults.longBody ?? 0;
  const total = info.size + extra;
  if (range === "unsatisfiable") {
    reply.header("Content-Range", `bytes */${total}`);
    throw new StorageError(416, "InvalidRange", "The requested range cannot be satisfied.", {
      ActualObjectSize: String(total),
      RangeRequested: String(request.headers.range),
    });
  }
  const { start, end } = range ?? { start: 0, end: info.size - 1 };
  const length = end - start + 1 + (end === info.size - 1 ? extra : 0);
  const headers: Record<string, string | number> = {
    "Content-Type": "application/octet-stream",
    "Content-Length": length,
    "Accept-Ranges": "bytes",
    ETag: etag,
    "Last-Modified": new Date(info.lastModified).toUTCString(),
    "x-oss-request-id": randomUUID().replaceAll("-", "").slice(0, 24).toUpperCase(),
    "x-oss-object-type": "Normal",
  };
  if (range !== undefined) headers["Content-Range"] = `bytes ${start}-${start + length - 1}/${total}`;
  reply.hijack();
  reply.raw.writeHead(range === undefined ? 200 : 206, headers);
  if (request.method === "HEAD") return void reply.raw.end();
  streamBody(reply, info, { start, end, extra: length - (end - start + 1) }, context, faults);
}
