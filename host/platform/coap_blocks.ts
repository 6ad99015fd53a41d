// Block-wise transfer (RFC 7959): requests that come in pieces, responses that go in pieces. Bounded in number, size and time.

import type { Response } from "./coap_endpoint.js";
import { type Message, numberValue, Option, optionNumber, optionValues } from "./coap_message.js";

/** Largest block, bytes, as an exponent: 16 × 2^6 = 1024. */
const MAX_SZX = 6;
/** Largest body either way, bytes: what a PUBLISH may have on this platform. */
export const MAX_BODY = 256 * 1024;
const MAX_TRANSFERS = 256;
/** A transfer that makes no progress is forgotten: EXCHANGE_LIFETIME of RFC 7252 §4.8.2, ms. */
const LIFETIME_MS = 247_000;

interface Block {
  number: number;
  more: boolean;
  szx: number;
}

interface Upload {
  atMs: number;
  pieces: Buffer[];
  length: number;
}

interface Download {
  atMs: number;
  response: Response;
}

/** What Block1 makes of a request: a body that is complete, with the option its response repeats; or an answer at once. */
export type Arrival = { body: Buffer; echo: Message["options"] } | { answer: Response };

/** Transfers by a key that tells requests apart: who, what for, under which token. */
export class BlockTransfers {
  readonly #uploads = new Map<string, Upload>();
  readonly #downloads = new Map<string, Download>();

  constructor(private readonly clock: () => number) {}

  /** Take a request, whole or a piece of one. */
  arrive(key: string, request: Message): Arrival {
    const block = readBlock(request, Option.Block1);
    if (block === undefined) return { body: request.payload, echo: [] };
    if (block === "bad") return { answer: bare("4.00") };
    const size = 16 << block.szx;
    if (block.number === 0) keep(this.#uploads, key, { atMs: this.clock(), pieces: [], length: 0 });
    const upload = fresh(this.#uploads, key, this.clock());
    if (upload === undefined || upload.length !== block.number * size) return this.#refuse(key, "4.08");
    if (block.more && request.payload.length !== size) return this.#refuse(key, "4.00");
    upload.atMs = this.clock();
    upload.pieces.push(request.payload);
    upload.length += request.payload.length;
    if (upload.length > MAX_BODY) return this.#refuse(key, "4.13", [{ number: Option.Size1, value: sizeValue() }]);
    const echo = [blockOption(Option.Block1, block)];
    if (block.more) return { answer: { code: "2.31", options: echo, payload: Buffer.alloc(0) } };
    this.#uploads.delete(key);
    return { body: Buffer.concat(upload.pieces), echo };
  }

  /** A later piece of a response that was cut before; undefined: this is a request of its own. */
  next(key: string, request: Message): Response | undefined {
    const block = readBlock(request, Option.Block2);
    if (block === undefined) return undefined;
    if (block === "bad") return bare("4.00");
    if (block.number === 0) return undefined;
    const download = fresh(this.#downloads, key, this.clock());
    if (download === undefined) return bare("4.08");
    download.atMs = this.clock();
    return slice(download.response, block);
  }

  /** Cut a response that is longer than a block, or than the client asked for; its rest waits for `next`. */
  leave(key: string, request: Message, response: Response): Response {
    const wanted = readBlock(request, Option.Block2);
    const szx = wanted === undefined || wanted === "bad" ? MAX_SZX : wanted.szx;
    if (response.payload.length <= 16 << szx) return response;
    keep(this.#downloads, key, { atMs: this.clock(), response });
    return slice(response, { number: 0, more: true, szx });
  }

  #refuse(key: string, code: string, options: Message["options"] = []): Arrival {
    this.#uploads.delete(key);
    return { answer: { ...bare(code), options } };
  }
}

function bare(code: string): Response {
  return { code, options: [], payload: Buffer.alloc(0) };
}

function sizeValue(): Buffer {
  return numberValue(MAX_BODY);
}

function readBlock(request: Message, number: number): Block | "bad" | undefined {
  const [bytes] = optionValues(request, number);
  if (bytes === undefined) return undefined;
  const value = optionNumber(request, number);
  if (value === undefined || bytes.length > 3 || (value & 7) > MAX_SZX) return "bad";
  return { number: value >> 4, more: (value & 8) !== 0, szx: value & 7 };
}

function blockOption(number: number, block: Block): Message["options"][number] {
  return { number, value: numberValue((block.number << 4) | (block.more ? 8 : 0) | block.szx) };
}

function slice(response: Response, { number, szx }: Block): Response {
  const from = number << (szx + 4);
  const { code, options, payload } = response;
  if (from >= payload.length) return bare("4.00");
  const to = Math.min(payload.length, from + (16 << szx));
  const block = blockOption(Option.Block2, { number, more: to < payload.length, szx });
  const size = number === 0 ? [{ number: Option.Size2, value: numberValue(payload.length) }] : [];
  return { code, options: [...options, block, ...size], payload: payload.subarray(from, to) };
}

function keep<T>(transfers: Map<string, T>, key: string, transfer: T): void {
  transfers.delete(key);
  transfers.set(key, transfer);
  const [oldest] = transfers.keys();
  if (transfers.size > MAX_TRANSFERS) transfers.delete(oldest!);
}

function fresh<T extends { atMs: number }>(transfers: Map<string, T>, key: string, nowMs: number): T | undefined {
  const transfer = transfers.get(key);
  if (transfer === undefined || nowMs - transfer.atMs < LIFETIME_MS) return transfer;
  transfers.delete(key);
  return undefined;
}
