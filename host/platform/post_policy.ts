// The policy document of a POST upload: decode it, check a form against it.

/** A rejected request: HTTP status, error code and message of the storage, more XML members. */
export class StorageError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: Record<string, string> = {},
  ) {
    super(message);
  }
}

/** Bounds of the object's size that the policy sets, bytes. */
export interface LengthRange {
  min: number;
  max: number;
}

const denied = (message: string) => new StorageError(403, "AccessDenied", `Invalid according to Policy: ${message}`);
const malformed = (message: string) => new StorageError(400, "InvalidPolicyDocument", `Invalid Policy: ${message}`);

/**
 * Check form fields against a policy.
 *
 * policy  Base64 of the JSON document.
 * fields  form fields, names in lower case.
 * now     milliseconds since 1970.
 *
 * Returns the size bounds; throws StorageError 403 AccessDenied or 400 InvalidPolicyDocument.
 */
export function checkPolicy(policy: string, fields: Map<string, string>, now: number, maxBytes: number): LengthRange {
  const { expiration, conditions } = decodePolicy(policy);
  if (now > expiration) throw denied("Policy expired.");
  const range: LengthRange = { min: 0, max: maxBytes };
  for (const condition of conditions) {
    if (Array.isArray(condition)) checkCondition(condition, fields, range);
    else if (typeof condition === "object" && condition !== null) {
      for (const [name, value] of Object.entries(condition)) checkCondition(["eq", `$${name}`, value], fields, range);
    } else throw malformed("a condition must be an object or an array.");
  }
  return range;
}

function decodePolicy(policy: string): { expiration: number; conditions: unknown[] } {
  let document: { expiration?: unknown; conditions?: unknown } | null;
  try {
    document = JSON.parse(Buffer.from(policy, "base64").toString("utf8"));
  } catch {
    throw malformed("not Base64 of a JSON document.");
  }
  const expiration = typeof document?.expiration === "string" ? Date.parse(document.expiration) : Number.NaN;
  if (Number.isNaN(expiration)) throw malformed("expiration must be an ISO 8601 time.");
  if (!Array.isArray(document?.conditions)) throw malformed("conditions must be an array.");
  return { expiration, conditions: document.conditions };
}

function checkCondition(condition: unknown[], fields: Map<string, string>, range: LengthRange): void {
  const [kind, subject, operand] = condition;
  const operator = String(kind).toLowerCase();
  if (operator === "content-length-range") {
    const [min, max] = [Number(subject), Number(operand)];
    if (!Number.isSafeInteger(min) || !Number.isSafeInteger(max)) throw malformed("content-length-range.");
    range.min = Math.max(range.min, min);
    range.max = Math.min(range.max, max);
    return;
  }
  if (typeof subject !== "string" || !subject.startsWith("$") || typeof operand !== "string") {
    throw malformed(`condition ${JSON.stringify(condition).slice(0, 200)}.`);
  }
  const value = fields.get(subject.slice(1).toLowerCase()) ?? "";
  const holds = { eq: value === operand, "starts-with": value.startsWith(operand) }[operator];
  if (holds === undefined) throw malformed(`operator ${operator.slice(0, 32)}.`);
  if (!holds) throw denied(`Policy Condition failed: ${JSON.stringify(condition).slice(0, 200)}`);
}
