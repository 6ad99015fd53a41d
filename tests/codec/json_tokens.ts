// The core's JSON reader as a function from pieces of a document to its tokens, and from tokens to a value.

import { Code, call, input, memory, Nomad, place, room, utf8 } from "./core.js";

const NeedMore = 0;
const End = 11;
const names = ["", "{", "}", "[", "]", "key", "string", "number", "true", "false", "null"] as const;

/** One token: its name, and the text of keys, strings and numbers. */
export type Token = readonly [name: string, text?: string];
/** All tokens, and 0 when the document is complete or the code that ended it. */
export type Reading = { tokens: Token[]; result: number };

const size = call("jsonSize");

/** The key at `ptr`, which is kept up to 40 bytes. */
const keyText = (r: number): string => {
  const length = call("jsonKeyLen", r);
  const ptr = call("jsonKeyPtr", r);
  return length <= 40 ? text(ptr, length) : `${length} bytes`;
};

const text = (ptr: number, length: number): string => Buffer.from(memory.subarray(ptr, ptr + length)).toString("utf8");

/**
 * Read a document given in pieces; between them the reader moves to another place. Throws when the reader takes bytes it
 * was not given, calls for more calls than bytes and tokens warrant, or stores beyond `cap`.
 */
export function read(document: readonly Uint8Array[], cap = room - 16): Reading {
  const reader = new Nomad(size);
  const tokens: Token[] = [];
  call("jsonInit", reader.at);
  const take = (token: number): void => {
    const name = names[token];
    if (!name) throw new Error(`jsonNext answered ${token}`);
    if (name === "key") tokens.push([name, keyText(reader.at)]);
    else if (name === "string" || name === "number") {
      if (memory[place.sink + cap] !== 0x5a) throw new Error("written beyond the sink");
      tokens.push([name, text(place.sink, call("jsonLen", reader.at))]);
    } else tokens.push([name]);
    if (name !== "key") open = false;
  };
  let open = false;
  memory.fill(0x5a, place.sink + cap, place.sink + cap + 16);
  const next = (verb: string): number => {
    if (!open) call("jsonSink", reader.at, place.sink, cap);
    open = true;
    return call(verb, reader.at);
  };
  for (const piece of document) {
    call("jsonInput", reader.at, input(piece), memory.length);
    for (let calls = 0; ; calls++) {
      if (calls > piece.length + 1) throw new Error(`more calls than bytes: ${calls}`);
      const at = call("jsonAt", reader.at);
      const token = next("jsonNext");
      const now = call("jsonAt", reader.at);
      if (now < at || now > memory.length) throw new Error(`at went from ${at} to ${now}`);
      if (token < 0) return { tokens, result: token };
      if (token === NeedMore || token === End) {
        if (now !== memory.length) throw new Error(`answered ${token} with input left`);
        break;
      }
      take(token);
    }
    reader.move();
  }
  for (;;) {
    const token = next("jsonFinish");
    if (token < 0 || token === End) return { tokens, result: Math.min(token, 0) };
    take(token);
  }
}

/** The value that complete tokens stand for. Of members with one name the last counts, as with JSON.parse. */
export function build(tokens: readonly Token[]): unknown {
  let i = 0;
  const value = (): unknown => {
    const [name, text = ""] = tokens[i++] ?? ["nothing"];
    switch (name) {
      case "{": {
        const object = {};
        for (; tokens[i]?.[0] !== "}"; ) {
          const key = tokens[i++]?.[1] ?? "";
          Object.defineProperty(object, key, { value: value(), enumerable: true, configurable: true, writable: true });
        }
        i++;
        return object;
      }
      case "[": {
        const array: unknown[] = [];
        while (tokens[i]?.[0] !== "]") array.push(value());
        i++;
        return array;
      }
      case "string":
        return text;
      case "number":
        return Number(text);
      case "true":
        return true;
      case "false":
        return false;
      case "null":
        return null;
    }
    throw new Error(`a value cannot begin with ${name}`);
  };
  const whole = value();
  if (i !== tokens.length) throw new Error(`${tokens.length - i} tokens after the value`);
  return whole;
}

/** What JSON.parse says about the same bytes, lone surrogates made U+FFFD; undefined = refused. */
export function reference(bytes: Uint8Array): unknown {
  try {
    return wellFormed(JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)));
  } catch {
    return undefined;
  }
}

export function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return utf8(value).toString("utf8");
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== "object" || value === null) return value;
  const object = {};
  for (const [key, member] of Object.entries(value)) {
    const descriptor = { value: wellFormed(member), enumerable: true, configurable: true, writable: true };
    Object.defineProperty(object, utf8(key).toString("utf8"), descriptor);
  }
  return object;
}

/** Whether the core refuses exactly what JSON.parse refuses; the depth limit apart. */
export function agrees(reading: Reading, bytes: Uint8Array): boolean {
  if (reading.result === Code.OverLimit) return depth(reading.tokens) === 32;
  const expected = reference(bytes);
  return (reading.result === 0) === (expected !== undefined);
}

function depth(tokens: readonly Token[]): number {
  let open = 0;
  for (const [name] of tokens) open += name === "{" || name === "[" ? 1 : name === "}" || name === "]" ? -1 : 0;
  return open;
}
