// The cloud API's gateway: RPC requests as GET query or POST form, signature version 1, JSON or XML answers.

import { randomUUID } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Action, readParameters } from "./cloud_action.js";
import { CloudError, GatewayError } from "./cloud_error.js";
import type { Log } from "./events.js";
import { sameSignature } from "./oss_signature.js";
import type { Registry } from "./registry.js";
import { rpcSignature, rpcStringToSign } from "./rpc_signature.js";
import { xmlDocument } from "./xml.js";

/** What the gateway needs of the platform. */
export interface GatewayContext {
  registry: Registry;
  actions: ReadonlyMap<string, Action>;
  /** Keep on disk what an action changed, before its answer says so. Throws CloudError when that fails. */
  keep(): void;
  clock: () => number;
  log: Log;
}

const API_VERSION = "2018-01-20";
const WINDOW = 15 * 60_000;
/** Parameters of one request: 20 files of 5 members, 200 devices, tags and the common ones. */
const MAX_PARAMETERS = 400;
const MAX_NONCE = 128;
const COMMON = [
  "Version",
  "AccessKeyId",
  "Signature",
  "SignatureMethod",
  "SignatureVersion",
  "SignatureNonce",
  "Timestamp",
];

/** Register the gateway at `/`. */
export function registerGateway(app: FastifyInstance, context: GatewayContext): void {
  const nonces = new Map<string, number>();
  app.addContentTypeParser(
    "application/x-www-form-urlencoded",
    { parseAs: "string", bodyLimit: 1024 * 1024 },
    (_request, body, done) => done(null, body),
  );
  app.route({
    method: ["GET", "POST"],
    url: "/",
    handler: (request, reply) => serve(request, reply, context, nonces),
  });
  app.setNotFoundHandler((_request, reply) => {
    reply
      .code(404)
      .send({ RequestId: newRequestId(), Code: "InvalidAction.NotFound", Message: "use GET or POST at /" });
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 400;
    reply.code(status).send({ RequestId: newRequestId(), Code: "InvalidRequest", Message: error.message });
  });
}

function newRequestId(): string {
  return randomUUID().toUpperCase();
}

async function serve(
  request: FastifyRequest,
  reply: FastifyReply,
  context: GatewayContext,
  nonces: Map<string, number>,
): Promise<void> {
  const requestId = newRequestId();
  const parameters = collect(request);
  const name = parameters.get("Action") ?? "";
  const json = (parameters.get("Format") ?? "XML").toUpperCase() === "JSON";
  const send = (status: number, root: string, value: Record<string, unknown>) => {
    reply.code(status);
    if (json) reply.type("application/json; charset=utf-8").send(JSON.stringify(value));
    else reply.type("text/xml; charset=utf-8").send(xmlDocument(root, value));
  };
  try {
    const action = authorize(request.method, parameters, context, nonces);
    const arrival = { encrypted: request.protocol === "https" };
    const result = await action.handle(readParameters(action, parameters), arrival);
    context.keep();
    context.log(`api: ${name}: ok`);
    send(200, `${name}Response`, { RequestId: requestId, Success: true, Code: "", ...result });
  } catch (error) {
    context.log(`api: ${name.slice(0, 64)}: ${(error as Error).message.slice(0, 200)}`);
    if (error instanceof GatewayError) {
      const { status, code: Code, message: Message } = error;
      send(status, "Error", { RequestId: requestId, HostId: request.hostname, Code, Message });
    } else {
      const Code = error instanceof CloudError ? error.code : "iot.system.SystemException";
      const ErrorMessage = error instanceof CloudError ? error.message : "A system exception occurred.";
      send(200, `${name}Response`, { RequestId: requestId, Success: false, Code, ErrorMessage });
    }
  }
}

/** Query and form together, as the signature covers both. A repeated name keeps its last value. */
function collect(request: FastifyRequest): Map<string, string> {
  const at = (request.raw.url ?? "").indexOf("?");
  const query = at < 0 ? "" : request.raw.url!.slice(at + 1);
  const form = typeof request.body === "string" ? request.body : "";
  const parameters = new Map<string, string>();
  for (const text of [query, form]) {
    for (const [name, value] of new URLSearchParams(text)) {
      if (parameters.size < MAX_PARAMETERS) parameters.set(name, value);
    }
  }
  return parameters;
}

function authorize(
  method: string,
  parameters: Map<string, string>,
  { registry, actions, clock }: GatewayContext,
  nonces: Map<string, number>,
): Action {
  const name = parameters.get("Action");
  if (!name) throw new GatewayError(400, "MissingAction", "Action is mandatory for this action.");
  for (const common of COMMON) {
    // The documented samples of a dedicated platform send neither Version nor SignatureVersion.
    const optional = common === "Version" || common === "SignatureVersion";
    if (!optional && !parameters.get(common)) {
      throw new GatewayError(400, `Missing${common}`, `${common} is mandatory for this action.`);
    }
  }
  checkCommon(parameters, clock());
  const key = registry.accessKeys.get(parameters.get("AccessKeyId")!);
  if (key === undefined) {
    throw new GatewayError(404, "InvalidAccessKeyId.NotFound", "Specified access key is not found.");
  }
  const text = rpcStringToSign(method, parameters);
  if (!sameSignature(rpcSignature(key.secret, text), parameters.get("Signature")!)) {
    const message = "Specified signature is not matched with our calculation. server string to sign is:";
    throw new GatewayError(400, "SignatureDoesNotMatch", `${message}${text}`);
  }
  // Only a right signature may take memory.
  useNonce(nonces, `${key.id} ${parameters.get("SignatureNonce")}`, clock());
  const action = actions.get(name);
  if (action === undefined) {
    throw new GatewayError(
      404,
      "InvalidAction.NotFound",
      "Specified api is not found, please check your url and method.",
    );
  }
  if (action.method !== undefined && action.method !== method) {
    throw new GatewayError(405, "UnsupportedHTTPMethod", `${name} takes ${action.method} only.`);
  }
  return action;
}

function checkCommon(parameters: Map<string, string>, now: number): void {
  const refuse = (code: string, message: string) => new GatewayError(400, code, message);
  const [version, method] = [parameters.get("Version") ?? API_VERSION, parameters.get("SignatureMethod")];
  if (version !== API_VERSION)
    throw refuse("InvalidVersion", `Specified parameter Version is not valid: use ${API_VERSION}.`);
  if (method !== "HMAC-SHA1") throw refuse("InvalidSignatureMethod", "SignatureMethod must be HMAC-SHA1.");
  if ((parameters.get("SignatureVersion") ?? "1.0") !== "1.0") {
    throw refuse("InvalidSignatureVersion", "SignatureVersion must be 1.0.");
  }
  if (parameters.get("SignatureNonce")!.length > MAX_NONCE) {
    throw refuse("InvalidSignatureNonce", `SignatureNonce must have at most ${MAX_NONCE} characters.`);
  }
  const timestamp = parameters.get("Timestamp")!;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(timestamp) || Number.isNaN(Date.parse(timestamp))) {
    throw refuse("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted.");
  }
  if (Math.abs(now - Date.parse(timestamp)) > WINDOW) {
    throw refuse("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.");
  }
}

/** A nonce is remembered as long as a timestamp of its request could still be accepted. */
function useNonce(nonces: Map<string, number>, nonce: string, now: number): void {
  for (const [old, until] of nonces) {
    if (until > now) break;
    nonces.delete(old);
  }
  if (nonces.has(nonce))
    throw new GatewayError(400, "SignatureNonceUsed", "Specified signature nonce was used already.");
  nonces.set(nonce, now + 2 * WINDOW);
}
