// Alink envelopes: what comes up, and replies whose id is the very token that came (string or number, any length).

/** A request of a device. `id` is the JSON token as it was written; undefined when there is none. */
export interface Envelope {
  id: string | undefined;
  method: string | undefined;
  params: unknown;
  /** The device wants a reply (`sys.ack` is not 0). */
  wantsReply: boolean;
}

/** Platform codes used in replies. */
export const Code = {
  Ok: 200,
  Parameter: 460,
  TooManyProperties: 6106,
  Topic: 6203,
  NotJson: 6207,
  Time: 6326,
} as const;

const ID_TOKEN = /"id"\s*:\s*("(?:[^"\\]|\\.){0,256}"|-?\d{1,64})/;

/** Parse a payload. On malformed JSON returns `{ malformed: id token or undefined }`. */
export function parseEnvelope(payload: Buffer): Envelope | { malformed: string | undefined } {
  const text = payload.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const token = ID_TOKEN.exec(text.slice(0, 1024))?.[1];
    return { malformed: token !== undefined && isJson(token) ? token : undefined };
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return { malformed: undefined };
  const members = value as Record<string, unknown>;
  const sys = members.sys as { ack?: unknown } | null | undefined;
  const hasId = typeof members.id === "string" || typeof members.id === "number";
  return {
    id: hasId ? memberToken(text, "id") : undefined,
    method: typeof members.method === "string" ? members.method : undefined,
    params: members.params,
    wantsReply: !(typeof sys === "object" && sys !== null && Number(sys.ack) === 0),
  };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * The text of a member's value at the top level of a valid JSON object; the last one when the name repeats,
 * as JSON.parse does. Numbers beyond 2^53 and unusual escapes survive this way.
 */
export function memberToken(text: string, name: string): string | undefined {
  let found: string | undefined;
  let depth = 0;
  let key: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") depth--;
    else if (char === '"') {
      const end = stringEnd(text, at);
      if (depth === 1 && text[skipSpace(text, end)] === ":") key = JSON.parse(text.slice(at, end)) as string;
      at = end - 1;
    } else if (char === ":" && depth === 1 && key === name) {
      found = tokenAt(text, at + 1);
      key = undefined;
    }
  }
  return found;
}

/** Index after the closing quote of the string that starts at `at`. */
function stringEnd(text: string, at: number): number {
  let end = at + 1;
  while (end < text.length && text[end] !== '"') end += text[end] === "\\" ? 2 : 1;
  return end + 1;
}

function skipSpace(text: string, at: number): number {
  let next = at;
  while (" \t\r\n".includes(text[next] ?? "x")) next++;
  return next;
}

function tokenAt(text: string, at: number): string | undefined {
  const start = skipSpace(text, at);
  if (text[start] === '"') return text.slice(start, stringEnd(text, start));
  return /^-?[0-9][0-9.eE+-]*/.exec(text.slice(start, start + 4096))?.[0];
}

/**
 * Write a reply.
 *
 * id       token from the request, written back as it came.
 * code     200 or a platform code.
 * message  "success" or one line that says what is wrong.
 */
export function reply(id: string, code: number, data: unknown, message = "success", method?: string): string {
  const rest = JSON.stringify({ code, data, message, ...(method === undefined ? {} : { method }), version: "1.0" });
  return `{"id":${id},${rest.slice(1)}`;
}
