// The core's HTTP client side as functions: response heads and chunked bodies from pieces, URLs and requests from text.

import { call, input, memory, Nomad, place, utf8 } from "./core.js";

/** A response's head, as the core tells it. */
export type Head = {
  status: number;
  length: number | undefined;
  chunked: boolean;
  range: "none" | "part" | "unsatisfied";
  first: number;
  last: number;
  total: number;
  location: string;
};
/** A head and the number of bytes it took, or the code that ended it; undefined = more is needed. */
export type HeadReading = { head: Head; taken: number } | number | undefined;

const responseSize = call("httpSize");
const chunkedSize = call("chunkedSize");
const urlSize = call("urlSize");
if (Math.max(responseSize, chunkedSize, urlSize) > place.other - place.structure) throw new Error("no room to move");

const ranges = ["none", "part", "unsatisfied"] as const;
const unsigned = (value: number): number => value >>> 0;
const text = (ptr: number, length: number): string =>
  Buffer.from(memory.subarray(ptr, ptr + length)).toString("latin1");

function head(r: number, cap: number): Head {
  const field = (index: number): number => unsigned(call("httpField", r, index));
  const length = field(8);
  const stored = text(place.sink, Math.min(length, cap));
  return {
    status: field(0),
    length: field(1) ? field(2) : undefined,
    chunked: field(3) === 1,
    range: ranges[field(4)] ?? "none",
    first: field(5),
    last: field(6),
    total: field(7),
    location: length > cap ? `${stored}… of ${length}` : stored,
  };
}

/** Read a head given in pieces; between them the structure moves to another place. */
export function readHead(stream: readonly Uint8Array[], cap = 2048): HeadReading {
  const response = new Nomad(responseSize);
  memory.fill(0x5a, place.sink + cap, place.sink + cap + 16);
  call("httpInit", response.at, place.sink, cap);
  let taken = 0;
  for (const piece of stream) {
    const at = input(piece);
    const result = call("httpHead", response.at, at, memory.length);
    const now = call("httpAt", response.at);
    if (now < at || now > memory.length) throw new Error(`at went from ${at} to ${now}`);
    if (memory[place.sink + cap] !== 0x5a) throw new Error("written beyond the room for Location");
    if (result < 0) {
      if (call("httpHead", response.at, at, at) !== result) throw new Error("the error was forgotten");
      return result;
    }
    taken += now - at;
    if (result === 1) return { head: head(response.at, cap), taken };
    if (now !== memory.length) throw new Error("wants more with input left");
    response.move();
  }
  return undefined;
}

/** A body and the number of bytes it took, or the code that ended it; undefined = more is needed. */
export type BodyReading = { body: string; taken: number } | number | undefined;

/** Decode a chunked body given in pieces; between them the structure moves to another place. */
export function readChunked(stream: readonly Uint8Array[]): BodyReading {
  const decoder = new Nomad(chunkedSize);
  call("chunkedInit", decoder.at);
  let body = "";
  let taken = 0;
  for (const piece of stream) {
    let at = input(piece);
    for (let calls = 0; ; calls++) {
      if (calls > piece.length + 1) throw new Error(`more calls than bytes: ${calls}`);
      const result = call("chunkedNext", decoder.at, at, memory.length);
      const now = call("chunkedAt", decoder.at);
      if (now < at || now > memory.length) throw new Error(`at went from ${at} to ${now}`);
      taken += now - at;
      if (result < 0) {
        if (call("chunkedNext", decoder.at, at, at) !== result) throw new Error("the error was forgotten");
        return result;
      }
      if (result === 2) return { body, taken };
      if (result === 0) {
        if (now !== memory.length) throw new Error("wants more with input left");
        break;
      }
      const ptr = call("chunkedDataPtr", decoder.at);
      const length = call("chunkedDataLen", decoder.at);
      if (length === 0 || ptr < at || ptr + length > now) throw new Error("data from elsewhere");
      body += text(ptr, length);
      at = now;
    }
    decoder.move();
  }
  return undefined;
}

/** A URL by its parts, or the code that refused it. */
export type UrlReading = { scheme: string; tls: boolean; host: string; port: number; path: string } | number;

const schemes = ["http", "https", "mqtt", "mqtts", "tcp", "tls"];

/** Put the URL into the memory and read it; it stays there, with its parts at place.structure, until the next call. */
export function readUrl(url: string): UrlReading {
  const bytes = utf8(url);
  const at = input(bytes);
  const code = call("urlParse", place.structure, at, bytes.length);
  if (code < 0) return code;
  const field = (index: number): number => call("urlField", place.structure, index);
  const part = (offset: number, length: number): string =>
    bytes.subarray(field(offset), field(offset) + field(length)).toString("utf8");
  return {
    scheme: schemes[field(0)] ?? "?",
    tls: field(6) === 1,
    host: part(2, 3),
    port: field(1),
    path: part(4, 5),
  };
}

const written = (length: number): string | number =>
  length < 0 ? length : Buffer.from(memory.subarray(place.sink, place.sink + length)).toString("utf8");

/** The URL that `reference` is on the page `base`, or the code that refused it. */
export function resolve(base: string, reference: string, cap = 2048): string | number {
  // Both texts must be in the memory at once, so the reference stands in front.
  const bytes = utf8(base);
  const all = input(Buffer.concat([utf8(reference), bytes]));
  const code = call("urlParse", place.structure, memory.length - bytes.length, bytes.length);
  if (code < 0) throw new Error(`the base is no URL: ${code}`);
  const length = call("urlResolve", place.sink, cap, place.structure, all, utf8(reference).length);
  return written(length);
}

/** The request for `url`: all of it, or the bytes from..to. */
export function get(url: string, range?: readonly [from: number, to: number], cap = 4096) {
  const parsed = readUrl(url);
  if (typeof parsed === "number") throw new Error(`no URL: ${parsed}`);
  const [from, to] = range ?? [0, 0];
  return written(call("httpGet", place.sink, cap, place.structure, from, to, range ? 1 : 0));
}
